"""What was acknowledged and cannot be written to Kafka yet: a bounded queue of records on disk."""

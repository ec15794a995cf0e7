"""The simulator: the same core over files of records, with no Kafka and no Redis."""

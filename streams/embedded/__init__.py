"""Kafka and Redis without an installation, to try Segue on one machine; both forget everything when they end."""

"""Kafka clients: consumer, delivery, publisher, reader, admin. Only they import confluent-kafka."""

"""Kafka clients: consumer, delivery, publisher, reader, admin; alone import confluent-kafka."""

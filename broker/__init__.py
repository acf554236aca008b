"""The message contracts and their codecs, the Kafka clients, and the consume-process-produce loop.

Only this package imports confluent-kafka. It does not depend on machine-learning models.
"""

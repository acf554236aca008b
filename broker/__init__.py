"""The words that cross the wire, and the Kafka clients that carry them.

This room alone knows confluent-kafka. It knows nothing of machine-learning models.
"""

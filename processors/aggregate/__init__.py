"""The features of a stream over Kafka: events in, partial aggregates out, features for workers."""

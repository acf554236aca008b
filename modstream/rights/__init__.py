"""What each role may do in Kafka and in Redis, and the same in the words of their tools."""

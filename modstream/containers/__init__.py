"""What the containers of docker-compose.yml need at first: secrets, and rights in Kafka."""

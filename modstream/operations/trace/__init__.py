"""The trace of one request: its records in all topics, from request to learning."""

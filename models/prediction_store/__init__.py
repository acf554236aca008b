"""The newest prediction of each key in a store that answers lookups: Redis or PostgreSQL."""

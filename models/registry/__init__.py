"""The model registry in Redis: immutable versions, aliases, history, notifications, backups."""

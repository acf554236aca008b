"""The pages of the dashboard: HTML from the server, kept current by server-sent events."""

"""The demo: replay real flights through the whole system, then audit the topics."""

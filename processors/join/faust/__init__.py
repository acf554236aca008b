"""The joiner as a Faust application."""

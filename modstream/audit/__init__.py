"""The audit of a stream: account for every request, label and training row in its topics."""

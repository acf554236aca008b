"""The whole story of one request, from what stands in the topics."""

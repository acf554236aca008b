"""The wire format: topics, headers, message contracts and codecs."""

"""A data set replayed as requests and late labels in event time."""

"""The replay of a data set as requests and delayed labels in event time."""

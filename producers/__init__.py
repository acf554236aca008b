"""Sources of requests and labels. This room knows the wire contracts, but not the models.

- client: sends requests, waits for their responses, sends labels
- load: an open-loop load generator with its schedule, response collector and report
- replay: a data set of flights, replayed as requests and delayed labels in event time
- records: random rows, and the kinds of bad records
"""

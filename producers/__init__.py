"""What brings events in. This room knows the words of the wire and nothing of models.

- flights: a data set, all departures from New York in 2013, with labels that land later
- replay: its timeline of requests and labels, sent at a pace (pacing)
- load: an open-loop load generator; schedule says when, rows what, report with what result
- bad: the kinds of bad records, for both
- client: send a request, wait for its prediction, say later what was true
"""

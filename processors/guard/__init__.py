"""The guard of the learner: hard rules, soft rules, and a breaker for each source."""

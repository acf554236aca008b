"""The guard of the learner: hard rules, soft rules, budgets."""

"""The four services, each a process: worker, joiner, learner and retrainer."""

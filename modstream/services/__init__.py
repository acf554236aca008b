"""The three kinds of process: worker, joiner and learner. Here they meet their servers."""

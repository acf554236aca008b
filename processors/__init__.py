"""Stream processors: predict, join late labels, learn, evaluate, promote, redrive.

The decisions are pure functions and state machines. Clients are opened by `modstream.services`,
with one exception: `join.faust` opens the joiner's Kafka clients and runs its event loop.
"""

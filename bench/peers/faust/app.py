"""A Faust agent that processes many events at once: https://faust-streaming.github.io/faust/.

It is started by `faust -A app worker`. Environment variables describe the job.
"""

import os

import faust
from scoring import Scorer

MANY = 1000
WITHIN = 0.05
"""Seconds."""

app = faust.App(
    os.environ["BENCH_GROUP"],
    broker=f"kafka://{os.environ['BENCH_BOOTSTRAP']}",
    key_serializer="raw",
    value_serializer="raw",
    store="memory://",
    topic_disable_leader=True,
    topic_allow_declare=False,
    web_enabled=False,
    broker_max_poll_records=5000,
    stream_buffer_maxsize=8192,
    producer_linger=0.005,
    consumer_auto_offset_reset="earliest",
)
requests = app.topic(os.environ["BENCH_REQUESTS"])
answers = app.topic(os.environ["BENCH_ANSWERS"])
score = Scorer(os.environ["BENCH_MODEL"])


@app.agent(requests)
async def answer(stream: faust.Stream) -> None:
    """Respond to all available requests at once."""
    async for events in stream.take_events(MANY, within=WITHIN):
        scored = score([event.value for event in events])
        for event, value in zip(events, scored, strict=True):
            await answers.send(key=event.key, value=value)

"""A Quix Streams application: https://quix.io/docs/quix-streams/introduction.html.

It processes record by record and commits a checkpoint every second. Environment variables describe
the job.
"""

import os

from quixstreams import Application
from scoring import Scorer

app = Application(
    broker_address=os.environ["BENCH_BOOTSTRAP"],
    consumer_group=os.environ["BENCH_GROUP"],
    processing_guarantee=os.environ["BENCH_DELIVERY"].replace("_", "-"),
    auto_offset_reset="earliest",
    auto_create_topics=False,
    use_changelog_topics=False,
    commit_interval=1.0,
    producer_extra_config={"linger.ms": 5},
    loglevel="WARNING",
)
requests = app.topic(os.environ["BENCH_REQUESTS"], value_deserializer="bytes")
answers = app.topic(os.environ["BENCH_ANSWERS"], value_serializer="bytes")
score = Scorer(os.environ["BENCH_MODEL"])

frame = app.dataframe(requests).apply(lambda value: score([value])[0])
frame.to_topic(answers)

if __name__ == "__main__":
    app.run()

"""A learner process that a row of feedback ends, for `test_learner_crash.py`."""

import os
import sys
from pathlib import Path

from modstream.broker.loop.crash_guard import CrashGuard
from modstream.broker.loop.crash_journal import CrashJournal
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Quarantined
from modstream.broker.wire.topics import Topics
from modstream.models.runtimes.river.runtime import RiverRuntime
from modstream.processors.promote.settings import GateSettings
from modstream.services.alias_follower import AliasFollower
from modstream.services.learner import owned_for_life
from modstream.services.release_manager import ReleaseManager
from modstream.services.version_publisher import VersionPublisher
from tests.processors.promote.synthetic_stream import (
    feedback_records,
    small_candidates,
    synthetic_events,
)

DEADLY_OFFSET = 13
RECORDS = 40


class AbortsOnOneRow(RiverRuntime):
    """A runtime whose native code ends the process on one row."""

    deadly = None

    def learn(self, batch, labels):
        if self.deadly in batch.columns["x"].tolist():
            os.abort()
        super().learn(batch, labels)


class Sent(list):
    """Records that were sent."""

    def send(self, record):
        self.append(record)


def main(folder: Path) -> None:
    """Learn all records; print the number learned and the records that were set aside."""
    records = feedback_records(synthetic_events(1, RECORDS))
    candidates = small_candidates(GateSettings(chunk_rows=20), 0.1)
    learner = candidates.lead
    deadly = learner._decode(records[DEADLY_OFFSET])
    AbortsOnOneRow.deadly = deadly.features["x"]
    learner.restore_state(AbortsOnOneRow(learner.runtime._model, learner.card))
    sent = Sent()
    name = next(iter(candidates.learners))
    publishers = {name: VersionPublisher(None, sent, learner, Topics("s"), name)}
    with CrashJournal(folder) as journal:
        guard = CrashGuard(journal, "s.feedback", owned_for_life)
        follower = AliasFollower(None, candidates, None)
        ReleaseManager(None, candidates, publishers, follower, guard=guard).learn(records)
    rejected = [decode(Quarantined, one.value) for one in sent if one.topic == "s.quarantine"]
    facts = [str(learner.counts.learned), *(f"{one.source.offset}:{one.rule}" for one in rejected)]
    sys.stdout.write(" ".join(facts) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

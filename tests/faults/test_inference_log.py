"""Workers are killed: the inference log has one record for each request, as has its export."""

from collections import Counter
from pathlib import Path
from threading import Event

import pytest

from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode
from modstream.broker.wire.inference_record import InferenceRecord
from modstream.operations.inference_log.log_export import ExportLimits, export_log
from modstream.operations.inference_log.log_folder import LogFolder
from modstream.operations.inference_log.log_query import open_query
from modstream.processors.predict.log_settings import InferenceLogSettings
from tests.faults.harness import FaultHarness, at_progress

pytestmark = [pytest.mark.fault, pytest.mark.real]

KILLS = 1
"""Kills in one run; `--times` multiplies them."""
REQUESTS = 1_500
TOTALS = "SELECT count(*), count(DISTINCT id), sum((outcome = 'answered')::INT) FROM inferences"


@pytest.fixture
def settings(settings):
    log = InferenceLogSettings(enabled=True, features=True, outputs=True, sample=0.1)
    return settings.model_copy(update={"inference_log": log})


def export(harness: FaultHarness, folder: Path):
    """Export the log up to its present end; return the report."""
    topic = harness.settings.topics().inferences
    limits = ExportLimits(rows=1_000)
    return export_log(harness.settings.connection, topic, LogFolder(folder), Event(), limits)


def test_kills_leave_one_log_record_for_each_request(harness: FaultHarness, tmp_path):
    harness.start_workers(2)
    exported, folder = [], tmp_path / "exported"

    with harness.start_run(REQUESTS) as run:
        for number, _ in enumerate(at_progress(run, KILLS * harness.times)):
            harness.killer.kill(harness.targets, inside=number % 2 == 0)
            exported.append(export(harness, folder).requests)
        result = harness.finish(
            "inference log, kill -9", run, harness.killer.kills, harness.killer.inside
        )
    exported.append(export(harness, folder).requests)

    topics, connection = harness.settings.topics(), harness.settings.connection
    requests = Counter(one[1:3] for one in read_to_end(connection, [topics.requests]))
    logged = [
        decode(InferenceRecord, one.value) for one in read_to_end(connection, [topics.inferences])
    ]
    assert harness.killer.kills == KILLS * harness.times
    assert result.fault_counts == {}
    assert Counter((one.source.partition, one.source.offset) for one in logged) == requests
    ids = Counter(one.id for one in logged if one.outcome == "answered")
    assert ids == Counter(list(run.sent_log.sent))
    assert 0 < sum(one.features is not None for one in logged) < len(logged) / 2
    assert sum(exported) == len(logged), "no export reads what another one has written"
    with open_query(LogFolder(folder), TOTALS) as found:
        assert list(found.rows()) == [(len(logged), len(ids), len(ids))]

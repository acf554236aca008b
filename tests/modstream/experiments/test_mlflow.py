"""Experiments as runs of MLflow, in its own store of SQLite."""

import socket

import pytest
from mlflow.tracking import MlflowClient
from structlog.testing import capture_logs

from modstream.errors import InvalidSettings, TrackingFailed
from modstream.experiments.mlflow_client import MlflowRuns
from modstream.experiments.mlflow_run import ID_TAG, run_of
from modstream.experiments.mlflow_sync import send_missing, send_or_warn
from modstream.mlflow_settings import MlflowSettings
from tests.modstream.experiments.test_journal import experiment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One store for all tests: its tables are created by dozens of migrations."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/ml.db"


@pytest.fixture
def settings(store, request):
    return MlflowSettings(tracking_uri=store, experiment=request.node.name)


def runs_of(settings):
    client = MlflowClient(tracking_uri=settings.tracking_uri)
    found = client.get_experiment_by_name(settings.experiment)
    return client, client.search_runs([found.experiment_id])


def with_folds(name="aaaa1111"):
    one = experiment(name)
    chosen = one.chosen.model_copy(
        update={"scores": (0.69, 0.71), "hyperparameters": {"max_iter": 150}}
    )
    update = {"chosen": chosen, "trials": (chosen,), "version": 3, "artifact_sha256": "ab" * 32}
    return one.model_copy(update=update)


def test_an_experiment_becomes_a_run_with_its_figures_by_fold(settings):
    assert send_missing(settings, [with_folds()]) == [with_folds()]

    client, (run,) = runs_of(settings)
    assert run.info.status == "FINISHED"
    assert run.info.end_time - run.info.start_time == 3000
    assert run.data.params["chosen.max_iter"] == "150"
    assert run.data.params["settings.trials"] == "60"
    assert run.data.metrics["test/auc"] == 0.7
    folds = client.get_metric_history(run.info.run_id, "fold/auc")
    assert [(one.step, one.value) for one in folds] == [(0, 0.69), (1, 0.71)]
    tags = run.data.tags
    assert (tags["modstream.data_sha256"], tags["modstream.version"]) == ("d", "3")
    assert (tags["modstream.code"], tags["modstream.artifact_sha256"]) == ("0.1.0", "ab" * 32)


def test_only_what_is_missing_is_sent_and_what_was_begun_is_completed(settings):
    send_missing(settings, [with_folds("aaaa1111")])
    client, (run,) = runs_of(settings)
    client.create_run(run.info.experiment_id, tags={ID_TAG: "bbbb2222"})
    experiments = [with_folds("aaaa1111"), with_folds("bbbb2222"), with_folds("cccc3333")]

    sent = send_missing(settings, experiments)

    assert [one.id for one in sent] == ["bbbb2222", "cccc3333"]
    assert send_missing(settings, experiments) == []
    _, runs = runs_of(settings)
    assert sorted(one.data.tags[ID_TAG] for one in runs) == ["aaaa1111", "bbbb2222", "cccc3333"]
    assert {one.info.status for one in runs} == {"FINISHED"}


def test_a_failed_training_is_a_failed_run(settings):
    failed = experiment(state="failed").model_copy(
        update={"reason": "too few rows", "chosen": None, "metrics": {"auc": float("nan")}}
    )

    send_missing(settings, [failed])

    _, (run,) = runs_of(settings)
    assert run.info.status == "FAILED"
    assert run.data.tags["modstream.reason"] == "too few rows"
    assert "test/auc" not in run.data.metrics


def test_a_server_that_does_not_answer_is_a_warning_with_its_reason():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"http://user:secret@127.0.0.1:{held.getsockname()[1]}"
        settings = MlflowSettings(tracking_uri=address, timeout_seconds=1.0)
        with capture_logs() as logs:
            send_or_warn(settings, experiment())
        with pytest.raises(TrackingFailed):
            MlflowRuns(address, "modstream", 1.0)

    (entry,) = logs
    assert entry["log_level"] == "warning"
    assert "refused" in entry["reason"]
    assert "secret" not in entry["reason"]


def test_without_an_address_nothing_is_sent(monkeypatch, store):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with capture_logs() as logs:
        send_or_warn(MlflowSettings(), experiment())
    with pytest.raises(InvalidSettings, match="MLFLOW_TRACKING_URI"):
        send_missing(MlflowSettings(), [])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)

    assert len(send_missing(MlflowSettings(), [experiment()])) == 1
    assert logs == []


def test_parameters_are_cut_and_tags_without_a_value_are_left_out():
    facts = run_of(experiment().model_copy(update={"settings": {"metric": "x" * 900}}))

    assert len(facts.parameters["settings.metric"]) == 500
    assert "modstream.version" not in facts.tags

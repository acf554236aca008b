"""Training on files and on data sets of the catalogue, and its record."""

import random
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pytest

from modstream.cli.train_options import table_options
from modstream.datasets.catalogue import Catalogue
from modstream.datasets.dataset import Provenance
from modstream.datasets.errors import DatasetSealed
from modstream.datasets.staged_version import Description
from modstream.errors import UnusableSource
from modstream.experiments.journal import Journal
from modstream.models.training.errors import TooFewRows, UnusableTable
from modstream.operations.datasets.split import SplitSpec, split_dataset
from modstream.retrain.retrain import train_table
from modstream.retrain.table_source import TableOptions, read_rows
from modstream.settings import load_settings
from tests.models.training.training_datasets import QUICK_SETTINGS

pytestmark = pytest.mark.slow


def make_table(rows=400):
    draw = random.Random(0)
    columns = {"at": list(range(rows)), "a": [draw.gauss(0, 1) for _ in range(rows)]}
    columns["s"] = [draw.choice("pqrxyz") for _ in range(rows)]
    late = [a + (s == "p") > 0.3 for a, s in zip(columns["a"], columns["s"], strict=True)]
    return pd.DataFrame({**columns, "late": late})


@pytest.fixture
def settings(tmp_path):
    quick = replace(QUICK_SETTINGS, trials=2, cost_false_positive=1.0, cost_false_negative=3.0)
    return load_settings(home=tmp_path).model_copy(update={"train": quick})


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "rows.csv"
    make_table().to_csv(path, index=False)
    return str(path)


def options(data, **fields):
    return TableOptions(data, label="late", time="at", **fields)


def test_a_file_is_trained_on_without_servers_and_recorded(settings, csv):
    found = train_table(settings, "m", options(csv), None)

    assert (found.card, found.training.spec.parent) == (None, None)
    assert found.training.metrics["auc"] > 0.9
    assert found.training.spec.metrics["decision_threshold"] > 0
    (recorded,) = Journal(settings.home).read()
    assert recorded.id == found.experiment.id
    assert (recorded.state, recorded.model, recorded.data.rows) == ("accepted", "m", 400)
    assert recorded.data.source == csv
    assert recorded.trials[0].folds == 2
    assert len(recorded.chosen.scores) == 2
    assert len(recorded.artifact_sha256) == 64
    half, cheap = recorded.confusions
    assert sum(map(sum, half.counts)) == recorded.data.test_rows
    assert (half.classes, cheap.threshold) == (
        ("False", "True"),
        found.training.spec.metrics["decision_threshold"],
    )
    page = found.report.read_text()
    for title in ("Most confident mistakes", "Decision by the costs of errors", "Trials: auc"):
        assert title in page


def test_the_second_test_on_the_same_rows_is_counted(settings, csv):
    for _ in range(2):
        found = train_table(settings, "m", options(csv), None)

    assert found.experiment.data.test_openings == 2
    assert "2 challengers were tested on these rows" in found.report.read_text()


def test_a_training_that_fails_is_recorded_with_the_reason(settings, tmp_path):
    path = tmp_path / "few.csv"
    make_table(50).to_csv(path, index=False)

    with pytest.raises(TooFewRows):
        train_table(settings, "m", options(str(path)), None)

    (recorded,) = Journal(settings.home).read()
    assert recorded.state == "failed"
    assert recorded.reason.startswith("there are 50 labelled rows")


@pytest.mark.parametrize("suffix", ["csv", "parquet", "tsv"])
def test_files_are_read_by_their_suffix(tmp_path, suffix):
    path = tmp_path / f"rows.{suffix}"
    if suffix == "parquet":
        make_table().to_parquet(path)
    else:
        make_table().to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")

    found = read_rows(options(str(path)), Catalogue(tmp_path), "m", None)

    assert found.dataset.card.input_schema.names == ("a", "s")
    assert len(found.dataset.labels) == 400


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(UnusableSource, match="No such file"):
        read_rows(options(str(tmp_path / "no.csv")), Catalogue(tmp_path), "m", None)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(UnusableSource, match=r"bad\.parquet"):
        read_rows(options(str(tmp_path / "bad.parquet")), Catalogue(tmp_path), "m", None)


def test_a_table_needs_a_label(csv, tmp_path):
    with pytest.raises(UnusableTable, match="with --label"):
        read_rows(TableOptions(csv), Catalogue(tmp_path), "m", None)


def test_options_of_a_table_need_a_table():
    assert table_options(None, None, None, None, None, None) is None
    with pytest.raises(Exception, match="name the table with --data"):
        table_options(None, "late", None, None, None, None)


@pytest.fixture
def split(settings):
    """A data set in the catalogue, divided into a training set and a sealed test set."""
    catalogue = Catalogue(settings.data_folder)
    with catalogue.create("things") as staged:
        staged.write_table(pa.Table.from_pandas(make_table(), preserve_index=False))
        origin = Provenance(operation="ingest", source="things.csv")
        made = staged.commit(Description(origin, label="late", time_column="at"))
    split_dataset(catalogue, made, SplitSpec("time", 0.25), "things")
    return catalogue


def test_a_sealed_test_set_is_opened_once_and_at_the_end(settings, split):
    steps = []

    def note(step, _share):
        steps.append((step, len(split.openings("things-test"))))

    found = train_table(settings, "m", TableOptions("things-train"), None, note)

    assert steps[-1] == ("testing the best", 0)
    (opening,) = split.openings("things-test")
    assert opening.reason == "acceptance of a challenger of m, trained on things-train@1"
    assert (found.experiment.data.rows, found.experiment.data.test_rows) == (300, 100)
    assert found.training.metrics["auc"] > 0.9
    assert found.experiment.data.source == "things-train@1, tested on things-test@1"


def test_a_training_that_fails_does_not_open_the_test_set(settings, split):
    strict = settings.model_copy(update={"train": replace(settings.train, min_rows=1000)})

    with pytest.raises(TooFewRows):
        train_table(strict, "m", TableOptions("things-train"), None)

    assert split.openings("things-test") == []


def test_a_sealed_set_is_not_trained_on(settings, split):
    with pytest.raises(DatasetSealed):
        train_table(settings, "m", TableOptions("things-test"), None)


def test_test_rows_with_other_columns_are_refused(settings, split):
    with split.create("odd") as staged:
        table = make_table().drop(columns="s")
        staged.write_table(pa.Table.from_pandas(table, preserve_index=False))
        origin = Provenance(operation="ingest", source="odd.csv")
        staged.commit(Description(origin, label="late", time_column="at", sealed=True))

    with pytest.raises(UnusableTable, match="the test set has no column 's'"):
        train_table(settings, "m", TableOptions("things-train", test="odd"), None)

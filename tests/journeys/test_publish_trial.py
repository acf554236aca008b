"""`modstream models publish` tries a model, shows its card, and moves the alias only then."""

import json
import math
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from river import linear_model
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from modstream.models.runtimes.river.artifact import pack
from modstream.models.schema.version_spec import VersionSpec
from tests.journeys.conftest import with_route
from tests.models.onnx_graphs import looping_graph, summing_graph

pytestmark = [pytest.mark.real, pytest.mark.journey]


@pytest.fixture
def stream(system, monkeypatch):
    """A stream with topics, in which nothing is published; trials end after 3 s."""
    monkeypatch.setenv("MODSTREAM_MODEL_CACHE__LOAD_LIMIT_SECONDS", "3")
    cache = system.settings.model_cache
    limited = type(cache)(load_limit_seconds=3.0)
    system = with_route(system, "m", stream="s")
    system.settings = system.settings.model_copy(update={"model_cache": limited})
    system.create_topics()
    return system


def write(stream, name, content):
    path = stream.folder / name
    path.write_bytes(content)
    return str(path)


def publish(stream, *arguments):
    return stream.run("models", "publish", "m", *arguments)


def aliases(stream):
    with stream.registry() as registry:
        return registry.aliases("m")


def test_a_model_that_passes_is_shown_and_published_with_its_trial(stream):
    path = write(stream, "sum.onnx", summing_graph())

    done = publish(stream, path, "--note", "a sum of two")

    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    for part in ("m a sum of two", "task regression", "value the predicted number", "x0 float"):
        assert part in text
    assert "published m version 1 (onnx" in done.stderr
    with stream.registry() as registry:
        card = registry.card("m")
    assert card.trial.rows > 1
    assert len(card.sample_rows) > 1


def test_a_dry_run_shows_the_same_and_publishes_nothing(stream):
    path = write(stream, "sum.onnx", summing_graph())

    done = publish(stream, path, "--dry-run", "--json")

    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["published"] is None
    assert document["card"]["task"] == "regression"
    row, answer = document["examples"][0].values()
    assert answer["value"] == pytest.approx(row["x0"] + row["x1"], rel=1e-4)
    assert "nothing was published" in done.stderr
    assert aliases(stream) == {}


def test_a_model_that_never_ends_is_refused_and_the_alias_stays(stream):
    assert publish(stream, write(stream, "sum.onnx", summing_graph())).returncode == 0

    done = publish(stream, write(stream, "loop.onnx", looping_graph()))

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert aliases(stream) == {"champion": 1}


def test_a_broken_version_is_not_promoted(stream):
    assert publish(stream, write(stream, "sum.onnx", summing_graph())).returncode == 0
    with stream.registry() as registry:
        spec = registry.card("m")
        fields = {"name", "runtime", "task", "input_schema"}
        broken = spec.model_dump(include=fields)
    with stream.registry() as registry:
        registry.publish(VersionSpec.model_validate(broken), looping_graph(), alias=None)

    done = stream.run("models", "promote", "m", "2")

    assert done.returncode == 1
    assert "did not end within 3 s" in " ".join(done.stderr.split())
    assert aliases(stream) == {"champion": 1}


def test_columns_of_text_and_sample_rows_are_tried_and_kept(stream):
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"a": rng.normal(size=200), "d": rng.choice(["red", "blue"], 200)})
    front = ColumnTransformer([("n", StandardScaler(), ["a"]), ("c", OneHotEncoder(), ["d"])])
    model = make_pipeline(front, LogisticRegression()).fit(table, table.a > 0)
    path = str(stream.folder / "model.joblib")
    joblib.dump(model, path)
    sample = write(stream, "rows.csv", table.head(20).to_csv(index=False).encode())

    done = publish(stream, path, "--trust", "--sample", sample)

    assert done.returncode == 0, done.stderr
    with stream.registry() as registry:
        rows = registry.card("m").sample_rows
    assert {row["d"] for row in rows} <= {"red", "blue"}
    bad = write(stream, "bad.csv", b"a,d\n0.5,green\n")
    refused = publish(stream, path, "--trust", "--sample", bad)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert aliases(stream) == {"champion": 1}


def test_the_same_file_with_another_description_is_another_version(stream):
    path = write(stream, "sum.onnx", summing_graph())
    assert publish(stream, path).returncode == 0

    again = publish(stream, path)
    other = publish(stream, path, "-f", "length:float", "-f", "width:float")
    noted = publish(stream, path, "-f", "length:float", "-f", "width:float", "--note", "checked")

    assert "already published as version 1 of m: nothing was changed\n" in again.stderr
    assert "published m version 2 " in other.stderr
    assert "published m version 3 " in noted.stderr
    with stream.registry() as registry:
        assert registry.card("m").input_schema.names == ("length", "width")


def test_a_publish_that_changes_nothing_says_where_the_alias_is(stream):
    first = write(stream, "sum.onnx", summing_graph())
    assert publish(stream, first).returncode == 0
    assert publish(stream, first, "-f", "a:float", "-f", "b:float").returncode == 0
    assert stream.run("models", "rollback", "m").returncode == 0

    done = publish(stream, first, "-f", "a:float", "-f", "b:float")

    text = " ".join(done.stderr.split())
    assert "already published as version 2 of m: nothing was changed. The champion is" in text
    assert "is version 1: `modstream models promote m 2` moves it" in text
    assert aliases(stream) == {"champion": 1}


@pytest.mark.parametrize(
    ("arguments", "returncode", "reason"),
    [
        (["a b", "FILE"], 2, "'a b' cannot be the name of a model"),
        (["", "FILE"], 2, "'' cannot be the name of a model"),
        (["caf\udce9", "FILE"], 2, "is not UTF-8"),
        (["m", "FILE", "--alias", "Best One"], 2, "cannot be the name of an alias"),
        (["m", "FILE", "-f", ":float"], 2, "':float' is not NAME:KIND"),
        (["m", "FILE", "--task", "guess"], 2, "none of binary"),
        (["m", "FILE", "--sample", "LATIN"], 2, "is not UTF-8"),
        (["m", "FILE", "--class", "a", "--class", "b"], 1, "--scores"),
        (["m", "FOLDER"], 1, "has no file MLmodel"),
        (["m", "LATIN"], 1, "rows.csv is no model file that can be published"),
    ],
)
def test_wrong_options_are_refused_with_a_sentence(stream, arguments, returncode, reason):
    paths = {
        "FILE": write(stream, "sum.onnx", summing_graph()),
        "LATIN": write(stream, "rows.csv", "größe\n1\n".encode("latin-1")),
        "FOLDER": str(stream.folder / "empty"),
    }
    (stream.folder / "empty").mkdir()

    done = stream.run("models", "publish", *(paths.get(one, one) for one in arguments))

    assert done.returncode == returncode, done.stderr
    # Typer draws a box around the text.
    assert reason in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
    assert aliases(stream) == {}


def test_a_river_model_that_predicts_nan_is_refused(stream):
    path = write(stream, "m.river", pack(linear_model.LogisticRegression(intercept_init=math.nan)))

    done = publish(stream, path, "-f", "x:float")

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert aliases(stream) == {}


def test_a_name_of_any_characters_is_a_feature_that_answers(stream):
    names = ['size (")', "back\\slash", "a.b", "tab\tand\x1b[31m", "größe", "名前", "it's", "{x}"]
    rng = np.random.default_rng(2)
    table = pd.DataFrame(rng.normal(size=(100, len(names))), columns=names)
    model = LogisticRegression().fit(table, table.iloc[:, 0] > 0)
    path = write(stream, "names.pkl", pickle.dumps(model))

    done = publish(stream, path, "--trust")

    assert done.returncode == 0, done.stderr
    assert "\x1b[31m" not in done.stdout
    with stream.registry() as registry:
        assert registry.card("m").input_schema.names == tuple(names)

"""Forecast: a table in, a version, a table out; the answers are those of the model itself."""

import json

import joblib
import pandas as pd
import pytest
from pyarrow import parquet
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from modstream.local_model import load_model

pytestmark = [pytest.mark.real, pytest.mark.journey]

ROWS = 2_000


@pytest.fixture
def trained(system):
    """A system with a file of a model, and a table of the history that it has not seen."""
    numbers = range(ROWS)
    table = pd.DataFrame(
        {
            "order": [f"o{number}" for number in numbers],
            "amount": [float(number % 97) for number in numbers],
            "country": ["de", "us", "fr"] * (ROWS // 3) + ["de"] * (ROWS % 3),
        }
    )
    fitted = table[:500]
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["country"]), remainder="passthrough"
    )
    model = make_pipeline(encode, LogisticRegression())
    model.fit(fitted[["amount", "country"]], fitted["amount"] > 50)
    joblib.dump(model, system.folder / "fraud.joblib")
    table.to_parquet(system.folder / "orders.parquet")
    system.create_topics()
    return table


def test_a_published_version_and_its_backup_predict_a_table_as_the_model_does(system, trained):
    published = system.run("models", "publish", "fraud", "fraud.joblib", "--trust")
    assert published.returncode == 0, published.stderr

    options = ("--model", "fraud", "--keep", "order", "--json")
    done = system.run("batch-predict", "orders.parquet", *options, "--to", "answers.parquet")
    offline = ("--version", "1", "--offline", "--to", "again.parquet")
    again = system.run("batch-predict", "orders.parquet", *options, *offline)

    assert (done.returncode, again.returncode) == (0, 0), done.stderr + again.stderr
    (facts,) = json.loads(done.stdout)
    assert (facts["rows"], facts["predicted"], facts["version"]) == (ROWS, ROWS, 1)
    answers = parquet.read_table(system.folder / "answers.parquet")
    assert answers.equals(parquet.read_table(system.folder / "again.parquet"))
    assert answers["order"].to_pylist() == trained["order"].tolist()
    with load_model("fraud", settings=system.settings) as model:
        rows = trained[["amount", "country"]].to_dict("records")
        expected = model.predict(rows).outputs
    assert answers["probability"].to_pylist() == [row["probability"] for row in expected]

    # What cannot be predicted is refused before a file is written.
    trained.drop(columns="amount").to_parquet(system.folder / "short.parquet")

    unknown = system.run("batch-predict", "orders.parquet", "-m", "frod", "--to", "a.parquet")
    short = system.run("batch-predict", "short.parquet", "-m", "fraud", "--to", "a.parquet")

    assert (unknown.returncode, short.returncode) == (1, 1)
    assert "fraud" in unknown.stderr
    assert "it has no column amount" in " ".join(short.stderr.split())
    assert not (system.folder / "a.parquet").exists()

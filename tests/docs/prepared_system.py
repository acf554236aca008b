"""The one system that all pages share: `modstream up` with a model, requests, labels and files."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.docs.blocks import ROOT
from tests.docs.programs import INSTALLED, environment_of_pages, forked_programs, running
from tests.journeys.console_blocks import Reader

PAGES = (
    "docs/tutorial.md",
    "README.md",
    "docs/asking.md",
    "docs/gateway.md",
    "docs/any-language.md",
    "docs/dependency.md",
    "docs/publishing.md",
    "docs/pipelines.md",
    "docs/precompute.md",
    "docs/forecast.md",
    "docs/inference-log.md",
    "docs/lambda.md",
    "docs/privacy.md",
    "docs/security.md",
    "docs/data-sets.md",
    "docs/training.md",
    "docs/automl.md",
    "docs/delivery.md",
    "docs/learning.md",
    "docs/tracing.md",
    "docs/model-monitoring.md",
    # Keys come last: a gateway that has known one lets nobody in without a key.
    "docs/dashboard.md",
    "docs/gateway-access.md",
)
"""The pages whose blocks are run, in the order in which they use the system."""
TRAINING = """
import joblib
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

x, y = load_iris(return_X_y=True)
for name, seed in (("forest", 0), ("better", 1)):
    joblib.dump(RandomForestClassifier(10, random_state=seed).fit(x[:, :2], y), f"{name}.joblib")
encode = make_column_transformer(
    (OneHotEncoder(handle_unknown="ignore"), ["country"]), remainder="passthrough"
)
payments = pd.read_csv("payments.csv")
joblib.dump(make_pipeline(encode, LogisticRegression()).fit(payments, [0, 1, 0]), "fraud.joblib")
"""
UP = ("modstream", "up", "--kafka-port", "0", "--redis-port", "0", "--http-port", "0",
      "--dashboard-port", "-1", "--materializer")  # fmt: skip
START_SECONDS = 120


@dataclass
class PreparedSystem:
    """A running system with files in its folder."""

    folder: Path
    path: str
    addresses: dict[str, str]

    def reader(self) -> Reader:
        """Return a reader of one page."""
        return Reader(self.folder, self.path, addresses=self.addresses, background_path=INSTALLED)


@contextmanager
def prepared_system(folder: Path) -> Iterator[PreparedSystem]:
    """Start the system in a folder; it ends with the context."""
    environment = environment_of_pages(
        MODSTREAM_INFERENCE_LOG__ENABLED="true", MODSTREAM_INFERENCE_LOG__FEATURES="true"
    )
    work = folder / "work"
    work.mkdir()
    with (
        forked_programs(folder / "forks") as path,
        running(UP, work, environment, "Ctrl-C stops everything") as printed,
    ):
        system = PreparedSystem(work, path, addresses_of(printed))
        prepare(system)
        yield system


def addresses_of(printed: str) -> dict[str, str]:
    """Return the addresses that pages show, with those that `modstream up` has printed."""
    found = dict(line.split(None, 1) for line in printed.splitlines() if len(line.split()) == 2)
    http = found["HTTP"].removeprefix("http://")
    return {
        "localhost:8080": http,
        "127.0.0.1:8080": http,
        "localhost:8081": found["gRPC"],
        "localhost:9092": found["Kafka"],
    }


def prepare(system: PreparedSystem) -> None:
    """Write the files that pages name, publish the model `flights`, and send some requests."""
    folder = system.folder
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "rows.csv").write_text("x0,x1\n6.1,2.8\n5.1,3.5\n4.9,3.0\n")
    rows = [{"x0": 6.1, "x1": 2.8}, {"x0": 5.1, "x1": 3.5}]
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    requests = [{"id": f"prepared-{i}", "features": row} for i, row in enumerate(rows)]
    (folder / "requests.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in requests))
    labels = [
        {"id": f"prepared-{i}", "label": i, "event_time": 1_790_000_000_000} for i in range(2)
    ]
    (folder / "labels.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in labels))
    (folder / "labels.csv").write_text("id,label\nprepared-0,1\nprepared-1,0\n")
    (folder / "customers.csv").write_text("id,x0,x1\ncustomer-7,6.1,2.8\ncustomer-8,5.1,3.5\n")
    (folder / "payments.csv").write_text("amount,country\n12.5,de\n900,us\n3.2,de\n")
    (folder / "prepare.py").write_text(TRAINING)
    for command in (
        "python prepare.py",
        "modstream models publish flights forest.joblib --trust",
        # It is repeated until the model is loaded.
        f"modstream predict flights rows.csv --model flights --timeout {START_SECONDS}",
        "modstream produce --file requests.jsonl",
        # It waits for the joiner, which pages need, too; a label that is not joined is an error.
        f"modstream label flights prepared-0 1 --timeout {START_SECONDS}",
    ):
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment_of_pages(system.path),
            capture_output=True, text=True, timeout=START_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

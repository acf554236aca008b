"""Gradient boosting of other libraries, from their files and pickles; dependency group "zoo".

A model is served as its own library predicts, or refused with what to do. Workers load none of
these libraries, so a scikit-learn pipeline that ends with one is refused.
"""

import importlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modstream.models.errors import ModelError
from modstream.models.importers.import_file import import_file
from modstream.models.trial.comparison import largest_difference
from tests.zoo.engine import ask, row_requests
from tests.zoo.sklearn_models import ZooModel
from tests.zoo.sklearn_zoo import result_of

RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(RNG.normal(size=(300, 3)), columns=["age", "income", "rooms"])
TABLE.loc[::7, "income"] = np.nan
VALUE = 2 * TABLE["age"] + TABLE["rooms"]
TARGETS = {"binary": VALUE > 0, "multiclass": np.digitize(VALUE, [-1, 1]), "regression": VALUE}
ROWS = TABLE.astype(np.float32).astype(np.float64).replace({np.nan: None}).to_dict("records")[:40]
SIZES = {
    "xgboost": {"n_estimators": 20},
    "lightgbm": {"n_estimators": 20, "verbose": -1},
    "catboost": {"iterations": 20, "verbose": 0, "allow_writing_files": False},
}
KINDS = {
    "xgboost": ("XGBClassifier", "XGBRegressor"),
    "lightgbm": ("LGBMClassifier", "LGBMRegressor"),
    "catboost": ("CatBoostClassifier", "CatBoostRegressor"),
}
FORMS = [
    *(("xgboost", suffix) for suffix in (".json", ".ubj", ".model", ".pkl")),
    *(("lightgbm", suffix) for suffix in (".txt", ".model", ".pkl")),
    *(("catboost", suffix) for suffix in (".cbm", ".json", ".pkl")),
]
pytestmark = [pytest.mark.boosting, pytest.mark.filterwarnings("ignore")]


def make(library: str, task: str, **parameters: Any) -> Any:
    """Return a model that is not fitted."""
    kind = KINDS[library][task == "regression"]
    return getattr(importlib.import_module(library), kind)(**SIZES[library], **parameters)


def save(model: Any, library: str, path: Path) -> Path:
    """Save a model as its library does, or as a pickle."""
    if path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(model))
    elif library == "lightgbm":
        model.booster_.save_model(path)
    elif library == "catboost" and path.suffix == ".json":
        model.save_model(str(path), format="json")
    else:
        model.save_model(str(path))
    return path


def library_answers(model: Any, task: str) -> list[dict[str, Any]]:
    """Return the library's own answers to the rows."""
    table = TABLE[:40].astype(np.float32)
    if task == "regression":
        return [{"value": float(one)} for one in model.predict(table)]
    shares = model.predict_proba(table)
    if task == "binary":
        return [{"probability": float(row[1])} for row in shares]
    return [
        {
            "label": int(row.argmax()),
            "probabilities": dict(zip("012", map(float, row), strict=True)),
        }
        for row in shares
    ]


@pytest.mark.parametrize("task", TARGETS)
@pytest.mark.parametrize(("library", "suffix"), FORMS)
def test_a_file_is_served_as_its_library_predicts(library, suffix, task, tmp_path):
    model = make(library, task).fit(
        TABLE, TARGETS[task].astype(float if task == "regression" else int)
    )
    path = save(model, library, tmp_path / f"model{suffix}")

    imported = import_file("m", path, trust_pickle=True)

    responses = ask(imported, row_requests(ROWS))
    found = [response.outputs for response in responses]
    assert largest_difference(library_answers(model, task), found) < 1e-5
    assert imported.spec.input_schema.names == ("age", "income", "rooms")
    assert set(imported.spec.libraries) == {"onnx", library}


@pytest.mark.parametrize("library", ["lightgbm", "catboost"])
def test_a_pickle_knows_the_names_of_its_classes(library, tmp_path):
    names = np.array(["low", "mid", "high"])[TARGETS["multiclass"]]
    model = make(library, "multiclass").fit(TABLE, names)

    spec, *_ = import_file("m", save(model, library, tmp_path / "m.pkl"), trust_pickle=True)

    assert spec.classes == ("high", "low", "mid")


WITH_CATEGORIES = TABLE.assign(city=pd.Categorical(np.where(VALUE > 0, "a", "b")))


@pytest.mark.parametrize(
    ("library", "parameters", "sentence"),
    [
        ("xgboost", {"enable_categorical": True}, "encode them as numbers before the training"),
        ("lightgbm", {}, "encode them as numbers before the training"),
        ("catboost", {"cat_features": ["city"]}, "encode them as numbers before the training"),
        ("xgboost", {"booster": "dart"}, "train it with booster='gbtree'"),
        ("xgboost", {"objective": "reg:logistic"}, "train it with the library's default"),
        ("lightgbm", {"linear_tree": True}, "train it with the library's default"),
        ("catboost", {"loss_function": "Poisson"}, "train it with the library's default"),
    ],
)
def test_a_model_without_a_faithful_export_is_refused_with_what_to_do(
    library, parameters, sentence, tmp_path
):
    table = WITH_CATEGORIES if "encode" in sentence else TABLE
    table = table.astype({"city": str}) if library == "catboost" and table is not TABLE else table
    model = make(library, "regression", **parameters).fit(table, TARGETS["binary"].astype(float))

    with pytest.raises(ModelError, match=sentence):
        import_file("m", save(model, library, tmp_path / "m.pkl"), trust_pickle=True)


@pytest.mark.parametrize(("library", "suffix"), [one for one in FORMS if one[1] != ".pkl"])
def test_a_part_of_a_file_is_refused_with_what_to_do(library, suffix, tmp_path):
    model = make(library, "regression").fit(TABLE, VALUE)
    path = save(model, library, tmp_path / f"model{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(ModelError, match=r"copy it again|is no model file that can be published"):
        import_file("m", path, trust_pickle=False)


def test_a_dump_of_lightgbm_is_refused_with_what_to_do(tmp_path):
    model = make("lightgbm", "regression").fit(TABLE, VALUE)
    path = tmp_path / "dump.json"
    path.write_text(json.dumps(model.booster_.dump_model()))

    with pytest.raises(ModelError, match=r"save the model with save_model\('m\.txt'\)"):
        import_file("m", path, trust_pickle=False)


def fit_pipeline(library: str, task: str) -> Callable[[], Any]:
    return lambda: make_pipeline(StandardScaler(), make(library, task)).fit(
        TABLE.fillna(0.0).to_numpy(), TARGETS["binary"].astype(int)
    )


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize("library", KINDS)
def test_a_pipeline_with_another_librarys_model_is_refused_with_what_to_do(library, task):
    rows = [dict(zip(["x0", "x1", "x2"], row.values(), strict=True)) for row in ROWS[1:6]]

    result = result_of(ZooModel(library, fit_pipeline(library, task), rows, is_predictor=True))

    assert result.outcome == "refused"
    assert "trees need no scaler" in result.sentence

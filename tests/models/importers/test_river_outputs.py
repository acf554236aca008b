"""What a River model's outputs mean is read from it, or described, and never guessed."""

import numpy as np
import pytest
from river import (
    anomaly,
    cluster,
    compose,
    ensemble,
    feature_extraction,
    imblearn,
    linear_model,
    multiclass,
    multioutput,
    naive_bayes,
    neighbors,
    preprocessing,
    reco,
    stats,
    tree,
)

from modstream.models.errors import ModelError, NotConvertible, OptionNotSupported
from modstream.models.importers.description import ModelDescription
from modstream.models.importers.river import import_river
from modstream.models.runtimes.river.artifact import UnpackedModel
from modstream.models.schema.input_schema import Feature
from modstream.processors.predict.engine import Rejection
from tests.zoo.engine import ask, load_imported, row_requests

X = (Feature(name="x", kind="float"),)
TEXT = (Feature(name="text", kind="string"),)
ROWS = [{"x": -2.0}, {"x": 2.0}]


def publish(model, features=X, **description):
    return import_river(
        "m", UnpackedModel(model, None), ModelDescription(features=features, **description)
    )


def trained(model, *labels, times=20):
    for at in range(times * len(labels)):
        index = at % len(labels)
        model.learn_one({"x": 4.0 * index - 2.0 + at % 3 / 10}, labels[index])
    return model


def answers(imported, rows=ROWS):
    return [response.outputs for response in ask(imported, row_requests(rows))]


NAMES = [(False, True), (0, 1), (1, 2), (-1, 1), ("no", "yes"), (0.5, 2.5), ("True", "False")]


@pytest.mark.parametrize("classes", NAMES, ids=str)
def test_a_model_of_false_and_true_has_the_second_class_as_true(classes):
    model = trained(linear_model.LogisticRegression(), False, True)

    imported = publish(model, classes=classes)

    assert (imported.spec.task, imported.spec.classes) == ("binary", classes)
    expected = [{"probability": model.predict_proba_one(row)[True]} for row in ROWS]
    assert answers(imported) == expected
    assert expected[0]["probability"] < 0.5 < expected[1]["probability"]


@pytest.mark.parametrize("classes", [(True, False), (1, 0)])
def test_booleans_in_the_other_order_keep_their_meaning(classes):
    model = trained(linear_model.LogisticRegression(), False, True)

    assert answers(publish(model, classes=classes)) == [
        {"probability": model.predict_proba_one(row)[False]} for row in ROWS
    ]


@pytest.mark.parametrize("classes", NAMES, ids=str)
@pytest.mark.parametrize("make", [linear_model.LogisticRegression, naive_bayes.GaussianNB])
def test_labels_are_learned_as_the_class_that_they_name(make, classes):
    loaded = load_imported(publish(make(), classes=classes))
    table = [{"x": row["x"] + noise / 10} for noise in range(20) for row in ROWS]
    batch = loaded.card.input_schema.parse_rows(table).batch

    loaded.runtime.learn(batch, list(classes) * 20)

    low, high = (one["probability"] for one in answers(loaded))
    assert low < 0.5 < high


@pytest.mark.parametrize(
    "labels",
    [
        *[(1, 2), (-1, 1), ("no", "yes"), (1.5, 2.5), ("a", "b", "c"), (1, 2, 3)],
        (np.int64(1), np.int64(2)),
        (np.str_("a"), np.str_("b"), np.str_("c")),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "make", [naive_bayes.GaussianNB, tree.HoeffdingTreeClassifier, neighbors.KNNClassifier]
)
def test_the_classes_of_a_trained_model_are_read(make, labels):
    imported = publish(trained(make(), *labels))

    assert imported.spec.classes == labels
    assert {type(one) for one in imported.spec.classes} <= {int, float, str}
    assert imported.spec.task == ("binary" if len(labels) == 2 else "multiclass")


@pytest.mark.parametrize("make", [naive_bayes.GaussianNB, tree.HoeffdingTreeClassifier])
def test_a_model_that_learns_any_labels_must_be_told_them_before_it_has_learned_two(make):
    with pytest.raises(NotConvertible, match="has learned no class yet, so its classes are unkn"):
        publish(make())
    with pytest.raises(NotConvertible, match=r"has learned only the class 'a'.* with --class"):
        publish(trained(make(), "a"))

    assert publish(trained(make(), True)).spec.classes == (False, True)


@pytest.mark.parametrize(
    ("model", "classes", "reason"),
    [
        (
            *(trained(naive_bayes.GaussianNB(), False, True), ("no", "yes")),
            "GaussianNB has learned the class False, which is not among 'no', 'yes'",
        ),
        (
            *(trained(naive_bayes.GaussianNB(), 1, 2), ("1", "2")),
            "GaussianNB has learned the class 1, which is not among '1', '2'",
        ),
        (
            *(trained(naive_bayes.GaussianNB(), "a", "b", "c"), ("a", "b")),
            "has learned the class 'c', which is not among 'a', 'b'",
        ),
        (
            *(trained(multiclass.OneVsOneClassifier(linear_model.Perceptron()), 1, 2), (3, 4)),
            "OneVsOneClassifier has learned the class 1, which is not among 3, 4",
        ),
        (
            *(linear_model.LogisticRegression(), ("a", "b", "c")),
            "LogisticRegression knows only the labels False and True, but there are 3 classes",
        ),
        (naive_bayes.GaussianNB(), ("a", "a"), "'a', 'a' are not two or more different classes"),
        (naive_bayes.GaussianNB(), (1, 1.0), "1, 1.0 are not two or more different classes"),
        (naive_bayes.GaussianNB(), ("a",), "'a' are not two or more different classes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_classes_that_contradict_the_model_are_refused(model, classes, reason):
    with pytest.raises(OptionNotSupported, match=f"--class cannot be honoured: .*{reason}"):
        publish(model, classes=classes)


def test_classes_beyond_those_that_a_model_knows_can_be_described():
    model = trained(naive_bayes.GaussianNB(), "a", "b")

    imported = publish(model, classes=("c", "b", "a"))

    (first, _) = answers(imported)
    assert first["label"] == "a"
    assert list(first["probabilities"]) == ["c", "b", "a"]
    assert first["probabilities"]["c"] == 0.0


def test_an_ensemble_that_does_not_say_it_is_like_its_members():
    models = [naive_bayes.GaussianNB(), tree.HoeffdingTreeClassifier()]
    voting = trained(ensemble.VotingClassifier(models), "a", "b", "c")

    imported = publish(voting)

    assert (imported.spec.task, imported.spec.scores) == ("multiclass", "none")
    assert answers(imported) == [{"label": voting.predict_one(row)} for row in ROWS]


def test_a_classifier_without_probabilities_answers_labels():
    model = trained(multiclass.OneVsOneClassifier(linear_model.LogisticRegression()), "a", "b", "c")

    imported = publish(model)

    assert (imported.spec.task, imported.spec.classes) == ("multiclass", ("a", "b", "c"))
    assert answers(imported) == [{"label": model.predict_one(row)} for row in ROWS]


def test_only_labels_can_be_asked_for():
    model = trained(linear_model.LogisticRegression(), False, True)

    assert answers(publish(model, scores="none", classes=("no", "yes"))) == [
        {"label": "no"},
        {"label": "yes"},
    ]
    with pytest.raises(OptionNotSupported, match=r"--scores .* predicts probabilities"):
        publish(model, scores="margin")


@pytest.mark.parametrize(
    ("model", "task"),
    [
        (linear_model.LinearRegression(), "binary"),
        (linear_model.LogisticRegression(), "regression"),
        (cluster.KMeans(seed=1), "anomaly"),
        (anomaly.HalfSpaceTrees(seed=1), "clustering"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_another_task_than_the_models_own_is_refused(model, task):
    with pytest.raises(OptionNotSupported, match="--task cannot be honoured"):
        publish(model, task=task)


def test_the_task_of_the_model_itself_may_be_described():
    assert publish(linear_model.LinearRegression(), task="regression").spec.task == "regression"
    two = publish(linear_model.LogisticRegression(), task="multiclass", classes=("no", "yes"))
    assert answers(two)[0] == {"label": "no", "probabilities": {"no": 0.5, "yes": 0.5}}


def test_a_pipeline_that_begins_with_a_text_gets_the_only_feature():
    model = feature_extraction.BagOfWords() | naive_bayes.MultinomialNB()
    for text, label in [("good fine", "up"), ("bad awful", "down")] * 5:
        model.learn_one(text, label)
    rows = [{"text": "a fine day"}, {"text": "an awful day"}]

    imported = publish(model, TEXT)

    assert answers(imported, rows) == [
        {"probability": model.predict_proba_one(row["text"])["up"]} for row in rows
    ]
    with pytest.raises(OptionNotSupported, match="takes a text: describe one feature"):
        publish(model, X)


def test_a_text_feature_by_name_is_served():
    model = feature_extraction.TFIDF(on="text") | linear_model.LogisticRegression()
    for text, label in [("good fine", True), ("bad awful", False)] * 5:
        model.learn_one({"text": text}, label)
    row = {"text": "a fine day"}

    (answer,) = answers(publish(model, TEXT), [row])

    assert answer == {"probability": model.predict_proba_one(row)[True]}


def test_a_missing_value_reaches_an_imputer_as_none():
    features = (Feature(name="x", kind="float", missing=True),)
    model = preprocessing.StatImputer(("x", stats.Mean())) | linear_model.LinearRegression()
    for value in (1.0, None, 3.0, 5.0):
        model.learn_one({"x": value}, 2.0)
    loaded = load_imported(publish(model, features))
    expected = {"value": model.predict_one({"x": None})}

    for missing in ({"x": None}, {"x": float("nan")}, {}):
        assert answers(loaded, [missing]) == [expected]

    batch = loaded.card.input_schema.parse_rows([{}]).batch
    loaded.runtime.learn(batch, [4.0])
    model.learn_one({"x": None}, 4.0)
    assert answers(loaded, [{}]) == [{"value": model.predict_one({"x": None})}]


def test_several_outputs_are_served_by_name_and_do_not_learn():
    model = multioutput.PerOutputRegressor(linear_model.LinearRegression())
    for row in ROWS * 10:
        model.learn_one(row, {"p": row["x"], 2: -row["x"]})

    loaded = load_imported(publish(model))

    assert [one.name for one in loaded.card.targets] == ["p", "2"]
    assert not hasattr(loaded.runtime, "learn")
    first = model.predict_one(ROWS[0])
    assert answers(loaded)[0] == {"values": {"p": first["p"], "2": first[2]}}


REFUSED = {
    "a recommender": (reco.BiasedMF(), "rates pairs of users and items"),
    "a score of labels": (anomaly.GaussianScorer(), "scores a row together with its label"),
    "clusters of features": (cluster.ODAC(), "assigns no row to a cluster"),
    "an index of neighbours": (neighbors.LazySearch(), "it predicts nothing"),
    "no steps": (compose.Pipeline(), "the pipeline has no steps"),
    "untrained outputs": (
        multioutput.PerOutputRegressor(linear_model.LinearRegression()),
        "has learned nothing, and a model of several outputs cannot learn from a stream",
    ),
    "a function": (compose.FuncTransformer(len) | linear_model.LinearRegression(), "FuncTransform"),
    "no number": (linear_model.LinearRegression(intercept_init=float("nan")), "no finite predict"),
}


@pytest.mark.parametrize(("model", "reason"), REFUSED.values(), ids=REFUSED)
def test_models_that_cannot_be_served_are_refused_with_the_reason(model, reason):
    with pytest.raises(ModelError, match=reason):
        publish(model)


def test_a_model_that_cannot_learn_one_of_its_classes_is_refused():
    balanced = imblearn.RandomUnderSampler(naive_bayes.GaussianNB(), {"a": 0.5, "b": 0.5}, seed=1)

    assert publish(balanced, classes=("a", "b")).spec.classes == ("a", "b")
    with pytest.raises(NotConvertible, match="with the label 'c', the river runtime could not le"):
        publish(balanced, classes=("a", "c"))


def test_a_model_without_a_prediction_yet_is_published_and_answers_no_output():
    model = multiclass.OneVsOneClassifier(linear_model.LogisticRegression())
    loaded = load_imported(publish(model, classes=("a", "b")))
    batch = loaded.card.input_schema.parse_rows(ROWS).batch

    (first, _) = ask(loaded, row_requests(ROWS))
    loaded.runtime.learn(batch, ["a", "b"])

    assert isinstance(first, Rejection)
    assert first.reason.code == "no_output"
    assert answers(loaded) == [{"label": "a"}, {"label": "b"}]

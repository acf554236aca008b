"""Experiments as trainings record them: accepted, rejected with costs of errors, and failed."""

from modstream.experiments.experiment import (
    ConfusionRecord,
    DataRecord,
    Experiment,
    SliceRecord,
    TrialSummary,
)

DECISION = {
    "threshold": 0.21,
    "cost_per_row": 0.341,
    "cost_at_half": 0.402,
    "false_positives": 61.0,
}


def sample_experiments(text=""):
    """Return three experiments, the newest first; `text` stands where a user chooses the text."""
    return (
        experiment("cccc3333", state="failed", reason=f"there are 12 labelled rows {text}"),
        experiment(
            "bbbb2222", auc=0.7021, kind="logistic", state="rejected", costs=True, text=text
        ),
        experiment("aaaa1111", auc=0.7689, version=12, text=text),
    )


def long_experiments():
    return tuple(experiment(f"{number:08x}", auc=0.5 + number / 3e4) for number in range(10_000))


def experiment(name, *, auc=None, kind="boosting", state="accepted", costs=False, **others):
    text = others.get("text", "")
    chosen = None if auc is None else trial(kind, auc)
    hour = int(name[0], 16)
    data = DataRecord(
        source=f"flights-train@3{text}", sha256="d4" * 32, rows=77_911,
        features=("carrier", "origin", f"distance{text}"), test_rows=249_435,
        test_sha256="e5" * 32 if auc else "",
    )  # fmt: skip
    half = ConfusionRecord(
        classes=("False", f"True{text}"), counts=((90, 10), (20, 30)), threshold=0.5
    )
    cheap = half.model_copy(update={"counts": ((70, 30), (5, 45)), "threshold": 0.21})
    slices = (
        SliceRecord(name=f"carrier: FL{text}", rows=812, loss=0.47, rest_loss=0.31, p_value=1e-9),
        SliceRecord(name="origin: JFK, hour: 21 to 23", rows=344, loss=0.44, rest_loss=0.31),
    )
    return Experiment(
        id=name,
        time=f"2026-01-02T{hour:02}:00:00+00:00",
        model=f"online{text}",
        task="binary",
        state=state,
        reason=others.get("reason", f"auc is 0.7021{text}" if state == "rejected" else ""),
        code="0.1.0+3f2a91c0aa11" if costs else "0.1.0+7be2",
        settings={"trials": 60, "folds": 4, "budget_seconds": 60.0 + 60 * costs, "metric": "auc"},
        data=data,
        metric="auc",
        chosen=chosen,
        trials=() if chosen is None else (chosen, trial("forest", auc - 0.02)) * 3,
        metrics={} if auc is None else {"accuracy": 0.81, "auc": auc, "log_loss": 0.465},
        decision=DECISION if costs else None,
        spent={"cpu": 65.2, "wall": 131.0},
        libraries={"scikit-learn": "1.9.0"},
        version=others.get("version"),
        artifact_sha256="ab" * 32 if auc else "",
        slices=slices if auc else (),
        confusions=() if auc is None else (half, cheap) if costs else (half,),
    )


def trial(kind, mean):
    hyperparameters = (
        {"max_iter": 160, "learning_rate": 0.0612} if kind == "boosting" else {"C": 1.0}
    )
    scores = (mean - 0.03, mean - 0.01, mean + 0.01, mean + 0.03)
    return TrialSummary(
        kind=kind, hyperparameters=hyperparameters, mean=mean, deviation=0.0224, folds=4, stride=1,
        cpu_seconds=3.1, scores=scores,
    )  # fmt: skip

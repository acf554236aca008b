"""What `modstream train` prints of a training."""

from dataclasses import asdict

from modstream.cli.output import print_json, print_rows, stderr, stdout
from modstream.models.training.costs import DecisionThreshold
from modstream.retrain.recorded_training import RecordedTraining


def print_result(result: RecordedTraining, alias: str, *, as_json: bool) -> None:
    """Print the metrics of challenger and champion, and what became of the challenger."""
    trained = result.training
    version = None if result.card is None else result.card.version
    if as_json:
        print_json(
            {
                "accepted": trained.is_accepted,
                "version": version,
                "kind": trained.chosen.kind,
                "metric": trained.metric,
                "challenger": trained.metrics,
                "champion": trained.champion_on_overlap,
                "gain": trained.gain,
                "rejection_reasons": trained.rejection_reasons,
                "decision": None if trained.decision is None else asdict(trained.decision),
                "searched": trained.searched._asdict(),
                "spent": trained.spent._asdict(),
                "experiment": result.experiment.id,
                "report": result.report,
            }
        )
        return
    rows = [
        {"metric": name, "challenger": value, "champion": trained.champion_on_overlap.get(name)}
        for name, value in trained.metrics.items()
    ]
    print_rows(rows, as_json=False, empty="")
    if trained.decision is not None:
        print_decision(trained.decision)
    for rejection in trained.rejection_reasons:
        stdout.print(f"rejected: {rejection}")
    if version is not None:
        stdout.print(f"published {trained.spec.name} version {version} as {alias}")
    stderr.print(
        f"{trained.chosen.name}; {trained.spent.cpu:.0f} s of processor time,"
        f" {trained.spent.wall:.0f} s in all; experiment {result.experiment.id}",
        highlight=False,
    )
    stderr.print(f"report: {result.report}", soft_wrap=True)


def print_joined(trials: int, *, as_json: bool) -> None:
    """Print how many trials of a shared search this process has taken."""
    if as_json:
        print_json({"trials": trials})
        return
    stdout.print(f"took {trials} trials of the search", highlight=False)


def print_decision(decision: DecisionThreshold) -> None:
    """Print the threshold by the costs of errors, and what it saves."""
    stdout.print(
        f"decide from {decision.threshold:.4f} on: {decision.cost_per_row:.4f} a row, instead of"
        f" {decision.cost_at_half:.4f} from 0.5 on",
        highlight=False,
    )

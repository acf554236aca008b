"""`modstream calibrator`: runs the calibrator service until Ctrl-C or SIGTERM."""

from modstream import logs
from modstream.cli.options import StreamArgument
from modstream.cli.service import follow_stack, wait_until_ready
from modstream.process.signals import stop_signals
from modstream.process.slots import claim_stream
from modstream.rights.rights import Role
from modstream.services.calibrator import run_calibrator
from modstream.settings import Settings, load_settings
from modstream.telemetry.open import open_metrics


def calibrator(stream: StreamArgument = None) -> None:
    """Learn the thresholds of conformal sets from feedback, until Ctrl-C or SIGTERM.

    The setting `conformal.coverage` names the models whose answers have sets or intervals.
    """

    def load() -> Settings:
        return load_settings(stream=stream)

    logs.configure(load())
    with claim_stream(load(), "calibrator"):
        if (settings := wait_until_ready(load, Role.CALIBRATOR)) is None:
            return
        with (
            follow_stack(settings, load),
            stop_signals() as stop,
            open_metrics(settings, "calibrator") as metrics,
        ):
            run_calibrator(settings, stop, metrics)

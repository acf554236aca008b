"""`modstream models seed`, which needs the libraries of the demo's models."""

from modstream.cli.names import open_models
from modstream.cli.output import open_progress, stderr
from modstream.cli.servers import require_kafka
from modstream.demo.seed import seed as seed_models
from modstream.producers.replay.flights import load_flights
from modstream.settings import load_settings


def seed() -> None:
    """Create the stream's topics; train and publish the demo's two models if they are missing."""
    settings = load_settings()
    require_kafka(settings)
    with open_models(settings) as registry, open_progress() as progress:
        task = progress.add_task("starting", total=1.0)
        published = seed_models(
            settings,
            registry,
            load_flights,
            lambda activity, share: progress.update(task, description=activity, completed=share),
        )
    stderr.print(
        f"published {' and '.join(published)}" if published else "topics and models exist already"
    )

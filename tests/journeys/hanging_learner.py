"""The learner's command with a model that never ends learning one row."""

from threading import Event

from modstream.cli import main
from modstream.models.runtimes.river.runtime import RiverRuntime

ENDLESS = 0.625
"""The value of the feature x that the model never ends learning."""


learn = RiverRuntime.learn


def learn_or_hang(runtime, batch, labels):
    """Learn, except from the row that hangs."""
    if ENDLESS in batch.columns["x"].tolist():
        Event().wait()
    learn(runtime, batch, labels)


if __name__ == "__main__":
    RiverRuntime.learn = learn_or_hang
    main()

"""The joiner's errors; each ends its process, which a supervisor starts again.

JoinerError
├── PartitionsDiffer       topics that are joined have different numbers of partitions
├── JoinerStalled          records wait, yet nothing has been committed for too long
└── SettingUnsupported     a client setting that the joiner's Kafka client does not know
"""

from collections.abc import Mapping


class JoinerError(Exception):
    """Why the joiner cannot go on."""


class PartitionsDiffer(JoinerError):
    """Topics are joined partition by partition, so each must have the same number of them."""

    def __init__(self, partitions: Mapping[str, int | None], expected: int) -> None:
        found = ", ".join(f"{topic} has {count or 'none'}" for topic, count in partitions.items())
        super().__init__(f"the join needs {expected} partitions in every topic: {found}")


class JoinerStalled(JoinerError):
    """The process is alive and does nothing."""

    def __init__(self, lag: int | None, seconds: float) -> None:
        waiting = "Kafka does not answer" if lag is None else f"{lag} offsets wait"
        super().__init__(f"{waiting} and nothing was committed for {seconds:g} s")


class SettingUnsupported(JoinerError):
    """A librdkafka setting that has no counterpart in aiokafka; its value may be a secret."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the joiner's Kafka client cannot follow the setting {name}")

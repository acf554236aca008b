"""Partitions that the client could not place, and where they go on."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from time import monotonic

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from modstream.broker.client.conversions import goes_on
from modstream.broker.wire.records import Offsets, TopicPartition

PATIENCE = 0.3
"""Seconds to wait for an answer; whoever polls has other partitions, too."""
PAUSE = 0.25
"""Seconds until the next question."""
LOOK_EVERY = 3.0
"""Seconds between two looks for partitions that give nothing."""
UNSETTLED = frozenset(
    {
        KafkaError._TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError._WAIT_COORD,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
    }
)
"""Answers that say nothing yet."""


class Astray:
    """A consumer's partitions without a place: it asks where they go on, and lets them begin there.

    The client begins nowhere by itself (`auto.offset.reset` is `error`). Where an open transaction
    holds a partition's offset back and a rebalance falls into the asking, librdkafka takes "not
    stable yet" for "never committed": with `earliest` a whole partition was answered once more
    (docs/adr/0013). So whoever is said to have no offset is asked about again, until that is sure:
    "none" must be said twice, and what was deleted must lie outside of what is there. The report
    itself can be lost on its way (whatever pauses or assigns partitions drops what is in their
    queues), so that those that give nothing are asked about as well, and begun if they wait.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._homes: set[TopicPartition] = set()
        self._sent: dict[TopicPartition, int] = {}
        self._without: set[TopicPartition] = set()
        self._looks: dict[TopicPartition, int] = {}
        self._enough: dict[TopicPartition, int] = {}
        self._look_at = 0.0
        self._due = 0.0
        self._log = structlog.get_logger(__name__)

    def add(self, home: TopicPartition) -> None:
        """The client does not know where this partition goes on."""
        self._homes.add(home)
        self._due = 0.0

    def discard(self, home: TopicPartition) -> None:
        """This partition is somebody else's from now on."""
        self._homes.discard(home)
        self._sent.pop(home, None)
        self._without.discard(home)
        self._looks.pop(home, None)
        self._enough.pop(home, None)

    def place(self, silent: AbstractSet[TopicPartition] = frozenset()) -> None:
        """Begin what can be placed: at what is committed, or its first record where nothing is.

        Args:
            silent: who has given no record yet, although there was nothing else to take.

        Raises:
            KafkaException: the client gave up.
        """
        suspects = self._suspects(silent)
        if not (self._homes or suspects) or monotonic() < self._due:
            return
        try:
            for home, offset in self._found(suspects).items():
                # The client has given up on the partition, and seeks none that it does not fetch.
                self._consumer.incremental_unassign([KafkaPartition(*home)])
                self._consumer.incremental_assign([KafkaPartition(*home, offset)])
                self._homes.discard(home)
                self._looks.pop(home, None)
                self._enough[home] = 2 * self._enough.get(home, 2)
                self._log.info("partition placed", partition=home.partition, offset=offset)
        except KafkaException as error:
            if error.args[0].code() not in UNSETTLED:
                raise
        self._due = monotonic() + PAUSE

    def strays(self, fresh: Offsets) -> AbstractSet[TopicPartition]:
        """Whose first records lie before what their group has committed, or may do so.

        Args:
            fresh: the first offset that was read of each partition since it was assigned.

        Returns:
            Partitions whose records must not be answered: each of them begins again, where the
            group has come to, or at the same record while that is not known.

        Raises:
            KafkaException: the client gave up.
        """
        places = dict(fresh)
        try:
            asked = [KafkaPartition(*home) for home in fresh]
            for home, offset in settled(self._consumer.committed(asked, PATIENCE)).items():
                if offset <= fresh[home]:
                    del places[home]
                    continue
                places[home] = offset
                self._log.warning(
                    "read from before its place",
                    partition=home.partition,
                    offset=fresh[home],
                    committed=offset,
                )
        except KafkaException as error:
            if error.args[0].code() not in UNSETTLED:
                raise
        for home, offset in places.items():
            self._consumer.seek(KafkaPartition(*home, offset))
        return places.keys()

    def _suspects(self, silent: AbstractSet[TopicPartition]) -> AbstractSet[TopicPartition]:
        """Now and then: who has been silent for two looks; once begun, for four, then eight, ...

        To begin a partition anew ends a fetch that may be under way: it gets longer each time.
        """
        if monotonic() < self._look_at:
            return frozenset()
        self._look_at = monotonic() + LOOK_EVERY
        self._looks = {home: self._looks.get(home, 0) + 1 for home in silent}
        due = {home for home, looks in self._looks.items() if looks >= self._enough.get(home, 2)}
        return due - self._homes

    def _found(self, suspects: AbstractSet[TopicPartition]) -> dict[TopicPartition, int]:
        """Where partitions go on, as far as that is settled; suspects only if they wait."""
        asked = [KafkaPartition(*home) for home in self._homes | suspects]
        offsets = settled(self._consumer.committed(asked, PATIENCE))
        places = {home: self._place_of(home, offset) for home, offset in offsets.items()}
        return {
            home: place
            for home, place in places.items()
            if place is not None
            and (home in self._homes or goes_on(self._consumer, home, place, PATIENCE))
        }

    def _place_of(self, home: TopicPartition, committed: int) -> int | None:
        """The committed offset; the first record where there is none, or it leads nowhere.

        None while that is not sure: a group without an offset is asked about twice, and whoever is
        astray at a place to which he was sent may only have been reported twice.
        """
        if committed < 0:
            if home in self._without:
                return OFFSET_BEGINNING
            self._without.add(home)
            return None
        if home in self._without:
            self._without.discard(home)
            self._log.warning("a committed offset came late", partition=home.partition)
        if self._sent.get(home) == committed:
            if self._is_gone(home, committed):
                return OFFSET_BEGINNING
            self._log.warning("astray again", partition=home.partition, offset=committed)
        self._sent[home] = committed
        return committed

    def _is_gone(self, home: TopicPartition, offset: int) -> bool:
        """Whether the records at an offset have been deleted, or never were."""
        low, end = self._consumer.get_watermark_offsets(KafkaPartition(*home), PATIENCE)
        return not low <= offset <= end


def settled(answers: Iterable[KafkaPartition]) -> dict[TopicPartition, int]:
    """Committed offsets as far as they are told; negative where there is none."""
    return {
        TopicPartition(answer.topic, answer.partition): answer.offset
        for answer in answers
        if answer.error is None
    }

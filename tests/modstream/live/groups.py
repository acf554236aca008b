"""Consumer groups that have read topics up to some offset, as services would have."""

from time import monotonic

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader

TIMEOUT_SECONDS = 30.0


def commit_offsets(connection: Connection, group: str, topic: str, offset: int = 0) -> None:
    """Commit an offset for each partition of a topic, and wait until the group has it."""
    admin, deadline = Admin(connection), monotonic() + TIMEOUT_SECONDS
    with Reader(connection, [topic], group=group) as reader:
        wanted = dict.fromkeys(reader.partitions, offset)
        reader.commit(wanted)
        while admin.committed_offsets(group, [topic]) != wanted:
            reader.poll(0.05)
            assert monotonic() < deadline, "the offsets are committed"

"""Whether the login of a service has the rights of its role, asked before it begins.

A right that is missing shows late otherwise, and not always by its name: a consumer without the
right to its group waits, and one without the right to write dead letters works until the first.
"""

from collections.abc import Iterator, Mapping, Sequence

from modstream.broker.client.permissions import Operations, read_permissions
from modstream.broker.errors import RightMissing
from modstream.rights.rights import KafkaRight, Kind, Role, rights_of
from modstream.settings import Settings

DEEDS: Mapping[tuple[Kind, str], str] = {
    ("topic", "Read"): "read the topic {}",
    ("topic", "Write"): "write the topic {}",
    ("topic", "Describe"): "see the topic {}",
    ("topic", "DescribeConfigs"): "read the configuration of the topic {}",
    ("topic", "Create"): "create the topic {}",
    ("topic", "Delete"): "delete the topic {}",
    ("group", "Read"): "be a member of the consumer group {}",
    ("group", "Describe"): "see the consumer group {}",
}
"""What each operation permits, in words."""


def require_rights(settings: Settings, role: Role, timeout_seconds: float) -> None:
    """Check that the brokers permit what a role must do with topics and consumer groups.

    Topics that do not exist, and brokers that do not say, are passed over. Rights of transactional
    ids cannot be asked for; a producer without one fails when it starts.

    Raises:
        RightMissing: rights are missing; the message names all of them.
    """
    wanted = [right for right in rights_of(role, settings).kafka if not right.is_optional]
    topics = {right.name for right in wanted if right.kind == "topic" and not right.is_prefix}
    # A prefix is a name that begins with itself, so it stands for all groups that it covers.
    groups = {right.name for right in wanted if right.kind == "group"}
    found = read_permissions(settings.connection, topics, groups, timeout_seconds)
    missing = list(_missing(wanted, {"topic": found.topics, "group": found.groups}))
    if missing:
        raise RightMissing("to " + ", to ".join(missing))


def _missing(
    wanted: Sequence[KafkaRight], permitted: Mapping[Kind, Mapping[str, Operations]]
) -> Iterator[str]:
    for right in wanted:
        operations = permitted.get(right.kind, {}).get(right.name)
        if operations is None:
            continue
        for operation in right.operations:
            if operation not in operations:
                yield DEEDS[right.kind, operation].format(right.name)

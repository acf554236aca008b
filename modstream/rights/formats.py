"""Rights in the words of the tools that grant them."""

import json
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from shlex import join

from modstream.rights.rights import RedisRights, Rights

PASSWORD = "PASSWORD"  # noqa: S105 - stands for it
READ_COMMANDS = ("+@read", "+@connection", "+subscribe", "+unsubscribe")
WRITE_COMMANDS = (*READ_COMMANDS, "+@write", "+@transaction", "+publish")


def kafka_acls(rights: Rights, principal: str) -> str:
    """Return commands of `kafka-acls`, one for each resource, without the cluster's address."""
    return "".join(f"{line}\n" for line in _commands(rights, principal))


def strimzi(rights: Rights, principal: str) -> str:
    """Return a `KafkaUser` of Strimzi with SCRAM-SHA-512, in JSON, which is YAML, too."""
    rules = [
        {
            "resource": {
                "type": STRIMZI_KINDS[right.kind],
                "name": right.name,
                "patternType": "prefix" if right.is_prefix else "literal",
            },
            "operations": list(right.operations),
        }
        for right in rights.kafka
    ]
    user = {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaUser",
        "metadata": {"name": principal},
        "spec": {
            "authentication": {"type": "scram-sha-512"},
            "authorization": {"type": "simple", "acls": rules},
        },
    }
    return json.dumps(user, indent=2) + "\n"


def redis_user(rights: Rights, principal: str) -> str:
    """Return a line of Redis' file of users; empty for a role that does not use Redis.

    https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
    """
    if rights.redis is None:
        return ""
    return f"user {principal} on >{PASSWORD} {' '.join(redis_rules(rights.redis))}\n"


def redis_rules(rights: RedisRights) -> tuple[str, ...]:
    """Return the rules of a user: keys, channels and commands."""
    keys = f"~{rights.prefix}*" if rights.may_write else f"%R~{rights.prefix}*"
    commands = WRITE_COMMANDS if rights.may_write else READ_COMMANDS
    return (keys, f"&{rights.prefix}*", "-@all", *commands, "-@dangerous", "-@admin")


def _commands(rights: Rights, principal: str) -> Iterator[str]:
    for right in rights.kafka:
        operations = [part for one in right.operations for part in ("--operation", one)]
        pattern = ["--resource-pattern-type", "prefixed"] if right.is_prefix else []
        user = ("--add", "--allow-principal", f"User:{principal}")
        yield join(["kafka-acls", *user, *operations, f"--{right.kind}", right.name, *pattern])


STRIMZI_KINDS: Mapping[str, str] = {
    "topic": "topic",
    "group": "group",
    "transactional-id": "transactionalId",
}


class Format(StrEnum):
    """A tool that grants rights."""

    KAFKA_ACLS = "kafka-acls"
    STRIMZI = "strimzi"
    REDIS = "redis"


FORMATS: Mapping[Format, Callable[[Rights, str], str]] = {
    Format.KAFKA_ACLS: kafka_acls,
    Format.STRIMZI: strimzi,
    Format.REDIS: redis_user,
}
"""The function that writes each format."""

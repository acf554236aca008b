"""The users of Kafka and Redis, in the words of the files in which these servers read them."""

from collections.abc import Mapping
from hashlib import sha256

from modstream.rights.formats import redis_rules
from modstream.rights.rights import Role, rights_of
from modstream.settings import Settings

SERVICE_ROLES = (Role.WORKER, Role.JOINER, Role.LEARNER, Role.GATEWAY, Role.DASHBOARD)
"""The services that have a user with the rights of their role."""
OPERATOR = Role.OPERATOR
"""The user of the commands that an operator runs; in Kafka it may do everything."""
HEALTH_USER = "health"
"""The user of Redis' own health check, who may do nothing else."""
LISTENERS = ("INSIDE", "OUTSIDE")
"""The listeners of Kafka that other containers and the host reach."""
PLAIN_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"


def kafka_properties(passwords: Mapping[str, str]) -> str:
    """Return the part of Kafka's `server.properties` that names the users.

    Args:
        passwords: the password of each user; it must not contain quotation marks.
    """
    users = " ".join(f'user_{name}="{password}"' for name, password in passwords.items())
    lines = [
        f"listener.name.{listener.lower()}.plain.sasl.jaas.config={PLAIN_MODULE} required {users};"
        for listener in LISTENERS
    ]
    return "".join(f"{line}\n" for line in lines)


def redis_users(passwords: Mapping[str, str], settings: Settings) -> str:
    """Return the file of Redis' users: the roles that use Redis, and the health check.

    It has hashes instead of passwords. Redis' user `default`, who needs no password, is off.
    """
    lines = ["user default off"]
    for name, password in passwords.items():
        if name == HEALTH_USER:
            rules: tuple[str, ...] = ("-@all", "+ping")
        elif (rights := rights_of(Role(name), settings).redis) is None:
            continue
        else:
            rules = redis_rules(rights)
        digest = sha256(password.encode()).hexdigest()
        lines.append(f"user {name} on #{digest} {' '.join(rules)}")
    return "".join(f"{line}\n" for line in lines)

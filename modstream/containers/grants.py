"""Grants the users of the services their rights in Kafka: `python -m modstream.containers.grants`.

Another run changes nothing, unless the settings name another stream or prefix.
"""

from collections.abc import Iterable, Iterator

from modstream.broker.client.acls import Grant, grant
from modstream.containers.server_users import SERVICE_ROLES
from modstream.rights.rights import KafkaRight, rights_of
from modstream.settings import Settings, load_settings


def service_grants(settings: Settings) -> Iterator[Grant]:
    """Yield the rights of all services on the settings' stream; a user has its role's name."""
    for role in SERVICE_ROLES:
        yield from user_grants(role.value, rights_of(role, settings).kafka)


def user_grants(user: str, rights: Iterable[KafkaRight]) -> Iterator[Grant]:
    """Yield a grant for each operation of a user's rights."""
    for right in rights:
        for operation in right.operations:
            yield Grant(
                user=user,
                kind=right.kind,
                name=right.name,
                operation=operation,
                is_prefix=right.is_prefix,
            )


def main() -> None:
    """Grant all rights as the user of the settings."""
    settings = load_settings()
    grant(settings.connection, service_grants(settings))


if __name__ == "__main__":
    main()

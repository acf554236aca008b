"""Grants the users of the services their rights in Kafka: `python -m modstream.containers.grants`.

Another run changes nothing, unless the settings name another stream or prefix.
"""

from collections.abc import Iterator

from modstream.broker.client.acls import Grant, grant
from modstream.containers.server_users import SERVICE_ROLES
from modstream.rights.rights import rights_of
from modstream.settings import Settings, load_settings


def service_grants(settings: Settings) -> Iterator[Grant]:
    """Yield the rights of all services on the settings' stream; a user has its role's name."""
    for role in SERVICE_ROLES:
        for right in rights_of(role, settings).kafka:
            for operation in right.operations:
                yield Grant(
                    user=role.value,
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

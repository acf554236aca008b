"""`modstream asyncapi`: the AsyncAPI document of the topics, as this installation has them."""

import json
from typing import Annotated

import typer

from modstream import __version__
from modstream.broker.wire.asyncapi import BrokerAddress, document
from modstream.cli.output import stdout
from modstream.settings import Settings, load_settings


def asyncapi(
    stream: Annotated[
        list[str] | None,
        typer.Option(
            help="A stream; may be repeated. By default that of the settings.", show_default=False
        ),
    ] = None,
) -> None:
    """Print the AsyncAPI 3 document of topics, headers and messages, as JSON.

    It has the settings' prefix and brokers. Credentials are not part of it.
    """
    settings = load_settings()
    found = document(
        __version__, settings.prefix, stream or [settings.stream], broker_addresses(settings)
    )
    stdout.out(json.dumps(found, indent=2), highlight=False)


def broker_addresses(settings: Settings) -> list[BrokerAddress]:
    """Return the brokers of the settings."""
    protocol = settings.kafka.get("security.protocol", settings.kafka_security.protocol).lower()
    return [
        BrokerAddress(host.strip(), protocol.endswith("ssl"))
        for host in settings.bootstrap.split(",")
    ]

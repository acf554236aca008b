"""`modstream acls`: the rights of each role in Kafka and Redis, in the words of their tools."""

from typing import Annotated

import typer

from modstream.cli.options import JsonOption, StreamArgument
from modstream.cli.output import print_rows
from modstream.rights.formats import FORMATS, Format
from modstream.rights.rights import Role, rights_of
from modstream.settings import Settings, load_settings
from modstream.terminal import escape_controls


def acls(
    stream: StreamArgument = None,
    role: Annotated[
        Role | None,
        typer.Option(help="The role; by default a table of all.", show_default=False),
    ] = None,
    principal: Annotated[
        str | None,
        typer.Option(
            help="The user that gets the rights; by default STREAM-ROLE.", show_default=False
        ),
    ] = None,
    written: Annotated[
        Format, typer.Option("--format", help="What is printed for a role.")
    ] = Format.KAFKA_ACLS,
    as_json: JsonOption = False,
) -> None:
    """Print the rights that a role needs in Kafka and Redis, and no others.

    `kafka-acls` are commands, to which `--bootstrap-server` is added; `strimzi` is a KafkaUser for
    Kubernetes; `redis` is a line of Redis' file of users. No server is asked.
    """
    settings = load_settings(stream=stream)
    if role is None:
        rows = [row for one in Role for row in _rows(one, settings)]
        print_rows(rows, as_json=as_json, empty="")
        return
    rights = rights_of(role, settings)
    text = FORMATS[written](rights, principal or f"{settings.stream}-{role}")
    typer.echo(escape_controls(text) or f"# {role} does not use Redis", nl=not text)


def _rows(role: Role, settings: Settings) -> list[dict[str, object]]:
    rights = rights_of(role, settings)
    found: list[dict[str, object]] = [
        {
            "role": role.value,
            "kind": right.kind,
            "name": right.name + ("*" if right.is_prefix else ""),
            "operations": ", ".join(right.operations),
        }
        for right in rights.kafka
    ]
    if rights.redis is not None:
        operations = "read, write" if rights.redis.may_write else "read"
        name = f"{rights.redis.prefix}*"
        found.append({"role": role.value, "kind": "redis", "name": name, "operations": operations})
    return found

"""`modstream keys`: create, list and revoke the API keys of the gateway."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import time
from typing import Annotated

import typer

from modstream.cli.options import JsonOption
from modstream.cli.output import print_json, print_rows, stderr, stdout
from modstream.cli.servers import require_redis
from modstream.cli.time_options import format_time, parse_duration
from modstream.errors import UnknownName
from modstream.producers.gateway.security.api_key import NAME, ApiKey, create_key
from modstream.producers.gateway.security.errors import InvalidScope
from modstream.producers.gateway.security.scopes import Scope
from modstream.registry.api_keys import KeyStore, open_key_store
from modstream.settings import Settings, load_settings

NO_KEY_LEFT = (
    "it was the last one: a gateway on a loopback address that starts from now on serves everybody"
    " on its machine, unless MODSTREAM_GATEWAY__REQUIRE_KEY=true"
)


def check_name(name: str) -> str:
    """Return the name of a key as it is.

    Raises:
        typer.BadParameter: no key can have this name.
    """
    if not NAME.fullmatch(name):
        rule = "use at most 100 letters, digits and . _ -"
        raise typer.BadParameter(f"{name[:100]!r} cannot be the name of a key: {rule}")
    return name


def check_scopes(texts: list[str]) -> list[str]:
    """Return scopes as they are.

    Raises:
        typer.BadParameter: one of them is not VERB:STREAM.
    """
    try:
        for text in texts:
            Scope.parse(text)
    except InvalidScope as error:
        raise typer.BadParameter(str(error)) from None
    return texts


NameArgument = Annotated[
    str,
    typer.Argument(help="The key's name.", show_default=False, callback=check_name),
]


def create(
    name: NameArgument,
    scope: Annotated[
        list[str],
        typer.Option(
            help="What the key permits: VERB:STREAM with predict, label, read or manage, and * for"
            " all streams; may be repeated.",
            show_default=False,
            callback=check_scopes,
        ),
    ],
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=1e9,
            help="Limit in requests per second; by default none.",
            show_default=False,
        ),
    ] = None,
    expires: Annotated[
        int | None,
        typer.Option(
            parser=parse_duration,
            metavar="DURATION",
            help="When the key ends: 30d, 12h or 90m from now; by default never.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Create an API key and print it, once: only its hash is stored.

    Running gateways know it within seconds.
    """
    now = round(time() * 1000)
    end = None if expires is None else now + expires
    new = create_key(name, tuple(dict.fromkeys(scope)), rate, end, now)
    with open_keys(load_settings()) as (store, place):
        store.add(new.record)
    if as_json:
        print_json({"key": new.secret, **describe(new.record)})
        return
    stdout.out(new.secret, highlight=False)
    stderr.print(
        f"this is the key {name}; it is shown only now, and {place} has its hash",
        markup=False,
        highlight=False,
    )


def list_(as_json: JsonOption = False) -> None:
    """List the API keys with what they permit; the keys themselves are not stored."""
    with open_keys(load_settings()) as (store, _):
        keys = store.read()
    rows = [describe(key) if as_json else as_cells(key) for key in keys]
    empty = "no API keys yet; create one: modstream keys create NAME --scope predict:STREAM"
    print_rows(rows, as_json=as_json, empty=empty)


def revoke(name: NameArgument) -> None:
    """Revoke an API key; running gateways refuse it within seconds."""
    settings = load_settings()
    with open_keys(settings) as (store, _):
        is_removed, left = store.remove(name), [key.name for key in store.read()]
    if not is_removed:
        raise UnknownName("API key", name, left)
    stderr.print(f"the key {name} is revoked", markup=False, highlight=False)
    if not left and settings.gateway.api_keys is None:
        stderr.print(NO_KEY_LEFT, markup=False, highlight=False)


@contextmanager
def open_keys(settings: Settings) -> Iterator[tuple[KeyStore, str]]:
    """Open the store of the keys for a command, and yield it with a word for it.

    Raises:
        RedisUnreachable: Redis has the keys, and does not answer within `connect_timeout`.
        KeysUnreadable: the keys cannot be read or written.
    """
    if settings.gateway.api_keys is None:
        require_redis(settings)
    with open_key_store(settings) as store:
        yield store, str(settings.gateway.api_keys or "Redis")


def describe(key: ApiKey) -> dict[str, object]:
    """Return a key as a JSON document, without its hash; times are in ms since the epoch."""
    return key.model_dump(mode="json", exclude={"sha256"})


def as_cells(key: ApiKey) -> dict[str, object]:
    """Return a key as the row of a table."""
    has_ended = key.expires is not None and key.expires <= time() * 1000
    ends = "never" if key.expires is None else format_time(key.expires)
    return {
        "key": key.name,
        "permits": ", ".join(key.scopes),
        "rate": key.rate,
        "created": format_time(key.created),
        "ends": f"{ends} (ended)" if has_ended else ends,
    }

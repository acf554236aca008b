"""`modstream privacy`: finds personal data, and erases a person."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import time
from typing import Annotated

import typer

from modstream import logs
from modstream.broker.client.admin import Admin
from modstream.broker.client.reader import read_to_end
from modstream.cli.inference_log import log_folder
from modstream.cli.names import open_models
from modstream.cli.options import JsonOption, StreamArgument
from modstream.cli.output import print_rows, stderr
from modstream.cli.privacy_protect import person_keys
from modstream.cli.servers import require_kafka
from modstream.cli.views import views_folder
from modstream.operations.precompute.store_access import open_prediction_store
from modstream.operations.privacy.erase import ErasedPlace, Erasure, Matches
from modstream.operations.privacy.person_keys import PersonKeys
from modstream.operations.privacy.scan import ScannedField, scan, scan_files
from modstream.operations.privacy.search import MIN_VALUE, Person, SearchedPlaces
from modstream.operations.privacy.texts import texts_of_record
from modstream.settings import Settings, load_settings

SERVICES = ("worker", "joiner", "learner", "materializer", "calibrator", "aggregator", "retrainer")

KeyArgument = Annotated[str, typer.Argument(help="The key of the person's requests.")]
ValueOption = Annotated[
    list[str] | None,
    typer.Option(
        "--value",
        help="A text about the person that must be found nowhere, such as the e-mail address; may"
        " be repeated.",
        show_default=False,
    ),
]
BytesOption = Annotated[
    bool,
    typer.Option(
        "--bytes",
        help="Also search the bytes of all files of the home directory for --value, those of the"
        " servers included.",
    ),
]


def scan_(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files, or folders of files.", exists=True, show_default=False),
    ] = None,
    stream: Annotated[
        str | None,
        typer.Option("--stream", help="Also the topics of this stream.", show_default=False),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, help="Rows of each file, and records of each topic, at most.")
    ] = 100_000,
    as_json: JsonOption = False,
) -> None:
    """Find e-mail addresses, phone, card and account numbers in files and topics.

    Examples are masked. Exits with code 1 if something is found.
    """
    if not paths and stream is None:
        raise typer.BadParameter("give files, folders or --stream")
    found = [one for path in paths or () for one in scan_files(path, limit)]
    if stream is not None:
        found += scan_topics(load_settings(stream=stream), limit)
    facts = [one.facts() for one in found]
    print_rows(facts, as_json=as_json, empty="nothing that looks like personal data")
    if found:
        raise typer.Exit(1)


def find(
    key: KeyArgument,
    stream: StreamArgument = None,
    value: ValueOption = None,
    with_bytes: BytesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Search a person in the topics of a stream, the files of the home directory and the store.

    Exits with code 1 if something is found.
    """
    settings = load_settings(stream=stream)
    person = person_of(key, value, person_keys(settings))
    with open_erasure(settings) as erasure:
        counts = Matches.of(erasure.places, person, with_bytes=with_bytes).counts()
    rows = [{"place": place, "found": count} for place, count in counts.items() if count]
    print_rows(rows, as_json=as_json, empty=f"found in none of {len(counts):,} places")
    if rows:
        raise typer.Exit(1)


def erase_(
    key: KeyArgument,
    stream: StreamArgument = None,
    value: ValueOption = None,
    truncates: Annotated[
        bool,
        typer.Option(
            "--truncate",
            help="Also delete the records of topics up to the last one that has the person, those"
            " of others included.",
        ),
    ] = False,
    with_bytes: BytesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Erase a person from the log, the views, the store and, with --truncate, the topics.

    The person's key is destroyed, so that what is sealed in topics and in
    copies of them cannot be read any more.
    All places are searched before and afterwards: the table is the proof.
    Exits with code 1 if something is left; it says what and why.
    """
    settings = load_settings(stream=stream)
    person = person_of(key, value, person_keys(settings))
    logs.configure(settings)
    with open_erasure(settings) as erasure:
        now = int(time() * 1000)
        erased = erasure.run(person, now, truncates=truncates, with_bytes=with_bytes)
        count = len(erasure.places.topics) + len(list(erasure.places.files())) + 1
    print_proof(erased, count, as_json=as_json)
    if any(one.after for one in erased):
        raise typer.Exit(1)


def print_proof(erased: list[ErasedPlace], places: int, *, as_json: bool) -> None:
    """Print where the person was, and what is left there."""
    print_rows([one._asdict() for one in erased], as_json=as_json, empty="found nowhere")
    left = sum(one.after for one in erased)
    stderr.print(
        f"{places:,} places were searched again: {left:,} records or rows are left",
        highlight=False,
    )


def scan_topics(settings: Settings, limit: int) -> Iterator[ScannedField]:
    """Yield what is found in the topics of a stream, from their beginnings."""
    existing = require_kafka(settings)
    for spec in settings.topic_specs():
        if spec.name in existing:
            records = islice(read_to_end(settings.connection, [spec.name]), limit)
            texts = (text for record in records for text in texts_of_record(record))
            yield from scan(spec.name, texts)


def person_of(key: str, values: list[str] | None, keys: PersonKeys) -> Person:
    """Return the person that the arguments of a command name.

    Raises:
        typer.BadParameter: a value is too short to be searched for within other texts.
    """
    for value in values or ():
        if len(value) < MIN_VALUE:
            raise typer.BadParameter(f"--value {value!r} is in too many texts: give a longer one")
    return Person(key, tuple(values or ()), keys.known_alias(key))


@contextmanager
def open_erasure(settings: Settings) -> Iterator[Erasure]:
    """Open the places of a stream: its topics, the home directory and the prediction store."""
    existing, topics = require_kafka(settings), settings.topics()
    own = [spec for spec in settings.topic_specs() if spec.name in existing]
    states = Admin(settings.connection).topics(topics.group("joiner"))
    with open_models(settings) as registry:
        models = tuple(registry.names())
    with open_prediction_store(settings) as store:
        places = SearchedPlaces(
            settings.connection,
            tuple(dict.fromkeys([*(spec.name for spec in own), *(one.name for one in states)])),
            settings.home,
            settings.data_folder,
            store,
            models,
        )
        yield Erasure(
            places,
            log_folder(settings, None),
            views_folder(settings),
            tuple(map(topics.group, SERVICES)),
            frozenset(spec.name for spec in own if spec.config.get("cleanup.policy") == "delete"),
            person_keys(settings),
        )

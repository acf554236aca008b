"""`modstream models generate-key` and `sign`: the keys and signatures of models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from modstream.cli.names import open_models
from modstream.cli.options import JsonOption
from modstream.cli.output import print_rows, stderr, stdout
from modstream.models.registry.errors import ModelNotFound
from modstream.models.registry.signer import SigningReport
from modstream.models.security.signing import SigningKey
from modstream.settings import load_settings


def generate_key(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to create.", show_default=False)
    ],
) -> None:
    """Create a key that signs models, and print its public key.

    Set `signing_key` to the file where models are published, and add the public key to
    `trusted_keys` everywhere.
    """
    key = SigningKey.generate()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        key.save(file)
    except FileExistsError:
        raise typer.BadParameter(f"{file} exists: a key is not overwritten") from None
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be written: {error.strerror}") from None
    stderr.print(f"wrote the private key to {file}; its public key is")
    stdout.print(key.public_key)


def sign(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="The models; by default all."),
    ] = None,
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="Also sign versions and aliases that are not trusted now."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Sign versions and aliases again with this installation's key, as after a change of keys.

    Only those are signed that are trusted now, so trust the old key beside the new one until this
    has run. With --adopt, what was never signed is signed, too: look first at where the aliases
    point.
    """
    with open_models(load_settings()) as registry:
        known = registry.names()
        for name in names or ():
            if name not in known:
                raise ModelNotFound(name, "newest")
        reports = {name: registry.sign_again(name, adopt=adopt) for name in names or known}
    rows = [_row(name, report) for name, report in reports.items()]
    print_rows(rows, as_json=as_json, empty="no models yet; publish one: modstream models publish")
    if any(report.refused_versions or report.refused_aliases for report in reports.values()):
        stderr.print(
            "what is not trusted was not signed: to trust it, sign it with --adopt, or move the"
            " alias with `modstream models promote`"
        )


def _row(name: str, report: SigningReport) -> dict[str, object]:
    return {
        "model": name,
        "signed versions": len(report.versions),
        "signed aliases": _aliases(report.aliases),
        "not trusted": ", ".join(map(str, report.refused_versions)),
        "aliases not trusted": _aliases(report.refused_aliases),
    }


def _aliases(aliases: Mapping[str, int]) -> str:
    return ", ".join(f"{alias}: {version}" for alias, version in aliases.items())

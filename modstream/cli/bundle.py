"""`modstream models bundle`: a version as files that other tools can check."""

from pathlib import Path
from typing import Annotated

import typer

from modstream.cli.names import open_models
from modstream.cli.options import ModelArgument
from modstream.cli.output import stderr, stdout
from modstream.models.registry.refs import DEFAULT_ALIAS
from modstream.models.security.oms import load_ec_key
from modstream.registry.bundle import SIGNATURE_FILE, write_bundle
from modstream.registry.trust import load_trust
from modstream.settings import load_settings


def bundle(
    name: ModelArgument,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The folder to create.", show_default=False),
    ],
    ref: Annotated[
        str, typer.Option("--version", "-v", help="A version number or an alias.")
    ] = DEFAULT_ALIAS,
    key: Annotated[
        Path | None,
        typer.Option(help="A P-256 private key in PEM, which signs the files.", show_default=False),
    ] = None,
) -> None:
    """Write a version's artifact, card and bill of materials to a folder, signed with a key.

    The bill of materials is a CycloneDX document, and the signature one of the OpenSSF model
    signing specification. The version is verified before.
    """
    settings = load_settings()
    signer = None if key is None else load_ec_key(key)
    with open_models(settings) as registry:
        card = registry.card(name, ref)
        load_trust(settings).verify(card)
        artifact = registry.artifact(card)
    try:
        paths = write_bundle(output, card, artifact, signer)
    except FileExistsError:
        raise typer.BadParameter(f"{output} exists", param_hint="--output") from None
    except OSError as error:
        reason = f"{output} cannot be written: {error.strerror}"
        raise typer.BadParameter(reason, param_hint="--output") from None
    for path in paths:
        stdout.print(str(path))
    if signer is None:
        stderr.print(f"without --key there is no {SIGNATURE_FILE}")

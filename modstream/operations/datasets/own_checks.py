"""The user's own checks: functions of Python modules, which expectations name."""

from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType
from typing import Any

from modstream.datasets.errors import ExpectationsInvalid
from modstream.models.datasets.expectations import Expectations

Check = Callable[..., Any]


def load_checks(expectations: Expectations) -> dict[str, Check]:
    """Return the functions that expectations name, by their names.

    A module is the file `<module>.py` beside the expectations, or else an installed one.

    Raises:
        ExpectationsInvalid: a module cannot be imported, or has no such function.
    """
    modules: dict[str, ModuleType] = {}
    found = {}
    for name in expectations.check_names:
        module, _, function = name.partition(":")
        path = None if expectations.folder is None else expectations.folder / f"{module}.py"
        try:
            if path is not None and path.is_file():
                if module not in modules:
                    modules[module] = _load_file(module, path)
                check = getattr(modules[module], function)
            else:
                check = resolve_name(name)
        except Exception as error:  # noqa: BLE001 - the module is the user's code
            raise ExpectationsInvalid(name, f"{type(error).__name__}: {error}") from None
        if not callable(check):
            raise ExpectationsInvalid(name, "it is no function")
        found[name] = check
    return found


def _load_file(name: str, path: Path) -> ModuleType:
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no module")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

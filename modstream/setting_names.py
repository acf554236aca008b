"""The names of all settings, what is wrong with a name that is none, and JSON within groups."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

ENV_PREFIX = "MODSTREAM_"
ENV_DELIMITER = "__"
JSON_TYPES = frozenset({tuple, dict})
"""The types of settings that a variable has as JSON."""
# Kubernetes sets such variables for a service that is called modstream or modstream-something.
SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT)(_\w+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?$")


def setting_names(model: type[BaseModel]) -> Iterator[str]:
    """Yield the name of each setting, those of a group after it: `batch`, `batch.max_seconds`."""
    for name, field in model.model_fields.items():
        yield name
        yield from _group_names(name, field.annotation)


def variable_name(name: str) -> str:
    """Return the environment variable of a setting."""
    return ENV_PREFIX + name.upper().replace(".", ENV_DELIMITER)


def setting_name(variable: str) -> str:
    """Return the name of the setting that an environment variable would set."""
    return variable[len(ENV_PREFIX) :].lower().replace(ENV_DELIMITER, ".")


def unknown_variables(model: type[BaseModel], environment: Mapping[str, str]) -> list[str]:
    """Return the variables with our prefix that set nothing, sorted."""
    known = {variable_name(name) for name in setting_names(model)}
    return sorted(
        variable
        for variable in environment
        if (upper := variable.upper()).startswith(ENV_PREFIX)
        and upper not in known
        and not upper.startswith(tuple(_open_prefixes(model)))
        and not SERVICE_LINK.search(upper)
    )


def _open_prefixes(model: type[BaseModel]) -> Iterable[str]:
    """Yield the beginnings of variables that may continue with any name: those of a mapping."""
    for name, field in model.model_fields.items():
        if get_origin(field.annotation) is dict:
            yield variable_name(name) + ENV_DELIMITER


def _group_names(prefix: str, annotation: Any) -> Iterator[str]:  # noqa: ANN401 - any type
    if not (isinstance(annotation, type) and is_dataclass(annotation)):
        return
    types = get_type_hints(annotation)
    for field in fields(annotation):
        name = f"{prefix}.{field.name}"
        yield name
        yield from _group_names(name, types[field.name])


class GroupListSource(PydanticBaseSettingsSource):
    """The environment, with JSON in groups decoded as that outside of groups."""

    def __init__(
        self, settings_cls: type[BaseSettings], environment: PydanticBaseSettingsSource
    ) -> None:
        super().__init__(settings_cls)
        self._environment = environment

    def get_field_value(self, *_: object) -> tuple[Any, str, bool]:
        """Return no value: the source provides all its values in `__call__`."""
        return None, "", False

    def __call__(self) -> dict[str, Any]:
        """Return the environment's settings."""
        return decode_group_lists(self.settings_cls, self._environment())


def decode_group_lists(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of an environment, with lists and mappings in groups decoded from JSON.

    pydantic-settings leaves them as texts, because groups are dataclasses. A text that is not JSON
    stays as it is, and is refused where it is validated.
    """
    decoded = dict(values)
    for name, group in values.items():
        field = model.model_fields.get(name)
        annotation = None if field is None else field.annotation
        if isinstance(group, dict) and isinstance(annotation, type) and is_dataclass(annotation):
            types = get_type_hints(annotation)
            decoded[name] = {
                key: _decode_json(value) if get_origin(types.get(key)) in JSON_TYPES else value
                for key, value in group.items()
            }
    return decoded


def _decode_json(value: object) -> object:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value

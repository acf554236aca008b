"""The tables of rights and topics that the Helm chart reads, and its schema of settings.

`make chart` writes them; a chart cannot call Python. Names have placeholders for the prefix and the
stream, which the chart replaces by its values.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from modstream.broker.wire.topics import MS_PER_DAY, Topics, TopicSpec
from modstream.rights.formats import STRIMZI_KINDS
from modstream.rights.rights import KafkaRight, Rights, Role, rights_of
from modstream.settings import Settings

PREFIX, STREAM = "@prefix", "@stream"
"""The placeholders."""
TABLES = Path("files/tables.json")
SCHEMA = Path("values.schema.json")
"""Files of the chart."""
LONG_DAYS = 10_000
"""More days than any topic is kept at least."""
CHART_SETTINGS = frozenset(
    {"home", "bootstrap", "redis", "prefix", "stream", "route", "kafka_security", "redis_security"}
    | {"instance_id", "metrics", "signing_key", "backup_dir", "data_dir", "pipelines_dir"}
    | {"log_format"}
)
"""Settings that the chart makes of its other values, or of the pod."""
UNSUPPORTED_SETTINGS = frozenset({"personal", "serverless", "lineage", "mlflow"})
"""Settings that need what the chart does not have: a home directory that all services share, or
logins of other servers, which would be in environment variables."""
POD_FIELDS: Mapping[str, frozenset[str]] = {
    "gateway": frozenset(
        {"host", "port", "grpc_port", "api_keys", "require_key", "tls_certificate", "tls_key"}
    ),
    "dashboard": frozenset({"host", "port", "origin", "require_key"}),
    "joiner": frozenset({"instance_id", "data_dir", "partitions"}),
}
"""Fields of groups that the chart sets."""
SECRET_OPTION = r"(password|secret|sasl\.jaas|ssl\.key|\.pem$)"  # noqa: S105 - a pattern
"""Names of options of librdkafka whose values are secrets. Helm's patterns have no look-ahead."""
NO_LOGIN = r"^([a-z]+://([A-Za-z0-9._~-]+@)?[^@\s]+)?$"
"""A URL without a password, or an empty text."""
JsonObject = dict[str, Any]


def chart_tables() -> JsonObject:
    """Return what the chart reads of the topics of a stream and of the rights of roles."""
    return {
        "topics": [_topic(*pair) for pair in _topic_pairs()],
        "roles": {role.value: _role(role) for role in Role},
    }


def settings_schema() -> JsonObject:
    """Return the definitions of a JSON Schema for the chart's value `settings`."""
    schema = Settings.model_json_schema(ref_template="#/definitions/{model}")
    groups = schema.pop("$defs")
    own = {"type": "object", "properties": schema["properties"]}
    for name in CHART_SETTINGS | UNSUPPORTED_SETTINGS:
        del own["properties"][name]
    for group, names in POD_FIELDS.items():
        properties = groups[_group_of(own, group)]["properties"]
        for name in names:
            del properties[name]
    own["properties"]["kafka"]["propertyNames"] = {"not": {"pattern": SECRET_OPTION}}
    store = groups[_group_of(own, "prediction_store")]["properties"]
    store["url"] |= {"pattern": NO_LOGIN}
    used = dict(_reachable(own, groups))
    return {"settings": _strict(own), **{name: _strict(group) for name, group in used.items()}}


def write_chart(folder: Path) -> None:
    """Write the generated parts of the chart in a folder."""
    (folder / TABLES).write_text(_dump(chart_tables()))
    schema = json.loads((folder / SCHEMA).read_text())
    (folder / SCHEMA).write_text(_dump(with_settings(schema)))


def with_settings(schema: JsonObject) -> JsonObject:
    """Return a schema of values with the definitions of `settings` renewed.

    The chart's own definitions begin with a small letter, those of groups of settings do not.
    """
    own = {
        name: one
        for name, one in schema["definitions"].items()
        if name[0].islower() and name != "settings"
    }
    return {**schema, "definitions": {**own, **settings_schema()}}


def _settings(*, logs_inferences: bool) -> Settings:
    settings = Settings.model_construct(prefix=PREFIX, stream=STREAM)
    log = replace(settings.inference_log, enabled=logs_inferences)
    return settings.model_copy(update={"inference_log": log})


def _role(role: Role) -> JsonObject:
    """Return the rights of a role; `log` says that only the inference log needs one."""
    without, rights = (rights_of(role, _settings(logs_inferences=logs)) for logs in (False, True))
    acls = [_acl(one) | {"log": one not in without.kafka} for one in rights.kafka]
    return {"kafka": acls, "redis": _redis(rights)}


def _acl(right: KafkaRight) -> JsonObject:
    return {
        "type": STRIMZI_KINDS[right.kind],
        "name": right.name,
        "patternType": "prefix" if right.is_prefix else "literal",
        "operations": list(right.operations),
    }


def _redis(rights: Rights) -> str:
    if rights.redis is None:
        return ""
    return "write" if rights.redis.may_write else "read"


def _topic_pairs() -> Iterator[tuple[TopicSpec, TopicSpec]]:
    """Yield each topic as it is with one day of retention and one partition, and with many."""
    topics = Topics(STREAM, PREFIX)
    few = topics.specs(1, retention_days=1, log_days=1)
    return zip(few, topics.specs(2, retention_days=LONG_DAYS, log_days=LONG_DAYS), strict=True)


def _topic(least: TopicSpec, most: TopicSpec) -> JsonObject:
    """Return a topic; `days` has the least number of days of options that depend on retention."""
    varying = {name for name, value in least.config.items() if most.config[name] != value}
    return {
        "name": least.name,
        "partitions": least.partitions if least.partitions == most.partitions else 0,
        "config": {name: value for name, value in least.config.items() if name not in varying},
        "days": {name: int(least.config[name]) // MS_PER_DAY for name in sorted(varying)},
        "log": least.name == Topics(STREAM, PREFIX).inferences,
    }


def _group_of(schema: JsonObject, name: str) -> str:
    """Return the name of the definition that a property refers to."""
    return str(schema["properties"][name]["$ref"]).rpartition("/")[2]


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        for name, value in schema.items():
            if name == "$ref":
                yield str(value).rpartition("/")[2]
            yield from _references(value)
    elif isinstance(schema, list):
        for one in schema:
            yield from _references(one)


def _reachable(
    schema: object, groups: Mapping[str, JsonObject]
) -> Iterator[tuple[str, JsonObject]]:
    for name in sorted(set(_references(schema))):
        yield name, groups[name]
        yield from _reachable(groups[name], groups)


def _strict(schema: JsonObject) -> JsonObject:
    """Return a schema without defaults and titles that permits no other properties."""
    kept = {
        name: _strict(value) if isinstance(value, dict) else value
        for name, value in schema.items()
        if name not in {"default", "title", "description", "format"} or isinstance(value, dict)
    }
    if "properties" in kept:
        kept["additionalProperties"] = False
    return kept


def _dump(document: JsonObject) -> str:
    return json.dumps(document, indent=2) + "\n"


if __name__ == "__main__":
    write_chart(Path(sys.argv[1]))

"""The AsyncAPI 3 document of the topics, generated from the contracts, topics and headers.

    python -m modstream.broker.wire.asyncapi schemas/asyncapi.json

writes that of any stream. modstream is the application of the document: it receives requests and
labels, and sends everything else. Source: https://www.asyncapi.com/docs/reference/specification.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from modstream.broker.wire.asyncapi_messages import CHANNELS, MESSAGES, ChannelSpec, MessageSpec
from modstream.broker.wire.json_schemas import CONTRACTS, Schema, json_schema
from modstream.broker.wire.topics import Topics, TopicSpec

SPECIFICATION = "3.0.0"
BINDING = "0.5.0"
STREAM = "{stream}"


class BrokerAddress(NamedTuple):
    """A Kafka broker at `host:port`; `is_secure` if it is reached over TLS."""

    host: str
    is_secure: bool = False


def document(
    version: str,
    prefix: str = "",
    streams: Sequence[str] = (),
    brokers: Sequence[BrokerAddress] = (),
) -> dict[str, Any]:
    """Return the document.

    Args:
        version: that of modstream.
        prefix: the prefix of all topics.
        streams: the streams that there are; any, if there are none.
        brokers: where Kafka responds.
    """
    topics = Topics(STREAM, prefix)
    specs = {spec.name: spec for spec in topics.specs(1, log_days=1)}
    found = {
        "asyncapi": SPECIFICATION,
        "info": {
            "title": "modstream",
            "version": version,
            "description": "The topics of a stream: requests, their answers, labels, and what"
            " becomes of them. docs/messages.md describes every message.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {one.topic: _channel(one, topics, specs, streams) for one in CHANNELS},
        "operations": {_operation_name(one): _operation(one) for one in CHANNELS},
        "components": {
            "messages": {name: _message(name, spec) for name, spec in MESSAGES.items()},
            "schemas": component_schemas(),
        },
    }
    if brokers:
        found["servers"] = {
            f"kafka-{number}": {
                "host": one.host,
                "protocol": "kafka-secure" if one.is_secure else "kafka",
                "bindings": {"kafka": {"bindingVersion": BINDING}},
            }
            for number, one in enumerate(brokers)
        }
    return found


def component_schemas() -> dict[str, Schema]:
    """Return the schemas of all contracts and of their parts, by name.

    A part of a contract that another contract has in another form gets the contract's name before
    its own.
    """
    found: dict[str, Schema] = {}
    for contract in CONTRACTS:
        schema = json_schema(contract)
        schema.pop("$schema")
        parts = schema.pop("$defs", {})
        names = {f"#/$defs/{part}": part for part in parts}
        renamed = {
            part: f"{contract}-{part}"
            for part in parts
            if part in found and found[part] != _with_refs(parts[part], names)
        }
        names |= {f"#/$defs/{part}": name for part, name in renamed.items()}
        for part, content in parts.items():
            found[renamed.get(part, part)] = _with_refs(content, names)
        found[contract] = _with_refs(schema, names)
    return found


def _with_refs(schema: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 - any part of a schema
    """Return a part of a schema whose references lead to the components of the document."""
    if isinstance(schema, dict):
        return {
            key: f"#/components/schemas/{names[value]}"
            if key == "$ref"
            else _with_refs(value, names)
            for key, value in schema.items()
        }
    if isinstance(schema, list):
        return [_with_refs(one, names) for one in schema]
    return schema


def _channel(
    channel: ChannelSpec,
    topics: Topics,
    specs: Mapping[str, TopicSpec],
    streams: Sequence[str],
) -> dict[str, Any]:
    address: str = getattr(topics, channel.topic)
    config = specs[address].config
    meaning: str = getattr(Topics, channel.topic).__doc__
    found: dict[str, Any] = {
        "address": address,
        "description": meaning,
        "messages": _refs(channel.messages),
        "bindings": {
            "kafka": {
                "topicConfiguration": {
                    "cleanup.policy": [config["cleanup.policy"]],
                    "max.message.bytes": int(config["max.message.bytes"]),
                },
                "bindingVersion": BINDING,
            }
        },
    }
    if STREAM in address:
        stream: dict[str, Any] = {"description": "The name of the stream."}
        found["parameters"] = {"stream": stream | ({"enum": list(streams)} if streams else {})}
    return found


def _refs(messages: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in messages}


def _operation_name(channel: ChannelSpec) -> str:
    return f"{'receive' if channel.is_received else 'send'}-{channel.topic.replace('_', '-')}"


def _operation(channel: ChannelSpec) -> dict[str, Any]:
    found: dict[str, Any] = {
        "action": "receive" if channel.is_received else "send",
        "channel": {"$ref": f"#/channels/{channel.topic}"},
        "summary": MESSAGES[channel.messages[0]].summary,
    }
    if channel.topic == "requests":
        found["reply"] = {"channel": {"$ref": "#/channels/predictions"}}
    return found


def _message(name: str, spec: MessageSpec) -> dict[str, Any]:
    payload: Schema = {"$ref": f"#/components/schemas/{spec.contract}"}
    if spec.contract is None:
        payload = {"description": spec.summary}
    headers: Schema = {"type": "object", "properties": dict(spec.headers)}
    if spec.required:
        headers["required"] = list(spec.required)
    meaning = "The key of the request, by default its id."
    if name in {"metrics", "model-event"}:
        meaning = {"metrics": "The kind.", "model-event": "Model and version, or alias."}[name]
    return {
        "name": name,
        "summary": spec.summary,
        "contentType": spec.content_type,
        "headers": headers,
        "payload": payload,
        "bindings": {
            "kafka": {"key": {"type": "string", "description": meaning}, "bindingVersion": BINDING}
        },
    }


def main(file: str) -> None:
    """Write the document of any stream to a file."""
    found = json.dumps(document("1"), indent=2) + "\n"
    Path(file).write_text(found, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The AsyncAPI 3 document: which topics there are, with what keys and headers, and the webhook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from schemas import topics
from schemas.record_models import RECORD_TYPES

Tree: TypeAlias = dict[str, object]

_KEYLESS = ("tick", "definitions")
_KAFKA_BINDING = "0.5.0"
_HTTP_BINDING = "0.3.0"
_REF = "#/components/schemas/{model}"


class Untitled(GenerateJsonSchema):
    """JSON Schema without the titles that merely spell a field's name again."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


def asyncapi(models: Mapping[str, type[BaseModel]]) -> Tree:
    """The document. `models` are all that it refers to, by name: record types, transition, headers and bodies."""
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "validation") for model in models.values()]
    _, definitions = models_json_schema(wanted, ref_template=_REF, schema_generator=Untitled)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Segue",
            "version": version("segue"),
            "description": "Tracking events go in; `segment.entered` and `segment.exited` come out, exactly once "
            "and in order per contact. Names of topics carry the prefix `SEGUE_NAMESPACE.` where one is set.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "messages": dict(_messages(models)),
            "schemas": definitions["$defs"],
        },
    }


def _channels() -> Tree:
    return {
        "tracking": {
            "address": topics.TRACKING,
            "description": "The log that all state is a function of. A contact's records lie in the partition "
            "`murmur2(contact_id) mod N`, Kafka's default; the partition count never changes.",
            "messages": _refer("messages", RECORD_TYPES),
            "bindings": {"kafka": {"topic": topics.TRACKING, "bindingVersion": _KAFKA_BINDING}},
        },
        "transitions": {
            "address": topics.TRANSITIONS,
            "description": "As many partitions as `tracking`; a contact's transitions lie in its partition.",
            "messages": _refer("messages", ["transition"]),
            "bindings": {"kafka": {"topic": topics.TRANSITIONS, "bindingVersion": _KAFKA_BINDING}},
        },
        "deadLetters": {
            "address": topics.DEAD_LETTER,
            "description": "Records that could not be read, once each, key and value byte for byte.",
            "messages": _refer("messages", ["dead_letter"]),
            "bindings": {"kafka": {"topic": topics.DEAD_LETTER, "bindingVersion": _KAFKA_BINDING}},
        },
        "lists": {
            "address": topics.LISTS,
            "description": "One partition, compacted: which contacts `segue apply` has put on the lists of a "
            "definition file. It is what the next apply compares with; no membership is read from it.",
            "messages": _refer("messages", ["list_entry"]),
            "bindings": {
                "kafka": {
                    "topic": topics.LISTS,
                    "partitions": 1,
                    "topicConfiguration": {"cleanup.policy": ["compact"]},
                    "bindingVersion": _KAFKA_BINDING,
                }
            },
        },
        "keys": {
            "address": topics.KEYS,
            "description": "One partition, compacted: the keys of those who send, as `segue keys` decided, with a hash "
            "of each secret. Every collector follows it.",
            "messages": _refer("messages", ["key_entry"]),
            "bindings": {
                "kafka": {
                    "topic": topics.KEYS,
                    "partitions": 1,
                    "topicConfiguration": {"cleanup.policy": ["compact"]},
                    "bindingVersion": _KAFKA_BINDING,
                }
            },
        },
        "webhook": {
            "address": None,
            "description": "The endpoint that `segue consumer webhook --url URL` delivers to: at least once, in order "
            "per contact. Answer 2xx when it is taken, 410 when no more is wanted.",
            "messages": _refer("messages", ["webhook"]),
        },
    }


def _operations() -> Tree:
    return {
        "readTracking": {"action": "receive", "channel": {"$ref": "#/channels/tracking"}},
        "writeTransitions": {"action": "send", "channel": {"$ref": "#/channels/transitions"}},
        "writeDeadLetters": {"action": "send", "channel": {"$ref": "#/channels/deadLetters"}},
        "writeLists": {"action": "send", "channel": {"$ref": "#/channels/lists"}},
        "followKeys": {"action": "receive", "channel": {"$ref": "#/channels/keys"}},
        "deliverWebhook": {
            "action": "send",
            "channel": {"$ref": "#/channels/webhook"},
            "bindings": {"http": {"method": "POST", "bindingVersion": _HTTP_BINDING}},
        },
    }


def _messages(models: Mapping[str, type[BaseModel]]) -> list[tuple[str, Tree]]:
    contact_key: Tree = {"type": "string", "description": "`contact_id` in UTF-8."}
    no_key: Tree = {"type": "null"}
    records = [
        (name, _kafka_message(models[name], no_key if name in _KEYLESS else contact_key)) for name in RECORD_TYPES
    ]
    transition: Tree = {
        "headers": _schema(models["transition_headers"]),
        **_kafka_message(models["transition"], contact_key),
    }
    dead_letter: Tree = {
        "summary": "A record that could not be read.",
        "contentType": "application/octet-stream",
        "headers": _schema(models["dead_letter_headers"]),
        "payload": {"description": "The bytes of the record, whatever they are."},
        "bindings": {"kafka": {"key": {"description": "The key of the record."}, "bindingVersion": _KAFKA_BINDING}},
    }
    entry_key: Tree = {"type": "string", "description": "JSON: `[LIST, CONTACT_ID]`."}
    list_entry = _kafka_message(models["list_entry"], entry_key)
    key_entry = _kafka_message(models["key_entry"], {"type": "string", "description": "The key's `id`."})
    webhook: Tree = {
        "summary": "A transition, signed as Standard Webhooks has it.",
        "payload": _schema(models["webhook_body"]),
        "bindings": {"http": {"headers": _schema(models["webhook_headers"]), "bindingVersion": _HTTP_BINDING}},
    }
    entries = {"list_entry": list_entry, "key_entry": key_entry}
    others = {"transition": transition, "dead_letter": dead_letter, **entries, "webhook": webhook}
    return [*records, *others.items()]


def _kafka_message(model: type[BaseModel], key: Tree) -> Tree:
    return {
        "summary": (model.__doc__ or "").strip(),
        "payload": _schema(model),
        "bindings": {"kafka": {"key": key, "bindingVersion": _KAFKA_BINDING}},
    }


def _schema(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _refer(section: str, names: Iterable[str]) -> Tree:
    return {name: {"$ref": f"#/components/{section}/{name}"} for name in names}

"""The OpenAPI document of the collector, made of what each way in says of itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from schemas.asyncapi import Untitled
from streams.collector.front_door import Way
from streams.collector.http.operations import Answer, Operation, Security

Tree: TypeAlias = dict[str, object]

_REF = "#/components/schemas/{model}"
_CONVERTER = re.compile(r":\w+}")  # `{token:path}`
_BASIC: dict[str, list[str]] = {"writeKey": []}
_QUERY: dict[str, list[str]] = {"writeKeyInQuery": []}
_SECURITY: Mapping[Security, list[dict[str, list[str]]]] = {
    "basic": [_BASIC],
    "body": [_BASIC, {}],
    "query": [_QUERY, _BASIC, {}],
    "none": [],
}


def openapi(ways: Iterable[Way]) -> Tree:
    """The document of those ways that have an operation."""
    paths: dict[str, dict[str, object]] = {}
    models: dict[str, type[BaseModel]] = {}
    for way in ways:
        if way.operation is None:
            continue
        models |= _models(way.operation)
        for method in way.methods:
            if method != "OPTIONS":  # browsers ask that by themselves
                described = _described(way, method.lower(), way.operation)
                paths.setdefault(_CONVERTER.sub("}", way.path), {})[method.lower()] = described
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [(models[name], "validation") for name in sorted(models)]
    _, definitions = models_json_schema(wanted, ref_template=_REF, schema_generator=Untitled)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Segue's collector",
            "version": version("segue"),
            "description": "Takes tracking events as the SDKs of Segment and RudderStack send them, and writes them "
            "into Kafka. A call is answered when Kafka has acknowledged it. Bodies may be compressed with gzip; their "
            "content type is not looked at, since browsers send JSON as text.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {path: paths[path] for path in sorted(paths)},
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {
                "writeKey": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "The write key as user name, and no password.",
                },
                "writeKeyInQuery": {"type": "apiKey", "in": "query", "name": "writeKey"},
            },
        },
    }


def _described(way: Way, method: str, operation: Operation) -> Tree:
    described: Tree = {
        "operationId": method + re.sub(r"\W+", "_", _CONVERTER.sub("}", way.path)).rstrip("_"),
        "tags": [operation.tag],
        "summary": operation.summary,
    }
    if operation.description:
        described["description"] = operation.description
    described["security"] = _SECURITY[operation.security]
    parameters = [
        {"name": name, "in": place, "required": place == "path", "description": meaning, "schema": {"type": "string"}}
        for place, names in (("path", operation.path), ("query", operation.query))
        for name, meaning in names.items()
    ]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None and method != "get":
        schema = {"schema": {"$ref": _REF.format(model=operation.body.__name__)}}
        described["requestBody"] = {"required": True, "content": dict.fromkeys(operation.content, schema)}
    described["responses"] = {str(status): _answer(answer) for status, answer in operation.answers.items()}
    return described


def _answer(answer: Answer) -> Tree:
    if answer.body is None:
        return {"description": answer.meaning}
    if isinstance(answer.body, str):
        return {"description": answer.meaning, "content": {answer.body: {}}}
    schema = {"schema": {"$ref": _REF.format(model=answer.body.__name__)}}
    return {"description": answer.meaning, "content": {"application/json": schema}}


def _models(operation: Operation) -> dict[str, type[BaseModel]]:
    bodies = [operation.body, *(answer.body for answer in operation.answers.values())]
    return {body.__name__: body for body in bodies if isinstance(body, type)}

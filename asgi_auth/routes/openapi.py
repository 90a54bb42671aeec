"""Describe the log-in routes as an OpenAPI 3.1 document.

It describes only the routes that there are, and is made once, when somebody first asks
for it: most workers are never asked, and all of them have to start.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any, ClassVar, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response

from asgi_auth.routes.body import Form
from asgi_auth.routes.operations import Operation, Operations

__all__ = ["DocumentRoutes", "describe"]

_REFERENCE: Final = "#/components/schemas/{model}"
_PROBLEM: Final = "Problem"

_OAUTH: Final = "OAuthError"

_OAUTH_SCHEMA: Final[dict[str, Any]] = {
    "title": _OAUTH,
    "description": "Why one of OAuth's forms was refused (RFC 6749, section 5.2).",
    "type": "object",
    "required": ["error", "error_description", "code"],
    "properties": {
        "error": {"type": "string"},
        "error_description": {"type": "string"},
        "code": {"type": "string"},
    },
}

_PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "title": _PROBLEM,
    "description": "Why a request was refused (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
    },
}


def describe(
    operations: Sequence[Operation],
    *,
    access_cookie: str | None,
    camel_case: bool,
    limited: bool,
) -> dict[str, Any]:
    """Return the document.

    Args:
        operations: What there is.
        access_cookie: The name of the access token's cookie, where it has one.
        camel_case: Names are written ``likeThis``.
        limited: Tries are counted, so that any of them can be one too many.
    """
    schemes = _schemes(access_cookie)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        description = _operation(operation, list(schemes), limited=limited)
        methods = paths.setdefault(operation.path, {})
        methods[operation.method.lower()] = description

    components = {
        "schemas": {
            **_schemas(operations, by_alias=camel_case),
            _PROBLEM: _PROBLEM_SCHEMA,
            _OAUTH: _OAUTH_SCHEMA,
        },
        "securitySchemes": schemes,
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Log-in routes", "version": "1"},
        "paths": paths,
        "components": components,
    }


class DocumentRoutes:
    """The handler that shows the document.

    Args:
        document: Returns what :func:`describe` does, always the same.
    """

    operations: ClassVar[Operations] = Operations()

    __slots__ = ("_document",)

    def __init__(self, document: Callable[[], Mapping[str, Any]]) -> None:
        self._document = document

    @operations.add(
        part="openapi",
        method="GET",
        path="/openapi.json",
        summary="This document",
        answers={200: None},
        cookies=False,
    )
    async def openapi(self, request: Request) -> Response:
        """Send it, with the place where the routes are mounted."""
        servers = [{"url": request.scope["root_path"] or "/"}]
        body = json.dumps({**self._document(), "servers": servers})
        return Response(body, media_type="application/json")


def _schemes(access_cookie: str | None) -> dict[str, Any]:
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    if access_cookie is None:
        return {"bearer": bearer}

    return {
        "bearer": bearer,
        "cookie": {"type": "apiKey", "in": "cookie", "name": access_cookie},
    }


def _schemas(operations: Sequence[Operation], *, by_alias: bool) -> dict[str, Any]:
    read = {op.body: "validation" for op in operations if op.body is not None}
    answers = {
        model: "serialization"
        for op in operations
        for model in op.answers.values()
        if model is not None
    }
    modes: Any = [*read.items(), *answers.items()]
    _, document = models_json_schema(modes, by_alias=by_alias, ref_template=_REFERENCE)
    return dict(document.get("$defs", {}))


def _operation(
    operation: Operation, schemes: list[str], *, limited: bool
) -> dict[str, Any]:
    description: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.part],
        "responses": _responses(operation, limited=limited),
    }
    if operation.body is not None:
        description["requestBody"] = _body(operation.body, operation)

    if operation.guarded:
        description["security"] = [{scheme: []} for scheme in schemes]

    parameters = _parameters(operation)
    if parameters:
        description["parameters"] = parameters

    return description


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    text = {"type": "string"}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": text}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    query = operation.query
    fields = {} if query is None else query.model_json_schema()["properties"]
    parameters += [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in fields.items()
    ]
    return parameters


def _body(model: type[BaseModel], operation: Operation) -> dict[str, Any]:
    content = {"application/json": {"schema": _reference(model.__name__)}}
    if operation.form is not None:
        form = _form_schema(model, operation.form)
        content["application/x-www-form-urlencoded"] = {"schema": form}

    return {"required": not operation.optional, "content": content}


@cache
def _names_there(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=False)


def _form_schema(model: type[BaseModel], form: Form) -> dict[str, Any]:
    theirs = {ours: name for name, ours in form.names.items()}
    schema = _names_there(model)
    properties = {
        theirs.get(name, name): {"type": "string"} for name in schema["properties"]
    }
    if form.grant_type is not None:
        properties["grant_type"] = {"type": "string", "const": form.grant_type}

    required = [theirs.get(name, name) for name in schema.get("required", ())]
    description: dict[str, Any] = {"type": "object", "properties": properties}
    if "anyOf" in schema:
        description["anyOf"] = schema["anyOf"]

    return {**description, "required": required} if required else description


def _responses(operation: Operation, *, limited: bool) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, model in operation.answers.items():
        answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        if model is not None:
            schema = _reference(model.__name__)
            answer["content"] = {"application/json": {"schema": schema}}

        responses[str(status)] = answer

    for status in sorted(_refusals(operation, limited=limited)):
        schema = _reference(_PROBLEM)
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": {"schema": schema}},
        }

    if operation.form is not None and operation.form.grant_type is not None:
        refused = {"application/json": {"schema": _reference(_OAUTH)}}
        responses["400"]["content"] |= refused

    return responses


def _refusals(operation: Operation, *, limited: bool) -> set[int]:
    statuses = {503, *operation.refusals}
    if operation.body is not None:
        statuses |= {400, 413, 415, 422}

    if operation.query is not None:
        statuses.add(400)

    if operation.guarded:
        statuses |= {400, 401}

    if operation.cookies and operation.method != "GET":
        statuses |= {403, 421}

    return statuses if limited else statuses - {429}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=name)}

"""Read the body of a request: bounded, of a known type, into a model.

It reads no more than it has to for a verdict, and never repeats what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from asgi_auth.routes.errors import (
    BodyTooLargeError,
    MalformedBodyError,
    UnprocessableBodyError,
    UnsupportedBodyError,
    UnsupportedGrantError,
)

__all__ = ["BodyReader", "Form", "is_form"]

M = TypeVar("M", bound=BaseModel)

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How fields are spelled where a body comes as a form.

    Attributes:
        names: Our name for a field that has another one there.
        grant_type: The only one that makes sense, if one is named (RFC 6749).
    """

    names: Mapping[str, str] = field(default_factory=dict)
    grant_type: str | None = None


class BodyReader:
    """Reads bodies of one greatest length.

    Args:
        max_bytes: Longer bodies are refused before they are read to their end.
    """

    __slots__ = ("_max_bytes",)

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes

    async def read(
        self,
        request: Request,
        model: type[M],
        *,
        form: Form | None = None,
        optional: bool = False,
    ) -> M:
        """Return the body as a model.

        Args:
            request: Its body has not been read yet.
            model: What it must be.
            form: Take forms too, spelled like this.
            optional: No body is an empty one.

        Raises:
            BodyTooLargeError: It is too long.
            MalformedBodyError: It cannot be parsed.
            UnsupportedBodyError: It is of another type.
            UnprocessableBodyError: It does not fit the model.
        """
        kind = self._content_type(request)
        if kind is not None and kind not in (
            (_JSON,) if form is None else (_JSON, _FORM)
        ):
            raise UnsupportedBodyError

        body = await self._bytes(request)
        if not body and optional:
            return model()

        if kind is None:
            # Without a body, what is missing are its fields.
            raise UnsupportedBodyError if body else MalformedBodyError

        if kind == _FORM and form is not None:
            return _from_form(body, model, form)

        return _from_json(body, model)

    def _content_type(self, request: Request) -> str | None:
        encoding = request.headers.get("content-encoding", "identity")
        if encoding.strip().lower() != "identity":
            raise UnsupportedBodyError

        return _media_type(request)

    async def _bytes(self, request: Request) -> bytes:
        announced = request.headers.get("content-length", "")
        # Python refuses to make a number of very many digits.
        if len(announced) > 18 or (  # noqa: PLR2004
            announced.isdecimal() and int(announced) > self._max_bytes
        ):
            raise BodyTooLargeError

        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._max_bytes:
                raise BodyTooLargeError

        return bytes(body)


def is_form(request: Request) -> bool:
    """Report whether a body came as a form."""
    return _media_type(request) == _FORM


def _media_type(request: Request) -> str | None:
    value = request.headers.get("content-type")
    return None if value is None else value.partition(";")[0].strip().lower()


def _from_json(body: bytes, model: type[M]) -> M:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        faults = error.errors(
            include_url=False, include_context=False, include_input=False
        )

    # Raised out here: the error holds the body, which holds the password.
    if any(fault["type"] == "json_invalid" for fault in faults):
        raise MalformedBodyError

    raise UnprocessableBodyError(_sentence(faults[0]))


def _from_form(body: bytes, model: type[M], form: Form) -> M:
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        pairs = None

    # RFC 6749, section 3.1: no parameter more than once.
    if pairs is None or len(dict(pairs)) != len(pairs):
        raise MalformedBodyError

    # RFC 6749, section 3.1: a parameter without a value is none.
    fields = {form.names.get(name, name): value for name, value in pairs if value}
    grant = fields.pop("grant_type", None)
    if grant is not None and grant != form.grant_type:
        raise UnsupportedGrantError

    try:
        return model.model_validate(fields)
    except ValidationError as error:
        faults = error.errors(
            include_url=False, include_context=False, include_input=False
        )

    raise UnprocessableBodyError(_sentence(faults[0]))


def _sentence(fault: Mapping[str, object]) -> str:
    """Name the field and the fault; neither is chosen by the caller."""
    location = fault["loc"]
    path = (
        ".".join(str(step) for step in location) if isinstance(location, tuple) else ""
    )
    return f"{path or 'body'}: {fault['msg']}."

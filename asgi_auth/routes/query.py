"""Read the query of a request into a model. It never repeats what was sent."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from asgi_auth.routes.errors import InvalidQueryError

__all__ = ["read_query"]

M = TypeVar("M", bound=BaseModel)


def read_query(request: Request, model: type[M]) -> M:
    """Return the parameters that the model knows; others are passed over.

    Raises:
        InvalidQueryError: One comes twice, or does not fit the model.
    """
    pairs = request.query_params.multi_items()
    own_pairs = [pair for pair in pairs if pair[0] in model.model_fields]
    if len(own_pairs) != len(dict(own_pairs)):
        raise InvalidQueryError

    try:
        return model.model_validate(dict(own_pairs))
    except ValidationError:
        raise InvalidQueryError from None

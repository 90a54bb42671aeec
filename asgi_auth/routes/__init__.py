"""The log-in routes: accounts and sessions over HTTP, as one app to mount anywhere.

Needs the extra ``routes``. Nothing below this package knows Starlette or Pydantic.
"""

from __future__ import annotations

from asgi_auth.errors import MissingExtraError

try:
    import pydantic
    import starlette
except ImportError as _error:
    _missing = _error.name
else:
    _missing = None
    del pydantic, starlette

if _missing is not None:
    _msg = f'AuthRoutes needs {_missing}: python -m pip install "asgi-auth[routes]"'
    raise MissingExtraError(_msg)

from asgi_auth.routes.app import AuthRoutes
from asgi_auth.routes.cookies import Cookies
from asgi_auth.routes.errors import SecondFactorRequiredError
from asgi_auth.routes.factors import Factor
from asgi_auth.routes.methods import LogInMethods
from asgi_auth.routes.models import (
    LoginRequest,
    TokenPayload,
    TokenResponse,
    UserResponse,
)
from asgi_auth.routes.shape import RouteShape

__all__ = [
    "AuthRoutes",
    "Cookies",
    "Factor",
    "LogInMethods",
    "LoginRequest",
    "RouteShape",
    "SecondFactorRequiredError",
    "TokenPayload",
    "TokenResponse",
    "UserResponse",
]

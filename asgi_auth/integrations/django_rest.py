"""Django REST framework: its ``request.user`` is the caller of the middleware.

Whether a caller may do something stays with the permission classes, and with guards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from asgi_auth.errors import AuthenticationError
from asgi_auth.guards.connection import scope_of
from asgi_auth.integrations._django import as_user
from asgi_auth.principal import get_principal, get_user
from asgi_auth.responses.challenge import format_challenge
from asgi_auth.responses.state import state_of

__all__ = ["PrincipalAuthentication"]


if TYPE_CHECKING:
    _Base = object  # It has no types.
else:
    _Base = BaseAuthentication


class PrincipalAuthentication(_Base):
    """Hand on who calls; name it in ``DEFAULT_AUTHENTICATION_CLASSES``.

    An unknown caller is anonymous: then ``IsAuthenticated`` answers 401, with our
    challenge. ``request.auth`` is the :class:`~asgi_auth.principal.Principal`.
    """

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Return the user and the principal, or ``None`` for an unknown caller.

        Raises:
            ConfigurationError: The request came by WSGI, or past the middleware.
        """
        scope = scope_of(request)
        principal = get_principal(scope)
        if not principal.is_authenticated:
            return None

        return as_user(get_user(scope)), principal

    def authenticate_header(self, request: Request) -> str:
        """Return the challenges of a refusal (RFC 9110, section 11.6.1).

        They say what was wrong with a credential, if one came.
        """
        scope = scope_of(request)
        error = get_principal(scope).error or AuthenticationError()
        challenges = state_of(scope).challenges
        return ", ".join(format_challenge(c, error).decode() for c in challenges)

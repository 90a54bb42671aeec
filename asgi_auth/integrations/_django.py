"""Django's own side: its users, and its way to answer instead of raising.

It is for the adapter of Channels; it guards nothing.
"""

from __future__ import annotations

from typing import Any

from channels.db import database_sync_to_async
from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from asgi_auth.errors import AuthError
from asgi_auth.principal import Principal
from asgi_auth.responses.deny import response_to

__all__ = ["RefusalMiddleware", "load_user"]


@database_sync_to_async  # type: ignore[untyped-decorator, unused-ignore]
def load_user(principal: Principal) -> Any:
    """Return the active Django user whose primary key is the subject, or ``None``.

    Give it to ``install`` as ``load_user``. With several issuers write your own:
    their subjects are not each other's.
    """
    users = get_user_model()._default_manager  # noqa: SLF001  (Django's public name)
    try:
        user = users.get(pk=principal.subject)
    except (ObjectDoesNotExist, ValueError, OverflowError, ValidationError):
        return None  # Also where no primary key looks like that.

    # Python reads "1_0", " 10" and other digits as 10 as well: one user has one name.
    if str(user.pk) != principal.subject:
        return None

    return user if getattr(user, "is_active", True) else None


class RefusalMiddleware(MiddlewareMixin):  # type: ignore[misc, unused-ignore]
    """Answer refusals within Django, which else logs them as crashes.

    Name it first in the ``MIDDLEWARE`` setting. A middleware of yours that stands
    below it and has a ``process_exception`` is asked before.
    """

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponse | None:
        """Return the answer to a refusal; leave other exceptions to Django."""
        if not isinstance(exception, AuthError):
            return None

        status, headers, body = response_to(exception, request.scope)
        response = HttpResponse(body, status=status)
        for raw, value in headers:
            name, before = raw.decode(), []
            if name == "www-authenticate" and name in response:
                before = [response[name]]

            response[name] = ", ".join([*before, value.decode()])

        return response

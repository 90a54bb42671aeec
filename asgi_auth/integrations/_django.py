"""Django's own side: its users, its CORS, and its way to answer instead of raising.

It is for the adapters of Django and Channels; it guards nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from http.cookies import Morsel
from io import BytesIO
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from django.utils.module_loading import import_string

from asgi_auth._asgi import Headers
from asgi_auth.errors import AuthError
from asgi_auth.guards.connection import scope_of
from asgi_auth.integrations._cors import CorsWithin
from asgi_auth.integrations._handed import Handed, morsels_of
from asgi_auth.principal import Principal, get_principal, get_user
from asgi_auth.responses.deny import response_to
from asgi_auth.typing import Scope

__all__ = [
    "HANDED",
    "RefusalMiddleware",
    "Routed",
    "UserMiddleware",
    "as_user",
    "cors_of",
    "load_user",
]

_CORS = "corsheaders.middleware"


async def cors_of(scope: Scope, status: int) -> Headers:
    """Return the headers that django-cors-headers puts on an answer with *status*."""
    cors = _cors_middleware()
    if cors is None:
        return []

    # Its signal may ask the database.
    response = await sync_to_async(_respond)(cors, scope, status)
    return [(n.lower().encode(), v.encode("latin-1")) for n, v in response.items()]


def _cors_middleware() -> Callable[..., Any] | None:
    """Find it, or a class of the application's below it, among the settings."""
    for name in settings.MIDDLEWARE:
        target: Any = import_string(name)
        family = target.__mro__ if isinstance(target, type) else ()
        if any(kind.__module__ == _CORS for kind in family):
            middleware: Callable[..., Any] = target
            return middleware

    return None


def _respond(cors: Callable[..., Any], scope: Scope, status: int) -> HttpResponse:
    request = ASGIRequest(scope, BytesIO())
    response: HttpResponse = cors(lambda _: HttpResponse(status=status))(request)
    return response


async def load_user(principal: Principal) -> Any:
    """Return the active Django user whose primary key is the subject, or ``None``.

    Give it to ``install`` as ``load_user``. With several issuers write your own:
    their subjects are not each other's.
    """
    return await sync_to_async(_find)(principal.subject)


def _find(subject: str) -> Any:
    # Django does not do it where no request of Django's begins or ends, as for sockets.
    close_old_connections()
    try:
        return _active(subject)
    finally:
        close_old_connections()


def _active(subject: str) -> Any:
    users = get_user_model()._default_manager  # noqa: SLF001  (Django's public name)
    try:
        user = users.get(pk=subject)
    except (ObjectDoesNotExist, ValueError, OverflowError, ValidationError):
        return None  # Also where no primary key looks like that.

    # Python reads "1_0", " 10" and other digits as 10 as well: one user has one name.
    if str(user.pk) != subject:
        return None

    return user if getattr(user, "is_active", True) else None


if TYPE_CHECKING:
    _Base = object  # Django has no types.
else:
    _Base = MiddlewareMixin


class RefusalMiddleware(_Base):
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


class UserMiddleware:
    """Make ``request.user`` and ``request.auser()`` the known caller.

    Name it in the ``MIDDLEWARE`` setting, below Django's ``AuthenticationMiddleware``
    where there is one: who is not known by a credential of ours stays whom the session
    knows, or is anonymous.

    Args:
        get_response: Django's.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Note who calls, and go on.

        Raises:
            ConfigurationError: The request came by WSGI, or past the middleware.
        """
        scope = scope_of(request)
        if get_principal(scope).is_authenticated:
            _be(request, get_user(scope))
        elif not hasattr(request, "user"):
            # Once Django has its apps, and not where this module is imported.
            from django.contrib.auth.models import AnonymousUser  # noqa: PLC0415

            _be(request, AnonymousUser())

        return self._get_response(request)


def _be(request: HttpRequest, user: Any) -> None:
    user = as_user(user)

    async def auser() -> Any:
        return user

    request.user = user
    request.auser = auser


def as_user(user: Any) -> Any:
    """Return what Django can ask as a user, also where there is none of its own."""
    return CallerUser(user) if isinstance(user, Principal) else user


class CallerUser:
    """A caller without an account in Django: no staff, and without its permissions.

    All that a :class:`~asgi_auth.principal.Principal` has, it has too.

    Args:
        principal: Who calls.
    """

    is_active = True
    is_anonymous = False
    is_staff = False
    is_superuser = False

    def __init__(self, principal: Principal) -> None:
        self._principal = principal
        # Throttles count by it, in caches that take no spaces and no long keys.
        # Subjects of two issuers are not each other's.
        identity = repr((principal.issuer, principal.subject)).encode()
        self.pk = sha256(identity).hexdigest()[:32]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # A copy asks for these before it has a principal.
            raise AttributeError(name)

        return getattr(self._principal, name)

    def __eq__(self, other: object) -> bool:
        mine = self._principal
        return mine == (other._principal if isinstance(other, CallerUser) else other)

    def __hash__(self) -> int:
        return hash(self.pk)

    def __str__(self) -> str:
        return self.get_username()

    def get_username(self) -> str:
        """Return the subject."""
        return self._principal.username

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Return ``False``: scopes and roles are for guards."""
        return False

    def has_perms(self, perm_list: object, obj: object = None) -> bool:
        """Return ``False``, as for one permission."""
        return False

    def has_module_perms(self, app_label: str) -> bool:
        """Return ``False``, as for one permission."""
        return False

    async def ahas_perm(self, perm: str, obj: object = None) -> bool:
        """Return ``False``, as :meth:`has_perm`."""
        return False

    async def ahas_perms(self, perm_list: object, obj: object = None) -> bool:
        """Return ``False``, as for one permission."""
        return False


class Routed(CorsWithin):
    """The middleware, which reads paths as Channels' routers do."""

    __slots__ = ()

    def _is_public(self, scope: Scope) -> bool:
        # A router around this app has left that; Django itself reads the whole path.
        remainder = scope.get("path_remaining")
        whole = remainder is None or scope["type"] == "http"
        return (not whole or super()._is_public(scope)) and (
            remainder is None
            or super()._is_public({**scope, "path": f"/{remainder}", "root_path": ""})
        )


def _add(response: HttpResponse, headers: Headers) -> None:
    for morsel in morsels_of(headers):
        kept = response.cookies.get(morsel.key, morsel)
        # One of another path is another cookie, which Django has no key for.
        is_other = _place_of(kept) != _place_of(morsel)
        key = "; ".join((morsel.key, *_place_of(morsel))) if is_other else morsel.key
        response.cookies[key] = morsel


def _place_of(morsel: Morsel[str]) -> tuple[str, str]:
    return morsel["path"], morsel["domain"]


HANDED = Handed(_add)

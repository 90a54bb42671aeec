"""What the routes about identity providers read and write, as Pydantic models.

Lengths are bounded here; what the texts mean is judged elsewhere.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from asgi_auth.routes.models import _Model as Model
from asgi_auth.routes.models import _printable as printable

__all__ = [
    "CallbackQuery",
    "CallbackRequest",
    "IdentitiesResponse",
    "IdentityResponse",
    "ProviderRequest",
    "ProviderResponse",
    "ProvidersResponse",
    "RedirectResponse",
]

_Text = Annotated[str, Field(max_length=4096)]
_Hint = Annotated[str, Field(max_length=254), AfterValidator(printable)]


class ProviderRequest(Model):
    """How a log-in at a provider is to begin.

    ``next`` is a path of this site. With ``fresh`` the user has to log in there again.
    """

    next: str | None = None
    prompt: Literal["none", "login", "consent", "select_account"] | None = None
    login_hint: _Hint | None = None
    fresh: bool = False


class RedirectResponse(Model):
    """Where to send the browser."""

    url: str


class CallbackQuery(Model):
    """What a provider sends a browser back with (RFC 6749, section 4.1.2; RFC 9207)."""

    state: _Text | None = None
    code: _Text | None = None
    iss: _Text | None = None
    error: _Text | None = None


class CallbackRequest(CallbackQuery):
    """What a page of the application's own passes on of it, to get tokens."""

    device_label: Annotated[str, Field(max_length=64)] | None = None
    delivery: Literal["body", "cookie"] = "body"


class ProviderResponse(Model):
    """A provider, for a button."""

    name: str
    label: str


class ProvidersResponse(Model):
    """The providers, in the order of the buttons."""

    providers: list[ProviderResponse]


class IdentityResponse(Model):
    """A log-in elsewhere that is linked to the account."""

    id: str
    provider: str
    label: str
    email: str | None
    linked_at: float


class IdentitiesResponse(Model):
    """All of them, the oldest first."""

    identities: list[IdentityResponse]

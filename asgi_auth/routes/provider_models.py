"""What the routes about identity providers read and write, as Pydantic models.

Lengths are bounded here; what the texts mean is judged elsewhere.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from asgi_auth.routes.models import RouteModel, Short

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
_Hint = Annotated[str, Field(max_length=254, pattern=r"^[^\x00-\x1f\x7f]*$")]


class ProviderRequest(RouteModel):
    """How a log-in at a provider is to begin.

    ``next`` is a path of this site. With ``fresh`` the user has to log in there again.
    """

    next: str | None = None
    prompt: Literal["none", "login", "consent", "select_account"] | None = None
    login_hint: _Hint | None = None
    fresh: bool = False


class RedirectResponse(RouteModel):
    """Where to send the browser."""

    url: str


class CallbackQuery(RouteModel):
    """What a provider sends a browser back with (RFC 6749, section 4.1.2; RFC 9207)."""

    state: _Text | None = None
    code: _Text | None = None
    iss: _Text | None = None
    error: _Text | None = None


class CallbackRequest(CallbackQuery):
    """What a page of the application's own passes on of it, to get tokens."""

    device_label: Short | None = None
    delivery: Literal["body", "cookie"] = "body"


class ProviderResponse(RouteModel):
    """A provider, for a button."""

    name: str
    label: str


class ProvidersResponse(RouteModel):
    """The providers, in the order of the buttons."""

    providers: list[ProviderResponse]


class IdentityResponse(RouteModel):
    """A log-in elsewhere that is linked to the account."""

    id: str
    provider: str
    label: str
    email: str | None
    linked_at: float


class IdentitiesResponse(RouteModel):
    """All of them, the oldest first."""

    identities: list[IdentityResponse]

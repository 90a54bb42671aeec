"""What the routes about second factors read and write, as Pydantic models."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from asgi_auth.routes.models import RouteModel, Token

__all__ = [
    "CodeRequest",
    "EnrolmentResponse",
    "FactorLoginRequest",
    "FactorResponse",
    "FactorsResponse",
    "PendingRequest",
    "RecoveryCodesResponse",
    "TOTPConfirmation",
]

# Whatever is typed or pasted is judged as a code, and by nothing else.
_Code = Annotated[str, Field(max_length=64)]


class FactorLoginRequest(RouteModel):
    """A code of a second factor, and the log-in that goes on with it.

    ``trust_device``: this device need not show a second factor for some time.
    """

    code: _Code
    pending_token: Token | None = None
    trust_device: bool = False


class PendingRequest(RouteModel):
    """The log-in that a code is wanted for, where no cookie holds it."""

    pending_token: Token | None = None


class TOTPConfirmation(RouteModel):
    """The first code of an authenticator app."""

    enrolment: Token
    code: _Code


class CodeRequest(RouteModel):
    """A code."""

    code: _Code


class EnrolmentResponse(RouteModel):
    """What sets an authenticator app up: ``uri`` is what its QR code says."""

    secret: str
    uri: str
    enrolment: str


class RecoveryCodesResponse(RouteModel):
    """New recovery codes, shown once; none where the user has some already."""

    recovery_codes: list[str]


class FactorResponse(RouteModel):
    """A second factor. Times are seconds since the Unix epoch."""

    method: str
    since: float
    last_used_at: float | None = None
    codes_left: int | None = None


class FactorsResponse(RouteModel):
    """The second factors of a user."""

    factors: list[FactorResponse]

"""What the routes of passkeys read and write, as Pydantic models.

What authenticators say is taken as it is, up to a length: its own rules are judged
elsewhere. Unknown fields are passed over.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from asgi_auth.routes.models import RouteModel, Short, Token

__all__ = [
    "AddPasskeyRequest",
    "CeremonyRequest",
    "CeremonyResponse",
    "PasskeyLoginRequest",
    "PasskeyNameRequest",
    "PasskeyResponse",
    "PasskeysResponse",
    "SecondPasskeyRequest",
]

# An id has at most 1023 bytes, and an attestation without certificates not 2 KiB.
_Id = Annotated[str, Field(min_length=1, max_length=1364, pattern="^[A-Za-z0-9_-]*$")]
_Small = Annotated[str, Field(max_length=2048)]
_Large = Annotated[str, Field(max_length=16_384)]


class _Spoken(BaseModel):
    """What browsers write: names are theirs (Web Authentication, section 5.1.3)."""

    model_config: ClassVar[ConfigDict] = ConfigDict(hide_input_in_errors=True)


class AttestationAnswer(_Spoken):
    """What an authenticator says of a credential that it has made."""

    clientDataJSON: _Small  # noqa: N815
    attestationObject: _Large  # noqa: N815
    transports: Annotated[list[Any], Field(max_length=16)] | None = None


class AssertionAnswer(_Spoken):
    """What an authenticator has signed."""

    clientDataJSON: _Small  # noqa: N815
    authenticatorData: _Small  # noqa: N815
    signature: _Small
    userHandle: Annotated[str, Field(max_length=86)] | None = None  # noqa: N815


class CreatedCredential(_Spoken):
    """``RegistrationResponseJSON``: of ``navigator.credentials.create()``."""

    id: _Id
    rawId: _Id  # noqa: N815
    type: Literal["public-key"]
    response: AttestationAnswer


class UsedCredential(_Spoken):
    """``AuthenticationResponseJSON``: of ``navigator.credentials.get()``."""

    id: _Id
    rawId: _Id  # noqa: N815
    type: Literal["public-key"]
    response: AssertionAnswer


class CeremonyResponse(RouteModel):
    """What to give to ``navigator.credentials``, and what has to come back with it."""

    options: dict[str, Any]
    ceremony: str
    expires_in: int


class CeremonyRequest(RouteModel):
    """How the tokens are to come, where routes have both ways."""

    delivery: Literal["body", "cookie"] = "body"


class AddPasskeyRequest(RouteModel):
    """A passkey that was just made."""

    credential: CreatedCredential
    ceremony: Token
    name: Short | None = None


class PasskeyLoginRequest(RouteModel):
    """An answer of a passkey.

    ``delivery`` says how the tokens are to come, where routes have both ways.
    """

    credential: UsedCredential
    ceremony: Token
    device_label: Short | None = None
    delivery: Literal["body", "cookie"] = "body"


class SecondPasskeyRequest(RouteModel):
    """An answer of a passkey, beside what was shown before."""

    credential: UsedCredential
    ceremony: Token
    pending_token: Token | None = None


class PasskeyNameRequest(RouteModel):
    """What its owner calls a passkey."""

    name: Annotated[Short, Field(min_length=1)]


class PasskeyResponse(RouteModel):
    """One passkey of the user. Times are seconds since the Unix epoch.

    ``synced`` ones may be copied to other devices, ``backed_up`` ones have been.
    """

    id: str
    name: str
    created_at: float
    last_used_at: float | None = None
    synced: bool
    backed_up: bool
    transports: list[str]
    aaguid: str


class PasskeysResponse(RouteModel):
    """All passkeys of the user, the oldest first."""

    passkeys: list[PasskeyResponse]

"""What the log-in routes read and write, as Pydantic models.

Lengths of e-mail addresses and passwords are not judged here: the accounts do that,
with the same answer for everybody. Unknown fields are passed over.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel

from asgi_auth.stores.records import SESSIONS_PAGE

__all__ = [
    "ChangeEmailRequest",
    "ChangePasswordRequest",
    "ConfirmationRequest",
    "DeleteRequest",
    "DeviceResponse",
    "EmailRequest",
    "IntrospectionResponse",
    "LoginRequest",
    "LogoutRequest",
    "NameRegisterRequest",
    "NamedRegisterRequest",
    "ReauthenticateRequest",
    "RefreshRequest",
    "RegisterRequest",
    "ResetRequest",
    "RouteModel",
    "SessionResponse",
    "SessionsQuery",
    "SessionsResponse",
    "Short",
    "StatusResponse",
    "Token",
    "TokenPayload",
    "TokenRequest",
    "TokenResponse",
    "UserResponse",
]

_LONGEST_TOKEN = 8192


class RouteModel(BaseModel):
    """Reads both spellings, and writes the one that it is told to."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )


def _printable(text: str) -> str:
    if not text.isprintable():
        msg = "control characters are not allowed"
        raise ValueError(msg)

    return text


Token = Annotated[str, Field(max_length=_LONGEST_TOKEN)]
Short = Annotated[str, Field(max_length=64), AfterValidator(_printable)]


class LoginRequest(RouteModel):
    """Who wants to log in, by address or by name. ``code`` is for a second factor.

    ``delivery`` says how the tokens are to come, where routes have both ways. Cookies
    that are not to ``remember`` end with the session of the browser.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": ["email"]}, {"required": ["username"]}]
        }
    )

    email: str | None = None
    username: str | None = None
    password: str
    code: Short | None = None
    device_label: Short | None = None
    device_token: Token | None = None
    trust_token: Token | None = None
    delivery: Literal["body", "cookie"] = "body"
    remember: bool = True

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if (self.email is None) == (self.username is None):
            msg = "either email or username is needed"
            raise ValueError(msg)

        return self

    @property
    def login(self) -> str:
        """What the user logs in with."""
        return self.email or self.username or ""


class RegisterRequest(RouteModel):
    """Who wants an account."""

    email: str
    password: str


class NamedRegisterRequest(RouteModel):
    """Who wants an account, where users log in by name."""

    username: str
    email: str | None = None
    password: str


class NameRegisterRequest(RouteModel):
    """Who wants an account, where users have names and no addresses."""

    username: str
    password: str


class DeleteRequest(RouteModel):
    """The password, unless the log-in is fresh."""

    password: str | None = None


class EmailRequest(RouteModel):
    """An address that a message is to go to."""

    email: str


class TokenRequest(RouteModel):
    """A token: from a message, or to be judged."""

    token: Token


class TicketRequest(RouteModel):
    """Where a ticket is to be good."""

    path: str = Field(min_length=1, max_length=1024, pattern=r"^/[^?#\x00-\x1f]*$")


class TicketResponse(RouteModel):
    """What stands for an access token in one address, once."""

    ticket: str
    expires_in: int


class ConfirmationRequest(RouteModel):
    """A token from a message, and the password of the account that it is about."""

    token: Token
    password: str


class ResetRequest(RouteModel):
    """A token from a message, and the password to be."""

    token: Token
    password: str


class ChangePasswordRequest(RouteModel):
    """The password until now, and the one to be."""

    current_password: str
    new_password: str


class ChangeEmailRequest(RouteModel):
    """The address to be."""

    email: str
    password: str


class ReauthenticateRequest(RouteModel):
    """Proof that the user is still there."""

    password: str
    code: Short | None = None


class RefreshRequest(RouteModel):
    """The refresh token, where no cookie holds it."""

    refresh_token: Token | None = None


class LogoutRequest(RefreshRequest):
    """The refresh token, where no cookie holds it."""


class TokenResponse(RouteModel):
    """What a log-in and a refresh give (RFC 6749, section 5.1).

    The tokens are left out where cookies hold them.
    """

    access_token: str | None = None
    refresh_token: str | None = None
    token_type: str = "Bearer"  # noqa: S105
    expires_in: int | None = None
    refresh_expires_in: int | None = None
    scope: str | None = None
    device_token: str | None = None
    trust_token: str | None = None


class UserResponse(RouteModel):
    """A user, as the user may see it.

    ``verified`` is null where it is not kept whether the address is.
    """

    id: str
    email: str | None = None
    username: str | None = None
    verified: bool | None = None
    roles: list[str] | None = None
    data: dict[str, Any] | None = None

    # Pydantic would put the type of what it returns into OpenAPI, and nothing else.
    @model_serializer(mode="wrap")
    def _keep_null(self, write: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]  # noqa: ANN202
        """Write that it is not known, though what is not there is left out."""
        members: dict[str, Any] = write(self)
        if self.verified is None:
            members["verified"] = None

        return members


class TokenPayload(BaseModel):
    """The claims of a token (RFC 7519, section 4.1), under their own names."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")

    sub: str
    type: str
    exp: int
    iat: int
    iss: str | None = None
    aud: str | list[str] | None = None
    jti: str | None = None
    sid: str | None = None
    scope: str | None = None
    roles: list[str] | None = None


class DeviceResponse(RouteModel):
    """Where a log-in came from; ``name`` is for instance ``Firefox on Linux``."""

    label: str | None = None
    name: str | None = None
    ip: str | None = None
    user_agent: str | None = None


class SessionResponse(RouteModel):
    """One log-in on one device. Times are seconds since the Unix epoch."""

    sid: str
    current: bool
    created_at: float
    last_used_at: float
    expires_at: float
    device: DeviceResponse


class SessionsQuery(BaseModel):
    """Which page of the log-ins: what is behind ``after``, the ``next`` of another."""

    after: Annotated[str, Field(max_length=256)] | None = None
    limit: Annotated[int, Field(ge=1, le=SESSIONS_PAGE)] = SESSIONS_PAGE


class SessionsResponse(RouteModel):
    """A page of the user's log-ins, the oldest first, and where the next one begins."""

    sessions: list[SessionResponse]
    next: str | None = None


class StatusResponse(RouteModel):
    """What happens next."""

    status: str


class IntrospectionResponse(BaseModel):
    """What a resource server may know about a token (RFC 7662, section 2.2).

    ``act`` says who acts for the subject (RFC 8693, section 4.1).
    """

    active: bool
    scope: str | None = None
    client_id: str | None = None
    token_type: str | None = None
    exp: int | None = None
    iat: int | None = None
    sub: str | None = None
    aud: str | list[str] | None = None
    iss: str | None = None
    jti: str | None = None
    cnf: dict[str, Any] | None = None
    act: dict[str, Any] | None = None

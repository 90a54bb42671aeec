"""The log-in routes as a table: what the router, the document and the middleware read.

It names handlers; it holds none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import BaseModel

from asgi_auth.routes.body import Form
from asgi_auth.routes.login import LOGIN_FORM
from asgi_auth.routes.models import (
    ChangeEmailRequest,
    ChangePasswordRequest,
    ConfirmationRequest,
    EmailRequest,
    IntrospectionResponse,
    LoginRequest,
    LogoutRequest,
    ReauthenticateRequest,
    RefreshRequest,
    RegisterRequest,
    ResetRequest,
    SessionsResponse,
    StatusResponse,
    TokenRequest,
    TokenResponse,
    UserResponse,
)
from asgi_auth.routes.session import REFRESH_FORM
from asgi_auth.routes.tokens import TOKEN_FORM

__all__ = ["OPERATIONS", "Operation", "Part"]

Part = Literal[
    "register",
    "verify",
    "login",
    "reauthenticate",
    "refresh",
    "logout",
    "logout_all",
    "password_forgot",
    "password_change",
    "email_change",
    "revoke",
    "introspect",
    "me",
    "sessions",
    "jwks",
    "openapi",
    "client",
]
"""What can be chosen or left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    Attributes:
        part: What it belongs to.
        method: The HTTP method.
        path: Below the mount.
        handler: The name of its handler.
        summary: One line for people.
        body: The model of the request's body, if it has one.
        form: How the body is spelled as a form, if it may be one.
        optional: The body may be left out.
        answers: The model of each good answer; ``None`` for one without a body.
        refusals: The statuses of its refusals, beside those of every operation.
        guarded: It needs a caller that is known.
        mail: It is of no use without mail.
        cookies: It may read or set cookies.
    """

    part: Part
    method: Literal["GET", "POST", "DELETE"]
    path: str
    handler: str
    summary: str
    body: type[BaseModel] | None = None
    form: Form | None = None
    optional: bool = False
    answers: dict[int, type[BaseModel] | None] = field(default_factory=dict)
    refusals: tuple[int, ...] = ()
    guarded: bool = False
    mail: bool = False
    cookies: bool = True


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        part="register",
        method="POST",
        path="/register",
        handler="register",
        summary="Make an account",
        body=RegisterRequest,
        answers={201: UserResponse, 202: StatusResponse},
        refusals=(409, 429),
    ),
    Operation(
        part="verify",
        method="POST",
        path="/verify",
        handler="verify",
        summary="Confirm an e-mail address with a token from a message",
        body=ConfirmationRequest,
        answers={200: UserResponse},
        refusals=(401, 409),
        mail=True,
    ),
    Operation(
        part="verify",
        method="POST",
        path="/verify/resend",
        handler="resend",
        summary="Send the message for an e-mail address again",
        body=EmailRequest,
        answers={202: StatusResponse},
        refusals=(429,),
        mail=True,
    ),
    Operation(
        part="login",
        method="POST",
        path="/login",
        handler="log_in",
        summary="Log in",
        body=LoginRequest,
        form=LOGIN_FORM,
        answers={200: TokenResponse},
        refusals=(401, 403, 429, 500),
    ),
    Operation(
        part="reauthenticate",
        method="POST",
        path="/reauthenticate",
        handler="reauthenticate",
        summary="Prove again to be there: a fresh session for the old one",
        body=ReauthenticateRequest,
        answers={200: TokenResponse},
        refusals=(403, 429, 500),
        guarded=True,
    ),
    Operation(
        part="refresh",
        method="POST",
        path="/refresh",
        handler="refresh",
        summary="Replace the tokens",
        body=RefreshRequest,
        form=REFRESH_FORM,
        optional=True,
        answers={200: TokenResponse},
        refusals=(401, 500),
    ),
    Operation(
        part="logout",
        method="POST",
        path="/logout",
        handler="log_out",
        summary="End this session",
        body=LogoutRequest,
        optional=True,
        answers={204: None},
        refusals=(401,),
    ),
    Operation(
        part="logout_all",
        method="POST",
        path="/logout-all",
        handler="log_out_everywhere",
        summary="End all sessions",
        answers={204: None},
        guarded=True,
    ),
    Operation(
        part="password_forgot",
        method="POST",
        path="/password/forgot",
        handler="forgot_password",
        summary="Ask for a message with a token for a new password",
        body=EmailRequest,
        answers={202: StatusResponse},
        refusals=(429,),
        mail=True,
    ),
    Operation(
        part="password_forgot",
        method="POST",
        path="/password/reset",
        handler="reset_password",
        summary="Set a new password with a token from a message",
        body=ResetRequest,
        answers={204: None},
        refusals=(401, 409, 429),
        mail=True,
    ),
    Operation(
        part="password_change",
        method="POST",
        path="/password/change",
        handler="change_password",
        summary="Set a new password",
        body=ChangePasswordRequest,
        answers={204: None},
        refusals=(403, 409, 429),
        guarded=True,
    ),
    Operation(
        part="email_change",
        method="POST",
        path="/email/change",
        handler="change_email",
        summary="Ask for a message with a token to a new e-mail address",
        body=ChangeEmailRequest,
        answers={202: StatusResponse},
        refusals=(403, 429),
        guarded=True,
        mail=True,
    ),
    Operation(
        part="email_change",
        method="POST",
        path="/email/confirm",
        handler="confirm_email",
        summary="Change the e-mail address with a token from a message",
        body=ConfirmationRequest,
        answers={200: UserResponse},
        refusals=(401, 409),
        mail=True,
    ),
    Operation(
        part="me",
        method="GET",
        path="/me",
        handler="me",
        summary="Show the account",
        answers={200: UserResponse},
        guarded=True,
    ),
    Operation(
        part="sessions",
        method="GET",
        path="/sessions",
        handler="list_sessions",
        summary="List the sessions",
        answers={200: SessionsResponse},
        guarded=True,
    ),
    Operation(
        part="sessions",
        method="DELETE",
        path="/sessions/{sid}",
        handler="end_session",
        summary="End one session",
        answers={204: None},
        refusals=(404,),
        guarded=True,
    ),
    Operation(
        part="revoke",
        method="POST",
        path="/revoke",
        handler="revoke",
        summary="Revoke a token (RFC 7009)",
        body=TokenRequest,
        form=TOKEN_FORM,
        answers={200: None},
        cookies=False,
    ),
    Operation(
        part="introspect",
        method="POST",
        path="/introspect",
        handler="introspect",
        summary="Say what a token is good for (RFC 7662)",
        body=TokenRequest,
        form=TOKEN_FORM,
        answers={200: IntrospectionResponse},
        refusals=(401, 403),
        cookies=False,
    ),
    Operation(
        part="jwks",
        method="GET",
        path="/jwks.json",
        handler="jwks",
        summary="The public keys (RFC 7517)",
        answers={200: None},
        cookies=False,
    ),
    Operation(
        part="openapi",
        method="GET",
        path="/openapi.json",
        handler="openapi",
        summary="This document",
        answers={200: None},
        cookies=False,
    ),
    Operation(
        part="client",
        method="GET",
        path="/client.js",
        handler="client",
        summary="The client for browsers, an ES module",
        answers={200: None, 304: None},
        cookies=False,
    ),
)
"""All of them, in the order of the document."""

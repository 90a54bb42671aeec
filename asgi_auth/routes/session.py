"""Refresh, log out, and see who one is and where one is logged in.

A refresh that fails touches no cookie: the browser may hold the ones of a refresh that
won. A session that is not the caller's does not exist.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from starlette.requests import Request
from starlette.responses import Response

from asgi_auth.errors import (
    AuthenticationError,
    ExpiredTokenError,
    InvalidTokenError,
    RevokedTokenError,
    UnknownSubjectError,
)
from asgi_auth.routes.binding import key_of
from asgi_auth.routes.body import Form
from asgi_auth.routes.delivery import Medium
from asgi_auth.routes.errors import InvalidQueryError, UnknownPathError
from asgi_auth.routes.models import (
    DeviceResponse,
    LogoutRequest,
    RefreshRequest,
    SessionResponse,
    SessionsQuery,
    SessionsResponse,
    TokenResponse,
    UserResponse,
)
from asgi_auth.routes.on_context import OnContext
from asgi_auth.routes.operations import Operations
from asgi_auth.routes.query import read_query
from asgi_auth.stores.records import Place, Session
from asgi_auth.tokens.codec import peek
from asgi_auth.tokens.pair import TokenPair

__all__ = ["REFRESH_FORM", "SessionRoutes"]

REFRESH_FORM = Form(grant_type="refresh_token")
"""The form of a refresh (RFC 6749, section 6)."""

_Kind = Literal["access", "refresh"]
_COARSE: Final = 300.0


class SessionRoutes(OnContext):
    """The handlers about sessions that are there already."""

    operations: ClassVar[Operations] = Operations()

    __slots__ = ()

    @operations.add(
        part="refresh",
        method="POST",
        path="/refresh",
        summary="Replace the tokens",
        body=RefreshRequest,
        form=REFRESH_FORM,
        optional=True,
        answers={200: TokenResponse},
        refusals=(401, 500),
    )
    async def refresh(self, request: Request) -> Response:
        """Replace the refresh token."""
        await self._context.count_token(request)
        body = await self._context.read(
            request, RefreshRequest, form=REFRESH_FORM, optional=True
        )
        # What came in a cookie stays out of the reach of scripts.
        medium: Medium = "cookie" if body.refresh_token is None else "body"
        key = await key_of(self._context, request, medium)
        pair = await self.renew(request, self._refresh_tokens(request, body), key)
        return self._context.deliver(request, pair, medium=medium)

    @operations.add(
        part="logout",
        method="POST",
        path="/logout",
        summary="End this session",
        body=LogoutRequest,
        optional=True,
        answers={204: None},
        refusals=(401,),
    )
    async def log_out(self, request: Request) -> Response:
        """End the session of the refresh token, and of the access token."""
        await self._context.count_token(request)
        body = await self._context.read(request, LogoutRequest, optional=True)
        if not await self.end(request, body):
            raise AuthenticationError

        return self._context.clear_cookies(request, self._context.done())

    async def end(self, request: Request, body: LogoutRequest) -> bool:
        """End the sessions of all tokens that came, and report whether any did.

        Raises:
            InvalidTokenError: One that the client chose to send is not ours.
            UnavailableError: The store is down.
        """
        credentials = self._tokens_of(request, body)
        ended, fault = False, None
        for kind, token, explicit in credentials:
            try:
                await self._end_session_of(token, kind)
                ended = True
            except InvalidTokenError as error:
                # Rubbish in a cookie must not keep a user from logging out.
                fault = error if explicit else fault

        if fault is not None and not ended:
            raise fault

        return bool(credentials)

    @operations.add(
        part="logout_all",
        method="POST",
        path="/logout-all",
        summary="End all sessions",
        answers={204: None},
        refusals=(403,),
        guarded=True,
    )
    async def log_out_everywhere(self, request: Request) -> Response:
        """End all sessions of the caller."""
        caller = await self._context.owner(request)
        await self._context.tokens.revoke_subject(caller.subject)
        return self._context.clear_cookies(request, self._context.done())

    @operations.add(
        part="me",
        method="GET",
        path="/me",
        summary="Show the account",
        answers={200: UserResponse},
        guarded=True,
    )
    async def me(self, request: Request) -> Response:
        """Show the caller's account."""
        caller = await self._context.caller(request)
        account = await self._context.users.find(caller.subject)
        if account is None:
            raise UnknownSubjectError

        return self._context.user(account)

    @operations.add(
        part="sessions",
        method="GET",
        path="/sessions",
        summary="List the sessions",
        query=SessionsQuery,
        answers={200: SessionsResponse},
        guarded=True,
    )
    async def list_sessions(self, request: Request) -> Response:
        """List a page of the caller's sessions, the oldest first."""
        caller = await self._context.caller(request)
        query = read_query(request, SessionsQuery)
        # One more, to know whether there is a page behind this one.
        sessions = await self._context.tokens.sessions(
            caller.subject, after=_place(query.after), limit=query.limit + 1
        )
        page = sessions[: query.limit]
        entries = [_entry_of(session, caller.session_id) for session in page]
        following = str(page[-1].place) if len(sessions) > len(page) else None
        return self._context.answer(SessionsResponse(sessions=entries, next=following))

    @operations.add(
        part="sessions",
        method="DELETE",
        path="/sessions/{sid}",
        summary="End one session",
        answers={204: None},
        refusals=(403, 404),
        guarded=True,
    )
    async def end_session(self, request: Request) -> Response:
        """End one session of the caller."""
        caller = await self._context.owner(request)
        sid = request.path_params["sid"]
        if await self._context.tokens.session(sid, caller.subject) is None:
            raise UnknownPathError

        await self._context.tokens.revoke_session(sid)
        response = self._context.done()
        if sid == caller.session_id:
            self._context.clear_cookies(request, response)

        return response

    async def renew(
        self, request: Request, tokens: tuple[str, ...], key: str | None
    ) -> TokenPair:
        """Use the first of *tokens* that is good; each is of another session.

        Raises:
            AuthenticationError: None is good.
            UnavailableError: The store is down.
        """
        device = self._context.device(request)
        fault: AuthenticationError = AuthenticationError("no refresh token came")
        for number, token in enumerate(tokens):
            try:
                return await self._context.tokens.refresh(
                    token, device=device, thumbprint=key
                )
            except InvalidTokenError as error:
                fault = error if number == 0 else fault

        raise fault

    def _refresh_tokens(
        self, request: Request, body: RefreshRequest
    ) -> tuple[str, ...]:
        if body.refresh_token is not None:
            return (body.refresh_token,)

        cookies = self._context.cookies
        return () if cookies is None else cookies.read_refresh(request.scope)

    def _tokens_of(
        self, request: Request, body: LogoutRequest
    ) -> list[tuple[_Kind, str, bool]]:
        """Return all tokens that came, and whether the client chose to send them."""
        tokens: list[tuple[_Kind, str, bool]] = [
            ("refresh", refresh, body.refresh_token is not None)
            for refresh in self._refresh_tokens(request, body)
        ]

        access = self._context.access_token(request)
        if access is not None:
            tokens.append(("access", *access))

        return tokens

    async def _end_session_of(self, token: str, kind: _Kind) -> None:
        """End the session of a token whose only fault may be its age.

        Raises:
            InvalidTokenError: It is not ours.
            UnavailableError: The store is down.
        """
        try:
            # Whoever has a token may end its session: a thief gains nothing by it.
            claims = await self._context.tokens.verify(
                token, expected_type=kind, insecure_ignore_confirmation=True
            )
        except RevokedTokenError:
            return
        except ExpiredTokenError:
            # All else is good, so that what it says is true.
            parts = peek(token.encode())
            claims = {} if parts is None else parts[1]

        sid = claims.get("sid")
        if sid is not None:
            await self._context.tokens.revoke_session(sid)
        else:
            # A token without a session, as of an actor who acts for the user.
            await self._context.tokens.revoke(token)


def _place(text: str | None) -> Place | None:
    try:
        return None if text is None else Place.parse(text)
    except ValueError:
        raise InvalidQueryError from None


def _entry_of(session: Session, present: str | None) -> SessionResponse:
    device = session.device
    return SessionResponse(
        sid=session.sid,
        current=session.sid == present,
        created_at=session.created_at,
        # Coarsely: exact to the second, it would show a thief when to come.
        last_used_at=session.rotated_at // _COARSE * _COARSE,
        expires_at=session.idle_expires_at,
        device=DeviceResponse(
            label=device.label,
            name=device.name,
            ip=device.ip,
            user_agent=device.user_agent,
        ),
    )

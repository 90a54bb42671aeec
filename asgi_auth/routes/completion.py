"""The end of every log-in: is it enough, and if so, the session.

Passwords, identity providers and passkeys all come here with what was shown
(:class:`~asgi_auth.routes.pending.Proof`), and none opens a session by itself:

.. code-block:: python

    proof = Proof(account=account, amr=("fed",), medium="cookie")
    response = await completion.complete(request, proof)

Where the user has a second factor and has not shown one, that raises
:class:`~asgi_auth.routes.errors.SecondFactorRequiredError`, which holds the names of
the methods and a *pending token*. Routes that take a second factor read that with
:meth:`LogInCompletion.pending`, check what they take, and call
:meth:`LogInCompletion.open` with the :class:`~asgi_auth.routes.factors.Factor`.

What makes a second factor needed is in ``RouteContext.second_factors``: objects with
``methods(account_id)``, see :class:`~asgi_auth.routes.factors.SecondFactors`. This
module checks no code, and no password.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import Response

from asgi_auth.accounts import Account
from asgi_auth.errors import (
    ConfigurationError,
    InvalidCredentialsError,
    InvalidTokenError,
)
from asgi_auth.principal import is_user
from asgi_auth.routes.binding import key_of
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.devices import KnownDevices
from asgi_auth.routes.errors import CookieTooLargeError, SecondFactorRequiredError
from asgi_auth.routes.factors import Factor
from asgi_auth.routes.opening import open_session
from asgi_auth.routes.pending import PENDING_TTL, PendingLogIns, Proof
from asgi_auth.routes.tries import CodeTries
from asgi_auth.routes.trust import TrustedDevices
from asgi_auth.stores.records import Device
from asgi_auth.tokens.pair import TokenPair

__all__ = ["MFA", "LogInCompletion"]

MFA: Final = "mfa"
"""The authentication context class of a log-in with two factors."""


class LogInCompletion:
    """Opens sessions for users who have shown enough.

    Args:
        context: The settings.
    """

    __slots__ = ("_context", "_devices", "_pending", "_tries", "_trust")

    def __init__(self, context: RouteContext) -> None:
        self._context = context
        self._devices = KnownDevices(context.tokens)
        self._pending = PendingLogIns(context.tokens, context.users)
        self._trust = TrustedDevices(context.tokens)
        self._tries = CodeTries(context)

    async def complete(self, request: Request, proof: Proof) -> Response:
        """Open a session, and answer with its tokens.

        Args:
            request: The one that logs in; a trusted browser has a cookie in it.
            proof: What was shown.

        Raises:
            SecondFactorRequiredError: It is not enough.
            InvalidCredentialsError: The account has changed meanwhile.
            UnavailableError: A store is down.
        """
        cookies = self._context.cookies
        if proof.device is None and cookies is not None:
            token = cookies.read("device", request.scope)
            device = await self._devices.recognise(token, proof.login)
            proof = replace(proof, device=device)

        trust = self.trust_cookie(request)
        factor = await self.judge(request, proof, trust=trust)
        return await self.open(request, proof, factor)

    async def judge(
        self,
        request: Request,
        proof: Proof,
        *,
        code: str | None = None,
        trust: str | None = None,
    ) -> Factor:
        """Say whether what was shown is enough, with a code that came along.

        Args:
            request: The one that logs in.
            proof: What was shown.
            code: Of a second factor, if it came with the first.
            trust: The token of a device that is spared its second factor.

        Raises:
            SecondFactorRequiredError: It is not enough.
            InvalidCredentialsError: The code is wrong.
        """
        if proof.acr == MFA:
            return Factor(acr=MFA)

        if code is not None or self._context.methods.second_factor is not None:
            factor = await self.check(request, proof, code)
            if factor is not None:
                return factor

        methods = await self.methods(proof.account)
        is_trusted = trust is not None and await self._trust.admits(
            trust, proof.account, methods
        )
        if is_trusted or not methods:
            return Factor(acr=proof.acr)

        raise self.demand(request, proof, methods)

    async def check(
        self, request: Request, proof: Proof, code: str | None
    ) -> Factor | None:
        """Use the code of a second factor up.

        Args:
            request: The one that shows it.
            proof: What was shown before.
            code: As it came.

        Returns:
            What was shown; ``None`` for a user without any factor that has codes.

        Raises:
            InvalidCredentialsError: The code is wrong.
            RateLimitedError: There were too many wrong ones.
        """
        context = self._context
        if context.methods.second_factor is not None and code is None:
            return await self._ask_application(request, proof, None)

        if code is None:
            return None

        async with self._tries.counted(request, proof, code):
            if context.methods.second_factor is not None:
                return await self._ask_application(request, proof, code)

            if context.methods.factors is None:
                return None

            kind = await context.methods.factors.check(
                proof.account, code, attempt=proof.attempt
            )

        return None if kind is None else Factor(acr=MFA, amr=("otp", MFA))

    def trust_cookie(self, request: Request) -> str | None:
        """Return the token of a browser that is spared its second factor, if any."""
        cookies = self._context.cookies
        return None if cookies is None else cookies.read("trust", request.scope)

    async def new_trust(self, account: Account) -> str | None:
        """Return a token that spares a device its second factor, if that is offered."""
        factors = self._context.methods.factors
        if factors is None or not factors.trust_for:
            return None

        methods = await self.methods(account)
        return self._trust.write(account, methods, ttl=factors.trust_for)

    async def methods(self, account: Account) -> Mapping[str, float]:
        """Return the second factors that a user has, and since when."""
        methods: dict[str, float] = {}
        for source in self._context.methods.second_factors:
            methods |= await source.methods(account.id)

        # Codes that are there in place of a factor ask nobody for one.
        return methods if methods.keys() != {"recovery"} else {}

    def demand(
        self, request: Request, proof: Proof, methods: Mapping[str, float]
    ) -> SecondFactorRequiredError:
        """Return the refusal that asks for a second factor, with a pending token."""
        context = self._context
        token = self._pending.write(proof)
        error = SecondFactorRequiredError()
        members: dict[str, Any] = {
            "methods": sorted(methods),
            "expires_in": PENDING_TTL,
        }
        if context.cookies is not None and context.medium(proof.medium) == "cookie":
            carrier = Response()
            mount = request.scope["root_path"]
            context.cookies.set_pending(carrier, token, mount, seconds=PENDING_TTL)
            error.headers = tuple(
                field for field in carrier.raw_headers if field[0] == b"set-cookie"
            )
        else:
            members["pending_token"] = token

        if context.shape.camel_case:
            members = {to_camel(name): value for name, value in members.items()}

        error.members = members
        return error

    async def pending(self, request: Request, token: str | None) -> Proof:
        """Return what was shown in the log-in that this request goes on with.

        Args:
            request: A cookie of it has the token, if the body has none.
            token: From the body.

        Raises:
            InvalidTokenError: There is no such log-in, or it is over.
            UnavailableError: No verdict is possible at the moment.
        """
        context = self._context
        if token is None and context.cookies is not None:
            token = context.cookies.read("pending", request.scope)

        if token is None:
            msg = "no log-in waits for a second factor"
            raise InvalidTokenError(msg)

        proof = await self._pending.read(token)
        # Who has the key that the log-in began with also ends it.
        if await key_of(context, request, proof.medium) != proof.key:
            msg = "the log-in began with another key"
            raise InvalidTokenError(msg)

        return proof

    async def open(
        self,
        request: Request,
        proof: Proof,
        factor: Factor,
        *,
        trust: str | None = None,
    ) -> Response:
        """Open a session for a user who has shown enough, and answer with its tokens.

        Args:
            request: The one that logs in.
            proof: What was shown first.
            factor: What was shown beside it.
            trust: The token that spares this browser its second factor from now on.

        Raises:
            InvalidCredentialsError: The account has changed meanwhile.
            CookieTooLargeError: The tokens do not fit into cookies.
        """
        context = self._context
        device = context.device(request, proof.label)
        pair = await self.session(proof, factor, device)
        token = None
        if context.limiter is not None:
            token = self._devices.remember(
                proof.login, proof.device, has_shown=factor.acr == MFA
            )

        response = await self.deliver(request, proof, pair, token, trust)
        where = {"ip": device.ip, "user_agent": device.user_agent}
        detail = {**where, "device": device.name}
        context.tell("login.succeeded", proof.account.id, pair.session_id, detail)
        return response

    async def session(self, proof: Proof, factor: Factor, device: Device) -> TokenPair:
        """Open a session.

        Raises:
            InvalidCredentialsError: The account has changed meanwhile.
            UnknownSubjectError: It is gone.
        """
        return await open_session(
            self._context,
            proof.account,
            device=device,
            amr=tuple(dict.fromkeys((*proof.amr, *factor.amr))),
            acr=factor.acr,
            key=proof.key,
            auth_time=proof.auth_time,
        )

    async def deliver(
        self,
        request: Request,
        proof: Proof,
        pair: TokenPair,
        device: str | None = None,
        trust: str | None = None,
    ) -> Response:
        """Hand out the tokens of a session that was just opened.

        Raises:
            CookieTooLargeError: They do not fit into cookies.
        """
        context = self._context
        try:
            return context.deliver(
                request,
                pair,
                device,
                medium=proof.medium,
                trust_token=trust,
                remember=proof.remember,
            )
        except CookieTooLargeError:
            # No client gets its tokens, so no client could end it.
            await context.tokens.revoke_session(pair.session_id)
            raise

    async def _ask_application(
        self, request: Request, proof: Proof, code: str | None
    ) -> Factor | None:
        check = self._context.methods.second_factor
        assert check is not None  # noqa: S101  # judge() has seen it
        try:
            factor: object = await check(proof.account, code)
        except SecondFactorRequiredError as error:
            if error.members:
                raise

            raise self.demand(request, proof, {"code": 0.0}) from None

        if isinstance(factor, Factor):
            return factor

        if factor is None:
            # It needs nothing more, and does not speak for passkeys.
            return None if await self.methods(proof.account) else Factor(acr=proof.acr)

        if not is_user(factor):  # A "no".
            raise InvalidCredentialsError

        msg = "second_factor must return a Factor or None, or raise an AuthError."
        raise ConfigurationError(msg)

"""Count wrong codes of second factors: five, then a pause that locks no owner out.

A device that has shown a second factor before has a counter of its own, and recovery
codes, which nobody can guess, are not counted: whoever knows the password of a user can
keep neither from them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from starlette.requests import Request

from asgi_auth.errors import AuthError, InvalidCredentialsError
from asgi_auth.factors.codes import kind_of
from asgi_auth.ratelimit.limiter import Rule
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.errors import SecondFactorRequiredError
from asgi_auth.routes.pending import Proof

__all__ = ["CodeTries"]

# An application's own may answer to a wrong code by asking for one again.
_WRONG: Final = (InvalidCredentialsError, SecondFactorRequiredError)


class CodeTries:
    """Counts codes that turn out to be wrong.

    Args:
        context: The settings.
    """

    __slots__ = ("_context",)

    def __init__(self, context: RouteContext) -> None:
        self._context = context

    @asynccontextmanager
    async def counted(
        self, request: Request, proof: Proof, code: str
    ) -> AsyncGenerator[None]:
        """Count a code before it is looked at, and take it back if it is not wrong.

        Args:
            request: The one that shows it.
            proof: What was shown before.
            code: As it came.

        Raises:
            RateLimitedError: There were too many.
            UnavailableError: It cannot be counted.
        """
        counters = self._counters(request, proof, code)
        for rule, key in counters:
            await self._context.count(rule, *key)

        try:
            yield
        except AuthError as error:
            if not isinstance(error, _WRONG):
                await self._give_back(counters)

            raise

        await self._give_back(counters)

    def _counters(
        self, request: Request, proof: Proof, code: str
    ) -> list[tuple[Rule, tuple[str, ...]]]:
        account = proof.account.id
        if self._is_recovery(code):
            return []

        if proof.device is not None and proof.device.has_shown:
            return [("codes", ("device", account, proof.device.id))]

        network = self._context.network(request)
        return [("codes", ("network", account, network)), ("guesses", (account,))]

    def _is_recovery(self, code: str) -> bool:
        """Report whether nobody can guess a code; of an application's, who knows."""
        shape = (
            None if self._context.methods.second_factor is not None else kind_of(code)
        )
        return shape is not None and shape[0] == "recovery"

    async def _give_back(self, counters: list[tuple[Rule, tuple[str, ...]]]) -> None:
        for rule, key in counters:
            await self._context.uncount(rule, *key)

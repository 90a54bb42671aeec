"""See to it that what a token is bound to is checked, all of it (RFC 7800, section 3).

It proves nothing itself, and knows no kind of proof: that is for what it is given.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from asgi_auth._asgi import Scope
from asgi_auth._contract import Recognise, know_nobody
from asgi_auth.credentials.credential import MAX_TOKEN
from asgi_auth.credentials.reader import Credential
from asgi_auth.credentials.sources import BearerHeader, Source
from asgi_auth.errors import ConfigurationError, InvalidTokenError
from asgi_auth.principal import Principal
from asgi_auth.responses.challenge import Challenge
from asgi_auth.typing import Confirmation

__all__ = ["Confirmations"]

_BEARER = "bearer"


class Confirmations:
    """The confirmations of one backend.

    Args:
        given: For each member of ``cnf`` at most one.

    Attributes:
        required: Whether a token that is not bound is refused.

    Raises:
        ConfigurationError: Two are for the same member.
    """

    __slots__ = ("_all", "_items", "_sole", "required")

    def __init__(self, confirmations: Sequence[Confirmation]) -> None:
        by_member = {each.member: each for each in confirmations}
        if len(by_member) != len(confirmations):
            msg = "Two confirmations are for the same member of cnf."
            raise ConfigurationError(msg)

        self._items = tuple(by_member.items())
        self.required = any(each.required for each in confirmations)
        # A bearer token may or may not be bound; one of another scheme must be.
        schemes = [each.scheme.lower().replace(_BEARER, "") for each in confirmations]
        self._all = tuple(zip(confirmations, schemes, strict=True))
        self._sole = [*by_member] if len(by_member) == 1 else None

    def __bool__(self) -> bool:
        """Say whether there is any."""
        return bool(self._items)

    def sources(self, ways_in: Sequence[Source]) -> tuple[Source, ...]:
        """Return *ways_in*, and where bound tokens may come from besides."""
        headers = [source for source in ways_in if isinstance(source, BearerHeader)]
        ways = {source.way for source in ways_in}
        longest = max([MAX_TOKEN, *(source.max_token for source in headers)])
        more = [BearerHeader(each.scheme, longest) for each, _ in self._all]
        return (*ways_in, *(source for source in more if source.way not in ways))

    def challenges(self, bearer: Challenge) -> tuple[Challenge, ...]:
        """Return the challenges of a refusal, each scheme once."""
        by_scheme = {} if self.required else {bearer.scheme.lower(): bearer}
        for each, _ in self._all:
            by_scheme.setdefault(each.scheme.lower(), each.challenge(bearer))

        return tuple(by_scheme.values())

    def lane(self, confirmed: Recognise, plain: Recognise) -> Recognise:
        """Return what recognises bearer tokens without waiting.

        Args:
            confirmed: Returns the principals of bound tokens too.
            plain: Refuses those.
        """
        if self.required:
            return know_nobody

        # Without a proof that comes beside a bearer token, a bound one is refused.
        if all(scheme for _, scheme in self._all):
            return plain

        def recognise(token: bytes, source: str = "header", /) -> Principal | None:
            principal = confirmed(token, source)
            if principal is None or principal.claims.get("cnf") is not None:
                return None

            return principal

        return recognise

    def check_bound(self, principal: Principal) -> None:
        """Pass who is known by a token that is bound where it must be.

        Raises:
            InvalidTokenError: It is not.
        """
        bound = principal.claims.get("cnf")
        for member, each in self._items:
            if each.required and not (isinstance(bound, dict) and member in bound):
                msg = f"the token is bound to no key (cnf has no {member})"
                raise InvalidTokenError(msg)

    def check(
        self, principal: Principal, credential: Credential, scope: Scope
    ) -> Awaitable[None]:
        """Pass a caller who has every key that the token is bound to.

        Raises:
            InvalidTokenError: It is bound to something that is not checked, or is not
                bound where it must be.
            AuthError: The caller does not have the key, or that cannot be known.
        """
        confirmation = principal.claims.get("cnf")
        # Nearly always there is one, and to wait for it here would show in its time.
        if (
            self._sole is not None
            and isinstance(confirmation, dict)
            and [*confirmation] == self._sole
        ):
            return self._all[0][0].check(principal, credential, scope)

        bindings = () if confirmation is None else self._of(confirmation)
        for each, scheme in self._all:
            is_wanted = each.required or scheme == credential.scheme
            if is_wanted and each not in bindings:
                msg = f"the token is bound to no key (cnf has no {each.member})"
                raise InvalidTokenError(msg)

        return _check_all(bindings, principal, credential, scope)

    def _of(self, confirmation: object) -> Sequence[Confirmation]:
        """Return who checks what a token is bound to, if that is all of it."""
        members = confirmation if isinstance(confirmation, dict) else {}
        bindings = [each for member, each in self._items if member in members]
        if not bindings or len(bindings) != len(members):
            msg = "the token is bound in a way (cnf) that nobody checks here"
            raise InvalidTokenError(msg)

        return bindings


async def _check_all(
    bindings: Sequence[Confirmation],
    principal: Principal,
    credential: Credential,
    scope: Scope,
) -> None:
    for each in bindings:
        await each.check(principal, credential, scope)

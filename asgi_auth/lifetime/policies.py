"""What connections share whose callers end by the same, in each event loop.

It ends nothing by itself.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from weakref import WeakKeyDictionary, ref

from asgi_auth._logs import package_logger
from asgi_auth.lifetime.deadlines import Deadlines
from asgi_auth.lifetime.terms import Identify, LoadUser, Terms
from asgi_auth.principal import Principal
from asgi_auth.revocation.validity import Validity, validity_of

__all__ = ["Policies"]

_logger = package_logger(__name__)

_Recall = Callable[[], AbstractEventLoop | None]
_Known = dict[Validity, tuple[Terms, Deadlines]]


class Policies:
    """By what connections end, and what calls them when they have to look.

    Attributes:
        identify: Verifies a token that is to extend one.

    Args:
        identify: Verifies a token that is to extend one.
        load_user: Gives the application's own user, where it has any.
        by_session: They go on for as long as their sessions.
        option: Of :class:`ConnectionPolicy`, which says so; for the log.
    """

    __slots__ = (
        "_by_session",
        "_has_warned",
        "_latest",
        "_load_user",
        "_option",
        "_policies",
        "identify",
    )

    def __init__(
        self,
        identify: Identify,
        load_user: LoadUser | None,
        *,
        by_session: bool,
        option: str,
    ) -> None:
        self.identify: Identify = identify
        self._load_user = load_user
        self._by_session = by_session
        self._option = option
        self._has_warned = False
        self._policies = WeakKeyDictionary[AbstractEventLoop, _Known]()
        # Nearly always there is one loop, and a look into weak keys is slow.
        self._latest: tuple[_Recall, _Known] = _no_loop, {}

    def find(
        self, principal: Principal, loop: AbstractEventLoop
    ) -> tuple[Terms, Deadlines]:
        """Return what connections of the same kind of caller share in *loop*."""
        latest, policies = self._latest
        if latest() is not loop:
            policies = self._policies.setdefault(loop, {})
            self._latest = ref(loop), policies

        validity = validity_of(principal)
        policy = policies.get(validity)
        if policy is None:
            terms = self.terms(validity)
            deadlines = Deadlines(validity.clock, validity.revocations)
            policy = policies[validity] = terms, deadlines

        return policy

    def terms(self, validity: Validity) -> Terms:
        """Return by what connections end that have *validity*."""
        if self._by_session and validity.renew is None and not self._has_warned:
            self._has_warned = True
            _logger.warning(
                'ConnectionPolicy(%s="session") is for own tokens, as of '
                "JWTBackend(TokenService(...)): the connections of other callers end "
                "with their tokens",
                self._option,
            )

        return Terms(validity, self.identify, self._load_user, self._by_session)


def _no_loop() -> None:
    return None

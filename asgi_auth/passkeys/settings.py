"""The passkeys of one application: for which domain, and where they are kept.

It lists, names and removes them. It sees no request and opens no session; adding them
and logging in are in the modules beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

from asgi_auth.accounts import Account
from asgi_auth.accounts.ways import WaysIn, remove_way_in
from asgi_auth.errors import ConfigurationError, check_choice
from asgi_auth.metadata.document import Document
from asgi_auth.passkeys.errors import UnknownPasskeyError
from asgi_auth.passkeys.memory import MemoryPasskeys
from asgi_auth.passkeys.records import Passkey, PasskeyStore

if TYPE_CHECKING:
    from asgi_auth._drivers.webauthn import WebAuthn

__all__ = ["Passkeys"]

OnClone = Literal["refuse", "report"]

_HOST: Final = (
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_DOMAIN: Final = re.compile(rf"(?=.{{1,253}}\Z){_HOST}")
_ORIGIN: Final = re.compile(
    rf"(?P<scheme>https|http)://(?P<host>{_HOST})"
    r"(?::(?!0|80\Z|443\Z)[0-9]{1,5})?"
)
_APP: Final = re.compile(r"(?:android:apk-key-hash|ios:bundle-id):[\w.=-]{1,128}")
_LOCALHOST: Final = "localhost"


class Passkeys:
    """Passkeys (Web Authentication, Level 3), for ``LogInMethods(passkeys=...)``.

    Each verifies its user, by a PIN or a finger, and is found without a user name. A
    log-in with one has two factors: ``acr`` is ``mfa``.

    Args:
        rp_id: The domain that passkeys are for: your own, for instance
            ``example.com``, or one above it. It can never be changed.
        origins: Whose pages may use them, for instance ``https://www.example.com``.
            Those of other domains are *related* origins: see :attr:`related_origins`.
        store: Keeps them; by default in memory, for one process.
        name: What browsers call the application; by default *rp_id*.
        second_factor: Whoever has a passkey must show one after the password, too.
        on_clone: What to do where a counter goes back, so that there may be two of an
            authenticator: refuse the log-in, or only report it. Both emit
            ``passkey.cloned``.
        most: How many passkeys a user may have.
        ttl: Seconds that users have to answer, from 30 to 3600.

    Raises:
        MissingExtraError: webauthn is not installed.
        ConfigurationError: *rp_id* is no domain, an origin is none, or there is none.
    """

    def __init__(
        self,
        rp_id: str,
        origins: Sequence[str],
        *,
        store: PasskeyStore | None = None,
        name: str | None = None,
        second_factor: bool = False,
        on_clone: OnClone = "refuse",
        most: int = 20,
        ttl: float = 600,
    ) -> None:
        check_choice("on_clone", on_clone, {"refuse", "report"})
        _check_domain(rp_id)
        if isinstance(origins, str) or not origins:
            msg = "origins is a list: write ['https://www.example.com']."
            raise ConfigurationError(msg)

        if not 1 <= most <= 100 or not 30 <= ttl <= 3600:  # noqa: PLR2004
            msg = "most must be 1 to 100, and ttl 30 to 3600 seconds."
            raise ConfigurationError(msg)

        self.rp_id: str = rp_id
        self.origins: tuple[str, ...] = tuple(_origin(each, rp_id) for each in origins)
        self.store: PasskeyStore = MemoryPasskeys() if store is None else store
        self.second_factor: bool = second_factor
        self.on_clone: OnClone = on_clone
        self.most: int = most
        self.ttl: float = ttl
        self.authenticators: WebAuthn = _library()(
            rp_id, self.origins, name=name or rp_id, timeout=ttl
        )

    def __repr__(self) -> str:
        """Show for which domain they are."""
        return f"Passkeys({self.rp_id!r}, {list(self.origins)!r})"

    @property
    def related_origins(self) -> Document:
        """The ASGI app for ``/.well-known/webauthn`` at https:// and the *rp_id*.

        Browsers read it where a page of another domain uses these passkeys (section
        5.11). ``related_origins.around(app)`` puts it before an app.
        """
        return Document(
            lambda: {"origins": [each for each in self.origins if "//" in each]},
            path="/.well-known/webauthn",
            max_age=3600,
        )

    async def list(self, account_id: str) -> Sequence[Passkey]:
        """Return the passkeys of an account, the oldest first.

        Raises:
            UnavailableError: The store is down.
        """
        return await self.store.list(account_id)

    async def rename(self, account_id: str, passkey_id: str, name: str) -> None:
        """Give a passkey another name.

        Raises:
            UnknownPasskeyError: The account has none with this id.
            UnavailableError: The store is down.
        """
        if not await self.store.rename(passkey_id, account_id, name):
            raise UnknownPasskeyError

    async def remove(
        self,
        account: Account,
        passkey_id: str,
        *,
        kinds: Sequence[WaysIn] = (),
        has_password: bool = False,
    ) -> Passkey:
        """Remove a passkey, unless nobody could log in any more; return what it was.

        Args:
            account: Whose.
            passkey_id: Which.
            kinds: The other ways to log in that there are, beside the password.
            has_password: The account has one also where it shows none, as with a
                manager of your own that only checks passwords.

        Raises:
            UnknownPasskeyError: The account has none with this id.
            LastWayInError: It is the last way in.
            UnavailableError: A store is down.
        """
        passkey = await self.store.find(passkey_id)
        if passkey is None or passkey.subject != account.id:
            raise UnknownPasskeyError

        await remove_way_in(
            account,
            [self, *kinds],
            remove=lambda: self.store.remove(passkey_id, account.id),
            restore=lambda: self.store.add(passkey),
            has_password=has_password,
        )
        return passkey

    async def forget(self, account_id: str) -> None:
        """Remove all passkeys of an account, as when it is deleted.

        Raises:
            UnavailableError: The store is down.
        """
        await self.store.remove(None, account_id)

    async def ways_in(self, account_id: str) -> int:
        """Return in how many ways an account can log in with a passkey."""
        return len(await self.store.list(account_id))

    async def methods(self, account_id: str) -> dict[str, float]:
        """Return ``passkey`` and since when, where one is needed as second factor."""
        if not self.second_factor:
            return {}

        times = [each.created_at for each in await self.store.list(account_id)]
        return {"passkey": max(times)} if times else {}


def _library() -> type[WebAuthn]:
    """Open the door to webauthn, which would keep all who have no passkeys waiting."""
    from asgi_auth._drivers.webauthn import WebAuthn  # noqa: PLC0415  # for that

    return WebAuthn


def _check_domain(rp_id: str) -> None:
    if _DOMAIN.fullmatch(rp_id) and ("." in rp_id or rp_id == _LOCALHOST):
        return

    msg = f"rp_id is a domain like example.com, or localhost, and not {rp_id!r}."
    raise ConfigurationError(msg)


def _origin(text: str, rp_id: str) -> str:
    """Return an origin as browsers write it.

    Raises:
        ConfigurationError: It is none, or no page of it could use passkeys.
    """
    if _APP.fullmatch(text):
        return text

    match = _ORIGIN.fullmatch(text)
    host = "" if match is None else match["host"]
    is_local = host == _LOCALHOST or host.endswith(f".{_LOCALHOST}")
    if match is None or (match["scheme"] == "http" and not is_local):
        msg = (
            f"{text!r} is no origin like https://www.example.com: in lower case, "
            "without a path, and without the port of its scheme."
        )
        raise ConfigurationError(msg)

    if rp_id == _LOCALHOST and not is_local:
        msg = f"{text!r} cannot use passkeys of localhost."
        raise ConfigurationError(msg)

    return text

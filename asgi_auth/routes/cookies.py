"""Put tokens into cookies, and take them out of browsers again (RFC 6265bis).

What is set and what is cleared have the same attributes: browsers would keep both. A
token that a browser would drop without a word is refused here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote

from starlette.responses import Response

from asgi_auth._asgi import Scope
from asgi_auth._logs import package_logger
from asgi_auth.credentials.reader import CredentialReader
from asgi_auth.credentials.sources import Cookie, unquote
from asgi_auth.errors import ConfigurationError
from asgi_auth.routes.duplicates import newest_first
from asgi_auth.routes.errors import CookieTooLargeError, NotLocalhostError
from asgi_auth.tokens.pair import TokenPair

__all__ = ["Cookies", "SameSite"]

SameSite = Literal["strict", "lax", "none"]
_Role = Literal["refresh", "device", "brief", "pending", "trust", "browser"]

_logger = package_logger(__name__)

# RFC 6265bis, section 5.6: name and value together.
_LONGEST: Final = 4096
_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_DEVICE_DAYS: Final = 180 * 86400
_SAFE: Final = "/-._~!$&'()*+,=:@"
_DEEPEST: Final = 8
_DOMAIN: Final = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,62}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookies:
    """The cookies of one application.

    ``__Host-access`` goes with every request of the origin; ``__Secure-refresh`` only
    to the routes, so that a log-out gets it as well as a refresh.

    Attributes:
        samesite: Whether the browser sends them with requests of other sites.
        path: Of the refresh cookie; by default where the routes are mounted.
        insecure_for_localhost: Plain names without ``Secure``: for development on
            ``http://localhost``, and nowhere else.
        refresh_name: Another name for the refresh cookie.
        domain: Send them to all hosts below this one, each of which can then read and
            replace them.
        partitioned: A browser keeps them apart for each site that embeds ours.
        in_body: A log-in that does not ask for cookies gets tokens in the body.

    Raises:
        ConfigurationError: The attributes contradict each other.
    """

    samesite: SameSite = "strict"
    path: str | None = None
    insecure_for_localhost: bool = False
    refresh_name: str | None = None
    domain: str | None = None
    partitioned: bool = False
    in_body: bool = False
    access: str = field(init=False)
    refresh: str = field(init=False)
    device: str = field(init=False)
    pending: str = field(init=False)
    trust: str = field(init=False)
    browser: str = field(init=False)
    brief: str = field(init=False)
    _readers: dict[str, CredentialReader] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Choose the names: the prefixes make browsers insist on the attributes."""
        self._check()
        secure = "" if self.insecure_for_localhost else "__Secure-"
        # A browser takes a name with __Host- from one host and for all its paths only.
        host = "__Host-" if secure and self.domain is None else secure
        names = {
            "access": f"{host}access",
            "refresh": self.refresh_name or f"{secure}refresh",
            "device": f"{secure}device",
            "pending": f"{secure}pending",
            "trust": f"{secure}trust",
            "browser": f"{secure}browser",
            "brief": f"{secure}brief",
        }
        for role, name in names.items():
            object.__setattr__(self, role, name)

        readers = {role: CredentialReader([Cookie(n)]) for role, n in names.items()}
        object.__setattr__(self, "_readers", readers)

    def _check(self) -> None:
        if self.samesite not in {"strict", "lax", "none"}:
            msg = "samesite must be strict, lax or none."
            raise ConfigurationError(msg)

        if self.samesite == "none" and self.insecure_for_localhost:
            msg = "samesite='none' needs secure cookies: browsers drop others."
            raise ConfigurationError(msg)

        name = self.refresh_name or ""
        if self.insecure_for_localhost and name.startswith("__"):
            msg = "Browsers drop a cookie of this name without Secure: choose another."
            raise ConfigurationError(msg)

        if name.startswith("__Host-") and self.path != "/":
            msg = "Browsers take a name with __Host- for path='/' only."
            raise ConfigurationError(msg)

        if self.path is not None and not self.path.startswith("/"):
            msg = "The path of the cookies must begin with a slash."
            raise ConfigurationError(msg)

        if self.domain is not None:
            _check_domain(self.domain, name, localhost=self.insecure_for_localhost)

        if self.partitioned and (self.samesite != "none" or self.domain is not None):
            msg = "partitioned cookies need samesite='none', and no domain."
            raise ConfigurationError(msg)

    def read_refresh(self, scope: Scope) -> tuple[str, ...]:
        """Return the tokens of all refresh cookies, the newest first.

        A browser has several where the path or the domain was changed. Of one session
        only the newest is returned: any other would look like a stolen one. Where they
        are of several users, there is none to use: another host below our domain may
        have set one.
        """
        cookies = [v for n, v in scope["headers"] if n.lower() == b"cookie"]
        matches = Cookie(self.refresh).pattern().finditer(b"; ".join(cookies))
        texts = [text for text in (unquote(m[1]) for m in matches) if text]
        if len(texts) <= 1:
            token = self.read("refresh", scope)
            return () if token is None else (token,)

        return newest_first(texts)

    def read(self, role: _Role, scope: Scope) -> str | None:
        """Return the token of a cookie; ``None`` if there is none, or none to use."""
        credential = self._readers[role].read(scope)
        if credential is None or credential.error is not None:
            return None

        return credential.token.decode("latin-1")

    def check_host(self, scope: Scope) -> None:
        """Pass, or raise where insecure cookies would leave this machine.

        Raises:
            NotLocalhostError: The request is for another host.
        """
        if not self.insecure_for_localhost:
            return

        hosts = [value for name, value in scope["headers"] if name.lower() == b"host"]
        name = hosts[0].decode("latin-1").lower() if len(hosts) == 1 else ""
        if not name.endswith("]"):
            head, colon, _ = name.rpartition(":")
            name = head if colon else name

        if name not in _LOCAL_HOSTS and not name.endswith(".localhost"):
            raise NotLocalhostError

    def is_brief(self, scope: Scope) -> bool:
        """Report whether the browser is to forget its tokens when it is closed."""
        return self.read("brief", scope) is not None

    def hand_out(
        self,
        response: Response,
        pair: TokenPair,
        scope: Scope,
        mount: str,
        *,
        remember: bool | None = None,
    ) -> None:
        """Set both tokens, each for as long as it lives, and clear what is stale.

        Args:
            response: Gets them.
            pair: The tokens.
            scope: Of the request.
            mount: Where the routes are.
            remember: Whether they outlive the session of the browser, also those of
                the next refresh; ``None``: as those do that came.

        Raises:
            CookieTooLargeError: One does not fit.
        """
        self.clear_stale(response, scope, mount)
        brief = self.is_brief(scope) if remember is None else not remember
        domain, path = self.domain, self._path(mount)
        cookies = (
            (self.access, pair.access_token, pair.expires_in, "/"),
            (self.refresh, pair.refresh_token, pair.refresh_expires_in, path),
        )
        for name, token, lives, place in cookies:
            seconds = None if brief else lives
            self._set(response, name, token, seconds, place, domain=domain)

        if brief:
            self._set(response, self.brief, "1", None, path, domain=domain)
        else:
            self._clear_brief(response, scope, mount)

    def set_device(self, response: Response, token: str, mount: str) -> None:
        """Remember that this browser has logged in before."""
        path = self._path(mount)
        self._set(response, self.device, token, _DEVICE_DAYS, path, domain=self.domain)

    def set_pending(
        self, response: Response, token: str, mount: str, *, seconds: int
    ) -> None:
        """Remember a log-in that still needs its second factor."""
        path = self._path(mount)
        self._set(response, self.pending, token, seconds, path, domain=self.domain)

    def clear_pending(self, response: Response, scope: Scope, mount: str) -> None:
        """Forget a log-in that is done, if the browser has one."""
        if self.read("pending", scope) is not None:
            path = self._path(mount)
            self._set(response, self.pending, "", 0, path, domain=self.domain)

    def set_browser(
        self, response: Response, name: str, mount: str, *, seconds: int
    ) -> None:
        """Let a browser be known again that is asked for a passkey."""
        path = self._path(mount)
        self._set(response, self.browser, name, seconds, path, domain=self.domain)

    def set_trust(
        self, response: Response, token: str, mount: str, *, seconds: int
    ) -> None:
        """Spare this browser its second factor, for as long as the token lives."""
        path = self._path(mount)
        self._set(response, self.trust, token, seconds, path, domain=self.domain)

    def clear_stale(self, response: Response, scope: Scope, mount: str) -> None:
        """Take refresh cookies of other paths out of the browser, if there are any.

        A browser does not say which path a cookie has: all that this request fits are
        cleared, with and without our domain.
        """
        cookies = b"; ".join(v for n, v in scope["headers"] if n.lower() == b"cookie")
        if len(Cookie(self.refresh).pattern().findall(cookies)) <= 1:
            return

        present = (self._path(mount), self.domain)
        for path in _paths_above(scope["path"]):
            for domain in dict.fromkeys((None, self.domain)):
                if (path, domain) != present:
                    self._set(response, self.refresh, "", 0, path, domain=domain)

    def clear(self, response: Response, scope: Scope, mount: str) -> None:
        """Take both tokens out of the browser; the device stays known."""
        self._set(response, self.access, "", 0, "/", domain=self.domain)
        path = self._path(mount)
        self._set(response, self.refresh, "", 0, path, domain=self.domain)
        self._clear_brief(response, scope, mount)
        self.clear_stale(response, scope, mount)

    def _clear_brief(self, response: Response, scope: Scope, mount: str) -> None:
        if self.is_brief(scope):
            path = self._path(mount)
            self._set(response, self.brief, "", 0, path, domain=self.domain)

    def _path(self, mount: str) -> str:
        return quote(self.path or mount or "/", safe=_SAFE)

    def _set(
        self,
        response: Response,
        name: str,
        value: str,
        seconds: int | None,
        path: str,
        *,
        domain: str | None,
    ) -> None:
        if len(name) + len(value) > _LONGEST:
            # The client can do nothing about it, so the operator must hear of it.
            _logger.error("the cookie %s would be longer than %d bytes", name, _LONGEST)
            raise CookieTooLargeError

        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path=path,
            domain=domain,
            secure=not self.insecure_for_localhost,
            httponly=True,
            samesite=self.samesite,
        )
        if self.partitioned:
            # http.cookies knows the attribute from Python 3.14 on.
            field, text = response.raw_headers.pop()
            response.raw_headers.append((field, text + b"; Partitioned"))


def _check_domain(domain: str, refresh_name: str, *, localhost: bool) -> None:
    if _DOMAIN.fullmatch(domain) is None:
        msg = "The domain of cookies looks like example.com, without a dot before it."
        raise ConfigurationError(msg)

    if localhost or refresh_name.startswith("__Host-"):
        msg = "Browsers take no domain for cookies of localhost or names with __Host-."
        raise ConfigurationError(msg)


def _paths_above(path: str) -> list[str]:
    """Return the paths of all cookies that go with a request, some of them at most."""
    parts = path.split("/")[1 : _DEEPEST + 1]
    above = ["/".join(["", *parts[:count]]) for count in range(1, len(parts) + 1)]
    return [
        quote(each, safe=_SAFE)
        for each in ("/", *(form for name in above for form in (name, name + "/")))
    ]

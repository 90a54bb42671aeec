"""Give a test client that exists already the token of a user.

The token is a real one, signed by who issues them; nothing is verified here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, Generic, Protocol, TypeVar

from asgi_auth._asgi import Headers, Receive, Scope, Send
from asgi_auth.errors import ConfigurationError

__all__ = ["MintsTokens", "authenticated"]

C = TypeVar("C")


class MintsTokens(Protocol):
    """A ``TokenService`` or a ``FakeIssuer``."""

    def mint(
        self,
        subject: str,
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """Sign an access token."""
        ...


class authenticated(Generic[C]):  # noqa: N801  (a context manager reads as a verb)
    """Send a good access token with all that *client* sends from now on.

    As a context manager it gives the client, and puts back what was there before.
    It is for httpx2 and httpx, the test clients of Starlette, FastAPI, Litestar and
    Nexios, and that of Quart.

    Attributes:
        client: As it was given.
        token: The access token.

    Args:
        client: Any client with ``headers`` of its own, or with an ``app``.
        tokens: Signs the token.
        subject: The ``sub``.
        scopes: What the token allows.
        roles: The subject's roles.
        claims: Further claims.

    Raises:
        ConfigurationError: The client has neither, or a value cannot go into a token.
    """

    def __init__(
        self,
        client: C,
        tokens: MintsTokens,
        subject: str,
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
    ) -> None:
        self.client = client
        self.token: str = tokens.mint(
            subject, scopes=scopes, roles=roles, claims=claims
        )
        self._restore = _attach(client, f"Bearer {self.token}")

    def __enter__(self) -> C:
        """Return the client."""
        return self.client

    def __exit__(self, *_: object) -> None:
        """Put back what the client sent before."""
        self.restore()

    def restore(self) -> None:
        """Put back what the client sent before."""
        self._restore()

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"authenticated({self.client!r})"


def _attach(client: Any, value: str) -> Callable[[], None]:
    """Make *client* send *value*; return what puts back the state before."""
    headers = getattr(client, "headers", None)
    if isinstance(headers, MutableMapping):
        return _set(headers, value)

    app = getattr(client, "app", None)
    if callable(app):
        client.app = _Sender(app, value)
        return lambda: setattr(client, "app", app)

    msg = (
        f"A {type(client).__name__} has no headers of its own: "
        "wrap the application it calls with as_user() instead."
    )
    raise ConfigurationError(msg)


def _set(headers: MutableMapping[str, str], value: str) -> Callable[[], None]:
    before = headers.get("Authorization")
    headers["Authorization"] = value

    def restore() -> None:
        if before is None:
            headers.pop("Authorization", None)
        else:
            headers["Authorization"] = before

    return restore


class _Sender:
    """An application to whose requests a header is added: Quart's client has none."""

    def __init__(self, app: Any, value: str) -> None:
        self._app = app
        self._header = (b"authorization", value.encode("ascii"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "headers" in scope:
            headers: Headers = list(scope["headers"])
            names = {name.lower() for name, _ in headers}
            # What one request says for itself comes first, as with other clients.
            if b"authorization" not in names:
                headers.append(self._header)

            scope = {**scope, "headers": headers}

        await self._app(scope, receive, send)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)

        return getattr(self._app, name)

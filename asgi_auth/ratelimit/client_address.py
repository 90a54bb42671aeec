"""Find out from which address a request came, without being talked into one.

Only what a trusted proxy has added to ``X-Forwarded-For`` is believed. Names are never
looked up.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from asgi_auth._asgi import Scope
from asgi_auth._logs import package_logger
from asgi_auth.errors import ConfigurationError

__all__ = ["ClientAddresses", "network_of"]

_logger = package_logger(__name__)

_Address = IPv4Address | IPv6Address

_UNKNOWN: Final = "unknown"
_MOST_HOPS: Final = 20
_LONGEST: Final = 64


class ClientAddresses:
    """Reads the client's address from a scope.

    Args:
        trusted_proxies: Addresses and networks of your own proxies, for instance
            ``10.0.0.0/8``; ``unix`` for a proxy that comes over a Unix socket.

    Raises:
        ConfigurationError: One is neither.
    """

    __slots__ = ("_networks", "_trusts_unix", "_warned")

    def __init__(self, trusted_proxies: Iterable[str] = ()) -> None:
        if isinstance(trusted_proxies, str):
            msg = "trusted_proxies is a list of addresses, not one text."
            raise ConfigurationError(msg)

        names = set(trusted_proxies)
        self._warned = False
        self._trusts_unix = "unix" in names
        self._networks = [_network(name) for name in sorted(names - {"unix"})]

    @property
    def trusts_any(self) -> bool:
        """Whether a proxy is believed at all."""
        return self._trusts_unix or bool(self._networks)

    def is_proxy(self, scope: Scope) -> bool:
        """Say whether the peer of the connection is one of the proxies."""
        client = scope.get("client")
        if client is None:
            return self._trusts_unix

        return self._trusts(_parse(str(client[0])))

    def of(self, scope: Scope) -> str:
        """Return the address as text; ``unknown`` where there is none."""
        client = scope.get("client")
        peer = None if client is None else str(client[0])
        if peer is None and not self._trusts_unix:
            return _UNKNOWN

        address = None if peer is None else _parse(peer)
        if peer is not None and not self._trusts(address):
            self._warn_of_proxy(address, scope)
            return peer[:_LONGEST] if address is None else str(address)

        return str(self._behind_proxies(address, scope) or _UNKNOWN)

    def _warn_of_proxy(self, peer: _Address | None, scope: Scope) -> None:
        """Say once that all who come through a proxy share one counter."""
        if self._warned or peer is None or not peer.is_private:
            return

        if any(name.lower() == b"x-forwarded-for" for name, _ in scope["headers"]):
            self._warned = True
            _logger.warning(
                "requests come through a proxy at %s that is not in trusted_proxies: "
                "all its clients are counted as one",
                peer,
            )

    def _behind_proxies(
        self, nearest: _Address | None, scope: Scope
    ) -> _Address | None:
        """Walk from our proxies outwards, as long as each hop is one of ours."""
        fields = [
            value
            for name, value in scope["headers"]
            if name.lower() == b"x-forwarded-for"
        ]
        hops = b",".join(fields).decode("latin-1").rsplit(",", _MOST_HOPS)
        for hop in reversed(hops):
            address = _parse(hop)
            if address is None:
                return nearest

            nearest = address
            if not self._trusts(address):
                break

        return nearest

    def _trusts(self, address: _Address | None) -> bool:
        if address is None:
            return False

        return any(address in network for network in self._networks)


def network_of(address: str) -> str:
    """Return what one customer of a provider shares: of IPv6 the /64."""
    parsed = _parse(address)
    if not isinstance(parsed, IPv6Address):
        return address if parsed is None else str(parsed)

    return str(IPv6Network((parsed, 64), strict=False))


def _parse(text: str) -> _Address | None:
    text = text.strip(" \t")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]

    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None

    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def _network(name: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(name)
    except ValueError:
        msg = f"{name!r} in trusted_proxies is no address, no network and not 'unix'."
        raise ConfigurationError(msg) from None

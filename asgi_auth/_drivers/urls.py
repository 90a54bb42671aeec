"""Which URLs are asked: https, and http where no third party can listen.

Nothing is resolved here: a name says what it says.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from asgi_auth._logs import package_logger
from asgi_auth.errors import ConfigurationError

__all__ = ["check_url", "is_safe_url", "place_in", "shown_host"]

_logger = package_logger(__name__)

# A name, an address of either kind, a path of a socket, or several of them.
_HOST = re.compile(r"[\w.\-:%/,]+")

# Names that no public DNS has: RFC 6761, RFC 6762, RFC 8375, ICANN's .internal, and
# those of Kubernetes.
_PRIVATE = (".localhost", ".local", ".home.arpa", ".internal", ".test", ".svc")


def is_safe_url(url: object, *, insecure_http: bool = False) -> bool:
    """Say whether *url* is https, or http to this machine's loopback interface.

    Args:
        url: What may be one.
        insecure_http: Whether http to private addresses and names will do as well.
    """
    parts = _parts(url)
    if parts is None:
        return False

    host = parts.hostname or ""
    if parts.scheme == "http":
        return _is_loopback(host) or (insecure_http and _is_private(host))

    return parts.scheme == "https"


def place_in(url: str) -> str:
    """Return what of *url* may be shown: no user, no password, and no query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a malformed URL"

    where = parts.netloc.rpartition("@")[2] or parts.scheme
    return f"{where}{parts.path}"


def check_url(url: str, what: str, *, insecure_http: bool = False) -> str:
    """Return *url* if it is safe.

    Args:
        url: What may be one.
        what: The name of the setting, for the error.
        insecure_http: Take http to private addresses and names as well, with a warning.

    Raises:
        ConfigurationError: It is not.
    """
    if is_safe_url(url):
        return url

    if insecure_http and is_safe_url(url, insecure_http=True):
        _logger.warning(
            "%s is %s, over http: whoever is on the way can read and change it",
            what,
            place_in(url),
        )
        return url

    msg = (
        f"{what} must be an https URL without user and fragment (http: loopback only)."
    )
    raise ConfigurationError(msg)


def shown_host(host: str) -> str:
    """Return a host for people to read; what can be none is not repeated.

    A password may have been written in its place.
    """
    return host if _HOST.fullmatch(host) else "a host that is none"


def _parts(url: object) -> SplitResult | None:
    if not isinstance(url, str) or not url.isascii() or not url.isprintable():
        return None

    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return None

    if not host or parts.fragment or "@" in parts.netloc or " " in url:
        return None

    return parts


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_private(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        # A name without a dot is one of a container, or of the search domain.
        return "." not in host or host.endswith((*_PRIVATE, ".svc.cluster.local"))

    return address.is_private and not address.is_unspecified

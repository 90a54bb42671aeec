"""Say in words what is wrong with a Redis that does not serve.

It imports no driver, and repeats nothing of what the server said but its first word:
the rest may quote a key or a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from traceback import walk_tb
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from asgi_auth._drivers.causes import cause_of
from asgi_auth._drivers.urls import shown_host

__all__ = [
    "WRITE_ERRORS",
    "as_redis_url",
    "check_redis_url",
    "is_spoken_outage",
    "place_of",
    "redis_cause",
    "was_closed",
    "was_lost",
    "word_of",
]

WRITE_ERRORS: Final = (AttributeError, RuntimeError, TypeError)
"""What a connection that is gone raises instead of saying so."""

_WRITERS: Final = frozenset({"_send_packed_command", "send_packed_command"})
_STREAM: Final = _WRITERS | {"read_from_socket", "can_read", "_read", "_readline"}

_WORDS: Final = {
    "ASK": "a slot moves to another node",
    "BUSY": "another script runs for too long",
    "CLUSTERDOWN": "the cluster has lost nodes",
    "LOADING": "it is loading its data",
    "MASTERDOWN": "the replica has lost its primary",
    "MISCONF": "it cannot write to its disk",
    "NOAUTH": "it wants a password, and the URL has none",
    "NOPERM": "the user may not use these commands or keys (ACL SETUSER)",
    "NOREPLICAS": "it has too few replicas",
    "OOM": "its memory is full (maxmemory)",
    "READONLY": "it is a replica that only reads",
    "TRYAGAIN": "a slot moves to another node",
    "UNBLOCKED": "the connection was ended by an operator",
    "WRONGPASS": "the password, or the user name, is wrong",
}
# Inside a script, Redis 6.2 wraps the server's word in a sentence of its own.
_WORD: Final = re.compile(rf"(?:^|-)({'|'.join(_WORDS)})\b")
# What redis-py makes of some of them: it takes the word away.
_KINDS: Final = {
    "AskError": "ASK",
    "AuthenticationError": "WRONGPASS",
    "AuthenticationWrongNumberOfArgsError": "WRONGPASS",
    "BusyLoadingError": "LOADING",
    "ClusterDownError": "CLUSTERDOWN",
    "MasterDownError": "MASTERDOWN",
    "NoPermissionError": "NOPERM",
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
    "TryAgainError": "TRYAGAIN",
}
_NO_DATABASE: Final = "DB index is out of range"
_OTHERS: Final = (
    (_NO_DATABASE, "there is no database of this number"),
    ("Authentication required", _WORDS["NOAUTH"]),
    ("without any password configured", "it has no password, and the URL has one"),
    ("max number of clients", "it has too many connections (maxclients)"),
)


_SCHEMES: Final = {"valkey": "redis", "valkeys": "rediss"}
# A number for the database. redis-py takes others for 0, and 1/2 for 12.
_DATABASE: Final = re.compile(r"/?|/\d+/?")


def as_redis_url(url: str) -> str:
    """Return a URL of Valkey or Redis as redis-py names the scheme."""
    scheme, colon, rest = url.partition(":")
    return _SCHEMES.get(scheme, scheme) + colon + rest


def check_redis_url(url: str) -> None:
    """Check what redis-py would pass over in silence.

    Raises:
        ValueError: There is no ``//`` before the host, or the database is no number.
    """
    scheme, separator, _ = url.partition("://")
    if not separator:
        msg = "no // before the host"
        raise ValueError(msg)

    if scheme != "unix" and not _DATABASE.fullmatch(unquote(urlsplit(url).path)):
        msg = "the database is no number"
        raise ValueError(msg)


def is_spoken_outage(text: str) -> bool:
    """Report whether a server's own words say "not now", or "not you"."""
    return _NO_DATABASE in text or _WORD.search(text) is not None


def redis_cause(error: Exception) -> str:
    """Return the type of *error*, and what is most likely wrong."""
    kind, text = type(error).__name__, str(error)
    if kind == "InvalidResponse":
        return f"{kind}: what answers there is no Redis"

    if was_closed(error):
        return f"{kind}: the connection ended under a call"

    for sign, words in _OTHERS:
        if sign in text:
            return f"{kind}: {words}"

    word = word_of(error)
    return f"{kind}: {_WORDS[word]} ({word})" if word else cause_of(error)


def word_of(error: Exception) -> str:
    """Return the word that a server refuses with, if *error* is that; else nothing."""
    match = _WORD.search(str(error))
    return match[1] if match else _KINDS.get(type(error).__name__, "")


def was_lost(error: Exception) -> bool:
    """Report whether a write found its connection gone, so that nothing was sent."""
    # Since Python 3.12, and with uvloop, a write to a connection that the peer reset
    # stumbles instead of saying so: https://github.com/python/cpython/issues/136234
    frames = _frames(error)
    if any(name.endswith("writelines") for name in frames):
        return True

    # redis-py looks whether it is connected, and writes a turn of the loop later.
    return isinstance(error, AttributeError) and not _WRITERS.isdisjoint(frames[-1:])


def was_closed(error: Exception) -> bool:
    """Report whether a read or a write stumbled over its connection's end.

    Tasks share the connection of a subscription: when one finds it broken and closes
    it, redis-py's reader and writer are ``None`` for the others.
    """
    if not isinstance(error, WRITE_ERRORS):
        return False

    return was_lost(error) or not _STREAM.isdisjoint(_frames(error))


def _frames(error: Exception) -> list[str]:
    return [frame.f_code.co_name for frame, _ in walk_tb(error.__traceback__)]


def place_of(client: Any) -> str:
    """Say where a client's server is, without user and password."""
    pool = getattr(client, "connection_pool", None)
    if pool is None:
        nodes = client.nodes_manager.startup_nodes.values()
        names = ", ".join(f"{node.host}:{node.port}" for node in nodes)
        return f"the Redis cluster of {names}"

    return _of_server(pool.connection_kwargs)


def _of_server(arguments: Mapping[str, Any]) -> str:
    path = arguments.get("path")
    default = ("localhost", 6379)
    host = shown_host(str(arguments.get("host", default[0])))
    server = f"{host}:{arguments.get('port', default[1])}"
    return f"Redis at {path or server}, database {arguments.get('db') or 0}"

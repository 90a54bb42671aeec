"""PostgreSQL URLs as people have them, and engines on them.

URLs are written for libpq, and asyncpg is not libpq: what it cannot do is refused when
the URL is read, not when the first user logs in. It runs no query.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from asgi_auth.errors import ConfigurationError

__all__ = ["connect_arguments", "is_pooled", "split_url_query"]

# Says that a pooler hands each transaction to another connection: PgBouncer's mode
# "transaction". Other libraries read the same word.
_POOLED = "pgbouncer"

_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})
_TLS_MODES = frozenset(
    {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
)

# What asyncpg itself reads in a URL.
_OF_ASYNCPG = frozenset(
    {
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "sslcrl",
        "sslpassword",
        "sslnegotiation",
        "ssl_min_protocol_version",
        "ssl_max_protocol_version",
        "target_session_attrs",
        "passfile",
        "krbsrvname",
        "gsslib",
        "service",
        "servicefile",
    }
)
# What the server reads when a connection begins.
_OF_SERVER = frozenset({"application_name", "options", "search_path", "timezone"})
# What SQLAlchemy hands on to asyncpg.
_OF_SQLALCHEMY = frozenset({"host", "port", "ssl"})
_FILES = ("sslrootcert", "sslcert", "sslkey")
# Keep-alives and the like: our time-outs do what they are for.
_NEEDLESS = frozenset(
    {
        "keepalives",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
        "fallback_application_name",
        "gssencmode",
    }
)


def is_pooled(query: Mapping[str, Any]) -> bool:
    """Report whether the query of a URL names a pooler in transaction mode.

    Raises:
        ConfigurationError: It says so in other words.
    """
    value = str(query.get(_POOLED, "false")).lower()
    if value not in _TRUE | _FALSE:
        msg = f"the database URL says {_POOLED}=..., which is true or false"
        raise ConfigurationError(msg)

    return value in _TRUE


def split_url_query(
    query: Mapping[str, Any], driver: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part the query of a URL into what SQLAlchemy reads, and connect arguments.

    Raises:
        ConfigurationError: A parameter cannot be obeyed.
    """
    rest = {name: value for name, value in query.items() if name != _POOLED}
    if driver != "asyncpg":
        return rest, {}  # It is libpq.

    own_query = {name: rest.pop(name) for name in [*rest] if name in _OF_SQLALCHEMY}
    arguments: dict[str, Any] = {}
    seconds = rest.pop("connect_timeout", None)
    if seconds is not None:
        arguments["timeout"] = _seconds(seconds)

    _check_binding(rest.pop("channel_binding", "prefer"))
    _check_tls(rest)
    settings = {name: rest.pop(name) for name in [*rest] if name in _OF_SERVER}
    own = {name: rest.pop(name) for name in [*rest] if name in _OF_ASYNCPG}
    unknown = sorted(rest.keys() - _NEEDLESS)
    if unknown:
        msg = f"the database URL has parameters that asyncpg cannot obey: {unknown}"
        raise ConfigurationError(msg)

    if settings:
        arguments["server_settings"] = settings

    if own:
        # It knows best what these mean; all else is given beside, and goes first.
        pairs = "&".join(f"{name}={_quoted(value)}" for name, value in own.items())
        arguments["dsn"] = f"postgresql:///?{pairs}"

    return own_query, arguments


def connect_arguments(
    driver: str, limit: float, arguments: Mapping[str, Any], *, pooled: bool
) -> dict[str, Any]:
    """Return what a driver is to connect with.

    Args:
        driver: Its name.
        limit: Seconds that it may take to connect, or to answer.
        arguments: From the URL.
        pooled: A pooler may hand each transaction to another connection.
    """
    if driver == "psycopg":
        # What it prepares has a name, which another connection does not know.
        extra = {"prepare_threshold": None} if pooled else {}
        return {"connect_timeout": max(round(limit), 1), **arguments, **extra}

    if driver != "asyncpg":
        return dict(arguments)

    result = {"timeout": limit, "command_timeout": limit, **arguments}
    result["timeout"] = min(result["timeout"], limit)
    if pooled:
        # Statements without a name, each in a transaction: nothing is left behind on
        # a connection that another client gets next.
        result["statement_cache_size"] = result["prepared_statement_cache_size"] = 0
        result["prepared_statement_name_func"] = str

    return result


def _seconds(text: object) -> float:
    try:
        seconds = int(str(text))
    except ValueError:
        seconds = -1

    if seconds < 0:
        msg = "connect_timeout in the database URL is a whole number of seconds"
        raise ConfigurationError(msg)

    return float(seconds or 60)  # libpq: 0 is without a limit.


def _check_binding(mode: object) -> None:
    if mode not in {"disable", "prefer"}:
        msg = (
            "asyncpg cannot bind channels: leave channel_binding out of the database "
            "URL and say sslmode=verify-full, or use postgresql+psycopg://"
        )
        raise ConfigurationError(msg)


def _check_tls(query: Mapping[str, Any]) -> None:
    mode = query.get("sslmode", "prefer")
    if mode not in _TLS_MODES:
        msg = f"sslmode in the database URL is one of {sorted(_TLS_MODES)}"
        raise ConfigurationError(msg)

    for name in _FILES:
        path = query.get(name)
        if path is not None and path != "system" and not Path(str(path)).is_file():
            msg = f"{name} in the database URL names no file: {path}"
            raise ConfigurationError(msg)


def _quoted(value: object) -> str:
    return quote(str(value), safe="")

"""A Sphinx extension that writes tables from the code, so that none of them gets old.

A page names a table in a comment, ``<!-- from the code: problems -->``. What the table
holds is read from the package: nothing is listed here but what it cannot say itself.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faces import first_line, modules, page_of, pages

import asgi_auth
from asgi_auth._event_kinds import EVENT_KINDS
from asgi_auth.errors import AsgiAuthError, AuthError

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PACKAGE = Path(asgi_auth.__file__).parent
PROJECT = Path(__file__).parent.parent / "pyproject.toml"
MARKER = re.compile(r"<!-- from the code: (?P<name>[\w-]+) -->")

# Whose arguments are settings of an application, in the order of the page.
CONFIGURED = {
    "asgi_auth": (
        "AuthenticationMiddleware",
        "JWTBackend",
        "BackendChain",
        "ConnectionPolicy",
        "RefusalPolicy",
        "ScopePolicy",
        "Site",
        "TokenService",
        "SessionPolicy",
        "Verification",
        "TokenVerifier",
        "RevocationList",
        "MemoryStore",
        "AuthConfig",
    ),
    "asgi_auth.stores": ("SQLStore", "RedisStore"),
    "asgi_auth.accounts": (
        "AccountService",
        "ManagedAccounts",
        "EmailPolicy",
        "BasicBackend",
    ),
    "asgi_auth.passwords": ("PasswordHasher",),
    "asgi_auth.ratelimit": ("RateLimiter", "Limits"),
    "asgi_auth.routes": ("AuthRoutes", "LogInMethods", "RouteShape", "Cookies"),
    "asgi_auth.backends": (
        "IssuersBackend",
        "TrustedIssuer",
        "IntrospectionBackend",
        "IntrospectionEndpoint",
        "APIKeyBackend",
        "APIKeys",
    ),
    "asgi_auth.tokens": ("TokenForm", "ClaimMapping"),
    "asgi_auth.dpop": ("DPoP",),
    "asgi_auth.websocket": ("Rooms", "RedisFanout"),
}
PURPOSES = {
    "redis": "sessions, rate limits and rooms in Redis or Valkey",
    "sql": "sessions, accounts and API keys in SQLite",
    "postgres": "the same in PostgreSQL, through asyncpg",
    "psycopg": "the same in PostgreSQL, through psycopg",
    "ratelimit": "limits for log-ins",
    "http": "keys of other issuers, introspection, the Python client",
    "routes": "the log-in routes",
    "passkeys": "log-in with passkeys",
    "pages": "the log-in pages in plain HTML",
    "smtp": "mail from the log-in routes",
    "prometheus": "metrics for Prometheus",
    "opentelemetry": "metrics and spans for OpenTelemetry",
    "demo": "`asgi-auth demo`",
    "all": "everything above but `psycopg`",
}
ENVIRONMENT = {
    "ASGI_AUTH_SECRET_KEY": "a secret for HS256; `KeySet.from_env()`",
    "ASGI_AUTH_PRIVATE_KEY": "a private key as PEM; `KeySet.from_env()`",
    "ASGI_AUTH_PUBLIC_KEY": "a public key as PEM, to verify only; `KeySet.from_env()`",
    "ASGI_AUTH_JWKS": "a JWK set, the first key signs; `KeySet.from_env()`",
    "ASGI_AUTH_PRIVATE_KEY_PASSWORD": "of an encrypted private key",
    "ASGI_AUTH_STORE": "where sessions are: `--store` of the command line",
    "WEB_CONCURRENCY": "how many workers there are, for `asgi-auth doctor`",
    "NO_COLOR": "no colours on the command line",
}
_LOGGER = re.compile(r"^_?log(ger)?$")
_LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
_HEADING = re.compile(r"^(Args|Attributes):\n((?:[ \t].*\n?|\n)+)", re.MULTILINE)
_ARGUMENT = re.compile(r"^(\w+(?:, \w+)*):(.*)$")


def write_tables(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put each table in the place of its marker."""
    del app, docname
    source[0] = MARKER.sub(lambda match: TABLES[match["name"]](), source[0])


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    lines = [[*head], ["---" for _ in head], *([*row] for row in rows)]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def events() -> str:
    """Write all events."""
    return table(
        ["event", "when", "about", "detail"],
        (
            [f"`{name}`", kind.when, _names(kind.about), _names(kind.detail)]
            for name, kind in EVENT_KINDS.items()
        ),
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def problems() -> str:
    """Write what a refusal can say: the codes of all errors of the package."""
    return table(
        ["code", "status", "what the caller reads, and what is raised"],
        (
            [f"`{error.code}`", str(error.status), _meaning(error)]
            for error in refusals()
        ),
    )


def _meaning(error: type[AuthError]) -> str:
    parts = [error.public_message, _reference(error)]
    if error.oauth_error is not None and error.oauth_error != error.code:
        parts.append(f"Challenge: `{error.oauth_error}`.")

    return " ".join(filter(None, parts))


def refusals() -> list[type[AuthError]]:
    """Return all refusals, by status and code."""
    for module in modules():
        importlib.import_module(module)

    found = {error for error in _below(AuthError) if _is_ours(error)}
    return sorted(found, key=lambda error: (error.status, error.code, error.__name__))


def _below(error: type[Any]) -> Iterator[type[Any]]:
    yield error
    for child in error.__subclasses__():
        yield from _below(child)


def _is_ours(error: type[AsgiAuthError]) -> bool:
    return error.__module__.startswith("asgi_auth.") and "code" in vars(error)


def _reference(thing: type[Any]) -> str:
    name = thing.__name__
    if not any(name in names for names in pages().values()):
        return ""

    return f"{{py:obj}}`{name} <{page_of('', name)}.{name}>`"


def records() -> str:
    """Write what the loggers write, from the calls in the code."""
    return table(
        ["logger", "level", "line"],
        ([f"`{name}`", level, f"`{text}`"] for name, level, text in log_calls()),
    )


def log_calls() -> list[tuple[str, str, str]]:
    """Return logger, level and text of each call of a logger in the package."""
    calls = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        package = path.relative_to(PACKAGE).with_suffix("").parts[0].lstrip("_")
        for node in ast.walk(ast.parse(path.read_bytes())):
            if (call := _log_call(node)) is not None:
                calls.add((f"asgi_auth.{package}", *call))

    return sorted(calls, key=lambda call: (call[0], _LEVELS.index(call[1].lower())))


def _log_call(node: ast.AST) -> tuple[str, str] | None:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return None

    function, owner = node.func, node.func.value
    if not (isinstance(owner, ast.Name) and _LOGGER.match(owner.id)):
        return None

    text = node.args[0] if node.args else None
    if function.attr not in _LEVELS or not isinstance(text, ast.Constant):
        return None

    level = "error" if function.attr == "exception" else function.attr
    return level.upper(), str(text.value).replace("`", "'")


def settings() -> str:
    """Write the arguments of what an application is put together from."""
    parts = []
    for module, names in CONFIGURED.items():
        for name in names:
            thing = getattr(importlib.import_module(module), name)
            rows = [
                [f"`{setting}`", default, meaning]
                for setting, default, meaning in settings_of(thing)
            ]
            head = f"## {name}\n\n{first_line(module, name)} See {_reference(thing)}."
            parts.append(f"{head}\n\n{table(['setting', 'by default', 'what'], rows)}")

    return "\n\n".join(parts)


def settings_of(thing: type[Any]) -> Iterator[tuple[str, str, str]]:
    """Yield name, default and meaning of each argument."""
    meanings = arguments_of(thing)
    factories = {
        field.name
        for field in (fields(thing) if is_dataclass(thing) else ())
        if field.default_factory is not MISSING
    }
    for name, parameter in inspect.signature(thing).parameters.items():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            continue

        shown = "…" if name in factories else _default(parameter.default)
        yield name, shown, meanings.get(name, "")


def _default(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return "(needed)"

    if inspect.isbuiltin(value) and value.__module__:
        return f"`{value.__module__}.{value.__name__}`"

    text = repr(value)
    return f"`{text}`" if len(text) < 40 and " at 0x" not in text else "…"  # noqa: PLR2004


def arguments_of(thing: type[Any]) -> dict[str, str]:
    """Return what the docstrings of a class say of its arguments."""
    meanings: dict[str, str] = {}
    for owner in reversed(thing.__mro__):
        for _, body in _HEADING.findall(inspect.cleandoc(owner.__doc__ or "") + "\n"):
            meanings |= _entries(inspect.cleandoc("\n" + body))

    return meanings


def _entries(body: str) -> dict[str, str]:
    entries: dict[str, str] = {}
    names = ""
    for line in body.splitlines():
        begins = _ARGUMENT.match(line)
        if begins is not None:
            names = begins[1]
            entries[names] = begins[2].strip()
        elif names:
            entries[names] += f" {line.strip()}"

    return {
        name: plain(text)
        for names, text in entries.items()
        for name in names.split(", ")
    }


def plain(text: str) -> str:
    """Turn what reStructuredText marks into what Markdown marks."""
    text = re.sub(r":\w+:`~?([^`<]+?)(?: <[^`]*)?`", r"`\1`", text)
    return re.sub(r"`{2}", "`", text)


def environment() -> str:
    """Write the variables that are read, and by what."""
    config = importlib.import_module("asgi_auth").AuthConfig
    meanings = arguments_of(config)
    variables = dict(ENVIRONMENT)
    for field in fields(config):
        name = f"ASGI_AUTH_{field.name.upper()}"
        also = variables.get(name)
        own = f"{meanings[field.name]} `AuthConfig.from_env()`"
        variables[name] = f"{own}; {also}" if also else own

    return table(
        ["variable", "what"],
        ([f"`{name}`", what] for name, what in sorted(variables.items())),
    )


def extras() -> str:
    """Write what can be installed beside the core."""
    project = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    return table(
        ["extra", "for", "brings"],
        (
            [f"`{name}`", PURPOSES.get(name, ""), _names(_bare(brought))]
            for name, brought in project["optional-dependencies"].items()
            if name != "dev"
        ),
    )


def _bare(requirements: list[str]) -> list[str]:
    return [re.split(r"[><=;~ ]", text)[0] for text in requirements]


TABLES: dict[str, Callable[[], str]] = {
    "environment": environment,
    "events": events,
    "extras": extras,
    "problems": problems,
    "records": records,
    "settings": settings,
}


def setup(app: Sphinx) -> dict[str, bool]:
    """Have Sphinx call this."""
    app.connect("source-read", write_tables)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Say which paths are public, without being talked into it.

Only the decoded path counts: never the URL, the query, Host or forwarded headers.
A path that two parsers could read in two ways is never public.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from asgi_auth._asgi import Scope
from asgi_auth.credentials.root_path import is_root_named_by_client
from asgi_auth.errors import ConfigurationError

__all__ = ["PublicPaths"]

# Empty and dotted segments, backslashes, control characters, and what a second
# decoding would turn into one of these.
_AMBIGUOUS = re.compile(
    r"//|/\.{1,2}(?:[/;]|$)|[\\\x00-\x1f\x7f]|%(?:2[eEfF5]|3[bB]|5[cC]|00)"
)

# Some frameworks route by the raw path: there such a slash separates nothing.
_ENCODED_SLASH = re.compile(rb"%2[fF]")


class PublicPaths:
    """A set of exact paths and of prefixes.

    Args:
        patterns: ``/exact`` or ``/prefix/*``, which covers all below ``/prefix/``.

    Raises:
        ConfigurationError: A pattern has another form, or could never match.
    """

    __slots__ = ("_exact", "_prefixes")

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        if isinstance(patterns, str):
            msg = "public_paths is a list of paths, not one text."
            raise ConfigurationError(msg)

        checked = [_checked(pattern) for pattern in patterns]
        self._exact = frozenset(p for p in checked if not p.endswith("/*"))
        self._prefixes = tuple(p[:-1] for p in checked if p.endswith("/*"))

    def __contains__(self, scope: Scope) -> bool:
        """Return whether the request in *scope* is for a public path."""
        if not self._exact and not self._prefixes:
            return False  # As mostly: each refusal asks.

        path = _below_root(scope)
        if path is None or not self._covers(path):
            return False

        if _ENCODED_SLASH.search(scope.get("raw_path") or b"") is not None:
            return False

        # Not every application takes out a root that the client has named.
        whole: str = scope["path"]
        return path == whole or not is_root_named_by_client() or self._covers(whole)

    def _covers(self, path: str) -> bool:
        if _AMBIGUOUS.search(path) is not None:
            return False

        return path in self._exact or path.startswith(self._prefixes)


def _below_root(scope: Scope) -> str | None:
    """Return the path without ``root_path``; ``None`` where others read it otherwise.

    Servers and mounts differ in leaving the root in the path, and frameworks in taking
    it out: within a segment, behind its first occurrence, with a slash at its end.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path") or ""
    if not root:
        return path

    if root[0] != "/" or root[-1] == "/" or _AMBIGUOUS.search(root) is not None:
        return None

    if path.startswith(root + "/"):
        return path[len(root) :]

    return None if root in path else path


def _checked(pattern: str) -> str:
    exact = pattern.removesuffix("/*")
    if not pattern.startswith("/") or "*" in exact or _AMBIGUOUS.search(pattern):
        msg = f"{pattern!r} is no public path: write /exact or /prefix/*."
        raise ConfigurationError(msg)

    return pattern

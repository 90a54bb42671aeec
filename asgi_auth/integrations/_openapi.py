"""Say in an OpenAPI document what guards want, where a framework left marks of them.

It rewrites plain documents, and knows no framework.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["complete", "mark"]

_MARK = "x-asgi-auth"
_UNSAFE = re.compile(r"[^A-Za-z0-9_]")
_REFUSALS = {"401": "The caller is not known.", "403": "The caller may not do this."}


def mark(
    scopes: Iterable[str], *, optional: bool = False
) -> tuple[str, dict[str, Any]]:
    """Return a scheme that stands for all of an application's, and its name.

    Args:
        scopes: What one guard wants; equal ones get equal names.
        optional: Who is not known may pass.
    """
    words = sorted(scopes)
    # Names of components have few letters (OpenAPI 3.1, section 4.8.7).
    safe = [_UNSAFE.sub(lambda match: f"-{ord(match[0]):x}", word) for word in words]
    name = ".".join(["optional" if optional else "bearer", *safe])
    return name, {_MARK: {"scopes": words, "optional": optional}}


def complete(
    document: dict[str, Any], schemes: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """Put *schemes* in place of the marked ones, in the document itself.

    Whoever satisfies one of them satisfies an operation; all of its guards' scopes are
    named at once. A complete document stays as it is.

    Args:
        document: With the marked schemes among its components.
        schemes: What the application accepts, by name.
    """
    components = document.get("components", {}).get("securitySchemes", {})
    marked = {
        name: component[_MARK]
        for name, component in components.items()
        if _MARK in component
    }
    if not marked:
        return document

    scope_texts: dict[str, str] = {}
    for operation in _operations(document):
        scope_texts |= dict.fromkeys(_rewrite(operation, marked, schemes), "")

    for name in marked:
        del components[name]

    components.update(_with_scopes(schemes, scope_texts))
    return document


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document.get("paths", {}).values():
        yield from (operation for operation in item.values() if "security" in operation)


def _rewrite(
    operation: dict[str, Any],
    marked: Mapping[str, Mapping[str, Any]],
    schemes: Mapping[str, Any],
) -> list[str]:
    """Say in one operation what its guards want; return the scopes."""
    security: list[dict[str, list[str]]] = operation["security"]
    ours = {
        n: scopes_of
        for entry in security
        for n, scopes_of in entry.items()
        if n in marked
    }
    if not ours:
        return []

    lists = (scopes_of + marked[name]["scopes"] for name, scopes_of in ours.items())
    scopes = sorted({scope for names in lists for scope in names})
    optional = all(marked[name]["optional"] for name in ours) and not scopes
    others = [entry for entry in security if not entry.keys() & ours.keys()]
    operation["security"] = [
        *([{}] if optional else []),
        *({name: scopes} for name in schemes),
        *others,
    ]
    if not operation["security"]:
        del operation["security"]  # An empty list would say that no caller is refused.

    for status, description in () if optional else _REFUSALS.items():
        answers = operation.setdefault("responses", {})
        answers.setdefault(status, {"description": description})

    return scopes


def _with_scopes(
    schemes: Mapping[str, dict[str, Any]], scope_texts: Mapping[str, str]
) -> dict[str, Any]:
    """List all scopes where a flow has to."""
    listed = {}
    for name, scheme in schemes.items():
        flows = {
            kind: {**flow, "scopes": {**scope_texts, **flow["scopes"]}}
            for kind, flow in scheme.get("flows", {}).items()
        }
        listed[name] = {**scheme, "flows": flows} if flows else scheme

    return listed

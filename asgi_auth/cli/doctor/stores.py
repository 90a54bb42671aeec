"""Ask the stores of an application whether they serve, with all of their tables.

What was opened to do so is closed, also where the application opens it itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from asgi_auth.cli.doctor.checks import Patient
from asgi_auth.cli.doctor.finding import Finding
from asgi_auth.errors import AsgiAuthError

__all__ = ["unready_stores"]

_KINDS = (
    "RedisStore",
    "SQLAPIKeys",
    "SQLAccounts",
    "SQLAuditLog",
    "SQLFactors",
    "SQLIdentities",
    "SQLPasskeys",
    "SQLStore",
)
# It has no connections of its own: they are those of the application's engine.
_MODELS = "SQLAlchemyUsers"
_ENGINE = "AsyncEngine"


async def unready_stores(patient: Patient) -> list[Finding]:
    """Return a finding for each store that does not serve."""
    findings: dict[Finding, None] = {}
    stores = [part for kind in _KINDS for part in patient.named(kind)]
    try:
        for store in (*stores, *patient.named(_MODELS)):
            findings |= dict.fromkeys(await _faults_of(store))
    finally:
        for store in stores:
            await store.aclose()

        for engine in _engines(patient):
            await engine.dispose()

    return [*findings]


async def _faults_of(store: Any) -> list[Finding]:
    try:
        await store.ping()
    except AsgiAuthError as error:
        # Several stores may be in one database, and say the same of it.
        advice = "Mend it, or run your migrations, before you start workers."
        return [Finding("store-unready", f"Not ready: {error}.", advice)]

    return []


def _engines(patient: Patient) -> Iterator[Any]:
    """Yield the engines that stores or sessions of the application work with.

    A function that opens sessions may name one of its module.
    """
    yield from patient.named(_ENGINE)
    named = patient.names.values()
    yield from (value for value in named if type(value).__name__ == _ENGINE)

"""Ask the stores of an application whether they serve, with all of their tables."""

from __future__ import annotations

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


async def unready_stores(patient: Patient) -> list[Finding]:
    """Return a finding for each store that does not serve."""
    findings: dict[Finding, None] = {}
    for store in (part for kind in _KINDS for part in patient.named(kind)):
        try:
            await store.ping()
        except AsgiAuthError as error:
            # Several stores may be in one database, and say the same of it.
            advice = "Mend it, or run your migrations, before you start workers."
            findings[Finding("store-unready", f"Not ready: {error}.", advice)] = None
        finally:
            await store.aclose()

    return [*findings]

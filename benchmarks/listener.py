"""Another process, for the suite ``sessions``: it says when a token is refused.

It verifies the token that it is told, over and over, as a busy worker would, and
prints the clock at the first refusal. One line in, one line out.
"""

from __future__ import annotations

import asyncio
import sys
import time

from asgi_auth import KeySet, RevocationList, RevokedTokenError, TokenVerifier
from benchmarks.backing import open_store
from benchmarks.material import AUDIENCE, ISSUER, Material

__all__ = ["verifier_on", "wait_for_refusal"]

_PAUSE = 0.0005


def verifier_on(store: object, keys: KeySet) -> TokenVerifier:
    """Make a verifier that asks *store* what is revoked."""
    revocations = RevocationList(store)  # type: ignore[arg-type]
    return TokenVerifier(
        keys, issuer=ISSUER, audience=AUDIENCE, revocations=revocations
    )


async def wait_for_refusal(verifier: TokenVerifier, token: bytes) -> int:
    """Return the monotonic clock, in ns, at which *token* was refused."""
    while True:
        try:
            await verifier.admit(token)
        except RevokedTokenError:
            return time.monotonic_ns()

        await asyncio.sleep(_PAUSE)


async def _listen(url: str) -> None:
    verifier = verifier_on(open_store(url), Material("HS256").keys)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        token = line.strip().encode()
        await verifier.admit(token)
        print("ready", flush=True)
        print(await wait_for_refusal(verifier, token), flush=True)


if __name__ == "__main__":
    asyncio.run(_listen(sys.argv[1]))

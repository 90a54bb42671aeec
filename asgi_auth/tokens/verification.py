"""How tokens are verified, as an application chooses it once for a service or issuer.

It verifies nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from asgi_auth.tokens.tolerance import Tolerance

__all__ = ["FOREIGN", "Verification"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification(Tolerance):
    """What is forgiven about a token, and how many good ones are remembered.

    Attributes:
        leeway: Seconds that ``exp`` is stretched by, 0 to 300.
        skew: Seconds that ``nbf`` and ``iat`` may lie ahead, 0 to 300.
        max_lifetime: Seconds that ``exp`` may lie ahead, so that an issuer that
            counts milliseconds is noticed.
        cache_size: Greatest number of verified tokens, or of an issuer's answers, to
            remember; 0 has the same token verified again each time.
        insecure_ignore_confirmation: Take tokens that are bound to a key (``cnf``) from
            whoever has them.

    Raises:
        ConfigurationError: One is out of bounds.
    """

    cache_size: int = 4096
    insecure_ignore_confirmation: bool = False


FOREIGN = Verification(skew=60)
"""For issuers whose clocks are not ours."""

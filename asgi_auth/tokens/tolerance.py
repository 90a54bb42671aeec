"""How far the times of a token may be off, checked once."""

from __future__ import annotations

from dataclasses import dataclass

from asgi_auth.errors import ConfigurationError

__all__ = ["LONGEST_LIFETIME", "Tolerance"]

LONGEST_LIFETIME = 366 * 86400.0
"""Seconds that ``exp`` may lie ahead by default."""

_MOST = 300

# Far enough for everybody, and near enough to be counted with.
_FARTHEST = 10.0**12


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """What verifiers of tokens forgive about times.

    Attributes:
        leeway: Seconds that ``exp`` is stretched by, 0 to 300.
        skew: Seconds that ``nbf`` and ``iat`` may lie ahead, 0 to 300.
        max_lifetime: Seconds that ``exp`` may lie ahead, so that an issuer that
            counts milliseconds is noticed.

    Raises:
        ConfigurationError: One is out of bounds.
    """

    leeway: float = 0
    skew: float = 5
    max_lifetime: float = LONGEST_LIFETIME

    def __post_init__(self) -> None:
        """Refuse what would switch a check off."""
        for name, seconds in (("leeway", self.leeway), ("skew", self.skew)):
            if not 0 <= seconds <= _MOST:
                msg = f"{name} must be 0 to {_MOST} seconds."
                raise ConfigurationError(msg)

        # The clock returns floats, and each hit compares: like with like is faster.
        for name in ("leeway", "skew", "max_lifetime"):
            seconds = float(min(getattr(self, name), _FARTHEST))
            object.__setattr__(self, name, seconds)

"""What a right password comes back as.

A wrong one never comes back: it is an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["PasswordMatch"]


@dataclass(frozen=True, slots=True)
class PasswordMatch:
    """The password was right; this is always true where a truth value is asked for.

    Attributes:
        replacement: The hash to store from now on; ``None`` keeps the one there is.
    """

    replacement: str | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        """Say yes, also where there is nothing to replace."""
        return True

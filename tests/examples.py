"""How many examples a property is tried with: all in CI, some where somebody waits."""

from __future__ import annotations

import os

ON_CI = os.environ.get("CI", "").lower() == "true"
SHARE = 1 if ON_CI else 4


def some_of(examples: int) -> int:
    """Return how many of them are made here."""
    return examples // SHARE

"""How tokens travel: the words for it."""

from __future__ import annotations

from typing import Literal

__all__ = ["Delivery", "Medium"]

Delivery = Literal["body", "cookie", "both"]
"""What the routes can do."""

Medium = Literal["body", "cookie"]
"""What one answer does."""

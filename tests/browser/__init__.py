"""A package, so that its tests share one browser."""

from __future__ import annotations

"""Draw the layers of the package, from the list that import-linter keeps it to.

``python -m benchmarks.house`` writes the drawing of ``docs/explanation/house.md``.
"""

from __future__ import annotations

import tomllib
from html import escape
from pathlib import Path

__all__ = ["DRAWING", "draw", "layers"]

ROOT = Path(__file__).parent.parent
DRAWING = ROOT / "docs" / "_static" / "house.svg"

_WIDTH = 760
_HEIGHT = 30
_GAP = 6
_STYLE = """
  .box { fill: #e8eef7; stroke: #5b7fb0; }
  .name { font: 13px ui-monospace, monospace; fill: #1c2733; text-anchor: middle; }
  @media (prefers-color-scheme: dark) {
    .box { fill: #1d2a3a; stroke: #7fa3d6; }
    .name { fill: #e6edf5; }
  }
"""


def layers() -> list[list[str]]:
    """Return the packages and modules of each layer, the highest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    listed = next(c["layers"] for c in contracts if c["id"] == "tower")
    return [[name.strip(" ()") for name in layer.split("|")] for layer in listed]


def draw(rows: list[list[str]]) -> str:
    """Return the drawing: a row of boxes for each layer."""
    height = len(rows) * (_HEIGHT + _GAP) + _GAP
    boxes = "\n".join(
        _box(name, place, len(names), row)
        for row, names in enumerate(rows)
        for place, name in enumerate(names)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}">\n'
        f"<style>{_STYLE}</style>\n{boxes}\n</svg>\n"
    )


def _box(name: str, place: int, of: int, row: int) -> str:
    width = (_WIDTH - _GAP) / of - _GAP
    x = _GAP + place * (width + _GAP)
    y = _GAP + row * (_HEIGHT + _GAP)
    return (
        f'<rect class="box" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_HEIGHT}" '
        f'rx="5"/><text class="name" x="{x + width / 2:.1f}" y="{y + 20}">'
        f"{escape(name)}</text>"
    )


if __name__ == "__main__":
    DRAWING.write_text(draw(layers()), "utf-8")

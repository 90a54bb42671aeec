"""Draw what authentication adds to a request, from the last results of ``asgi``.

Two files, for light and for dark pages, with nothing behind the bars; drawn again
from the same results, they come out the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.report import RESULTS, number

__all__ = ["run", "show"]

_ROLES = ("text", "faint", "ours", "peer")
_INKS = {
    "light": dict(
        zip(_ROLES, ("#1f2328", "#d1d9e0", "#0969da", "#8c959f"), strict=True)
    ),
    "dark": dict(
        zip(_ROLES, ("#e6edf3", "#3d444d", "#4493f8", "#656c76"), strict=True)
    ),
}
_ROWS = [
    ("asgi_auth", "repeated", "asgi_auth, token seen before"),
    ("asgi_auth", "unique", "asgi_auth, new token"),
    ("Starlette + PyJWT", "unique", "Starlette + PyJWT"),
    ("Litestar JWTAuth", "unique", "Litestar JWTAuth"),
    ("FastAPI, by hand", "unique", "FastAPI, by hand"),
    ("Nexios", "unique", "Nexios"),
    ("authx", "unique", "authx"),
    ("fastapi-users", "unique", "fastapi-users"),
]
"""Peers remember no tokens: to them each one is new, and that number is steadier."""


def run(rounds: int) -> dict[str, Any]:
    """Draw both files."""
    source = RESULTS / "asgi.json"
    if not source.exists():
        return {"skipped": ["chart: first run python -m benchmarks asgi"], "files": []}

    try:
        import matplotlib as mpl
    except ImportError as error:
        return {"skipped": [f"chart: {error}"], "files": []}

    mpl.use("svg")
    result = json.loads(source.read_text("utf-8"))
    files = [str(_draw(result, theme).relative_to(RESULTS.parent)) for theme in _INKS]
    return {"files": files}


def show(result: dict[str, Any]) -> str:
    """Name the files."""
    return "\n".join(result["files"])


def _draw(result: dict[str, Any], theme: str) -> Path:
    import matplotlib.pyplot as plt

    ink = _INKS[theme]
    found = {
        (row["contestant"], row["case"]): row["added_us"]
        for row in result["rows"]
        if row["algorithm"] == "HS256"
    }
    rows = [
        (label, found[name, case], name == "asgi_auth")
        for name, case, label in _ROWS
        if (name, case) in found
    ]
    settings = {"svg.hashsalt": "asgi-auth", "font.family": "sans-serif"}
    # Text stays text: it can be read aloud, searched, and follows the page's font.
    with plt.rc_context({**settings, "svg.fonttype": "none"}):
        figure, axes = plt.subplots(figsize=(8, 0.42 * len(rows) + 1.1))
        places = range(len(rows), 0, -1)
        colors = [ink["ours" if own else "peer"] for _, _, own in rows]
        axes.barh(places, [value for _, value, _ in rows], 0.62, color=colors)
        axes.set_yticks(places, [label for label, _, _ in rows], color=ink["text"])
        for place, (_, value, _) in zip(places, rows, strict=True):
            text = f" {number(value)} µs"
            axes.text(value, place, text, va="center", color=ink["text"])

        axes.set_xlim(right=max(value for _, value, _ in rows) * 1.15)
        _dress(axes, ink)
        figure.suptitle(
            _title(result), x=0.012, ha="left", color=ink["text"], fontsize=11
        )
        target = RESULTS / f"chart-{theme}.svg"
        metadata = {"Date": None, "Creator": None, "Title": _title(result)}
        figure.tight_layout()
        figure.savefig(target, transparent=True, metadata=metadata)
        plt.close(figure)

    return target


def _title(result: dict[str, Any]) -> str:
    decode = number(result["decode_us"]["HS256"])
    return f"Added to one request by HS256 authentication (jwt.decode: {decode} µs)"


def _dress(axes: Any, ink: dict[str, str]) -> None:
    """Take away what says nothing."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)

    axes.spines["bottom"].set_color(ink["faint"])
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", which="both", colors=ink["text"], color=ink["faint"])
    axes.grid(axis="x", color=ink["faint"], linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("microseconds", color=ink["text"])

"""Draw what the documentation explains in pictures, once for light and once for dark.

``python -m benchmarks.drawings`` writes them anew. A drawing is a few boxes with words
in them, and arrows between; what it says stands in this file and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

__all__ = ["DRAWINGS", "THEMES", "Drawing", "draw", "files"]

FOLDER = Path(__file__).parent.parent / "docs" / "_static"
THEMES = {
    "light": {
        "ink": "#1c2733",
        "line": "#5b7fb0",
        "plain": "#e8eef7",
        "good": "#e3f3e6",
        "bad": "#fbe6e4",
        "faint": "#51606f",
    },
    "dark": {
        "ink": "#e6edf5",
        "line": "#7fa3d6",
        "plain": "#1d2a3a",
        "good": "#1b3325",
        "bad": "#3d2220",
        "faint": "#a9b7c6",
    },
}
_LINE = 17
_FONT = "font-family='system-ui, sans-serif' font-size='13'"


@dataclass(frozen=True)
class Box:
    """Some lines of text, the first of them bold.

    Attributes:
        kind: ``plain``, ``good`` or ``bad``: what colour it has.
    """

    x: int
    y: int
    width: int
    height: int
    text: tuple[str, ...]
    kind: str = "plain"


@dataclass(frozen=True)
class Arrow:
    """A line with a point at its end, through all of its places."""

    places: tuple[tuple[int, int], ...]
    label: str = ""


@dataclass(frozen=True)
class Drawing:
    """One picture.

    Attributes:
        title: What it shows, for who cannot see it.
    """

    title: str
    width: int
    height: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...] = ()


def _request() -> Drawing:
    steps = (
        ("1  Look", "headers, cookies, query, subprotocols, once", "plain"),
        ("2  Ask a backend", "whose is it? signature, claims, times", "plain"),
        ("3  Revoked?", "a look-up in this process, no round trip", "plain"),
        ("4  Load the user", "your load_user, if there is one", "plain"),
        ("5  Guard", "scopes, roles, fresh log-in, your rules", "plain"),
        ("6  Your app", 'scope["user"], scope["auth"]', "good"),
    )
    refusals = (
        ("400 invalid_request", "two credentials at once, malformed ones"),
        ("401 invalid_token", "forged, expired, of another kind or issuer"),
        ("401 token_revoked", "503 while nobody can tell: never a pass"),
        ("401 unknown_subject", "503 if your database is down"),
        ("401 or 403", "nobody is known, or the right is missing"),
    )
    top = 44
    boxes = tuple(
        Box(20, top + 76 * place, 330, 52, (name, text), kind)
        for place, (name, text, kind) in enumerate(steps)
    ) + tuple(
        Box(430, top + 76 * place, 330, 52, lines, "bad")
        for place, lines in enumerate(refusals)
    )
    down = tuple(
        Arrow(((185, top + 76 * place + 52), (185, top + 76 * (place + 1))))
        for place in range(len(steps) - 1)
    )
    aside = tuple(
        Arrow(((350, top + 76 * place + 26), (430, top + 76 * place + 26)))
        for place in range(len(refusals))
    )
    enter = Arrow(((185, 12), (185, top)), "a request, or the handshake of a WebSocket")
    return Drawing(
        "What happens on a request: it is looked at, a backend verifies the "
        "credential, revocations are looked up, the user is loaded, guards are "
        "asked, and the application is called; each step can refuse.",
        780,
        top + 76 * len(steps) - 12,
        boxes,
        (enter, *down, *aside),
    )


def _carriers() -> Drawing:
    rows = (
        (
            "A page, with cookies",
            "__Host-access",
            "__Secure-refresh, to /auth/refresh",
            "its origin is checked",
        ),
        (
            "A page, tokens in memory",
            "Authorization: Bearer …",
            "refresh_token in the body",
            "the browser client does it",
        ),
        (
            "A program, a mobile app",
            "Authorization: Bearer …",
            "refresh_token in the body",
            "BearerAuth does it",
        ),
        (
            "A WebSocket of a page",
            "cookie, ticket, subprotocol",
            "nothing: extend with a new token",
            "no header can be set",
        ),
        (
            "An EventSource",
            "cookie, or ticket",
            "nothing: a new ticket each time",
            "no header can be set",
        ),
        (
            "A script with a key",
            "Authorization: ApiKey shop_…",
            "nothing: good until it is revoked",
            "API keys",
        ),
    )
    heads = ("who calls", "each request carries", "a refresh carries", "to know")
    places = ((12, 186), (206, 218), (432, 238), (678, 210))
    boxes = tuple(
        Box(x, 8, width, 28, (head,), "good")
        for head, (x, width) in zip(heads, places, strict=True)
    ) + tuple(
        Box(x, 44 + 42 * line, width, 36, (text,))
        for line, row in enumerate(rows)
        for text, (x, width) in zip(row, places, strict=True)
    )
    return Drawing(
        "Which cookie and which header: what pages, programs, WebSockets, event "
        "streams and scripts send with each request, and what they refresh with.",
        900,
        44 + 42 * len(rows) + 4,
        boxes,
    )


DRAWINGS = {"request": _request(), "carriers": _carriers()}


def draw(drawing: Drawing, theme: str) -> str:
    """Return the picture as SVG."""
    colours = THEMES[theme]
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' role='img' {_FONT} "
        f"viewBox='0 0 {drawing.width} {drawing.height}'>"
    )
    tip = (
        "<defs><marker id='tip' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='8' "
        f"markerHeight='8' orient='auto'><path d='M0 0L8 4L0 8z' "
        f"fill='{colours['line']}'/></marker></defs>"
    )
    arrows = (line for arrow in drawing.arrows for line in _arrow(arrow, colours))
    boxes = (line for box in drawing.boxes for line in _box(box, colours))
    title = f"<title>{escape(drawing.title)}</title>"
    parts = [head, title, tip, *arrows, *boxes, "</svg>"]
    return "\n".join(parts) + "\n"


def _arrow(arrow: Arrow, colours: dict[str, str]) -> Iterator[str]:
    points = " ".join(f"{x},{y}" for x, y in arrow.places)
    yield (
        f"<polyline points='{points}' fill='none' stroke='{colours['line']}' "
        "stroke-width='1.5' marker-end='url(#tip)'/>"
    )
    if arrow.label:
        x, y = arrow.places[0]
        yield _text(x + 14, y + 12, arrow.label, colours["faint"])


def _box(box: Box, colours: dict[str, str]) -> Iterator[str]:
    yield (
        f"<rect x='{box.x}' y='{box.y}' width='{box.width}' height='{box.height}' "
        f"rx='5' fill='{colours[box.kind]}' stroke='{colours['line']}'/>"
    )
    first = box.y + (box.height - _LINE * len(box.text)) // 2 + 13
    is_titled = len(box.text) > 1
    for place, line in enumerate(box.text):
        bold = is_titled and place == 0
        yield _text(box.x + 12, first + _LINE * place, line, colours["ink"], bold=bold)


def _text(x: int, y: int, text: str, colour: str, *, bold: bool = False) -> str:
    weight = " font-weight='600'" if bold else ""
    return f"<text x='{x}' y='{y}' fill='{colour}'{weight}>{escape(text)}</text>"


def files() -> dict[Path, str]:
    """Return all pictures, by the file that each belongs into."""
    return {
        FOLDER / f"{name}-{theme}.svg": draw(drawing, theme)
        for name, drawing in DRAWINGS.items()
        for theme in THEMES
    }


if __name__ == "__main__":
    for path, picture in files().items():
        path.write_text(picture, "utf-8")

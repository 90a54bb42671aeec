"""A Sphinx extension that highlights the lines that matter in an example.

A page says which in a comment before the block, by a piece of their text:
``<!-- mark: install(; @requires -->``. So the example stays as plain as it is, and the
right lines stay highlighted when others are added. A piece that the block does not have
is an error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

MARKED = re.compile(
    r"^(?P<indent> *)<!-- mark: (?P<pieces>.+?) -->\n"
    r"(?P<block>(?P=indent)(?P<fence>`{3,})\w+\n(?P<source>.*?)^(?P=indent)(?P=fence))",
    re.DOTALL | re.MULTILINE,
)


class MarkError(ValueError):
    """No line of the block has the piece."""


def lines_with(source: str, pieces: str) -> list[int]:
    """Return the numbers of the lines that hold one of the pieces, counted from 1.

    Raises:
        MarkError: A piece is in none of them.
    """
    lines, numbers = source.splitlines(), set()
    for piece in pieces.split("; "):
        found = {number for number, line in enumerate(lines, 1) if piece in line}
        if not found:
            msg = f"no line of the block has {piece!r}, which is to be marked"
            raise MarkError(msg)

        numbers |= found

    return sorted(numbers)


def write_marks(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the numbers in the place of each comment."""
    del app, docname
    source[0] = MARKED.sub(numbered, source[0])


def numbered(match: re.Match[str]) -> str:
    """Write the attribute that MyST reads, in as many lines as before."""
    numbers = ",".join(map(str, lines_with(match["source"], match["pieces"])))
    return f'{match["indent"]}{{emphasize-lines="{numbers}"}}\n{match["block"]}'


def setup(app: Sphinx) -> dict[str, bool]:
    """Have Sphinx call this."""
    app.connect("source-read", write_marks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

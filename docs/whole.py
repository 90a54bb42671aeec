"""A Sphinx extension that shows a file of a tutorial in one piece.

A tutorial says "Save this as `x.py`" and goes on from block to block. A comment,
``<!-- whole: x.py -->``, becomes what the file holds by then: folded, and to be copied
at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

WHOLE = re.compile(r"<!-- whole: (?P<file>\w+\.py) -->")
PIECE = re.compile(
    r"(?:[Ss]ave|[Aa]dd|go)\b[^.`]*`(?P<file>\w+\.py)`"
    r"|^```python\n(?P<source>.*?)^```",
    re.DOTALL | re.MULTILINE,
)


def file_of(text: str, name: str) -> str:
    """Return the blocks of a file in a page, or its beginning, one below the other."""
    blocks, current = [], None
    for match in PIECE.finditer(text):
        current = match["file"] or current
        if match["source"] is not None and current == name:
            blocks.append(match["source"])

    return "\n".join(blocks)


def write_wholes(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put each file in the place of its comment."""
    del app, docname
    text = source[0]
    source[0] = WHOLE.sub(
        lambda match: folded(match["file"], text[: match.start()]), text
    )


def folded(name: str, text: str) -> str:
    """Write a file that is shown on a click, as it is where *text* ends."""
    code = file_of(text, name)
    return f"::::{{dropdown}} `{name}` so far\n```python\n{code}```\n::::"


def setup(app: Sphinx) -> dict[str, bool]:
    """Have Sphinx call this."""
    app.connect("source-read", write_wholes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Hands tests what the pages of the documentation define."""

from __future__ import annotations

import re
from pathlib import Path

HOW_TO = Path(__file__).parent.parent.parent / "docs" / "how-to"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def names_of_page(name):
    """Run the blocks of a page, and return the names that they define."""
    names = {"__name__": "docs_page"}
    for block in BLOCK.findall((HOW_TO / name).read_text("utf-8")):
        exec(compile(block, name, "exec", dont_inherit=True), names)

    return names

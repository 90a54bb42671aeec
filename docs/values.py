"""Reads the page that shows what names give back, for the descriptions of the names.

Each heading is a full name, and the block below it its example.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = re.compile(
    r"^## (?P<module>asgi_auth[\w.]*)\.(?P<name>\w+)\n\n```python\n(?P<source>.*?)^```",
    re.DOTALL | re.MULTILINE,
)


def shown_values(page: Path) -> dict[tuple[str, str], str]:
    """Return the example of each module and name, as reStructuredText."""
    return {
        (match["module"], match["name"]): written(match["source"])
        for match in EXAMPLE.finditer(page.read_text("utf-8"))
    }


def written(source: str) -> str:
    """Return a block within a description."""
    code = textwrap.indent(source, " " * 6)
    whole = "   All in one piece: :doc:`/reference/values`.\n"
    return f"   .. code-block:: python\n\n{code}\n{whole}\n"

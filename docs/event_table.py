"""A Sphinx extension that writes the table of events, from the one in the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_auth._event_kinds import EVENT_KINDS

if TYPE_CHECKING:
    from sphinx.application import Sphinx

MARKER = "<!-- events -->"
HEAD = "| event | when | about | detail |\n| --- | --- | --- | --- |\n"


def table() -> str:
    """Write all events as one table."""
    rows = (
        f"| `{name}` | {kind.when} | {_names(kind.about)} | {_names(kind.detail)} |"
        for name, kind in EVENT_KINDS.items()
    )
    return HEAD + "\n".join(rows)


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def write_table(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the table in the place of the marker."""
    del app, docname
    source[0] = source[0].replace(MARKER, table())


def setup(app: Sphinx) -> dict[str, bool]:
    """Have Sphinx call this."""
    app.connect("source-read", write_table)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""A Sphinx extension that writes ``llms.txt``: the pages, for programs that read.

It lists what the tables of contents list, in their order, each page by its title and
its first paragraph, with a link to its source in Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parent

_TOCTREE = re.compile(r"```\{toctree\}\n(.*?)```", re.DOTALL)
_INCLUDE = re.compile(r"```\{include\} (.*)\n```")
_FENCED = re.compile(r"^(`{3,}|:{3,}).*?^\1$\n?", re.DOTALL | re.MULTILINE)
_BLOCK = re.compile(r"^(#|<!--|\(.*\)=$|[|>*%-])")
_ROLE = re.compile(r"\{[\w:]+\}`~?([^`<]*?)(?: <[^`]*>)?`")


def contents() -> str:
    """Return the text of ``llms.txt``."""
    parts = [f"# asgi-auth\n\n> {first_paragraph('index')}"]
    for section in pages_below("index"):
        pages = [*walk(section)]
        if len(pages) > 1:
            lines = "\n".join(map(line, pages))
            parts.append(f"## {title(section)}\n\n{lines}")

    return "\n\n".join(parts) + "\n"


def walk(page: str) -> Iterator[str]:
    """Yield a page and all below it."""
    yield page
    for below in pages_below(page):
        yield from walk(below)


def pages_below(page: str) -> list[str]:
    """Return what the tables of contents of a page list."""
    folder = Path(page).parent
    names = [
        name.strip()
        for listing in _TOCTREE.findall(read(page))
        for name in listing.splitlines()
        if name.strip() and not name.startswith(":")
    ]
    return [(folder / name).as_posix() for name in names]


def line(page: str) -> str:
    """Return the line of one page."""
    link = f"_sources/{page}.md.txt"
    return f"- [{title(page)}]({link}): {first_paragraph(page)}"


def title(page: str) -> str:
    """Return the heading of a page."""
    return read(page).partition("# ")[2].partition("\n")[0]


def first_paragraph(page: str) -> str:
    """Return the first paragraph of a page, in one line."""
    text = _FENCED.sub("", read(page).partition("\n\n")[2])
    for block in text.split("\n\n"):
        if block.strip() and not _BLOCK.match(block.strip()):
            return _ROLE.sub(r"\1", " ".join(block.split()))

    return ""


def read(page: str) -> str:
    """Return the source of a page, with what it includes."""
    path = DOCS / f"{page}.md"
    return _INCLUDE.sub(
        lambda found: (path.parent / found[1]).read_text("utf-8"),
        path.read_text("utf-8"),
    )


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write the file beside the pages."""
    if exception is None and app.builder.format == "html":
        (Path(app.outdir) / "llms.txt").write_text(contents(), "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

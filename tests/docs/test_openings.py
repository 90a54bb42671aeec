"""Pages begin as a reader needs it: what this gives, and when to use it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
HOW_TOS = sorted(p for p in (DOCS / "how-to").glob("*.md") if p.stem != "index")
INSTALLS = [
    p
    for p in sorted(DOCS.rglob("*.md"))
    if 'install "asgi-auth' in p.read_text("utf-8")
]
# Code, a heading, a list, a table, a directive or a comment is no sentence.
NO_PROSE = re.compile(r"^(`{3}|:{3}|~{3}|#|[*|>%-]|\d+\.|<!--)")
WHEN = re.compile(
    r"\b(use|take|choose|read)\b.{0,60}\b(if|when|where|for|before|as soon as|to|by)\b",
    re.IGNORECASE | re.DOTALL,
)


def opening(text):
    """Return the first paragraph below the title; empty if it is no prose."""
    body = text.partition("\n\n")[2]
    first = body.partition("\n\n")[0].strip()
    return "" if NO_PROSE.match(first) else first


@pytest.mark.parametrize("page", HOW_TOS, ids=lambda page: page.stem)
def test_a_how_to_says_what_it_gives_and_when_to_use_it(page):
    first = opening(page.read_text("utf-8"))

    assert first, "begin with a paragraph, not with code, a heading or a list"
    assert len(re.findall(r"[.:](?:\s|$)", first)) > 1, "say what it gives, and when"
    assert WHEN.search(first), 'say when: "Use it if …", "Use this page for …"'
    assert len(first) < 700, "an opening is short"


@pytest.mark.parametrize(
    "text",
    [
        "# A\n\n```python\nx = 1\n```\n",
        "# A\n\n## B\n\nText. Use it if you like.\n",
        "# A\n\n* Use it if you like.\n",
        "# A\n",
    ],
)
def test_an_opening_that_is_no_prose_is_found(text):
    assert opening(text) == ""


@pytest.mark.parametrize("page", INSTALLS, ids=lambda page: page.stem)
def test_a_command_that_installs_says_from_where(page):
    for block in re.findall(
        r"```(?:sh|bash)\n(.*?)```", page.read_text("utf-8"), re.DOTALL
    ):
        if 'install "asgi-auth' in block:
            assert "# until the first release, from a checkout: " in block


def test_there_are_commands_that_install():
    assert len(INSTALLS) > 10

"""What pages show is what was measured."""

from __future__ import annotations

import pytest

from benchmarks.pages import PAGES, fill


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_shows_the_last_results(page):
    text = page.read_text("utf-8")

    assert "<!-- table: " in text
    assert fill(text) == text, "run: python -m benchmarks pages"


def test_what_stands_between_the_marks_is_replaced():
    text = "a\n<!-- table: speed -->\nold\n<!-- end: speed -->\nb\n"
    filled = fill(text)

    assert filled.startswith("a\n<!-- table: speed -->\n\n| µs added")
    assert "old" not in filled
    assert filled.endswith("<!-- end: speed -->\nb\n")

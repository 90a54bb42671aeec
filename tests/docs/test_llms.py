"""What programs are told of the documentation is what is there."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def llms():
    spec = importlib.util.spec_from_file_location("llms", DOCS / "llms.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_is_listed_once(llms):
    listed = [*llms.walk("index")]
    there = [
        path.relative_to(DOCS).with_suffix("").as_posix()
        for path in DOCS.rglob("*.md")
        if "_build" not in path.parts
    ]

    assert sorted(listed) == sorted(there)


def test_every_page_has_a_title_and_says_what_it_is_for(llms):
    for page in llms.walk("index"):
        assert llms.title(page), page
        text = llms.first_paragraph(page)
        assert text[-1:] in ".:", page
        assert not text.startswith(("from ", "import ", "python ")), page
        assert "{doc}" not in text, page


def test_code_before_the_first_sentence_is_passed_over(llms, tmp_path, monkeypatch):
    monkeypatch.setattr(llms, "DOCS", tmp_path)
    text = "# A\n\n```python\nimport a\n\nb = 1\n```\n\nIt is {doc}`that <x>`, *a*.\n"
    (tmp_path / "page.md").write_text(text, "utf-8")
    assert llms.first_paragraph("page") == "It is that, *a*."


def test_the_text_has_a_title_a_summary_and_sections_of_links(llms):
    text = llms.contents()

    assert text.startswith("# asgi-auth\n\n> `asgi_auth` identifies the caller")
    assert "\n## How-to guides\n\n- [How-to guides](_sources/how-to/" in text
    assert "[Threat model](_sources/explanation/threats.md.txt): Who may" in text

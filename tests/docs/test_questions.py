"""Newcomers find the answers to their questions, by clicks and by the search.

The search is that of the built pages: its index is built here, and its own script is
asked, as a browser would.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

from tests.docs.questions import QUESTIONS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SEARCH = Path(__file__).with_name("search.js")
LINK = re.compile(r"\{doc\}`(?:[^`<]*<)?([^`>]+)>?`|\]\(([\w./-]+)\.md[)#]")
FIRST = 6  # As many results as a reader looks through.
# Other words for the same, and other pages.
FURTHER = {
    "log out all devices": "how-to/revocation",
    "google login": "how-to/log-in-with-providers",
    "keycloak realm roles": "how-to/keycloak",
    "redis sessions": "how-to/redis",
    "admin role": "how-to/guards",
    "rotate secret keys": "how-to/keys",
    "okta": "how-to/more-issuers",
    "firebase": "how-to/more-issuers",
    "supabase": "how-to/more-issuers",
    "clerk": "how-to/more-issuers",
    "zitadel": "how-to/more-issuers",
    "adfs": "how-to/more-issuers",
    "github actions": "how-to/more-issuers",
    "auth0": "how-to/auth0",
    "azure ad": "how-to/entra",
    "cognito": "how-to/cognito",
    "redirect_uri_mismatch": "how-to/provider-settings",
    "sign in with apple": "how-to/provider-settings",
    "gitlab": "how-to/provider-settings",
    "cloudflare access": "how-to/identity-proxies",
    "docker": "how-to/deploy",
}


def linked(page):
    """Return the pages that a page links to."""
    text = (DOCS / f"{page}.md").read_text("utf-8")
    found = {one or other for one, other in LINK.findall(text)}
    return {resolved(page, name) for name in found if name}


def resolved(page, name):
    if name.startswith("/"):
        return name[1:]

    parts = []
    for part in (PurePosixPath(page).parent / name).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)

    return "/".join(parts)


@cache
def within_two_clicks():
    first = {page for page in linked("index") if (DOCS / f"{page}.md").exists()}
    second = {page for start in first for page in linked(start)}
    return first | second


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return what the search answers to each question, best first."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is missing, which runs the search of the pages")

    folder = tmp_path_factory.mktemp("search")
    build = subprocess.run(
        [sys.executable, "-m", "tests.docs.indexing", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert build.returncode == 0, build.stdout + build.stderr
    searches = [*(question.search for question in QUESTIONS), *FURTHER]
    asked = subprocess.run(
        [node, str(SEARCH), str(folder), *searches],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return dict(zip(searches, json.loads(asked.stdout), strict=True))


def test_there_are_twenty_questions_from_public_threads():
    assert len({question.thread for question in QUESTIONS}) == 20
    for question in QUESTIONS:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", question.thread)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.search)
def test_the_page_answers_the_question(question):
    text = (DOCS / f"{question.page}.md").read_text("utf-8")
    assert question.answer in " ".join(text.split())


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.search)
def test_the_answer_is_two_clicks_away(question):
    assert question.page in within_two_clicks()


# One build for all of them, and the slowest test of this folder.
@pytest.mark.timeout(400)
def test_the_search_finds_the_answers(results):
    pages = {question.search: question.page for question in QUESTIONS} | FURTHER
    missed = {
        search: results[search][:FIRST]
        for search, page in pages.items()
        if page not in results[search][:FIRST]
    }
    assert not missed


def test_words_for_the_search_are_those_of_pages_that_exist():
    spec = importlib.util.spec_from_file_location("words", DOCS / "searchwords.py")
    words = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(words)

    for page in words.PHRASES:
        assert (DOCS / f"{page}.md").is_file(), page
        assert not any("," in phrase for phrase in words.phrases_of(page)), page

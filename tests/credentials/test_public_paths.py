from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import ConfigurationError
from asgi_auth.credentials.public_paths import PublicPaths
from tests.asgi import http_scope

PUBLIC = PublicPaths(["/public", "/login", "/static/*"])


def is_public(path, paths=PUBLIC, **more):
    return http_scope(path, **more) in paths


@pytest.mark.parametrize(
    "path",
    ["/public", "/login", "/static/", "/static/app.css", "/static/a/b/c", "/static/…"],
)
def test_what_is_listed_is_public(path):
    assert is_public(path)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/admin",
        "/Public",
        "/PUBLIC",
        "/public/",
        "/public/x",
        "/publicx",
        "/xpublic",
        "/x/public",
        "public",
        "//public",
        "/public//",
        "/static",
        "/Static/x",
        "/static//x",
        "/static/../admin",
        "/static/..",
        "/static/.",
        "/static/./x",
        "/static/x/../../admin",
        "/./public",
        "/static\\..\\admin",
        "/static/x\\y",
        "/static/\x00",
        "/static/x\n",
        "/static/\x7f",
        "/static/%2e%2e/admin",
        "/static/%2E%2E/admin",
        "/static/%2f..%2fadmin",
        "/static/%5c..",
        "/static/%00",
        "/static/%252e%252e/admin",
        "/admin/%2e%2e/public",
        "http://host/public",
        "/admin?x=/public",
        "/admin#/public",
        "/admin;/public",
    ],
)
def test_nothing_talks_itself_into_the_list(path):
    assert not is_public(path)


def test_dots_within_a_name_are_harmless():
    assert is_public("/static/...")
    assert is_public("/static/.hidden")
    assert is_public("/static/a..b")


@pytest.mark.parametrize(
    "more",
    [
        {"query": b"x=/public"},
        {"query": b"/public"},
        {"raw_path": b"/public"},
        {"headers": [(b"host", b"x/public"), (b"x-original-url", b"/public")]},
        {
            "headers": [
                (b"x-forwarded-prefix", b"/admin"),
                (b"x-rewrite-url", b"/public"),
            ]
        },
        {"scheme": "/public"},
    ],
    ids=str,
)
def test_only_the_decoded_path_is_looked_at(more):
    assert not is_public("/admin", **more)


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/api/public", "/api"),
        ("/public", "/api"),
        ("/public", ""),
        ("/public", None),
        ("/a/b/public", "/a/b"),
        ("/api/static/x", "/api"),
    ],
)
def test_the_root_path_is_removed_where_it_is_there(path, root):
    assert is_public(path, root_path=root)


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/api/public", ""),
        ("/apipublic", "/api"),
        ("/api/public", "/ap"),
        ("/api", "/api"),
        ("/api/", "/api"),
        ("/API/public", "/api"),
        ("/api//public", "/api"),
        ("/api/../public", "/api"),
        ("/api/..", "/api"),
        ("/other/public", "/api"),
    ],
)
def test_the_root_path_ends_at_a_segment(path, root):
    assert not is_public(path, root_path=root)


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/api/public", "/api/"),
        ("/api/public", "/api//"),
        ("/api/public", "//api"),
        ("/public", "/"),
        ("/public", "//"),
        ("/public", "/x/"),
        ("/public", "x"),
        ("/public", "/x/../y"),
        ("/public", "/x/."),
        ("/public", "/x%2f"),
        ("/public", "/x\\"),
        ("/public", "/x\n"),
        ("/public", "/pub"),
        ("/public", "/public"),
        ("/static/x/secret", "/x"),
        ("/static/api", "/api"),
    ],
)
def test_a_root_path_that_frameworks_cut_in_other_ways_makes_nothing_public(path, root):
    assert not is_public(path, root_path=root)


def test_a_scope_without_root_path_has_none():
    scope = http_scope("/public")
    del scope["root_path"]
    assert scope in PUBLIC


def test_an_empty_list_has_no_public_path():
    assert http_scope("/") not in PublicPaths()
    assert http_scope("") not in PublicPaths([])


def test_everything_below_the_root_can_be_public():
    paths = PublicPaths(["/*"])
    assert is_public("/", paths)
    assert is_public("/x/y", paths)
    assert not is_public("/x/../y", paths)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "public",
        "*",
        "/a*",
        "/*/a",
        "/a/*/b",
        "/**",
        "//",
        "//*",
        "/a//*",
        "/a/../b",
        "/a/./*",
        "/a\\b",
        "/%2e",
        "/a\n",
        "http://host/a",
    ],
)
def test_a_pattern_that_could_never_match_is_a_mistake(pattern):
    with pytest.raises(ConfigurationError, match="public path"):
        PublicPaths([pattern])


def test_one_text_is_no_list():
    with pytest.raises(ConfigurationError, match="list"):
        PublicPaths("/public")


PIECES = st.lists(
    st.sampled_from(
        ["/", ".", "..", "static", "public", "admin", "%2e", "%", "\\", "a", "5c"]
    ),
    max_size=8,
).map("".join)


def resolved(path: str) -> str:
    """Resolve dots as a lenient server would, after decoding over and over."""
    for _ in range(4):
        path = unquote(path)

    segments: list[str] = []
    for segment in path.replace("\\", "/").split("/"):
        if segment == "..":
            segments = segments[:-1]
        elif segment not in {"", "."}:
            segments.append(segment)

    return "/" + "/".join(segments)


@given(PIECES)
def test_what_is_public_is_public_for_the_most_lenient_reader_too(path):
    if is_public(path):
        found = resolved(path)
        assert found in {"/public", "/login", "/static"} or found.startswith("/static/")


def test_a_slash_that_was_encoded_makes_nothing_public():
    assert is_public("/static/a/b", raw_path=b"/static/a/b")
    assert not is_public("/static/a/b", raw_path=b"/static/a%2Fb")

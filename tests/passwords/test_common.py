from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth.passwords.common import _roots, is_common, is_mostly


def test_the_list_names_its_source_and_is_folded():
    roots = _roots()
    assert len(roots) > 500
    assert all(root == root.casefold() for root in roots)


@given(
    st.sampled_from(sorted(root for root in _roots() if root.isalpha())),
    st.text("0123456789!.-_ ", max_size=6),
    st.text("0123456789!.-_ ", max_size=6),
)
def test_dress_does_not_hide_a_root(root, before, after):
    assert is_common(before + root + after)


@pytest.mark.parametrize("text", ["p4$$w0rd", "1l0vey0u", "m0nk3y", "5up3rm4n"])
def test_digits_for_letters_do_not_hide_a_root(text):
    assert is_common(text)


@pytest.mark.parametrize("text", ["qwerty12", "poiuytrewq", "1q2w3e4r", "poiuytr!9"])
def test_walks_on_the_keyboard_are_common(text):
    assert is_common(text)


@pytest.mark.parametrize("text", ["aaaaaaa1!", "abcabcabc", "!!hahahaha"])
def test_repetitions_are_common(text):
    assert is_common(text)


@pytest.mark.parametrize("text", ["01012011", "4815162342", "19871204"])
def test_short_numbers_are_common(text):
    assert is_common(text)


def test_a_root_that_is_turned_around_is_common():
    assert is_common("drowssap99")


@pytest.mark.parametrize("text", ["plumtrestle", "zebra-ladder", "tr0ub4dor&3x"])
def test_other_texts_are_not(text):
    assert not is_common(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("alice99", True), ("99alice.x", True), ("alice went home", False), ("x", False)],
)
def test_a_word_with_little_else_is_mostly_that_word(text, expected):
    assert is_mostly(text, "alice") is expected

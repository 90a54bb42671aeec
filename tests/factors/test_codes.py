"""Codes as people type them."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth.factors.codes import (
    digest_of,
    kind_of,
    new_email_code,
    new_recovery_codes,
    plain,
)

BASE32 = string.ascii_uppercase + "234567"


@given(st.text(max_size=64))
def test_any_text_is_a_code_in_one_spelling_or_none(text):
    shape = kind_of(text)
    if shape is None:
        return
    kind, code = shape
    assert kind_of(code) == shape
    assert len(code) == {"totp": 6, "email": 8, "recovery": 16}[kind]
    assert set(code) <= set(string.digits if kind == "totp" else BASE32)


@given(st.text(alphabet=BASE32, min_size=8, max_size=8), st.data())
def test_every_spelling_is_read_alike(code, data):
    typed = ""
    for letter in code:
        swapped = {"O": "0", "I": "1", "B": "8"}.get(letter, letter)
        choices = [letter, letter.lower(), swapped, f"{letter} ", f"-{letter}"]
        typed += data.draw(st.sampled_from(choices))
    assert kind_of(typed) == ("email", code)


ARABIC = "".join(map(chr, range(0x0661, 0x0667)))
FULL_WIDTH = "".join(map(chr, range(0xFF11, 0xFF17)))


@pytest.mark.parametrize(
    "text",
    ["", "-", "12345", "1234567", ARABIC, FULL_WIDTH, "\u00b2" * 6, "12345\n6"],
)
def test_what_looks_like_a_code_is_none(text):
    assert kind_of(text) is None


def test_what_is_made_is_read():
    assert kind_of(new_email_code())[0] == "email"
    codes = new_recovery_codes()
    assert [kind_of(code)[0] for code in codes] == ["recovery"] * 10
    assert len({plain(code) for code in codes}) == 10


def test_digests_are_of_one_user():
    code = new_recovery_codes()[0]
    assert digest_of(code, subject="a") == digest_of(plain(code), subject="a")
    assert digest_of(code, subject="a") != digest_of(code, subject="b")

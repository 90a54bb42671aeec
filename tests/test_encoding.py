from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth._encoding import (
    ALPHABET,
    b64url_decode,
    b64url_encode,
    compact_json,
    constant_time_equal,
)


@given(st.binary())
def test_every_value_has_one_text_and_comes_back(data):
    text = b64url_encode(data)
    assert text == base64.urlsafe_b64encode(data).rstrip(b"=")
    assert b64url_decode(text) == data


@given(st.binary(max_size=12) | st.text(ALPHABET.decode(), max_size=12).map(str.encode))
def test_no_other_text_is_accepted(text):
    try:
        data = b64url_decode(text)
    except ValueError:
        try:
            lenient = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
        except ValueError:
            return

        assert b64url_encode(lenient) != text
    else:
        assert b64url_encode(data) == text


@pytest.mark.parametrize(
    "text",
    [
        b"=",
        b"QQ==",
        b"QQ=",
        b"QR",
        b"QUJ",
        b"Q",
        b"QUJDR",
        b"+w",
        b"/w",
        b"Q\n",
        b"Q Q",
    ],
)
def test_padding_spare_bits_and_foreign_characters_are_refused(text):
    with pytest.raises(ValueError):
        b64url_decode(text)


def test_json_is_short_utf8():
    assert compact_json({"ü": [1, "☃"], "x": None}) == '{"ü":[1,"☃"],"x":null}'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {"\udfff": 1}])
def test_what_is_no_json_is_not_written(value):
    with pytest.raises(ValueError):
        compact_json(value)


def test_what_has_no_json_form_is_a_type_error():
    with pytest.raises(TypeError):
        compact_json({1, 2})


@given(
    st.recursive(st.none() | st.integers() | st.text('aü☃"\\'), st.lists, max_leaves=9)
)
def test_what_is_written_reads_back(value):
    assert json.loads(compact_json(value)) == value


@pytest.mark.parametrize(
    ("left", "right"),
    [(b"a", b"a"), (b"a", b"b"), (b"a", b"aa"), (b"", b"a"), (b"\xff", b"\xff")],
)
def test_comparison_is_that_of_bytes(left, right):
    assert constant_time_equal(left, right) is (left == right)

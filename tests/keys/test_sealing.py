from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import ConfigurationError
from asgi_auth.keys import SealedValueError, SealKeys

KEYS = SealKeys({"a": b"1" * 32, "b": b"2" * 32})
LONG = "0f4a9a7d3c2b1e8f6d5c4b3a29181706f5e4d3c2b1a09f8e7d6c5b4a39281706"


@pytest.mark.parametrize("value", [b"", b"secret", bytes(range(256))])
def test_what_is_sealed_is_read_again(value):
    text = KEYS.seal(value, purpose="x")
    assert KEYS.unseal(text, purpose="x") == value
    assert KEYS.seal(value, purpose="x") != text
    assert text.startswith("a.")


def test_an_older_key_reads_and_does_not_seal():
    text = SealKeys({"b": b"2" * 32}).seal(b"x", purpose="")
    assert KEYS.unseal(text, purpose="") == b"x"
    assert not KEYS.is_current(text)
    assert KEYS.is_current(KEYS.seal(b"x", purpose=""))


def test_what_is_sealed_for_one_is_not_read_for_another():
    text = KEYS.seal(b"x", purpose="totp ann")
    with pytest.raises(SealedValueError):
        KEYS.unseal(text, purpose="totp bob")


@pytest.mark.parametrize(
    "text",
    ["", ".", "a", "a.", "a.AAAA", "c.AAAA", "a.é", "a.\ud800", "a.=", "x" * 9999],
)
def test_what_was_not_sealed_is_refused(text):
    with pytest.raises(SealedValueError) as caught:
        KEYS.unseal(text, purpose="x")
    assert len(str(caught.value)) < 100


def test_one_changed_character_is_noticed():
    text = KEYS.seal(b"secret", purpose="x")
    for place in range(2, len(text)):
        other = "A" if text[place] != "A" else "B"
        with pytest.raises(SealedValueError):
            KEYS.unseal(text[:place] + other + text[place + 1 :], purpose="x")


def test_keys_come_from_secrets_and_never_print():
    one, two = SealKeys.from_secrets(LONG), SealKeys.from_secrets("x" * 32, LONG)
    text = one.seal(b"x", purpose="")
    assert two.unseal(text, purpose="") == b"x"
    assert not two.is_current(text)
    assert LONG not in repr(one)
    assert repr(KEYS) == "SealKeys(a, b)"


@pytest.mark.parametrize(
    "keys",
    [{}, {"a": b"1" * 31}, {"": b"1" * 32}, {"a.b": b"1" * 32}, {"é": b"1" * 32}],
)
def test_bad_keys_are_refused(keys):
    with pytest.raises(ConfigurationError):
        SealKeys(keys)


@pytest.mark.parametrize("secrets", [(), ("short",), (LONG, "short")])
def test_bad_secrets_are_refused_and_not_shown(secrets):
    with pytest.raises(ConfigurationError) as caught:
        SealKeys.from_secrets(*secrets)
    assert "short" not in str(caught.value)


@given(st.text(max_size=80), st.text(max_size=20))
def test_no_text_breaks_the_seal(text, purpose):
    with pytest.raises(SealedValueError):
        KEYS.unseal(text, purpose=purpose)
    sealed = KEYS.seal(b"x", purpose=purpose)
    assert KEYS.unseal(sealed, purpose=purpose) == b"x"

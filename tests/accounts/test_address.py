from __future__ import annotations

import email_validator
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth.accounts import InvalidEmailError
from asgi_auth.accounts.address import email_words, normalise_email

FULL_WIDTH_ADMIN = "".join(chr(ord(letter) + 0xFEE0) for letter in "admin")
CYRILLIC_A = "\u0430"
KELVIN = "\u212a"
DOTLESS_I = "\u0131"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alice@example.com", "alice@example.com"),
        ("Alice.B+News@EXAMPLE.Com", "alice.b+news@example.com"),
        ("  alice@example.com\r\n", "alice@example.com"),
        ("user@bücher.example", "user@xn--bcher-kva.example"),
        ("user@BÜCHER.example", "user@xn--bcher-kva.example"),
        ("user@xn--bcher-kva.example", "user@xn--bcher-kva.example"),
        ("user@faß.de", "user@xn--fa-hia.de"),
        ("user@exam\u3002com", "user@exam.com"),
        ("o'neil@example.com", "o'neil@example.com"),
    ],
)
def test_one_owner_has_one_form(text, expected):
    assert normalise_email(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice",
        "@example.com",
        "alice@",
        "a@b@",
        "a..b@example.com",
        ".a@example.com",
        "a.@example.com",
        '"a b"@example.com',
        "a b@example.com",
        "alice@localhost",
        "alice@127.0.0.1",
        "alice@[127.0.0.1]",
        "alice@example.123",
        "alice@example.com.",
        "alice@-example.com",
        "alice@exa_mple.com",
        "alice@" + "x" * 64 + ".com",
        "x" * 65 + "@example.com",
        "alice\0@example.com",
        "alice@exam\0ple.com",
        "alice@example.com\0",
        "alice\r\nBcc: eve@evil.example@example.com",
        "alice@example.com\nBcc: eve@evil.example",
        "alice\x7f@example.com",
        "\ud800@example.com",
        "alice@\ud800.com",
        "müller@example.com",
        FULL_WIDTH_ADMIN + "@example.com",
        CYRILLIC_A + "lice@example.com",
        KELVIN + "im@example.com",
        DOTLESS_I + "da@example.com",
        "a@" + "x." * 125 + "com",
        "x" * 1_000_000 + "@example.com",
    ],
)
def test_what_is_no_address_or_looks_like_another_is_refused(text):
    with pytest.raises(InvalidEmailError) as caught:
        normalise_email(text)
    assert "example" not in str(caught.value)


def test_other_alphabets_are_accepted_when_asked_for():
    for text in ("Müller@example.com", "mu\u0308ller@example.com"):
        assert normalise_email(text, unicode_local=True) == "müller@example.com"
    # Case-folding would make one mailbox of two here.
    assert normalise_email("Straße@b.co", unicode_local=True) == "straße@b.co"


@pytest.mark.parametrize(
    "local", [FULL_WIDTH_ADMIN, KELVIN + "im", "\ud800", "a\u200bb"]
)
def test_compatibility_characters_are_refused_even_then(local):
    with pytest.raises(InvalidEmailError):
        normalise_email(f"{local}@example.com", unicode_local=True)


@given(st.text(max_size=40), st.booleans())
def test_any_text_is_normalised_or_refused_and_a_form_is_its_own(text, unicode_local):
    for candidate in (text, f"{text}@example.com", f"a@{text}.com"):
        try:
            form = normalise_email(candidate, unicode_local=unicode_local)
        except InvalidEmailError:
            continue
        assert normalise_email(form, unicode_local=unicode_local) == form


LOCAL_PARTS = st.lists(st.text("abcXYZ09!#$%&'*+/=?^_`{|}~-", min_size=1), min_size=1)
LABELS = st.lists(st.text("abcXYZ09-üß", min_size=1), min_size=1)
STRAY = st.sampled_from(["", "", "", ".", "..", " ", '"', "@", "_", "ü"])


@given(LOCAL_PARTS, LABELS, STRAY, STRAY)
def test_what_we_accept_the_validator_of_the_routes_accepts_too(
    parts, labels, stray, other
):
    text = f"{'.'.join(parts)}{stray}@{other}{'.'.join(labels)}.com"
    try:
        form = normalise_email(text)
    except InvalidEmailError:
        return

    found = email_validator.validate_email(
        text.strip(), check_deliverability=False, test_environment=True
    )
    assert found.ascii_email.lower() == form


def test_the_words_of_an_address_are_its_parts():
    words = email_words("alice.smith+news@example.com")
    assert words == ("alice.smith+news", "alice", "smith", "news", "example")

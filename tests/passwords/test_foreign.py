"""Hashes that Werkzeug and Django have made, and not we."""

from __future__ import annotations

import bcrypt
import pytest
from django.contrib.auth import hashers
from passlib.context import CryptContext
from werkzeug.security import generate_password_hash

from asgi_auth import ConfigurationError, InvalidCredentialsError
from asgi_auth.passwords import PasswordHasher
from asgi_auth.passwords.foreign import FOREIGN_SCHEMES
from asgi_auth.passwords.match import PasswordMatch

PASSWORD = "correct horse é"


@pytest.fixture
def hasher():
    context = CryptContext(
        schemes=["argon2", "bcrypt", *FOREIGN_SCHEMES],
        deprecated="auto",
        argon2__memory_cost=64,
        argon2__time_cost=1,
        argon2__parallelism=1,
    )
    return PasswordHasher(context=context)


def django(name, **options):
    made = getattr(hashers, name)()
    return made.encode(PASSWORD, options.pop("salt", None) or made.salt(), **options)


STORED = {
    "werkzeug scrypt": lambda: generate_password_hash(PASSWORD),
    "werkzeug scrypt 2": lambda: generate_password_hash(PASSWORD, "scrypt:1024:8:2"),
    "werkzeug pbkdf2": lambda: generate_password_hash(PASSWORD, "pbkdf2:sha256:1000"),
    "werkzeug sha1": lambda: generate_password_hash(PASSWORD, "pbkdf2:sha1:1000"),
    "werkzeug sha512": lambda: generate_password_hash(PASSWORD, "pbkdf2:sha512:10"),
    "django pbkdf2": lambda: django("PBKDF2PasswordHasher", iterations=1000),
    "django sha1": lambda: django("PBKDF2SHA1PasswordHasher", iterations=1000),
    "django scrypt": lambda: django("ScryptPasswordHasher"),
    "django argon2": lambda: django("Argon2PasswordHasher"),
    "django bcrypt_sha256": lambda: django("BCryptSHA256PasswordHasher"),
    "django bcrypt": lambda: django("BCryptPasswordHasher"),
}


@pytest.mark.parametrize("name", STORED)
async def test_it_is_verified_and_replaced(hasher, name):
    stored = STORED[name]()
    match = await hasher.verify(PASSWORD, stored)
    assert match.replacement.startswith("$argon2id$")
    assert (await hasher.verify(PASSWORD, match.replacement)).replacement is None
    with pytest.raises(InvalidCredentialsError):
        await hasher.verify(PASSWORD + "!", stored)


async def test_the_usual_hasher_reads_them_too():
    match = await PasswordHasher(memory_kib=19_456, passes=2, lanes=1).verify(
        PASSWORD, STORED["werkzeug pbkdf2"]()
    )
    assert match.replacement is not None


@pytest.mark.parametrize(
    "stored",
    [
        "scrypt:99999999:8:1$salt$" + "0" * 128,
        "scrypt:3:8:1$salt$" + "0" * 128,
        "scrypt:16:8:1$salt$" + "0" * 126,
        "pbkdf2:sha256:99999999$salt$" + "0" * 64,
        "pbkdf2:sha256:0$salt$" + "0" * 64,
        "pbkdf2:md5:1000$salt$" + "0" * 64,
        "sha256$salt$" + "0" * 64,
        "md5$salt$" + "0" * 32,
        "scrypt$16384$salt$8$5$AAAA",
        "!unusable",
        "",
        "é",
    ],
)
async def test_what_is_weak_broken_or_too_dear_is_a_wrong_password(hasher, stored):
    with pytest.raises(InvalidCredentialsError):
        await hasher.verify(PASSWORD, stored)


def test_none_is_made():
    for scheme in FOREIGN_SCHEMES:
        if isinstance(scheme, type):
            with pytest.raises(ConfigurationError, match=scheme.name):
                scheme.hash("x")
            assert not scheme.verify("x", "no hash")
            assert not scheme.identify(b"\xff")
            assert scheme.using().name == scheme.name


# ------------------------------------------------------------- hashes that were cut

CUT = "a" * 72


def cut_hash(prefix=""):
    """Hash as bcrypt did before version 5: the first 72 bytes, and no word of it."""
    return prefix + bcrypt.hashpw(CUT.encode(), bcrypt.gensalt(4)).decode()


@pytest.mark.parametrize("prefix", ["", "bcrypt$"])
async def test_a_hash_that_was_cut_is_matched_where_that_is_said(hasher, prefix):
    stored = cut_hash(prefix)
    whole = CUT + "and more"
    with pytest.raises(InvalidCredentialsError):
        await hasher.verify(whole, stored)

    lenient = PasswordHasher(context=hasher._context, insecure_cut_bcrypt=True)
    match = await lenient.verify(whole, stored)
    assert match.replacement is not None
    assert (await lenient.verify(whole, match.replacement)).replacement is None
    with pytest.raises(InvalidCredentialsError):
        await lenient.verify(CUT + "another", match.replacement)
    with pytest.raises(InvalidCredentialsError):
        await lenient.verify("b" + CUT + "and more", stored)


async def test_a_letter_may_be_cut_in_two(hasher):
    whole = "a" * 71 + "é and more"
    stored = bcrypt.hashpw(whole.encode()[:72], bcrypt.gensalt(4)).decode()
    lenient = PasswordHasher(context=hasher._context, insecure_cut_bcrypt=True)
    assert await lenient.verify(whole, stored)


@pytest.mark.parametrize("cut", [True, False])
async def test_73_bytes_are_a_wrong_password_where_bcrypt_is_all_there_is(cut):
    context = CryptContext(schemes=["bcrypt"], bcrypt__rounds=4)
    hasher = PasswordHasher(context=context, insecure_cut_bcrypt=cut)
    stored = await hasher.hash("correct horse battery")
    for password in ("a" * 73, "é" * 37, "a" * 1024):
        with pytest.raises(InvalidCredentialsError):
            await hasher.verify(password, stored)
        await hasher.verify_dummy(password)


def test_a_match_is_true_and_tells_no_hash():
    assert PasswordMatch()
    assert PasswordMatch("$argon2id$secret")
    assert "secret" not in repr(PasswordMatch("$argon2id$secret"))

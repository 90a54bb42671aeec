"""Signatures with the padding of PKCS #1 v1.5, against PyJWT and ``cryptography``."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from asgi_auth.keys._pkcs1 import PreparedPKCS1

HASHES = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
MESSAGE = b"header.payload"
PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = PRIVATE.public_key()
SIZE = 256
INFO = bytes.fromhex("3031300d060960864801650304020105000420")
DIGEST = hashlib.sha256(MESSAGE).digest()


def raw(block):
    """Sign a whole block as it is, as only the owner of the key can."""
    numbers = PRIVATE.private_numbers()
    value = pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n)
    return value.to_bytes(SIZE, "big")


def padded(content, *, start=b"\x00\x01", fill=b"\xff", end=b"\x00"):
    length = SIZE - len(start) - len(end) - len(content)
    return start + fill * length + end + content


def theirs(signature, message=MESSAGE, digest="sha256"):
    try:
        PUBLIC.verify(signature, message, PKCS1v15(), HASHES[digest])
    except InvalidSignature:
        return False

    return True


@pytest.mark.parametrize("digest", HASHES)
@given(message=st.binary(max_size=300), other=st.binary(max_size=300))
def test_it_agrees_with_pyjwt(digest, message, other):
    check = PreparedPKCS1(PUBLIC, digest)
    engine = RSAAlgorithm(type(HASHES[digest]))
    signature = engine.sign(message, PRIVATE)

    assert check(message, signature) is engine.verify(message, PUBLIC, signature)
    assert check(message, signature)
    assert check(other, signature) is (other == message)


@pytest.mark.parametrize("digest", HASHES)
@pytest.mark.parametrize("other", HASHES)
def test_the_hash_is_part_of_what_is_signed(digest, other):
    signature = PRIVATE.sign(MESSAGE, PKCS1v15(), HASHES[other])

    assert PreparedPKCS1(PUBLIC, digest)(MESSAGE, signature) is (digest == other)


BLOCKS = {
    "the hash alone": padded(DIGEST),
    "parameters left out": padded(
        bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + DIGEST
    ),
    "a long form of a length": padded(
        bytes.fromhex("308131300d060960864801650304020105000420") + DIGEST
    ),
    "something behind the hash": padded(INFO + DIGEST + b"\x00"),
    # Bleichenbacher, 2006: little padding, and anything at the end.
    "little padding": (b"\x00\x01" + b"\xff" * 8 + b"\x00" + INFO + DIGEST).ljust(
        SIZE, b"\x01"
    ),
    "another byte in the padding": padded(INFO + DIGEST)[:50].ljust(51, b"\xfe")
    + padded(INFO + DIGEST)[51:],
    "the padding of an encryption": padded(INFO + DIGEST, start=b"\x00\x02"),
    "zeros for padding": padded(INFO + DIGEST, start=b"\x00\x00", fill=b"\x00"),
    "another first byte": padded(INFO + DIGEST, start=b"\x01\x01"),
    "no end of the padding": padded(INFO + DIGEST, end=b""),
    "two ends of the padding": padded(b"\x00" + INFO + DIGEST),
    "another hash": padded(INFO + hashlib.sha256(b"another").digest()),
}


def test_the_blocks_below_are_made_rightly():
    signature = raw(padded(INFO + DIGEST))

    assert theirs(signature)
    assert PreparedPKCS1(PUBLIC, "sha256")(MESSAGE, signature)


@pytest.mark.parametrize("name", BLOCKS)
def test_nothing_but_the_one_block_is_good(name):
    assert len(BLOCKS[name]) == SIZE
    signature = raw(BLOCKS[name])

    assert not theirs(signature)
    assert PreparedPKCS1(PUBLIC, "sha256")(MESSAGE, signature) is False


@pytest.mark.parametrize(
    "signature",
    [
        b"\x00" * SIZE,
        b"\xff" * SIZE,
        b"\x00" * (SIZE - 1) + b"\x01",
        PUBLIC.public_numbers().n.to_bytes(SIZE, "big"),
        (PUBLIC.public_numbers().n - 1).to_bytes(SIZE, "big"),
    ],
    ids=["0", "all ones", "1", "n", "n - 1"],
)
def test_numbers_that_are_no_signature_are_refused_without_an_error(signature):
    assert not theirs(signature)
    assert PreparedPKCS1(PUBLIC, "sha256")(MESSAGE, signature) is False


@given(st.integers(0, 8 * SIZE - 1))
def test_each_bit_of_a_signature_counts(bit):
    signature = bytearray(raw(padded(INFO + DIGEST)))
    signature[bit // 8] ^= 1 << bit % 8

    assert PreparedPKCS1(PUBLIC, "sha256")(MESSAGE, bytes(signature)) is False

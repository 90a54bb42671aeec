from __future__ import annotations

import pytest
from passlib.context import CryptContext

from asgi_auth.passwords import PasswordHasher


@pytest.fixture
def cheap_context() -> CryptContext:
    return CryptContext(
        schemes=["argon2", "bcrypt", "bcrypt_sha256", "pbkdf2_sha256", "scrypt"],
        deprecated="auto",
        argon2__memory_cost=64,
        argon2__time_cost=1,
        argon2__parallelism=1,
    )


@pytest.fixture
def hasher(cheap_context) -> PasswordHasher:
    return PasswordHasher(context=cheap_context)

"""Secrets under keys that are replaced."""

from __future__ import annotations

import pyotp
import pytest

from asgi_auth import KeySet, TokenService, UnavailableError
from asgi_auth.accounts import Account
from asgi_auth.factors import Factors, MemoryFactors
from asgi_auth.keys import SealKeys
from asgi_auth.testing import FakeClock

SECRET = "0f4a9a7d3c2b1e8f6d5c4b3a29181706f5e4d3c2b1a09f8e7d6c5b4a39281706"
ANN = Account(id="ann", email="ann@example.com")


async def test_a_secret_is_sealed_anew_when_it_is_used():
    clock, store = FakeClock(), MemoryFactors()

    def factors(keys):
        tokens = TokenService(KeySet.from_secret(SECRET))
        return Factors(tokens, store, keys, name="Shop", clock=clock)

    async def sealed() -> str:
        records = {record.kind: record for record in await store.find("ann")}
        return records["totp"].data["secret"].partition(".")[0]

    old = SealKeys({"2025": b"1" * 32})
    both = SealKeys({"2026": b"2" * 32, "2025": b"1" * 32})
    new = SealKeys({"2026": b"2" * 32})
    enrolment = factors(old).begin_totp(ANN)
    app = pyotp.parse_uri(enrolment.uri)
    # An enrolment that was begun before goes on.
    await factors(both).confirm_totp(ANN, enrolment.token, app.at(int(clock())))
    assert await sealed() == "2026"

    clock.advance(60)
    enrolment = factors(old).begin_totp(ANN)
    app = pyotp.parse_uri(enrolment.uri)
    await factors(old).confirm_totp(ANN, enrolment.token, app.at(int(clock())))
    assert await sealed() == "2025"
    clock.advance(60)
    with pytest.raises(UnavailableError):
        await factors(new).check(ANN, app.at(int(clock())))
    assert await factors(both).check(ANN, app.at(int(clock()))) == "totp"
    assert await sealed() == "2026"
    clock.advance(60)
    assert await factors(new).check(ANN, app.at(int(clock()))) == "totp"

"""What every store of identities must do, as a test class to derive from.

It does not test outages: every verb raises ``UnavailableError`` then.
"""

# ruff: noqa: S101  (These are tests: their names are sentences.)

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from asgi_auth.identities import Identity, IdentityStore, IdentityTakenError
from asgi_auth.testing._samples import unique

__all__ = ["IdentityStoreContract"]

_ISSUER = "https://accounts.example"


def _identity(account_id: str, *, at: float = 1_700_000_000.25) -> Identity:
    return Identity(
        issuer=_ISSUER,
        subject=unique("subject"),
        account_id=account_id,
        email="ann@example.com",
        linked_at=at,
    )


@pytest.mark.anyio
class IdentityVerbs:
    """Finding, adding, listing and removing."""

    async def test_what_is_added_is_found_whole(
        self, identities: IdentityStore
    ) -> None:
        identity = _identity(unique("account"))
        bare = replace(_identity(unique("account")), email=None, tokens="1.sealed")
        for each in (identity, bare):
            await identities.add(each)
            assert await identities.find(each.issuer, each.subject) == each

    @pytest.mark.parametrize("text", ["", "nobody", "a\0b", "\ud800", "' or 1"])
    async def test_nobody_is_not_found_and_no_error(
        self, identities: IdentityStore, text: str
    ) -> None:
        await identities.add(_identity(unique("account")))
        assert await identities.find(_ISSUER, text) is None
        assert await identities.find(text, "1") is None
        assert list(await identities.list(text)) == []

    async def test_a_subject_is_unique_with_its_issuer_only(
        self, identities: IdentityStore
    ) -> None:
        identity = _identity(unique("account"))
        await identities.add(identity)
        taken = replace(identity, account_id=unique("account"))
        with pytest.raises(IdentityTakenError):
            await identities.add(taken)

        assert await identities.find(_ISSUER, identity.subject) == identity
        elsewhere = replace(taken, issuer=f"{_ISSUER}/other")
        await identities.add(elsewhere)
        assert await identities.find(elsewhere.issuer, identity.subject) == elsewhere

    async def test_of_fifty_racing_accounts_one_gets_an_identity(
        self, identities: IdentityStore
    ) -> None:
        identity = _identity(unique("account"))
        claims = [replace(identity, account_id=unique("account")) for _ in range(50)]
        results = await asyncio.gather(
            *map(identities.add, claims), return_exceptions=True
        )
        winners = [
            claim
            for claim, result in zip(claims, results, strict=True)
            if result is None
        ]
        refusals = [r for r in results if isinstance(r, IdentityTakenError)]
        assert (len(winners), len(refusals)) == (1, 49)
        assert await identities.find(_ISSUER, identity.subject) == winners[0]

    async def test_an_account_has_its_own_the_oldest_first(
        self, identities: IdentityStore
    ) -> None:
        account = unique("account")
        own = [_identity(account, at=1_700_000_000.0 - age) for age in range(3)]
        for identity in [*own, _identity(unique("account"))]:
            await identities.add(identity)

        assert list(await identities.list(account)) == own[::-1]

    async def test_only_an_own_identity_is_removed(
        self, identities: IdentityStore
    ) -> None:
        identity = _identity(unique("account"))
        await identities.add(identity)
        stranger = replace(identity, account_id=unique("account"))
        assert await identities.remove(stranger) is False
        assert await identities.remove(stranger, unless_last=True) is False
        assert await identities.find(_ISSUER, identity.subject) == identity
        assert await identities.remove(identity) is True
        assert await identities.remove(identity) is False
        assert await identities.find(_ISSUER, identity.subject) is None
        assert list(await identities.list(identity.account_id)) == []
        await identities.add(stranger)

    async def test_the_last_one_stays_if_it_must(
        self, identities: IdentityStore
    ) -> None:
        account = unique("account")
        first, second = _identity(account), _identity(account)
        await identities.add(first)
        assert await identities.remove(first, unless_last=True) is False
        await identities.add(second)
        assert await identities.remove(first, unless_last=True) is True
        assert await identities.remove(second, unless_last=True) is False
        assert list(await identities.list(account)) == [second]

    async def test_racing_removals_leave_one(self, identities: IdentityStore) -> None:
        account = unique("account")
        own = [_identity(account) for _ in range(10)]
        for identity in own:
            await identities.add(identity)

        removed = await asyncio.gather(
            *(identities.remove(identity, unless_last=True) for identity in own)
        )
        assert removed.count(True) == len(own) - 1
        assert len(await identities.list(account)) == 1

    async def test_tokens_are_replaced_for_the_same_account_only(
        self, identities: IdentityStore
    ) -> None:
        identity = _identity(unique("account"))
        await identities.add(identity)
        sealed = replace(identity, tokens="1.sealed", email="other@example.com")
        assert await identities.save_tokens(sealed) is True
        present = await identities.find(_ISSUER, identity.subject)
        assert present == replace(identity, tokens="1.sealed")
        stranger = replace(sealed, account_id=unique("account"), tokens="1.stolen")
        assert await identities.save_tokens(stranger) is False
        assert await identities.find(_ISSUER, identity.subject) == present


class IdentityStoreContract(IdentityVerbs):
    """Derive from it, and give a fixture ``identities`` with your store."""

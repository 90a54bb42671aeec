"""Tokens of providers: kept by choice, sealed, and read back."""

from __future__ import annotations

import secrets

import pytest

from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import SealedValueError, SealKeys
from tests.identities.world import World

pytestmark = pytest.mark.anyio

OLD, NEW = secrets.token_bytes(32), secrets.token_bytes(32)


def make(**options):
    options = {"seal": SealKeys({"1": OLD}), **options}
    return World(provider={"keep_tokens": True}, **options)


async def test_tokens_are_kept_by_choice_only():
    world = World()
    account = (await world.log_in()).account
    (identity,) = await world.identities.list(account.id)
    assert identity.tokens is None
    assert await world.identities.provider_tokens(account.id, "op") is None
    with pytest.raises(ConfigurationError, match="seal"):
        World(provider={"keep_tokens": True})


async def test_kept_tokens_come_back_and_the_store_sees_none():
    world = make()
    account = (await world.log_in()).account
    tokens = await world.identities.provider_tokens(account.id, "op")
    assert tokens["access_token"].startswith("at-")
    assert tokens["refresh_token"].startswith("rt-")
    assert tokens["expires_at"] == world.clock() + 3600
    assert "id_token" not in tokens
    (identity,) = await world.identities.list(account.id)
    assert identity.tokens.startswith("1.")
    assert tokens["access_token"] not in identity.tokens

    # The next log-in replaces them; a refresh token comes with the first only.
    world.op.answer = {"refresh_token": None}
    world.round_trips.clear()
    await world.log_in()
    assert world.round_trips[-1] == "identities.save_tokens"
    again = await world.identities.provider_tokens(account.id, "op")
    assert again["access_token"] != tokens["access_token"]
    assert again["refresh_token"] == tokens["refresh_token"]


async def test_tokens_come_with_a_link_too():
    world = make()
    account = await world.add()
    await world.finish(await world.begin(link_to=await world.caller(account)))
    assert await world.identities.provider_tokens(account.id, "op")


async def test_odd_lifetimes_are_left_out():
    world = make()
    world.op.answer = {"expires_in": "soon", "scope": ["odd"]}
    account = (await world.log_in()).account
    tokens = await world.identities.provider_tokens(account.id, "op")
    assert tokens.keys() == {"access_token", "refresh_token", "token_type"}


async def test_keys_are_replaced_one_after_the_other():
    world = make()
    account = (await world.log_in()).account
    both = make(seal=SealKeys({"2": NEW, "1": OLD}), store=world.store)
    before = await both.identities.provider_tokens(account.id, "op")
    assert before["access_token"].startswith("at-")
    both.users._by_id, both.users._ids = world.users._by_id, world.users._ids
    await both.log_in()
    (identity,) = await both.identities.list(account.id)
    assert identity.tokens.startswith("2.")

    # Without the key there are no tokens, and a log-in is one all the same.
    lost = make(store=both.store)
    lost.users._by_id, lost.users._ids = world.users._by_id, world.users._ids
    with pytest.raises(SealedValueError, match="'2'"):
        await lost.identities.provider_tokens(account.id, "op")
    lost.op.answer = {"refresh_token": None}
    await lost.log_in()
    assert await lost.identities.provider_tokens(account.id, "op")


async def test_without_a_seal_kept_tokens_are_not_read():
    world = make()
    account = (await world.log_in()).account
    plain = World(store=world.store)
    with pytest.raises(ConfigurationError, match="seal"):
        await plain.identities.provider_tokens(account.id, "op")

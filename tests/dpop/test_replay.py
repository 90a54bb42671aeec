"""Proofs that one process remembers, and who can fill what remembers them."""

from __future__ import annotations

import threading

import pytest

from asgi_auth import JWTBackend, MemoryStore
from asgi_auth.dpop import replay as replay_module
from asgi_auth.dpop.replay import LocalReplay
from asgi_auth.errors import UnavailableError
from asgi_auth.stores import memory_once
from tests import forge
from tests.asgi import run
from tests.dpop import proofs
from tests.dpop.proofs import CLIENT, STRANGER, bound_token, dpop, headers, proof

T = 1_700_000_000.0


def test_a_name_counts_as_used_for_as_long_as_it_must():
    for first in (0.0, 1.0, 65.9, 66.0):
        used = LocalReplay(66)
        assert used.use("warm", T)
        assert used.use("a", T + first)
        for later in (0, 30, 65.9):
            assert not used.use("a", T + first + later)


def test_names_that_no_longer_count_are_forgotten():
    used = LocalReplay(66)
    for number in range(1000):
        assert used.use(str(number), T + number)
    assert len(used) <= 2 * 66
    assert used.use("after a pause", T + 10_000)
    assert len(used) == 1


def test_a_clock_that_is_set_back_forgets_nothing():
    used = LocalReplay(66)
    assert used.use("a", T)
    assert not used.use("a", T - 3600)
    assert used.use("b", T - 3600)
    assert not used.use("b", T)


def test_a_full_table_refuses_and_forgets_nothing(monkeypatch):
    monkeypatch.setattr(replay_module, "_MOST", 3)
    used = LocalReplay(66)
    for name in "abc":
        assert used.use(name, T)
    with pytest.raises(UnavailableError):
        used.use("d", T)
    assert not used.use("a", T + 65)
    assert used.use("d", T + 66), "in a generation of its own"
    assert not used.use("a", T + 131.9), "and the older one still counts"


def test_of_fifty_threads_one_uses_a_name():
    used, uses = LocalReplay(66), []
    barrier = threading.Barrier(50)

    def use():
        barrier.wait()
        uses.append(used.use("one", T))

    threads = [threading.Thread(target=use) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert uses.count(True) == 1
    assert len(uses) == 50


async def ask(policy, fields):
    from asgi_auth import AuthenticationMiddleware
    from tests.asgi import Echo

    backend = JWTBackend(forge.verifier("ES256"), confirmations=[policy])
    app = AuthenticationMiddleware(Echo(), backend, required=True)
    return (await run(app, "/orders", headers=fields)).status


async def flood(policy):
    """Ask for tokens as strangers do, until no proof of theirs is taken any more."""
    for _ in range(100):
        made = forge.sign(proofs.header(STRANGER), proofs.claims(), STRANGER)
        try:
            await policy.proven(proofs.scope(headers=[(b"dpop", made)]))
        except UnavailableError:
            return
    pytest.fail("strangers fill it without an end")


@pytest.mark.parametrize("kind", ["local", "shared"])
async def test_strangers_who_ask_for_tokens_keep_no_caller_out(kind, monkeypatch):
    monkeypatch.setattr(replay_module, "_MOST", 3)
    monkeypatch.setattr(memory_once, "_MOST", 3)
    shared = MemoryStore(clock=lambda: forge.NOW)
    policy = dpop(replay="local" if kind == "local" else shared)
    bound = bound_token()
    used = headers(bound, proof(bound))
    assert await ask(policy, used) == 200
    await flood(policy)
    assert await ask(policy, headers(bound, proof(bound))) == 200
    assert await ask(policy, used) == 401, "and nothing was forgotten"


@pytest.mark.parametrize("kind", ["local", "shared"])
async def test_a_proof_is_noted_for_who_has_a_good_token_only(kind, monkeypatch):
    """Otherwise anybody could fill what remembers those of callers."""
    monkeypatch.setattr(replay_module, "_MOST", 1)
    monkeypatch.setattr(memory_once, "_MOST", 1)
    shared = MemoryStore(clock=lambda: forge.NOW)
    policy = dpop(replay="local" if kind == "local" else shared)
    bound = bound_token()
    forged = forge.token(
        "ES256",
        key=forge.family("ES256").stranger,
        cnf={"jkt": STRANGER.thumbprint()},
    )
    for _ in range(5):
        # A forged token with its proof; a stolen token with another key's proof.
        assert await ask(policy, headers(forged, proof(forged, key=STRANGER))) == 401
        assert await ask(policy, headers(bound, proof(bound, key=STRANGER))) == 401
    assert await ask(policy, headers(bound, proof(bound, key=CLIENT))) == 200


async def test_a_long_id_takes_no_more_space_and_counts_once():
    policy = dpop(replay="local")
    bound = bound_token()
    longest = ["a" * 255, "a" * 254 + "b", "\U0001f600" * 65, "a" * 64]
    for jti in longest:
        used = headers(bound, proof(bound, jti=jti))
        assert await ask(policy, used) == 200
        assert await ask(policy, used) == 401
    assert max(map(len, policy._replay._new)) <= 43 + 1 + 65
    assert len(policy._replay) == len(longest)

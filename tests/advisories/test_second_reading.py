"""What a second reading found beside the holes that were known."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import text

from asgi_auth import (
    BackendChain,
    ConfigurationError,
    JWTBackend,
    KeySet,
    RevokedTokenError,
    Subprotocol,
    TokenService,
)
from asgi_auth.accounts import Account
from asgi_auth.accounts.sql import SQLAccounts
from asgi_auth.credentials.reader import CredentialReader
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from asgi_auth.stores.sql import SQLStore
from asgi_auth.websocket import Rooms, WebSocketConnection
from asgi_auth.websocket.errors import BadMessageError
from asgi_auth.websocket.payload import decode
from tests.asgi import websocket_scope
from tests.postgres import start_postgres, stop_postgres
from tests.routes.test_tokens import KNOWN, Clients
from tests.routes.world import LOOSE, PASSWORD, World
from tests.websocket.peer import SOURCES, Peer, token_service

# ------------------------------------------------------- a sequence behind its table


@pytest.fixture(scope="module")
def postgres():
    server = start_postgres()
    yield server.get_uri()
    stop_postgres(server)


@pytest.mark.parametrize("taken", [False, True])
async def test_a_sequence_that_went_back_hides_no_revocation(postgres, taken, caplog):
    """Rows that were restored without their sequence, or beside an older one."""
    keys = KeySet.generate("HS256")
    prefix = f"back_{taken}_".lower()
    stores = [SQLStore(postgres, table_prefix=prefix) for _ in range(2)]
    await stores[0].create_schema()
    here, there = (TokenService(keys, store=store, issuer="i") for store in stores)
    for _ in range(20):
        pair = await here.issue("old")
        await here.revoke_session(pair.session_id)

    async def run(statement):
        await stores[0]._database.fetch(text(statement), {}, write=True)

    table = f"{prefix}revocations"
    if not taken:
        await run(f"delete from {table} where id < 15")
    await run(f"update {table} set stored_at = stored_at - 100")
    pair = await here.issue("ann")
    for tokens in (here, there):
        await tokens.verify(pair.access_token)

    await run(f"alter sequence {table}_id_seq restart with 1")
    await here.revoke_session(pair.session_id)
    assert "set forward" in caplog.text
    await there.revocations.read()
    fresh = TokenService(keys, store=stores[1], issuer="i")
    for tokens in (here, there, fresh):
        with pytest.raises(RevokedTokenError):
            await tokens.verify(pair.access_token)

    caplog.clear()
    pair = await here.issue("ann")
    await here.revoke_session(pair.session_id)
    assert "set forward" not in caplog.text
    for tokens in (here, there, fresh):
        await tokens.aclose()
    for store in stores:
        await store.aclose()


# ------------------------------------------------------------------- whose user 5


async def test_a_process_that_has_met_one_of_two_issuers_does_not_guess():
    ours, theirs = token_service(), token_service(issuer="https://other.example")
    chain = BackendChain(
        JWTBackend(ours, sources=SOURCES),
        JWTBackend(theirs, sources=SOURCES, name="theirs"),
    )
    rooms = Rooms()

    async def app(scope, receive, send):
        connection = WebSocketConnection(scope, receive, send)
        await connection.accept()
        await rooms.add(connection)
        await receive()

    served = AuthenticationMiddleware(app, chain)
    async with Peer(served, ours.mint("5")) as peer:
        for send in (rooms.send_to_user("5", "for theirs"), rooms.disconnect("5")):
            with pytest.raises(ConfigurationError, match="several issuers"):
                await send
        assert await peer.silent()
        await rooms.send_to_user("5", "for ours", issuer=ours.issuer)
        assert await peer.hear() == "for ours"


# ----------------------------------------------------------------------- guessing


async def test_passwords_cannot_be_guessed_with_a_token_from_a_message():
    limiter = RateLimiter(limits=Limits(**{**LOOSE, "failures": Limit(3, 900)}))
    world = World(limiter=limiter)
    await world.accounts.register("ann@example.com", PASSWORD)
    await world.outbox.drain()
    token = world.mailbox.token("verify")

    async def tried(client, password):
        body = {"token": token, "password": password}
        return (await client.post("/verify", json=body)).status_code

    async with world.client() as client:
        statuses = [await tried(client, f"wrong-{n}-lamp-otter") for n in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        assert await tried(client, PASSWORD) == 429


async def test_a_client_that_asks_about_tokens_cannot_guess_its_password():
    limiter = RateLimiter(limits=Limits(**{**LOOSE, "log_in_address": Limit(3, 900)}))
    world = World(limiter=limiter, introspection_backend=Clients())
    wrong = {"Authorization": "Client guess"}
    form = {"token": "x"}
    async with world.client() as client:
        for _ in range(10):
            good = await client.post("/introspect", data=form, headers=KNOWN)
            assert good.status_code == 200
        answers = [
            await client.post("/introspect", data=form, headers=wrong) for _ in range(5)
        ]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]


# ---------------------------------------------------------------------------- logs


async def test_no_row_of_ours_is_written_down(tmp_path, caplog):
    for name in ("sqlalchemy.engine", "sqlalchemy.pool", ""):
        caplog.set_level(logging.DEBUG, name)
    accounts = SQLAccounts(f"sqlite:///{tmp_path / 'db'}")
    await accounts.create_schema()
    account = Account(id="1", email="victim@example.com", password_hash="$stored$")
    await accounts.add(account)
    assert await accounts.find_by_email("victim@example.com")
    await accounts.aclose()
    assert "SELECT" in caplog.text
    for secret in ("victim@example.com", "$stored$"):
        assert secret not in caplog.text


# ----------------------------------------------------------------------- odd input


@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a":', "}")])
def test_what_is_nested_too_deeply_to_be_sent_on_is_refused(start, end):
    for depth in (65, 500, 900, 5000):
        with pytest.raises(BadMessageError):
            decode(start * depth + "1" + end * depth, "json")
    assert decode(start * 64 + "1" + end * 64, "json")
    assert decode("[" + "[1]," * 500 + "{}]", "json")


def test_a_flood_of_subprotocols_is_refused_unread():
    reader = CredentialReader([Subprotocol()])
    many = reader.read(websocket_scope(subprotocols=["a"] * 65))
    assert many.error is not None
    assert many.offer.names == []
    assert reader.read(websocket_scope(subprotocols=["a"] * 64)) is None


@pytest.mark.parametrize("issuer", ["", " ", 5, b"i", ["i"]])
def test_what_names_no_issuer_is_a_mistake(issuer):
    with pytest.raises(ConfigurationError, match="issuer"):
        TokenService(KeySet.generate("HS256"), issuer=issuer)


def test_an_empty_client_id_is_a_mistake():
    with pytest.raises(ConfigurationError, match="client_id"):
        TokenService(KeySet.generate("HS256"), client_id="")

from __future__ import annotations

import asyncio
import itertools
import json
import math
import re

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BackendChain,
    BearerHeader,
    ConfigurationError,
    Cookie,
    InvalidTokenError,
    JWTBackend,
    KeySet,
    QueryParam,
    Subprotocol,
    TokenService,
    UnavailableError,
)
from asgi_auth.backends.apikey import APIKeyBackend
from asgi_auth.backends.apikeys import APIKey, APIKeys, MemoryAPIKeys, SQLAPIKeys
from asgi_auth.backends.apikeys.text import make_text, read_text
from asgi_auth.credentials.reader import Credential
from asgi_auth.credentials.sources import Header
from asgi_auth.testing.clock import FakeClock
from tests.asgi import Echo, bearer, run
from tests.postgres import postgres

_numbers = itertools.count(1)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(scope="module")
def postgres_url():
    with postgres() as url:
        yield url


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request, tmp_path):
    if request.param == "memory":
        yield MemoryAPIKeys()
        return

    url = f"sqlite:///{tmp_path}/keys.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    made = SQLAPIKeys(url, table=f"keys_{next(_numbers)}")
    await made.create_schema()
    yield made
    await made.aclose()


@pytest.fixture
def keys(store, clock):
    return APIKeys(store, prefix="shop", clock=clock)


def apikey(text, scheme=b"ApiKey"):
    raw = text if isinstance(text, bytes) else text.encode()
    return b"authorization", scheme + b" " + raw


async def ask(backend, *headers, echo=None, **scope):
    app = AuthenticationMiddleware(echo or Echo(), backend, required=True)
    return await run(app, headers=list(headers), **scope)


async def test_a_key_is_good(keys):
    made = await keys.generate("ada", scopes=["read"], roles=["bot"], label="ci")
    echo = Echo()
    answer = await ask(APIKeyBackend(keys), apikey(made.text), echo=echo)
    assert answer.status == 200
    principal = echo.scopes[0]["auth"]
    assert principal.subject == "ada"
    assert principal.scopes == {"authenticated", "read"}
    assert principal.roles == {"bot"}
    assert principal.backend == "apikey"
    assert principal.token_id == made.record.id
    assert principal.claims["label"] == "ci"


async def test_a_key_has_prefix_id_secret_and_checksum(keys):
    made = await keys.generate("ada")
    assert re.fullmatch(r"shop_[0-9A-Za-z]{16}_[0-9A-Za-z]{38}", made.text)
    assert made.text.split("_")[1] == made.record.id
    texts = {(await keys.generate("ada")).text for _ in range(20)}
    assert len(texts) == 20


async def test_only_a_hash_is_kept(keys, store):
    made = await keys.generate("ada", data={"plan": "pro"})
    kept = await store.find(made.record.id)
    secret = made.text.split("_")[2]
    assert secret not in repr(kept) + json.dumps([kept.digest, dict(kept.data)])
    assert secret not in repr(made)
    assert kept.digest not in repr(kept)
    assert kept.data == {"plan": "pro"}


async def test_a_store_gives_back_what_it_got(store):
    key = APIKey(
        id="A" * 16,
        digest="0" * 64,
        subject="ada",
        label="über",
        scopes=("a", "b"),
        roles=("c",),
        created_at=1.5,
        expires_at=2.5,
        data={"a": [1, {"b": None}]},
    )
    await store.add(key)
    assert await store.find(key.id) == key
    assert await store.find("unknown") is None
    assert list(await store.list("ada")) == [key]
    assert list(await store.list("eve")) == []


async def test_times_in_a_store_do_not_go_back(store):
    await store.add(APIKey(id="one", digest="", subject="ada"))
    await store.mark("one", used_at=20.0)
    await store.mark("one", used_at=10.0)
    await store.mark("one", revoked_at=30.0)
    await store.mark("one", revoked_at=40.0)
    await store.mark("one")
    await store.mark("unknown", used_at=1.0)
    found = await store.find("one")
    assert (found.last_used_at, found.revoked_at) == (20.0, 30.0)


async def test_keys_are_listed_the_oldest_first(keys, clock):
    for label in "abc":
        await keys.generate("ada", label=label)
        clock.advance(1)
    await keys.generate("eve")
    assert [key.label for key in await keys.list("ada")] == ["a", "b", "c"]


async def test_an_expired_key_is_refused(keys, clock):
    made = await keys.generate("ada", ttl=60)
    backend = APIKeyBackend(keys)
    clock.advance(59)
    assert (await ask(backend, apikey(made.text))).status == 200
    clock.advance(1)
    answer = await ask(backend, apikey(made.text))
    assert answer.status == 401
    assert answer.json()["code"] == "token_expired"


async def test_a_revoked_key_is_refused_at_its_next_use(keys):
    made = await keys.generate("ada")
    backend = APIKeyBackend(keys)
    assert (await ask(backend, apikey(made.text))).status == 200
    await keys.revoke(made.record.id)
    answer = await ask(backend, apikey(made.text))
    assert answer.json()["code"] == "token_revoked"


async def test_the_last_use_is_noted_each_minute(keys, clock):
    made = await keys.generate("ada")
    first = clock()
    for _ in range(10):
        await keys.admit(made.text.encode())
        clock.advance(5)
    assert (await keys.list("ada"))[0].last_used_at == first
    clock.advance(10)
    await keys.admit(made.text.encode())
    assert (await keys.list("ada"))[0].last_used_at == first + 60


def changed(text: str, place: int) -> str:
    letter = "A" if text[place] != "A" else "B"
    return text[:place] + letter + (text[place + 1 :] if place != -1 else "")


async def test_bad_keys_are_refused(keys):
    made = await keys.generate("ada")
    unknown, _ = make_text("shop")
    backend = APIKeyBackend(keys)
    for bad in (
        changed(made.text, -1),
        changed(made.text, 8),
        changed(made.text, 30),
        unknown,
        made.text[:-1],
        made.text + "A",
        made.text.lower(),
        "shop_",
        "shop__",
        "shop",
        made.text.replace("shop", "other"),
        made.text.encode() + b"\xff",
    ):
        answer = await ask(backend, apikey(bad))
        assert answer.status == 401, bad


async def test_the_id_of_one_key_and_the_secret_of_another_are_refused(keys, store):
    one, two = await keys.generate("ada"), await keys.generate("eve")
    from asgi_auth.backends.apikeys.text import _checksum

    body = f"shop_{one.record.id}_{two.text.split('_')[2][:-6]}"
    with pytest.raises(InvalidTokenError):
        await keys.admit((body + _checksum(body)).encode())


async def test_a_wrong_checksum_never_reaches_the_store(keys, store, monkeypatch):
    async def find(key_id):
        raise AssertionError

    made = await keys.generate("ada")
    monkeypatch.setattr(store, "find", find)
    with pytest.raises(InvalidTokenError):
        await keys.admit(changed(made.text, -1).encode())


@pytest.mark.parametrize(
    "source",
    [QueryParam("key", http=True), Cookie("key"), Subprotocol(), QueryParam("key")],
)
def test_keys_come_in_headers_only(source):
    keys = APIKeys(MemoryAPIKeys())
    with pytest.raises(ConfigurationError):
        APIKeyBackend(keys, sources=(source,))


async def test_a_key_in_the_query_is_not_looked_at(keys):
    made = await keys.generate("ada")
    query = b"api_key=" + made.text.encode()
    answer = await ask(APIKeyBackend(keys), query=query)
    assert answer.status == 401
    assert answer.json()["code"] == "unauthenticated"
    assert answer.header("www-authenticate") == "ApiKey"


async def test_in_a_chain_a_key_in_the_query_is_refused(keys):
    own = TokenService(KeySet.generate(), issuer="https://us", audience="api")
    chain = BackendChain(
        JWTBackend(own, sources=(QueryParam("token", http=True),)), APIKeyBackend(keys)
    )
    made = await keys.generate("ada")
    answer = await ask(chain, query=b"token=" + made.text.encode())
    assert answer.status == 401


async def test_a_header_of_its_own(keys):
    made = await keys.generate("ada")
    backend = APIKeyBackend(keys, sources=(Header("X-API-Key"),))
    raw = made.text.encode()
    assert (await ask(backend, (b"x-api-key", raw))).status == 200
    assert (await ask(backend, (b"X-Api-Key", b" " + raw + b"\t"))).status == 200
    assert (await ask(backend, apikey(made.text))).status == 401
    assert (await ask(backend)).header("www-authenticate") == "ApiKey"
    twice = await ask(backend, (b"x-api-key", raw), (b"x-api-key", raw))
    assert twice.status == 400
    for bad in (b"", b"a b", b"\xff", b"A" * 9000):
        assert (await ask(backend, (b"x-api-key", bad))).status in {400, 401}


async def test_two_credentials_at_once_are_refused(keys):
    made = await keys.generate("ada")
    backend = APIKeyBackend(keys, sources=(BearerHeader(), Header("X-API-Key")))
    raw = made.text.encode()
    both = await ask(backend, bearer(raw), (b"x-api-key", raw))
    assert both.status == 400


async def test_another_scheme_is_not_ours(keys):
    made = await keys.generate("ada")
    backend = APIKeyBackend(keys)
    assert (await ask(backend, apikey(made.text, b"apikey"))).status == 200
    for scheme in (b"Bearer", b"Basic", b"Key"):
        assert (await ask(backend, apikey(made.text, scheme))).status == 401


async def test_keys_and_tokens_share_the_bearer_scheme(keys):
    own = TokenService(KeySet.generate(), issuer="https://us", audience="api")
    by_key = APIKeyBackend(keys, sources=(BearerHeader(),))
    chain = BackendChain(JWTBackend(own), by_key)
    made = await keys.generate("ada")
    assert (await ask(chain, bearer(made.text))).json()["subject"] == "ada"
    assert (await ask(chain, bearer(own.mint("eve")))).json()["subject"] == "eve"
    for bad in ("shop_nonsense", "nonsense", made.text[:-1], own.mint("eve")[:-2]):
        assert (await ask(chain, bearer(bad))).status == 401


async def test_a_key_is_claimed_by_way_and_prefix(keys):
    made = await keys.generate("ada")
    backend, raw = APIKeyBackend(keys), made.text.encode()
    assert backend.claims(Credential(raw, "header", scheme="apikey"))
    for other in (
        Credential(raw, "header", scheme="bearer"),
        Credential(raw, "query", scheme="apikey"),
        Credential(b"other" + raw, "header", scheme="apikey"),
    ):
        assert not backend.claims(other)
        assert await backend.authenticate(other, {}) is None


@pytest.mark.parametrize("name", ["Authorization", "cookie", "", "X API", "X:Y"])
def test_a_header_must_be_free_and_sendable(name):
    with pytest.raises(ConfigurationError):
        Header(name)


@pytest.mark.parametrize("prefix", ["", "Shop", "1shop", "shop_", "a__b", "a" * 25])
def test_a_prefix_must_be_plain(prefix):
    with pytest.raises(ConfigurationError):
        APIKeys(MemoryAPIKeys(), prefix=prefix)


async def test_a_prefix_may_have_parts(clock):
    keys = APIKeys(MemoryAPIKeys(), prefix="shop_live", clock=clock)
    made = await keys.generate("ada")
    assert made.text.startswith("shop_live_")
    assert (await keys.admit(made.text.encode())).subject == "ada"


@pytest.mark.parametrize("subject", ["", "a\n", "a" * 256])
async def test_a_key_needs_a_plain_subject(keys, subject):
    with pytest.raises(ConfigurationError):
        await keys.generate(subject)


@pytest.mark.parametrize("ttl", [0, -1])
async def test_a_key_must_not_be_born_dead(keys, ttl):
    with pytest.raises(ConfigurationError):
        await keys.generate("ada", ttl=ttl)


def test_a_backend_needs_a_source():
    with pytest.raises(ConfigurationError):
        APIKeyBackend(APIKeys(MemoryAPIKeys()), sources=())


async def test_a_store_that_is_down_is_503(tmp_path):
    class Down(MemoryAPIKeys):
        async def find(self, key_id):
            raise UnavailableError

    keys = APIKeys(Down())
    made = await keys.generate("ada")
    assert (await ask(APIKeyBackend(keys), apikey(made.text))).status == 503


async def test_a_use_that_cannot_be_noted_refuses_nobody():
    class ReadOnly(MemoryAPIKeys):
        async def mark(self, key_id, **times):
            raise UnavailableError

    keys = APIKeys(ReadOnly())
    made = await keys.generate("ada")
    assert (await keys.admit(made.text.encode())).subject == "ada"


async def test_a_missing_table_is_told_of(tmp_path):
    keys = APIKeys(SQLAPIKeys(f"sqlite:///{tmp_path}/empty.db"))
    with pytest.raises(ConfigurationError, match="create_schema"):
        await keys.generate("ada")


def test_a_database_does_not_show_its_password():
    store = SQLAPIKeys("postgresql://ada:secret@db/keys")
    assert "secret" not in repr(store)


async def test_fifty_uses_at_once_are_all_good(keys):
    made = await keys.generate("ada")
    found = await asyncio.gather(*(keys.admit(made.text.encode()) for _ in range(50)))
    assert {key.subject for key in found} == {"ada"}


def test_a_secret_is_long_enough_not_to_be_guessed():
    text, _ = make_text("key")
    secret = text.split("_")[2][:-6]
    assert len(secret) * math.log2(62) > 128
    assert read_text("key", text.encode()).key_id == text.split("_")[1]

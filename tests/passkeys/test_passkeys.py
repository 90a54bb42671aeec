"""Add, list, name and remove passkeys, and say where they are for."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from dataclasses import replace

import cbor2
import pytest

from asgi_auth import AuthenticationMiddleware, JWTBackend
from asgi_auth.accounts.errors import LastWayInError
from asgi_auth.accounts.ways import count_ways_in, remove_way_in
from asgi_auth.errors import ConfigurationError
from asgi_auth.passkeys import MemoryPasskeys, Passkey, Passkeys, UnknownPasskeyError
from asgi_auth.routes import AuthRoutes, RouteShape
from tests.passkeys.authenticator import (
    ATTESTED,
    ORIGIN,
    PRESENT,
    RP_ID,
    VERIFIED,
    Authenticator,
    decoded,
    encoded,
    rs256,
)
from tests.passkeys.world import PasskeyWorld, add_passkey, bearer, log_in, show
from tests.routes.test_actors import ADMIN
from tests.routes.world import EMAIL, PASSWORD, assert_problem

pytestmark = pytest.mark.anyio

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
async def world():
    world = PasskeyWorld()
    await world.add()
    return world


@pytest.fixture
async def client(world):
    async with world.client() as client:
        yield client


@pytest.fixture
async def pair(client):
    return await log_in(client)


async def begin(client, pair):
    answer = await client.post("/passkeys/options", headers=bearer(pair))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def offer(client, pair, credential, question, **more):
    content = {"credential": credential, "ceremony": question["ceremony"], **more}
    return await client.post("/passkeys", json=content, headers=bearer(pair))


async def test_a_question_names_the_user_and_what_is_there_already(client, pair):
    first = await add_passkey(client, pair)
    options = (await begin(client, pair))["options"]
    assert options["user"]["name"] == EMAIL
    assert options["user"]["id"] == first.handle
    assert len(decoded(first.handle)) == 32
    assert [each["id"] for each in options["excludeCredentials"]] == [encoded(first.id)]
    assert options["attestation"] == "none"
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }


async def test_passkeys_are_listed_named_and_removed(world, client, pair):
    first = await add_passkey(client, pair, name="Key ring")
    world.clock.advance(10)
    client.headers["user-agent"] = FIREFOX
    second = await add_passkey(client, pair)
    await show(client, second)
    listed = (await client.get("/passkeys", headers=bearer(pair))).json()["passkeys"]
    assert [each["name"] for each in listed] == ["Key ring", "Firefox on Linux"]
    assert listed[0]["transports"] == ["internal", "hybrid"]
    assert "last_used_at" not in listed[0]
    assert listed[1]["last_used_at"] % 300 == 0
    assert "public_key" not in listed[0]

    path = f"/passkeys/{encoded(first.id)}"
    named = await client.post(path, json={"name": "Red key"}, headers=bearer(pair))
    assert named.status_code == 204
    listed = (await client.get("/passkeys", headers=bearer(pair))).json()["passkeys"]
    assert listed[0]["name"] == "Red key"

    assert (await client.delete(path, headers=bearer(pair))).status_code == 204
    assert_problem(await show(client, first), 401, "passkey_refused")
    assert_problem(
        await client.delete(path, headers=bearer(pair)), 404, "unknown_passkey"
    )
    names = ["passkey.added", "passkey.added", "passkey.removed"]
    assert await world.reported("passkey.") == names


async def test_another_users_passkey_is_not_there(world, client, pair):
    await world.add("bob@example.com")
    bobs = await add_passkey(client, await log_in(client, "bob@example.com"))
    path = f"/passkeys/{encoded(bobs.id)}"
    named = await client.post(path, json={"name": "Mine"}, headers=bearer(pair))
    assert_problem(named, 404, "unknown_passkey")
    removed = await client.delete(path, headers=bearer(pair))
    assert_problem(removed, 404, "unknown_passkey")
    assert (await show(client, bobs)).status_code == 200


def with_statement(authenticator, options):
    """Claim an attestation that nobody asked for, with rubbish in it."""
    statement = {"alg": -7, "sig": b"x", "x5c": [b"\x30" * 2000]}
    return authenticator.make(options, fmt="packed", statement=statement)


async def test_what_an_authenticator_says_about_itself_is_not_read(client, pair):
    question, authenticator = await begin(client, pair), Authenticator()
    credential = with_statement(authenticator, question["options"])
    assert (await offer(client, pair, credential, question)).status_code == 201
    assert (await show(client, authenticator)).status_code == 200


def of_another_challenge(authenticator, options):
    return authenticator.make({**options, "challenge": encoded(bytes(32))})


def of_another_origin(authenticator, options):
    authenticator.origin = "https://evil.example"
    return authenticator.make(options)


def of_another_domain(authenticator, options):
    authenticator.rp_id = "evil.example"
    return authenticator.make(options)


def of_a_log_in(authenticator, options):
    return authenticator.make(options, kind="get")


def of_an_unverified_user(authenticator, options):
    authenticator.flags = PRESENT
    return authenticator.make(options)


def of_an_absent_user(authenticator, options):
    authenticator.flags = VERIFIED
    return authenticator.make(options)


def in_a_frame(authenticator, options):
    return authenticator.make(options, crossOrigin=True)


def with_a_point_beside_the_curve(authenticator, options):
    authenticator.cose[-3] = bytes(31) + b"\x07"
    return authenticator.make(options)


def with_a_weak_key(authenticator, options):
    authenticator.cose, authenticator._sign = rs256(1024)
    return authenticator.make(options)


def with_a_key_that_takes_long_to_use(authenticator, options):
    authenticator.cose = {1: 3, 3: -257, -1: b"\xff" * 600, -2: b"\x01\x00\x01"}
    return authenticator.make(options)


def with_a_key_of_a_kilobyte_and_more(authenticator, options):
    authenticator.cose = {1: 3, 3: -257, -1: b"\xff" * 2300, -2: b"\x01\x00\x01"}
    return authenticator.make(options)


def with_an_unknown_algorithm(authenticator, options):
    authenticator.cose[3] = -65535
    return authenticator.make(options)


def with_an_id_that_is_too_long(authenticator, options):
    authenticator.id = bytes(1023) + b"x"
    return {**authenticator.make(options), "id": "x" * 1364, "rawId": "x" * 1364}


def with_two_ids(authenticator, options):
    return {**authenticator.make(options), "id": encoded(b"other")}


def with_nothing_attested(authenticator, options):
    credential = authenticator.make(options)
    content = {"fmt": "none", "attStmt": {}, "authData": authenticator.data(5)}
    credential["response"]["attestationObject"] = encoded(cbor2.dumps(content))
    return credential


def with_lengths_that_lie(authenticator, options):
    credential = authenticator.make(options)
    tail = bytes(16) + b"\xff\xff" + b"x"
    content = {
        "fmt": "none",
        "attStmt": {},
        "authData": authenticator.data(PRESENT | VERIFIED | ATTESTED, tail),
    }
    credential["response"]["attestationObject"] = encoded(cbor2.dumps(content))
    return credential


def with_bytes_that_announce_more(authenticator, options):
    credential = authenticator.make(options)
    credential["response"]["attestationObject"] = encoded(b"\x5b" + b"\x7f" * 8)
    return credential


def with_deep_nesting(authenticator, options):
    credential = authenticator.make(options)
    credential["response"]["attestationObject"] = encoded(b"\x81" * 12_000)
    return credential


BAD = [
    of_another_challenge,
    of_another_origin,
    of_another_domain,
    of_a_log_in,
    of_an_unverified_user,
    of_an_absent_user,
    in_a_frame,
    with_a_point_beside_the_curve,
    with_a_weak_key,
    with_a_key_of_a_kilobyte_and_more,
    with_a_key_that_takes_long_to_use,
    with_an_unknown_algorithm,
    with_an_id_that_is_too_long,
    with_two_ids,
    with_nothing_attested,
    with_lengths_that_lie,
    with_bytes_that_announce_more,
    with_deep_nesting,
]


@pytest.mark.parametrize("forge", BAD, ids=lambda forge: forge.__name__)
async def test_a_bad_passkey_is_not_kept(world, client, pair, forge):
    question = await begin(client, pair)
    credential = forge(Authenticator(), question["options"])
    answer = await offer(client, pair, credential, question)
    assert_problem(answer, 400, "passkey_not_made")
    assert not world.passkeys.store._by_id
    good = Authenticator().make(question["options"])
    assert (await offer(client, pair, good, question)).status_code == 201


async def test_a_huge_attestation_is_refused_before_it_is_parsed(client, pair):
    question = await begin(client, pair)
    credential = Authenticator().make(question["options"])
    credential["response"]["attestationObject"] = "A" * 16_385
    answer = await offer(client, pair, credential, question)
    assert_problem(answer, 422, "invalid_body")
    credential["response"]["attestationObject"] = "A" * 70_000
    answer = await offer(client, pair, credential, question)
    assert_problem(answer, 413, "body_too_large")


async def test_an_answer_adds_one_passkey_once(world, client, pair):
    question = await begin(client, pair)
    credentials = [Authenticator().make(question["options"]) for _ in range(50)]
    calls = [offer(client, pair, each, question) for each in credentials]
    statuses = [answer.status_code for answer in await asyncio.gather(*calls)]
    assert sorted(statuses) == [201] + [400] * 49
    assert len(world.passkeys.store._by_id) == 1


async def test_one_passkey_is_added_once(world, client, pair):
    passkey = await add_passkey(client, pair)
    question = await begin(client, pair)
    answer = await offer(client, pair, passkey.make(question["options"]), question)
    assert_problem(answer, 409, "passkey_exists")

    await world.add("bob@example.com")
    bob = await log_in(client, "bob@example.com")
    question = await begin(client, bob)
    taken = Authenticator(id=passkey.id).make(question["options"])
    answer = await offer(client, bob, taken, question)
    assert_problem(answer, 409, "passkey_exists")


async def test_a_question_is_for_one_user_in_one_session(world, client, pair):
    await world.add("bob@example.com")
    question = await begin(client, pair)
    credential = Authenticator().make(question["options"])
    for other in (await log_in(client, "bob@example.com"), await log_in(client)):
        answer = await offer(client, other, credential, question)
        assert_problem(answer, 400, "passkey_not_made")
    world.clock.advance(290)
    fresh = await offer(client, pair, credential, question)
    assert fresh.status_code == 201


async def test_a_question_of_a_log_in_adds_nothing(client, pair):
    question = await begin(client, pair)
    credential = Authenticator().make(question["options"])
    asked = (await client.post("/passkeys/login/options")).json()
    answer = await offer(client, pair, credential, asked)
    assert_problem(answer, 400, "passkey_not_made")


async def test_there_are_as_many_as_there_may_be():
    world = PasskeyWorld(passkeys={"most": 2})
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        questions = [await begin(client, pair) for _ in range(3)]
        made = [Authenticator().make(each["options"]) for each in questions]
        for credential, question in zip(made[:2], questions[:2], strict=True):
            answer = await offer(client, pair, credential, question)
            assert answer.status_code == 201
        answer = await offer(client, pair, made[2], questions[2])
        assert_problem(answer, 409, "too_many_passkeys")
        answer = await client.post("/passkeys/options", headers=bearer(pair))
        assert_problem(answer, 409, "too_many_passkeys")


async def test_passkeys_are_changed_after_a_fresh_log_in_only(world, client, pair):
    passkey = await add_passkey(client, pair)
    path = f"/passkeys/{encoded(passkey.id)}"
    world.clock.advance(301)
    for method, where in (("POST", "/passkeys/options"), ("DELETE", path)):
        answer = await client.request(method, where, headers=bearer(pair))
        assert_problem(answer, 401, "insufficient_user_authentication")
        assert 'max_age="300"' in answer.headers["www-authenticate"]


async def test_whoever_has_a_second_factor_shows_it_before_another_is_added():
    world = PasskeyWorld(passkeys={"second_factor": True})
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        passkey = await add_passkey(client, pair)
        answer = await client.post("/passkeys/options", headers=bearer(pair))
        assert_problem(answer, 401, "insufficient_user_authentication")
        assert 'acr_values="mfa"' in answer.headers["www-authenticate"]
        strong = (await show(client, passkey)).json()
        await add_passkey(client, strong)


async def test_of_a_user_who_is_gone_nothing_is_changed(world, client, pair):
    account = await world.store.find_by_email(EMAIL)
    await world.store.remove(account.id)
    answer = await client.post("/passkeys/options", headers=bearer(pair))
    assert_problem(answer, 401, "unknown_subject")


async def without_password(world):
    account = await world.store.find_by_email(EMAIL)
    return await world.store.update(replace(account, password_hash=None))


async def test_the_last_way_in_stays(world, client, pair):
    first, second = [await add_passkey(client, pair) for _ in range(2)]
    await without_password(world)
    paths = [f"/passkeys/{encoded(each.id)}" for each in (first, second)]
    assert (await client.delete(paths[0], headers=bearer(pair))).status_code == 204
    answer = await client.delete(paths[1], headers=bearer(pair))
    assert_problem(answer, 409, "last_way_in")
    assert (await show(client, second)).status_code == 200


async def test_two_last_ways_that_are_removed_at_once_do_not_both_go(world):
    """Each store forgets what it is told to, and the other one knows nothing of it."""

    class Slow(MemoryPasskeys):
        async def list(self, subject):
            listed = await super().list(subject)
            await asyncio.sleep(0)
            return listed

    account = replace(await world.store.find_by_email(EMAIL), password_hash=None)
    kinds = [Passkeys(RP_ID, [ORIGIN], store=Slow()) for _ in range(2)]
    numbers = itertools.count()
    world.passkeys = kinds[0]
    for kind in kinds:
        passkey = Passkey(
            id=f"p{next(numbers)}", subject=account.id, handle="", public_key=b""
        )
        await kind.store.add(passkey)
    calls = [
        kind.remove(account, f"p{n}", kinds=[kinds[1 - n]])
        for n, kind in enumerate(kinds)
    ]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert any(isinstance(answer, LastWayInError) for answer in answers)
    assert await count_ways_in(account, kinds) >= 1


async def test_a_password_is_a_way_in_also_one_that_an_application_keeps(world):
    account = await world.store.find_by_email(EMAIL)
    assert await count_ways_in(account, []) == 1
    assert await count_ways_in(replace(account, password_hash=None), []) == 0
    own = replace(account, password_hash=None, user=object())
    assert await count_ways_in(own, []) == 0
    assert await count_ways_in(own, [], has_password=True) == 1
    with pytest.raises(LastWayInError):
        await remove_way_in(own, [], remove=None, restore=None)


async def test_an_account_that_is_deleted_leaves_no_passkey(world, client, pair):
    await add_passkey(client, pair)
    answer = await client.request(
        "DELETE", "/me", headers=bearer(pair), json={"password": PASSWORD}
    )
    assert answer.status_code == 204
    assert not world.passkeys.store._by_id


async def test_an_application_may_list_and_name_them(world, client, pair):
    passkey = await add_passkey(client, pair)
    account = await world.store.find_by_email(EMAIL)
    await world.passkeys.rename(account.id, encoded(passkey.id), "Blue key")
    assert [each.name for each in await world.passkeys.list(account.id)] == ["Blue key"]
    with pytest.raises(UnknownPasskeyError):
        await world.passkeys.rename("other", encoded(passkey.id), "Mine")
    await world.passkeys.forget(account.id)
    assert await world.passkeys.ways_in(account.id) == 0


async def test_actors_change_no_passkeys(world, client, pair):
    account = await world.store.find_by_email(EMAIL)
    token = await world.tokens.impersonate(account.id, actor=ADMIN)
    headers = {"Authorization": f"Bearer {token}"}
    answer = await client.post("/passkeys/options", headers=headers)
    assert_problem(answer, 403, "actor_refused")


async def test_other_domains_are_named_where_browsers_look(world):
    origins = [ORIGIN, "https://example.de", "android:apk-key-hash:abc_-="]
    world = PasskeyWorld(origins=origins)
    app = AuthenticationMiddleware(
        world.routes, JWTBackend(world.tokens), required=True
    )
    around = world.passkeys.related_origins.around(app)
    async with world.client(app=around) as client:
        answer = await client.get("/.well-known/webauthn")
        assert answer.json() == {"origins": origins[:2]}
        assert answer.headers["content-type"] == "application/json"

    await world.add()
    async with world.client() as client:
        elsewhere = Authenticator(origin="https://example.de")
        await add_passkey(client, await log_in(client), elsewhere)
        assert (await show(client, elsewhere)).status_code == 200


@pytest.mark.parametrize(
    ("rp_id", "origin"),
    [
        ("localhost", "http://localhost:8000"),
        ("localhost", "https://app.localhost"),
        ("xn--bcher-kva.example", "https://xn--bcher-kva.example:8443"),
        ("example.com", "ios:bundle-id:com.example.app"),
    ],
)
def test_an_origin_is_what_browsers_write(rp_id, origin):
    assert Passkeys(rp_id, [origin]).origins == (origin,)


@pytest.mark.parametrize(
    ("rp_id", "origins"),
    [
        ("https://example.com", [ORIGIN]),
        ("Example.com", [ORIGIN]),
        ("example.com.", [ORIGIN]),
        ("com", [ORIGIN]),
        ("192.0.2.1", [ORIGIN]),
        ("b\u00fccher.example", [ORIGIN]),
        (RP_ID, ORIGIN),
        (RP_ID, []),
        (RP_ID, ["http://www.example.com"]),
        (RP_ID, ["https://www.example.com/"]),
        (RP_ID, ["https://www.example.com/login"]),
        (RP_ID, ["https://WWW.example.com"]),
        (RP_ID, ["https://www.example.com:443"]),
        (RP_ID, ["http://localhost:80"]),
        (RP_ID, ["https://ann@www.example.com"]),
        (RP_ID, ["https://*.example.com"]),
        (RP_ID, ["https://192.0.2.1"]),
        (RP_ID, ["null"]),
        (RP_ID, ["https://[::1"]),
        (RP_ID, ["https://www.example.com:port"]),
        ("localhost", [ORIGIN]),
    ],
)
def test_what_no_browser_would_take_is_refused_at_once(rp_id, origins):
    with pytest.raises(ConfigurationError):
        Passkeys(rp_id, origins)


@pytest.mark.parametrize(
    "options", [{"most": 0}, {"most": 101}, {"ttl": 29}, {"ttl": 3601}]
)
def test_settings_have_bounds(options):
    with pytest.raises(ConfigurationError):
        Passkeys(RP_ID, [ORIGIN], **options)


def test_a_policy_is_one_of_two():
    with pytest.raises(ConfigurationError, match="refuse or report"):
        Passkeys(RP_ID, [ORIGIN], on_clone="ignore")


def test_without_webauthn_the_sentence_has_the_command():
    code = (
        "import sys; sys.modules['webauthn'] = None\n"
        "from asgi_auth.passkeys import Passkeys\n"
        "Passkeys('example.com', ['https://example.com'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert 'python -m pip install "asgi-auth[passkeys]"' in run.stderr


async def test_the_routes_are_there_where_passkeys_are(world):
    paths = world.routes.openapi()["paths"]
    assert len([path for path in paths if "passkey" in path]) == 8
    public = [path for path in world.routes.public_paths("") if "passkey" in path]
    assert public == [
        "/passkeys/login/options",
        "/passkeys/login",
        "/login/factor/passkey/options",
        "/login/factor/passkey",
    ]
    without = AuthRoutes(world.tokens, world.accounts)
    assert not [path for path in without.openapi()["paths"] if "passkey" in path]
    with pytest.raises(ConfigurationError, match=r"passkeys=Passkeys"):
        AuthRoutes(world.tokens, world.accounts, shape=RouteShape(include=["passkeys"]))

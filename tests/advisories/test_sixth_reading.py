"""What a reading of second factors, passkeys and log-ins at providers found."""

from __future__ import annotations

from contextlib import suppress

import pytest

from asgi_auth import AuthError, ConfigurationError, InvalidCredentialsError
from asgi_auth.factors import FactorRecord, SQLFactors
from asgi_auth.identities import (
    AuthorizationServer,
    Client,
    Identities,
    MemoryIdentities,
    OAuthProvider,
)
from asgi_auth.identities.callback import ProviderAnswer
from asgi_auth.identities.errors import InvalidCallbackError, LinkRequiredError
from asgi_auth.passkeys import Passkey, Passkeys, SQLPasskeys
from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from asgi_auth.routes import Cookies, Factor, SecondFactorRequiredError
from asgi_auth.tokens.claims import is_plain_text
from tests.identities.world import World as ProviderWorld
from tests.passkeys.authenticator import ORIGIN, RP_ID, Authenticator
from tests.passkeys.world import PasskeyWorld, add_passkey, show
from tests.routes.test_factors import RIGHT, begin, finish, set_up
from tests.routes.test_own_users import Managing
from tests.routes.test_own_users import World as OwnWorld
from tests.routes.world import (
    EMAIL,
    LOOSE,
    PASSWORD,
    World,
    assert_problem,
    bearer,
    log_in,
)

pytestmark = pytest.mark.anyio


async def ask_nobody(account, code):
    """Say of each user, as an application may, that no code is needed."""


async def ask_by_sms(account, code):
    if code is None:
        raise SecondFactorRequiredError
    if code != "123456":
        raise InvalidCredentialsError
    return Factor(acr="mfa", amr=("sms",))


# ------------------------------------------------------- round the second factor


async def passkey_as_second_factor(second_factor):
    world = PasskeyWorld(passkeys={"second_factor": True}, second_factor=second_factor)
    await world.add()
    return world


async def test_a_callable_that_asks_nobody_spares_nobody_the_passkey():
    world = await passkey_as_second_factor(ask_nobody)
    async with world.client() as client:
        await add_passkey(client, await log_in(client))
        answer = await client.post("/login", json=RIGHT)
        assert_problem(answer, 401, "second_factor_required")
        answer = await client.post("/login", json={**RIGHT, "code": "000000"})
        assert_problem(answer, 401, "second_factor_required")
        assert "passkey" in answer.json()["methods"]
        token = answer.json()["pending_token"]
        answer = await finish(client, token, "000000")
        assert_problem(answer, 401, "invalid_code")


async def ask_again(account, code):
    if code != "123456":
        raise SecondFactorRequiredError
    return Factor(acr="mfa", amr=("sms",))


@pytest.mark.parametrize("ask", [ask_by_sms, ask_again])
async def test_codes_of_an_application_are_counted_in_the_second_step_too(ask):
    limits = {**LOOSE, "codes": Limit(5, 300), "guesses": Limit(8, 3600)}
    world = World(second_factor=ask, limiter=RateLimiter(limits=Limits(**limits)))
    await world.add()
    statuses = []
    async with world.client() as client:
        token = await begin(client)
    # From many networks, as whoever has rented some.
    for number in range(12):
        async with world.client(ip=f"198.51.{number}.7") as client:
            answer = await finish(client, token, f"{number:06}")
            statuses.append(answer.status_code)
    assert statuses == [401] * 8 + [429] * 4


async def test_a_pending_token_opens_nothing_else():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        await set_up(world, client)
        token = await begin(client)
        caller = {"Authorization": f"Bearer {token}"}
        for method, path in [
            ("GET", "/me"),
            ("GET", "/factors"),
            ("POST", "/factors/totp"),
            ("POST", "/logout-all"),
            ("DELETE", "/me"),
        ]:
            answer = await client.request(method, path, headers=caller)
            assert answer.status_code == 401
        for name in ("refresh", "verify", "password/reset", "email/confirm"):
            body = {"refresh_token": token, "token": token, "password": PASSWORD}
            answer = await client.post(f"/{name}", json=body)
            assert answer.status_code in {401, 422}, name


async def test_no_other_token_goes_on_with_a_log_in():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        phone, _ = await set_up(world, client)
        pair = (await finish(client, await begin(client), phone.code())).json()
        world.clock.advance(60)
        for token in (pair["access_token"], pair["refresh_token"], "a.b.c", ""):
            answer = await finish(client, token, phone.code())
            assert answer.status_code in {401, 422}


async def test_no_link_from_a_message_logs_in_past_the_second_factor():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        await set_up(world, client)
        await client.post("/password/forgot", json={"email": EMAIL})
        await world.outbox.drain()
        body = {
            "token": world.mailbox.token("reset"),
            "password": "another-lamp-4-otter",
        }
        answer = await client.post("/password/reset", json=body)
        assert (answer.status_code, answer.content) == (204, b"")
        assert "set-cookie" not in answer.headers
        body = {"email": EMAIL, "password": "another-lamp-4-otter"}
        answer = await client.post("/login", json=body)
        assert_problem(answer, 401, "second_factor_required")
        form = {"username": EMAIL, "password": body["password"]}
        answer = await client.post("/login", data={"grant_type": "password", **form})
        assert answer.status_code == 400
        assert "access_token" not in answer.json()


@pytest.mark.parametrize("how", ["change", "reset"])
async def test_a_new_password_ends_trust_in_devices(how):
    world = World(factors={})
    await world.add()
    new = "another-lamp-4-otter"
    async with world.client() as client:
        phone, _ = await set_up(world, client)
        answer = await finish(
            client, await begin(client), phone.code(), trust_device=True
        )
        pair = answer.json()
        trust = {"trust_token": pair["trust_token"]}
        assert (await client.post("/login", json={**RIGHT, **trust})).status_code == 200
        world.clock.advance(5)
        if how == "change":
            body = {"current_password": PASSWORD, "new_password": new}
            answer = await client.post(
                "/password/change", json=body, headers=bearer(pair)
            )
        else:
            await client.post("/password/forgot", json={"email": EMAIL})
            await world.outbox.drain()
            body = {"token": world.mailbox.token("reset"), "password": new}
            answer = await client.post("/password/reset", json=body)
        assert answer.status_code == 204, answer.text
        world.clock.advance(5)
        body = {"email": EMAIL, "password": new, **trust}
        answer = await client.post("/login", json=body)
        assert_problem(answer, 401, "second_factor_required")


async def test_odd_texts_about_factors_are_refused_and_break_nothing():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        headers = bearer(await log_in(client))
        start = (await client.post("/factors/totp", headers=headers)).json()
        key_id = start["enrolment"].partition(".")[0]
        for text in (
            "",
            ".",
            key_id,
            f"{key_id}.",
            f"{key_id}.A",
            f"{key_id}.\u00e4",
            f"{key_id}.{'A' * 40}",
            "\x00",
            "\U0001f511",
        ):
            body = {"enrolment": text, "code": "123456"}
            answer = await client.post(
                "/factors/totp/confirm", json=body, headers=headers
            )
            assert answer.status_code in {401, 422}, text
        raw = b'{"enrolment": "\\ud800", "code": "\\udfff"}'
        headers["content-type"] = "application/json"
        answer = await client.post(
            "/factors/totp/confirm", content=raw, headers=headers
        )
        assert answer.status_code in {400, 401, 422}


# --------------------------------------------------------------------- passkeys


async def test_a_question_in_a_body_is_none_for_a_browser_with_cookies():
    world = PasskeyWorld(delivery="both", cookies=Cookies())
    await world.add()
    authenticator = Authenticator()
    headers = {"origin": "https://api.example"}
    async with world.client(headers=headers) as client:
        await add_passkey(client, await log_in(client), authenticator)
        question = (await client.post("/passkeys/login/options", json={})).json()
        answer = await show(client, authenticator, question, delivery="cookie")
        assert_problem(answer, 401, "passkey_refused")
        assert (await show(client, authenticator, question)).status_code == 200


async def test_a_passkey_of_another_account_ends_no_log_in():
    world = PasskeyWorld(passkeys={"second_factor": True})
    await world.add()
    await world.accounts.register("eve@example.com", PASSWORD)
    async with world.client() as client:
        await add_passkey(client, await log_in(client))
        eve = await add_passkey(client, await log_in(client, email="eve@example.com"))
        token = await begin(client)
        path = "/login/factor/passkey"
        body = {"pending_token": token}
        question = (await client.post(f"{path}/options", json=body)).json()
        answer = await show(client, eve, question, path=path, pending_token=token)
        assert_problem(answer, 401, "passkey_refused")


async def test_a_user_of_an_application_without_password_keeps_the_last_passkey():
    passkeys = Passkeys(RP_ID, [ORIGIN])
    world = OwnWorld(
        Managing(), passkeys=passkeys, limiter=RateLimiter(insecure_unlimited=True)
    )
    person = await world.users.seed()
    async with world.client() as client:
        body = {"username": "bob", "password": PASSWORD}
        pair = (await client.post("/login", json=body)).json()
        await add_passkey(client, pair)
        person.hashed_password = None
        (passkey,) = await passkeys.list("7")
        path = f"/passkeys/{passkey.id}"
        answer = await client.delete(path, headers=bearer(pair))
        assert_problem(answer, 409, "last_way_in")
        assert len(await passkeys.list("7")) == 1


# --------------------------------------------------------- log-ins at providers


def forge(name, tenant, issuer=""):
    async def profile(get):
        raise AssertionError

    url = f"https://forge.example/{tenant}"
    return OAuthProvider(
        name,
        AuthorizationServer(
            authorize_url=f"{url}/authorize", token_url=f"{url}/token", issuer=issuer
        ),
        Client(id="c", secret="s"),
        profile=profile,
    )


async def test_two_providers_do_not_share_the_names_of_their_users():
    """Tenants of one host each number their users: 7 here is not 7 there."""
    world = ProviderWorld()
    options = {
        "tokens": world.tokens,
        "accounts": world.accounts,
        "store": MemoryIdentities(),
    }
    with pytest.raises(ConfigurationError, match="issuer"):
        Identities(forge("one", "one"), forge("two", "two"), **options)
    two = forge("two", "two", issuer="https://forge.example/two")
    Identities(forge("one", "one"), two, **options)


@pytest.mark.parametrize(
    "time",
    [10**400, 1e300, -(10**400), -1, True, "1", [], {}],
    ids=["huge", "far", "low", "negative", "bool", "text", "list", "object"],
)
async def test_an_odd_time_of_a_log_in_elsewhere_breaks_nothing(time):
    world = ProviderWorld()
    world.op.claims = {"auth_time": time}
    try:
        outcome = await world.log_in()
    except InvalidCallbackError:
        return
    assert outcome.auth_time is None or -(2**53) < outcome.auth_time < 2**53


async def test_an_address_is_vouched_for_where_it_is_said():
    """A claim of the ID token says nothing about an address from elsewhere."""
    world = ProviderWorld()
    victim = await world.add("victim@example.com")
    world.op.email = {"email_verified": True}
    world.op.userinfo = {"email": "victim@example.com", "email_verified": False}
    with pytest.raises(LinkRequiredError):
        await world.log_in()
    assert await world.identities.list(victim.id) == []


@pytest.mark.parametrize(
    "email",
    [
        "victim@exam\u0440le.com",
        "vict\u0131m@example.com",
        "\uff56ictim@example.com",
        "victim@example.com@evil.example",
        "victim@example.com\x00",
        "victim+a@example.com",
        "victim@example.com, eve@example.com",
        '"victim@example.com"@evil.example',
        "v.ictim@example.com",
    ],
)
async def test_no_look_alike_of_an_address_is_the_address(email):
    world = ProviderWorld()
    victim = await world.add("victim@example.com")
    world.op.email = {"email": email, "email_verified": True}
    try:
        outcome = await world.log_in()
    except LinkRequiredError:
        pass
    else:
        assert outcome.account.id != victim.id
    assert await world.identities.list(victim.id) == []


@pytest.mark.parametrize("verified", ["true", 1, "1", [True], {"a": 1}, None])
async def test_only_true_is_verified(verified):
    world = ProviderWorld()
    victim = await world.add("victim@example.com")
    world.op.email = {"email": "victim@example.com", "email_verified": verified}
    with pytest.raises(LinkRequiredError):
        await world.log_in()
    assert await world.identities.list(victim.id) == []


async def test_an_address_that_changed_hands_at_the_provider_is_not_the_account():
    world = ProviderWorld()
    first = (await world.log_in()).account
    world.op.user = {"sub": "another"}
    world.op.email = {"email": "eve@example.com", "email_verified": True}
    eve = (await world.log_in()).account
    world.op.email = {"email": "ann@example.com", "email_verified": True}
    assert (await world.log_in()).account.id == eve.id != first.id


@pytest.mark.parametrize("text", ["\ud800", "\x00", "a" * 5000, "\u2028", "%ff"])
async def test_an_odd_answer_of_a_browser_is_refused(text):
    world = ProviderWorld()
    start = await world.begin()
    came = world.op.authorize(start.url)
    for name in ("state", "code", "iss", "error"):
        answer = ProviderAnswer(**{**came, name: text})
        with pytest.raises(AuthError):
            await world.identities.finish("op", answer, start.token)
        start = await world.begin()
        came = world.op.authorize(start.url)


@pytest.mark.parametrize(
    "answer",
    [
        {"access_token": {}, "id_token": None},
        {"error": ["x"]},
        {"error": {"a": 1}},
        {"expires_in": 10**400},
        {"expires_in": "3600"},
        {"refresh_token": 7, "scope": ["a"]},
    ],
)
async def test_an_odd_answer_of_a_provider_breaks_nothing(answer):
    world = ProviderWorld()
    world.op.answer = answer
    with suppress(AuthError):
        assert (await world.log_in()).account is not None


async def test_attempts_and_answers_show_no_secret():
    world = ProviderWorld()
    start = await world.begin()
    came = ProviderAnswer(**world.op.authorize(start.url))
    shown = f"{start!r} {came!r} {world.provider!r} {world.identities!r}"
    attempt = start.attempt
    secrets = (attempt.state, attempt.nonce, attempt.verifier, start.token, came.code)
    assert not [secret for secret in secrets if secret in shown]


# ----------------------------------------------------------------------- stores


@pytest.mark.parametrize("subject", ["a\u00a0b", "a\u200db", "\u3000", "\ue000"])
async def test_whoever_has_rare_letters_in_the_id_is_asked_for_the_factor(
    tmp_path, subject
):
    """Ids that tokens can name are ids that the stores of factors find again."""
    assert is_plain_text(subject)
    factors = SQLFactors(f"sqlite:///{tmp_path}/factors.db")
    passkeys = SQLPasskeys(f"sqlite:///{tmp_path}/passkeys.db")
    for store in (factors, passkeys):
        await store.create_schema()
    await factors.put(FactorRecord(subject=subject, kind="totp", since=1.0))
    passkey = Passkey(id="p", subject=subject, handle="", public_key=b"")
    await passkeys.add(passkey)
    assert [record.kind for record in await factors.find(subject)] == ["totp"]
    assert [each.id for each in await passkeys.list(subject)] == ["p"]
    assert await passkeys.rename("p", subject, "Key")
    assert await passkeys.remove("p", subject)
    await factors.remove(subject)
    assert list(await factors.find(subject)) == []
    for odd in ("a\x00b", "\ud800"):
        assert list(await factors.find(odd)) == list(await passkeys.list(odd)) == []
        assert not await passkeys.remove("p", odd)
        assert not await passkeys.remove(odd, subject)
    for store in (factors, passkeys):
        await store.aclose()


# ------------------------------------------------- accounts that wait for an owner


async def test_who_registers_a_strangers_address_leaves_no_way_in():
    """The owner of the address takes the account over, by a message."""
    passkeys = Passkeys(RP_ID, [ORIGIN])
    world = World(accounts={"require_verified": False}, passkeys=passkeys)
    await world.accounts.register(EMAIL, PASSWORD)
    account = await world.store.find_by_email(EMAIL)
    assert account.verified_at is None
    thief = Authenticator()
    async with world.client() as client:
        await add_passkey(client, await log_in(client), thief)
        await client.post("/password/forgot", json={"email": EMAIL})
        await world.outbox.drain()
        body = {
            "token": world.mailbox.token("reset"),
            "password": "another-4-lamp-otter",
        }
        answer = await client.post("/password/reset", json=body)
        assert answer.status_code == 204, answer.text
        assert list(await passkeys.list(account.id)) == []
        assert_problem(await show(client, thief), 401, "passkey_refused")

        # From now on it is the owner's: a new password takes nothing away.
        world.clock.advance(5)
        pair = await log_in(client, password="another-4-lamp-otter")
        own = await add_passkey(client, pair)
        await client.post("/password/forgot", json={"email": EMAIL})
        await world.outbox.drain()
        body["token"] = world.mailbox.token("reset")
        answer = await client.post("/password/reset", json=body)
        assert answer.status_code == 204, answer.text
        assert (await show(client, own)).status_code == 200


async def test_who_registers_a_strangers_address_leaves_no_log_in_elsewhere():
    world = ProviderWorld()
    accounts = world.accounts
    account = await world.add("victim@example.com", verified=False)
    caller = await world.caller(account)
    linked = await world.finish(await world.begin(link_to=caller))
    assert linked.account.id == account.id
    token = accounts._email_tokens.for_reset(account)
    await accounts.reset_password(token, "another-4-lamp-otter")
    assert list(await world.identities.list(account.id)) == []
    world.op.email = {"email": "eve@example.com", "email_verified": True}
    assert (await world.log_in()).account.id != account.id

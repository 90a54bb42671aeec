"""Log-ins at an OpenID provider: who gets in, and as whom."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest

from asgi_auth.accounts import (
    AccountDisabledError,
    AuthManager,
    DuplicateAccountError,
    ManagedAccounts,
)
from asgi_auth.accounts.errors import LastWayInError
from asgi_auth.errors import (
    ConfigurationError,
    StepUpRequiredError,
    UnavailableError,
)
from asgi_auth.identities import Client, Identity, IdentityTakenError, OIDCProvider
from asgi_auth.identities.callback import ProviderAnswer
from asgi_auth.identities.errors import (
    InvalidCallbackError,
    InvalidTargetError,
    LinkRequiredError,
    ProviderDeniedError,
    UnknownIdentityError,
    UnknownProviderError,
)
from asgi_auth.identities.provider import Prompt
from asgi_auth.keys import Transport
from tests.identities.op import CLIENT, ISSUER, SECRET, FakeOP
from tests.identities.world import CALLBACK, World

pytestmark = pytest.mark.anyio


@pytest.fixture
def world():
    return World()


async def test_a_new_user_gets_an_account_and_comes_back_to_it(world):
    first = await world.log_in()
    assert (first.how, first.account.email) == ("sign_up", "ann@example.com")
    assert first.account.verified_at is not None
    assert first.account.password_hash is None
    again = await world.log_in()
    assert (again.how, again.account.id) == ("identity", first.account.id)
    await asyncio.sleep(0)
    assert world.heard("identity") == [
        ("identity.linked", {"provider": "op", "how": "sign_up"})
    ]


async def test_who_comes_back_under_another_address_is_the_same_user(world):
    first = await world.log_in()
    world.op.email = {"email": "new@example.com", "email_verified": False}
    assert (await world.log_in()).account.id == first.account.id


async def test_the_request_has_all_that_protects_it(world):
    prompt = Prompt(prompt="select_account", login_hint="ann@example.com")
    start = await world.begin(next="/orders?page=2", prompt=prompt)
    query = dict(parse_qsl(urlsplit(start.url).query))
    attempt = start.attempt
    assert query == {
        "theirs": "1",
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": CALLBACK,
        "scope": "openid email profile",
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": attempt.challenge,
        "code_challenge_method": "S256",
        "prompt": "select_account",
        "login_hint": "ann@example.com",
    }
    assert len({attempt.state, attempt.nonce, attempt.verifier}) == 3
    assert min(map(len, (attempt.state, attempt.nonce, attempt.verifier))) == 43
    assert (await world.finish(start)).attempt.next == "/orders?page=2"
    _, headers, form = next(r for r in world.op.requests if r[0] == "/token")
    # RFC 6749, section 2.3.1: the parts are encoded as in a form.
    basic = "b3VyLWNsaWVudDpvdXItc2VjcmV0KyUyQiUyRiUzQQ=="
    assert headers["authorization"] == f"Basic {basic}"
    assert "client_secret" not in form


async def test_a_provider_that_takes_no_header_gets_the_secret_in_the_form():
    world = World()
    world.op.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    await world.log_in()
    _, headers, form = next(r for r in world.op.requests if r[0] == "/token")
    assert form["client_secret"] == SECRET
    assert "authorization" not in headers


async def test_a_public_client_sends_its_name_only():
    world = World()
    world.provider._client = Client(id=CLIENT)
    await world.log_in()
    _, headers, form = next(r for r in world.op.requests if r[0] == "/token")
    assert form["client_id"] == CLIENT
    assert "authorization" not in headers
    assert "client_secret" not in form


async def test_a_log_in_costs_no_more_round_trips_than_it_must(world):
    await world.log_in()
    world.round_trips.clear()
    await world.log_in()
    assert world.round_trips == [
        "sessions.once",
        "identities.find",
        "accounts.find_by_id",
    ]


async def test_a_log_in_asks_the_provider_once_when_its_metadata_are_known(world):
    await world.log_in()
    world.op.asked.clear()
    await world.log_in()
    assert world.op.asked == ["/token"]


# --------------------------------------------------------------- whose account


async def test_a_verified_account_is_linked_by_its_verified_address(world):
    account = await world.add()
    world.op.email["email"] = "ANN@example.com"
    outcome = await world.log_in()
    assert (outcome.how, outcome.account.id) == ("address", account.id)


async def test_an_address_that_the_provider_has_not_verified_links_nothing(world):
    account = await world.add()
    for email in (
        {"email": "ann@example.com", "email_verified": False},
        {"email": "ann@example.com", "email_verified": "true"},
        {"email": "ann@example.com", "email_verified": 1},
        {"email": "ann@example.com"},
        {"email_verified": True},
        {"email": "not an address", "email_verified": True},
    ):
        world.op.email = email
        with pytest.raises(LinkRequiredError):
            await world.log_in()
    assert not await world.identities.list(account.id)


async def test_the_answer_is_the_same_where_no_account_has_the_address(world):
    await world.add("other@example.com")
    texts = set()
    for address in ("other@example.com", "nobody@example.com"):
        world.op.email = {"email": address, "email_verified": False}
        with pytest.raises(LinkRequiredError) as caught:
            await world.log_in()
        texts.add((caught.value.code, caught.value.public_message, str(caught.value)))
    assert len(texts) == 1


async def test_a_provider_that_is_not_trusted_links_nothing_by_address():
    world = World(provider={"trust_addresses": False})
    await world.add()
    with pytest.raises(LinkRequiredError):
        await world.log_in()


async def test_who_registered_a_strangers_address_does_not_get_the_strangers_log_in(
    world,
):
    attacker = await world.add(verified=False)
    with pytest.raises(LinkRequiredError):
        await world.log_in()
    assert not await world.identities.list(attacker.id)


async def test_an_account_that_is_made_at_the_same_time_is_judged_like_any(world):
    create = world.accounts.create

    async def gone(email):
        raise DuplicateAccountError

    async def faster(email):
        world.accounts.create = create
        await world.add(email, verified=False)
        raise DuplicateAccountError

    for make in (gone, faster):
        world.accounts.create = make
        with pytest.raises(LinkRequiredError):
            await world.log_in()


async def test_no_account_is_made_where_there_is_no_sign_up():
    world = World(sign_up=False)
    with pytest.raises(LinkRequiredError):
        await world.log_in()
    account = await world.add()
    assert (await world.log_in()).account.id == account.id


async def test_a_disabled_account_stays_out_by_any_way(world):
    outcome = await world.log_in()
    await world.accounts.disable(outcome.account.id)
    with pytest.raises(AccountDisabledError):
        await world.log_in()
    # Also where the identity is not linked yet.
    world.op.user["sub"] = "another"
    with pytest.raises(AccountDisabledError):
        await world.log_in()
    await world.accounts.enable(outcome.account.id)
    world.op.user["sub"] = "248289761001"
    assert (await world.log_in()).how == "identity"


async def test_the_next_owner_of_an_id_does_not_get_the_log_in_of_the_one_before(world):
    account = (await world.log_in()).account
    await world.accounts.delete(account.id)
    assert await world.store.find(ISSUER, "248289761001") is None
    # Also where the row was left behind.
    orphan = Identity(issuer=ISSUER, subject="248289761001", account_id=account.id)
    await world.store.add(orphan)
    outcome = await world.log_in()
    assert outcome.how == "sign_up"
    assert outcome.account.id != account.id
    assert await world.store.list(account.id) == []


async def test_two_first_log_ins_at_once_are_one_account(world):
    starts = [await world.begin() for _ in range(10)]
    outcomes = await asyncio.gather(*map(world.finish, starts))
    assert len({outcome.account.id for outcome in outcomes}) == 1
    assert len(await world.identities.list(outcomes[0].account.id)) == 1


# ------------------------------------------------------------------------ linking


async def test_a_user_links_an_identity_whatever_its_address(world):
    account = await world.add()
    world.op.email = {"email": "elsewhere@example.com", "email_verified": False}
    caller = await world.caller(account)
    outcome = await world.finish(await world.begin(link_to=caller))
    assert (outcome.how, outcome.account.id) == ("user", account.id)
    # Once more does no harm.
    await world.finish(await world.begin(link_to=caller))
    (identity,) = await world.identities.list(account.id)
    assert identity.email == "elsewhere@example.com"
    assert (await world.log_in()).account.id == account.id


async def test_linking_needs_a_fresh_log_in(world):
    caller = await world.caller(await world.add())
    world.clock.advance(300)
    start = await world.begin(link_to=caller)
    world.clock.advance(1)
    with pytest.raises(StepUpRequiredError) as caught:
        await world.begin(link_to=caller)
    assert caught.value.max_age == 300
    for stranger in (
        replace(caller, auth_time=None),
        replace(caller, auth_time=world.clock(), session_id=None),
    ):
        with pytest.raises(StepUpRequiredError):
            await world.begin(link_to=stranger)
    assert (await world.finish(start)).how == "user"


async def test_a_link_that_was_begun_in_a_session_that_ended_is_refused(world):
    account = await world.add()
    caller = await world.caller(account)
    start = await world.begin(link_to=caller)
    await world.tokens.revoke_subject(account.id)
    with pytest.raises(InvalidCallbackError):
        await world.finish(start)
    assert not await world.identities.list(account.id)


async def test_a_link_of_an_account_that_was_disabled_is_refused(world):
    account = await world.add()
    start = await world.begin(link_to=await world.caller(account))
    present = await world.users.find_by_id(account.id)
    await world.users.update(replace(present, disabled=True))
    with pytest.raises(AccountDisabledError):
        await world.finish(start)


async def test_an_identity_of_another_account_cannot_be_linked(world):
    owner = (await world.log_in()).account
    other = await world.add("bob@example.com")
    start = await world.begin(link_to=await world.caller(other))
    with pytest.raises(IdentityTakenError):
        await world.finish(start)
    assert (await world.log_in()).account.id == owner.id


async def test_an_account_has_twenty_identities_at_most(world):
    account = await world.add()
    for number in range(20):
        await world.identities.adopt(account.id, "op", str(number))
    with pytest.raises(IdentityTakenError):
        await world.identities.adopt(account.id, "op", "20")


async def test_the_last_way_in_is_not_unlinked(world):
    account = (await world.log_in()).account
    (identity,) = await world.identities.list(account.id)
    with pytest.raises(LastWayInError):
        await world.identities.unlink(account.id, identity.id)
    with pytest.raises(UnknownIdentityError):
        await world.identities.unlink("somebody", identity.id)

    present = await world.users.find_by_id(account.id)
    await world.users.update(replace(present, password_hash="x"))
    await world.identities.unlink(account.id, identity.id)
    assert not await world.identities.list(account.id)
    await asyncio.sleep(0)
    assert ("identity.unlinked", {"provider": "op"}) in world.heard("identity")


async def test_an_identity_that_nobody_knows_any_more_is_no_way_in(world):
    account = (await world.log_in()).account
    (identity,) = await world.identities.list(account.id)
    old = replace(identity, issuer="https://gone.example", subject="7")
    await world.store.add(old)
    with pytest.raises(LastWayInError):
        await world.identities.unlink(account.id, identity.id)
    await world.identities.unlink(account.id, old.id)


async def test_racing_removals_leave_one_way_in(world):
    account = (await world.log_in()).account
    for number in range(4):
        await world.identities.adopt(account.id, "op", str(number))
    identities = await world.identities.list(account.id)
    results = await asyncio.gather(
        *(world.identities.unlink(account.id, each.id) for each in identities),
        return_exceptions=True,
    )
    assert len(await world.identities.list(account.id)) == 1
    assert sum(isinstance(r, LastWayInError) for r in results) == 1


class Passkeys:
    """As many as a test says, one look after the other."""

    def __init__(self, *counts):
        self.counts = list(counts)

    async def ways_in(self, account_id):
        return self.counts.pop(0)


async def test_another_way_in_is_asked_for(world):
    account = (await world.log_in()).account
    (identity,) = await world.identities.list(account.id)
    assert await world.identities.ways_in(account.id) == 1
    unlink = world.identities.unlink
    with pytest.raises(LastWayInError):
        await unlink(account.id, identity.id, beside=[Passkeys(0)])
    # The last passkey goes at the same time: then the identity stays.
    with pytest.raises(LastWayInError):
        await unlink(account.id, identity.id, beside=[Passkeys(1, 0)])
    assert await world.identities.list(account.id) == [identity]
    await unlink(account.id, identity.id, beside=[Passkeys(1, 1)])
    assert await world.identities.ways_in(account.id) == 0
    await world.identities.forget(account.id)


async def test_a_user_whose_manager_keeps_the_password_has_one(world):
    account = (await world.log_in()).account
    manager = Managed(account)
    accounts = ManagedAccounts(manager)
    managed = World(accounts=accounts, sign_up=False, store=world.store)
    (identity,) = await managed.identities.list(account.id)
    await managed.identities.unlink(account.id, identity.id)


class Managed(AuthManager):
    """Users that log in, and nothing else."""

    def __init__(self, account):
        self.user = {"id": account.id, "email": account.email}

    async def get_user_by_email(self, email):
        return self.user

    async def get_user_by_id(self, user_id):
        return self.user

    async def verify_password(self, login, password):
        return True


async def test_an_identity_that_another_request_could_not_remove_stays(world):
    account = (await world.log_in()).account
    await world.identities.adopt(account.id, "op", "another")
    (identity, _) = await world.identities.list(account.id)

    async def refuse(identity, *, unless_last):
        return False

    world.identities._store.remove = refuse
    with pytest.raises(LastWayInError):
        await world.identities.unlink(account.id, identity.id)


async def test_what_is_left_of_an_account_that_is_gone_can_be_removed(world):
    world.store._identities.clear()
    issuers = (ISSUER, "https://gone.example")
    for issuer in issuers:
        await world.store.add(Identity(issuer=issuer, subject="1", account_id="gone"))
    identities = {each.issuer: each for each in await world.identities.list("gone")}
    await world.identities.unlink("gone", identities[issuers[1]].id)
    await asyncio.sleep(0)
    assert world.heard("identity") == [
        ("identity.unlinked", {"provider": "https://gone.example"})
    ]
    with pytest.raises(LastWayInError):
        await world.identities.unlink("gone", identities[ISSUER].id)


@pytest.mark.parametrize("subject", ["", "a\nb", "x" * 256, 7])
async def test_only_plain_texts_are_adopted(world, subject):
    with pytest.raises(ConfigurationError):
        await world.identities.adopt("1", "op", subject)
    with pytest.raises(UnknownProviderError):
        await world.identities.adopt("1", "nobody", "1")


async def test_accounts_that_make_no_new_ones_have_no_sign_up(world):
    account = await world.add()
    with pytest.raises(ConfigurationError, match="sign_up=False"):
        World(accounts=ManagedAccounts(Managed(account)))


# -------------------------------------------------------------------- bad answers


async def test_an_answer_counts_once_of_fifty(world):
    start = await world.begin()
    came = ProviderAnswer(**world.op.authorize(start.url))
    results = await asyncio.gather(
        *(world.identities.finish("op", came, start.token) for _ in range(50)),
        return_exceptions=True,
    )
    refused = [r for r in results if isinstance(r, InvalidCallbackError)]
    assert len(refused) == 49
    assert world.op.asked.count("/token") == 1


async def test_a_late_answer_is_refused(world):
    start = await world.begin()
    world.clock.advance(601)
    with pytest.raises(InvalidCallbackError, match="refused"):
        await world.finish(start)


async def test_a_used_state_is_remembered_for_as_long_as_it_lives(world):
    start = await world.begin()
    await world.finish(start)
    world.clock.advance(599)
    with pytest.raises(InvalidCallbackError, match="before"):
        await world.finish(start)


async def test_a_stolen_state_is_of_no_use_in_another_browser(world):
    victims, thiefs = await world.begin(), await world.begin()
    for token in (None, thiefs.token, "", "rubbish", victims.token + "x"):
        with pytest.raises(InvalidCallbackError):
            await world.finish(victims, token=token)
    # The owner is not harmed by it.
    assert (await world.finish(victims)).account.email == "ann@example.com"


async def test_no_other_token_of_ours_is_a_state(world):
    account = await world.add()
    pair = await world.tokens.issue(account.id)
    minted = [world.tokens.mint("x", kind=kind) for kind in ("verify", "device")]
    odd = world.tokens.mint("x", kind="state", ttl=60, claims={"attempt": {"no": 1}})
    start = await world.begin()
    for token in (pair.access_token, pair.refresh_token, *minted, odd):
        with pytest.raises(InvalidCallbackError):
            await world.finish(start, token=token)


async def test_an_answer_at_the_address_of_another_provider_is_refused():
    clock_op = World()
    other_op = FakeOP(clock_op.clock, "https://evil.example")
    evil = OIDCProvider(
        "evil",
        "https://evil.example",
        Client(id=CLIENT, secret=SECRET),
        transport=Transport(other_op.fetch),
    )
    world = World(providers=[evil])
    start = await world.begin()
    with pytest.raises(InvalidCallbackError, match="another log-in"):
        await world.finish(start, provider="evil")
    assert "/token" not in other_op.asked
    with pytest.raises(UnknownProviderError):
        await world.finish(start, provider="nobody")


@pytest.mark.parametrize("iss", ["https://evil.example", ISSUER + "/", "", None])
async def test_an_answer_of_another_issuer_is_refused(world, iss):
    start = await world.begin()
    with pytest.raises(InvalidCallbackError, match="iss"):
        await world.finish(start, iss=iss)
    assert "/token" not in world.op.asked
    assert (await world.finish(start)).how == "sign_up"


async def test_a_provider_that_never_names_itself_need_not(world):
    del world.op.metadata["authorization_response_iss_parameter_supported"]
    start = await world.begin()
    assert (await world.finish(start, iss=None)).how == "sign_up"


async def test_a_user_who_says_no_is_told_so_and_the_state_is_used_up(world):
    start = await world.begin()
    with pytest.raises(ProviderDeniedError):
        await world.finish(start, code=None, error="access_denied")
    with pytest.raises(InvalidCallbackError):
        await world.finish(start)


async def test_an_error_needs_a_good_state_too(world):
    start = await world.begin()
    with pytest.raises(InvalidCallbackError):
        await world.finish(start, state="x", error="access_denied", code=None)
    with pytest.raises(InvalidCallbackError):
        await world.finish(start, iss="https://evil.example", error="access_denied")


@pytest.mark.parametrize("code", [None, "", "x" * 4097, "stolen"])
async def test_a_bad_code_is_refused(world, code):
    start = await world.begin()
    with pytest.raises(InvalidCallbackError):
        await world.finish(start, code=code)


async def test_a_code_of_another_log_in_is_refused_by_its_nonce(world):
    """Injected by an attacker, at a provider that forgot to check PKCE."""
    mine, victims = await world.begin(), await world.begin()
    stolen = world.op.authorize(victims.url)["code"]
    world.op.codes[stolen]["code_challenge"] = mine.attempt.challenge
    with pytest.raises(InvalidCallbackError, match="nonce"):
        await world.finish(mine, code=stolen)


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/a\nb",
        "javascript:alert(1)",
        "orders",
        "",
        " /orders",
        "/ö",
        "/" + "x" * 2000,
        "/a//b",
        "/a/../b",
        "/%2e%2e/%5cevil.example",
    ],
)
async def test_no_log_in_leads_to_another_site(world, path):
    with pytest.raises(InvalidTargetError):
        await world.begin(next=path)


# --------------------------------------------------------------------- fresh ones


async def test_a_fresh_log_in_is_proven_by_the_provider(world):
    start = await world.begin(fresh=True)
    query = dict(parse_qsl(urlsplit(start.url).query))
    assert (query["prompt"], query["max_age"]) == ("login", "0")
    world.op.claims = {"auth_time": int(world.clock())}
    assert (await world.finish(start)).auth_time == world.clock()
    for auth_time in (None, int(world.clock()) - 61, "now"):
        world.op.claims = {"auth_time": auth_time}
        with pytest.raises(InvalidCallbackError):
            await world.log_in(fresh=True)
    world.op.claims = {"auth_time": int(world.clock()) - 50_000}
    assert (await world.log_in()).auth_time == world.clock() - 50_000


# ------------------------------------------------------------------------ outages


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token"])
async def test_a_provider_that_is_down_is_an_outage_and_no_refusal(world, path, caplog):
    start = None if "well" in path else await world.begin()
    world.op.down = {path, "/.well-known/oauth-authorization-server"}
    with pytest.raises(UnavailableError), caplog.at_level(logging.WARNING):
        await world.finish(start or await world.begin())
    assert "identity provider op is down" in caplog.text
    await asyncio.sleep(0)
    assert [name for name, _ in world.heard("provider")] == ["provider.down"]
    world.op.down = set()


async def test_keys_that_cannot_be_had_are_an_outage(world):
    start = await world.begin()
    world.op.down = {"/jwks"}
    with pytest.raises(UnavailableError):
        await world.finish(start)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, {}),
        (429, {}),
        (404, {}),
        (302, {}),
        (401, {"error": "invalid_client"}),
        (400, {"error": "unauthorized_client"}),
        (400, {"error": {"odd": 1}}),
        (400, {}),
    ],
)
async def test_a_token_endpoint_that_fails_is_an_outage(world, status, answer):
    start = await world.begin()
    world.op.status, world.op.answer = status, answer
    with pytest.raises(UnavailableError):
        await world.finish(start)


async def test_an_answer_that_the_provider_is_down_is_an_outage(world):
    for error in ("server_error", "temporarily_unavailable"):
        start = await world.begin()
        with pytest.raises(UnavailableError):
            await world.finish(start, code=None, error=error)


async def test_fifty_log_ins_ask_a_provider_that_is_down_once(world):
    world.op.down = {"*"}
    now = [1000.0]
    world.provider._discovery._clock = lambda: now[0]
    results = await asyncio.gather(
        *(world.begin() for _ in range(50)), return_exceptions=True
    )
    assert all(isinstance(result, UnavailableError) for result in results)
    # The metadata may be in two places.
    assert len(world.op.asked) == 2
    now[0] += 4.9
    with pytest.raises(UnavailableError):
        await world.begin()
    assert len(world.op.asked) == 2
    now[0] += 0.1
    world.op.down = set()
    await world.begin()


async def test_metadata_serve_for_a_day_while_the_provider_is_down(world):
    now = [1000.0]
    world.provider._discovery._clock = lambda: now[0]
    await world.begin()
    world.op.down = {"*"}
    now[0] += 3599
    await world.begin()
    assert len(world.op.asked) == 1
    for _ in range(2):
        now[0] += 3600
        await world.begin()
    assert len(world.op.asked) == 5
    now[0] = 1000.0 + 86_400
    with pytest.raises(UnavailableError):
        await world.begin()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization_endpoint", "http://op.example/authorize"),
        ("authorization_endpoint", None),
        ("token_endpoint", "javascript:alert(1)"),
        ("jwks_uri", None),
        ("issuer", "https://evil.example"),
    ],
)
async def test_metadata_that_are_not_to_be_trusted_are_not_used(world, name, value):
    world.op.metadata[name] = value
    with pytest.raises(UnavailableError):
        await world.begin()

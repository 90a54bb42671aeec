from __future__ import annotations

import asyncio
import logging
from dataclasses import fields

import jwt
import pytest

from asgi_auth import (
    AuthConfig,
    ConfigurationError,
    Device,
    ExpiredTokenError,
    Grant,
    InvalidTokenError,
    KeySet,
    MemoryStore,
    ReusedTokenError,
    RevokedTokenError,
    SessionPolicy,
    TokenService,
    UnavailableError,
    UnknownSubjectError,
)
from asgi_auth.testing import FakeClock
from asgi_auth.tokens.codec import Codec

DAY = 86400
KEYS = KeySet.generate("ES256")
OTHER_KEYS = KeySet.generate("ES256")


class Recorder:
    def __init__(self):
        self.events = []

    async def __call__(self, event):
        self.events.append(event)

    def names(self):
        return [event.name for event in self.events]


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def heard():
    return Recorder()


@pytest.fixture
def make(clock, heard):
    store = MemoryStore(clock=clock)

    def make(keys=KEYS, **options):
        options = {
            "issuer": "https://api.example",
            "audience": "api",
            "store": store,
            "clock": clock,
            "on_event": heard,
            **options,
        }
        return TokenService(keys, **options)

    return make


@pytest.fixture
def service(make):
    return make()


def unverified(token):
    return jwt.decode(token, options={"verify_signature": False})


async def test_a_pair_has_what_rfc_6749_and_9068_ask_for(service, clock):
    pair = await service.issue(
        "42",
        scopes=["orders:read", "orders:write"],
        roles=["editor"],
        claims={"team": {"id": 7}},
        acr="mfa",
        amr=["pwd", "otp"],
    )

    now = int(clock())
    header = jwt.get_unverified_header(pair.access_token)
    said = unverified(pair.access_token)
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": KEYS.signing_key.kid}
    assert said.pop("jti")
    assert said.pop("sid").count(".") == 1
    assert said == {
        "iss": "https://api.example",
        "sub": "42",
        "aud": "api",
        "client_id": "api",
        "iat": now,
        "exp": now + 900,
        "type": "access",
        "scope": "orders:read orders:write",
        "roles": ["editor"],
        "team": {"id": 7},
        "auth_time": now,
        "acr": "mfa",
        "amr": ["pwd", "otp"],
    }
    assert (pair.token_type, pair.expires_in, pair.scope) == (
        "Bearer",
        900,
        "orders:read orders:write",
    )
    assert pair.refresh_expires_in == 7 * DAY


async def test_a_refresh_token_looks_like_no_api_token(service):
    pair = await service.issue("42", scopes=["orders:read"], roles=["editor"])

    said = unverified(pair.refresh_token)
    assert jwt.get_unverified_header(pair.refresh_token)["typ"] == "rt+jwt"
    assert said["aud"] == "urn:asgi-auth:refresh"
    assert not {"scope", "roles"} & said.keys()


async def test_a_pair_never_prints_its_tokens(service):
    pair = await service.issue("42")

    assert pair.access_token not in repr(pair)
    assert pair.refresh_token not in repr(pair)


async def test_verify_returns_read_only_claims(service):
    pair = await service.issue("42", roles=["user"])
    claims = await service.verify(pair.access_token)

    assert claims["sub"] == "42"
    with pytest.raises(TypeError):
        claims["roles"] = ["admin"]
    with pytest.raises(AttributeError):
        claims["roles"].append("admin")


@pytest.mark.parametrize(
    ("given", "expected"), [("access", "refresh"), ("refresh", "access")]
)
async def test_no_kind_of_token_passes_for_another(service, given, expected):
    pair = await service.issue("42")
    token = pair.access_token if given == "access" else pair.refresh_token

    assert await service.verify(token, given)
    with pytest.raises(InvalidTokenError):
        await service.verify(token, expected)


@pytest.mark.parametrize("kind", ["verify", "reset"])
async def test_a_link_token_is_good_for_its_own_purpose_only(service, kind):
    token = service.mint("42", kind=kind, ttl=600, claims={"h": "x"})

    assert (await service.verify(token, kind))["h"] == "x"
    for other in {"access", "refresh", "verify", "reset"} - {kind}:
        with pytest.raises(InvalidTokenError):
            await service.verify(token, other)


async def test_an_access_token_ends_after_its_time(service, clock):
    pair = await service.issue("42")
    clock.advance(899)
    await service.verify(pair.access_token)

    clock.advance(1)
    with pytest.raises(ExpiredTokenError):
        await service.verify(pair.access_token)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "a" * 9000, "\ud800"])
async def test_garbage_is_an_invalid_token(service, token):
    with pytest.raises(InvalidTokenError):
        await service.verify(token)
    with pytest.raises(InvalidTokenError):
        await service.refresh(token)
    await service.revoke(token)


async def test_a_refresh_gives_a_new_pair_of_the_same_session(service, clock, heard):
    first = await service.issue("42", scopes=["a"])
    clock.advance(600)
    second = await service.refresh(first.refresh_token)

    one, two = unverified(first.refresh_token), unverified(second.refresh_token)
    assert (one["seq"], two["seq"]) == (0, 1)
    assert one["sid"] == two["sid"] == unverified(second.access_token)["sid"]
    assert one["jti"] != two["jti"]
    assert second.scope == "a"
    await asyncio.sleep(0)
    assert heard.names() == ["session.created", "session.rotated"]


async def test_a_repeat_within_grace_gives_the_same_successor(service, clock, heard):
    first = await service.issue("42")
    second = await service.refresh(first.refresh_token)
    clock.advance(30)
    again = await service.refresh(first.refresh_token)

    assert unverified(again.refresh_token) == unverified(second.refresh_token)
    assert again.access_token != second.access_token
    await asyncio.sleep(0)
    assert heard.names()[-1] == "session.retried"


async def test_with_hmac_a_repeat_gives_the_very_same_text(make):
    service = make(KeySet.from_secret("JqmJSGpE7Cqh_Hn8vWTz8qIxfNnr1ZjjkCkd4KzqWxE"))
    first = await service.issue("42")

    second = await service.refresh(first.refresh_token)
    again = await service.refresh(first.refresh_token)

    assert again.refresh_token == second.refresh_token


async def test_reuse_after_grace_ends_the_session_for_everybody(service, clock, heard):
    first = await service.issue("42")
    second = await service.refresh(first.refresh_token)
    clock.advance(31)

    with pytest.raises(ReusedTokenError):
        await service.refresh(first.refresh_token)
    with pytest.raises(RevokedTokenError):
        await service.refresh(second.refresh_token)
    with pytest.raises(RevokedTokenError):
        await service.verify(second.access_token)
    assert await service.sessions("42") == []
    await asyncio.sleep(0)
    assert "session.reused" in heard.names()


async def test_a_token_two_rotations_old_is_reuse_even_within_grace(service):
    first = await service.issue("42")
    second = await service.refresh(first.refresh_token)
    await service.refresh(second.refresh_token)

    with pytest.raises(ReusedTokenError):
        await service.refresh(first.refresh_token)


async def test_without_grace_the_second_use_is_reuse(make):
    service = make(session_policy=SessionPolicy(grace=0))
    first = await service.issue("42")
    await service.refresh(first.refresh_token)
    service._clock.advance(0.001)

    with pytest.raises(ReusedTokenError):
        await service.refresh(first.refresh_token)


async def test_fifty_at_once_get_one_successor(service):
    first = await service.issue("42")

    pairs = await asyncio.gather(
        *(service.refresh(first.refresh_token) for _ in range(50))
    )

    successors = {
        (said["sid"], said["seq"])
        for said in (unverified(pair.refresh_token) for pair in pairs)
    }
    assert len(successors) == 1
    assert len({pair.access_token for pair in pairs}) == 50


async def test_log_out_inside_grace_is_final(service):
    first = await service.issue("42")
    second = await service.refresh(first.refresh_token)
    await service.revoke(second.refresh_token)

    for token in (first.refresh_token, second.refresh_token):
        with pytest.raises(RevokedTokenError):
            await service.refresh(token)


async def test_a_session_ends_when_nobody_refreshes(service, clock):
    pair = await service.issue("42")
    clock.advance(7 * DAY)

    with pytest.raises(ExpiredTokenError):
        await service.refresh(pair.refresh_token)
    assert await service.sessions("42") == []


async def test_a_session_ends_in_any_case(service, clock):
    pair = await service.issue("42")
    for _ in range(5):
        clock.advance(6 * DAY - 1)
        pair = await service.refresh(pair.refresh_token)

    assert unverified(pair.access_token)["exp"] <= clock() + 6
    clock.advance(5)
    with pytest.raises(ExpiredTokenError):
        await service.refresh(pair.refresh_token)


async def test_roles_are_renewed_at_refresh(make):
    granted = {"42": Grant(["a"], ["user"])}
    service = make(claims_loader=granted.get)
    pair = await service.issue("42", scopes=["a", "b"], roles=["admin"])

    claims = unverified((await service.refresh(pair.refresh_token)).access_token)

    assert (claims["scope"], claims["roles"]) == ("a", ["user"])


async def test_the_loader_may_be_async(make):
    async def load(subject):
        await asyncio.sleep(0)
        return Grant([f"of:{subject}"])

    service = make(claims_loader=load)
    pair = await service.issue("42")

    assert (await service.refresh(pair.refresh_token)).scope == "of:42"


async def test_a_user_that_is_gone_ends_the_session(make):
    users = {"42": Grant()}
    service = make(claims_loader=users.get)
    pair = await service.issue("42")
    del users["42"]

    with pytest.raises(UnknownSubjectError):
        await service.refresh(pair.refresh_token)
    with pytest.raises(RevokedTokenError):
        await service.verify(pair.access_token)
    users["42"] = Grant()
    with pytest.raises(RevokedTokenError):
        await service.refresh(pair.refresh_token)


async def test_a_loader_that_is_down_changes_nothing(make):
    down = True

    def load(subject):
        if down:
            raise UnavailableError
        return Grant()

    service = make(claims_loader=load)
    pair = await service.issue("42")
    with pytest.raises(UnavailableError):
        await service.refresh(pair.refresh_token)

    down = False
    second = await service.refresh(pair.refresh_token)
    assert unverified(second.refresh_token)["seq"] == 1


async def test_revoking_an_access_token_leaves_its_session_alone(service):
    pair = await service.issue("42")
    await service.revoke(pair.access_token)

    with pytest.raises(RevokedTokenError):
        await service.verify(pair.access_token)
    second = await service.refresh(pair.refresh_token)
    assert await service.verify(second.access_token)


async def test_logging_out_everywhere_but_here(service):
    here, there = await service.issue("42"), await service.issue("42")
    other = await service.issue("43")
    alone = service.mint("42")
    await service.revoke_subject("42", keep=unverified(here.access_token)["sid"])

    await service.verify(here.access_token)
    await service.verify(other.access_token)
    for token in (there.access_token, alone):
        with pytest.raises(RevokedTokenError):
            await service.verify(token)
    assert len(await service.sessions("42")) == 1


async def test_after_a_breach_nothing_that_was_issued_is_good(service, clock):
    pairs = [await service.issue(str(user)) for user in range(3)]
    clock.advance(5)
    await service.revoke_all()

    for pair in pairs:
        with pytest.raises(RevokedTokenError):
            await service.verify(pair.access_token)
        with pytest.raises(RevokedTokenError):
            await service.refresh(pair.refresh_token)

    clock.advance(1)
    fresh = await service.issue("1")
    assert await service.verify(fresh.access_token)
    assert await service.refresh(fresh.refresh_token)


async def test_a_stolen_session_stays_dead_long_after_a_breach(service, clock):
    pair = await service.issue("42")
    clock.advance(5)
    await service.revoke_all()
    clock.advance(6 * DAY)

    with pytest.raises(RevokedTokenError):
        await service.refresh(pair.refresh_token)


async def test_the_oldest_session_makes_room(make, clock, heard):
    service = make(session_policy=SessionPolicy(max_sessions=2))
    pairs = []
    for _ in range(3):
        pairs.append(await service.issue("42"))
        clock.advance(1)

    assert len(await service.sessions("42")) == 2
    with pytest.raises(RevokedTokenError):
        await service.verify(pairs[0].access_token)
    await service.verify(pairs[1].access_token)
    await service.verify(pairs[2].access_token)
    await asyncio.sleep(0)
    assert heard.names().count("session.revoked") == 1


async def test_the_session_that_was_not_used_longest_makes_room(make, clock):
    service = make(session_policy=SessionPolicy(max_sessions=2))
    used = await service.issue("42")
    clock.advance(1)
    unused = await service.issue("42")
    clock.advance(1)
    used = await service.refresh(used.refresh_token)
    clock.advance(1)
    await service.issue("42")

    await service.verify(used.access_token)
    with pytest.raises(RevokedTokenError):
        await service.verify(unused.access_token)


async def test_a_subject_has_a_hundred_sessions_unless_somebody_says_otherwise(
    make, clock
):
    service = make()
    for _ in range(103):
        await service.issue("42")
        clock.advance(1)

    assert len(await service.sessions("42", limit=1000)) == 100
    unbounded = make(session_policy=SessionPolicy(max_sessions=None))
    for _ in range(3):
        await unbounded.issue("42")
    assert len(await service.sessions("42", limit=1000)) == 103


async def test_who_has_far_too_many_sessions_loses_a_page_at_each_log_in(make, clock):
    for _ in range(250):
        await make(session_policy=SessionPolicy(max_sessions=None)).issue("42")
        clock.advance(1)

    service = make(session_policy=SessionPolicy(max_sessions=10))
    left = []
    for _ in range(4):
        await service.issue("42")
        clock.advance(1)
        left.append(len(await service.sessions("42", limit=1000)))

    assert left == [151, 52, 10, 10]


async def test_sessions_come_in_pages(service, clock):
    for _ in range(5):
        await service.issue("42")
        clock.advance(1)

    first = await service.sessions("42", limit=3)
    rest = await service.sessions("42", after=first[-1].place, limit=3)
    assert [len(first), len(rest)] == [3, 2]
    assert [*first, *rest] == await service.sessions("42")


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_a_page_of_no_size_or_an_endless_one_is_refused(service, limit):
    with pytest.raises(ConfigurationError, match="1 to 1000"):
        await service.sessions("42", limit=limit)


async def test_all_sessions_of_a_subject_end_page_by_page(make, clock, heard):
    service = make(session_policy=SessionPolicy(max_sessions=None))
    pairs = []
    for _ in range(250):
        pairs.append(await service.issue("42"))
        clock.advance(0.001)
    kept = unverified(pairs[120].access_token)["sid"]
    sizes = count_pieces(service)

    await service.revoke_subject("42", keep=kept)

    assert [session.sid for session in await service.sessions("42")] == [kept]
    assert sizes == [100, 99, 50]
    await asyncio.sleep(0)
    assert heard.names().count("session.revoked") == 249


async def test_an_interrupted_end_of_all_sessions_can_be_repeated(make, clock):
    service = make(session_policy=SessionPolicy(max_sessions=None))
    for _ in range(250):
        await service.issue("42")
        clock.advance(0.001)
    sizes = count_pieces(service, fail_at=2)

    with pytest.raises(UnavailableError):
        await service.revoke_subject("42")
    assert len(await service.sessions("42", limit=1000)) == 150

    await service.revoke_subject("42")
    assert await service.sessions("42") == []
    assert sizes == [100, 100, 100, 50]


async def test_everything_ends_at_the_cost_of_one_entry(make, clock):
    service = make(session_policy=SessionPolicy(max_sessions=None))
    for number in range(300):
        await service.issue(str(number))
    published = []
    publish = service.store.publish

    async def note(entries, **options):
        published.append(len(entries))
        await publish(entries, **options)

    service.store.publish = note
    await service.revoke_all()
    assert published == [1]


def count_pieces(service, fail_at=0):
    """Note how many sessions the store is to close at a time, and fail once."""
    sizes, close = [], service.store.close

    async def counted(sids, **options):
        sizes.append(len(sids))
        if len(sizes) == fail_at:
            raise UnavailableError
        await close(sids, **options)

    service.store.close = counted
    return sizes


async def test_devices_are_listed_the_oldest_first(service, clock):
    for label in ("phone", "laptop"):
        await service.issue("42", device=Device(label=label, user_agent="x" * 600))
        clock.advance(1)

    sessions = await service.sessions("42")

    assert [session.device.label for session in sessions] == ["phone", "laptop"]
    assert len(sessions[0].device.user_agent) == 512


async def test_a_crash_between_publishing_and_closing_heals(service):
    pair = await service.issue("42")
    sid = unverified(pair.access_token)["sid"]
    await service._revoker.publish([("sid", sid)])
    assert len(await service.sessions("42")) == 1

    with pytest.raises(RevokedTokenError):
        await service.refresh(pair.refresh_token)
    assert await service.sessions("42") == []


async def forge_refresh(service, pair, **changes):
    said = {**unverified(pair.refresh_token), **changes}
    claims = {name: value for name, value in said.items() if value is not None}
    return Codec(KEYS).encode(claims, typ="rt+jwt")


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": 2**53},
        {"seq": "0"},
        {"seq": True},
        {"seq": None},
        {"sid": None},
        {"sub": "43"},
        {"iss": "https://other.example"},
        {"aud": "api"},
        {"type": "access"},
    ],
)
async def test_a_signed_but_wrong_refresh_token_changes_nothing(service, changes):
    pair = await service.issue("42")
    with pytest.raises(InvalidTokenError):
        await service.refresh(await forge_refresh(service, pair, **changes))

    second = await service.refresh(pair.refresh_token)
    assert unverified(second.refresh_token)["seq"] == 1


async def test_an_unknown_session_is_a_401(service, clock):
    pair = await service.issue("42")
    elsewhere = TokenService(
        KEYS, issuer="https://api.example", audience="api", clock=clock
    )

    with pytest.raises(RevokedTokenError) as refused:
        await elsewhere.refresh(pair.refresh_token)
    assert refused.value.status == 401


async def test_the_signature_is_checked_before_the_store_is_asked(make):
    class Untouchable(MemoryStore):
        async def rotate(self, *args, **kwargs):
            pytest.fail("the store was asked")

    stranger = TokenService(OTHER_KEYS, issuer="https://api.example", audience="api")
    pair = await stranger.issue("42")

    with pytest.raises(InvalidTokenError):
        await make(store=Untouchable()).refresh(pair.refresh_token)


async def test_refresh_keys_are_not_the_published_ones(make):
    service = make(refresh_keys=OTHER_KEYS)
    pair = await service.issue("42")

    kid = jwt.get_unverified_header(pair.refresh_token)["kid"]
    assert kid == OTHER_KEYS.signing_key.kid
    assert await service.refresh(pair.refresh_token)
    with pytest.raises(InvalidTokenError):
        await make().refresh(pair.refresh_token)


async def test_several_audiences_are_listed_in_the_token(make):
    service = make(audience=["api", "files"])
    pair = await service.issue("42")

    assert unverified(pair.access_token)["aud"] == ["api", "files"]
    assert await make(audience="files").verify(pair.access_token)


async def test_a_service_without_issuer_makes_tokens_without_one(make):
    service = make(issuer=None)
    pair = await service.issue("42")

    assert "iss" not in unverified(pair.access_token)
    second = await service.refresh(pair.refresh_token)
    await service.revoke_subject("42")
    with pytest.raises(RevokedTokenError):
        await service.verify(second.access_token)


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": ""},
        {"subject": "a\x00b"},
        {"subject": "x" * 256},
        {"subject": True},
        {"subject": 4.2},
        {"scopes": ["two words"]},
        {"scopes": ['quo"te']},
        {"scopes": ["authenticated"]},
        {"scopes": "orders:read"},
        {"roles": "admin"},
        {"claims": {"sub": "43"}},
        {"claims": {"exp": 1}},
        {"claims": {"token_use": "id"}},
    ],
)
async def test_what_no_verifier_would_take_is_not_issued(service, wrong):
    arguments = {"subject": "42", **wrong}
    subject = arguments.pop("subject")

    with pytest.raises(ConfigurationError):
        await service.issue(subject, **arguments)
    with pytest.raises(ConfigurationError):
        service.mint(subject, **arguments)
    assert await service.sessions("42") == []


def test_a_minted_token_cannot_outlive_what_revocation_covers(service):
    with pytest.raises(ConfigurationError, match="lives 900 seconds"):
        service.mint("42", ttl=901)


@pytest.mark.parametrize(
    "wrong",
    [
        {"access_ttl": 0},
        {"access_ttl": DAY + 1},
        {"refresh_ttl": 10},
        {"session_ttl": 367 * DAY},
        {"grace": -1},
        {"grace": 61},
        {"max_sessions": 0},
        {"retry_from": "planet"},
        {"audience": ""},
        {"audience": []},
        {"cache_size": -1},
    ],
)
def test_settings_out_of_bounds_are_refused(make, wrong):
    names = {field.name for field in fields(SessionPolicy)}
    with pytest.raises(ConfigurationError):
        make(session_policy=SessionPolicy(**wrong)) if names & wrong.keys() else make(
            **wrong
        )


async def test_a_service_can_be_made_from_settings(clock):
    config = AuthConfig(
        secret_key="JqmJSGpE7Cqh_Hn8vWTz8qIxfNnr1ZjjkCkd4KzqWxE",
        access_token_expire_minutes=5,
        refresh_token_expire_days=60,
        issuer="https://api.example",
        audience="api",
    )
    service = TokenService.from_config(config, clock=clock)
    pair = await service.issue("42")

    assert pair.expires_in == 300
    assert pair.refresh_expires_in == 60 * DAY
    assert (await service.verify(pair.access_token))["sub"] == "42"


async def test_nothing_secret_reaches_a_log_an_event_or_an_error(
    service, clock, heard, caplog
):
    caplog.set_level(logging.DEBUG)
    first = await service.issue("42")
    second = await service.refresh(first.refresh_token)
    clock.advance(31)
    said = []
    for token in (first.refresh_token, second.access_token, second.refresh_token + "x"):
        with pytest.raises(InvalidTokenError) as refused:
            await service.refresh(token)
        said.append(repr(refused.value))

    await asyncio.sleep(0)
    text = " ".join([*said, *map(repr, heard.events), caplog.text])
    for pair in (first, second):
        for token in (pair.access_token, pair.refresh_token):
            assert token.split(".")[2] not in text


async def test_a_cancelled_refresh_can_be_repeated(make):
    class Slow(MemoryStore):
        async def rotate(self, *args, **kwargs):
            await asyncio.sleep(0)
            rotation = await super().rotate(*args, **kwargs)
            await asyncio.sleep(0)
            return rotation

    for steps in range(6):
        service = make(store=Slow(), clock=None)
        first = await service.issue("42")
        task = asyncio.ensure_future(service.refresh(first.refresh_token))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

        second = await service.refresh(first.refresh_token)
        assert unverified(second.refresh_token)["seq"] == 1


async def test_nothing_is_published_where_there_is_nothing_to_end(service, heard):
    version = service.revocations.version
    await service.revoke_subject("nobody")
    await asyncio.sleep(0)

    assert heard.events == []
    assert service.revocations.version == version + 1


async def test_a_token_without_an_id_of_its_own_is_passed_over(service, clock):
    now = int(clock())
    claims = {
        "iss": "https://api.example",
        "aud": "api",
        "sub": "42",
        "iat": now,
        "exp": now + 60,
        "type": "access",
    }
    token = Codec(KEYS).encode(claims, typ="at+jwt")

    await service.revoke(token)
    assert await service.verify(token)


async def test_closing_twice_is_harmless(service):
    await service.aclose()
    await service.aclose()


async def test_a_service_renews_only_what_it_has_issued_itself(make):
    """Two services may share the issuer, the keys and the store."""
    pair = await make(audience="public").issue("42")

    with pytest.raises(InvalidTokenError):
        await make(audience="billing").refresh(pair.refresh_token)
    assert await make(audience="public").refresh(pair.refresh_token)

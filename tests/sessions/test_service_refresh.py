"""Refreshes: rotation, reuse, renewal and bad refresh tokens."""

from __future__ import annotations

import asyncio

import pytest

from asgi_auth import (
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
from asgi_auth.tokens.codec import Codec
from tests.sessions.service_world import DAY, KEYS, OTHER_KEYS, unverified


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


async def fails_later(subject):
    await asyncio.sleep(0)
    raise OSError("the database of users is away")


@pytest.mark.parametrize("fails", [lambda subject: 1 / 0, fails_later])
async def test_a_loader_that_fails_changes_nothing_and_is_logged(make, caplog, fails):
    loaders = [fails, {"42": Grant()}.get]

    def load(subject):
        return loaders.pop(0)(subject)

    service = make(claims_loader=load)
    pair = await service.issue("42")
    with pytest.raises(UnavailableError):
        await service.refresh(pair.refresh_token)

    (record,) = caplog.records
    assert (record.name, record.levelname) == ("asgi_auth.sessions", "ERROR")
    assert record.exc_info, "whoever reads the log sees what has failed"
    second = await service.refresh(pair.refresh_token)
    assert unverified(second.refresh_token)["seq"] == 1


@pytest.mark.parametrize("answer", [{"scope": "a"}, ["a"], "a", True, object()])
async def test_a_loader_that_gives_no_grant_is_a_mistake_and_ends_no_session(
    make, answer
):
    answers = [answer, Grant(["a"])]
    service = make(claims_loader=lambda subject: answers.pop(0))
    pair = await service.issue("42")
    kind = type(answer).__name__
    with pytest.raises(ConfigurationError, match=f"a Grant, or None, and not a {kind}"):
        await service.refresh(pair.refresh_token)

    assert (await service.refresh(pair.refresh_token)).scope == "a"


async def scope_after_refresh(service):
    pair = await service.issue("42", scopes=["log-in"])
    return (await service.refresh(pair.refresh_token)).scope


async def test_a_service_without_a_loader_takes_that_of_its_users(service):
    users = object()
    service.renew_from(lambda subject: Grant([f"of:{subject}"]), lender=users)
    assert await scope_after_refresh(service) == "of:42"

    service.renew_from(lambda subject: Grant(["newer"]), lender=users)
    assert await scope_after_refresh(service) == "newer"


async def test_two_kinds_of_users_cannot_both_lend_their_loader(service):
    service.renew_from(lambda subject: Grant(["first"]), lender=object())
    with pytest.raises(ConfigurationError, match="claims_loader that knows both"):
        service.renew_from(lambda subject: Grant(["second"]), lender=object())

    assert await scope_after_refresh(service) == "first"


async def test_a_loader_of_the_services_own_is_replaced_by_none(make):
    service = make(claims_loader=lambda subject: Grant(["own"]))
    for _ in range(2):
        service.renew_from(lambda subject: Grant(["lent"]), lender=object())

    assert await scope_after_refresh(service) == "own"


HOME = Device(ip="2001:db8:1:2::7", user_agent="Firefox")


async def repeat(service, device):
    pair = await service.issue("42", device=HOME)
    await service.refresh(pair.refresh_token, device=HOME)
    return await service.refresh(pair.refresh_token, device=device)


@pytest.mark.parametrize("ip", ["2001:db8:1:3::7", "198.51.100.7", None])
async def test_a_repeat_from_another_network_is_reuse_where_networks_count(make, ip):
    device = Device(ip=ip, user_agent="Firefox")
    service = make(session_policy=SessionPolicy(retry_from="network"))
    with pytest.raises(ReusedTokenError):
        await repeat(service, device)

    service = make(session_policy=SessionPolicy(retry_from="user_agent"))
    assert await repeat(service, device)


async def test_one_network_has_many_addresses(make):
    service = make(session_policy=SessionPolicy(retry_from="network"))
    neighbour = Device(ip="2001:db8:1:2::8", user_agent="Firefox")
    assert await repeat(service, neighbour)
    with pytest.raises(ReusedTokenError):
        await repeat(service, Device(ip=neighbour.ip, user_agent="curl/8"))


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


async def test_a_service_renews_only_what_it_has_issued_itself(make):
    """Two services may share the issuer, the keys and the store."""
    pair = await make(audience="public").issue("42")

    with pytest.raises(InvalidTokenError):
        await make(audience="billing").refresh(pair.refresh_token)
    assert await make(audience="public").refresh(pair.refresh_token)

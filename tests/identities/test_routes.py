"""Log-ins at providers over HTTP: cookies, pages, and who may do what."""

from __future__ import annotations

import asyncio
import html
import logging
import re
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pyotp
import pytest

from asgi_auth import AuthenticationMiddleware, JWTBackend
from asgi_auth.credentials.site import Site
from asgi_auth.dpop import DPoP, ProofSigner
from asgi_auth.errors import ConfigurationError
from asgi_auth.factors import Factors, MemoryFactors
from asgi_auth.identities import OAuthProvider
from asgi_auth.identities.callback import ProviderAnswer
from asgi_auth.keys import SealKeys
from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from asgi_auth.routes import (
    AuthRoutes,
    Cookies,
    Factor,
    LogInMethods,
    RouteShape,
    SecondFactorRequiredError,
)
from tests.asgi import Echo
from tests.identities.op import ISSUER, SECRET
from tests.identities.world import World
from tests.routes.settings import make_routes
from tests.routes.world import LOOSE, assert_problem, cheap_hasher, set_cookies

pytestmark = pytest.mark.anyio

ORIGIN = "https://api.example"
PASSWORD = "violet-otter-42-lamp"


class Provided(World):
    """The same, with the routes around it."""

    def __init__(self, *, delivery="cookie", routes=None, site=None, **options):
        super().__init__(**options)
        self.routes = make_routes(
            self.tokens,
            self.accounts,
            **{
                "delivery": delivery,
                "identities": self.identities,
                "site": site or Site(public_url=ORIGIN),
                "limiter": RateLimiter(limits=Limits(**LOOSE)),
                "prefix": "/auth",
                **(routes or {}),
            },
        )

    @asynccontextmanager
    async def browser(self, *, app=None, base=ORIGIN, ip="127.0.0.1", **headers):
        transport = httpx2.ASGITransport(app=app or self.routes, client=(ip, 1234))
        async with httpx2.AsyncClient(
            transport=transport, base_url=base, headers=headers
        ) as client:
            yield client

    async def start(self, client, what="start", **body):
        answer = await client.post(f"/auth/providers/op/{what}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["url"]

    async def back(self, client, url, **more):
        came = self.op.authorize(url) | more
        came = {name: value for name, value in came.items() if value is not None}
        return await client.get(f"/auth/providers/op/callback?{urlencode(came)}")

    async def log_in(self, client, **body):
        return await self.back(client, await self.start(client, **body))


@pytest.fixture
def site():
    return Provided()


def target(answer) -> str:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    (url,) = re.findall(r'content="0;url=([^"]*)"', answer.text)
    assert f'<a href="{url}">' in answer.text
    return html.unescape(url)


async def test_a_browser_logs_in(site):
    async with site.browser() as client:
        answer = await site.log_in(client, next="/orders?page=2&all=1")
        assert target(answer) == "/orders?page=2&all=1"
        me = await client.get("/auth/me")
        assert me.json()["email"] == "ann@example.com"
    cookies = set_cookies(answer)
    assert cookies["__Host-access"]["samesite"] == "strict"
    assert cookies["__Secure-refresh"]["path"] == "/auth"


async def test_the_page_that_leads_on_leaks_no_code(site):
    async with site.browser() as client:
        answer = await site.log_in(client)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "script" not in answer.text
    assert target(answer) == "/"


async def test_the_browser_keeps_a_log_in_for_this_host_alone(site):
    async with site.browser() as client:
        answer = await client.post("/auth/providers/op/start", json={})
        ((name, cookie),) = set_cookies(answer).items()
        assert re.fullmatch(r"__Host-provider-[0-9a-f]{16}", name)
        assert (cookie["path"], cookie["max-age"]) == ("/", "600")
        assert cookie["samesite"] == "lax"
        assert {"secure", "httponly"} <= cookie.keys()
        assert "domain" not in cookie
        done = await site.back(client, answer.json()["url"])
        assert set_cookies(done)[name]["max-age"] == "0"


async def test_the_provider_sends_the_browser_to_an_address_of_its_own(site):
    async with site.browser() as client:
        url = await site.start(client)
    query = dict(parse_qsl(urlsplit(url).query))
    assert query["redirect_uri"] == f"{ORIGIN}/auth/providers/op/callback"


async def test_the_host_of_a_request_does_not_lead_the_provider_elsewhere(site):
    async with site.browser(base="https://evil.example") as client:
        url = await site.start(client)
    assert dict(parse_qsl(urlsplit(url).query))["redirect_uri"].startswith(ORIGIN)


async def test_a_form_without_scripts_is_sent_on(site):
    async with site.browser() as client:
        answer = await client.post("/auth/providers/op/start", data={"next": "/a"})
        assert answer.status_code == 303
        done = await site.back(client, answer.headers["location"])
        assert target(done) == "/a"
        bare = await client.post("/auth/providers/op/start")
        assert bare.status_code == 200


async def test_what_the_provider_is_to_ask_is_passed_on(site):
    async with site.browser() as client:
        body = {"prompt": "consent", "login_hint": "ann@example.com", "fresh": True}
        query = dict(parse_qsl(urlsplit(await site.start(client, **body)).query))
    assert query["prompt"] == "consent"
    assert (query["login_hint"], query["max_age"]) == ("ann@example.com", "0")


async def test_providers_are_listed_for_buttons(site):
    async with site.browser() as client:
        answer = await client.get("/auth/providers")
    assert answer.json() == {"providers": [{"name": "op", "label": "op"}]}


# ------------------------------------------------------------------------ attacks


@pytest.mark.parametrize("site_header", ["cross-site", "same-site"])
@pytest.mark.parametrize("what", ["start", "link"])
async def test_a_foreign_page_begins_no_log_in(site, what, site_header):
    """Else it could log its visitors in, or link its own identity to their account."""
    async with site.browser(**{"sec-fetch-site": site_header}) as client:
        for body in ({"json": {}}, {"data": {}}):
            answer = await client.post(f"/auth/providers/op/{what}", **body)
            assert_problem(answer, 403, "cross_origin")
            assert "set-cookie" not in answer.headers


async def test_no_log_in_begins_by_a_link(site):
    async with site.browser() as client:
        answer = await client.get("/auth/providers/op/start")
    assert answer.status_code == 405


async def test_an_answer_in_another_browser_is_refused(site):
    """Log-in CSRF: an attacker's own answer, opened in the browser of the victim."""
    async with site.browser() as attacker, site.browser() as victim:
        url = await site.start(attacker)
        answer = await site.back(victim, url)
        assert_problem(answer, 400, "invalid_callback")
        assert "__Host-access" not in answer.headers.get("set-cookie", "")
        # Also where the victim has begun one too.
        await site.start(victim)
        assert_problem(await site.back(victim, url), 400, "invalid_callback")


async def test_a_planted_cookie_beside_the_own_one_is_refused(site):
    async with site.browser() as attacker, site.browser() as victim:
        url = await site.start(attacker)
        ((name, value),) = attacker.cookies.items()
        came = urlencode(site.op.authorize(url))
        # From a neighbour: a browser would not take the name without the prefix.
        headers = {"cookie": f"{name.removeprefix('__Host-')}={value}"}
        path = f"/auth/providers/op/callback?{came}"
        answer = await victim.get(path, headers=headers)
        assert_problem(answer, 400, "invalid_callback")
        headers = {"cookie": f"{name}={value}; {name}={value}"}
        answer = await victim.get(path, headers=headers)
        assert_problem(answer, 400, "invalid_callback")


async def test_an_answer_counts_once(site):
    async with site.browser() as client:
        url = await site.start(client)
        kept = dict(client.cookies)
        came = urlencode(site.op.authorize(url))
        path = f"/auth/providers/op/callback?{came}"
        headers = {"cookie": "; ".join(f"{n}={v}" for n, v in kept.items())}
        answers = await asyncio.gather(
            *(client.get(path, headers=headers) for _ in range(20))
        )
    assert sorted(a.status_code for a in answers) == [200] + [400] * 19
    sessions = await site.tokens.sessions(
        (await site.users.find_by_email("ann@example.com")).id
    )
    assert len(sessions) == 1


async def test_a_look_ahead_uses_nothing_up(site):
    async with site.browser() as client:
        came = site.op.authorize(await site.start(client))
        path = f"/auth/providers/op/callback?{urlencode(came)}"
        assert (await client.head(path)).status_code == 405
        assert target(await client.get(path)) == "/"


async def test_late_foreign_and_doubled_answers_are_refused(site):
    async with site.browser() as client:
        url = await site.start(client)
        answer = await site.back(client, url, iss="https://evil.example")
        assert_problem(answer, 400, "invalid_callback")
        answer = await site.back(client, url, state=None)
        assert_problem(answer, 400, "invalid_callback")
        came = urlencode(site.op.authorize(url))
        path = f"/auth/providers/op/callback?{came}&code=another"
        assert_problem(await client.get(path), 400, "invalid_query")
        path = f"/auth/providers/op/callback?{'code=' + 'x' * 5000}"
        assert_problem(await client.get(path), 400, "invalid_query")
        path = f"/auth/providers/nobody/callback?{came}"
        assert_problem(await client.get(path), 404, "unknown_provider")
        site.clock.advance(601)
        assert_problem(await site.back(client, url), 400, "invalid_callback")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"next": "https://evil.example"}, 400),
        ({"next": "//evil.example"}, 400),
        ({"prompt": "sudo"}, 422),
        ({"login_hint": "a\nb"}, 422),
        ({"login_hint": "x" * 255}, 422),
    ],
)
async def test_a_bad_beginning_is_refused(site, body, status):
    async with site.browser() as client:
        answer = await client.post("/auth/providers/op/start", json=body)
        assert answer.status_code == status
        assert "set-cookie" not in answer.headers
        answer = await client.post("/auth/providers/nobody/start", json={})
        assert_problem(answer, 404, "unknown_provider")


async def test_text_in_next_cannot_break_out_of_the_page(site):
    async with site.browser() as client:
        path = "/a?q=\"><script>alert('1')</script>&b=1"
        answer = await client.post("/auth/providers/op/start", json={"next": path})
        if answer.status_code == 200:
            done = await site.back(client, answer.json()["url"])
            assert "<script" not in done.text
            assert target(done) == path


async def test_many_tabs_do_not_fill_the_browser(site):
    async with site.browser() as client:
        urls = [await site.start(client) for _ in range(9)]
        assert len(client.cookies) == 5
        assert target(await site.back(client, urls[-1])) == "/"
        assert_problem(await site.back(client, urls[0]), 400, "invalid_callback")


async def test_beginnings_are_counted():
    limits = {**LOOSE, "log_in_address": Limit(2, 60)}
    site = Provided(routes={"limiter": RateLimiter(limits=Limits(**limits))})
    async with site.browser() as client:
        codes = [
            (await client.post("/auth/providers/op/start", json={})).status_code
            for _ in range(3)
        ]
    assert codes == [200, 200, 429]


# ------------------------------------------------------------------ refused, down


async def test_refusals_are_shown_on_a_page_of_the_application():
    site = Provided(error_page="/log-in")
    async with site.browser() as client:
        url = await site.start(client)
        answer = await site.back(client, url, code=None, error="access_denied")
        assert target(answer) == "/log-in?error=provider_denied"
        site.op.email["email_verified"] = False
        assert target(await site.log_in(client)) == "/log-in?error=link_required"
        site.op.down = {"/token"}
        assert target(await site.log_in(client)) == "/log-in?error=unavailable"


async def test_the_page_for_refusals_may_have_a_query():
    site = Provided(error_page="/log-in?lang=de")
    async with site.browser() as client:
        answer = await site.back(client, await site.start(client), state="x")
    assert target(answer) == "/log-in?lang=de&error=invalid_callback"


async def test_the_operator_reads_why_and_nobody_reads_a_secret(caplog):
    caplog.set_level(logging.DEBUG)
    site = Provided(
        error_page="/log-in",
        provider={"keep_tokens": True},
        seal=SealKeys.from_secrets("x" * 32),
    )
    secrets = [SECRET]
    async with site.browser() as client:
        for iss in (ISSUER, "https://evil.example"):
            start = await client.post("/auth/providers/op/start", json={})
            came = site.op.authorize(start.json()["url"], iss=iss)
            secrets += [came["code"], came["state"], *client.cookies.values()]
            asked = site.op.codes[came["code"]]
            secrets += [asked["nonce"], asked["code_challenge"]]
            path = "/auth/providers/op/callback"
            assert (await client.get(path, params=came)).status_code == 200
        _, _, form = next(r for r in site.op.requests if r[0] == "/token")
        secrets += [form["code_verifier"]]
        account = await site.users.find_by_email("ann@example.com")
        tokens = await site.identities.provider_tokens(account.id, "op")
        secrets += [tokens["access_token"], tokens["refresh_token"]]
    # The test's own client writes whole addresses.
    own = [r.getMessage() for r in caplog.records if r.name.startswith("asgi_auth")]
    assert "iss is 'https://evil.example'" in str(own).replace('"', "'")
    start = await site.begin()
    answer = ProviderAnswer(state=start.attempt.state, code="c0de")
    secrets += [start.attempt.verifier, start.attempt.nonce, start.token, "c0de"]
    shown = f"{own} {start} {answer} {site.provider} {site.identities}"
    assert not [secret for secret in secrets if secret in shown]


async def test_a_refusal_is_an_event(site):
    async with site.browser(**{"user-agent": "Lynx"}) as client:
        await site.back(client, await site.start(client), state="x")
    await asyncio.sleep(0)
    assert site.heard("login") == [
        (
            "login.failed",
            {
                "ip": "127.0.0.1",
                "user_agent": "Lynx",
                "reason": "invalid_callback",
                "account": None,
            },
        )
    ]


async def test_where_a_provider_is_down_other_ways_go_on():
    site = Provided()
    site.accounts._hasher = cheap_hasher()
    await site.accounts.create("bob@example.com", PASSWORD)
    site.op.down = {"*"}
    async with site.browser() as client:
        answer = await client.post("/auth/providers/op/start", json={})
        assert_problem(answer, 503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        body = {"email": "bob@example.com", "password": PASSWORD}
        assert (await client.post("/auth/login", json=body)).status_code == 200
    await asyncio.sleep(0)
    assert "login.failed" not in [name for name, _ in site.heard("login")]


# ------------------------------------------------------------------------ linking


async def log_in_by_password(site, client, email="bob@example.com"):
    site.accounts._changes._hasher = site.accounts._hasher = cheap_hasher()
    await site.accounts.create(email, PASSWORD)
    body = {"email": email, "password": PASSWORD}
    answer = await client.post("/auth/login", json=body)
    assert answer.status_code == 200, answer.text


async def test_a_user_links_lists_and_unlinks(site):
    site.op.email = {"email": "elsewhere@example.com"}
    async with site.browser() as client:
        await log_in_by_password(site, client)
        url = await site.start(client, "link", next="/settings")
        strict = ("__Host-access", "__Secure-refresh", "__Secure-device")
        kept = {n: v for n, v in client.cookies.items() if n not in strict}
        headers = {"cookie": "; ".join(f"{n}={v}" for n, v in kept.items())}
        came = urlencode(site.op.authorize(url))
        async with site.browser() as coming:  # Strict cookies do not come along.
            path = f"/auth/providers/op/callback?{came}"
            answer = await coming.get(path, headers=headers)
        assert target(answer) == "/settings"
        assert "__Host-access" not in set_cookies(answer)

        (entry,) = (await client.get("/auth/identities")).json()["identities"]
        assert entry == {
            "id": entry["id"],
            "provider": "op",
            "label": "op",
            "email": "elsewhere@example.com",
            "linked_at": site.clock(),
        }
        path = f"/auth/identities/{entry['id']}"
        site.clock.advance(301)
        assert_problem(
            await client.delete(path), 401, "insufficient_user_authentication"
        )
        answer = await client.post("/auth/providers/op/link", json={})
        assert_problem(answer, 401, "insufficient_user_authentication")
        answer = await client.post("/auth/reauthenticate", json={"password": PASSWORD})
        assert answer.status_code == 200
        assert (await client.delete(path)).status_code == 204
        assert_problem(await client.delete(path), 404, "unknown_identity")
        assert (await client.get("/auth/identities")).json() == {"identities": []}


async def test_the_last_way_in_stays(site):
    async with site.browser() as client:
        await site.log_in(client)
        (entry,) = (await client.get("/auth/identities")).json()["identities"]
        answer = await client.delete(f"/auth/identities/{entry['id']}")
        assert_problem(answer, 409, "last_way_in")


async def test_nobody_links_or_lists_without_a_log_in(site):
    async with site.browser() as client:
        for answer in (
            await client.post("/auth/providers/op/link", json={}),
            await client.get("/auth/identities"),
            await client.delete("/auth/identities/x"),
        ):
            assert_problem(answer, 401, "unauthenticated")


async def test_nobody_unlinks_or_sees_what_is_anothers(site):
    async with site.browser() as ann, site.browser() as bob:
        await site.log_in(ann)
        (entry,) = (await ann.get("/auth/identities")).json()["identities"]
        await log_in_by_password(site, bob)
        assert (await bob.get("/auth/identities")).json() == {"identities": []}
        answer = await bob.delete(f"/auth/identities/{entry['id']}")
        assert_problem(answer, 404, "unknown_identity")


async def test_an_actor_links_nothing_in_a_users_name(site):
    account = await site.add()
    actor = await site.caller(await site.add("admin@example.com"))
    token = await site.tokens.impersonate(account.id, actor=actor)
    async with site.browser(authorization=f"Bearer {token}") as client:
        answer = await client.post("/auth/providers/op/link", json={})
        assert_problem(answer, 403, "actor_refused")
        assert_problem(await client.delete("/auth/identities/x"), 403, "actor_refused")


async def test_an_old_identity_of_a_provider_that_is_gone_is_shown(site):
    async with site.browser() as client:
        await site.log_in(client)
        site.identities._providers = {}
        (entry,) = (await client.get("/auth/identities")).json()["identities"]
    assert entry["provider"] == entry["label"] == "https://op.example"


# ------------------------------------------------- forms of Apple, pages that post


async def test_a_provider_that_posts_its_answer_is_heard():
    site = Provided(provider={"posts": True})
    headers = {"sec-fetch-site": "cross-site", "origin": "https://op.example"}
    async with site.browser() as client:
        answer = await client.post("/auth/providers/op/start", json={})
        (cookie,) = set_cookies(answer).values()
        assert cookie["samesite"] == "none"
        assert "secure" in cookie
        came = site.op.authorize(answer.json()["url"]) | {"user": '{"name": "Ann"}'}
        path = "/auth/providers/op/callback"
        done = await client.post(path, data=came, headers=headers)
        assert target(done) == "/"
        assert (await client.get("/auth/me")).status_code == 200
        again = await client.post(path, data=came, headers=headers)
        assert_problem(again, 400, "invalid_callback")


async def test_a_page_of_the_application_gets_tokens_in_the_body():
    site = Provided(delivery="body", callback_page="/app/back/")
    foreign = {"sec-fetch-site": "cross-site"}
    async with site.browser() as client:
        answer = await client.post("/auth/providers/op/start", headers=foreign)
        assert_problem(answer, 403, "cross_origin")
        url = await site.start(client)
        query = dict(parse_qsl(urlsplit(url).query))
        assert query["redirect_uri"] == f"{ORIGIN}/app/back/op"
        came = site.op.authorize(url)
        path = "/auth/providers/op/callback"
        answer = await client.get(f"{path}?{urlencode(came)}")
        assert_problem(answer, 404, "not_found")
        body = {**came, "deviceLabel": "my phone"}
        answer = await client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["token_type"] == "Bearer"
        claims = await site.tokens.verify(answer.json()["access_token"])
        assert claims["amr"] == ("fed",)
        again = await client.post(path, json=body)
        assert again.status_code == 400
        again = await client.post(path, json=body, headers=foreign)
        assert_problem(again, 403, "cross_origin")


async def test_a_foreign_page_passes_no_answer_on(site):
    async with site.browser() as client:
        came = site.op.authorize(await site.start(client))
        foreign = {"sec-fetch-site": "cross-site"}
        path = "/auth/providers/op/callback"
        answer = await client.post(path, json=came, headers=foreign)
        assert_problem(answer, 403, "cross_origin")
        answer = await client.post(path, json=came)
        assert answer.status_code == 200
        assert "access_token" not in answer.json()
        assert (await client.get("/auth/me")).status_code == 200


async def test_a_page_links_too():
    site = Provided(delivery="both", callback_page="/back")
    account = await site.add()
    pair = await site.tokens.issue(account.id)
    async with site.browser(authorization=f"Bearer {pair.access_token}") as client:
        came = site.op.authorize(await site.start(client, "link"))
        answer = await client.post("/auth/providers/op/callback", json=came)
        assert answer.status_code == 204
    assert len(await site.identities.list(account.id)) == 1


async def test_tokens_of_a_page_are_bound_to_its_key():
    dpop = DPoP(ORIGIN)
    site = Provided(delivery="body", callback_page="/back", routes={"dpop": dpop})
    signer = ProofSigner()
    async with site.browser() as client:
        came = site.op.authorize(await site.start(client))
        path = "/auth/providers/op/callback"
        proof = {"dpop": signer.sign("POST", f"{ORIGIN}{path}")}
        answer = await client.post(path, json=came, headers=proof)
        assert answer.status_code == 200, answer.text
        assert answer.json()["token_type"] == "DPoP"


# ------------------------------------------------------------------ second factors


async def test_a_second_factor_is_asked_for_also_after_a_provider():
    async def second_factor(account, code):
        if code is None:
            raise SecondFactorRequiredError
        return Factor(acr="mfa", amr=("otp",))

    site = Provided(error_page="/log-in", routes={"second_factor": second_factor})
    async with site.browser() as client:
        answer = await site.log_in(client, next="/orders")
        assert target(answer) == "/log-in?error=second_factor_required&next=%2Forders"
        cookies = set_cookies(answer)
        assert "__Host-access" not in cookies
        assert "__Secure-pending" in cookies


async def claims_of(site, client):
    return await site.tokens.verify(client.cookies["__Host-access"])


async def test_an_authenticator_app_is_asked_for_after_a_provider():
    site = Provided(error_page="/log-in")
    factors = Factors(
        site.tokens,
        MemoryFactors(),
        SealKeys.from_secrets("x" * 32),
        name="Shop",
        clock=site.clock,
    )
    site.routes = AuthRoutes(
        site.tokens,
        site.accounts,
        delivery="cookie",
        methods=LogInMethods(identities=site.identities, factors=factors),
        site=Site(public_url=ORIGIN),
        limiter=RateLimiter(limits=Limits(**LOOSE)),
        prefix="/auth",
    )
    site.op.claims = {"auth_time": int(site.clock()) - 100}
    async with site.browser() as client:
        assert target(await site.log_in(client)) == "/"
        account = await site.users.find_by_email("ann@example.com")
        enrolment = factors.begin_totp(account)
        app = pyotp.parse_uri(enrolment.uri)
        code = app.at(site.clock())
        await factors.confirm_totp(account, enrolment.token, code)
        site.clock.advance(60)
        await client.post("/auth/logout")
        answer = await site.log_in(client, next="/a")
        assert target(answer) == "/log-in?error=second_factor_required&next=%2Fa"
        assert (await client.get("/auth/me")).status_code == 401
        code = {"code": app.at(site.clock())}
        answer = await client.post("/auth/login/factor", json=code)
        assert answer.status_code == 200, answer.text
        claims = await claims_of(site, client)
    assert claims["amr"][0] == "fed"
    assert claims["acr"] == "mfa"
    # As the provider has said, also after the second step.
    assert claims["auth_time"] == site.op.claims["auth_time"]


async def test_a_log_in_is_as_old_as_the_provider_says(site):
    async with site.browser() as client:
        for said, expected in [(-400, -400), (None, 0), (50, 0), (-(10**12), None)]:
            now = int(site.clock())
            site.op.claims = {"auth_time": None if said is None else now + said}
            assert target(await site.log_in(client)) == "/"
            claims = await claims_of(site, client)
            assert claims["auth_time"] == (0 if expected is None else now + expected)
            assert claims["amr"] == ("fed",)

        # Too old to unlink: the user has to log in there again.
        answer = await client.post("/auth/providers/op/link", json={})
        assert_problem(answer, 401, "insufficient_user_authentication")
        site.op.claims = {"auth_time": int(site.clock())}
        assert target(await site.log_in(client, fresh=True)) == "/"
        answer = await client.post("/auth/providers/op/link", json={})
        assert answer.status_code == 200


# ------------------------------------------------------------------- put together


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ConfigurationError, match="public_url"):
        Provided(site=Site())
    with pytest.raises(ConfigurationError, match="https"):
        Provided(site=Site(public_url="http://api.example"))
    with pytest.raises(ConfigurationError, match="callback_page"):
        Provided(delivery="body")
    with pytest.raises(ConfigurationError, match="posts its answer"):
        Provided(
            provider={"posts": True}, site=Site(public_url="http://localhost:8000")
        )
    world = World()
    with pytest.raises(ConfigurationError, match="identities"):
        AuthRoutes(
            world.tokens, world.accounts, shape=RouteShape(include=["providers"])
        )
    for options in ({"landing": "//evil.example"}, {"error_page": "https://a"}):
        with pytest.raises(Exception, match="path of this site"):
            World(**options)


async def test_on_this_machine_cookies_need_no_https():
    site = Provided(
        site=Site(public_url="http://localhost:8000"),
        routes={"cookies": Cookies(insecure_for_localhost=True)},
    )
    async with site.browser(base="http://localhost:8000") as client:
        answer = await client.post("/auth/providers/op/start", json={})
        ((name, cookie),) = set_cookies(answer).items()
        assert name.startswith("provider-")
        assert "secure" not in cookie
        assert target(await site.back(client, answer.json()["url"])) == "/"
    async with site.browser(base="http://other.example") as client:
        answer = await client.get("/auth/providers/op/callback?state=x")
        assert_problem(answer, 421, "not_localhost")
        answer = await client.post("/auth/providers/op/callback", data={"state": "x"})
        assert_problem(answer, 421, "not_localhost")


async def test_the_middleware_lets_browsers_through_by_the_names_of_providers():
    hub = OAuthProvider.github("id", "secret")
    site = Provided(providers=[hub])
    paths = site.routes.public_paths("/auth")
    assert "/auth/providers/op/start" in paths
    assert "/auth/providers/github/callback" in paths
    assert "/auth/providers" in paths
    assert not [path for path in paths if "{" in path or path.endswith("/link")]

    async def app(scope, receive, send):
        is_ours = scope["path"].startswith("/auth/")
        await (site.routes if is_ours else Echo())(scope, receive, send)

    backend = JWTBackend(site.tokens, sources=site.routes.sources)
    guarded = AuthenticationMiddleware(app, backend, required=True, public_paths=paths)
    async with site.browser(app=guarded) as client:
        assert (await client.get("/orders")).status_code == 401
        assert target(await site.log_in(client)) == "/"
        assert (await client.get("/orders")).status_code == 200


async def test_the_document_describes_the_routes(site):
    document = site.routes.openapi()
    callback = document["paths"]["/providers/{provider}/callback"]
    names = [parameter["name"] for parameter in callback["get"]["parameters"]]
    assert names == ["provider", "state", "code", "iss", "error"]
    start = document["paths"]["/providers/{provider}/start"]["post"]
    assert "application/x-www-form-urlencoded" in start["requestBody"]["content"]
    world = World()
    plain = AuthRoutes(world.tokens, world.accounts).openapi()
    assert not [path for path in plain["paths"] if "provider" in path]


async def test_a_log_in_costs_six_round_trips(site):
    async with site.browser() as client:
        await site.log_in(client)
        site.round_trips.clear()
        await site.log_in(client)
    assert site.round_trips == [
        "sessions.once",
        "identities.find",
        "accounts.find_by_id",
        "sessions.create",
        "sessions.surplus",
        "accounts.find_by_id",
    ]

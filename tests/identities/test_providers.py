"""Presets and plain OAuth: what differs from provider to provider."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from asgi_auth.errors import ConfigurationError, UnavailableError
from asgi_auth.identities import (
    AuthorizationServer,
    Client,
    Identities,
    IDTokenPolicy,
    MemoryIdentities,
    OAuthProvider,
    OIDCProvider,
    Profile,
)
from asgi_auth.identities.callback import ProviderAnswer
from asgi_auth.identities.errors import InvalidCallbackError, LinkRequiredError
from asgi_auth.identities.provider import Grant
from asgi_auth.keys import Transport
from tests.identities.world import CALLBACK, World

pytestmark = pytest.mark.anyio

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
APPLE_KEY = ec.generate_private_key(ec.SECP256R1())
PEM = APPLE_KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
).decode()


async def vouches(provider, **claims) -> bool:
    from asgi_auth._frozen import freeze

    claims = freeze({"email": "ann@shop.example", **claims})
    return (await provider.profile(Grant(subject="1", claims=claims))).email_verified


def test_presets_know_where_their_providers_are():
    providers = [
        OIDCProvider.google("id", "secret"),
        OIDCProvider.microsoft("id", "secret", tenant=TENANT.upper()),
        OIDCProvider.apple("id", team_id="T", key_id="K", private_key=PEM),
        OIDCProvider.gitlab("id", "secret"),
        OIDCProvider.gitlab("id", "secret", url="https://git.shop.example/"),
        OIDCProvider.keycloak("id", "secret", url="https://sso.example/", realm="r"),
        OAuthProvider.github("id", "secret"),
    ]
    assert [(p.name, p.label, p.issuer) for p in providers] == [
        ("google", "Google", "https://accounts.google.com"),
        ("microsoft", "Microsoft", f"https://login.microsoftonline.com/{TENANT}/v2.0"),
        ("apple", "Apple", "https://appleid.apple.com"),
        ("gitlab", "GitLab", "https://gitlab.com"),
        ("gitlab", "GitLab", "https://git.shop.example"),
        ("keycloak", "Keycloak", "https://sso.example/realms/r"),
        ("github", "GitHub", "https://github.com"),
    ]
    assert [p.name for p in providers if p.posts] == ["apple"]
    assert not any("secret" in repr(p) for p in providers)


async def test_google_vouches_for_its_own_addresses_and_for_workspaces():
    google = OIDCProvider.google("id", "secret", name="google-shop", label="Work")
    assert (google.name, google.label) == ("google-shop", "Work")
    assert await vouches(google, email="Ann@GMail.com", email_verified=True)
    assert await vouches(google, email_verified=True, hd="shop.example")
    # The address may have gone to somebody else since Google has seen it.
    assert not await vouches(google, email_verified=True)
    assert not await vouches(google, email_verified=True, hd="")
    assert not await vouches(google, email="ann@gmail.com", email_verified=False)
    assert not await vouches(google, email="ann@gmail.com.evil", email_verified=True)


async def test_microsoft_vouches_only_with_the_owner_of_the_domain():
    """Any administrator can write any address into ``email``: "nOAuth"."""
    microsoft = OIDCProvider.microsoft("id", "secret", tenant=TENANT)
    assert not await vouches(microsoft, email_verified=True)
    assert not await vouches(microsoft, xms_edov=False)
    assert not await vouches(microsoft, xms_edov="0")
    for edov in (True, 1, "1", "true"):
        assert await vouches(microsoft, xms_edov=edov)
    for tenant in ("common", "organizations", "shop.example", ""):
        with pytest.raises(ConfigurationError, match="GUID"):
            OIDCProvider.microsoft("id", "secret", tenant=tenant)


async def test_gitlab_and_keycloak_vouch_where_that_was_said():
    gitlab = OIDCProvider.gitlab("id", "secret")
    own = OIDCProvider.gitlab("id", "secret", url="https://git.shop.example")
    options = {"url": "https://sso.example", "realm": "shop"}
    keycloak = OIDCProvider.keycloak("id", "secret", **options)
    trusted = OIDCProvider.keycloak("id", "s", **options, trust_addresses=True)
    says = [
        await vouches(provider, email_verified=True)
        for provider in (gitlab, own, keycloak, trusted)
    ]
    assert says == [True, False, False, True]
    assert not await vouches(trusted, email_verified=False)


async def test_a_word_of_the_policy_leaves_the_rest_of_a_preset_as_it_is():
    microsoft = OIDCProvider.microsoft(
        "id", "secret", tenant=TENANT, subject="oid", says={"acct": "0"}
    )
    policy = microsoft._policy
    assert (policy.subject, policy.algorithms) == ("oid", ("RS256",))
    assert policy.says == {"tid": TENANT, "acct": "0"}
    assert await vouches(microsoft, xms_edov=True)
    google = OIDCProvider.google("id", "secret", trust_addresses=False)
    assert not await vouches(google, email="a@gmail.com", email_verified=True)
    # A whole policy would drop what the preset demands.
    whole = {"id_token_policy": IDTokenPolicy(subject="oid")}
    with pytest.raises(ConfigurationError, match="say what differs alone"):
        OIDCProvider.microsoft("id", "secret", tenant=TENANT, **whole)


def test_a_policy_for_id_tokens_checks_itself_and_stays_as_it_is():
    with pytest.raises(ConfigurationError, match="subject"):
        IDTokenPolicy(subject="")
    with pytest.raises(ConfigurationError, match="not one text"):
        IDTokenPolicy(algorithms="RS256")
    says, algorithms = {"hd": "shop.example"}, ["RS256"]
    policy = IDTokenPolicy(says=says, algorithms=algorithms)
    says["hd"] = "evil.example"
    algorithms.append("ES256")
    assert policy.says == {"hd": "shop.example"}
    assert policy.algorithms == ("RS256",)
    with pytest.raises(FrozenInstanceError):
        policy.subject = "email"


async def test_apple_is_asked_by_a_secret_that_is_signed_for_each_call():
    apple = OIDCProvider.apple("app", team_id="TEAM", key_id="KEY", private_key=PEM)
    for verified in (True, "true"):
        assert await vouches(apple, email_verified=verified)
    assert not await vouches(apple, email_verified="false")
    secret = apple._client.secret()
    assert jwt.get_unverified_header(secret) == {
        "alg": "ES256",
        "kid": "KEY",
        "typ": "JWT",
    }
    audience = "https://appleid.apple.com"
    key = APPLE_KEY.public_key()
    claims = jwt.decode(secret, key, ["ES256"], audience=audience)
    assert (claims["iss"], claims["sub"]) == ("TEAM", "app")
    assert claims["exp"] - claims["iat"] == 300
    assert "PRIVATE" not in repr(apple)
    for team, key_id in (("", "KEY"), ("TEAM", "")):
        with pytest.raises(ConfigurationError, match="team_id"):
            OIDCProvider.apple("app", team_id=team, key_id=key_id, private_key=PEM)


async def test_apple_answers_with_a_form():
    world = World(provider={"posts": True})
    query = dict(parse_qsl(urlsplit((await world.begin()).url).query))
    assert query["response_mode"] == "form_post"


async def test_further_parameters_are_added_and_replace_none_of_ours():
    world = World(provider={"extra": {"audience": "api", "prompt": "consent"}})
    query = dict(parse_qsl(urlsplit((await world.begin()).url).query))
    assert (query["audience"], query["prompt"]) == ("api", "consent")
    with pytest.raises(ConfigurationError, match="state"):
        World(provider={"extra": {"state": "fixed"}})


@pytest.mark.parametrize(
    "options",
    [
        {"name": "Google"},
        {"name": "a/b"},
        {"name": ""},
        {"name": "x" * 33},
        {"issuer": "http://op.example"},
        {"issuer": "op.example"},
        {"scopes": ["openid", ""]},
        {"id_token_policy": IDTokenPolicy(algorithms=["HS256"])},
        {"nonsense": True},
    ],
    ids=str,
)
def test_a_provider_that_is_put_together_wrongly_is_refused(options):
    settings = {
        "name": "op",
        "issuer": "https://op.example",
        "client": Client(id="id", secret="secret"),
        **options,
    }
    with pytest.raises(ConfigurationError):
        OIDCProvider(**settings)


def test_identities_that_are_put_together_wrongly_are_refused():
    world = World()
    parts = {"tokens": world.tokens, "accounts": world.accounts}
    google = OIDCProvider.google("id", "secret")
    for providers in ((), (google, OIDCProvider.google("other", "secret"))):
        with pytest.raises(ConfigurationError, match="name of its own"):
            Identities(*providers, **parts, store=MemoryIdentities())


# --------------------------------------------------------------------- plain OAuth


class FakeHub:
    """GitHub, as far as a log-in sees it."""

    def __init__(self) -> None:
        self.user = {"id": 583231, "login": "ann", "name": None}
        self.emails = [
            {"email": "old@example.com", "primary": False, "verified": True},
            {"email": "ann@example.com", "primary": True, "verified": True},
        ]
        self.answer = {"access_token": "gho_1", "token_type": "bearer", "scope": "x"}
        self.status = 200
        self.asked: list[tuple[str, dict, bytes | None]] = []

    async def fetch(self, url, headers, body):
        self.asked.append((url, dict(headers), body))
        pages = {
            "https://github.com/login/oauth/access_token": (200, self.answer),
            "https://api.github.com/user": (self.status, self.user),
            "https://api.github.com/user/emails": (200, self.emails),
        }
        status, content = pages[url]
        return status, {}, json.dumps(content).encode()


@pytest.fixture
def hub():
    return FakeHub()


@pytest.fixture
def world(hub):
    return World(
        providers=[
            OAuthProvider.github("hub-id", "sec", transport=Transport(hub.fetch))
        ]
    )


async def log_in(world, **more):
    start = await world.identities.begin("github", redirect_uri=CALLBACK)
    facts = {"code": "c", "state": start.attempt.state, **more}
    answer = ProviderAnswer(**facts)
    return await world.identities.finish("github", answer, start.token)


async def test_a_user_of_github_logs_in(world, hub):
    outcome = await log_in(world)
    assert (outcome.how, outcome.account.email) == ("sign_up", "ann@example.com")
    (url, headers, body), (_, api_headers, _), _ = hub.asked
    form = dict(parse_qsl(body.decode()))
    assert url == "https://github.com/login/oauth/access_token"
    assert headers["accept"] == "application/json"
    assert (form["client_id"], form["client_secret"]) == ("hub-id", "sec")
    assert len(form["code_verifier"]) == 43
    assert api_headers["authorization"] == "Bearer gho_1"

    # The id stays when the user takes another name and another address.
    hub.user["login"], hub.emails[1]["email"] = "ann2", "new@example.com"
    assert (await log_in(world)).account.id == outcome.account.id
    (identity,) = await world.identities.list(outcome.account.id)
    assert (identity.issuer, identity.subject) == ("https://github.com", "583231")


async def test_the_request_to_github_has_pkce_and_no_nonce(world):
    start = await world.identities.begin("github", redirect_uri=CALLBACK)
    parts = urlsplit(start.url)
    query = dict(parse_qsl(parts.query))
    assert (parts.netloc, parts.path) == ("github.com", "/login/oauth/authorize")
    assert query["scope"] == "read:user user:email"
    assert query["code_challenge"] == start.attempt.challenge
    assert "nonce" not in query


async def test_an_address_that_github_has_not_verified_links_nothing(world, hub):
    hub.emails[1]["verified"] = False
    with pytest.raises(LinkRequiredError):
        await log_in(world)
    hub.emails.append({"email": "b@example.com", "primary": True, "verified": True})
    with pytest.raises(LinkRequiredError):
        await log_in(world)


@pytest.mark.parametrize("user", [{}, {"id": "7"}, {"id": True}, [], "odd"], ids=str)
async def test_an_answer_without_a_user_is_refused(world, hub, user):
    hub.user = user
    with pytest.raises(InvalidCallbackError):
        await log_in(world)


async def test_odd_lists_of_addresses_break_nothing(world, hub):
    number = {"primary": True, "verified": True, "email": 7}
    for emails in ([], ["odd"], {"odd": 1}, [number]):
        hub.emails = emails
        with pytest.raises((LinkRequiredError, InvalidCallbackError)):
            await log_in(world)


async def test_an_error_with_the_status_200_is_one(world, hub):
    hub.answer = {"error": "bad_verification_code"}
    with pytest.raises(InvalidCallbackError):
        await log_in(world)
    hub.answer = {"error": "incorrect_client_credentials"}
    with pytest.raises(UnavailableError):
        await log_in(world)
    hub.answer = {"token_type": "bearer"}
    with pytest.raises(InvalidCallbackError):
        await log_in(world)


async def test_an_api_that_refuses_is_an_outage(world, hub):
    hub.status = 403
    with pytest.raises(UnavailableError):
        await log_in(world)


async def test_an_answer_that_names_another_issuer_is_refused(world):
    with pytest.raises(InvalidCallbackError):
        await log_in(world, iss="https://evil.example")
    assert (await log_in(world, iss="https://github.com")).how == "sign_up"


async def test_a_fresh_log_in_cannot_be_asked_of_plain_oauth(world):
    with pytest.raises(InvalidCallbackError):
        await world.identities.begin("github", redirect_uri=CALLBACK, fresh=True)


def own(profile, hub, **options):
    server = {
        "authorize_url": "https://own.example/authorize",
        "token_url": "https://github.com/login/oauth/access_token",
        **options,
    }
    return OAuthProvider(
        "own",
        AuthorizationServer(**server),
        Client(id="id", secret="secret"),
        profile=profile,
        transport=Transport(hub.fetch),
    )


async def test_one_callable_makes_any_provider(hub):
    async def profile(get):
        user = await get("https://api.github.com/user")
        return Profile(subject=user["login"], email="ann@example.com")

    async def wrong(get):
        return {"id": 1}

    async def leaking(get):
        return await get("http://api.github.com/user")

    provider = own(profile, hub)
    assert provider.issuer == "https://own.example"
    world = World(providers=[provider])
    start = await world.identities.begin("own", redirect_uri=CALLBACK)
    grant = await provider.redeem(start.attempt, "c")
    assert grant.subject == "ann"
    with pytest.raises(ConfigurationError, match="Profile"):
        await own(wrong, hub).redeem(start.attempt, "c")
    with pytest.raises(ConfigurationError, match="https"):
        await own(leaking, hub).redeem(start.attempt, "c")


async def test_what_a_callable_calls_verified_counts_where_it_is_trusted(hub):
    async def profile(get):
        return Profile(subject="1", email="ann@example.com", email_verified=True)

    for trust in (False, True):
        provider = own(profile, hub, trust_addresses=trust)
        world = World(providers=[provider])
        start = await world.identities.begin("own", redirect_uri=CALLBACK)
        grant = await provider.redeem(start.attempt, "c")
        assert (await provider.profile(grant)).email_verified is trust


def test_a_server_is_at_two_addresses_that_are_safe(hub):
    for name in ("authorize_url", "token_url"):
        with pytest.raises(ConfigurationError, match="authorize_url and token_url"):
            own(None, hub, **{name: ""})
        with pytest.raises(ConfigurationError, match=name):
            own(None, hub, **{name: "http://own.example/x"})
    tenant = own(None, hub, issuer="https://own.example/one")
    assert tenant.issuer == "https://own.example/one"


async def test_addresses_of_github_count_and_those_of_an_enterprise_if_it_was_said():
    profile = Profile(subject="1", email="ann@shop.example", email_verified=True)
    grant, url = Grant(subject="1", profile=profile), "https://git.shop.example"
    for options, counts in (
        ({}, True),
        ({"trust_addresses": False}, False),
        ({"url": url}, False),
        ({"url": url, "trust_addresses": True}, True),
    ):
        hub = OAuthProvider.github("id", "secret", **options)
        assert (await hub.profile(grant)).email_verified is counts
        assert hub.issuer == options.get("url", "https://github.com")


async def test_connections_are_closed(world):
    await world.identities.aclose()

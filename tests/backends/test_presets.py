"""Tokens as the documents of each issuer show them, through what is recommended here.

What the issuer signs beside them, for others or for another purpose, is refused.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives import serialization

from asgi_auth import (
    AuthenticationMiddleware,
    BackendChain,
    ConfigurationError,
    InvalidTokenError,
    Key,
    StepUpRequiredError,
    requires,
)
from asgi_auth.backends.assertions import (
    ALB_HEADER,
    CLOUDFLARE_HEADER,
    IAP_HEADER,
    alb,
    cloudflare_access,
    google_iap,
)
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.machines import (
    github_actions,
    google_service_accounts,
    kubernetes,
    spiffe,
)
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.backends.user_platforms import (
    adfs,
    clerk,
    entra_b2c,
    firebase,
    okta,
    supabase,
    zitadel,
)
from asgi_auth.keys import Transport
from tests.asgi import Echo, run
from tests.backends.test_providers import Elsewhere
from tests.forge import b64

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
GUID = "7b3f2d1e-9c4a-4f6b-8d2e-1a2b3c4d5e6f"
NOW = int(time.time())
PROJECT_ROLES = "urn:zitadel:iam:org:project:roles"
OTHER_ROLES = "urn:zitadel:iam:org:project:7:roles"


class Case(NamedTuple):
    """One issuer.

    Attributes:
        make: Makes the preset.
        issuer: What it writes under ``iss``; ``None``: nothing.
        keys_at: The end of the URL of its keys.
        claims: The rest of a token of its documents.
        header: What stands in the header beside ``alg`` and ``kid``.
        subject: Who that is.
        scopes: What it allows.
        roles: The roles.
        bad: Changes after which it must be refused.
        algorithm: What it signs with.
    """

    make: Callable[..., TrustedIssuer]
    issuer: str | None
    keys_at: str
    claims: dict[str, Any]
    subject: str
    header: Mapping[str, Any] = MappingProxyType({"typ": "JWT"})
    scopes: AbstractSet[str] = frozenset()
    roles: AbstractSet[str] = frozenset()
    bad: tuple[dict[str, Any], ...] = ()
    algorithm: str = "RS256"


CASES = {
    # https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/
    "okta": Case(
        lambda **o: okta("dev-1.okta.com", audience="api://default", **o),
        "https://dev-1.okta.com/oauth2/default",
        "/keys",
        {
            "ver": 1,
            "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
            "aud": "api://default",
            "cid": "nmdP1fcyvdVO11AL7ECm",
            "uid": "00ugmcd9u6Oo9OyCQ0g4",
            "scp": ["openid", "orders"],
            "auth_time": NOW,
            "sub": "ada@example.com",
            "groups": ["Everyone", "Shop Admins"],
        },
        "ada@example.com",
        header={"typ": None},
        scopes={"openid", "orders"},
        roles={"Everyone", "Shop Admins"},
        bad=(
            {"aud": "nmdP1fcyvdVO11AL7ECm", "cid": None, "at_hash": "x"},
            {"cid": None},
            {"aud": "api://other"},
            {"iss": "https://dev-1.okta.com"},
        ),
    ),
    # https://zitadel.com/docs/apis/openidoauth/claims
    "zitadel": Case(
        lambda **o: zitadel("shop-1.zitadel.cloud", audience="69234237810729019", **o),
        "https://shop-1.zitadel.cloud",
        "/keys",
        {
            "aud": ["69234237810729234@shop", "69234237810729019"],
            "client_id": "69234237810729234@shop",
            "jti": "V2_340-at_341",
            "nbf": NOW,
            "sub": "77776025198584418",
            PROJECT_ROLES: {
                "admin": {"1636": "shop.zitadel.cloud"},
                "clerk": {"1636": "shop.zitadel.cloud"},
            },
        },
        "77776025198584418",
        header={"typ": None},
        roles={"admin", "clerk"},
        bad=(
            {"jti": None, "azp": "69234237810729234@shop", "amr": ["pwd"]},
            {"at_hash": "x"},
            {"aud": ["69234237810729234@shop"]},
        ),
    ),
    # https://learn.microsoft.com/azure/active-directory-b2c/access-tokens
    "entra b2c": Case(
        lambda **o: entra_b2c(
            "shop", directory=GUID.upper(), policy="B2C_1_in", audience=GUID, **o
        ),
        f"https://shop.b2clogin.com/{GUID}/v2.0/",
        "/shop.onmicrosoft.com/B2C_1_in/discovery/v2.0/keys",
        {
            "nbf": NOW,
            "aud": GUID,
            "sub": "22cfa83f-9f5b-4b51-b8b4-2f6a1fd4e5c2",
            "name": "Ada",
            "tfp": "B2C_1_in",
            "scp": "orders.read",
            "azp": "aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb",
            "ver": "1.0",
        },
        "22cfa83f-9f5b-4b51-b8b4-2f6a1fd4e5c2",
        scopes={"orders.read"},
        bad=(
            {"azp": None, "scp": None},
            {"tfp": "B2C_1_other"},
            {"tfp": None},
            {"nonce": "defaultNonce"},
        ),
    ),
    # https://learn.microsoft.com/windows-server/identity/ad-fs/overview/ad-fs-openid-connect-oauth-concepts
    "adfs": Case(
        lambda **o: adfs(
            "adfs.shop.example", audience="microsoft:identityserver:api", **o
        ),
        "http://adfs.shop.example/adfs/services/trust",
        "https://adfs.shop.example/adfs/discovery/keys",
        {
            "aud": "microsoft:identityserver:api",
            "upn": "ada@shop.example",
            "group": ["Domain Users", "Clerks"],
            "unique_name": ["Ada", "SHOP\\ada"],
            "apptype": "Confidential",
            "appid": "f5a1c4e1-5f5d-4f3c-9c7e-0c7a7d3e5b11",
            "authmethod": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password",
            "auth_time": "2026-11-26T12:44:34.123Z",
            "ver": "1.0",
            "scp": "openid",
            "sub": None,
        },
        "ada@shop.example",
        # Its keys are named by this, too.
        header={"typ": "JWT", "x5t": "6iTZ3mQ8o9sK3lq0lA"},
        scopes={"openid"},
        roles={"Domain Users", "Clerks"},
        # Without a user: a grant of client credentials, of which nothing names whom.
        bad=(
            {"appid": None},
            {"aud": "urn:microsoft:userinfo"},
            {"upn": None},
            {"upn": ""},
        ),
    ),
    # https://firebase.google.com/docs/auth/admin/verify-id-tokens
    "firebase": Case(
        lambda **o: firebase("shop-1", **o),
        "https://securetoken.google.com/shop-1",
        "/jwk/securetoken@system.gserviceaccount.com",
        {
            "aud": "shop-1",
            "auth_time": NOW,
            "user_id": "mKbVG1iGQjXZ",
            "sub": "mKbVG1iGQjXZ",
            "email": "ada@example.com",
            "email_verified": True,
            "role": "admin",
            "firebase": {
                "identities": {"email": ["ada@example.com"]},
                "sign_in_provider": "password",
            },
        },
        "mKbVG1iGQjXZ",
        roles={"admin"},
        bad=(
            {"aud": "another"},
            {"firebase": None},
            {"iss": "https://session.firebase.google.com/shop-1"},
        ),
    ),
    # https://supabase.com/docs/guides/auth/jwt-fields
    "supabase": Case(
        lambda **o: supabase("abcdefgh", **o),
        "https://abcdefgh.supabase.co/auth/v1",
        "/auth/v1/.well-known/jwks.json",
        {
            "aud": "authenticated",
            "sub": "a1b2c3d4-1111-2222-3333-444455556666",
            "email": "ada@example.com",
            "phone": "",
            "app_metadata": {"provider": "email", "roles": ["clerk"]},
            "user_metadata": {"roles": ["owner"]},
            "role": "authenticated",
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": NOW}],
            "session_id": "0f1e2d3c-1111-2222-3333-444455556666",
            "is_anonymous": False,
        },
        "a1b2c3d4-1111-2222-3333-444455556666",
        roles={"authenticated", "clerk"},
        bad=({"session_id": None, "role": "anon"}, {"aud": "other"}),
        algorithm="ES256",
    ),
    # https://clerk.com/docs/guides/sessions/session-tokens
    "clerk": Case(
        lambda **o: clerk("clerk.shop.example", origins=["https://shop.example"], **o),
        "https://clerk.shop.example",
        "/.well-known/jwks.json",
        {
            "aud": None,
            "azp": "https://shop.example",
            "fva": [7, -1],
            "jti": "abcdefg",
            "nbf": NOW - 10,
            "sid": "sess_2GaMqUCB3Sc1WNAkWuNzsnYVVEy",
            "sub": "user_2GaMqUCB3Sc1WNAkWuNzsnYVVEy",
            "v": 2,
            "fea": "o:dashboard",
            "o": {"id": "org_1", "slg": "shop", "rol": "admin", "per": "manage"},
        },
        "user_2GaMqUCB3Sc1WNAkWuNzsnYVVEy",
        header={"typ": "JWT", "cat": "cl_B7d4PD111AAA"},
        roles={"admin"},
        bad=(
            {"azp": "https://evil.example"},
            {"azp": None},
            {"sid": None},
            {"aud": "another"},
        ),
    ),
    # https://docs.github.com/actions/reference/security/oidc
    "github actions": Case(
        lambda **o: github_actions(
            audience="https://deploy.example", repository="octo-org/app", **o
        ),
        "https://token.actions.githubusercontent.com",
        "/.well-known/jwks",
        {
            "jti": "example-id",
            "sub": "repo:octo-org/app:environment:prod",
            "environment": "prod",
            "aud": "https://deploy.example",
            "ref": "refs/heads/main",
            "repository": "octo-org/app",
            "repository_owner": "octo-org",
            "run_id": "example-run-id",
            "event_name": "workflow_dispatch",
            "nbf": NOW - 600,
        },
        "repo:octo-org/app:environment:prod",
        # Its keys are named by this, too.
        header={"typ": "JWT", "x5t": "6iTZ3mQ8o9sK3lq0lA"},
        bad=(
            {"repository": "octo-org/other"},
            {"repository": "evil/app", "sub": "repo:evil/app:ref:refs/heads/main"},
            {"aud": "https://github.com/octo-org"},
        ),
    ),
    # https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
    "kubernetes": Case(
        lambda **o: kubernetes(audience="orders", namespace="shop", **o),
        "https://kubernetes.default.svc.cluster.local",
        "/openid/v1/jwks",
        {
            "aud": ["orders"],
            "jti": "ed68ddcc-4b6f-4b8d-8f4c-2d9c7a1e0f33",
            "nbf": NOW,
            "sub": "system:serviceaccount:shop:cart",
            "kubernetes.io": {
                "namespace": "shop",
                "pod": {"name": "cart-0", "uid": "47ec1ac9"},
                "serviceaccount": {"name": "cart", "uid": "14ee3fa4"},
                "warnafter": NOW + 3600,
            },
        },
        "system:serviceaccount:shop:cart",
        header={"typ": None},
        bad=(
            {"sub": "system:serviceaccount:shop-evil:cart"},
            {"sub": "system:serviceaccount:default:cart"},
            {"aud": ["https://kubernetes.default.svc.cluster.local"]},
            {"kubernetes.io": None},
        ),
    ),
    # https://cloud.google.com/run/docs/authenticating/service-to-service
    "google": Case(
        lambda **o: google_service_accounts(audience="https://orders.run.app", **o),
        "https://accounts.google.com",
        "/oauth2/v3/certs",
        {
            "aud": "https://orders.run.app",
            "azp": "113774264463038321964",
            "email": "cart@shop.iam.gserviceaccount.com",
            "email_verified": True,
            "sub": "113774264463038321964",
        },
        "113774264463038321964",
        bad=(
            {"at_hash": "x", "azp": "1234.apps.googleusercontent.com"},
            {"email": None},
            {"aud": "https://other.run.app"},
            {"iss": "accounts.google.com"},
        ),
    ),
    # https://github.com/spiffe/spiffe/blob/main/standards/JWT-SVID.md
    "spiffe": Case(
        lambda **o: spiffe(
            "shop.example",
            audience="spiffe://shop.example/orders",
            keys="https://bundle.shop.example/keys",
            **o,
        ),
        None,
        "https://bundle.shop.example/keys",
        {
            "aud": ["spiffe://shop.example/orders"],
            "sub": "spiffe://shop.example/cart",
        },
        "spiffe://shop.example/cart",
        header={"typ": "JOSE"},
        bad=(
            {"sub": "spiffe://other.example/cart"},
            {"sub": "spiffe://shop.example.evil/cart"},
            {"aud": ["spiffe://shop.example/cart"]},
            {"iss": "https://spire.shop.example"},
        ),
        algorithm="ES256",
    ),
    # https://developers.cloudflare.com/cloudflare-one/identity/authorization-cookie/application-token/
    "cloudflare": Case(
        lambda **o: cloudflare_access("shop", audience="32eafc7626e974616deaf0dc", **o),
        "https://shop.cloudflareaccess.com",
        "/cdn-cgi/access/certs",
        {
            "aud": ["32eafc7626e974616deaf0dc"],
            "email": "ada@example.com",
            "nbf": NOW,
            "type": "app",
            "identity_nonce": "6ei69kawdKzMIAPF",
            "sub": "7335d417-61da-459d-899c-0a01c76a2f94",
            "country": "US",
        },
        "7335d417-61da-459d-899c-0a01c76a2f94",
        bad=({"type": "org"}, {"type": None}, {"aud": ["other"]}, {"sub": ""}),
    ),
    "cloudflare, a service": Case(
        lambda **o: cloudflare_access("shop", audience="32eafc7626e974616deaf0dc", **o),
        "https://shop.cloudflareaccess.com",
        "/cdn-cgi/access/certs",
        {
            "aud": ["32eafc7626e974616deaf0dc"],
            "type": "app",
            "common_name": "e367826f93b8d71185e03fe518aff3b4.access",
            "sub": "",
        },
        "e367826f93b8d71185e03fe518aff3b4.access",
        bad=({"common_name": None}, {"common_name": ""}),
    ),
    # https://cloud.google.com/iap/docs/signed-headers-howto
    "iap": Case(
        lambda **o: google_iap(audience="/projects/12/global/backendServices/34", **o),
        "https://cloud.google.com/iap",
        "/iap/verify/public_key-jwk",
        {
            "aud": "/projects/12/global/backendServices/34",
            "azp": "/projects/12/global/backendServices/34",
            "email": "ada@example.com",
            "google": {"access_levels": []},
            "hd": "example.com",
            "sub": "accounts.google.com:118133858486581853996",
        },
        "accounts.google.com:118133858486581853996",
        bad=({"aud": "/projects/12/global/backendServices/99"}, {"email": None}),
        algorithm="ES256",
    ),
}


SYMPTOMS = [
    ("okta", "more-issuers", {"cid": None}, "cid is missing"),
    ("zitadel", "more-issuers", {"jti": None}, "jti is missing"),
    (
        "entra b2c",
        "more-issuers",
        {"tfp": "B2C_1_edit"},
        "marks its access tokens otherwise",
    ),
    ("entra b2c", "more-issuers", {"azp": None}, "azp is missing"),
    ("adfs", "more-issuers", {"upn": None}, "there is no sub"),
    (
        "clerk",
        "more-issuers",
        {"azp": "http://localhost:3000"},
        "the audience is another: aud is 'http://localhost:3000'",
    ),
    ("google", "more-issuers", {"email": None}, "email is missing"),
    (
        "github actions",
        "more-issuers",
        {"aud": "https://github.com/octo-org"},
        "the audience is another: aud is 'https://github.com/octo-org'",
    ),
    (
        "cloudflare",
        "identity-proxies",
        {"type": "org"},
        "the issuer marks its access tokens otherwise",
    ),
]


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture
def platform(case):
    made = Elsewhere(case.issuer or "https://unused.example")
    made.jwks["keys"].clear()
    made.rotate(case.algorithm)
    return made


def write(case, platform, **changes):
    said = {"iss": case.issuer, **case.claims, **changes}
    claims = platform.claims(**said)
    if said.get("sub") == "":
        claims["sub"] = ""
    return platform.sign(claims, **case.header)


async def test_a_token_of_its_documents_is_good(case, platform):
    issuer = case.make(transport=Transport(platform.fetch))
    admitted = await issuer.admit(write(case, platform))
    assert admitted.subject == case.subject
    assert admitted.scopes == case.scopes | {"authenticated"}
    assert admitted.roles == case.roles
    assert platform.urls[-1].endswith(case.keys_at)
    assert (await IssuersBackend(issuer).authenticate(None, {})) is None


async def test_what_else_it_signs_is_refused(case, platform):
    issuer = case.make(transport=Transport(platform.fetch))
    for changes in case.bad:
        with pytest.raises(InvalidTokenError):
            await issuer.admit(write(case, platform, **changes))
    for changes in ({"exp": NOW - 61}, {"exp": None}, {"nbf": NOW + 3600}):
        with pytest.raises(InvalidTokenError):
            await issuer.admit(write(case, platform, **changes))


@pytest.mark.parametrize(("name", "page", "changes", "symptom"), SYMPTOMS)
async def test_a_page_says_what_a_mistake_looks_like(name, page, changes, symptom):
    case = CASES[name]
    platform = Elsewhere(case.issuer)
    platform.jwks["keys"].clear()
    platform.rotate(case.algorithm)
    issuer = case.make(transport=Transport(platform.fetch))
    with pytest.raises(InvalidTokenError) as caught:
        await issuer.admit(write(case, platform, **changes))

    assert symptom in str(caught.value)
    assert symptom in (HOW_TO / f"{page}.md").read_text("utf-8")


async def test_a_text_as_auth_time_is_none_and_max_age_fails_closed():
    case = CASES["adfs"]
    platform = Elsewhere(case.issuer)
    admitted = await case.make(transport=Transport(platform.fetch)).admit(
        write(case, platform)
    )
    principal = admitted.principal("header", "adfs")
    assert principal.claims["auth_time"] == case.claims["auth_time"]
    with pytest.raises(StepUpRequiredError):
        requires(max_age=3600).check({"type": "http", "auth": principal})


async def test_roles_of_another_project_are_asked_for_by_its_id():
    case = CASES["zitadel"]
    platform = Elsewhere(case.issuer)
    issuer = zitadel(
        "shop-1.zitadel.cloud",
        audience="69234237810729019",
        project="7",
        transport=Transport(platform.fetch),
    )
    token = write(case, platform, **{OTHER_ROLES: {"auditor": {"1": "x"}}})
    assert (await issuer.admit(token)).roles == {"auditor"}


async def test_a_spiffe_issuer_may_have_a_name():
    case = CASES["spiffe"]
    platform = Elsewhere("https://spire.shop.example")
    issuer = spiffe(
        "shop.example",
        audience="spiffe://shop.example/orders",
        issuer="https://spire.shop.example",
        transport=Transport(platform.fetch),
    )
    token = write(case, platform, iss="https://spire.shop.example")
    assert (await issuer.admit(token)).subject == case.subject
    with pytest.raises(InvalidTokenError):
        await issuer.admit(write(case, platform, sub="ada"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: github_actions(audience="x"),
        lambda: clerk("clerk.shop.example", origins=[]),
        lambda: clerk("clerk.shop.example", origins=""),
        lambda: alb("arn:aws:s3:::bucket", issuer="https://idp.example"),
        lambda: alb("", issuer="https://idp.example"),
        lambda: alb(ARN.replace("arn:aws:", "arn:aws-iso:"), issuer=IDP),
        lambda: okta("dev-1.okta.com", audience=""),
    ],
)
def test_what_would_trust_everybody_is_refused(make):
    with pytest.raises(ConfigurationError):
        make()


async def test_an_owner_may_stand_for_all_its_repositories():
    case = CASES["github actions"]
    platform = Elsewhere(case.issuer)
    issuer = github_actions(
        audience="https://deploy.example",
        owner="octo-org",
        transport=Transport(platform.fetch),
    )
    assert await issuer.admit(write(case, platform, repository="octo-org/other"))
    with pytest.raises(InvalidTokenError):
        await issuer.admit(write(case, platform, repository_owner="evil"))


async def test_the_keys_of_a_cluster_may_be_given():
    case = CASES["kubernetes"]
    platform = Elsewhere(case.issuer)
    jwks = {
        "keys": "https://10.0.0.1/openid/v1/jwks",
        "transport": Transport(platform.fetch),
    }
    issuer = kubernetes(audience="orders", **jwks)
    token = write(case, platform, sub="system:serviceaccount:any:x")
    assert (await issuer.admit(token)).subject == "system:serviceaccount:any:x"
    assert platform.urls == ["https://10.0.0.1/openid/v1/jwks"]


# AWS: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/
# listener-authenticate-users.html

ARN = (
    "arn:aws:elasticloadbalancing:eu-central-1:123456789012:"
    "loadbalancer/app/shop/50dc6c495c0c9188"
)
IDP = "https://idp.example"


class Balancer:
    """Signs as AWS does: with padding, over the padded text."""

    def __init__(self) -> None:
        self.key = Key.generate("ES256", kid="12345678-1234-1234-1234-123456789012")
        self.urls: list[str] = []

    async def fetch(self, url, headers, body):
        self.urls.append(url)
        pem = self.key._material.public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return 200, {}, pem

    def token(self, signer=ARN, **more):
        exp = int(time.time()) + 120
        said = {"sub": "1234567890", "email_verified": "true", "iss": IDP}
        head = {
            "typ": "JWT",
            "kid": self.key.kid,
            "alg": "ES256",
            "iss": IDP,
            "client": "client-id",
            "signer": signer,
            "exp": exp,
        }
        parts = (head, {**said, "exp": exp, **more})
        signed = b".".join(_padded(json.dumps(part).encode()) for part in parts)
        return signed + b"." + _padded(self.key.sign(signed))


def _padded(data: bytes) -> bytes:
    text = b64(data)
    return text + b"=" * (-len(text) % 4)


async def test_a_load_balancer_of_aws():
    balancer = Balancer()
    issuer = alb(ARN, issuer=IDP, transport=Transport(balancer.fetch))
    token = balancer.token()
    assert b"=" in token
    assert (await issuer.admit(token)).subject == "1234567890"
    assert balancer.urls == [
        "https://public-keys.auth.elb.eu-central-1.amazonaws.com/" + balancer.key.kid
    ]
    long = balancer.token(groups=["g" * 36] * 400)
    assert len(long) > 20_000
    assert (await issuer.admit(long)).subject == "1234567890"


@pytest.mark.parametrize(
    ("partition", "region", "base"),
    [
        (
            "aws-us-gov",
            "us-gov-west-1",
            (
                "https://s3-us-gov-west-1.amazonaws.com/"
                "aws-elb-public-keys-prod-us-gov-west-1/"
            ),
        ),
        (
            "aws-cn",
            "cn-north-1",
            "https://public-keys.auth.elb.cn-north-1.amazonaws.com.cn/",
        ),
    ],
)
async def test_other_partitions_of_aws_have_their_keys_elsewhere(
    partition, region, base
):
    balancer = Balancer()
    arn = ARN.replace("arn:aws:", f"arn:{partition}:").replace("eu-central-1", region)
    issuer = alb(arn, issuer=IDP, transport=Transport(balancer.fetch))
    assert (await issuer.admit(balancer.token(signer=arn))).subject == "1234567890"
    assert balancer.urls == [base + balancer.key.kid]


async def test_a_load_balancer_may_be_held_to_one_client():
    balancer = Balancer()
    for client, is_good in (("client-id", True), ("another", False)):
        issuer = alb(
            ARN, issuer=IDP, client=client, transport=Transport(balancer.fetch)
        )
        if is_good:
            assert (await issuer.admit(balancer.token())).subject == "1234567890"
        else:
            with pytest.raises(InvalidTokenError, match="client"):
                await issuer.admit(balancer.token())


async def test_the_load_balancer_of_somebody_else_is_refused():
    balancer = Balancer()
    issuer = alb(ARN, issuer=IDP, transport=Transport(balancer.fetch))
    other = ARN.replace("123456789012", "999999999999")
    for bad in (
        balancer.token(signer=other),
        balancer.token(signer=None),
        balancer.token(iss="https://other.example"),
        balancer.token(aud="x"),
        balancer.token(sub=None),
    ):
        with pytest.raises(InvalidTokenError):
            await issuer.admit(bad)


@pytest.mark.parametrize("name", ["cloudflare", "iap", "alb"])
async def test_an_assertion_comes_in_a_header_of_its_own(name):
    if name == "alb":
        balancer = Balancer()
        issuer = alb(ARN, issuer=IDP, transport=Transport(balancer.fetch))
        token, header = balancer.token(), ALB_HEADER
    else:
        case = CASES[name]
        platform = Elsewhere(case.issuer)
        platform.jwks["keys"].clear()
        platform.rotate(case.algorithm)
        issuer = case.make(transport=Transport(platform.fetch))
        token = write(case, platform)
        header = {"cloudflare": CLOUDFLARE_HEADER, "iap": IAP_HEADER}[name]

    backend = BackendChain(IssuersBackend(issuer, sources=[header], name=name))
    app = AuthenticationMiddleware(Echo(), backend, required=True)
    sent = [(header.name.lower().encode(), token)]
    assert (await run(app, headers=sent)).status == 200
    assert (
        await run(app, headers=[(b"authorization", b"Bearer " + token)])
    ).status == 401
    foreign = [*sent, (b"origin", b"https://evil.example")]
    assert (await run(app, method="POST", headers=foreign)).status == 403

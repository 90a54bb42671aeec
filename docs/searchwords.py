"""A Sphinx extension that lets the search find pages by the words of those who search.

They type "logout", "social login" or "blacklist", where a page says "end a session".
Each phrase becomes an entry of the index, which the search weighs most, and each of its
words a keyword of the page, so that a search for several of them finds it too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PHRASES = {
    "tutorial/first-app": "quickstart; getting started; hello world; protect an app",
    "tutorial/protect-an-app": "middleware tutorial; raw asgi",
    "tutorial/api-with-login": (
        "logout refresh token; register login logout; user registration; sign up; "
        "email and password; make an admin; give a role"
    ),
    "tutorial/chat": "chat; websocket rooms; broadcast; presence; pub/sub",
    "tutorial/demo": "demo; try it; example app",
    "how-to/install": "install; pip; extras; requirements; python version; uv",
    "how-to/frameworks": "fastapi starlette litestar quart nexios; current user",
    "how-to/middleware": (
        "cors preflight 401; cors; options; exclude path; public path; whitelist; "
        "current user; get user; request user; load user; csrf; proxy; "
        "own tokens and identity provider together; several backends"
    ),
    "how-to/guards": (
        "roles; permissions; rbac; role based access control; scopes; admin only; "
        "403 forbidden; authorization; policy; step up"
    ),
    "how-to/fastapi": (
        "fastapi; depends; security; oauth2passwordbearer; swagger authorize; "
        "websocket user; fastapi current user"
    ),
    "how-to/starlette": "starlette; authenticationmiddleware; requires; mount",
    "how-to/litestar": "litestar; jwtauth; guards; openapi",
    "how-to/quart": "quart; flask async; blueprint",
    "how-to/nexios": "nexios; jwt auth backend",
    "how-to/django": "django; rest framework; drf; ninja; request.user",
    "how-to/channels": "channels; consumer; django websocket; authmiddlewarestack",
    "how-to/blacksheep-falcon": "blacksheep; falcon; other framework",
    "how-to/works-with": "socket.io; graphql; sentry; mangum; lambda; strawberry; wsgi",
    "how-to/user-interfaces": "gradio; streamlit; nicegui; shiny; panel; dashboard",
    "how-to/log-in-routes": (
        "login; log in; sign in; forgot password; reset password; verify email; "
        "mail; smtp; change email; password strength; password policy"
    ),
    "how-to/own-database": (
        "username login; user name; own users; existing users; custom user model; "
        "uuid; integer id; beanie; tortoise; mongodb"
    ),
    "how-to/sqlalchemy-users": "sqlalchemy; sqlmodel; user model; declarative",
    "how-to/administration": (
        "admin; list users; create user; create superuser; disable user; ban user; "
        "delete user; audit log"
    ),
    "how-to/act-for-others": "impersonate; impersonation; login as; support; sudo",
    "how-to/rate-limits": (
        "brute force login rate limit; rate limit; brute force; throttle; 429; "
        "lockout; too many attempts"
    ),
    "how-to/cookies": (
        "cookie spa; cookie; httponly; single page app; csrf; samesite; subdomain; "
        "localstorage; which cookie which header; react; vue"
    ),
    "how-to/browser-client": (
        "javascript; typescript; react; fetch; axios; refresh in the browser; tabs; "
        "silent refresh"
    ),
    "how-to/websockets-in-browsers": (
        "websocket token browser; websocket token; websocket authentication; "
        "websocket header; subprotocol; query token"
    ),
    "how-to/streams": (
        "eventsource token; eventsource; server-sent events; sse; streaming; ticket"
    ),
    "how-to/first-messages": (
        "socket.io; graphql subscriptions; connection_init; graphql; token in message"
    ),
    "how-to/python-client": (
        "httpx; requests; client credentials; service to service; machine to machine; "
        "token exchange; call an api"
    ),
    "how-to/issuers": (
        "oidc; openid connect; jwks; jwks_uri; identity provider; external issuer; "
        "sso; single sign-on; rs256"
    ),
    "how-to/log-in-with-providers": (
        "social login google; social login; google; log in with google; "
        "google login; github login; oauth login; openid connect login"
    ),
    "how-to/provider-settings": (
        "google console; oauth client id; redirect uri; redirect_uri_mismatch; "
        "microsoft login; sign in with apple; apple login; github oauth app; "
        "gitlab login; keycloak login; auth0 login; okta login; aadsts50011; "
        "invalid_client; callback url"
    ),
    "how-to/passkeys": "passkey; passkeys; webauthn; fido2; security key; fingerprint",
    "how-to/second-factors": (
        "second factor; two factor; 2fa; mfa; totp; authenticator app; recovery codes"
    ),
    "how-to/keycloak": "keycloak; realm; realm roles; client roles",
    "how-to/auth0": "auth0; okta auth0; permissions claim",
    "how-to/entra": "entra; azure ad; microsoft; office 365; msal",
    "how-to/cognito": "cognito; aws cognito; user pool",
    "how-to/more-issuers": (
        "okta; firebase; supabase; clerk; github actions; kubernetes; zitadel; b2c; "
        "azure ad b2c; adfs; active directory; spiffe; google service account; "
        "cloud run; id-token"
    ),
    "how-to/identity-proxies": "cloudflare access; iap; load balancer; alb; zero trust",
    "how-to/mcp": "mcp bearer; mcp; fastmcp; model context protocol; oauth for agents",
    "how-to/introspection": "opaque token; introspection; rfc 7662; reference token",
    "how-to/stores": "database; storage; redis or sql; several workers",
    "how-to/memory": "in memory; memory store; tests without a database",
    "how-to/sql": (
        "alembic; migrations; sqlite; postgres; postgresql; sqlalchemy; pgbouncer"
    ),
    "how-to/redis": "redis; valkey; sentinel; cluster; redis blacklist",
    "how-to/own-store": "custom store; mongodb; dynamodb",
    "how-to/revocation": (
        "logout expire token; logout; log out; log out everywhere; revoke all devices; "
        "log out all devices; "
        "blacklist; denylist; invalidate token; revoke token; devices; sessions"
    ),
    "how-to/keys": "secret key; key rotation; rotate keys; pem; algorithm; rs256",
    "how-to/publish-keys": "jwks; well-known; public key; microservices",
    "how-to/dpop": "dpop; sender constrained; stolen token; mtls; proof of possession",
    "how-to/api-keys": "api key; x-api-key; personal access token; machine token",
    "how-to/basic": "basic; http basic; username and password header",
    "how-to/own-backend": (
        "custom backend; session cookie; client certificate; trusted header; paseto"
    ),
    "how-to/deploy": (
        "deploy; production; docker; gunicorn; uvicorn workers; nginx; proxy; "
        "environment variables; secrets"
    ),
    "how-to/find-out-why": "401; 403; 503; debug; logging; token refused; why refused",
    "how-to/catch-errors": (
        "exceptions; try except; error handling; expiredsignatureerror; "
        "invalidtokenerror; exception handler"
    ),
    "how-to/type-your-code": "mypy; pyright; type hints; typing; annotations",
    "how-to/probe-readiness": (
        "health check; health; healthz; readyz; liveness; readiness; kubernetes probe"
    ),
    "how-to/observe": "metrics; prometheus; opentelemetry; tracing; sentry; grafana",
    "how-to/command-line": "cli; command line; keygen; decode a token; doctor",
    "how-to/test-your-app": (
        "test logged in user; testing; pytest; fixture; mock user; fake token; "
        "dependency_overrides; unittest"
    ),
    "explanation/rotation": "refresh token rotation; reuse detection; grace",
    "explanation/revocation": "stateless logout; how revocation works; blacklist",
    "explanation/threats": "security; threat model; attacks",
    "explanation/threats-accounts": (
        "password changed refresh token; user enumeration; session fixation; security"
    ),
    "explanation/standards": "rfc; standards; oauth 2; rfc 9068; rfc 6750",
    "explanation/comparison": "alternatives; compare; versus; fastapi-users; authx",
    "explanation/benchmarks": "performance; speed; benchmark; overhead",
    "migrations/fastapi-users": "fastapi-users; fastapi users",
    "migrations/authx": "authx",
    "migrations/simplejwt": "simple jwt; simplejwt; django rest framework jwt",
    "migrations/flask-jwt-extended": "flask-jwt-extended; flask",
    "migrations/starlette-pyjwt": "pyjwt; python-jose; own code",
}


def phrases_of(page: str) -> list[str]:
    """Return what somebody may type who needs a page."""
    return [phrase.strip() for phrase in PHRASES.get(page, "").split(";") if phrase]


def front_matter(phrases: list[str]) -> str:
    """Return the keywords of a page, each of them one word."""
    words = sorted({word for phrase in phrases for word in phrase.split()})
    return f'---\nmyst:\n  html_meta:\n    keywords: "{", ".join(words)}"\n---\n\n'


def write_words(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the words of a page around its title."""
    del app
    phrases = phrases_of(docname)
    if not phrases:
        return

    title, _, rest = source[0].partition("\n")
    # "!" makes an entry a main one: others come after all other results.
    index = f"```{{index}} {', '.join(f'! {phrase}' for phrase in phrases)}\n```\n"
    source[0] = f"{front_matter(phrases)}{title}\n\n{index}\n{rest}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Have Sphinx call this."""
    app.connect("source-read", write_words)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

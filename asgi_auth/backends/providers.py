"""What four identity providers write into their access tokens, as presets.

Each gives a :class:`~asgi_auth.backends.trusted.TrustedIssuer`; whatever differs in
your installation can be said there in full.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

from asgi_auth._drivers.transport import Transport
from asgi_auth._drivers.urls import check_url
from asgi_auth.backends.discovery import discover
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys.jwks import JWKSClient
from asgi_auth.tokens.claim_mapping import ClaimMapping, Path

__all__ = ["AUTH0", "COGNITO", "ENTRA", "auth0", "cognito", "entra", "keycloak"]

_RS256 = ("RS256",)
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_POOL = re.compile(r"([a-z]{2}(?:-[a-z]+)+-\d)_[0-9A-Za-z]+")

AUTH0 = ClaimMapping(scopes=("scope", "permissions"), roles=("roles",))
"""Permissions (RBAC) count as scopes; add the claim of your roles to ``roles``."""

COGNITO = ClaimMapping(
    roles=("cognito:groups",),
    audience="client_id",
    says={"token_use": "access"},
)
"""Groups count as roles; the app client is the audience."""

ENTRA = ClaimMapping(scopes=("scp",), roles=("roles",), needs=(("azp", "appid"),))
"""An ID token may have the same audience, but never names the client (``azp``)."""


def keycloak(
    url: str,
    realm: str,
    *,
    audience: str | Iterable[str],
    client: str | None = None,
    **options: Any,
) -> TrustedIssuer:
    """Trust a realm of Keycloak.

    Args:
        url: Of the server, with the path where it has one.
        realm: Its name.
        audience: What an audience mapper puts into ``aud``.
        client: The client whose own roles count beside those of the realm.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`.
    """
    roles: list[Path] = [("realm_access", "roles")]
    if client is not None:
        roles.append(("resource_access", client, "roles"))

    claim_mapping = ClaimMapping(roles=tuple(roles), says={"typ": "Bearer"})
    issuer = f"{url.rstrip('/')}/realms/{realm}"
    return TrustedIssuer(
        issuer, audience=audience, **{"claim_mapping": claim_mapping, **options}
    )


def auth0(
    domain: str, *, audience: str | Iterable[str], **options: Any
) -> TrustedIssuer:
    """Trust a tenant of Auth0.

    Args:
        domain: For instance ``tenant.eu.auth0.com``, or your custom domain.
        audience: The identifier of the API.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`.
    """
    defaults = {"claim_mapping": AUTH0, "algorithms": _RS256}
    issuer = f"https://{domain}/"
    return TrustedIssuer(issuer, audience=audience, **{**defaults, **options})


def entra(
    tenant: str,
    *,
    audience: str | Iterable[str],
    version: Literal[1, 2] = 2,
    authority: str = "https://login.microsoftonline.com",
    transport: Transport = Transport(),
    **options: Any,
) -> TrustedIssuer:
    """Trust one tenant of Microsoft Entra ID; for several, name each.

    Args:
        tenant: The directory's id, a GUID: tokens name it, and nothing else will do.
        audience: The application's id (version 2), or its ``api://`` URI (version 1).
        version: Of the tokens that the application has chosen in its manifest.
        authority: Of another cloud.
        transport: How it is asked for its keys.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`.

    Raises:
        ConfigurationError: The tenant is no GUID.
    """
    tenant = tenant.lower()
    if _GUID.fullmatch(tenant) is None:
        msg = (
            "entra() needs the GUID of a tenant; for several tenants, call it for each."
        )
        raise ConfigurationError(msg)

    below = "" if version == 1 else "/v2.0"
    at = f"{check_url(authority, 'authority')}/{tenant}{below}"
    # In documents for many tenants, the tenant is left open.
    template = f"{authority}/{{tenantid}}{below}"
    if version == 1:
        template = "https://sts.windows.net/{tenantid}/"

    issuer = template.replace("{tenantid}", tenant)

    async def locate() -> str:
        metadata = await discover(
            issuer, transport=transport, at=at, aliases=(template,)
        )
        return metadata.jwks_uri

    # A key may be that of another tenant, and says so.
    client = JWKSClient(
        locate, algorithms=_RS256, issuers=(issuer, template), transport=transport
    )
    defaults = {"keys": client, "algorithms": _RS256, "claim_mapping": ENTRA}
    return TrustedIssuer(issuer, audience=audience, **{**defaults, **options})


def cognito(
    pool: str, *, client_ids: str | Iterable[str], **options: Any
) -> TrustedIssuer:
    """Trust a user pool of Amazon Cognito.

    Args:
        pool: Its id, for instance ``eu-central-1_AbCdEfGhI``.
        client_ids: The app clients whose tokens are taken.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`.

    Raises:
        ConfigurationError: That is no id of a pool.
    """
    match = _POOL.fullmatch(pool)
    if match is None:
        msg = "cognito() needs the id of a user pool, like eu-central-1_AbCdEfGhI."
        raise ConfigurationError(msg)

    issuer = f"https://cognito-idp.{match[1]}.amazonaws.com/{pool}"
    defaults = {
        "keys": f"{issuer}/.well-known/jwks.json",
        "algorithms": _RS256,
        "claim_mapping": COGNITO,
    }
    return TrustedIssuer(issuer, audience=client_ids, **{**defaults, **options})

"""What five identity providers have in common with the standard, and what not.

Each preset gives an :class:`~asgi_auth.identities.OIDCProvider`. It has a policy for ID
tokens, and takes the words of :class:`~asgi_auth.identities.IDTokenPolicy` one by one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, Self

from asgi_auth._drivers.oauth_client import Client
from asgi_auth.errors import ConfigurationError
from asgi_auth.identities.apple import apple_secret
from asgi_auth.identities.id_token_policy import IDTokenPolicy

__all__ = ["Presets"]

_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Presets:
    """The class methods of :class:`~asgi_auth.identities.OIDCProvider`."""

    @classmethod
    def google(cls, client_id: str, client_secret: str, **options: Any) -> Self:
        """Make the provider for Google accounts.

        Addresses of ``gmail.com`` and of Workspace domains count as verified; others
        may have gone to somebody else since Google has seen them.

        Args:
            client_id: Of the OAuth client.
            client_secret: Of the OAuth client.
            options: As of the class and its policy; ``says={"hd": "shop.example"}``
                admits one Workspace domain only.
        """
        settings = {
            "name": "google",
            "issuer": "https://accounts.google.com",
            "label": "Google",
            "trust_addresses": _google_vouches,
            "algorithms": ("RS256",),
        }
        client = Client(id=client_id, secret=client_secret)
        return cls._make(client, settings, options)

    @classmethod
    def microsoft(
        cls,
        client_id: str,
        client_secret: str,
        *,
        tenant: str,
        authority: str = "https://login.microsoftonline.com",
        **options: Any,
    ) -> Self:
        """Make the provider for one tenant of Microsoft Entra ID.

        An address counts as verified only with the optional claim ``xms_edov``: any
        administrator of any tenant can write any address into ``email``.

        Args:
            client_id: Of the registered application.
            client_secret: Of the registered application.
            tenant: The directory's id, a GUID; for several, make one for each.
            authority: Of another cloud.
            options: As of the class and its policy; ``subject="oid"`` names users as
                Graph does.

        Raises:
            ConfigurationError: The tenant is no GUID.
        """
        tenant = tenant.lower()
        if _GUID.fullmatch(tenant) is None:
            msg = "microsoft() needs the GUID of a tenant; for several, one for each."
            raise ConfigurationError(msg)

        settings = {
            "name": "microsoft",
            "issuer": f"{authority}/{tenant}/v2.0",
            "label": "Microsoft",
            "trust_addresses": _microsoft_vouches,
            "algorithms": ("RS256",),
            # Keys may be those of all tenants, and say so.
            "aliases": (f"{authority}/{{tenantid}}/v2.0",),
            "says": {"tid": tenant},
        }
        client = Client(id=client_id, secret=client_secret)
        return cls._make(client, settings, options)

    @classmethod
    def apple(
        cls,
        client_id: str,
        *,
        team_id: str,
        key_id: str,
        private_key: str,
        **options: Any,
    ) -> Self:
        """Make the provider for Sign in with Apple.

        Its answer is a form that Apple's page posts, so cookies have to be secure.

        Args:
            client_id: The Services ID.
            team_id: Of the developer account.
            key_id: Of the key for "Sign in with Apple".
            private_key: That key, as the ``.p8`` file has it.
            options: As of the class and its policy.

        Raises:
            ConfigurationError: The key is none.
        """
        secret = apple_secret(client_id, team_id, key_id, private_key)
        settings = {
            "name": "apple",
            "issuer": "https://appleid.apple.com",
            "label": "Apple",
            "scopes": ("openid", "email", "name"),
            "trust_addresses": _apple_vouches,
            "algorithms": ("RS256", "ES256"),
            "posts": True,
        }
        client = Client(id=client_id, secret=secret, method="post")
        return cls._make(client, settings, options)

    @classmethod
    def gitlab(
        cls,
        client_id: str,
        client_secret: str,
        *,
        url: str = "https://gitlab.com",
        **options: Any,
    ) -> Self:
        """Make the provider for GitLab.

        The addresses of gitlab.com count as verified, those of other instances by
        ``trust_addresses=True``.

        Args:
            client_id: Of the application.
            client_secret: Of the application.
            url: Of an instance of your own.
            options: As of the class and its policy.
        """
        url = url.rstrip("/")
        settings = {
            "name": "gitlab",
            "issuer": url,
            "label": "GitLab",
            "trust_addresses": url == "https://gitlab.com",
        }
        client = Client(id=client_id, secret=client_secret)
        return cls._make(client, settings, options)

    @classmethod
    def keycloak(
        cls, client_id: str, client_secret: str, *, url: str, realm: str, **options: Any
    ) -> Self:
        """Make the provider for a realm of Keycloak.

        Whether its addresses are verified is yours to say: ``trust_addresses=True``.

        Args:
            client_id: Of the client.
            client_secret: Of the client.
            url: Of the server, with the path where it has one.
            realm: Its name.
            options: As of the class and its policy.
        """
        settings = {
            "name": "keycloak",
            "issuer": f"{url.rstrip('/')}/realms/{realm}",
            "label": "Keycloak",
        }
        client = Client(id=client_id, secret=client_secret)
        return cls._make(client, settings, options)

    @classmethod
    def _make(
        cls, client: Client, settings: Mapping[str, Any], options: Mapping[str, Any]
    ) -> Self:
        if "id_token_policy" in options:
            msg = "A preset has a policy: say what differs alone, as in says={...}."
            raise ConfigurationError(msg)

        chosen: dict[str, Any] = {"client": client, **settings, **options}
        # What the preset demands of a token stays demanded.
        chosen["says"] = {**settings.get("says", {}), **options.get("says", {})}
        words = [each.name for each in fields(IDTokenPolicy) if each.name in chosen]
        policy = IDTokenPolicy(**{word: chosen.pop(word) for word in words})
        return cls(**{**chosen, "id_token_policy": policy})


def _google_vouches(claims: Mapping[str, Any]) -> bool:
    """Judge by what Google calls authoritative: its own domains, and Workspace."""
    email, domain = claims.get("email"), claims.get("hd")
    is_theirs = isinstance(email, str) and email.lower().endswith("@gmail.com")
    is_hosted = isinstance(domain, str) and domain != ""
    return claims.get("email_verified") is True and (is_theirs or is_hosted)


def _microsoft_vouches(claims: Mapping[str, Any]) -> bool:
    """Judge by whether the owner of the domain is known (``xms_edov``)."""
    return claims.get("xms_edov") in (True, 1, "1", "true")


def _apple_vouches(claims: Mapping[str, Any]) -> bool:
    """Judge by a claim that Apple writes as a text or as a truth value."""
    return claims.get("email_verified") in (True, "true")

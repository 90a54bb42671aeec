"""Read from the command line whose token it is, where it is not one of our own.

Nothing is verified here.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from asgi_auth._drivers.transport import Transport
from asgi_auth.backends.assertions import alb, cloudflare_access, google_iap
from asgi_auth.backends.machines import (
    github_actions,
    google_service_accounts,
    kubernetes,
    spiffe,
)
from asgi_auth.backends.providers import auth0, cognito, entra, keycloak
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
from asgi_auth.cli._secrets import has_keys
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import KeySet
from asgi_auth.keys._jwks import read_jwks
from asgi_auth.tokens.verification import FOREIGN

__all__ = ["add_foreign_options", "is_foreign", "read_issuer"]

PRESETS: dict[str, Callable[..., TrustedIssuer]] = {
    "adfs": adfs,
    "alb": alb,
    "auth0": auth0,
    "clerk": clerk,
    "cloudflare": cloudflare_access,
    "cognito": cognito,
    "entra": entra,
    "entra-b2c": entra_b2c,
    "firebase": firebase,
    "github-actions": github_actions,
    "google": google_service_accounts,
    "iap": google_iap,
    "keycloak": keycloak,
    "kubernetes": kubernetes,
    "okta": okta,
    "spiffe": spiffe,
    "supabase": supabase,
    "zitadel": zitadel,
}


def add_foreign_options(parser: Any) -> None:
    """Describe the options for tokens of others."""
    group = parser.add_argument_group("tokens of other issuers")
    group.add_argument(
        "--discover",
        action="store_true",
        help="find the keys by the metadata of --issuer, though there are own keys",
    )
    group.add_argument(
        "--jwks", metavar="URL|FILE", help="where the keys of the issuer are"
    )
    group.add_argument(
        "--preset", choices=sorted(PRESETS), help="take the tokens of this platform"
    )
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an argument of the preset, for instance realm=shop; may come again",
    )
    group.add_argument(
        "--insecure-http",
        action="store_true",
        help="take http to private addresses and names",
    )


def is_foreign(options: argparse.Namespace) -> bool:
    """Say whether the options speak of another issuer.

    An issuer without a key of our own to verify with is one.
    """
    if options.set and options.preset is None:
        msg = "--set is for arguments of a --preset."
        raise ConfigurationError(msg)

    if options.discover or options.jwks or options.preset:
        return True

    is_ours = options.store is not None or options.kind != "access"
    return options.issuer is not None and not is_ours and not has_keys(options)


def read_issuer(options: argparse.Namespace) -> TrustedIssuer:
    """Return the issuer that the options name.

    Raises:
        ConfigurationError: They do not fit together.
    """
    more: dict[str, Any] = {"verification": replace(FOREIGN, cache_size=0)}
    if options.insecure_http:
        more["transport"] = Transport(insecure_http=True)

    if options.jwks is not None:
        more |= _keys(options.jwks)

    if options.preset is None:
        if options.issuer is None or options.audience is None:
            msg = "Give --issuer and --audience: what iss and aud must be."
            raise ConfigurationError(msg)

        return TrustedIssuer(options.issuer, audience=options.audience, **more)

    arguments = dict(map(_pair, options.set))
    if options.audience is not None:
        arguments.setdefault("audience", options.audience)

    if options.issuer is not None:
        arguments.setdefault("issuer", options.issuer)

    try:
        return PRESETS[options.preset](**arguments, **more)
    except TypeError as error:
        # Python names the argument that is missing, or that is unknown.
        reason = str(error).partition("() ")[2]
        msg = f"The preset {options.preset} {reason}: see --set NAME=VALUE."
        raise ConfigurationError(msg) from None


def _keys(place: str) -> dict[str, Any]:
    if "://" in place:
        return {"keys": place}

    try:
        body = Path(place).read_bytes()
    except (OSError, ValueError) as error:
        msg = f"{place} cannot be read ({type(error).__name__})."
        raise ConfigurationError(msg) from None

    return {"keys": KeySet(read_jwks(body).keys)}


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        msg = f"--set takes NAME=VALUE, not {text!r}."
        raise ConfigurationError(msg)

    return name.replace("-", "_"), value

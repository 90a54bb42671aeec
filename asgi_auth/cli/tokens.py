"""Issue a token, look into one, or verify one.

What was not checked is said each time: looking into a token is no verification, and
without a store it is unknown what is revoked.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import time
from collections.abc import Mapping
from typing import Any

from asgi_auth.cli._explain import explain
from asgi_auth.cli._foreign import add_foreign_options, is_foreign, read_issuer
from asgi_auth.cli._help import add_verbs
from asgi_auth.cli._say import remark, say, say_json, say_verdict, times_of
from asgi_auth.cli._secrets import add_key_options, read_keys, read_token
from asgi_auth.cli._stores import add_store_option, open_store
from asgi_auth.errors import ConfigurationError, InvalidTokenError
from asgi_auth.sessions import SessionPolicy, TokenService
from asgi_auth.tokens.claims import DAY
from asgi_auth.tokens.codec import peek

__all__ = ["add"]

_TIMES = ("iat", "nbf", "auth_time", "exp")


def add(commands: Any) -> None:
    """Describe the command ``token`` and its three verbs."""
    parser = commands.add_parser(
        "token",
        help="issue, inspect or verify a token",
        description="Tokens come on the standard input, not as an argument: whoever "
        "sees the list of processes would have them.",
    )
    verbs = add_verbs(parser)
    _add_issue(verbs)
    _add_inspect(verbs)
    _add_verify(verbs)


def _add_issue(verbs: Any) -> None:
    parser = verbs.add_parser(
        "issue",
        help="sign an access token, without a session",
        epilog="example: asgi-auth token issue ada --scope orders:read --ttl 300 "
        "--json",
    )
    parser.add_argument("subject", help="whose token it is")
    parser.add_argument("--scope", action="append", default=[], help="may come again")
    parser.add_argument("--role", action="append", default=[], help="may come again")
    parser.add_argument(
        "--claim",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a further claim; its value is JSON, or else a text",
    )
    parser.add_argument(
        "--ttl", type=float, default=900, help="seconds, at most a day (900)"
    )
    parser.add_argument("--issuer", help="the iss")
    parser.add_argument("--audience", help="the aud")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_key_options(parser)
    parser.set_defaults(run=_issue)


def _add_inspect(verbs: Any) -> None:
    parser = verbs.add_parser(
        "inspect",
        help="show what a token says; nothing is verified",
        epilog="example: asgi-auth token inspect < token.txt",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_inspect)


def _add_verify(verbs: Any) -> None:
    parser = verbs.add_parser(
        "verify",
        help="tell whether a token is good, and show what it says",
        description="Verify signature, kind, times, issuer and audience; with --store "
        "also whether it is revoked. Without keys of your own, or with --discover, "
        "--jwks or --preset, the token is that of another issuer, and each rule is "
        "explained. The exit status is 0 for a good token, else 1.",
        epilog="example: asgi-auth token verify --issuer https://api.example "
        "--audience orders < token.txt",
    )
    parser.add_argument(
        "--kind",
        choices=["access", "refresh", "verify", "reset"],
        default="access",
        help="what it has to be (access)",
    )
    parser.add_argument("--issuer", help="the iss that it must have")
    parser.add_argument("--audience", help="the aud that it must have")
    add_foreign_options(parser)
    add_store_option(parser, "who knows revocations")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_key_options(parser)
    parser.set_defaults(run=_verify)


def _issue(options: argparse.Namespace) -> int:
    if not options.ttl > 0:
        msg = "--ttl must be more than 0 seconds."
        raise ConfigurationError(msg)

    tokens = TokenService(
        read_keys(options),
        issuer=options.issuer,
        audience=options.audience,
        session_policy=SessionPolicy(access_ttl=DAY),
    )
    token = tokens.mint(
        options.subject,
        ttl=options.ttl,
        scopes=options.scope,
        roles=options.role,
        claims=dict(map(_claim, options.claim)),
    )
    if options.json:
        _, claims = peek(token.encode()) or ({}, {})
        say_json({"token": token, "claims": dict(claims)})
    else:
        say(token)

    if options.audience is None:
        remark("Without --audience any service that has the key accepts it.")

    return 0


def _claim(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        msg = f"--claim takes NAME=VALUE, not {text!r}."
        raise ConfigurationError(msg)

    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _inspect(options: argparse.Namespace) -> int:
    parts = peek(read_token().encode("utf-8", "replace"))
    if parts is None:
        remark("This is no signed JWT in compact form.")
        return 1

    _show(*parts, {"verified": False}, as_json=options.json)
    remark("Nothing was verified: anybody can write such a token.")
    return 0


def _verify(options: argparse.Namespace) -> int:
    if is_foreign(options):
        return _explain(options)

    token = read_token()
    try:
        claims = asyncio.run(_verified(token, options))
    except InvalidTokenError as error:
        if options.json:
            say_json({"verified": False, "error": error.code, "reason": str(error)})

        remark(f"Refused: {error}.")
        return 1

    unchecked = ["revocation"] if options.store is None else []
    verdict = {"verified": True, "kind": options.kind, "not_checked": unchecked}
    header, _ = peek(token.encode()) or ({}, {})
    _show(header, claims, verdict, as_json=options.json)
    remark(
        f"Good: signature, times, kind {options.kind}, "
        f"issuer {options.issuer or '(none)'}, audience {options.audience or '(none)'}."
    )
    if unchecked:
        remark("NOT checked: whether it is revoked. Give it a --store for that.")

    return 0


def _explain(options: argparse.Namespace) -> int:
    trusted = read_issuer(options)
    token = read_token().encode("utf-8", "replace")
    explanation = asyncio.run(explain(trusted, token))
    header, claims = peek(token) or ({}, {})
    if options.json:
        rules = [rule._asdict() for rule in explanation.rules]
        report = {
            "verified": explanation.is_good,
            "rules": rules,
            "dropped": explanation.dropped,
        }
        say_json({**report, "header": dict(header), "claims": dict(claims)})
    else:
        for rule in explanation.rules:
            text = f"{rule.name:<10} {ascii(rule.text)[1:-1]}"
            say_verdict(text, is_good=rule.holds)

    for name in explanation.dropped:
        remark(f"{name} has an odd shape, and is left out: what needs it fails.")

    if explanation.is_good and explanation.claims is not None:
        for name in ("sub", "scope", "roles"):
            remark(f"{name}: {explanation.claims.get(name)!a}")

    remark("Good." if explanation.is_good else "Refused.")
    remark("NOT checked: whether it is revoked.")
    return int(not explanation.is_good)


async def _verified(token: str, options: argparse.Namespace) -> Mapping[str, Any]:
    keys = read_keys(options)
    async with open_store(options.store) as store:
        tokens = TokenService(
            keys, store=store, issuer=options.issuer, audience=options.audience
        )
        async with contextlib.aclosing(tokens):
            return await tokens.verify(
                token, options.kind, insecure_ignore_confirmation=True
            )


def _show(
    header: Mapping[str, Any],
    claims: Mapping[str, Any],
    report: Mapping[str, Any],
    *,
    as_json: bool,
) -> None:
    if as_json:
        say_json({**report, "header": dict(header), "claims": dict(claims)})
        return

    say_json({"header": dict(header), "claims": dict(claims)})
    for name, distance in times_of(claims, _TIMES, time.time()).items():
        remark(f"{name}: {distance}")

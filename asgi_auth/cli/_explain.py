"""Say of each rule whether a foreign token keeps it, also after the first broken one.

The rules themselves are those of the backends; nothing is judged a second time here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from asgi_auth._frozen import FrozenDict
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.errors import InvalidTokenError
from asgi_auth.tokens.claims import ClaimsRules
from asgi_auth.tokens.codec import peek
from asgi_auth.tokens.verifier import TokenVerifier

__all__ = ["Explanation", "Rule", "explain"]

# Claims that are looked at together, under the name of their rule.
_GROUPS = {
    "issuer": ("iss",),
    "audience": ("aud",),
    "kind": (
        "type",
        "typ",
        "token_use",
        "token_type",
        "nonce",
        "at_hash",
        "c_hash",
        "events",
    ),
    "subject": ("sub",),
    "end": ("exp",),
    "beginning": ("nbf", "iat"),
}
_READ = {"jti", "sid", "acr", "client_id", "auth_time", "iat"}


class Rule(NamedTuple):
    """One rule, and what it says of the token.

    Attributes:
        name: A word for it.
        holds: Whether it does.
        text: What was found.
    """

    name: str
    holds: bool
    text: str


class Explanation(NamedTuple):
    """All rules.

    Attributes:
        rules: In the order in which they are asked.
        claims: What was read from the token, or ``None`` where nothing could be.
        dropped: Claims that have an odd shape, and are of no use.
    """

    rules: tuple[Rule, ...]
    claims: Mapping[str, Any] | None
    dropped: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether every rule holds."""
        return all(rule.holds for rule in self.rules)


async def explain(trusted: TrustedIssuer, token: bytes) -> Explanation:
    """Look at a token by every rule of an issuer.

    Args:
        trusted: The issuer.
        token: The token; one that is no compact JWS breaks the first rule.

    Raises:
        UnavailableError: The keys cannot be had.
    """
    parts = peek(token)
    if parts is None:
        fault = Rule("form", holds=False, text="it is no signed JWT in compact form")
        return Explanation((fault,), None, ())

    header, claims = parts
    await trusted.warm_up()
    verifier = trusted.verifier
    if verifier is None:  # pragma: no cover - it has been made just now
        return Explanation((), None, ())

    rules = [
        Rule("form", holds=True, text=f"a JWT of {len(token)} bytes"),
        await _signature(trusted, token, header),
        _type(verifier, header),
    ]
    try:
        translated = trusted.read(claims)
    except InvalidTokenError as error:
        rules.append(Rule("mapping", holds=False, text=str(error)))
        translated = claims
    else:
        rules.append(Rule("mapping", holds=True, text="all that it asks for is there"))

    rules += _claims(verifier.rules, translated)
    verdict = await _verdict(trusted, token)
    if all(rule.holds for rule in rules) and not verdict.holds:
        rules.append(verdict)

    dropped = tuple(
        sorted(name for name in _READ & claims.keys() if name not in translated)
    )
    return Explanation(tuple(rules), translated, dropped)


async def _signature(
    trusted: TrustedIssuer, token: bytes, header: Mapping[str, Any]
) -> Rule:
    what = f"alg {header.get('alg')!r}, kid {header.get('kid')!r}"
    try:
        await trusted.decode(token)
    except InvalidTokenError as error:
        keys = trusted.verifier.keys if trusted.verifier is not None else ()
        kids = ", ".join(f"{key.kid} ({key.algorithm})" for key in keys)
        return Rule(
            "signature", holds=False, text=f"{what}: {error}; the keys are {kids}"
        )

    return Rule("signature", holds=True, text=f"{what}: made with a key of the issuer")


def _type(verifier: TokenVerifier, header: Mapping[str, Any]) -> Rule:
    typ = header.get("typ")
    bare = typ.lower().removeprefix("application/") if isinstance(typ, str) else ""
    types = ", ".join(sorted(name or "none" for name in verifier.types))
    return Rule(
        "type", holds=bare in verifier.types, text=f"typ is {typ!r}; taken: {types}"
    )


def _claims(rules: ClaimsRules, claims: Mapping[str, Any]) -> Iterator[Rule]:
    now = time.time()
    for name, members in _GROUPS.items():
        # Whatever else the token says is replaced by what would be good.
        looked_at = {**_good(rules, now)}
        for member in members:
            looked_at.pop(member, None)
            if member in claims:
                looked_at[member] = claims[member]

        values = {member: claims[member] for member in members if member in claims}
        text = ", ".join(f"{key} is {value!r}" for key, value in values.items())[:300]
        try:
            rules.check(FrozenDict(looked_at), now)
        except InvalidTokenError as error:
            reason = str(error) or error.public_message
            yield Rule(
                name, holds=False, text=f"{reason} ({text or 'nothing is said'})"
            )
        else:
            yield Rule(name, holds=True, text=text or "nothing is said")


def _good(rules: ClaimsRules, now: float) -> dict[str, Any]:
    claims: dict[str, Any] = {"sub": "somebody", "exp": int(now) + 60}
    if rules.issuer is not None:
        claims["iss"] = rules.issuer

    if rules.audience:
        claims["aud"] = min(rules.audience)

    return claims


async def _verdict(trusted: TrustedIssuer, token: bytes) -> Rule:
    try:
        await trusted.admit(token)
    except InvalidTokenError as error:
        return Rule("other", holds=False, text=str(error) or error.public_message)

    return Rule("other", holds=True, text="")

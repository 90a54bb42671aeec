"""Verify one token: signature, exp, iss and aud, library against library."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Iterator
from typing import Any

import jwt

from asgi_auth import JWTBackend, TokenVerifier
from asgi_auth._encoding import b64url_decode
from asgi_auth.credentials.reader import Credential
from asgi_auth.tokens import Verification
from benchmarks.material import ALGORITHMS, AUDIENCE, ISSUER, Material
from benchmarks.measure import Probe, interleave, of_function
from benchmarks.report import number, table

__all__ = ["run", "show"]

REFERENCE = "PyJWT, key as text"

Verify = Callable[[Any], Any]


def run(rounds: int) -> dict[str, Any]:
    """Time every library with every algorithm."""
    probes, skipped = [], []
    for algorithm in ALGORITHMS:
        material = Material(algorithm)
        token = material.token()
        for name, make in CONTESTANTS.items():
            try:
                verify, item = make(material, token)
                verify(item)
            except ImportError as error:
                skipped.append(f"{name}: {error}")
            except _UnsupportedError as error:
                skipped.append(f"{name}, {algorithm}: {error}")
            else:
                probes.append(of_function((name, algorithm), verify, item))

    asyncio.run(interleave(probes, rounds))
    return {
        "rounds": rounds,
        "skipped": list(dict.fromkeys(skipped)),
        "rows": [*_rows(probes)],
    }


def show(result: dict[str, Any]) -> str:
    """Lay out microseconds, and how many times faster than the reference."""
    found = {(row["contestant"], row["algorithm"]): row for row in result["rows"]}
    rows = []
    for name in dict.fromkeys(row["contestant"] for row in result["rows"]):
        cells = [found.get((name, algorithm)) for algorithm in ALGORITHMS]
        rows.append([name, *map(_cell, cells)])

    head = ["µs a token (ratio to bare jwt.decode)", *ALGORITHMS]
    return table(head, rows)


def _cell(row: dict[str, Any] | None) -> str:
    return "-" if row is None else f"{number(row['us'])} ({number(row['ratio'])})"


def _rows(probes: list[Probe]) -> Iterator[dict[str, Any]]:
    reference = {p.name[1]: p.best for p in probes if p.name[0] == REFERENCE}
    for probe in probes:
        name, algorithm = probe.name
        yield {
            "contestant": name,
            "algorithm": algorithm,
            "us": probe.best,
            "us_median": probe.median,
            "ratio": probe.best / reference[algorithm],
        }


class _UnsupportedError(Exception):
    pass


def _signature(material: Material, token: str) -> tuple[Verify, Any]:
    signed, _, signature = token.encode().rpartition(b".")
    algorithm = jwt.get_algorithm_by_name(material.algorithm)
    if material.is_symmetric:
        key, mac = material.secret.encode(), b64url_decode(signature)
        return lambda text: hmac.compare_digest(
            hmac.digest(key, text, "sha256"), mac
        ), signed

    public = algorithm.prepare_key(material.verify_key)
    raw = b64url_decode(signature)
    return lambda text: algorithm.verify(text, public, raw), signed


def _pyjwt(material: Material, token: str) -> tuple[Verify, Any]:
    return material.decode, token


def _pyjwt_object(material: Material, token: str) -> tuple[Verify, Any]:
    algorithm = jwt.get_algorithm_by_name(material.algorithm)
    key: Any = algorithm.prepare_key(material.verify_key)
    return lambda text: jwt.decode(
        text, key, algorithms=[material.algorithm], audience=AUDIENCE, issuer=ISSUER
    ), token


def _joserfc(material: Material, token: str) -> tuple[Verify, Any]:
    from joserfc import jwk
    from joserfc import jwt as theirs

    if material.is_symmetric:
        key: Any = jwk.OctKey.import_key(material.secret)
    else:
        kind = {"RS256": jwk.RSAKey, "ES256": jwk.ECKey, "EdDSA": jwk.OKPKey}
        key = kind[material.algorithm].import_key(material.verify_key)

    rules = theirs.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
    )

    def verify(text: str) -> None:
        rules.validate(theirs.decode(text, key, [material.algorithm]).claims)

    return verify, token


def _authlib(material: Material, token: str) -> tuple[Verify, Any]:
    import warnings

    # It insists on printing that the module is deprecated: recorded, it does not.
    with warnings.catch_warnings(record=True):
        from authlib.jose import JsonWebKey, JsonWebToken

        if material.is_symmetric:
            key = JsonWebKey.import_key(material.secret, {"kty": "oct"})
        else:
            key = JsonWebKey.import_key(material.verify_key)

        theirs = JsonWebToken([material.algorithm])

    rules = {
        "iss": {"essential": True, "value": ISSUER},
        "aud": {"essential": True, "value": AUDIENCE},
        "exp": {"essential": True},
    }

    def verify(text: str) -> None:
        theirs.decode(text, key, claims_options=rules).validate()

    return verify, token


def _python_jose(material: Material, token: str) -> tuple[Verify, Any]:
    from jose import jwt as theirs

    if material.algorithm == "EdDSA":
        msg = "has no EdDSA"
        raise _UnsupportedError(msg)

    return lambda text: theirs.decode(
        text,
        material.verify_key,
        algorithms=[material.algorithm],
        audience=AUDIENCE,
        issuer=ISSUER,
    ), token


def _ours(material: Material, token: str) -> tuple[Verify, Any]:
    verifier = TokenVerifier(
        material.keys,
        issuer=ISSUER,
        audience=AUDIENCE,
        verification=Verification(cache_size=0),
    )
    return verifier.verify, token.encode()


def _ours_cached(material: Material, token: str) -> tuple[Verify, Any]:
    verifier = TokenVerifier(material.keys, issuer=ISSUER, audience=AUDIENCE)
    backend = JWTBackend(verifier)
    credential = Credential(token.encode(), "header")
    asyncio.run(backend.authenticate(credential, {}))

    def recall(seen: Credential) -> None:
        if backend.recognise(seen.token, seen.source) is None:
            msg = "the token was forgotten"
            raise RuntimeError(msg)

    return recall, credential


CONTESTANTS: dict[str, Callable[[Material, str], tuple[Verify, Any]]] = {
    "the signature alone": _signature,
    "asgi_auth, seen before": _ours_cached,
    "asgi_auth": _ours,
    REFERENCE: _pyjwt,
    "PyJWT, key prepared": _pyjwt_object,
    "joserfc": _joserfc,
    "authlib": _authlib,
    "python-jose": _python_jose,
}

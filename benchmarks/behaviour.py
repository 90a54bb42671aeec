"""What everybody answers to requests that are odd, old or hostile.

Nothing is timed here. Each contestant's application of the suite ``asgi`` gets the
same requests; its answers are written down as they come, and next to each question
stands what this library holds to be right, and why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from asgi_auth._asgi import ASGIApp, Message, Scope
from benchmarks.asgi import requests
from benchmarks.contestants import CONTESTANTS, NotThereError, Pair, load
from benchmarks.material import Material, claims, forge
from benchmarks.report import table

__all__ = ["QUESTIONS", "ask", "run", "show"]

_LEFT_OUT = {"asgi_auth, cache off"}


@dataclass(frozen=True)
class _Sender:
    """Makes requests that suit one contestant."""

    material: Material
    pair: Pair

    def token(self, **said: Any) -> str:
        """Sign the usual claims with *said* over them; ``None`` leaves one out."""
        merged = {**claims(), **said}
        kept = {name: value for name, value in merged.items() if value is not None}
        return self.material.token(self.pair.adapt(kept))

    def forged(self) -> str:
        return forge(self.token(), self.token())


@dataclass(frozen=True)
class _Question:
    """One odd request.

    Attributes:
        key: Its name in the JSON.
        text: What is asked.
        right: What should come of it, and where that is said.
        ask: Sends it, and says what came.
    """

    key: str
    text: str
    right: str
    ask: Callable[[_Sender], Any]


def run(rounds: int) -> dict[str, Any]:
    """Ask everybody everything; *rounds* is not needed, since nothing is timed."""
    logging.disable(logging.CRITICAL)  # Their 500s come with tracebacks.
    try:
        return asyncio.run(ask(CONTESTANTS))
    finally:
        logging.disable(logging.NOTSET)


async def ask(contestants: Iterable[str]) -> dict[str, Any]:
    """Collect the answers of *contestants*."""
    material = Material("HS256")
    skipped: list[str] = []
    answers: dict[str, dict[str, str]] = {}
    for name in contestants:
        if name in _LEFT_OUT:
            continue

        try:
            pair = load(name)(material, "http")
        except (ImportError, NotThereError) as error:
            skipped.append(f"{name}: {error}")
            continue

        sender = _Sender(material, pair)
        answers[name] = {q.key: await q.ask(sender) for q in QUESTIONS}

    return {"skipped": skipped, "questions": [*_told()], "answers": answers}


def show(result: Mapping[str, Any]) -> str:
    """Lay out one line a question, then what is right."""
    answers = result["answers"]
    rows = [
        [question["text"], *(answers[name][question["key"]] for name in answers)]
        for question in result["questions"]
    ]
    right = [f"{q['text']}: {q['right']}" for q in result["questions"]]
    return "\n".join([table(["asked", *answers], rows), "", "What is right:", *right])


def _told() -> Iterator[dict[str, str]]:
    for question in QUESTIONS:
        yield {"key": question.key, "text": question.text, "right": question.right}


# ------------------------------------------------------------------------- questions


async def _lower_case(sender: _Sender) -> str:
    return await _reads(sender, lambda token: f"bearer {token}")


async def _basic(sender: _Sender) -> str:
    return await _reads(sender, lambda token: f"Basic {token}")


async def _no_scheme(sender: _Sender) -> str:
    return await _reads(sender, lambda token: token)


async def _refresh(sender: _Sender) -> str:
    return await _verdict(sender, sender.token(type="refresh"))


async def _endless(sender: _Sender) -> str:
    return await _verdict(sender, sender.token(exp=None))


async def _milliseconds(sender: _Sender) -> str:
    return await _verdict(sender, sender.token(exp=claims()["exp"] * 1000))


async def _twice(sender: _Sender) -> str:
    """Send a good header, then a foreign one: two parsers may choose differently."""
    good, foreign = _bearer(sender.token()), _bearer(sender.forged())
    first = await _send(sender.pair.guarded, good, foreign)
    last = await _send(sender.pair.guarded, foreign, good)
    told = dict.fromkeys((first.verdict, last.verdict))
    return " or ".join(told)


async def _bytes(sender: _Sender) -> str:
    return (await _send(sender.pair.guarded, b"Bearer \xff\xfe")).verdict


async def _odd_claims(sender: _Sender) -> str:
    """A token of the right issuer, whose further claims are of odd types."""
    return await _verdict(sender, sender.token(extras="text", scope=[1]))


async def _list(sender: _Sender) -> str:
    """A rightly signed token, whose payload is a list."""
    signed = jwt.api_jws.encode(
        b"[1]", sender.material.signing_key, sender.material.algorithm
    )
    return await _verdict(sender, signed)


async def _challenge(sender: _Sender) -> str:
    old = sender.material.token(sender.pair.adapt(claims(age=7200)))
    answer = await _send(sender.pair.guarded, _bearer(old))
    return f"{answer.status} {answer.challenge or 'without a challenge'}"


QUESTIONS = (
    _Question(
        "lower case",
        "bearer in lower case",
        "read: the scheme knows no case (RFC 9110, section 11.1)",
        _lower_case,
    ),
    _Question(
        "basic",
        "a token under Basic",
        "not read: another scheme is another credential (RFC 6750, section 2.1)",
        _basic,
    ),
    _Question(
        "no scheme",
        "a token without a scheme",
        "not read (RFC 6750, section 2.1)",
        _no_scheme,
    ),
    _Question(
        "refresh",
        "type: refresh as an access token",
        "refused: one kind is never taken for another (RFC 8725, section 3.12)",
        _refresh,
    ),
    _Question(
        "endless",
        "a token without exp",
        "refused: exp is required (RFC 9068, section 2.2)",
        _endless,
    ),
    _Question(
        "milliseconds",
        "exp in milliseconds",
        "refused: it would be good for thousands of years",
        _milliseconds,
    ),
    _Question(
        "twice",
        "two Authorization headers, one good",
        "refused with 400, whichever comes first (RFC 6750, section 3.1)",
        _twice,
    ),
    _Question(
        "bytes",
        "bytes that are no text",
        "refused, never a 500",
        _bytes,
    ),
    _Question(
        "odd claims",
        "signed further claims of odd types",
        "refused or unread, never a 500",
        _odd_claims,
    ),
    _Question(
        "list",
        "a signed list as payload",
        "refused, never a 500 (RFC 7519, section 7.2)",
        _list,
    ),
    _Question(
        "challenge",
        "an expired token",
        '401 with error="invalid_token" (RFC 6750, section 3)',
        _challenge,
    ),
)


# --------------------------------------------------------------------------- sending


@dataclass(frozen=True)
class _Answer:
    """What came back.

    Attributes:
        status: Of the answer; 500 also for an exception, as servers do.
        challenge: What ``WWW-Authenticate`` says.
        nobody: The request was let through, and the caller is marked as unknown.
    """

    status: str
    challenge: str = ""
    nobody: bool = False

    @property
    def verdict(self) -> str:
        if self.status != "200":
            return self.status

        return "nobody" if self.nobody else "accepted"


async def _reads(sender: _Sender, form: Callable[[str], str]) -> str:
    """Tell whether a form of the header is read at all.

    A middleware that finds no token may let the request through as nobody's. So the
    form is sent with a good and with a forged token: only if it is read they differ.
    """
    good = await _send(sender.pair.guarded, form(sender.token()).encode())
    bad = await _send(sender.pair.guarded, form(sender.forged()).encode())
    return "not read" if good.verdict == bad.verdict else "read"


async def _verdict(sender: _Sender, token: str) -> str:
    return (await _send(sender.pair.guarded, _bearer(token))).verdict


def _bearer(token: str) -> bytes:
    return b"Bearer " + token.encode()


async def _send(app: ASGIApp, *sent: bytes) -> _Answer:
    scope = _scope(sent)
    answers: list[Message] = []

    async def keep(message: Message) -> None:
        answers.append(message)

    try:
        await app(scope, _receive, keep)
    except Exception:  # noqa: BLE001 - a server would answer for them
        return _Answer("500")

    challenges = [
        value.decode("latin-1")
        for name, value in answers[0]["headers"]
        if name.lower() == b"www-authenticate"
    ]
    # Who never refuses leaves the caller in the scope that it was given.
    user = scope.get("user")
    nobody = not getattr(user, "is_authenticated", True)
    return _Answer(str(answers[0]["status"]), _error_of(challenges), nobody)


def _error_of(challenges: list[str]) -> str:
    if not challenges:
        return ""

    _, found, rest = challenges[0].partition("error=")
    return rest.split(",")[0].strip('"') if found else challenges[0].split(" ")[0]


def _scope(sent: Iterable[bytes]) -> Scope:
    scope = requests([None])(1)[0]
    scope["headers"] += [(b"authorization", value) for value in sent]
    return scope


async def _receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}

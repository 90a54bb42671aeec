"""Add passkeys and log in with them: what is asked, and whether the answer is good.

It opens no session, and looks at no account. What it is that was asked, and whether it
was answered before, is in the module of the questions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from asgi_auth._clock import Clock, system_clock
from asgi_auth._drivers.webauthn_values import BadAnswerError
from asgi_auth._encoding import b64url_decode, b64url_encode
from asgi_auth._logs import package_logger
from asgi_auth.accounts import Account
from asgi_auth.errors import InvalidTokenError
from asgi_auth.passkeys.errors import (
    DuplicatePasskeyError,
    PasskeyNotMadeError,
    TooManyPasskeysError,
)
from asgi_auth.passkeys.questions import (
    Ceremony,
    CeremonyTokens,
    Purpose,
    Question,
    Questions,
    new_handle,
)
from asgi_auth.passkeys.records import Passkey
from asgi_auth.passkeys.settings import Passkeys
from asgi_auth.passkeys.uses import Uses, refuse

__all__ = ["AMR", "Ceremonies", "amr_of"]

_logger = package_logger(__name__)

AMR: Final = ("user", "mfa")
"""What each log-in with a passkey has shown (RFC 8176): presence, and two factors."""

_BROWSER: Final = "browser"
_TRANSPORT: Final = re.compile(r"[a-z][a-z-]{0,31}")
_TRANSPORTS: Final = 8


class Ceremonies:
    """Asks authenticators, and judges what they answer.

    Args:
        passkeys: The settings, and the store.
        tokens: Signs questions, and knows which were answered.
        clock: Returns Unix seconds.
    """

    __slots__ = (
        "_authenticators",
        "_clock",
        "_passkeys",
        "_questions",
        "_store",
        "_uses",
    )

    def __init__(
        self, passkeys: Passkeys, tokens: CeremonyTokens, *, clock: Clock = system_clock
    ) -> None:
        self._passkeys = passkeys
        self._store = passkeys.store
        self._authenticators = passkeys.authenticators
        self._questions = Questions(tokens, rp_id=passkeys.rp_id, ttl=passkeys.ttl)
        self._uses = Uses(passkeys, tokens, clock)
        self._clock = clock

    async def begin_adding(self, account: Account, session: str) -> Ceremony:
        """Ask for a new passkey.

        Args:
            account: Whose it is to be.
            session: In which session that is asked; the answer is good in no other.

        Raises:
            TooManyPasskeysError: There is space for none.
            UnavailableError: The store is down.
        """
        present = await self._present(account.id)
        # One handle for all: authenticators then know that they are of one user.
        question = Question.new(present[0].handle if present else new_handle())
        options = self._authenticators.creation_options(
            question.bytes,
            handle=b64url_decode(question.handle.encode()),
            name=account.email or account.username or account.id,
            exclude=[_descriptor(each) for each in present],
        )
        return self._questions.ask("add", question, options, account.id, session)

    async def add(
        self,
        account: Account,
        answer: Mapping[str, Any],
        token: str,
        *,
        session: str,
        name: str,
    ) -> Passkey:
        """Keep the passkey that an authenticator has made.

        Args:
            account: Whose it is to be.
            answer: What ``navigator.credentials.create()`` gave, as JSON.
            token: Of the question.
            session: In which it comes.
            name: What its owner calls it.

        Raises:
            PasskeyNotMadeError: The answer is not good, comes late or again, or is to
                another question.
            TooManyPasskeysError: There is space for none.
            DuplicatePasskeyError: There is one with this id already.
            UnavailableError: A store is down; then nothing is kept.
        """
        try:
            question = await self._questions.read(token, "add", account.id, session)
            made = self._authenticators.made(answer, question.bytes)
        except (InvalidTokenError, BadAnswerError) as error:
            _logger.debug("a passkey is refused: %s", error)
            raise PasskeyNotMadeError(str(error)) from None

        present = await self._present(account.id)
        passkey = Passkey(
            id=b64url_encode(made.id).decode(),
            subject=account.id,
            handle=question.handle,
            public_key=made.public_key,
            sign_count=made.sign_count,
            name=name,
            aaguid=made.aaguid,
            transports=_transports_of(answer),
            is_synced=made.is_synced,
            is_backed_up=made.is_backed_up,
            created_at=self._clock(),
        )
        if passkey.id in {each.id for each in present}:
            raise DuplicatePasskeyError

        if not await self._questions.spend(question):
            msg = "the question was answered before"
            raise PasskeyNotMadeError(msg)

        await self._store.add(passkey)
        return passkey

    def begin_log_in(self, browser: str = "") -> Ceremony:
        """Ask for a passkey of whomever. No store is asked.

        Args:
            browser: What only this browser knows, so that no other may answer.
        """
        question = Question.new()
        options = self._authenticators.request_options(question.bytes)
        return self._questions.ask("log_in", question, options, _BROWSER, browser)

    async def begin_second_factor(self, account_id: str, attempt: str) -> Ceremony:
        """Ask for a passkey of an account.

        Args:
            account_id: Whose.
            attempt: Names the log-in, so that the answer is good for no other.

        Raises:
            UnavailableError: The store is down.
        """
        question = Question.new()
        options = self._authenticators.request_options(
            question.bytes,
            allow=[_descriptor(each) for each in await self._store.list(account_id)],
        )
        return self._questions.ask(
            "second_factor", question, options, account_id, attempt
        )

    async def log_in(
        self, answer: Mapping[str, Any], token: str, *, browser: str = ""
    ) -> Passkey:
        """Return the passkey that was shown; whose it is, it says.

        Args:
            answer: What ``navigator.credentials.get()`` gave, as JSON.
            token: Of the question.
            browser: What the browser knows that was asked.

        Raises:
            PasskeyRefusedError: The answer is not good, comes late or again, or is to
                another question.
            UnavailableError: A store is down.
        """
        return await self._judge(answer, token, "log_in", (_BROWSER, browser))

    async def show(
        self, answer: Mapping[str, Any], token: str, *, account_id: str, attempt: str
    ) -> Passkey:
        """Return the passkey that was shown as second factor.

        Args:
            answer: What ``navigator.credentials.get()`` gave, as JSON.
            token: Of the question.
            account_id: Whose it has to be.
            attempt: The log-in that it has to be for.

        Raises:
            PasskeyRefusedError: The answer is not good, comes late or again, or is to
                another question, or of another user.
            UnavailableError: A store is down.
        """
        owner = (account_id, attempt)
        return await self._judge(
            answer, token, "second_factor", owner, subject=account_id
        )

    async def _judge(
        self,
        answer: Mapping[str, Any],
        token: str,
        purpose: Purpose,
        owner: tuple[str, ...],
        *,
        subject: str | None = None,
    ) -> Passkey:
        try:
            question = await self._questions.read(token, purpose, *owner)
        except InvalidTokenError as error:
            refuse(str(error))

        passkey = await self._store.find(str(answer.get("id")))
        if passkey is None or subject not in (None, passkey.subject):
            refuse("it is unknown, or another user's")

        _check_handle(answer, passkey, needed=subject is None)
        try:
            used = self._authenticators.used(answer, question.bytes, passkey.public_key)
        except BadAnswerError as error:
            refuse(str(error))

        if used.is_synced != passkey.is_synced:
            refuse("it was made for one device, and is for several, or vice versa")

        # Last, so that whoever knows no more than the question cannot spend it.
        if not await self._questions.spend(question):
            refuse("the question was answered before")

        await self._uses.count(passkey, used)
        return passkey

    async def _present(self, account_id: str) -> list[Passkey]:
        """Return the passkeys that an account has, if there is space for another.

        Raises:
            TooManyPasskeysError: There is none.
        """
        passkeys = list(await self._store.list(account_id))
        if len(passkeys) >= self._passkeys.most:
            raise TooManyPasskeysError

        return passkeys


def amr_of(passkey: Passkey) -> tuple[str, ...]:
    """Return what a log-in with a passkey has shown (RFC 8176).

    Nothing is attested: ``hwk`` says that the key is meant to stay on its device.
    """
    return ("swk" if passkey.is_synced else "hwk", *AMR)


def _check_handle(answer: Mapping[str, Any], passkey: Passkey, *, needed: bool) -> None:
    """Pass where the authenticator names the user as we do (section 7.2, step 6).

    Raises:
        PasskeyRefusedError: It names another one, or nobody where it has to.
    """
    response = answer.get("response")
    handle = response.get("userHandle") if isinstance(response, Mapping) else None
    if handle != passkey.handle and (needed or handle is not None):
        refuse("the authenticator names another user")


def _descriptor(passkey: Passkey) -> tuple[bytes, tuple[str, ...]]:
    return b64url_decode(passkey.id.encode()), passkey.transports


def _transports_of(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Return how a browser reaches the authenticator, as far as it is words."""
    transports = answer["response"].get("transports")
    words = transports if isinstance(transports, list) else []
    fitting = [
        word
        for word in words[:_TRANSPORTS]
        if isinstance(word, str) and _TRANSPORT.fullmatch(word)
    ]
    return tuple(dict.fromkeys(fitting))

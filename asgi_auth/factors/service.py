"""The second factors of users: set up, asked for, removed.

It opens no session, and sees no request. Whether a user may change a factor is not
asked here: guard what calls it, as the log-in routes do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from asgi_auth._clock import Clock, system_clock
from asgi_auth.accounts import Account, Outbox, SendMessage
from asgi_auth.errors import ConfigurationError
from asgi_auth.factors import recovery
from asgi_auth.factors.authenticators import Authenticators, TOTPEnrolment
from asgi_auth.factors.codes import new_recovery_codes, read_code
from asgi_auth.factors.email_codes import EmailCodes
from asgi_auth.factors.errors import InvalidCodeError
from asgi_auth.factors.ledger import Ledger
from asgi_auth.factors.notices import FactorTokens, Notices
from asgi_auth.factors.records import FactorKind, FactorRecord, FactorStore
from asgi_auth.keys.sealing import SealKeys
from asgi_auth.tokens.claims import DAY, subject_of

__all__ = ["Factors", "TOTPEnrolment"]

_LONGEST_TRUST = 365 * DAY


class Factors:
    """Second factors: authenticator apps, codes by e-mail, recovery codes.

    Args:
        tokens: The service that issues the tokens: its events report what happens.
        store: Keeps the factors.
        keys: Seal the secrets; give them a new key in front now and then.
        name: What authenticator apps show beside the user: your product.
        send_message: Sends codes by e-mail, and notices of changes; without it there
            are no codes by e-mail.
        outbox: Where messages wait to be sent.
        trust_for: Seconds that a browser may be spared its second factor where the
            user wants that, 30 days by default; 0: never.
        clock: Returns Unix seconds.

    Raises:
        ConfigurationError: *trust_for* is not 0 to 365 days.
    """

    def __init__(
        self,
        tokens: FactorTokens,
        store: FactorStore,
        keys: SealKeys,
        *,
        name: str,
        send_message: SendMessage | None = None,
        outbox: Outbox | None = None,
        trust_for: int = 30 * DAY,
        clock: Clock = system_clock,
    ) -> None:
        if not 0 <= trust_for <= _LONGEST_TRUST:
            msg = "trust_for must be 0 to 365 days, in seconds."
            raise ConfigurationError(msg)

        self.trust_for: int = trust_for
        self._store = store
        self._ledger = Ledger(store)
        self._clock = clock
        self._sends_mail = send_message is not None
        outbox = Outbox() if outbox is None else outbox
        self._notices = Notices(tokens, send_message, outbox, clock=clock)
        self._authenticators = Authenticators(keys, issuer=name, clock=clock)
        self._email_codes = EmailCodes(keys, clock=clock)

    @property
    def sends_mail(self) -> bool:
        """Whether codes can be sent by e-mail."""
        return self._sends_mail

    # -------------------------------------------------------------------- asking

    async def methods(self, account_id: str) -> Mapping[str, float]:
        """Return what a user may show beside the password, and since when each.

        Raises:
            UnavailableError: The store is down.
        """
        return {record.kind: record.since for record in await self.list(account_id)}

    async def list(self, account_id: str) -> Sequence[FactorRecord]:
        """Return the factors that a user has set up.

        Raises:
            UnavailableError: The store is down.
        """
        records = await self._ledger.find(account_id)
        return [record for record in records.values() if record.is_set_up]

    async def check(
        self, account: Account, code: str, *, attempt: str = ""
    ) -> FactorKind | None:
        """Use a code up, and return what it was of.

        Args:
            account: Who shows it.
            code: In any spelling.
            attempt: The log-in that shows it, as :meth:`send_code` had it.

        Returns:
            ``None`` where the user has no such factor at all.

        Raises:
            InvalidCodeError: It is wrong, late, or was used before.
            UnavailableError: The store is down.
        """
        records = await self._ledger.find(account.id)
        if not any(record.is_set_up for record in records.values()):
            return None

        kind, code = read_code(code)
        present = records.get(kind)
        if present is None or not present.is_set_up:
            msg = f"the user has no factor of the kind {kind}"
            raise InvalidCodeError(msg)

        record = await self._use(account, kind, present, code, attempt)
        left = {"left": len(record.data["codes"])} if kind == "recovery" else {}
        self._notices.tell("factor.used", account.id, {"method": kind, **left})
        return kind

    async def send_code(self, account: Account, *, attempt: str) -> None:
        """Send a code by e-mail, which is good for one log-in.

        Args:
            account: Who gets it, at the address of the account.
            attempt: The log-in that it is for.

        Raises:
            ConfigurationError: Nothing sends mail.
            UnavailableError: The store is down.
        """
        if not self._sends_mail or not account.email:
            msg = "Codes by e-mail need Factors(send_message=...), and an address."
            raise ConfigurationError(msg)

        codes: list[str] = []

        def edit(present: FactorRecord | None) -> FactorRecord:
            record, code = self._email_codes.make(
                present, subject=account.id, attempt=attempt, address=account.email
            )
            codes[:] = [code]
            return record

        records = await self._ledger.find(account.id)
        await self._ledger.change(account.id, "email", records.get("email"), edit)
        self._notices.write("code", account, codes[0])

    # ------------------------------------------------------------------ changing

    def begin_totp(self, account: Account) -> TOTPEnrolment:
        """Make the secret of an authenticator app, which counts once it is confirmed.

        Args:
            account: Who sets it up, or replaces the one before.
        """
        name = account.email or account.username or account.id
        return self._authenticators.begin(account.id, name)

    async def confirm_totp(
        self, account: Account, token: str, code: str
    ) -> Sequence[str]:
        """Set an authenticator app up; it takes the place of one before.

        Args:
            account: Who has it.
            token: Of the enrolment.
            code: The first that the app shows; it is used up.

        Returns:
            New recovery codes, to be shown once; none where the user has some already.

        Raises:
            InvalidCodeError: The code is wrong, or the enrolment is over.
            UnavailableError: The store is down.
        """
        kind, code = read_code(code)
        if kind != "totp":
            msg = "an authenticator app shows six digits"
            raise InvalidCodeError(msg)

        record = self._authenticators.confirm(account.id, token, code)
        records = await self._ledger.find(account.id)
        codes = await self._first_codes(account, records)

        def edit(present: FactorRecord | None) -> FactorRecord:
            return replace(record, version=0 if present is None else present.version)

        await self._ledger.change(account.id, "totp", records.get("totp"), edit)
        self._notices.changed("factor.added", account, "totp")
        return codes

    async def confirm_email(
        self, account: Account, code: str, *, attempt: str
    ) -> Sequence[str]:
        """Let the user log in with codes by e-mail, after a first one.

        Args:
            account: Who wants it.
            code: That :meth:`send_code` sent.
            attempt: As there.

        Returns:
            New recovery codes, to be shown once; none where the user has some already.

        Raises:
            InvalidCodeError: The code is wrong, late, or for something else.
            UnavailableError: The store is down.
        """
        kind, code = read_code(code)
        if kind != "email":
            msg = "a code by e-mail has eight characters"
            raise InvalidCodeError(msg)

        records = await self._ledger.find(account.id)
        await self._use(account, "email", records.get("email"), code, attempt)
        codes = await self._first_codes(account, records)
        self._notices.changed("factor.added", account, "email")
        return codes

    async def renew_recovery_codes(self, account: Account) -> Sequence[str]:
        """Make ten recovery codes, in place of those before.

        Args:
            account: Who gets them; they are to be shown once.

        Raises:
            UnavailableError: The store is down.
        """
        records = await self._ledger.find(account.id)
        codes = await self._new_codes(account, records.get("recovery"))
        self._notices.changed("factor.codes_renewed", account)
        return codes

    async def remove(self, account: Account, kind: FactorKind) -> bool:
        """Remove a factor, and return whether the user had it.

        Recovery codes alone ask nobody for anything.

        Raises:
            UnavailableError: The store is down.
        """
        records = await self._ledger.find(account.id)
        if kind not in records or not records[kind].is_set_up:
            return False

        await self._store.remove(account.id, kind)
        self._notices.changed("factor.removed", account, kind)
        return True

    async def reset(self, account_id: str, *, by: str | None = None) -> None:
        """Remove all factors of a user who has lost them: for administrators.

        Args:
            account_id: Whose.
            by: Who does it, for the event.

        Raises:
            UnavailableError: The store is down.
        """
        subject = subject_of(account_id)
        await self._store.remove(subject)
        self._notices.tell("factor.reset", subject, {} if by is None else {"by": by})

    async def forget(self, account_id: str) -> None:
        """Remove all that is kept of an account that is deleted, without an event."""
        await self._store.remove(subject_of(account_id))

    # -------------------------------------------------------------------- inside

    async def _use(
        self,
        account: Account,
        kind: FactorKind,
        present: FactorRecord | None,
        code: str,
        attempt: str,
    ) -> FactorRecord:
        """Use a code up, or a try.

        Raises:
            InvalidCodeError: It is wrong.
        """

        def edit(record: FactorRecord | None) -> FactorRecord:
            if kind == "totp":
                return self._authenticators.use(record, code)

            if kind == "recovery":
                return recovery.use(record, code, now=self._clock())

            return self._email_codes.use(
                record, code, attempt=attempt, address=account.email
            )

        record = await self._ledger.change(account.id, kind, present, edit)
        if kind == "email" and self._email_codes.waits(record, attempt):
            msg = "the code by e-mail is wrong"
            raise InvalidCodeError(msg)

        return record

    async def _first_codes(
        self, account: Account, records: Mapping[FactorKind, FactorRecord]
    ) -> Sequence[str]:
        """Make recovery codes for whoever sets up the first factor."""
        others = [kind for kind, record in records.items() if record.is_set_up]
        if "recovery" in others and len(others) > 1:
            return ()

        # Before the factor is written: none should be without.
        return await self._new_codes(account, records.get("recovery"))

    async def _new_codes(
        self, account: Account, present: FactorRecord | None
    ) -> Sequence[str]:
        codes = new_recovery_codes()
        record = recovery.record_of(account.id, codes, now=self._clock())

        def edit(found: FactorRecord | None) -> FactorRecord:
            return replace(record, version=0 if found is None else found.version)

        await self._ledger.change(account.id, "recovery", present, edit)
        return codes

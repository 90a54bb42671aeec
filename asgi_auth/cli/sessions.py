"""List and revoke sessions in a store, from outside of the application.

Workers that read the store hear of a revocation within a second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from asgi_auth.cli._help import add_verbs
from asgi_auth.cli._say import remark, say_json, say_table, times_of
from asgi_auth.cli._stores import add_store_option, open_store
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import KeySet
from asgi_auth.sessions import SessionPolicy, TokenService
from asgi_auth.stores.records import SESSIONS_PAGE, Place, Revocation, Session
from asgi_auth.tokens.claims import DAY

__all__ = ["add", "show_sessions"]

_WHICH = ("session", "subject", "all")


def add(commands: Any) -> None:
    """Describe the command ``sessions`` and its two verbs."""
    parser = commands.add_parser(
        "sessions",
        help="list or revoke sessions in a store",
        description="Work on the sessions of an application, in the store it uses.",
    )
    verbs = add_verbs(parser)
    _add_list(verbs)
    _add_revoke(verbs)


def _add_list(verbs: Any) -> None:
    parser = verbs.add_parser(
        "list",
        help="show the sessions of a subject",
        epilog="example: asgi-auth sessions list ada --store redis://localhost "
        "--issuer https://api.example",
    )
    parser.add_argument("subject", help="whose sessions")
    parser.add_argument(
        "--limit",
        type=int,
        default=SESSIONS_PAGE,
        metavar="N",
        help="show so many at most, up to 1000 (%(default)s)",
    )
    parser.add_argument(
        "--after",
        type=_place,
        metavar="PLACE",
        help="go on behind the place that a full page ended with",
    )
    _add_store(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_list)


def _add_revoke(verbs: Any) -> None:
    parser = verbs.add_parser(
        "revoke",
        help="end one session, those of a subject, or all",
        epilog="example: asgi-auth sessions revoke --subject ada "
        "--store sqlite:///app.db --issuer https://api.example",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--session", metavar="SID", help="this one")
    which.add_argument("--subject", help="all of this subject")
    which.add_argument(
        "--all", action="store_true", help="everything of the issuer: after a breach"
    )
    _add_store(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_revoke)


def _add_store(parser: argparse.ArgumentParser) -> None:
    add_store_option(parser, "where they are", required=True)
    parser.add_argument(
        "--issuer", help="the issuer of the tokens; left out where they have no iss"
    )


def _list(options: argparse.Namespace) -> int:
    page = asyncio.run(_sessions(options))
    show_sessions(page, as_json=options.json)
    if len(page) == options.limit:
        remark(f"There may be more: --after '{page[-1].place}'")

    return 0


async def _sessions(options: argparse.Namespace) -> Sequence[Session]:
    async with _service(options) as tokens:
        return await tokens.sessions(
            options.subject, after=options.after, limit=options.limit
        )


def _place(text: str) -> Place:
    try:
        return Place.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _revoke(options: argparse.Namespace) -> int:
    asyncio.run(_revoke_in_store(options))
    if options.json:
        say_json({name: getattr(options, name) for name in ("issuer", *_WHICH)})

    remark("Revoked: workers that read this store hear of it within a second.")
    return 0


async def _revoke_in_store(options: argparse.Namespace) -> None:
    async with _service(options) as tokens:
        if options.session is not None:
            await tokens.revoke_session(options.session)
        elif options.subject is not None:
            await tokens.revoke_subject(options.subject)
            # Sessions that another issuer keeps are in no store of ours to be named.
            whole = Revocation(
                kind="whole_subject",
                issuer=options.issuer or "",
                value=options.subject,
            )
            await tokens.store.publish([whole], ttl=DAY)
        else:
            await tokens.revoke_all()


@contextlib.asynccontextmanager
async def _service(options: argparse.Namespace) -> AsyncIterator[TokenService]:
    if options.issuer == "":
        msg = "--issuer must not be empty: leave it out where tokens have no iss."
        raise ConfigurationError(msg)

    # Nothing is signed here, so any key will do.
    keys = KeySet.generate("HS256")
    async with open_store(options.store) as store:
        # No application has access tokens that live longer than a day.
        tokens = TokenService(
            keys,
            store=store,
            issuer=options.issuer,
            session_policy=SessionPolicy(access_ttl=DAY),
        )
        async with contextlib.aclosing(tokens):
            yield tokens


def _members_of(session: Session) -> dict[str, Any]:
    device = session.device
    return {
        "subject": session.subject,
        "sid": session.sid,
        "created_at": session.created_at,
        "last_used_at": session.rotated_at,
        "expires_at": min(session.idle_expires_at, session.expires_at),
        "refreshes": session.seq,
        "device": {
            "label": device.label,
            "name": device.name,
            "ip": device.ip,
            "user_agent": device.user_agent,
        },
    }


def show_sessions(page: Sequence[Session], *, as_json: bool) -> None:
    """Print sessions as a table that says whose they are, or as JSON."""
    if as_json:
        say_json([_members_of(session) for session in page])
        return

    now = time.time()
    say_table(_HEAD, [_row(session, now) for session in page])
    remark("1 session." if len(page) == 1 else f"{len(page)} sessions.")


_HEAD = ("WHOSE", "USED", "ENDS", "DEVICE", "ADDRESS", "SESSION")


def _row(session: Session, now: float) -> tuple[str, ...]:
    facts, device = _members_of(session), session.device
    times = times_of(facts, ("last_used_at", "expires_at"), now)
    name = " / ".join(part for part in (device.label, device.name) if part)
    called, address = name or device.user_agent or "unknown", device.ip or "-"
    used, ends = times["last_used_at"], times["expires_at"]
    return session.subject, used, ends, called, address, session.sid

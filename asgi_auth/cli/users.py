"""List and change the accounts of an application, from outside of it.

Workers that read the store of the sessions hear of a change within a second. No
role is needed: whoever may run this may do all of it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from asgi_auth.accounts import Account, AccountService, UnknownAccountError
from asgi_auth.accounts.sql import SQLAccounts
from asgi_auth.cli._help import add_verbs
from asgi_auth.cli._say import remark, say_json, say_table
from asgi_auth.cli._secrets import read_password
from asgi_auth.cli._stores import add_store_option, is_sql, open_store
from asgi_auth.cli.doctor.load import load_app
from asgi_auth.cli.sessions import show_sessions
from asgi_auth.errors import AuthError, ConfigurationError, UnavailableError
from asgi_auth.factors import Factors, SQLFactors
from asgi_auth.keys import KeySet
from asgi_auth.sessions import TokenService

__all__ = ["add"]

_PAGE = 100
_Work = Callable[[AccountService, argparse.Namespace], Awaitable[int]]


def add(commands: Any) -> None:
    """Describe the command ``users`` and its verbs."""
    parser = commands.add_parser(
        "users",
        help="list, make, change or delete accounts",
        description="Work on the accounts of an application.",
        epilog="examples:\n"
        "  asgi-auth users list --app shop.main:accounts --search ann\n"
        "  asgi-auth users roles ann@example.com --add admin --store sqlite:///app.db\n"
        "  asgi-auth users delete ann@example.com --yes --app shop.main:accounts",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = add_verbs(parser)
    listing = _verb(verbs, "list", _list, "show accounts, ordered by id")
    listing.add_argument("--search", default="", help="what the address contains")
    listing.add_argument("--after", default="", metavar="ID", help="go on behind it")
    listing.add_argument(
        "--limit", type=int, default=_PAGE, metavar="N", help="at most 1000"
    )
    _verb(verbs, "show", _show, "show one account", who=True)
    making = _verb(verbs, "create", _create, "make an account; its password comes in")
    making.add_argument("email", help="its address, which counts as verified")
    making.add_argument("--role", action="append", default=[], help="may be repeated")
    making.add_argument("--scope", action="append", default=[], help="may be repeated")
    making.add_argument(
        "--no-password", action="store_true", help="its owner sets one by mail"
    )
    roles = _verb(verbs, "roles", _roles, "show, give or take roles", who=True)
    roles.add_argument("--add", action="append", default=[], metavar="ROLE")
    roles.add_argument("--remove", action="append", default=[], metavar="ROLE")
    _verb(verbs, "disable", _disable, "refuse a user, end the sessions", who=True)
    _verb(verbs, "enable", _enable, "let a user log in again", who=True)
    deleting = _verb(verbs, "delete", _delete, "delete an account for good", who=True)
    deleting.add_argument("--yes", action="store_true", help="do it")
    resetting = _verb(
        verbs, "reset-factors", _reset_factors, "remove all second factors", who=True
    )
    resetting.add_argument(
        "--factors",
        metavar="MODULE:NAME",
        help="the Factors of the application; by default the database's own table",
    )
    _verb(verbs, "sessions", _sessions, "show where a user is logged in", who=True)


def _verb(
    verbs: Any, name: str, work: _Work, about: str, *, who: bool = False
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=about)
    if who:
        parser.add_argument("who", help="the id, or the address")

    parser.add_argument(
        "--app",
        metavar="MODULE:NAME",
        help="the AccountService of the application, ManagedAccounts too",
    )
    add_store_option(parser, "where accounts and sessions are, without --app")
    parser.add_argument(
        "--accounts", metavar="URL", help="where the accounts are, if elsewhere"
    )
    parser.add_argument("--issuer", help="the issuer of the tokens, without --app")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run, work=work)
    return parser


def _run(options: argparse.Namespace) -> int:
    return asyncio.run(_within(options))


async def _within(options: argparse.Namespace) -> int:
    async with _service(options) as accounts:
        try:
            status: int = await options.work(accounts, options)
        except UnavailableError:
            raise
        except AuthError as error:
            remark(f"asgi-auth: {error.public_message}")
            return 1

        # Listeners run apart from the call; a short one is heard out.
        await asyncio.sleep(0)
        return status


@contextlib.asynccontextmanager
async def _service(options: argparse.Namespace) -> AsyncIterator[AccountService]:
    if options.app is not None:
        accounts = load_app(options.app, factory=False)
        if not isinstance(accounts, AccountService):
            msg = f"{options.app} is no AccountService, nor ManagedAccounts."
            raise ConfigurationError(msg)

        yield accounts
        return

    url = options.accounts or options.store
    if url is None or not is_sql(url):
        msg = "Say --app module:accounts, or --store (or --accounts) with a database."
        raise ConfigurationError(msg)

    # Nothing is signed here, so any key will do.
    async with open_store(options.store or url) as store:
        tokens = TokenService(
            KeySet.generate("HS256"), store=store, issuer=options.issuer
        )
        async with (
            contextlib.aclosing(tokens),
            contextlib.aclosing(SQLAccounts(url)) as accounts,
        ):
            yield AccountService(accounts, tokens, require_verified=False)


async def _list(accounts: AccountService, options: argparse.Namespace) -> int:
    page = await accounts.list(
        search=options.search, after=options.after, limit=options.limit
    )
    if options.json:
        say_json([_facts(accounts, account) for account in page])
    else:
        say_table(_HEAD, [_row(accounts, account) for account in page])

    if len(page) == options.limit:
        remark(f"There may be more: --after '{page[-1].id}'")

    return 0


async def _show(accounts: AccountService, options: argparse.Namespace) -> int:
    return _print(accounts, await accounts.show(options.who), options)


async def _create(accounts: AccountService, options: argparse.Namespace) -> int:
    password = None if options.no_password else read_password()
    account = await accounts.create(
        options.email,
        password,
        roles=options.role,
        scopes=options.scope,
        by="asgi-auth",
    )
    return _print(accounts, account, options)


async def _roles(accounts: AccountService, options: argparse.Namespace) -> int:
    account = await accounts.show(options.who)
    remaining = [role for role in account.roles if role not in options.remove]
    roles = tuple(dict.fromkeys([*remaining, *options.add]))
    if roles != account.roles:
        lost = set(account.roles) - set(roles)
        account = await accounts.set_roles(account.id, roles, by="asgi-auth")
        remark("The sessions are ended: the next log-in has these roles.")
        for role in sorted(lost):
            await _warn_if_last(accounts, role)

    return _print(accounts, account, options)


async def _warn_if_last(accounts: AccountService, role: str) -> None:
    """Warn where no account has a role any more: none may be left to give it."""
    after = ""
    while page := await accounts.list(after=after, limit=_PAGE):
        if any(role in account.roles and not account.disabled for account in page):
            return

        after = page[-1].id

    remark(f"Warning: no account has the role {role!r} any more.")


async def _disable(accounts: AccountService, options: argparse.Namespace) -> int:
    account = await accounts.show(options.who)
    account = await accounts.disable(account.id, by="asgi-auth")
    for role in account.roles:
        await _warn_if_last(accounts, role)

    return _print(accounts, account, options)


async def _enable(accounts: AccountService, options: argparse.Namespace) -> int:
    account = await accounts.show(options.who)
    account = await accounts.enable(account.id, by="asgi-auth")
    return _print(accounts, account, options)


async def _delete(accounts: AccountService, options: argparse.Namespace) -> int:
    try:
        account = await accounts.show(options.who)
    except UnknownAccountError:
        if options.yes and "@" not in options.who:
            # A try before may have been cut off when the account itself was gone.
            await accounts.delete(options.who, by="asgi-auth")

        raise

    if not options.yes:
        _print(accounts, account, options)
        remark("Nothing is deleted yet: say --yes.")
        return 1

    await accounts.delete(account.id, by="asgi-auth")
    remark(f"Deleted: {account.id}.")
    for role in account.roles:
        await _warn_if_last(accounts, role)

    return 0


async def _reset_factors(accounts: AccountService, options: argparse.Namespace) -> int:
    account = await accounts.show(options.who)
    if options.factors is not None:
        factors = load_app(options.factors, factory=False)
        if not isinstance(factors, Factors):
            msg = f"{options.factors} is no Factors."
            raise ConfigurationError(msg)

        await factors.reset(account.id, by="asgi-auth")
    else:
        url = options.accounts or options.store
        if url is None or not is_sql(url):
            msg = "Say --factors module:factors, or --store with a database."
            raise ConfigurationError(msg)

        async with contextlib.aclosing(SQLFactors(url)) as store:
            await store.remove(account.id)

    remark(f"{account.id} has no codes to show any more; passkeys stay.")
    return 0


async def _sessions(accounts: AccountService, options: argparse.Namespace) -> int:
    account = await accounts.show(options.who)
    show_sessions(await accounts.sessions(account.id), as_json=options.json)
    return 0


def _print(
    accounts: AccountService, account: Account, options: argparse.Namespace
) -> int:
    if options.json:
        say_json(_facts(accounts, account))
    else:
        say_table(_HEAD, [_row(accounts, account)])

    return 0


def _facts(accounts: AccountService, account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "email": account.email or None,
        "username": account.username,
        "roles": list(account.roles),
        "scopes": list(account.scopes),
        "disabled": account.disabled,
        "verified": accounts.is_verified(account),
    }


_HEAD = ("ID", "WHO", "ROLES", "SCOPES", "STATE")


def _row(accounts: AccountService, account: Account) -> tuple[str, ...]:
    states = {
        "disabled": account.disabled,
        "not verified": accounts.is_verified(account) is False,
    }
    return (
        account.id,
        " ".join(name for name in (account.username, account.email) if name),
        ", ".join(account.roles) or "-",
        ", ".join(account.scopes) or "-",
        ", ".join(state for state, holds in states.items() if holds) or "-",
    )

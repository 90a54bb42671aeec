"""Read the command line, and call the command that it names.

No command lives here: each is a module with ``add``, which describes its options and
names the function that runs it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module, metadata

from asgi_auth.cli._help import add_verbs
from asgi_auth.errors import ConfigurationError, UnavailableError

__all__ = ["main"]

# Each with the module that describes it.
_COMMANDS = {
    "demo": "demo",
    "keygen": "keygen",
    "token": "tokens",
    "hash": "hash",
    "users": "users",
    "sessions": "sessions",
    "doctor": "doctor",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: What follows the program's name; by default the process's.

    Returns:
        0, or 1 if something was not as it should be (a step of the demo, a refused
        token, a fault that the doctor found), or 2 for a wrong call or an outage. Where
        no command is named, the help is printed, and that is a 0.
    """
    words = sys.argv[1:] if arguments is None else arguments
    options = _parser(words).parse_args(words)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        status = run(options)
        sys.stdout.flush()
    except (ConfigurationError, UnavailableError) as error:
        sys.stderr.write(f"asgi-auth: {error}\n")
        return 2
    except BrokenPipeError:
        # The reader has gone; nor may the interpreter try it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1

    return status


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="asgi-auth",
        description="Identify the callers of ASGI applications.",
        epilog="Each command tells more: asgi-auth keygen --help",
    )
    version = f"asgi-auth {metadata.version('asgi-auth')}"
    parser.add_argument("--version", action="version", version=version)
    commands = add_verbs(parser, "command", "COMMAND")
    # A command does not wait for what the others import.
    named = [word for word in words[:1] if word in _COMMANDS]
    for name in named or _COMMANDS:
        import_module(f"asgi_auth.cli.{_COMMANDS[name]}").add(commands)

    return parser

"""Show the help of a command that was called without saying what to do.

That is a question and no mistake, so it succeeds.
"""

from __future__ import annotations

import argparse
from typing import Any

__all__ = ["add_verbs"]


def add_verbs(
    parser: argparse.ArgumentParser, dest: str = "verb", metavar: str = "VERB"
) -> Any:
    """Let a command have commands of its own, and without one show its help.

    Returns:
        What parsers are added to.
    """

    def show_help(options: argparse.Namespace) -> int:
        del options
        parser.print_help()
        return 0

    parser.set_defaults(run=show_help)
    return parser.add_subparsers(dest=dest, metavar=metavar)

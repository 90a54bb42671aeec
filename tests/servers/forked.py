"""Runs several servers, each in a process forked from one that has imported their app.

The arguments are what to call before, as ``module:function``, and a list of command
lines, in JSON. Each is what follows ``python -m``.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import signal
import sys


def main(before: str, commands: list[list[str]]) -> None:
    module, _, name = before.partition(":")
    getattr(importlib.import_module(module), name)()
    for words in commands:
        if os.fork() == 0:
            sys.argv = words
            runpy.run_module(words[0], run_name="__main__", alter_sys=True)
            return

    # A signal is for the servers: this process ends after them.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(ChildProcessError):
        while os.wait():
            pass


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))

"""Run the command line as ``python -m asgi_auth``."""

from __future__ import annotations

import sys

from asgi_auth.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

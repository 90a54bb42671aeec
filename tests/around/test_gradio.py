"""Gradio's own queue: it works for all callers, and so has no caller of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
def test_the_queue_knows_nobody_and_the_header_says_who_has_asked():
    environ = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
    environ["PYTHONPATH"] = str(HERE.parents[1])
    done = subprocess.run(
        [sys.executable, HERE / "gradio_queue.py"],
        capture_output=True,
        check=False,
        env=environ,
        text=True,
        timeout=50,
    )

    assert done.returncode == 0, done.stderr
    callers = [[name, "ConfigurationError", name] for name in ("ada", "bob")]
    assert json.loads(done.stdout) == {"anonymous": 401, "told": callers}

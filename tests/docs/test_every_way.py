"""The page with every way to log in stays as short as it is."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parent.parent.parent / "docs/how-to/every-way-to-log-in.md"


def test_a_site_with_every_way_to_log_in_takes_sixty_lines():
    site = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[1]
    assert len(site.splitlines()) <= 60

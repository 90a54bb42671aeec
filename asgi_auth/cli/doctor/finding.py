"""One fault: what is wrong, where, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is insecure as it is set up.

    Attributes:
        code: Its name, for ``--ignore`` and for programs.
        text: What is wrong; never a secret.
        advice: What to do.
    """

    code: str
    text: str
    advice: str

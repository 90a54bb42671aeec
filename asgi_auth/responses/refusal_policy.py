"""Say what is refused before an app runs, and how people are told.

It refuses nothing, and writes no answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from asgi_auth.errors import check_choice
from asgi_auth.responses.people import LogInURL, OnRefusal, Wording

__all__ = ["RefusalPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalPolicy:
    """What the middleware refuses by itself, and how a refusal looks to people.

    Attributes:
        invalid: What to do about a bad credential that the client chose to send.
            ``refuse_claimed`` passes what no backend claims by its shape, as nobody's;
            ``anonymous`` passes each.
        preflight: ``pass`` lets CORS preflights through where no caller is required.
        login_url: Where people are sent who are not known; or what says so.
        on_refusal: Words refusals, given error and scope; ``None`` from it: as usual.

    Raises:
        ConfigurationError: It is another word.
    """

    invalid: Literal["refuse", "refuse_claimed", "anonymous"] = "refuse"
    preflight: Literal["pass", "refuse"] = "pass"
    login_url: LogInURL | None = None
    on_refusal: OnRefusal | None = None

    def __post_init__(self) -> None:
        """Refuse other words."""
        check_choice("invalid", self.invalid, {"refuse", "refuse_claimed", "anonymous"})
        check_choice("preflight", self.preflight, {"pass", "refuse"})

    @property
    def wording(self) -> Wording | None:
        """What words refusals for people; ``None``: nothing does."""
        if self.login_url is None and self.on_refusal is None:
            return None

        return Wording(self.login_url, self.on_refusal)

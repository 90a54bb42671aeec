"""What people see where the application refuses them: the way to log in, or a page.

It words what others have refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asgi_auth.errors import AuthError, StepUpRequiredError
from asgi_auth.pages.language import Languages
from asgi_auth.pages.rendering import Renderer
from asgi_auth.responses.people import RefusalResponse, is_navigation, redirect_to

__all__ = ["PagesForRefusals"]

_UNKNOWN = 401


@dataclass(frozen=True, slots=True)
class PagesForRefusals:
    """Words refusals with our pages.

    Attributes:
        renderer: Of the pages.
        languages: That they are there in.
        at: Where they are mounted.
    """

    renderer: Renderer
    languages: Languages
    at: str

    def __call__(
        self, error: AuthError, scope: Mapping[str, Any]
    ) -> RefusalResponse | None:
        """Return the answer; ``None`` for what no person looks at."""
        mount = str(scope.get("root_path") or "").rstrip("/") + self.at
        if error.status == _UNKNOWN:
            # Whose log-in is too old is known: the password is enough.
            steps_up = isinstance(error, StepUpRequiredError)
            name = "confirm" if steps_up and "confirm" in self.renderer else "log_in"
            return redirect_to(mount + self.renderer.path_of(name), scope)

        if not is_navigation(scope):
            return None

        accepted = b",".join(
            value for name, value in scope["headers"] if name == b"accept-language"
        )
        language = self.languages.choose(accepted.decode("latin-1"))
        place = {**scope, "root_path": mount}
        page = self.renderer.error(language, place, error.status, error.code)
        headers = [(n.decode(), v.decode("latin-1")) for n, v in page.raw_headers]
        return RefusalResponse(error.status, headers, bytes(page.body))

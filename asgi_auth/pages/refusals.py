"""What people see where the application refuses them: the way to log in, or a page.

It words what others have refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

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
        root = str(scope.get("root_path") or "").rstrip("/")
        mount = root + self.at
        if error.status == _UNKNOWN:
            return redirect_to(mount + self._door_for(error), scope)

        if not is_navigation(scope):
            return None

        accepted = b",".join(
            value for name, value in scope["headers"] if name == b"accept-language"
        )
        language = self.languages.choose(accepted.decode("latin-1"))
        place = {**scope, "root_path": mount, "app_root_path": root}
        page = self.renderer.error(language, place, error.status, error.code)
        headers = [(n.decode(), v.decode("latin-1")) for n, v in page.raw_headers]
        return RefusalResponse(error.status, headers, bytes(page.body))

    def _door_for(self, error: AuthError) -> str:
        """Return the page that gets a user further."""
        # Whose log-in is too old is known: the password is enough.
        if not (isinstance(error, StepUpRequiredError) and "confirm" in self.renderer):
            return self.renderer.path_of("log_in")

        # Not where a class is asked for: without a second factor to show, the page
        # would send people here again and again.
        query = f"?{urlencode({'acr': ' '.join(error.acr)})}" if error.acr else ""
        return self.renderer.path_of("confirm") + query

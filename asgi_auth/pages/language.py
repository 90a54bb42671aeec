"""Choose the language of a page, and look its texts up.

Texts are data: nothing here knows what they say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from asgi_auth.errors import ConfigurationError
from asgi_auth.pages.page import Page
from asgi_auth.pages.words import WORDS

__all__ = ["Language", "Languages"]

_MOST_CHOICES = 20


@dataclass(frozen=True, slots=True)
class Language:
    """The texts of one language.

    Attributes:
        code: For instance ``de`` (BCP 47).
        texts: By key, for instance ``log_in.title``.
    """

    code: str
    texts: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """Return a text, with values in the place of ``{name}``."""
        text = self.texts[key]
        return text.format(**values) if values else text

    def fault(self, code: str) -> str:
        """Return what to say about an error code of the routes."""
        return self.texts.get(f"error.{code}", self.texts["error.other"])


class Languages:
    """All languages that pages are there in; the first is for who asks for none.

    Args:
        pages: Whose texts to have.
        own: Texts of the application, by language and key: in the place of ours, or in
            another language.

    Raises:
        ConfigurationError: A key is unknown, or a new language lacks some.
    """

    __slots__ = ("_by_code", "_default")

    def __init__(
        self, pages: Iterable[Page], own: Mapping[str, Mapping[str, str]]
    ) -> None:
        pages = tuple(pages)
        built = {code: _texts_of(pages, code) for code in WORDS}
        # The application's languages come first.
        codes = dict.fromkeys([*own, *built])
        self._by_code = {
            code: _merged(code, built, own.get(code, {})) for code in codes
        }
        self._default = next(iter(self._by_code.values()))

    def choose(self, accepted: str) -> Language:
        """Return the language that suits ``Accept-Language`` (RFC 9110, 12.5.4)."""
        for code in _preferred(accepted):
            language = self._by_code.get(code) or self._by_code.get(code.split("-")[0])
            if language is not None:
                return language

        return self._default


def _texts_of(pages: Iterable[Page], code: str) -> dict[str, str]:
    texts = dict(WORDS[code])
    for page in pages:
        texts |= page.keyed(code)

    return texts


def _merged(
    code: str, built: Mapping[str, Mapping[str, str]], own: Mapping[str, str]
) -> Language:
    keys = built["en"].keys()
    if unknown := sorted(own.keys() - keys):
        msg = f"No page has the text {unknown[0]!r}."
        raise ConfigurationError(msg)

    if code not in built and (missing := sorted(keys - own.keys())):
        msg = f"The texts in {code!r} lack {', '.join(missing)}."
        raise ConfigurationError(msg)

    return Language(code, {**built.get(code, {}), **own})


def _preferred(accepted: str) -> list[str]:
    """Return the codes of the header, the most wanted first."""
    choices = []
    for part in accepted.split(",")[:_MOST_CHOICES]:
        code, _, weight = part.partition(";")
        quality = _quality(weight)
        if quality > 0:
            choices.append((quality, code.strip().lower()))

    return [code for _, code in sorted(choices, key=lambda pair: -pair[0])]


def _quality(weight: str) -> float:
    text = weight.strip().lower().removeprefix("q=")
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0

"""Name a device for people, by its User-Agent header (RFC 9110, section 10.1.5).

A dozen rules, for a list of log-ins. Nothing may be decided by it, as clients write
there what they like.
"""

from __future__ import annotations

import re

__all__ = ["device_name"]

# The first that fits counts: nearly all say that they are Safari, many that they are
# Chrome.
_BROWSERS = (
    (re.compile(r"\b(?:Edg|EdgA|EdgiOS|Edge)/"), "Edge"),
    (re.compile(r"\b(?:OPR|Opera|OPiOS)/"), "Opera"),
    (re.compile(r"\bVivaldi/"), "Vivaldi"),
    (re.compile(r"\bSamsungBrowser/"), "Samsung Internet"),
    (re.compile(r"\bElectron/"), "A desktop app"),
    (re.compile(r"\b(?:Firefox|FxiOS)/"), "Firefox"),
    (re.compile(r"\b(?:HeadlessChrome|Chrome|Chromium|CriOS)/"), "Chrome"),
    (re.compile(r"\bVersion/\S+ .*\bSafari/"), "Safari"),
)
_SYSTEMS = (
    (re.compile(r"\biPhone\b"), "iPhone"),
    (re.compile(r"\biPad\b"), "iPad"),
    (re.compile(r"\bAndroid\b"), "Android"),
    (re.compile(r"\bWindows\b"), "Windows"),
    (re.compile(r"\bCrOS\b"), "ChromeOS"),
    (re.compile(r"\b(?:Macintosh|Mac OS X)\b"), "macOS"),
    (re.compile(r"\b(?:Linux|X11)\b"), "Linux"),
)
# What is no browser names itself first: curl/8.5, okhttp/4.12, MyApp/2.
_PRODUCT = re.compile(r"([A-Za-z][\w.+-]{0,39})/")


def device_name(user_agent: str | None) -> str | None:
    """Return for instance ``Firefox on Linux``, or ``None`` where nothing is known."""
    if user_agent is None:
        return None

    browser = _first(_BROWSERS, user_agent) or _product_of(user_agent)
    system = _first(_SYSTEMS, user_agent)
    if browser is None or system is None:
        return browser or system

    return f"{browser} on {system}"


def _first(rules: tuple[tuple[re.Pattern[str], str], ...], text: str) -> str | None:
    return next((name for rule, name in rules if rule.search(text)), None)


def _product_of(user_agent: str) -> str | None:
    product = _PRODUCT.match(user_agent)
    if product is None or product[1] == "Mozilla":
        return None

    return product[1]

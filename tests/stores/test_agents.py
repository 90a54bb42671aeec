from __future__ import annotations

import pytest

from asgi_auth import Device
from asgi_auth.stores.agents import device_name

CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6"
PHONE = "iPhone; CPU iPhone OS 18_6 like Mac OS X"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64) Gecko/1 Firefox/140",
            "Firefox on Linux",
        ),
        (f"Mozilla/5.0 (Windows NT 10.0) {CHROME} Safari/5 Edg/142", "Edge on Windows"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Safari/5", "Chrome on Android"),
        (f"Mozilla/5.0 ({PHONE}) {SAFARI} Mobile/15E148 Safari/6", "Safari on iPhone"),
        (
            f"Mozilla/5.0 (Macintosh; Mac OS X) {SAFARI} Safari/6",
            "Safari on macOS",
        ),
        ("curl/8.5.0", "curl"),
        ("okhttp/4.12.0", "okhttp"),
        ("MyApp/2.1 (iPad; iOS 18)", "MyApp on iPad"),
        ("Mozilla/5.0 (compatible)", None),
        ("Mozilla/5.0 (Windows NT 10.0)", "Windows"),
        ("", None),
        ("\x1b[2J", None),
        (None, None),
    ],
)
def test_a_device_has_a_name_for_people(agent, name):
    assert device_name(agent) == name
    assert Device(user_agent=agent).name == name


def test_a_user_agent_is_kept_up_to_512_bytes():
    assert Device(user_agent="é" * 300).user_agent == "é" * 256

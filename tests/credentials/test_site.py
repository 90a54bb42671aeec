from __future__ import annotations

import pytest

from asgi_auth import ConfigurationError, Site


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"trusted_origins": ["app.example"]}, "origin"),
        ({"trusted_origins": "https://app.example"}, "list"),
        ({"trusted_proxies": "10.0.0.1"}, "list"),
        ({"public_url": "api.example"}, "origin"),
        ({"public_url": "capacitor://localhost"}, "http"),
    ],
)
def test_what_is_no_place_in_the_net_is_refused_with_a_sentence(options, word):
    with pytest.raises(ConfigurationError, match=word):
        Site(**options)


def test_lists_stay_as_they_were_given():
    origins = ["https://app.example"]
    site = Site(trusted_origins=origins)
    origins.append("https://evil.example")
    assert site.trusted_origins == ("https://app.example",)
    assert site == Site(trusted_origins=iter(["https://app.example"]))

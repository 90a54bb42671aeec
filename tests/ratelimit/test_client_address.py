from __future__ import annotations

import pytest

from asgi_auth.errors import ConfigurationError
from asgi_auth.ratelimit.client_address import ClientAddresses, network_of


def scope(peer, *forwarded):
    return {
        "client": None if peer is None else (peer, 1234),
        "headers": [(b"x-forwarded-for", value) for value in forwarded],
    }


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", [b"198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"6.6.6.6", b"198.51.100.1, 10.0.0.7"], "198.51.100.1"),
        ("10.0.0.1", [b"10.0.0.8, 10.0.0.7"], "10.0.0.8"),
        ("10.0.0.1", [b"rubbish"], "10.0.0.1"),
        ("10.0.0.1", [b"rubbish, 10.0.0.7"], "10.0.0.7"),
        ("10.0.0.1", [b"\xff, 198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", [b"[2001:db8::1]:443"], "2001:db8::1"),
        ("::ffff:10.0.0.1", [b"2001:db8::1%eth0"], "2001:db8::1"),
        ("10.0.0.1", [b"1.1.1.1," * 99 + b"10.0.0.2"], "1.1.1.1"),
        (None, [b"198.51.100.1"], "unknown"),
        ("testclient", [b"198.51.100.1"], "testclient"),
        ("x" * 999, [], "x" * 64),
    ],
)
def test_only_what_a_trusted_proxy_added_is_believed(peer, forwarded, address):
    addresses = ClientAddresses(["10.0.0.0/8"])
    assert addresses.of(scope(peer, *forwarded)) == address


def test_a_proxy_on_a_unix_socket_can_be_trusted():
    addresses = ClientAddresses(["unix"])
    assert addresses.of(scope(None, b"6.6.6.6, 198.51.100.1")) == "198.51.100.1"
    assert addresses.of(scope(None)) == "unknown"
    assert addresses.of(scope("10.0.0.1", b"6.6.6.6")) == "10.0.0.1"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_a_customer_of_a_provider_is_counted_once(address, network):
    assert network_of(address) == network


@pytest.mark.parametrize("bad", [["proxy.example"], ["10.0.0.1/8"], "10.0.0.1"])
def test_what_is_no_address_is_refused(bad):
    with pytest.raises(ConfigurationError):
        ClientAddresses(bad)


def test_a_proxy_that_is_not_trusted_is_told_of_once(caplog):
    addresses = ClientAddresses(["10.0.0.0/8"])
    for peer, *forwarded in (
        ("9.9.9.9", b"198.51.100.1"),
        ("192.168.0.7",),
        ("rubbish", b"198.51.100.1"),
        ("10.0.0.1", b"198.51.100.1"),
    ):
        addresses.of(scope(peer, *forwarded))
    assert caplog.messages == []

    for _ in range(3):
        assert addresses.of(scope("192.168.0.7", b"198.51.100.1")) == "192.168.0.7"
    (message,) = caplog.messages
    assert "192.168.0.7" in message
    assert "198.51.100.1" not in message

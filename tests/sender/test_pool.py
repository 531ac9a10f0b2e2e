"""Endpoints, pool options and the patience with which connections are opened again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sender.apns.messages import ApnsOptions
from sender.errors import SenderConfigurationError
from sender.pool import CONNECTIONS_MAX, Endpoint, PoolOptions, reconnect_pause_s


@pytest.mark.parametrize(
    ("url", "endpoint", "authority"),
    [
        ("https://api.push.apple.com", Endpoint("api.push.apple.com", 443, True), "api.push.apple.com"),
        ("https://localhost:8443/", Endpoint("localhost", 8443, True), "localhost:8443"),
        ("http://127.0.0.1:9000", Endpoint("127.0.0.1", 9000, False), "127.0.0.1:9000"),
        ("https://[::1]:8443", Endpoint("::1", 8443, True), "[::1]:8443"),
    ],
)
def test_endpoints_are_read(url: str, endpoint: Endpoint, authority: str) -> None:
    assert Endpoint.parse(url) == endpoint
    assert endpoint.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8443",
        "ftp://x",
        "https://",
        "https://x:99999",
        "https://x/3/device",
        "https://x?y",
        "https://u@x",
    ],
)
def test_bad_endpoints_are_named(url: str) -> None:
    with pytest.raises(SenderConfigurationError) as error:
        Endpoint.parse(url)
    assert repr(url) in str(error.value)


@pytest.mark.parametrize("connections", [0, -1, CONNECTIONS_MAX + 1])
def test_the_number_of_connections_is_bounded(connections: int) -> None:
    with pytest.raises(SenderConfigurationError, match="connections"):
        PoolOptions(connections=connections)


@given(st.integers(1, 100), st.floats(0, 1, exclude_max=True))
def test_connections_that_answer_nothing_are_opened_ever_more_patiently(failures: int, draw: float) -> None:
    options = PoolOptions()
    pause = reconnect_pause_s(failures, options, draw)
    assert 0 < pause <= options.reconnect_max_s
    assert reconnect_pause_s(failures + 1, options, draw) >= pause


def test_after_a_connection_that_worked_the_next_opens_at_once() -> None:
    assert reconnect_pause_s(0, PoolOptions(), 0.5) == 0


@pytest.mark.parametrize("value", ["", " x", "a\nb", "ü", "x\r"])
def test_no_option_smuggles_a_line_into_the_headers(value: str) -> None:
    with pytest.raises(SenderConfigurationError):
        ApnsOptions(topic=value, authority="x")
    with pytest.raises(SenderConfigurationError):
        ApnsOptions(topic="com.example.app", authority="x", collapse_id=value)

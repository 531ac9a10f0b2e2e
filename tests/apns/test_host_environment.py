"""Which environment a connection is for."""

import pytest

from simulator.apns.host_environment import ApnsHost, environment_of, environment_of_host
from simulator.apns.judge import ACCEPTED
from simulator.apns.link import Link
from simulator.devices.token_space import Environment
from tests.apns.valid_push import Bench, Push, device_token
from wire.request import Head

PRODUCTION, SANDBOX = Environment.PRODUCTION, Environment.SANDBOX


@pytest.mark.parametrize("host", ApnsHost)
def test_every_host_tells_its_environment(host: ApnsHost) -> None:
    assert environment_of(host.host_name, None, host.environment.other) is host.environment
    assert environment_of(None, host.host_name.encode(), host.environment.other) is host.environment
    assert ("sandbox" in host.host_name or "development" in host.host_name) == (host.environment is SANDBOX)


@pytest.mark.parametrize(
    "host", [b"api.sandbox.push.apple.com:2197", b"API.Sandbox.Push.Apple.Com", b"api.sandbox.push.apple.com."]
)
def test_port_case_and_trailing_dot_do_not_matter(host: bytes) -> None:
    assert environment_of_host(host) is SANDBOX


@pytest.mark.parametrize("host", [None, b"", b"localhost:8443", b"[::1]:8443", b"\xff", b"x.api.push.apple.com"])
def test_other_hosts_tell_none(host: bytes | None) -> None:
    assert environment_of_host(host) is None
    assert environment_of(None, host, SANDBOX) is SANDBOX


def test_sni_comes_before_authority() -> None:
    assert environment_of("api.push.apple.com", b"api.sandbox.push.apple.com", SANDBOX) is PRODUCTION
    assert environment_of("localhost", b"api.sandbox.push.apple.com", PRODUCTION) is SANDBOX


@pytest.mark.parametrize("name", [b":authority", b"host"])
def test_without_sni_the_first_request_settles_the_environment(name: bytes) -> None:
    bench = Bench(link=Link.opened(None, PRODUCTION))
    push = Push().to(device_token(environment=SANDBOX))
    fields = tuple(field for field in Push().head().fields if field[0] != b":authority")
    first = Head(((name, b"api.sandbox.push.apple.com"), *fields))
    assert bench.judge(push, first) is ACCEPTED
    # It stays, whatever a later request names.
    assert bench.judge(push) is ACCEPTED
    assert bench.link.environment is SANDBOX


def test_with_sni_no_request_changes_the_environment() -> None:
    bench = Bench(link=Link.opened("api.sandbox.push.apple.com", PRODUCTION))
    bench.judge(Push())
    assert bench.link.environment is SANDBOX

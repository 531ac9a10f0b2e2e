"""The list of redirected hosts and the simulator's own lists, written apart, name the same."""

from loadtest.redirection.hosts import PROVIDER_HOSTS, plain_host
from simulator.apns.host_environment import ApnsHost
from simulator.credentials import GOOGLE_HOSTS, HOST_NAMES


def test_all_hosts_of_the_providers_are_redirected_and_no_other() -> None:
    assert set(PROVIDER_HOSTS) == {host.host_name for host in ApnsHost} | set(GOOGLE_HOSTS)
    assert len(PROVIDER_HOSTS) == len(set(PROVIDER_HOSTS))


def test_the_simulator_has_a_certificate_for_each() -> None:
    assert set(PROVIDER_HOSTS) <= set(HOST_NAMES)


def test_names_are_compared_as_resolvers_do() -> None:
    assert plain_host("API.Push.Apple.com.") == "api.push.apple.com"

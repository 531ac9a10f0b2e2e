"""The environment of a redirected program: the user's own, kept but for what would lead around the simulator."""

import shlex

import pytest

from loadtest.redirection.environment import (
    NODE_START,
    PYTHON_START,
    Redirection,
    redirected_environment,
    without_proxy,
)
from loadtest.redirection.hosts import PROVIDER_HOSTS

PROXY = "http://127.0.0.1:3128"
REDIRECTION = Redirection(8443, PROXY)
LOOPBACK = "localhost,127.0.0.1,::1"


def environment(**own: str) -> dict[str, str]:
    return redirected_environment(own, {"PUSHRIG_URL": "https://localhost:8443", "SSL_CERT_FILE": "/b"}, REDIRECTION)


def test_the_users_variables_stay_and_those_of_the_simulator_come_over_them() -> None:
    variables = environment(HOME="/home/me", PUSHRIG_URL="https://elsewhere", SSL_CERT_FILE="/mine")
    assert (variables["HOME"], variables["PUSHRIG_URL"], variables["SSL_CERT_FILE"]) == (
        "/home/me",
        "https://localhost:8443",
        "/b",
    )
    assert variables["HTTPLIB2_CA_CERTS"] == "/b"


def test_the_start_hooks_are_told_hosts_port_and_proxy() -> None:
    variables = environment()
    assert variables["PUSHRIG_REDIRECT_HOSTS"].split() == list(PROVIDER_HOSTS)
    assert (variables["PUSHRIG_REDIRECT_PORT"], variables["PUSHRIG_REDIRECT_PROXY"]) == ("8443", PROXY)


def test_the_hooks_stand_before_what_python_and_node_had_already() -> None:
    variables = environment(PYTHONPATH="/mine:/other", NODE_OPTIONS="--max-old-space-size=100")
    assert variables["PYTHONPATH"] == f"{PYTHON_START}:/mine:/other"
    assert shlex.split(variables["NODE_OPTIONS"]) == ["--require", str(NODE_START), "--max-old-space-size=100"]
    # An empty entry would mean the current directory, which Python does not search for a variable that is empty.
    assert environment(PYTHONPATH="")["PYTHONPATH"] == str(PYTHON_START)


def test_python_gets_nothing_importable_but_its_hook() -> None:
    assert [path.name for path in PYTHON_START.iterdir() if path.name != "__pycache__"] == ["sitecustomize.py"]


def test_no_other_proxy_leads_around_ours() -> None:
    variables = environment(
        HTTPS_PROXY="http://corp:1",
        https_proxy="http://corp:2",
        ALL_PROXY="socks5://corp:3",
        all_proxy="socks5://corp:4",
    )
    assert {name: value for name, value in variables.items() if "corp" in value} == {}
    assert variables["HTTPS_PROXY"] == variables["https_proxy"] == PROXY


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_the_users_no_proxy_is_kept_and_loopback_added(name: str) -> None:
    variables = environment(**{name: "localhost, intranet.example,10.0.0.0/8"})
    assert variables["NO_PROXY"] == variables["no_proxy"] == f"{LOOPBACK},intranet.example,10.0.0.0/8"


@pytest.mark.parametrize(
    "entry",
    ["*", "googleapis.com", ".googleapis.com", "*.apple.com", "FCM.googleapis.com.", "com", "iid.googleapis.com:443"],
)
def test_an_entry_that_covers_a_provider_is_dropped(entry: str) -> None:
    assert without_proxy(f"{entry},kept.example") == f"{LOOPBACK},kept.example"


@pytest.mark.parametrize(
    "entry", ["example.com", "notapple.org", "fcm.googleapis.com.example", "fd00::/8", "*.example"]
)
def test_an_entry_that_covers_none_is_kept(entry: str) -> None:
    assert without_proxy(entry) == f"{LOOPBACK},{entry}"

"""A server in the simulator's place and an environment that leads to it: HTTP/1.1, and it tells what it was asked."""

import os
import time
from collections.abc import Iterator

import pytest

from loadtest.redirection.environment import Redirection, redirected_environment
from simulator.credentials import Credentials, load_or_create
from tests.redirection.programs import Redirected
from tests.redirection.stand_in import stand_in

# A port that nobody listens on: a program with a start hook that goes by the proxy all the same does not arrive.
NO_PROXY_THERE = "http://127.0.0.1:9"


@pytest.fixture(scope="session")
def stand_in_credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    """Certificates as the simulator has them."""
    return load_or_create(tmp_path_factory.mktemp("state"), time.time())


@pytest.fixture(scope="session")
def redirected(stand_in_credentials: Credentials) -> Iterator[Redirected]:
    """Where programs are redirected by their start hooks."""
    bundle = str(stand_in_credentials.bundle_file)
    client_variables = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), bundle)
    client_variables["NODE_EXTRA_CA_CERTS"] = str(stand_in_credentials.ca_file)
    with stand_in(stand_in_credentials) as port:
        yield Redirected(port, redirected_environment(os.environ, client_variables, Redirection(port, NO_PROXY_THERE)))

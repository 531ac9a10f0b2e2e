"""The conformance suite h2spec against the provider port: it must find nothing."""

import re

import pytest

from pushrig_pytest import PushSimulator
from tests.wire.independent.programs import output_of

TESTS_MIN = 146  # of h2spec 2.6.0; with --strict there are more


@pytest.mark.parametrize("strict", [[], ["--strict"]], ids=["usual", "strict"])
@pytest.mark.parametrize("tls", [True, False], ids=["tls", "cleartext"])
def test_h2spec_finds_nothing(simulator: PushSimulator, tls: bool, strict: list[str]) -> None:
    port = simulator.port if tls else simulator.cleartext_port
    path = f"/3/device/{simulator.token()}"
    arguments = ["--host", simulator.host, "--port", str(port), "--path", path, *strict]
    printed = output_of("h2spec", [*arguments, *(["--tls", "--insecure"] if tls else [])])
    counts = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", printed)
    assert counts is not None, printed
    tests, passed, skipped, failed = map(int, counts.groups())
    assert failed == 0, printed[printed.find("Failures") :]
    assert tests >= TESTS_MIN
    assert passed + skipped == tests
    assert skipped == 0
    simulator.check_alive()

"""`--limits FILE` with rates of connections and provider tokens, as a sender meets them."""

from pathlib import Path

from pushrig_pytest import PushSimulatorFactory
from tests.end_to_end.h2_client import H2Client, valid_push

RATES = """
[apns_connection]
count = 2
per_s = 3600
[apns_provider_token]
count = 3
per_s = 3600
"""


def test_connection_and_provider_token_have_rates_of_their_own(
    push_simulator_factory: PushSimulatorFactory, tmp_path: Path
) -> None:
    file = tmp_path / "rates.toml"
    file.write_text(RATES)
    with push_simulator_factory("--limits", str(file)) as simulator:
        push = valid_push(simulator)
        with H2Client.connect(simulator) as first, H2Client.connect(simulator) as second:
            answers = [client.push(push) for client in (first, first, first, second, second)]
            assert [each.status for each in answers] == [200, 200, 429, 200, 429]
            assert {each.body for each in answers if each.status == 429} == {b'{"reason":"TooManyRequests"}'}
            simulator.reset()
            assert [first.push(push).status for _ in range(3)] == [200, 200, 429]

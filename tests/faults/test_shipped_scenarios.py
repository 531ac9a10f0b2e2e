"""The scenarios that come with pushrig: every incident that senders suffered in production, by its name."""

import pytest

from simulator.devices.fates import Provider
from simulator.faults.fault import RequestFault
from simulator.faults.scenario_file import ReadScenario, find_scenario, shipped_names
from simulator.faults.scenario_play import ScenarioPlay
from simulator.faults.table import FAULTS

# Transcript of the incidents: name, and the public issues in which users reported it.
INCIDENTS = {
    "rejection-throttle": ("pushy#732", "jetty#6603", "gorush#470"),
    "expired-token-burst": ("pushy#476", "pushy#486"),
    "goaway-mid-burst": ("pushy#865", "node-apn#140", "httpcore#1054"),
    "goaway-abrupt": ("node-apn#140",),
    "goaway-before-settings": ("pushy#831",),
    "too-many-streams": ("pushy#356", "node-apn#142"),
    "fcm-exceeded-streams": ("firebase-admin-node#2943",),
    "silent-stream": ("APNSwift#93", "vapor/apns#28", "aapns#31", "apns2#20"),
    "long-stall-then-reset": ("PyAPNs2#119",),
    "idle-close": ("PyAPNs2#30", "rpush#723"),
    "refused-stream-late": ("pushok#169", "AndrewBarba/apns2#80"),
    "token-renewed-too-often": ("pigeon#226", "apns2#132", "AndrewBarba/apns2#16"),
    "wrong-certificate-environment": ("apns2#93", "apns2#117"),
    "slow-handshake": ("firebase-admin-node#2488", "firebase-admin-python#712"),
    "bad-payload-not-bad-token": ("fcm-django#223", "firebase-admin-java#1064"),
    "reregistered-after-410": ("pushy#674", "PyAPNs2#61"),
    "retry-storm": ("sygnal#117", "node-apn retry header case", "PyFCM recursion"),
    "window-starvation": ("apns2#163",),
    "one-then-thousand": ("pushy#356", "apnotic#140"),
    "connection-refused": ("sygnal#104", "firebase-admin-node#2789"),
    "uninstall-wave": ("gorush#813",),
}


@pytest.fixture(scope="module", params=sorted(INCIDENTS))
def read(request: pytest.FixtureRequest) -> ReadScenario:
    return find_scenario(request.param)


def test_every_incident_ships_and_nothing_else_does() -> None:
    assert set(shipped_names()) == set(INCIDENTS)
    assert len(INCIDENTS) == 21


def test_a_scenario_has_the_name_of_its_file_and_its_public_sources(read: ReadScenario) -> None:
    scenario = read.scenario
    assert find_scenario(scenario.name) == read
    assert scenario.sources == INCIDENTS[scenario.name]


def test_no_two_have_a_seed_in_common() -> None:
    seeds = [find_scenario(name).scenario.seed for name in shipped_names()]
    assert len(set(seeds)) == len(seeds)


def test_it_is_written_for_people(read: ReadScenario) -> None:
    scenario = read.scenario
    assert not scenario.title.endswith(".")
    for prose in (scenario.what_happens, scenario.good_sender):
        assert prose.strip().endswith(".")


def test_it_ends_in_time_and_is_short_enough_for_a_test(read: ReadScenario) -> None:
    scenario = read.scenario
    assert scenario.population.devices <= 3_000
    assert scenario.runs * scenario.time_limit_s <= 200
    assert all((phase.for_s or 0) <= 5 for phase in scenario.phase)


def test_faults_of_single_tokens_are_drawn_by_share_of_tokens(read: ReadScenario) -> None:
    # So that they meet the same tokens whatever the order of sending.
    for planned in (each for faults in read.faults for each in faults):
        assert planned.match.share_of_requests is None
        assert planned.match.until_s is None  # by the simulator's clock, which scenarios may move: phases end instead


def test_something_happens_to_each_provider_in_each_scenario(read: ReadScenario) -> None:
    """Each provider has faults that can meet it, a setting of the simulator, or a fate that it refuses."""
    scenario = read.scenario
    for provider in map(Provider, scenario.providers):
        meets = [
            planned
            for faults in read.faults
            for planned in faults
            if not (isinstance(planned.fault, RequestFault) and planned.fault.provider not in (None, provider))
        ]
        assert meets or scenario.serve or scenario.population.fates


def test_its_phases_begin_and_those_with_an_end_end(read: ReadScenario) -> None:
    play = ScenarioPlay(read.scenario)
    for _ in range(read.scenario.runs):
        begun = [each.phase for each in play.begin_run() if each.begins]
        play.came(0.0)
        begun += [each.phase for now_s in (1_000.0, 1_010.0) for each in play.step(now_s, 10**6) if each.begins]
        of_run = [number for number, each in enumerate(read.scenario.phase) if each.run in (None, play.run)]
        assert sorted(begun) == of_run
        ended = [each.phase for each in play.step(2_000.0, 2 * 10**6) if not each.begins]
        assert set(ended) <= {number for number in of_run if read.scenario.phase[number].for_s is not None}


def test_the_incidents_use_faults_of_every_kind_that_they_speak_of() -> None:
    used = {each.fault.name for name in shipped_names() for faults in find_scenario(name).faults for each in faults}
    assert used <= set(FAULTS)
    assert {
        "goaway", "handshake", "idle-close", "ping", "refuse-connections", "reset-stream", "silent-stream", "stall",
        "starved-windows", "stream-limit", "strict-streams", "expired-token", "reason", "latency",
    } <= used  # fmt: skip

"""Which registration a text names, what has become of it, and which APNs token it sits on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.apns.state import UnknownTokens
from simulator.bounds import BoundReachedError
from simulator.devices.fates import Fate, Provider
from simulator.devices.registration_space import (
    Platform,
    is_fid_shape,
    is_registration_token_shape,
    unseal_fid,
    unseal_registration,
)
from simulator.devices.token_space import Environment, unseal
from simulator.fcm.registrations import ApnsSeat, Registration, Registrations, Standing, standing_of
from simulator.registry import DeviceState
from tests.fcm.registration_bench import (
    APPLICATION,
    FID,
    FOREIGN,
    GCM,
    MALFORMED,
    OLD,
    TOKEN,
    FcmBench,
    registration_token,
)

APNS_TOKEN = b"0123456789abcdef" * 4
DAMAGED = TOKEN[:-1] + (b"A" if TOKEN[-1:] != b"A" else b"B")
GONE_BY_HAND = DeviceState(Fate.UNREGISTERED, 5)


def _standing(bench: FcmBench, text: bytes) -> Standing:
    return standing_of(bench.registrations.find(text), bench)


def _imported(registrations: Registrations, application: str = APPLICATION) -> bytes:
    return registrations.import_apns(application, Environment.SANDBOX, APNS_TOKEN)


def test_a_token_and_its_fid_name_one_registration() -> None:
    found = Registrations().find(TOKEN)
    assert found == Registrations().find(FID) == Registration(FID, unseal_registration(TOKEN))


def test_a_foreign_token_and_its_fid_name_one_registration() -> None:
    registrations = Registrations()
    assert registrations.find(FOREIGN) == registrations.find(FOREIGN[:22]) == Registration(FOREIGN[:22])


@pytest.mark.parametrize("token", [OLD, GCM])
def test_a_token_without_a_fid_is_its_own_key(token: bytes) -> None:
    assert Registrations().find(token) == Registration(token)


def test_a_damaged_token_is_foreign_and_another_registration_than_the_one_of_its_fid() -> None:
    assert Registrations().find(DAMAGED) == Registration(DAMAGED)


@pytest.mark.parametrize("text", [MALFORMED, b"", FID[:21], b"a" * 22, TOKEN.replace(b":", b"%3A"), TOKEN + b"\xff"])
def test_what_is_no_token_names_none(text: bytes) -> None:
    assert Registrations().find(text) is None


@given(st.binary(max_size=40) | st.sampled_from([TOKEN, FID, FOREIGN, OLD, DAMAGED, _imported(Registrations())]))
def test_what_a_text_is_found_by_is_its_key(text: bytes) -> None:
    registrations = Registrations()
    _imported(registrations)
    found = registrations.find(text)
    assert found is None or found.key == registrations.key_of(text)


# What has become of it


@pytest.mark.parametrize(
    ("fate", "expected"),
    [
        (Fate.ACTIVE, Standing.LIVE),
        (Fate.UNREGISTERED, Standing.GONE),
        (Fate.STALE, Standing.GONE),
        (Fate.OTHER_SENDER, Standing.OTHER_PROJECT),
    ],
)
@pytest.mark.parametrize("platform", Platform)
def test_a_synthetic_registration_stands_as_its_fate_says(fate: Fate, expected: Standing, platform: Platform) -> None:
    token = registration_token(fate, platform)
    for unknown_tokens in UnknownTokens:
        bench = FcmBench(unknown_tokens=unknown_tokens)
        assert _standing(bench, token) is _standing(bench, token[:22]) is expected


@pytest.mark.parametrize("text", [FOREIGN, FOREIGN[:22], OLD, GCM, DAMAGED])
def test_a_foreign_registration_stands_as_unknown_tokens_says(text: bytes) -> None:
    assert _standing(FcmBench(), text) is Standing.LIVE
    assert _standing(FcmBench(unknown_tokens=UnknownTokens.REJECT), text) is Standing.GONE


def test_what_is_no_token_is_malformed() -> None:
    assert _standing(FcmBench(), MALFORMED) is Standing.MALFORMED


@pytest.mark.parametrize("named", [TOKEN, FID])
@pytest.mark.parametrize("asked", [TOKEN, FID])
def test_a_state_set_by_hand_counts_for_the_token_and_its_fid(named: bytes, asked: bytes) -> None:
    bench = FcmBench()
    bench.overlay.set(named, GONE_BY_HAND)
    assert _standing(bench, asked) is Standing.GONE
    assert _standing(bench, registration_token(index=8)) is Standing.LIVE


def test_a_state_set_by_hand_for_a_damaged_token_leaves_the_good_one_alone() -> None:
    bench = FcmBench()
    bench.overlay.set(DAMAGED, GONE_BY_HAND)
    assert (_standing(bench, DAMAGED), _standing(bench, TOKEN)) == (Standing.GONE, Standing.LIVE)


def test_case_tells_registrations_apart() -> None:
    bench = FcmBench()
    bench.overlay.set(FOREIGN, GONE_BY_HAND)
    assert _standing(bench, FOREIGN[:1] + FOREIGN[1:22].swapcase() + FOREIGN[22:]) is Standing.LIVE


def test_a_registration_set_active_by_hand_lives_whatever_its_token_says() -> None:
    bench = FcmBench(unknown_tokens=UnknownTokens.REJECT)
    for token in (registration_token(Fate.UNREGISTERED), FOREIGN):
        bench.overlay.set(token, DeviceState(Fate.ACTIVE, 5))
        assert _standing(bench, token) is Standing.LIVE


@pytest.mark.parametrize("fate", Fate)
def test_every_fate_that_can_be_set_by_hand_has_a_standing(fate: Fate) -> None:
    bench = FcmBench()
    bench.overlay.set(TOKEN, DeviceState(fate, 5))
    assert isinstance(_standing(bench, TOKEN), Standing)
    if Provider.FCM not in fate.providers:
        assert _standing(bench, TOKEN) is Standing.LIVE


# APNs tokens


def test_an_imported_registration_is_live_and_of_ios_and_sits_on_its_apns_token() -> None:
    bench = FcmBench(unknown_tokens=UnknownTokens.REJECT)
    token = _imported(bench.registrations)
    found = bench.registrations.find(token)
    assert found is not None and found == bench.registrations.find(token[:22])
    seat = ApnsSeat(APNS_TOKEN, APPLICATION, Environment.SANDBOX)
    assert (found.platform, found.seat("elsewhere", Environment.PRODUCTION)) == (Platform.IOS, seat)
    assert _standing(bench, token) is Standing.LIVE


def test_the_token_of_an_import_is_well_formed_and_foreign_to_the_token_space() -> None:
    token = _imported(Registrations())
    assert is_registration_token_shape(token) and len(token) == len(TOKEN) and is_fid_shape(token[:22])
    assert (unseal_registration(token), unseal_fid(token[:22])) == (None, None)


def test_the_same_apns_token_of_the_same_app_and_environment_has_the_same_registration_at_any_time() -> None:
    registrations = Registrations()
    assert _imported(registrations) == _imported(registrations) == _imported(Registrations())
    assert registrations.import_apns(APPLICATION, Environment.SANDBOX, APNS_TOKEN.upper()) == _imported(registrations)
    assert len(registrations) == 1
    tokens = {
        _imported(registrations),
        _imported(registrations, "com.example.other"),
        registrations.import_apns(APPLICATION, Environment.PRODUCTION, APNS_TOKEN),
        registrations.import_apns(APPLICATION, Environment.SANDBOX, APNS_TOKEN[:-1] + b"0"),
    }
    assert len(tokens) == len(registrations) == 4


def test_a_token_that_was_not_imported_here_is_foreign() -> None:
    bench = FcmBench(unknown_tokens=UnknownTokens.REJECT)
    assert _standing(bench, _imported(Registrations())) is Standing.GONE


def test_a_damaged_token_of_an_import_is_another_registration() -> None:
    bench = FcmBench(unknown_tokens=UnknownTokens.REJECT)
    token = _imported(bench.registrations)
    damaged = token[:-1] + (b"A" if token[-1:] != b"A" else b"B")
    assert (_standing(bench, damaged), bench.registrations.key_of(damaged)) == (Standing.GONE, damaged)


def test_at_the_bound_of_imports_a_further_one_is_refused_and_nothing_changed() -> None:
    registrations = Registrations(imported_max=1)
    token = _imported(registrations)
    with pytest.raises(BoundReachedError, match="IMPORTED_REGISTRATIONS_MAX"):
        _imported(registrations, "com.example.other")
    assert (_imported(registrations), len(registrations)) == (token, 1)


def test_clearing_forgets_imports_at_its_first_step() -> None:
    registrations = Registrations()
    for number in range(5_000):
        registrations.import_apns(APPLICATION, Environment.PRODUCTION, b"%064x" % number)
    steps = registrations.clear_steps()
    next(steps)
    assert len(registrations) == 0
    _imported(registrations)
    assert sum(1 for _ in steps) > 1
    assert len(registrations) == 1


@pytest.mark.parametrize("environment", Environment)
def test_a_synthetic_registration_of_ios_sits_on_the_apns_token_of_the_same_device(environment: Environment) -> None:
    found = Registrations().find(registration_token(platform=Platform.IOS))
    assert found is not None
    seat = found.seat(APPLICATION, environment)
    assert seat is not None and seat[1:] == (APPLICATION, environment)
    sealed = unseal(seat.token)
    assert sealed is not None and (sealed.seed, sealed.index, sealed.environment) == (1, 7, environment)


@pytest.mark.parametrize(
    "token", [TOKEN, registration_token(platform=Platform.WEB), FOREIGN], ids=["android", "web", "foreign"]
)
def test_other_registrations_sit_on_no_apns_token(token: bytes) -> None:
    found = Registrations().find(token)
    assert found is not None and found.seat(APPLICATION, Environment.PRODUCTION) is None
    assert found.platform is (Platform.WEB if token == registration_token(platform=Platform.WEB) else Platform.ANDROID)

"""Claims about the table of fates."""

import pytest

from simulator.devices.fates import Death, Fate, Provider
from simulator.fcm.errors import FcmErrorCode


def test_codes_and_names_are_unique_so_that_each_reads_back_to_its_row() -> None:
    for fate in Fate:
        assert Fate.of_code(fate.code) is fate
        assert Fate.of_name(fate.wire_name) is fate
    assert len({fate.code for fate in Fate}) == len({fate.wire_name for fate in Fate}) == len(Fate)


def test_codes_are_part_of_the_token_format_and_stay_as_they_are() -> None:
    assert {fate.wire_name: fate.code for fate in Fate} == {
        "active": 0,
        "unregistered": 1,
        "expired": 2,
        "wrong-topic": 3,
        "wrong-environment": 4,
        "reregistered": 5,
        "other-sender": 6,
        "stale": 7,
        "invalid-shape": 8,
    }


def test_every_code_fits_the_bits_that_each_format_has_for_it() -> None:
    assert all(0 <= fate.code < 256 for fate in Fate)
    assert all(fate.code < 64 for fate in Fate.of_provider(Provider.FCM))


def test_reasons_are_those_of_the_provider() -> None:
    assert {fate.wire_name: fate.reason for fate in Fate} == {
        "active": None,
        "unregistered": "Unregistered",
        "expired": "ExpiredToken",
        "wrong-topic": "DeviceTokenNotForTopic",
        "wrong-environment": "BadDeviceToken",
        "reregistered": "Unregistered",
        "other-sender": None,
        "stale": None,
        "invalid-shape": None,
    }
    assert {fate.wire_name: fate.error_code for fate in Fate.of_provider(Provider.FCM)} == {
        "active": None,
        "unregistered": "UNREGISTERED",
        "other-sender": "SENDER_ID_MISMATCH",
        "stale": "UNREGISTERED",
        "invalid-shape": "INVALID_ARGUMENT",
    }


def test_error_codes_are_rows_of_fcms_table() -> None:
    assert all(FcmErrorCode(fate.error_code) for fate in Fate if fate.error_code is not None)


def test_only_active_devices_are_accepted_by_the_providers_that_know_the_fate() -> None:
    for fate in Fate:
        assert (fate.reason is None) == (fate is Fate.ACTIVE or Provider.APNS not in fate.providers)
        assert (fate.error_code is None) == (fate is Fate.ACTIVE or Provider.FCM not in fate.providers)
        assert fate.providers


def test_the_rejected_devices_whose_tokens_must_be_kept_are_those_that_came_back_and_those_of_another_sender() -> None:
    assert [fate for fate in Fate if not fate.invalidates] == [Fate.ACTIVE, Fate.REREGISTERED, Fate.OTHER_SENDER]
    assert Fate.REREGISTERED.death is Death.BEFORE_REGISTRATION


def test_every_row_names_its_source() -> None:
    assert all(fate.source for fate in Fate)


def test_an_unknown_name_gets_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'dead'; there are: active, unregistered, .*reregistered"):
        Fate.of_name("dead")


def test_an_unknown_code_is_no_fate() -> None:
    with pytest.raises(KeyError):
        Fate.of_code(255)

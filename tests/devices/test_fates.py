"""Claims about the table of fates."""

import pytest

from simulator.devices.fates import Death, Fate


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
    }


def test_every_code_fits_its_eight_bits() -> None:
    assert all(0 <= fate.code < 256 for fate in Fate)


def test_reasons_are_those_of_the_provider() -> None:
    assert {fate.wire_name: fate.reason for fate in Fate} == {
        "active": None,
        "unregistered": "Unregistered",
        "expired": "ExpiredToken",
        "wrong-topic": "DeviceTokenNotForTopic",
        "wrong-environment": "BadDeviceToken",
        "reregistered": "Unregistered",
    }


def test_a_reregistered_device_is_the_only_rejected_one_whose_token_must_be_kept() -> None:
    assert [fate for fate in Fate if fate.reason is not None and not fate.invalidates] == [Fate.REREGISTERED]
    assert Fate.REREGISTERED.death is Death.BEFORE_REGISTRATION


def test_every_row_names_its_source() -> None:
    assert all(fate.source for fate in Fate)


def test_an_unknown_name_gets_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'dead'; there are: active, unregistered, .*reregistered"):
        Fate.of_name("dead")


def test_an_unknown_code_is_no_fate() -> None:
    with pytest.raises(KeyError):
        Fate.of_code(255)

"""`--limits real|off|FILE`: which rates it gives, and how a wrong one is refused."""

from pathlib import Path

import msgspec
import pytest

from simulator.errors import SettingsError
from simulator.rates.rates import OFF, RATES, REAL, BucketRate, FanoutRate, WindowRate
from simulator.settings import merge

ROOT = Path(__file__).parents[2]


def _rates_file(directory: Path, text: str) -> Path:
    path = directory / "rates.toml"
    path.write_text(text)
    return path


def test_unless_given_they_are_real() -> None:
    assert merge({}).rates == merge({"rates": "real"}).rates == REAL


def test_off_keeps_none() -> None:
    assert merge({"rates": "off"}).rates == OFF
    assert all(getattr(OFF, name) is None for name in RATES)


def test_a_file_changes_rates_by_name_and_leaves_the_others_real(tmp_path: Path) -> None:
    path = _rates_file(
        tmp_path,
        'fcm_topic_changes = "off"\n'
        "fcm_fanouts = { concurrent = 2, deliveries_per_s = 50.5 }\n"
        "[fcm_project]\ncount = 60_000\n"
        "[fcm_android_device_minute]\nburst = 10\n"
        "[apns_device]\ncount = 5\nper_s = 0.5\nburst = 20\n",
    )
    assert merge({"rates": str(path)}).rates == msgspec.structs.replace(
        REAL,
        fcm_topic_changes=None,
        fcm_fanouts=FanoutRate(concurrent=2, deliveries_per_s=50.5),
        fcm_project=WindowRate(count=60_000, per_s=60),
        fcm_android_device_minute=BucketRate(count=240, per_s=60, burst=10),
        apns_device=BucketRate(count=5, per_s=0.5, burst=20),
    )


def test_an_empty_file_is_real(tmp_path: Path) -> None:
    assert merge({"rates": str(_rates_file(tmp_path, ""))}).rates == REAL


def test_the_settings_file_names_it_beside_itself_and_the_flag_overrides_it(tmp_path: Path) -> None:
    _rates_file(tmp_path, 'fcm_project = "off"')
    config = tmp_path / "rig.toml"
    config.write_text('rates = "rates.toml"')
    assert merge({}, config).rates == msgspec.structs.replace(REAL, fcm_project=None)
    assert merge({"rates": "off"}, config).rates == OFF


_SPOILED = [
    ("fcm_project =\nfcm_topic = 1", ["--limits", "line 1"]),
    ('fcm_projekt = "off"', ["fcm_projekt", "did you mean fcm_project?"]),
    ("[fcm-project]\ncount = 1", ["did you mean fcm_project?"]),
    ("[zzz]\ncount = 1", ["zzz", "it may hold fcm_project"]),
    ("fcm_project = 5", ["fcm_project in", "5", "count"]),
    ('fcm_project = "real"', ["fcm_project in", "real"]),
    ("fcm_project = false", ["fcm_project in", "False"]),
    ("[fcm_project]\ncount = 0", ["fcm_project in", "count", ">= 1"]),
    ("[fcm_project]\ncount = 10_000_001", ["fcm_project in", "count", "<= 10000000"]),
    ("[fcm_project]\ncount = 1.5", ["fcm_project in", "count"]),
    ("[fcm_project]\ncount = true", ["fcm_project in", "count"]),
    ("[fcm_project]\nper_s = 0", ["fcm_project in", "per_s", ">= 0.01"]),
    ("[fcm_project]\nper_s = nan", ["fcm_project in", "per_s"]),
    ("[fcm_project]\nper_s = inf", ["fcm_project in", "per_s"]),
    ("[fcm_project]\nburst = 1", ["fcm_project in", "burst"]),
    ("[fcm_topic_changes]\nburst = 0", ["fcm_topic_changes in", "burst", ">= 1"]),
    ("[fcm_topic_changes]\nrate = 1", ["fcm_topic_changes in", "rate"]),
    ("[apns_device]\ncount = 1", ["apns_device in", "per_s"]),
    ("[apns_device]\nper_s = 1", ["apns_device in", "count"]),
    ("[fcm_fanouts]\nconcurrent = 100_001", ["fcm_fanouts in", "concurrent", "<= 100000"]),
    ("[fcm_fanouts]\ndeliveries_per_s = 0.5", ["fcm_fanouts in", "deliveries_per_s", ">= 1"]),
]


@pytest.mark.parametrize(("text", "named"), _SPOILED)
def test_a_spoiled_file_is_refused_by_rate_and_place(tmp_path: Path, text: str, named: list[str]) -> None:
    path = _rates_file(tmp_path, text)
    with pytest.raises(SettingsError) as refused:
        merge({"rates": str(path)})
    message = str(refused.value)
    assert [part for part in [*named, str(path)] if part not in message] == []
    assert len(message) < 500


def test_what_is_meant_for_the_option_of_nearly_the_same_name_is_told_so() -> None:
    with pytest.raises(SettingsError, match="did you mean --limit pings_max=5"):
        merge({"rates": "pings_max=5"})
    with pytest.raises(SettingsError, match="did you mean --limits off"):
        merge({"limits": ["off"]})


def test_every_rate_is_documented_with_what_is_real() -> None:
    rows = (ROOT / "docs" / "settings.md").read_text().splitlines()
    for row in RATES.values():
        match row.real:
            case WindowRate(count=count, per_s=per_s) | BucketRate(count=count, per_s=per_s):
                real = f"{count} in {per_s:g} s"
            case FanoutRate(concurrent=concurrent, deliveries_per_s=deliveries_per_s):
                real = f"{concurrent} at a time, {deliveries_per_s:g} deliveries/s"
            case None:
                real = "–"
        assert f"| `{row.name}` | {real} | {row.description} | {row.source} |" in rows


def test_the_example_of_the_documentation_does_what_it_says(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    example = text[text.index("# rates.toml") :].split("```", 1)[0]
    assert merge({"rates": str(_rates_file(tmp_path, example))}).rates == msgspec.structs.replace(
        REAL,
        fcm_topic_changes=None,
        fcm_project=WindowRate(count=60_000, per_s=60),
        apns_device=BucketRate(count=5, per_s=60, burst=10),
    )

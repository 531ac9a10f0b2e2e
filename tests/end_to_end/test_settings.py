"""The settings of a simulator: what overrides what, and how a wrong value is refused."""

from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from simulator import settings as settings_module
from simulator.errors import SettingsError
from simulator.settings import OPTIONS, SEED_MAX, TOPIC_DEFAULT, WORKERS_MAX, ServeSettings, is_loopback, merge, option

ROOT = Path(__file__).parents[2]


def _config(directory: Path, text: str) -> Path:
    path = directory / "rig.toml"
    path.write_text(text)
    return path


def test_flags_override_the_file_and_the_file_overrides_the_defaults(tmp_path: Path) -> None:
    config = _config(tmp_path, "port = 1\ncontrol_port = 2\n")
    settings = merge({"port": 3, "control_port": None}, config)
    assert (settings.port, settings.control_port, settings.host) == (3, 2, "127.0.0.1")


def test_an_option_given_zero_times_leaves_the_file_in_force(tmp_path: Path) -> None:
    config = _config(tmp_path, 'topics = ["com.example.a"]')
    assert merge({"topics": []}, config).topics == ("com.example.a",)
    assert merge({"topics": ["com.example.b"]}, config).topics == ("com.example.b",)


def test_limits_of_flags_override_those_of_the_file_one_by_one(tmp_path: Path) -> None:
    config = _config(tmp_path, "[limits]\npings_max = 1\nsettings_max = 2\nidle_timeout_s = 3\n")
    limits = merge({"limits": ["pings_max=4", "request_timeout_s=0.5"]}, config).limits
    assert (limits.pings_max, limits.settings_max) == (4, 2)
    assert (limits.idle_timeout_s, limits.request_timeout_s, limits.resets_max) == (3.0, 0.5, 2_000)
    assert limits.of_wire().pings_max == 4


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("limits = 1", "table"),
        ('limits = "off"', "under rates"),
        ("[limits]\npings = 1", "did you mean pings_max"),
        ("[limits]\npings_max = 0", "pings_max=0"),
        ('[limits]\npings_max = "1"', "pings_max=1"),
        ("[limits]\npings_max = true", "pings_max=True"),
    ],
)
def test_a_spoiled_table_of_limits_is_refused_by_name_and_place(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named) as refused:
        merge({}, _config(tmp_path, text))
    assert "rig.toml" in str(refused.value)


def test_there_is_always_a_topic_to_name() -> None:
    assert merge({}).topic == TOPIC_DEFAULT
    assert merge({"topics": ("a", "b")}).topic == "a"


def test_relative_paths_count_from_the_file_or_from_where_the_flag_was_typed(tmp_path: Path) -> None:
    config = _config(tmp_path, 'state_dir = "state"\n')
    assert merge({}, config).state_dir == tmp_path / "state"
    assert merge({"state_dir": Path("state")}, config).state_dir == Path.cwd() / "state"


SPOILED: list[tuple[str, object]] = [
    ("host", ""),
    ("host", 1),
    ("port", -1),
    ("port", 65_536),
    ("port", "8443"),
    ("port", True),
    ("port", 1.5),
    ("cleartext_port", 65_536),
    ("control_host", ""),
    ("control_port", -1),
    ("control_token", "short"),
    ("control_token", "with a space among it"),
    ("control_token", "1234567890123456\n"),
    ("state_dir", ""),
    ("state_dir", "a\0b"),
    ("state_dir", "~no-such-user-here/x"),
    ("tls_cert", ""),
    ("tls_key", 1),
    ("client_ca", ""),
    ("environment", "development"),
    ("auth", "Strict"),
    ("provider_token_update_interval_s", 3_601),
    ("provider_token_update_interval_s", -1),
    ("provider_token_update_scope", "team"),
    ("unknown_tokens", "ignore"),
    ("topics", "com.example.app"),
    ("topics", ["com.example app"]),
    ("topics", ["x" * 256]),
    ("topics", ["x"] * 10_001),
    ("penalty", True),
    ("seed", -1),
    ("seed", SEED_MAX + 1),
    ("epoch_ms", -1),
    ("epoch_ms", 253_402_300_800_000),
    ("journal_entries_max", -1),
    ("journal_entries_max", 100_001),
    ("limits", "pings_max=1"),
    ("limits", ["pings_max"]),
    ("limits", ["pings_max="]),
    ("limits", ["pings_max=0"]),
    ("limits", ["pings_max=1.5"]),
    ("limits", ["pings_max=2147483648"]),
    ("limits", ["ping_max=1"]),
    ("limits", ["idle_timeout_s=0"]),
    ("limits", ["idle_timeout_s=nan"]),
    ("limits", ["idle_timeout_s=inf"]),
    ("limits", ["=1"]),
    ("rates", ""),
    ("rates", 1),
    ("rates", "Real"),
    ("rates", "a\0b"),
    ("rates", "~no-such-user-here/x"),
    ("rates", "/nowhere/rates.toml"),
    ("faults", "latency median_ms=5"),
    ("faults", [5]),
    ("faults", ["latancy median_ms=5"]),
    ("faults", ["latency median_ms=fast"]),
    ("faults_file", ""),
    ("faults_file", 1),
    ("workers", 0),
    ("workers", WORKERS_MAX + 1),
    ("workers", "2"),
    ("scenario", ""),
    ("scenario", 7),
    ("observe", "yes"),
    ("frame_log", ""),
    ("stop_with_stdin", "yes"),
]


@pytest.mark.parametrize(("name", "value"), SPOILED)
def test_a_value_that_will_not_do_is_refused_by_flag_and_remedy(name: str, value: object) -> None:
    with pytest.raises(SettingsError) as refused:
        merge({name: value})
    message = str(refused.value)
    assert OPTIONS[name].flag in message
    assert OPTIONS[name].expects in message
    assert len(message) < 400


def test_every_option_is_spoiled_above() -> None:
    assert {name for name, _ in SPOILED} == set(OPTIONS)


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", SEED_MAX), ("port", 65_535), ("topics", ["x" * 255]), ("journal_entries_max", 0), ("epoch_ms", 0)],
)
def test_the_limits_themselves_are_allowed(name: str, value: object) -> None:
    merge({name: value})


def test_a_refused_control_token_is_not_printed() -> None:
    with pytest.raises(SettingsError) as refused:
        merge({"control_token": "s3cret"})
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({"tls_cert": "server.pem"}, "--tls-key"),
        ({"tls_key": "server.key"}, "--tls-cert"),
        ({"control_host": "0.0.0.0"}, "--control-token"),
        ({"port": 8080}, "--control-port"),
        ({"cleartext_port": 8443}, "--port"),
    ],
)
def test_options_that_do_not_go_together_are_refused(flags: dict[str, object], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        merge(flags)


def test_a_control_token_opens_the_control_plane_to_other_machines() -> None:
    assert merge({"control_host": "0.0.0.0", "control_token": "x" * 16}).control_host == "0.0.0.0"


def test_free_ports_do_not_collide() -> None:
    merge({"port": 0, "cleartext_port": 0, "control_port": 0})


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("example.com", False),
    ],
)
def test_loopback_is_this_machine_only(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("prot = 1", "did you mean port"),
        ("control-port = 1", "did you mean control_port"),
        ("zzzzzz = 1", "it may hold host, port"),
        ("port = ", "TOML"),
        ("[port]\nx = 1", "port in .*rig.toml"),
        ('port = "8443"', "port in .*rig.toml"),
        ("port = 8080", "control_port|--control-port"),
    ],
)
def test_a_spoiled_file_is_refused_by_name_and_place(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        merge({}, _config(tmp_path, text))


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        merge({}, tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="TOML"):
        merge({}, tmp_path / "binary.toml")


def test_every_option_is_documented_with_its_default() -> None:
    rows = (ROOT / "docs" / "settings.md").read_text().splitlines()
    for row in OPTIONS.values():
        default = f"`{row.default_shown}`" if row.default_shown else "–"
        assert f"| `{row.flag}` | `{row.name}` | {default} | {row.description} | {row.expects} |" in rows


def test_the_command_line_shows_description_and_default_of_an_option() -> None:
    app = typer.Typer()

    @app.command()
    def serve(
        port: Annotated[int | None, option("port")] = None, topics: Annotated[list[str] | None, option("topics")] = None
    ) -> None:
        settings: ServeSettings = merge({"port": port, "topics": topics})
        typer.echo(f"{settings.port} {settings.topics}")

    help_text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "TERM": "dumb"}).stdout
    assert "Port of the provider plane" in help_text
    assert "8443" in help_text
    given = CliRunner().invoke(app, ["--port", "1", "--topic", "a", "--topic", "b"])
    assert given.stdout == "1 ('a', 'b')\n"


def test_several_workers_play_no_scenario() -> None:
    assert merge({"workers": 2}).workers == 2
    for given in ({"workers": 2, "scenario": "goaway-mid-burst"}, {"scenario": "goaway-mid-burst", "workers": 3}):
        with pytest.raises(SettingsError, match=r"--scenario: .*played by one process"):
            merge(given)


def test_a_system_without_fork_has_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_module, "CAN_HAVE_WORKERS", False)
    assert merge({"workers": 1}).workers == 1
    with pytest.raises(SettingsError, match="--workers: 2 will not do; this system cannot"):
        merge({"workers": 2})

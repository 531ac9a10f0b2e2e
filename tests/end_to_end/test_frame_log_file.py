"""`--frame-log`: the file, and what stands in it after real connections over TLS."""

import stat
from pathlib import Path

import pytest

from pushrig_pytest import PushSimulatorFactory
from simulator.errors import SettingsError
from simulator.frame_log import FIRST_LINE
from simulator.frame_log_file import open_frame_log
from tests.end_to_end.h2_client import H2Client, valid_push
from tests.end_to_end.provider_tokens import usual_provider_token


def test_the_file_is_the_users_alone_and_an_older_log_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "frames.txt"
    for text in ("long first log\n", "short\n"):
        with open_frame_log(path, "--frame-log") as log:
            log.write(FIRST_LINE + text)
        assert path.read_text() == FIRST_LINE + text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["my thesis", FIRST_LINE[:-3]])
def test_a_file_of_anything_else_is_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "thesis.txt"
    path.write_text(content)
    with pytest.raises(SettingsError, match="holds something else than a frame log"):
        open_frame_log(path, "--frame-log")
    assert path.read_text() == content


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="give a file that can be written"):
        open_frame_log(tmp_path, "--frame-log")


def test_a_simulator_writes_each_frame_of_a_push_and_no_credential(
    push_simulator_factory: PushSimulatorFactory, tmp_path: Path
) -> None:
    path = tmp_path / "frames.txt"
    simulator = push_simulator_factory("--frame-log", str(path))
    token = usual_provider_token(simulator)
    with H2Client.connect(simulator) as client:
        assert client.push(valid_push(simulator)).status == 200
    simulator.stop()
    written = path.read_text()
    assert token[5:40] not in written
    first, legend, *lines = written.splitlines()
    assert first.startswith(FIRST_LINE)
    assert legend.startswith("# ")
    kinds = [" ".join(line.split()[1:4]) for line in lines]
    assert kinds[0] == "1 - opened"
    assert "1 - ended" in kinds

"""curl with an access token of `pushrig access-token`, as a person types it: over both versions of HTTP, by URL and by host."""

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.sdk.message_names import ANDROID, TOPIC
from tests.sdk.taken_steps import ROOT, TIMEOUT_S
from tests.wire.independent.programs import path_of

COMMAND = 'pushrig() { "$PYTHON" -m pushrig "$@"; }\n'

SEND = """
TOKEN=$(pushrig access-token)
for url in "$PUSHRIG_URL" https://fcm.googleapis.com; do
    for version in --http1.1 --http2; do
        curl -sS $version -w '%{http_version}\\n' -d '{"message":{"topic":"news","notification":{"title":"hi"}}}' \\
             -H "authorization: Bearer $TOKEN" "$url/v1/projects/$FCM_PROJECT_ID/messages:send?prettyPrint=false"
    done
done
"""


def run_script(script: str, state_home: Path) -> "subprocess.CompletedProcess[str]":
    """Run a script under `pushrig run`, with a state directory in the user's place of it."""
    path_of("curl")
    variables = [f"XDG_DATA_HOME={state_home}", f"HOME={state_home}", f"PYTHON={sys.executable}"]
    where = subprocess.run(
        [
            "env",
            *variables,
            sys.executable,
            "-c",
            "from simulator.state_directory import *; print(default_state_dir())",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    options = ["--state-dir", where.stdout.strip()]
    return subprocess.run(
        [sys.executable, "-m", "pushrig", "run", *options, "--", "env", *variables, "sh", "-ec", COMMAND + script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_curl_sends_over_both_versions_of_http_by_url_and_by_host(tmp_path: Path) -> None:
    done = run_script(SEND, tmp_path)
    assert done.returncode == 0, done.stderr
    answers = [re.fullmatch(r"(\{.*\})\s*([0-9.]+)", line) for line in done.stdout.splitlines()]
    assert [answer and answer[2] for answer in answers] == ["1.1", "2", "1.1", "2"], done.stdout
    assert all(answer and re.fullmatch(TOPIC, json.loads(answer[1])["name"]) for answer in answers)
    assert "4 notifications judged: 4 accepted, 0 rejected" in done.stderr


def test_the_lines_of_the_readme_send(tmp_path: Path) -> None:
    blocks = (ROOT / "README.md").read_text().split("```\n")
    [lines] = [block for block in blocks if "messages:send" in block and "curl" in block]
    done = run_script(lines, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("HTTP/2 200")
    assert re.search(ANDROID, done.stdout)

"""Clients that others have written, against the server end over real sockets: nghttp2's, curl, Node.js."""

import json
import subprocess
from pathlib import Path

import pytest

from pushrig_pytest import PushSimulator
from tests.end_to_end.provider_tokens import usual_provider_token
from tests.wire.independent.programs import TIMEOUT_S, output_of, path_of

PAYLOAD = '{"aps":{"alert":"Hello"}}'
TOPIC = "com.example.app"
NODE_CLIENT = Path(__file__).with_name("node_client.mjs")
PUSHES = 300


def _authorization(simulator: PushSimulator) -> str:
    return f"bearer {usual_provider_token(simulator)}"


def _url(simulator: PushSimulator, *, tls: bool) -> str:
    scheme, port = ("https", simulator.port) if tls else ("http", simulator.cleartext_port)
    return f"{scheme}://{simulator.host}:{port}/3/device/{simulator.token()}"


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "cleartext"])
def test_nghttp_is_answered(simulator: PushSimulator, tls: bool, tmp_path: Path) -> None:
    body = tmp_path / "payload.json"
    body.write_text(PAYLOAD, encoding="utf-8")
    arguments = ["--verbose", "--no-verify-peer", "--header", f"apns-topic: {TOPIC}", "--data", str(body)]
    arguments += ["--header", f"authorization: {_authorization(simulator)}"]
    arguments += ["--padding", "17", "--window-bits", "16", "--multiply", "5"]
    printed = output_of("nghttp", [*arguments, _url(simulator, tls=tls)])
    assert printed.count(":status: 200") == 5, printed
    assert "RST_STREAM" not in printed
    assert "[ERROR]" not in printed
    # Its way to send CONTINUATION is a header list that is larger than the simulator takes.
    printed = output_of("nghttp", [*arguments, "--continuation", _url(simulator, tls=tls)])
    assert printed.count(":status: 431") == 5, printed


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "cleartext"])
def test_curl_is_answered(simulator: PushSimulator, tls: bool) -> None:
    if "HTTP2" not in output_of("curl", ["--version"]):
        pytest.skip("needs a curl that was built with HTTP/2, as Debian's and macOS' are")
    url = _url(simulator, tls=tls)
    how = ["--cacert", str(simulator.ca_file), "--http2"] if tls else ["--http2-prior-knowledge"]
    headers = ["--header", f"apns-topic: {TOPIC}", "--header", f"authorization: {_authorization(simulator)}"]
    said = ["--silent", "--show-error", "--write-out", "%{http_version} %{http_code}\n"]
    # With prior knowledge curl 7.88 (Debian 12) fails at the second request of a connection, whoever serves it.
    urls = [url] * 3 if tls else [url]
    printed = output_of("curl", [*how, *headers, *said, "--data", PAYLOAD, *urls])
    assert printed.splitlines() == ["2 200"] * len(urls), printed


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "cleartext"])
def test_node_is_answered_on_hundreds_of_streams(simulator: PushSimulator, tls: bool) -> None:
    url = _url(simulator, tls=tls)
    told = {
        "url": url,
        "ca": str(simulator.ca_file),
        "topic": TOPIC,
        "authorization": _authorization(simulator),
        "payload": PAYLOAD,
        "pushes": PUSHES,
    }
    finished = subprocess.run(
        [path_of("node"), NODE_CLIENT, json.dumps(told)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    heard = json.loads(finished.stdout)
    assert heard["statuses"] == {"200": PUSHES, "400": PUSHES, "431": 1}
    assert heard["reasons"] == {"MissingTopic": PUSHES}
    assert heard["pinged"]

"""Node.js programs as they are: every way of Node to connect leads to the simulator, and TLS agrees."""

from pathlib import Path

import pytest

from tests.redirection.conftest import NO_PROXY_THERE
from tests.redirection.programs import Redirected, answers
from tests.wire.independent.programs import path_of

ASK = {
    "https": """
import https from "node:https";
const ask = (host, port) => new Promise((resolve, reject) => https.request({ host, port, path: "/path", method: "POST" },
  async (answer) => { let text = ""; for await (const part of answer) text += part; resolve(JSON.parse(text)); })
  .on("error", reject).end("{}"));
""",
    "fetch": """
const ask = async (host, port) => (await fetch(`https://${host}:${port}/path`, { method: "POST", body: "{}" })).json();
""",
    "tls": """
import tls from "node:tls";
const ask = (host, port) => new Promise((resolve, reject) => {
  const socket = tls.connect({ host, port, servername: host });
  socket.write(`GET /path HTTP/1.1\\r\\nhost: ${host}\\r\\nconnection: close\\r\\n\\r\\n`);
  let text = "";
  socket.on("data", (part) => (text += part)).on("error", reject);
  socket.on("end", () => resolve(JSON.parse(text.split("\\r\\n\\r\\n")[1])));
});
""",
    "tls by port and address": """
import dns from "node:dns/promises";
import tls from "node:tls";
const ask = async (host, port) => {
  const { address } = await dns.lookup(host, { family: 6 });
  return new Promise((resolve, reject) => {
    const socket = tls.connect(port, address, { servername: host });
    socket.write(`GET /path HTTP/1.1\\r\\nhost: ${host}\\r\\nconnection: close\\r\\n\\r\\n`);
    let text = "";
    socket.on("data", (part) => (text += part)).on("error", reject);
    socket.on("end", () => resolve(JSON.parse(text.split("\\r\\n\\r\\n")[1])));
  });
};
""",
    "tls over net.connect": """
import net from "node:net";
import tls from "node:tls";
const ask = (host, port) => new Promise((resolve, reject) => {
  const socket = tls.connect({ socket: net.connect({ port, host }), servername: host });
  socket.write(`GET /path HTTP/1.1\\r\\nhost: ${host}\\r\\nconnection: close\\r\\n\\r\\n`);
  let text = "";
  socket.on("data", (part) => (text += part)).on("error", reject);
  socket.on("end", () => resolve(JSON.parse(text.split("\\r\\n\\r\\n")[1])));
});
""",
    "tls over a socket of one's own": """
import net from "node:net";
import tls from "node:tls";
const ask = (host, port) => new Promise((resolve, reject) => {
  const socket = tls.connect({ socket: new net.Socket().connect(port, host), servername: host });
  socket.write(`GET /path HTTP/1.1\\r\\nhost: ${host}\\r\\nconnection: close\\r\\n\\r\\n`);
  let text = "";
  socket.on("data", (part) => (text += part)).on("error", reject);
  socket.on("end", () => resolve(JSON.parse(text.split("\\r\\n\\r\\n")[1])));
});
""",
    "a worker's https": """
import { Worker } from "node:worker_threads";
const ask = (host, port) => new Promise((resolve, reject) => new Worker(`
  import https from "node:https";
  import { parentPort } from "node:worker_threads";
  https.get("https://${host}:${port}/path", async (answer) => {
    let text = "";
    for await (const part of answer) text += part;
    parentPort.postMessage(JSON.parse(text));
  });`, { eval: true }).on("message", resolve).on("error", reject));
""",
}


def node(redirected: Redirected, text: str, **changed: str) -> list[list[object]]:
    """Run a program that tells its answers, and return them."""
    tell = "const tell = (...answer) => console.log(JSON.stringify(answer));\n"
    return answers(redirected.run([path_of("node"), "--input-type=module", "--eval", tell + text], **changed))


@pytest.mark.parametrize("way", ASK)
def test_every_way_to_connect_reaches_the_simulator_for_any_host_and_port(way: str, redirected: Redirected) -> None:
    told = node(
        redirected,
        ASK[way] + "tell(await ask('fcm.googleapis.com', 443));\ntell(await ask('api.push.apple.com', 2197));\n",
    )
    assert [(answer["name"], answer["path"]) for (answer,) in told if isinstance(answer, dict)] == [
        ("fcm.googleapis.com", "/path"),
        ("api.push.apple.com", "/path"),
    ]


def test_names_resolve_in_every_form_of_lookup(redirected: Redirected) -> None:
    told = node(
        redirected,
        """
import dns, { lookup } from "node:dns";
import { promisify } from "node:util";
tell(await promisify(lookup)("FCM.googleapis.com."));
tell(await promisify(dns.lookup)("fcm.googleapis.com", { all: true }));
tell(await promisify(dns.lookup)("fcm.googleapis.com", 6));
tell(await dns.promises.lookup("fcm.googleapis.com"));
lookup("fcm.googleapis.com", (error, address, family) => tell(error, address, family));
""",
    )
    one = {"address": "127.83.0.8", "family": 4}
    assert told == [[one], [[one]], [one], [one], [None, "127.83.0.8", 4]]


def test_other_hosts_are_left_alone(redirected: Redirected) -> None:
    told = node(
        redirected,
        """
import dns from "node:dns/promises";
import net from "node:net";
tell((await dns.lookup("127.0.0.1")).address);
const server = net.createServer((socket) => socket.on("error", () => {}).resume()).listen(0, () => {
  const { port } = server.address();
  for (const given of [[{ port, host: "localhost" }], [port], [port, "127.0.0.1"]])
    net.connect(...given, function () { tell(this.remotePort === port); this.destroy(); });
  server.unref();
});
""",
    )
    assert sorted(map(str, told)) == ["['127.0.0.1']", *["[True]"] * 3]


def test_our_proxy_is_hidden_from_node_and_given_to_its_children(redirected: Redirected) -> None:
    told = node(
        redirected,
        """
import { exec, execFileSync, execSync, spawnSync } from "node:child_process";
import { promisify } from "node:util";
const echo = 'printf "%s" "$HTTPS_PROXY $https_proxy $OWN"';
const PATH = process.env.PATH;
tell(process.env.HTTPS_PROXY ?? null, process.env.https_proxy ?? null);
tell(execSync(echo).toString());
tell(execFileSync("sh", ["-c", echo], { env: { PATH, OWN: "own" } }).toString());
tell(spawnSync("sh", ["-c", echo], { env: { PATH, HTTPS_PROXY: "another" } }).stdout.toString());
tell((await promisify(exec)(echo)).stdout);
tell((await promisify(exec)(echo, { env: { PATH, https_proxy: "another" } })).stdout);
""",
    )
    assert told == [
        [None, None],
        [f"{NO_PROXY_THERE} {NO_PROXY_THERE} "],
        [f"{NO_PROXY_THERE} {NO_PROXY_THERE} own"],
        [f"another {NO_PROXY_THERE} "],
        [f"{NO_PROXY_THERE} {NO_PROXY_THERE} "],
        [f"{NO_PROXY_THERE} another "],
    ]


def test_a_proxy_that_the_program_sets_itself_stays(redirected: Redirected) -> None:
    assert node(redirected, "tell(process.env.HTTPS_PROXY);", HTTPS_PROXY="http://own.example:1") == [
        ["http://own.example:1"]
    ]


def test_a_path_with_blanks_and_quotes_reaches_the_hook(redirected: Redirected, tmp_path: Path) -> None:
    """NODE_OPTIONS has a grammar of its own: where the hook stands must survive it."""
    from loadtest.redirection import environment

    odd = tmp_path / 'a "b" \\c d.cjs'
    odd.write_text(environment.NODE_START.read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "NODE_START", odd)
        options = environment.redirected_environment({}, {}, environment.Redirection(1, ""))["NODE_OPTIONS"]
    (told,) = node(
        redirected,
        "import dns from 'node:dns/promises'; tell((await dns.lookup('fcm.googleapis.com')).address);",
        NODE_OPTIONS=options,
    )
    assert told == ["127.83.0.8"]

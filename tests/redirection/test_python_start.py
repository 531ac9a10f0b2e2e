"""Python programs as they are, with the packages they use: the providers' hosts lead elsewhere, and TLS agrees."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from loadtest.redirection.environment import PYTHON_START
from tests.redirection.programs import Redirected, answers

# Each sends a request to HOST:PORT and tells the answer's JSON.
CLIENTS = {
    "requests": """
import requests
def ask(host, port):
    return requests.post(f"https://{host}:{port}/path", data=b"{}", timeout=20).json()
""",
    "httpx": """
import httpx
def ask(host, port):
    return httpx.post(f"https://{host}:{port}/path", content=b"{}").json()
""",
    "httpx under asyncio": """
import asyncio, httpx
async def asked(host, port):
    async with httpx.AsyncClient() as client:
        return (await client.post(f"https://{host}:{port}/path", content=b"{}")).json()
def ask(host, port):
    return asyncio.run(asked(host, port))
""",
    "aiohttp": """
import asyncio, aiohttp
async def asked(host, port):
    async with aiohttp.ClientSession(trust_env=True) as session:
        async with session.post(f"https://{host}:{port}/path", data=b"{}") as answer:
            return await answer.json()
def ask(host, port):
    return asyncio.run(asked(host, port))
""",
    "http.client": """
import http.client, json
def ask(host, port):
    connection = http.client.HTTPSConnection(host, port)
    connection.request("POST", "/path", b"{}")
    return json.load(connection.getresponse())
""",
    "urllib": """
import json, urllib.request
def ask(host, port):
    return json.load(urllib.request.urlopen(f"https://{host}:{port}/path", b"{}"))
""",
    "urllib3": """
import urllib3
def ask(host, port):
    return urllib3.PoolManager().request("POST", f"https://{host}:{port}/path", body=b"{}").json()
""",
    "asyncio": """
import asyncio, json
async def asked(host, port):
    reader, writer = await asyncio.open_connection(host, port, ssl=True)
    writer.write(f"GET /path HTTP/1.1\\r\\nhost: {host}:{port}\\r\\nconnection: close\\r\\n\\r\\n".encode())
    answer = await reader.read()
    writer.close()
    return json.loads(answer.partition(b"\\r\\n\\r\\n")[2])
def ask(host, port):
    return asyncio.run(asked(host, port))
""",
    "uvloop": """
import asyncio, json, uvloop
async def asked(host, port):
    reader, writer = await asyncio.open_connection(host, port, ssl=True)
    writer.write(f"GET /path HTTP/1.1\\r\\nhost: {host}:{port}\\r\\nconnection: close\\r\\n\\r\\n".encode())
    answer = await reader.read()
    writer.close()
    return json.loads(answer.partition(b"\\r\\n\\r\\n")[2])
def ask(host, port):
    return uvloop.run(asked(host, port))
""",
    "aiohttp under uvloop": """
import aiohttp, uvloop
async def asked(host, port):
    async with aiohttp.ClientSession() as session:
        async with session.post(f"https://{host}:{port}/path", data=b"{}") as answer:
            return await answer.json()
def ask(host, port):
    return uvloop.run(asked(host, port))
""",
    "requests under gevent": """
from gevent import monkey
monkey.patch_all()
import requests
def ask(host, port):
    return requests.post(f"https://{host}:{port}/path", data=b"{}", timeout=20).json()
""",
    "certifi's roots only": """
import certifi, http.client, json, ssl
def ask(host, port):
    tls = ssl.create_default_context(cafile=certifi.where())
    connection = http.client.HTTPSConnection(host, port, context=tls)
    connection.request("POST", "/path", b"{}")
    return json.load(connection.getresponse())
""",
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_reaches_the_simulator_for_any_host_and_port(client: str, redirected: Redirected) -> None:
    told = redirected.python(
        CLIENTS[client] + "tell(ask('fcm.googleapis.com', 443))\ntell(ask('API.sandbox.push.apple.com', 2197))\n"
    )
    seen = [(answer["name"], answer["path"]) for (answer,) in told if isinstance(answer, dict)]
    assert [(str(name).lower(), path) for name, path in seen] == [
        ("fcm.googleapis.com", "/path"),
        ("api.sandbox.push.apple.com", "/path"),
    ]


RAW = """
import os, socket, ssl
def name_of(connection, name):
    with ssl.create_default_context().wrap_socket(connection, server_hostname=name) as tls:
        return dict(part[0] for part in tls.getpeercert()["subject"])["commonName"], tls.getpeername()[1]
"""


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("by name", "s = socket.socket(); s.connect(('iid.googleapis.com.', 443))"),
        ("by name in bytes", "s = socket.socket(); s.connect((b'iid.googleapis.com', 443))"),
        ("without an exception", "s = socket.socket(); assert s.connect_ex(('iid.googleapis.com', 443)) == 0"),
        ("by an address", "s = socket.socket(); s.connect((socket.gethostbyname('iid.googleapis.com'), 5))"),
        ("by addresses", "s = socket.socket(); s.connect((socket.gethostbyname_ex('iid.googleapis.com')[2][0], 5))"),
        (
            "by IPv6",
            "found = socket.getaddrinfo('iid.googleapis.com', 'https', socket.AF_INET6, socket.SOCK_STREAM)\n"
            "s = socket.socket(*found[0][:3]); s.connect(found[0][4])",
        ),
        ("in TLS's own socket", "s = socket.create_connection(('iid.googleapis.com', 2195))"),
    ],
)
def test_a_socket_reaches_the_simulator(how: str, text: str, redirected: Redirected) -> None:
    (told,) = redirected.python(RAW + text + "\ntell(*name_of(s, 'iid.googleapis.com'))")
    assert told[1] == redirected.port


def test_other_hosts_and_other_sockets_are_left_alone(redirected: Redirected) -> None:
    told = redirected.python(
        """
import socket
listening = socket.create_server(("127.0.0.1", 0))
port = listening.getsockname()[1]
tell(socket.create_connection(("localhost", port)).getpeername()[1] == port)
tell(socket.create_connection(("127.0.0.1", port)).getpeername()[1] == port)
one, other = socket.socketpair()
one.send(b"x")
tell(other.recv(1).decode())
try:
    socket.getaddrinfo("fcm.googleapis.com", 443, flags=socket.AI_NUMERICHOST)
except socket.gaierror as error:
    tell("a name is no number")
for address in ("text", ("fcm.googleapis.com",), ["fcm.googleapis.com", 443], None):
    try:
        socket.socket().connect(address)
    except TypeError as error:
        tell("as without the hook")
"""
    )
    assert told == [[True], [True], ["x"], ["a name is no number"], *[["as without the hook"]] * 4]


def test_our_proxy_is_not_for_python_and_another_one_is_not_touched(redirected: Redirected) -> None:
    told = redirected.python(
        "import os, urllib.request\ntell(urllib.request.getproxies().get('https'), bool(os.environ['HTTPS_PROXY']))\n"
        "os.environ['https_proxy'] = 'http://own.example:1'\ntell(urllib.request.getproxies()['https'])"
    )
    assert told == [[None, True], ["http://own.example:1"]]


def test_children_are_redirected_too(redirected: Redirected) -> None:
    child = "import socket; print(socket.gethostbyname('fcm.googleapis.com'))"
    told = redirected.python(
        f"import subprocess\ntell(subprocess.check_output([sys.executable, '-c', {child!r}], text=True))\n"
        "import multiprocessing, socket\n"
        "with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "    tell(pool.apply(socket.gethostbyname, ('fcm.googleapis.com',)))  # pickled by its name"
    )
    assert all(str(address).startswith("127.83.") for (address,) in told)


def test_the_sitecustomize_that_would_have_run_runs_after_ours(redirected: Redirected, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.was_customized = __file__\n")
    (told,) = redirected.python(
        "import sitecustomize\ntell(sys.was_customized, sitecustomize.__file__)",
        PYTHONPATH=f"{PYTHON_START}:{tmp_path}",
    )
    assert told == [str(tmp_path / "sitecustomize.py")] * 2


def test_what_fails_in_it_fails_as_without_ours(redirected: Redirected, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise ValueError('not well')\n")
    done = redirected.run(
        [sys.executable, "-c", "import socket; print(socket.gethostbyname('fcm.googleapis.com'))"],
        PYTHONPATH=f"{PYTHON_START}:{tmp_path}",
    )
    assert done.returncode == 0 and done.stdout.startswith("127.83.")
    assert "ValueError: not well" in done.stderr


def test_modules_that_came_before_the_hook_are_changed_all_the_same(redirected: Redirected, tmp_path: Path) -> None:
    """Files `*.pth` in a site directory run first, and may import what they like."""
    site = tmp_path / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    site.mkdir(parents=True)
    (site / "early.pth").write_text("import socket, urllib.request\n")
    # A virtual environment has no user's site, the Python that it was made of has.
    python = Path(sysconfig.get_config_var("BINDIR")) / f"python{sys.version_info.major}.{sys.version_info.minor}"
    told = redirected.python(
        RAW + "s = socket.create_connection(('iid.googleapis.com', 443))\n"
        "import urllib.request\n"
        "tell(*name_of(s, 'iid.googleapis.com'), urllib.request.getproxies().get('https'))",
        python=python,
        PYTHONUSERBASE=str(tmp_path),
    )
    assert told[0][1:] == [redirected.port, None]


def test_a_loader_that_two_modules_share_changes_only_the_one(redirected: Redirected, tmp_path: Path) -> None:
    """All modules of one archive have one loader."""
    with zipfile.ZipFile(tmp_path / "site.zip", "w") as archive:
        archive.writestr("certifi/__init__.py", "from certifi.core import contents, where\n")
        archive.writestr("certifi/core.py", "def where():\n    return ''\ndef contents():\n    return ''\n")
        archive.writestr("other.py", "def where():\n    return 'its own'\ncore = None\n")
    (told,) = redirected.python(
        "import certifi, other\ntell(certifi.where(), other.where(), len(certifi.contents()) > 0)",
        PYTHONPATH=f"{PYTHON_START}:{tmp_path / 'site.zip'}",
    )
    assert told == [redirected.variables["SSL_CERT_FILE"], "its own", True]


def test_the_hook_alone_changes_nothing(redirected: Redirected) -> None:
    """A program that keeps PYTHONPATH and drops the rest runs as it would have."""
    done = subprocess.run(
        [sys.executable, "-c", "import socket, json; print(json.dumps([type(socket.socket.connect).__name__]))"],
        env={"PYTHONPATH": redirected.variables["PYTHONPATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answers(done) == [["method_descriptor"]]

"""What strangers can hand to the simulator: requests, provider tokens, calls of the control API, settings, `running.json`.

Whatever the bytes, each ends in success or in the clear error of its door, never in another exception.
"""

import asyncio
import json
import random
import string
import tempfile
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path

import msgspec
from hypothesis import strategies as st
from starlette.types import Message, Scope

from simulator.apns.answer import RandomIds
from simulator.apns.link import Link
from simulator.apns.plane import ApnsPlane, first_settings
from simulator.apns.provider_token import ProviderToken, is_signed_by, parse
from simulator.apns.reasons import Reason
from simulator.clock import Clock
from simulator.control.app import all_endpoints, create_app
from simulator.control.security import ControlAccess
from simulator.counters import Counters
from simulator.devices.token_space import Environment
from simulator.errors import CredentialsError, NotRunningError, SettingsError
from simulator.journal import Journal
from simulator.ledger import Ledger
from simulator.rates.rates import RATES, Rates
from simulator.rig import Rig
from simulator.running import RUNNING_FILE_NAME, read_running
from simulator.settings import OPTIONS, ServeSettings, merge
from simulator.state_directory import LOCK_FILE_NAME
from tests.apns.valid_push import APNS_ID, BODY, JWT, NOW_S, PRIVATE_KEY, TOKEN, TOPIC, apns_state
from tests.fcm.fcm_state import fcm_state
from tests.fcm.valid_message import TOKEN as REGISTRATION
from tests.fuzz.property import DOORS_CORPUS, Property
from wire.request import Head, Request
from wire.server import ServerConnection

REASONS = {reason.wire_name for reason in Reason}


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")


def _rig() -> Rig:
    clock = Clock(lambda: NOW_S)
    apns = apns_state()
    return Rig(clock, apns.overlay, Ledger(), Journal(4), Counters(), apns, fcm_state(apns))


# Notifications.


class Pushed(msgspec.Struct, frozen=True):
    """Requests of one connection: fields with one character a byte, and a body in hexadecimal."""

    requests: list[tuple[list[tuple[str, str]], str]]


def check_plane(pushed: Pushed) -> None:
    """Every request gets one answer, which is a row of the table; journal and counters know of it."""
    rig = _rig()
    link = Link.opened("api.push.apple.com", Environment.PRODUCTION)
    connection = ServerConnection(first_settings(link))
    plane = ApnsPlane(rig, connection, link, 1, RandomIds(random.Random(1).randbytes))
    for number, (texts, body) in enumerate(pushed.requests):
        stream_id = 2 * number + 1
        connection.last_peer_stream_id = stream_id
        connection._windows[stream_id] = 65_535
        fields = [(_bytes(name), _bytes(value)) for name, value in texts]
        varying = (dict(fields).get(b":path"), dict(fields).get(b"apns-id"))
        head = Head(tuple((name, b"" if name in (b":path", b"apns-id") else value) for name, value in fields))
        plane.answer([Request(stream_id, head, varying, bytes.fromhex(body))])
        assert connection.open_streams == 0, "a request has no answer"
    counters = rig.counters
    assert counters.accepted + sum(counters.rejected_by_reason.values()) == len(pushed.requests)
    assert set(counters.rejected_by_reason) <= REASONS


_values = st.binary(max_size=40).map(lambda raw: raw.decode("latin-1"))
_field_names = [
    ":method", ":path", "authorization", "apns-id", "apns-topic", "apns-push-type", "apns-priority", "apns-expiration",
    "apns-collapse-id", "apns-channel-id", ":authority", "x",
]  # fmt: skip
_telling = st.sampled_from(
    ["", "0", "10", "5", "-1", "1e3", "٣", "9" * 30, "alert", "voip", "background", "GET", "/", "/3/device/", "/3/device/%00",
     "/3/device/" + "ab" * 32, "/3/device/" + "0" * 200, "bearer ", "bearer a.b.c", "Bearer " + JWT.decode(), "é" * 30,
     "com.example.app.voip", "00000000-0000-0000-0000-000000000000"]
).map(lambda text: text.encode().decode("latin-1"))  # fmt: skip
_valid = {
    ":method": "POST", ":scheme": "https", ":authority": "api.push.apple.com", ":path": "/3/device/" + TOKEN.decode(),
    "authorization": "bearer " + JWT.decode(), "apns-id": APNS_ID.decode(), "apns-topic": TOPIC.decode(),
    "apns-push-type": "alert",
}  # fmt: skip
_spoiled_fields = st.dictionaries(st.sampled_from(_field_names), _values | _telling, max_size=4).map(
    lambda changed: list({**_valid, **changed}.items())
)
_any_fields = st.lists(st.tuples(st.sampled_from(_field_names), _values | _telling), max_size=8)
_payloads = st.one_of(
    st.just(BODY),
    st.binary(max_size=60),
    st.sampled_from(
        [b"[" * 4_000, b'{"aps":' * 500, b'{"a":1e999}', b'{"a":' + b"9" * 4_050 + b"}", b"\xff", b'"\xed\xa0\x80"']
    ),
).map(bytes.hex)


# Provider tokens.


class Text(msgspec.Struct, frozen=True):
    """Bytes, one character each."""

    text: str


def check_provider_token(given: Text) -> None:
    """A token or None; and a signature that is not ours is no reason to stumble."""
    token = parse(_bytes(given.text))
    assert token is None or isinstance(token, ProviderToken)
    if token is not None:
        assert is_signed_by(token, PRIVATE_KEY.public_key()) in (True, False)


def _segment(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
_headers = st.fixed_dictionaries(
    {"alg": st.just("ES256") | _json_values, "kid": st.just("KEY0000001") | _json_values}
).map(lambda value: json.dumps(value).encode())
_claims = st.fixed_dictionaries({"iss": st.just("TEAM000001") | _json_values, "iat": st.just(1) | _json_values}).map(
    lambda value: json.dumps(value).encode()
)
_odd_json = st.sampled_from([b"[" * 2_000, b'{"iat":' + b"9" * 2_900 + b"}", b"\xff\xfe", b'{"a":' * 800])
_tokens = st.one_of(
    st.tuples(_headers | _odd_json, _claims | _odd_json, st.binary(max_size=72)).map(
        lambda parts: ".".join(map(_segment, parts))
    ),
    _values,
    st.text(string.ascii_letters + "-_.", max_size=60),
)


# The control API.


class ApiCall(msgspec.Struct, frozen=True):
    """One call. `path` as the server has decoded it; `query` and `body` with one character a byte."""

    method: str
    path: str
    query: str = ""
    body: str = ""
    headers: tuple[tuple[str, str], ...] = (("host", "localhost"), ("content-type", "application/json"))


async def _call(given: ApiCall) -> tuple[int, bytes]:
    app = create_app(_rig(), ControlAccess())
    scope: Scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": given.method, "scheme": "http",
        "path": given.path, "raw_path": given.path.encode(errors="replace"), "query_string": _bytes(given.query),
        "headers": [(_bytes(name.lower()), _bytes(value)) for name, value in given.headers], "root_path": "",
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
    }  # fmt: skip
    to_come: list[Message] = [
        {"type": "http.disconnect"},  # nobody waits, so that nothing here does
        {"type": "http.request", "body": _bytes(given.body), "more_body": False},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return to_come.pop() if len(to_come) > 1 else to_come[0]

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    starts = [message for message in sent if message["type"] == "http.response.start"]
    assert len(starts) == 1
    return starts[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def check_api(given: ApiCall) -> None:
    """A success or a problem with its code and message, never a defect."""
    status, content = asyncio.run(_call(given))
    assert status < 500, (status, content[:300])
    if status >= 400 and given.method != "HEAD":
        error = json.loads(content)["error"]
        assert error["code"]
        assert error["message"]


_endpoints = [endpoint for endpoint in all_endpoints(bearer=False) if endpoint.operation != "document"]
_names = sorted(
    {
        field.encode_name
        for each in _endpoints
        for kind in (each.query, each.body)
        for field in msgspec.structs.fields(kind)
    }
)
_queries = st.one_of(
    st.lists(
        st.tuples(
            st.sampled_from(_names),
            st.sampled_from(["0", "-1", "1e5", "9" * 40, "%ff", "nan", "x", "%00", ""]) | _values,
        )
    ).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)),
    _values,
)
_body_values = st.sampled_from(
    [0, -1, 2**32, 2**63, 2**64, 1e300, "freeze", "real", "com.example.app", "production", "active", "fcm", "ios",
     "invalid-shape", "other-sender", "unavailable", "valid", True]
)  # fmt: skip
_bodies = st.one_of(
    st.dictionaries(st.sampled_from(_names), _body_values | _json_values, max_size=6).map(
        lambda value: json.dumps(value).encode().decode("latin-1")
    ),
    st.sampled_from(["[" * 50_000, "9" * 5_000, '{"seed":' + "9" * 5_000 + "}", '"\xed\xa0\x80"']),
    _values,
)
_odd_tokens = st.sampled_from(
    [
        "ab" * 32,
        TOKEN.decode(),
        REGISTRATION,
        REGISTRATION[:22],
        REGISTRATION[:-1],
        "x",
        "",
        "é",
        "%00",
        "\0",
        "a" * 5_000,
    ]
)
_path_tokens = _odd_tokens | _values
_calls = st.builds(
    lambda endpoint, token, query, body: ApiCall(endpoint.method, endpoint.path.replace("{token}", token), query, body),
    st.sampled_from(_endpoints),
    _path_tokens,
    _queries,
    _bodies,
)
_odd_calls = st.builds(
    ApiCall,
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "BREW"]),
    _values.map(lambda text: "/" + text),
    _queries,
    _bodies,
    st.lists(
        st.tuples(
            st.sampled_from(["host", "origin", "content-type", "authorization", "accept", "content-length"]),
            _values | _telling,
        )
    ).map(tuple),
)


# Settings, and the record of a running simulator.


class FileContent(msgspec.Struct, frozen=True):
    """A file, one character a byte."""

    content: str


def check_settings(given: FileContent) -> None:
    """Settings or a SettingsError that says where and what to do."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "rig.toml"
        path.write_bytes(_bytes(given.content))
        try:
            assert isinstance(merge({}, path), ServeSettings)
        except SettingsError as error:
            assert str(path) in str(error)
            assert error.remedy


def check_rates(given: FileContent) -> None:
    """Rates or a SettingsError that says where and what to do."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "rates.toml"
        path.write_bytes(_bytes(given.content))
        try:
            assert isinstance(merge({"rates": str(path)}).rates, Rates)
        except SettingsError as error:
            assert str(path) in str(error)
            assert error.remedy


def check_running(given: FileContent) -> None:
    """Damaged, left over, or that of a simulator: told apart by the type of the error."""
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / LOCK_FILE_NAME).touch()
        path = Path(directory) / RUNNING_FILE_NAME
        path.write_bytes(_bytes(given.content))
        with suppress(CredentialsError, NotRunningError):
            raise AssertionError(f"believed, though nobody holds it: {read_running(Path(directory))}")


_toml_values = st.one_of(
    st.sampled_from(["1", "-1", "true", '"x"', "[]", '["a"]', "1.5", "nan", "2020-01-01", "{}", "0x10", "9" * 5_000,
                     "[" * 2_000, '"~nobody/x"', '"\\u0000"', "'''", '"production"', "0b" + "1" * 70, "{a=" * 500]),
    _values,
)  # fmt: skip
_tomls = st.one_of(
    st.lists(st.tuples(st.sampled_from(sorted(OPTIONS)) | _values, _toml_values), max_size=3).map(
        lambda pairs: "\n".join(f"{name} = {value}" for name, value in pairs)
    ),
    _values,
)
_rate_keys = st.sampled_from(["count", "per_s", "burst", "concurrent", "deliveries_per_s"])
_rate_tables = st.lists(st.tuples(_rate_keys, _toml_values), max_size=3).map(
    lambda pairs: "{" + ", ".join(f"{key} = {value}" for key, value in pairs) + "}"
)
_rate_tomls = st.lists(
    st.tuples(st.sampled_from(sorted(RATES)) | _values, _rate_tables | _toml_values), max_size=3
).map(lambda pairs: "\n".join(f"{name} = {value}" for name, value in pairs))
_records = st.one_of(
    _values,
    st.sampled_from(["[" * 5_000, '{"version":"\xff"}', '{"pid":' + "9" * 5_000 + "}", '{"port":1e999}', "null", ""]),
    st.sampled_from(["[" * 5_000, '"\xff"', "1", '"\\ud800"', "9" * 5_000, "{}"]).map(
        lambda value: '{"version":' + value + ',"other":' + value + "}"
    ),
)

SIMULATOR_DOORS = [
    Property(
        name="plane",
        record=Pushed,
        inputs=st.builds(Pushed, st.lists(st.tuples(_spoiled_fields | _any_fields, _payloads), max_size=4)),
        check=check_plane,
        examples=60,
        corpus=DOORS_CORPUS,
    ),
    Property(
        name="provider-token",
        record=Text,
        inputs=st.builds(Text, _tokens),
        check=check_provider_token,
        examples=60,
        corpus=DOORS_CORPUS,
    ),
    Property(
        name="control-api",
        record=ApiCall,
        inputs=st.one_of(_calls, _calls, _odd_calls),
        check=check_api,
        examples=40,
        corpus=DOORS_CORPUS,
    ),
    Property(
        name="settings-file",
        record=FileContent,
        inputs=st.builds(FileContent, _tomls),
        check=check_settings,
        examples=50,
        corpus=DOORS_CORPUS,
    ),
    Property(
        name="rates-file",
        record=FileContent,
        inputs=st.builds(FileContent, _rate_tomls),
        check=check_rates,
        examples=50,
        corpus=DOORS_CORPUS,
    ),
    Property(
        name="running-json",
        record=FileContent,
        inputs=st.builds(FileContent, _records),
        check=check_running,
        examples=30,
        corpus=DOORS_CORPUS,
    ),
]

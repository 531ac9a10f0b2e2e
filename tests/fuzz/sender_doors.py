"""What people, devices and Google can hand to the sender: files to import, segments, templates, attributes, key files, answers.

Whatever the bytes, each ends in success or in the clear error of its door, never in another exception.
"""

import io
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import strategies as st

from sender import segment, template
from sender.credential import CredentialAnswer
from sender.errors import SenderConfigurationError
from sender.fcm import message_template
from sender.fcm.access_token import AccessTokenSource
from sender.fcm.errors import action_for
from sender.fcm.messages import read_error
from sender.fcm.service_account import ServiceAccount
from sender.import_file import Defaults, ImportFileError, ImportFormat, Refused, RegistrationFile
from sender.reaction import Action
from sender.segment import SegmentError
from sender.store.device_store import DeviceStore
from sender.store.records import DeviceRow, Due
from sender.template import Refusal, TemplateError
from tests.fuzz.property import DOORS_CORPUS, Property

REGISTERED_AT_MS = 1_735_689_600_000
TOKEN = "ab" * 32


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")


# Imports.


class ImportedFile(msgspec.Struct, frozen=True):
    """A file, one character a byte. `defaults`: topic and instant are given on the command line."""

    content: str
    format: str | None = None
    defaults: bool = True


def check_import(given: ImportedFile) -> None:
    """Each row is stored or refused with its line and reason, or the file as a whole is refused; what is stored can be read."""
    refused: list[Refused] = []
    defaults = Defaults("com.example.app", REGISTERED_AT_MS) if given.defaults else Defaults()
    file_format = None if given.format is None else ImportFormat(given.format)
    try:
        file = RegistrationFile(io.BytesIO(_bytes(given.content)), defaults, refused.append, file_format)
    except ImportFileError as error:
        assert str(error).startswith("line ")
        return
    rows = 0

    def counted() -> Iterator[DeviceRow]:
        nonlocal rows
        for row in file.rows():
            rows += 1
            yield row

    with (
        tempfile.TemporaryDirectory() as directory,
        DeviceStore.open(Path(directory) / "s.sqlite", create=True) as store,
    ):
        counts = store.import_rows(counted(), refuse=lambda _, reason: file.refuse_row(reason))
        held = store.counts()
    assert counts.refused <= len(refused)
    assert rows - counts.refused >= held.devices
    assert all(row.line_number >= 1 and row.reason for row in refused)


_cells = st.one_of(
    st.sampled_from([TOKEN, "AB" * 40, "zz", "", " ", '"', '""', "a" * 5_000, "0", "1735689600000", "1735689600", "-1",
                     "9" * 30, "apns", "fcm", "\0", "\r", "é", "com.example.app", "null", "\ud800"]),
    st.text(max_size=6),
)  # fmt: skip
_columns = st.sampled_from(
    ["token", "topic", "registered_at_ms", "provider", "name", "country", "a b", "attributes", "", "Token"]
)
_csv = st.tuples(
    st.lists(_columns, min_size=1, max_size=5), st.lists(st.lists(_cells, min_size=1, max_size=5), max_size=4)
).map(lambda drawn: "\n".join(",".join(line) for line in [["token", *drawn[0]], *([TOKEN, *row] for row in drawn[1])]))
_scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _cells)
_json_rows = st.dictionaries(
    _columns, st.one_of(_scalars, st.dictionaries(_columns | st.text(max_size=4), _scalars, max_size=3)), max_size=5
).map(lambda value: json.dumps({"token": TOKEN, **value}))
_odd_rows = st.sampled_from(
    [
        "[" * 60_000,
        '{"a":' * 1_000,
        '{"token":' + "9" * 5_000 + "}",
        '{"token":"\\ud800"}',
        '{"token":"x","token":"y"}',
        "{}",
        "{",
    ]
)
_jsonl = st.lists(_json_rows | _odd_rows, min_size=1, max_size=4).map("\n".join)
_files = st.one_of(
    st.one_of(_csv, _jsonl).map(lambda text: text.encode(errors="surrogatepass").decode("latin-1")),
    st.binary(max_size=80).map(lambda raw: raw.decode("latin-1")),
    st.binary(max_size=40).map(lambda raw: "token,name\n" + TOKEN + "," + raw.decode("latin-1")),
)


# Segments.


class SegmentText(msgspec.Struct, frozen=True):
    """An expression and a device, as JSON, that it may fit."""

    text: str
    attributes: dict[str, str] = {}


def check_segment(given: SegmentText) -> None:
    """A segment that reads the same when written down, and means the same in Python and in SQL; or a SegmentError."""
    try:
        parsed = segment.parse(given.text)
    except SegmentError as error:
        assert 1 <= error.position <= len(given.text) + 2
        return
    if len(parsed.text) <= segment.SEGMENT_CHARS_MAX:
        assert segment.parse(parsed.text).text == parsed.text
    where = parsed.where()
    attributes = json.dumps(given.attributes, ensure_ascii=False)
    connection = sqlite3.connect(":memory:")
    try:
        query = f"SELECT ({where.sql}) FROM (SELECT ? AS attributes, ? AS registered_at_ms)"
        (found,) = connection.execute(query, (*where.parameters, attributes, REGISTERED_AT_MS)).fetchone()
    finally:
        connection.close()
    assert bool(found) is parsed.matches(given.attributes, REGISTERED_AT_MS)


_words = st.sampled_from(
    ["country", "app_version", "registered_at_ms", "and", "or", "not", "in", "is", "missing", "present", "(", ")", ",", "=",
     "!=", "<", "<=", ">", ">=", '"DE"', "'x\\'", "3.10", "3", "1735689600000", "9" * 30, "1.2.3.4.5", '""', '"3.1"', "\\", "é",
     "\0", "1.", ".1", "not " * 40, "(" * 40]
)  # fmt: skip
_comparisons = st.one_of(
    st.tuples(
        st.sampled_from(["country", "app_version", "registered_at_ms"]),
        st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
        st.sampled_from(['"DE"', "3.10", "3", "1735689600000", '"3.1"', "'é'", '""', "9.99999999999999999999"]),
    ).map(" ".join),
    st.sampled_from(
        ['country in ("DE", 3)', "app_version not in (3)", "country is missing", "not app_version is present"]
    ),
)
_segments = st.one_of(
    st.lists(_words, max_size=12).map(" ".join),
    st.lists(_comparisons, min_size=1, max_size=5).flatmap(
        lambda parts: st.sampled_from([" and ", " or ", ") or not ("]).map(lambda by: f"({by.join(parts)})")
    ),
    st.text(max_size=30),
)
# SQLite takes text of any valid UTF-8 up to its first U+0000, which the store's checks refuse.
_attribute_texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
_attributes = st.dictionaries(
    st.sampled_from(["country", "app_version", "name"]),
    st.sampled_from(["DE", "3.1", "3.10.0", "03.1", "3", "3.", "", "9" * 30, "3.9.1.1.9"]) | _attribute_texts,
    max_size=3,
)


# Templates.


class TemplateText(msgspec.Struct, frozen=True):
    """A payload and the attributes that it is made with, one character a byte."""

    payload: str
    attributes: str


def check_template(given: TemplateText) -> None:
    """A template that makes JSON or refuses, or a TemplateError that says where."""
    payload = _bytes(given.payload)
    try:
        compiled = template.compile(payload)
    except TemplateError as error:
        assert 1 <= error.line <= payload.count(b"\n") + 2
        assert error.column >= 1
        return
    made = compiled.render(_bytes(given.attributes))
    if isinstance(made, Refusal):
        assert made.reason
    else:
        assert isinstance(msgspec.json.decode(made), dict)
        assert compiled.names or made is compiled.render(b"")


_template_texts = st.lists(
    st.sampled_from(["{{name}}", "{{name|friend}}", "{{ country | x}}", "{{", "}}", "{{}}", "{{a b}}", "{{name|\\u0022}}",
                     "{{name|\\", "\\u007b{", "\\", "é", "\\ud83d", "text", "\\\\", "{{name|}}", "{{{name}}}"]),
    max_size=4,
).map("".join)  # fmt: skip
_templates = st.one_of(
    _template_texts.map(lambda text: '{"aps": {"alert": "' + text + '"}}'),
    st.tuples(_template_texts, _template_texts).map(lambda both: '{"' + both[0] + '": ["' + both[1] + '"]}'),
    st.sampled_from(["[" * 5_000, '{"a":' * 2_000, "{", "", "{}", "\ufeff{}", '{"a":' + "9" * 5_000 + "}", "null"]),
    st.text(max_size=20),
).map(lambda text: text.encode(errors="surrogatepass").decode("latin-1"))
_rendered_with = st.one_of(
    st.dictionaries(st.sampled_from(["name", "country"]), st.text(max_size=8) | st.none() | st.integers()).map(
        json.dumps
    ),
    st.sampled_from(
        [
            '{"name":"\xff"}',
            '{"name":"\\ud800"}',
            "[" * 5_000,
            '{"name":' * 3_000,
            '{"other":' + "[" * 5_000,
            "",
            "null",
        ]
    ),
    st.binary(max_size=12).map(lambda raw: raw.decode("latin-1")),
)

# FCM.


class MessageText(msgspec.Struct, frozen=True):
    """A message of FCM, the token of a device and its attributes, one character a byte."""

    message: str
    token: str
    attributes: str


def check_message(given: MessageText) -> None:
    """A request that is JSON, with the token and the id of its device in it; or a refusal, or a clear error."""
    try:
        compiled = message_template.compile(_bytes(given.message))
    except SenderConfigurationError as error:
        assert "message" in str(error)
        return
    made = compiled.bodies(5)(Due(7, given.token, 0, 0, _bytes(given.attributes)))
    if isinstance(made, Refusal):
        assert made.reason
        return
    message = msgspec.json.decode(made)["message"]
    assert message["token"] == given.token
    assert message["data"][message_template.ID_KEY] == "00000000-0000-0005-0000-000000000007"
    assert all(isinstance(value, str) for value in message["data"].values())


_message_parts = st.one_of(
    _template_texts.map(lambda text: '"notification": {"title": "' + text + '"}'),
    _template_texts.map(lambda text: '"data": {"a": "' + text + '"}'),
    _template_texts.map(lambda text: '"android": {"data": {"' + text.replace('"', "") + '": "x"}}'),
    st.sampled_from(['"data": null', '"data": {}', '"data": {"pushrig_id": "x"}', '"data": {"a": 1}', '"android": 5',
                     '"webpush": {"data": {"\\u0000": "\\u0000"}}', '"apns": {"payload": {}}', '"topic": "x"', '"a": [[{}]]',
                     '"data": {"a": "b", "a": "c"}', '"message": {}', '"webpush": {"data": []}']),
)  # fmt: skip
_messages = st.one_of(
    st.lists(_message_parts, max_size=4).map(lambda parts: "{" + ", ".join(parts) + "}"),
    st.text(max_size=20),
    st.sampled_from(["[" * 5_000, '{"data":' * 2_000, "", "{}", "\ufeff{}", "null"]),
).map(lambda text: text.encode(errors="surrogatepass").decode("latin-1"))
_tokens = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


class AnswerOfGoogle(msgspec.Struct, frozen=True):
    """An answer of FCM, or of the token endpoint, one character a byte."""

    status: int
    body: str


def check_answer(given: AnswerOfGoogle) -> None:
    """Any answer of FCM is read as an error; any of the token endpoint leaves a credential that holds, waits or ends."""
    body = _bytes(given.body)
    error = read_error(given.status, body)
    assert error.status == given.status and action_for(error) is not Action.ACCEPT
    source = AccessTokenSource(_ACCOUNT)
    source.request(0.0)
    source.answered(CredentialAnswer(given.status, body), 0.0, 0.5)
    text = source.text(0.001)
    assert (text is not None) + bool(source.trouble) + (source.refused is not None) == 1
    assert text is None or (text.isascii() and b"\r" not in text and b"\n" not in text)


_ACCOUNT = ServiceAccount(
    rsa.generate_private_key(65537, 1024),
    key_id="k",
    client_email="a@b.test",
    project_id="p",
    token_uri="http://t.test/",
)
_google_values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(["ya29.x", "INVALID_ARGUMENT", "UNREGISTERED", "1e400", "nan", "message.token", "a\r\nb"]),
)  # fmt: skip
_google_objects = st.recursive(
    _google_values,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["error", "details", "@type", "errorCode", "fieldViolations", "field", "message", "status",
                         "access_token", "expires_in", "error_description", "statusCode", "reason"]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
_google_answers = st.one_of(
    _google_objects.map(json.dumps),
    st.binary(max_size=30).map(lambda raw: raw.decode("latin-1")),
    st.sampled_from(["[" * 5_000, '{"error":' * 2_000, "<html>", '{"access_token":"x","expires_in":1e999}']),
).map(lambda text: text.encode(errors="surrogatepass").decode("latin-1"))

SENDER_DOORS = [
    Property(
        name="import-file",
        record=ImportedFile,
        inputs=st.builds(ImportedFile, _files, st.sampled_from([None, "csv", "jsonl"]), st.booleans()),
        check=check_import,
        examples=30,
        corpus=DOORS_CORPUS,
    ),
    Property(
        name="segment",
        record=SegmentText,
        inputs=st.builds(SegmentText, _segments, _attributes),
        check=check_segment,
        examples=80,
        corpus=DOORS_CORPUS,
    ),
    Property(
        name="template",
        record=TemplateText,
        inputs=st.builds(TemplateText, _templates, _rendered_with),
        check=check_template,
        examples=80,
        corpus=DOORS_CORPUS,
    ),
    Property(
        name="fcm-message-template",
        record=MessageText,
        inputs=st.builds(MessageText, _messages, _tokens, _rendered_with),
        check=check_message,
        examples=80,
        corpus=DOORS_CORPUS,
    ),
    Property(
        name="answer-of-google",
        record=AnswerOfGoogle,
        inputs=st.builds(AnswerOfGoogle, st.sampled_from([200, 204, 400, 401, 404, 429, 500, 503]), _google_answers),
        check=check_answer,
        examples=80,
        corpus=DOORS_CORPUS,
    ),
]

"""The doors of Google's identity under fuzz: access tokens, assertions at the token endpoint, the service account's file."""

import json
import string
from base64 import urlsafe_b64encode
from typing import Any

import msgspec
from hypothesis import strategies as st

from simulator.fcm.access_token import Grant, authorization_of
from simulator.fcm.errors import Fault
from simulator.fcm.oauth import GRANT_TYPE, token_endpoint
from simulator.fcm.service_account import decode_service_account, encode_service_account
from tests.fcm.service_account import EMAIL, FCM_AUDIENCE, KEY_ID, MESSAGING, NOW_S, access_tokens, account, signed
from tests.fuzz.property import DOORS_CORPUS, Property
from wire.request import Head, Request


class Credential(msgspec.Struct, frozen=True):
    """An `authorization` value and a `:path`, with one character a byte."""

    authorization: str | None
    path: str


class Form(msgspec.Struct, frozen=True):
    """The body of a request for a token, with one character a byte."""

    body: str


class AccountFile(msgspec.Struct, frozen=True):
    """The content of `service-account.json`, with one character a byte."""

    content: str


def check_credential(given: Credential) -> None:
    """A grant or a fault, the same when asked again."""
    fields = () if given.authorization is None else ((b"authorization", given.authorization.encode("latin-1")),)
    authorization = authorization_of(Request(1, Head(fields), (given.path.encode("latin-1"), None), b""))
    access = access_tokens()
    answers = [access.grant_of(authorization, NOW_S) for _ in range(2)]
    assert answers[0] == answers[1]
    assert isinstance(answers[0], Grant | Fault)


def check_form(given: Form) -> None:
    """A token that passes as a credential, or an error with a name."""
    access = access_tokens()
    head = Head(((b":authority", b"localhost:8443"),))
    answer = token_endpoint(Request(1, head, (b"/token", None), given.body.encode("latin-1")), access, NOW_S)
    told = msgspec.json.decode(answer.body, type=dict[str, str | int])
    if answer.status != 200:
        assert answer.status in (400, 401)
        assert told["error"] and told["error_description"]
        return
    found = access.grant_of(f"Bearer {told['access_token']}".encode(), NOW_S)
    assert isinstance(found, Grant) or found.cause.name == "SCOPE_INSUFFICIENT"


def check_account_file(given: AccountFile) -> None:
    """An account that is written as it was read, or ValueError; and so with its key."""
    try:
        read = decode_service_account(given.content.encode("latin-1"))
    except ValueError:
        return
    assert decode_service_account(encode_service_account(read)) == read
    try:
        assert read.public_key.key_size > 0
    except ValueError:
        return


_bytes = st.text(st.characters(max_codepoint=255), max_size=60)
_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_instants = st.integers(int(NOW_S) - 4_000, int(NOW_S) + 4_000)


def _or_odd(*usual: Any) -> st.SearchStrategy[Any]:
    return st.one_of(*(st.just(each) for each in usual), _json_values)


_claims = st.fixed_dictionaries(
    {"iss": _or_odd(EMAIL), "iat": _instants | _json_values, "exp": _instants | _json_values},
    optional={
        "sub": _or_odd(EMAIL),
        "aud": _or_odd(FCM_AUDIENCE, "https://oauth2.googleapis.com/token", "https://localhost:8443/token"),
        "scope": _or_odd(MESSAGING),
    },
)
_headers = st.fixed_dictionaries({}, optional={"alg": _or_odd("RS256"), "kid": _or_odd(KEY_ID)})
_signed = st.builds(lambda claims, header: signed(claims, header).decode(), _claims, _headers)
_sealed = st.builds(
    lambda raw: "ya29.c." + urlsafe_b64encode(raw).rstrip(b"=").decode(), st.binary(max_size=80)
) | st.just(access_tokens().mint(MESSAGING, NOW_S))
_tokens = _signed | _sealed | st.text(string.ascii_letters + "-_.", max_size=60) | _bytes
_authorizations = st.tuples(st.sampled_from(["Bearer ", "bearer  ", "Basic ", "key=", ""]), _tokens).map("".join)
_queries = st.sampled_from(["?access_token=", "?oauth_token=", ""])
_paths = st.tuples(st.sampled_from(["/v1/projects/p/messages:send", "*", ""]), _queries, _tokens).map("".join)
_forms = st.tuples(
    st.sampled_from([f"grant_type={GRANT_TYPE}", "grant_type=", ""]),
    st.sampled_from(["&assertion=", "&", "&grant_type="]),
    _tokens,
).map("".join)
_usual_file = msgspec.json.decode(msgspec.json.encode(account("account")), type=dict[str, object])
_files = (
    st.builds(
        lambda changed: json.dumps(_usual_file | changed),
        st.dictionaries(st.sampled_from(sorted(_usual_file)), _json_values, max_size=2),
    )
    | st.sampled_from(["[" * 5_000, '{"x":' + "[" * 5_000, '{"type":"\xff"}', "null", ""])
    | _bytes
)

GOOGLE_DOORS = [
    Property(
        name="access-credential",
        record=Credential,
        inputs=st.builds(Credential, st.none() | _authorizations, _paths),
        check=check_credential,
        examples=60,
        corpus=DOORS_CORPUS,
    ),
    Property(
        name="token-endpoint",
        record=Form,
        inputs=st.builds(Form, _forms),
        check=check_form,
        examples=60,
        corpus=DOORS_CORPUS,
    ),
    Property(
        name="service-account-file",
        record=AccountFile,
        inputs=st.builds(AccountFile, _files),
        check=check_account_file,
        examples=40,
        corpus=DOORS_CORPUS,
    ),
]

"""`/api/v1/notifications`: a valid request, then one with one thing spoiled."""

import threading
from typing import Any

import pytest

from simulator.bell import LISTENERS_MAX
from simulator.bounds import BoundReachedError
from simulator.control.notifications import ANSWER_BODY_BYTES_MAX, LIMIT_MAX, WAIT_S_MAX
from simulator.devices.fates import Fate
from simulator.devices.registration_space import Platform, SealedRegistration, kind_of_registration, seal_registration
from tests.control.control_server import JOURNAL_ENTRIES, ControlServer, fcm_row, get, row
from tests.fcm.valid_message import TOKEN as FOREIGN_REGISTRATION

REGISTRATION = seal_registration(SealedRegistration(kind_of_registration(Platform.ANDROID, Fate.ACTIVE), 9, 1)).encode()
FID = REGISTRATION[:22]


def test_a_notification_is_shown_with_its_headers_and_body(control: ControlServer) -> None:
    control.record(row(5_000, 410, "Unregistered"))
    answer = get(control, "/api/v1/notifications")
    (item,) = answer.pop("items")
    assert answer == {
        "total": 1, "dropped": 0, "capacity": 8, "matched": 1, "more": False, "arrived": None, "complete": None,
    }  # fmt: skip
    assert item.pop("number") > 0
    assert item == {
        "at_ms": 5_000,
        "provider": "apns",
        "environment": "sandbox",
        "status": 410,
        "reason": "Unregistered",
        "token": "ab12",
        "topic": "com.example.app",
        "apns_id": "D917CA4B",
        "message_id": None,
        "connection_id": 1,
        "stream_id": 3,
        "headers": {
            ":method": "POST",
            ":path": "/3/device/ab12",
            "apns-topic": "com.example.app",
            "apns-id": "D917CA4B",
        },
        "body": '{"aps":{}}',
        "body_encoding": "text",
    }


def test_a_notification_whose_path_had_no_token_is_shown_with_its_path(control: ControlServer) -> None:
    control.record(row(status=404, reason="BadPath", token=b"", path=b"/3/devices/ab12"))
    (item,) = get(control, "/api/v1/notifications?reason=BadPath")["items"]
    assert item["headers"][":path"] == "/3/devices/ab12" and item["token"] == ""


def test_a_body_that_is_no_text_is_shown_in_base64(control: ControlServer) -> None:
    control.record(row(body=b"\xff\x00"))
    (item,) = get(control, "/api/v1/notifications")["items"]
    assert (item["body"], item["body_encoding"]) == ("/wA=", "base64")


def test_repeated_headers_are_joined_and_signatures_withheld(control: ControlServer) -> None:
    entry = row()
    entry[7].fields = ((b"authorization", b"bearer aa.bb.secret"), (b"apns-topic", b"a"), (b"apns-topic", b"b"))
    control.record(entry)
    reply = control.call("GET", "/api/v1/notifications")
    assert b"secret" not in reply.content
    (item,) = get(control, "/api/v1/notifications")["items"]
    assert item["headers"] == {"authorization": "bearer aa.bb.(signature withheld)", "apns-topic": "a, b"}


@pytest.mark.parametrize(
    ("query", "tokens"),
    [
        ("", ["04", "03", "02", "01"]),
        ("order=oldest&limit=2", ["01", "02"]),
        ("limit=0", []),
        ("token=02", ["02"]),
        ("status=410", ["03"]),
        ("reason=Unregistered", ["03"]),
        ("topic=other", ["04"]),
        ("apns_id=abc", ["02"]),
        ("since_ms=20&until_ms=40", ["03", "02"]),
        ("since_ms=20&status=200", ["04", "02"]),
        ("token=0f", []),
    ],
)
def test_filters_choose_notifications(control: ControlServer, query: str, tokens: list[str]) -> None:
    control.record(
        row(10, token=b"01"),
        row(20, token=b"02", apns_id=b"ABC"),
        row(30, 410, "Unregistered", token=b"03"),
        row(40, token=b"04", topic=b"other"),
    )
    answer = get(control, f"/api/v1/notifications?{query}")
    assert [item["token"] for item in answer["items"]] == tokens
    assert answer["more"] == (answer["matched"] > len(tokens))


def test_a_message_of_fcm_is_shown_in_its_own_terms(control: ControlServer) -> None:
    control.record(fcm_row(REGISTRATION, 5_000), fcm_row(b"/topics/news", 5_001, 404, "UNREGISTERED", b""))
    refused, accepted = get(control, "/api/v1/notifications")["items"]
    assert (accepted["provider"], accepted["environment"], accepted["token"]) == ("fcm", None, REGISTRATION.decode())
    assert (accepted["topic"], accepted["apns_id"]) == (None, None)
    assert accepted["message_id"] == "0:1750000000000000%ab"
    assert accepted["headers"][":path"] == "/v1/projects/p/messages:send"
    assert (refused["topic"], refused["message_id"], refused["reason"]) == ("news", None, "UNREGISTERED")


@pytest.mark.parametrize(
    ("authorization", "shown"),
    [
        ("Bearer ya29.c.secret", "Bearer (credential withheld)"),
        ("Bearer  ya29.a.secret", "Bearer (credential withheld)"),
        ("Bearer ya29.secret....", "Bearer (credential withheld)"),
        ("Bearer secret", "Bearer (credential withheld)"),
        ("Bearer my.secret....", "Bearer (credential withheld)"),
        ("key=secret", "(credential withheld)"),
        ("Bearer aa.bb.secret", "Bearer aa.bb.(signature withheld)"),
    ],
)
def test_what_proves_a_credential_of_fcm_is_withheld(control: ControlServer, authorization: str, shown: str) -> None:
    control.record(fcm_row(REGISTRATION, authorization=authorization.encode()))
    reply = control.call("GET", "/api/v1/notifications")
    assert b"secret" not in reply.content
    (item,) = get(control, "/api/v1/notifications")["items"]
    assert item["headers"]["authorization"] == shown


def test_a_credential_in_the_query_is_withheld(control: ControlServer) -> None:
    path = b"/v1/projects/p/messages:send?access_token=secret&alt=json&oauth_token=secret&prettyPrint=false"
    control.record(fcm_row(REGISTRATION, path=path))
    (item,) = get(control, "/api/v1/notifications")["items"]
    assert item["headers"][":path"] == (
        "/v1/projects/p/messages:send?access_token=(credential withheld)&alt=json&oauth_token=(credential withheld)"
        "&prettyPrint=false"
    )


@pytest.mark.parametrize(
    ("query", "instants"),
    [
        ("provider=fcm", [1, 2, 3, 4, 5, 7]),
        ("provider=apns", [6]),
        (f"token={REGISTRATION.decode()}", [1, 2]),
        (f"token={FID.decode()}", [1, 2]),
        (f"token={REGISTRATION.decode().swapcase()}", []),
        (f"token={FOREIGN_REGISTRATION}", [3]),
        (f"token={FOREIGN_REGISTRATION[:22]}", [3]),
        ("token=%2Ftopics%2Fnews", [4]),
        ("token=AB12", [6]),
        ("topic=news", [4]),
        ("reason=UNREGISTERED", [3]),
        ("reason=PERMISSION_DENIED", []),
        ("message_id=0%3A1750000000000000%25AB", [1, 5]),
        ("message_id=projects%2Fp%2Fmessages%2F0%3A1750000000000000%25ab&provider=fcm", [1, 5]),
        ("apns_id=d917ca4b&provider=apns", [6]),
    ],
)
def test_filters_choose_messages_of_fcm(control: ControlServer, query: str, instants: list[int]) -> None:
    control.record(
        fcm_row(REGISTRATION, 1),
        fcm_row(FID, 2, message_id=b"2"),
        fcm_row(FOREIGN_REGISTRATION.encode(), 3, 404, "UNREGISTERED", b""),
        fcm_row(b"/topics/news", 4, message_id=b"17"),
        fcm_row(b"'news' in topics", 5),
        fcm_row(REGISTRATION[:-1] + b"!", 7, message_id=b"7"),
        row(6),
    )
    found = get(control, f"/api/v1/notifications?order=oldest&{query}")["items"]
    assert [item["at_ms"] for item in found] == instants


@pytest.mark.parametrize(
    "query",
    [
        "apns_id=a&message_id=b", "apns_id=a&provider=fcm", "message_id=b&provider=apns", "provider=gcm",
        "limit=-1", f"limit={LIMIT_MAX + 1}", "limit=many", "order=random", "status=99", "status=600", "since_ms=-1",
        "until_ms=soon", "reason=Nonsense", "token=", "after=-1", "count=-1", "wait_s=1", "count=1&wait_s=-1",
        f"count=1&wait_s={WAIT_S_MAX + 1}", "count=1&wait_s=nan", "count=1&wait_s=inf", "sort=asc", "limit=1&limit=2",
        "&".join(f"x{number}=1" for number in range(30)), "token=" + "a" * 2_000,
    ],
)  # fmt: skip
def test_a_spoiled_search_is_refused(control: ControlServer, query: str) -> None:
    reply = control.call("GET", f"/api/v1/notifications?{query}")
    assert reply.problem == (400, "invalid_query"), reply.content


def test_an_unknown_reason_names_the_known_ones(control: ControlServer) -> None:
    assert "BadDeviceToken, " in control.call("GET", "/api/v1/notifications?reason=baddevicetoken").message


def test_what_the_ring_dropped_is_told_and_reading_on_gives_the_rest(control: ControlServer) -> None:
    control.record(*(row(token=b"%02x" % each) for each in range(JOURNAL_ENTRIES + 3)))
    first = get(control, "/api/v1/notifications?order=oldest&limit=5")
    assert (first["total"], first["dropped"], first["more"]) == (JOURNAL_ENTRIES + 3, 3, True)
    rest = get(control, f"/api/v1/notifications?order=oldest&after={first['items'][-1]['number']}")
    assert [item["token"] for item in rest["items"]] == ["08", "09", "0a"]


def test_an_answer_is_bounded_in_bytes_of_notification_bodies(control: ControlServer) -> None:
    control.record(*[row(body=b"x" * (ANSWER_BODY_BYTES_MAX // 2))] * 4)
    answer = get(control, "/api/v1/notifications")
    assert (len(answer["items"]), answer["more"], answer["matched"]) == (2, True, 4)


def test_a_search_that_waits_answers_when_the_last_awaited_notification_comes(control: ControlServer) -> None:
    control.record(row(status=410))
    answers: list[Any] = []
    waiting = threading.Thread(
        target=lambda: answers.append(get(control, "/api/v1/notifications?count=2&wait_s=30&status=410"))
    )
    waiting.start()
    control.record(row(status=200))
    control.record(row(status=410, token=b"ff"))
    waiting.join(10)
    assert (answers[0]["arrived"], answers[0]["complete"]) == (2, True)
    assert answers[0]["items"][0]["token"] == "ff"


def test_a_search_that_waits_in_vain_says_so(control: ControlServer) -> None:
    control.record(row())
    answer = get(control, "/api/v1/notifications?count=2&wait_s=0.01")
    assert (answer["arrived"], answer["complete"], len(answer["items"])) == (1, False, 1)
    answer = get(control, "/api/v1/notifications?count=1")
    assert (answer["arrived"], answer["complete"]) == (1, True)


def test_a_client_that_leaves_gives_up_its_wait(control: ControlServer) -> None:
    connection = control.connect()
    connection.request("GET", "/api/v1/notifications?count=2&wait_s=30")
    listeners = control.rig.journal._listeners
    while not control.on_loop(lambda: len(listeners)):
        pass
    connection.close()
    while control.on_loop(lambda: len(listeners)):
        pass


def test_too_many_waits_are_refused(control: ControlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(listener: object) -> None:
        raise BoundReachedError("LISTENERS_MAX", LISTENERS_MAX, "let fewer requests wait at a time")

    monkeypatch.setattr("simulator.journal.Journal.listen", lambda journal, listener: full(listener))
    reply = control.call("GET", "/api/v1/notifications?count=1&wait_s=30")
    assert reply.problem == (409, "bound_reached")


def test_forgetting_notifications_starts_their_count_anew(control: ControlServer) -> None:
    control.record(row(), row())
    assert control.call("DELETE", "/api/v1/notifications").json == {"cleared": 2}
    answer = get(control, "/api/v1/notifications")
    assert (answer["total"], answer["dropped"], answer["items"]) == (0, 0, [])

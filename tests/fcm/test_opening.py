"""What a new connection speaks: by ALPN, by its host, and else by its first bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.apns.host_environment import ApnsHost
from simulator.fcm.google_host import GoogleHost
from simulator.host_owner import HostOwner, owner_of
from simulator.opening import BOTH, HTTP2_ONLY, PREFACE, Spoken, alpn_offer, spoken_on

OWNERS = (None, *HostOwner)


@pytest.mark.parametrize("host", [*ApnsHost, *GoogleHost])
def test_the_hosts_of_both_providers_are_known_as_they_come(host: ApnsHost | GoogleHost) -> None:
    name = host.host_name
    owner = HostOwner.APPLE if isinstance(host, ApnsHost) else HostOwner.GOOGLE
    for written in (name, name.upper(), name + ".", name + ":443", name + ".:2197", name.encode()):
        assert owner_of(written) is owner


@pytest.mark.parametrize("host", [None, "", b"", "localhost", "127.0.0.1", "[::1]:443", "x.fcm.googleapis.com", "\xff"])
def test_any_other_host_is_nobodys(host: str | bytes | None) -> None:
    assert owner_of(host) is None


def test_apples_hosts_offer_http2_alone_and_all_others_both() -> None:
    assert [alpn_offer(owner) for owner in OWNERS] == [BOTH, HTTP2_ONLY, BOTH]


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_what_was_agreed_upon_is_spoken_whatever_comes(owner: HostOwner | None, alpn: str) -> None:
    for first_bytes in (b"", b"GET ", PREFACE):
        http1 = alpn == "http/1.1" and owner is not HostOwner.APPLE
        assert spoken_on(alpn, owner, first_bytes) is (Spoken.HTTP1 if http1 else Spoken.HTTP2)


def test_at_apples_there_is_nothing_but_http2() -> None:
    assert spoken_on(None, HostOwner.APPLE, b"") is Spoken.HTTP2
    assert spoken_on(None, HostOwner.APPLE, b"GET / HTTP/1.1\r\n") is Spoken.HTTP2


@pytest.mark.parametrize("owner", [None, HostOwner.GOOGLE])
def test_without_agreement_the_preface_decides_as_soon_as_it_can(owner: HostOwner | None) -> None:
    for size in range(len(PREFACE)):
        assert spoken_on(None, owner, PREFACE[:size]) is Spoken.UNKNOWN
        assert spoken_on(None, owner, PREFACE[:size] + b"\x00") is Spoken.HTTP1
    assert spoken_on(None, owner, PREFACE) is Spoken.HTTP2
    assert spoken_on(None, owner, PREFACE + b"more") is Spoken.HTTP2
    for begun in (b"G", b"POST", b"PRI * HTTP/1.1"):
        assert spoken_on(None, owner, begun) is Spoken.HTTP1


@given(st.binary(max_size=60))
def test_once_it_is_known_more_bytes_change_nothing(data: bytes) -> None:
    known = [spoken_on(None, None, data[:size]) for size in range(len(data) + 1)]
    decided = [spoken for spoken in known if spoken is not Spoken.UNKNOWN]
    assert len(set(decided)) <= 1
    assert known[len(known) - len(decided) :] == decided
    assert len(known) - len(decided) <= len(PREFACE)

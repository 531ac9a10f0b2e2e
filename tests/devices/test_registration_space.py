"""Claims about sealed registration tokens: one-to-one, read by token or FID, and foreign as soon as anything was changed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.devices.draws import INDEX_MAX
from simulator.devices.fates import Fate, Provider
from simulator.devices.registration_space import (
    REGISTRATION_SEED_MAX,
    TOKEN_CHARACTERS_MAX,
    TOKEN_CHARACTERS_MIN,
    Platform,
    SealedRegistration,
    apns_token_of,
    fid_of,
    is_fid_shape,
    is_registration_token_shape,
    kind_of_registration,
    malformed_registration,
    seal_registration,
    unseal_fid,
    unseal_registration,
    unseal_registrations,
)
from simulator.devices.token_space import Environment, Population, topic_tag, unseal

BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SEALED_FATES = [fate for fate in Fate.of_provider(Provider.FCM) if fate is not Fate.INVALID_SHAPE]

seeds = st.integers(0, REGISTRATION_SEED_MAX)
indices = st.integers(0, INDEX_MAX)
registrations = st.builds(
    SealedRegistration,
    kind=st.builds(kind_of_registration, st.sampled_from(Platform), st.sampled_from(SEALED_FATES)),
    seed=seeds,
    index=indices,
)

VALID = SealedRegistration(kind_of_registration(Platform.IOS, Fate.UNREGISTERED), seed=7, index=123_456)
TOPIC = b"com.example.app"


@given(registrations)
def test_what_was_sealed_reads_back_from_the_token_and_from_its_fid_alone(sealed: SealedRegistration) -> None:
    token = seal_registration(sealed)
    assert re.fullmatch(r"[cdef][\w-]{21}:APA91b[\w-]{134}", token, re.ASCII)
    assert len(token) == 163
    assert unseal_registration(token.encode()) == sealed
    assert unseal_fid(token[:22].encode()) == sealed
    assert fid_of(token.encode()) == token[:22].encode()


@given(registrations, st.integers(0, 162), st.integers(0, 255))
def test_one_changed_character_makes_a_token_foreign(sealed: SealedRegistration, place: int, character: int) -> None:
    token = bytearray(seal_registration(sealed).encode())
    if token[place] != character:
        token[place] = character
        assert unseal_registration(bytes(token)) is None


@given(registrations, st.integers(0, 21), st.integers(0, 255))
def test_one_changed_character_makes_a_fid_foreign(sealed: SealedRegistration, place: int, character: int) -> None:
    fid = bytearray(seal_registration(sealed)[:22].encode())
    if fid[place] != character:
        fid[place] = character
        assert unseal_fid(bytes(fid)) is None


def test_any_other_character_of_the_alphabet_at_any_place_makes_token_and_fid_foreign() -> None:
    token = seal_registration(VALID).encode()
    for place in range(len(token)):
        for character in BASE64URL.encode():
            changed = token[:place] + bytes([character]) + token[place + 1 :]
            if changed != token:
                assert unseal_registration(changed) is None
                if place < 22:
                    assert unseal_fid(changed[:22]) is None


@given(registrations, registrations)
def test_the_head_of_one_token_with_the_tail_of_another_is_foreign(
    one: SealedRegistration, other: SealedRegistration
) -> None:
    mixed = seal_registration(one)[:22] + seal_registration(other)[22:]
    assert unseal_registration(mixed.encode()) == (one if one == other else None)


@given(registrations, registrations)
def test_different_fields_never_share_a_token_or_a_fid(one: SealedRegistration, other: SealedRegistration) -> None:
    assert (seal_registration(one)[:22] == seal_registration(other)[:22]) == (one == other)


@given(seeds, seeds, indices)
def test_no_two_seeds_share_a_fid(one_seed: int, other_seed: int, index: int) -> None:
    one, other = VALID._replace(seed=one_seed, index=index), VALID._replace(seed=other_seed, index=index)
    assert (seal_registration(one)[:22] == seal_registration(other)[:22]) == (one_seed == other_seed)


@given(st.binary(max_size=300) | st.text(BASE64URL + ":=+/*\n ", max_size=300).map(str.encode))
def test_reading_never_raises_and_finds_nothing_in_bytes_that_were_not_minted(text: bytes) -> None:
    assert unseal_registration(text) is None
    assert unseal_fid(text) is None


@given(st.text(BASE64URL, min_size=22, max_size=22), st.text(BASE64URL, min_size=134, max_size=134))
def test_well_formed_tokens_of_others_are_foreign(fid: str, tail: str) -> None:
    assert unseal_registration(f"{fid}:APA91b{tail}".encode()) is None
    assert unseal_fid(f"f{fid[1:]}".encode()) is None


@given(registrations, st.sampled_from([b"", b" ", b"\n", b"A", b"=", b"\x00", b":"]), st.booleans())
def test_anything_around_or_missing_from_a_token_makes_it_foreign(
    sealed: SealedRegistration, extra: bytes, in_front: bool
) -> None:
    token = seal_registration(sealed).encode()
    assert unseal_registration((extra + token if in_front else token + extra) if extra else token[:-1]) is None
    fid = token[:22]
    assert unseal_fid((extra + fid if in_front else fid + extra) if extra else fid[:-1]) is None


@pytest.mark.parametrize("characters", [b"+", b"/", b"*", b"="])
def test_the_other_alphabet_of_base64_is_foreign(characters: bytes) -> None:
    """A decoder that is lax about `+` and `-` would read one registration from several texts."""
    tokens = [seal_registration(VALID._replace(index=index)).encode() for index in range(64)]
    assert any(b"-" in token[:22] for token in tokens)
    for token in tokens:
        changed = token.replace(b"-", characters).replace(b"_", characters)
        if changed != token:
            assert unseal_registration(changed) is None
        if changed[:22] != token[:22]:
            assert unseal_fid(changed[:22]) is None


def test_a_registration_tells_its_fate_and_platform() -> None:
    for platform in Platform:
        for fate in SEALED_FATES:
            read = unseal_registration(
                seal_registration(VALID._replace(kind=kind_of_registration(platform, fate))).encode()
            )
            assert read is not None
            assert (read.platform, read.fate) == (platform, fate)


def test_a_kind_that_this_version_does_not_know_is_foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    from simulator.devices import registration_space

    token = seal_registration(VALID).encode()
    monkeypatch.delitem(registration_space._KINDS, VALID.kind)
    assert unseal_registration(token) is None
    assert unseal_fid(token[:22]) is None


def test_the_same_token_is_sealed_in_every_process() -> None:
    program = (
        "from simulator.devices.registration_space import *\n"
        f"print(seal_registration(SealedRegistration({VALID.kind}, {VALID.seed}, {VALID.index})))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=True, capture_output=True, text=True
    ).stdout
    assert printed.strip() == seal_registration(VALID)


def test_a_frozen_sample_of_the_format() -> None:
    """Stores keep tokens: a change of this value is a new version of the format."""
    assert seal_registration(VALID) == (
        "cGUU5velcEWc63KXfAYx1F:APA91biDNX3klXTDZ95us19TCC_3qlqXr5O_3ypRislIfyy1PbZLvTll0lke6MU6Q9JQg6ZyyYyZc"
        "rLTudb5O2FLmuouObpUdZGoIn8Ckg1uDZKQZA9Ru5TqelWXSdj2mCHtj0sPBW0w"
    )
    assert malformed_registration(7, 123_456) == (
        "dQDlTW0dO6WQATrIsEExGp%3AAPA91bnjnZeCfJSQ9dCM99Kqo4g3P7z-vhBx4EpDy_VHMn64GdUJ8f4QL-FLpxPHweVfM38mudA"
        "t_5d7Wao6mphZ5Usj838NSmllRcPghf1ZIk6pVtxvNpCrNDpkLsg719UjNUYCyvRw"
    )


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        (VALID._replace(kind=0xFF), "kind 0xff is none of this format"),
        (VALID._replace(kind=Fate.INVALID_SHAPE.code), "kind 0x08 is none of this format"),
        (VALID._replace(kind=Fate.EXPIRED.code), "kind 0x02 is none of this format"),
        (VALID._replace(seed=-1), "seed must be from 0 to 4294967295"),
        (VALID._replace(seed=2**32), r"4294967295 \(2\*\*32 - 1, for FCM tokens\), not 4294967296"),
        (VALID._replace(index=-1), "index must be from 0"),
        (VALID._replace(index=2**40), "index must be from 0 to 1099511627775"),
    ],
)
def test_a_field_out_of_range_is_refused_and_named(spoilt: SealedRegistration, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        seal_registration(spoilt)


# Malformed tokens


@given(seeds, indices)
def test_a_malformed_token_is_taken_for_no_token_by_anyone(seed: int, index: int) -> None:
    token = malformed_registration(seed, index).encode()
    assert not is_registration_token_shape(token)
    assert not is_fid_shape(token)
    assert unseal_registration(token) is None
    # Whoever repairs the text, or cuts the FID off it, finds no device either: it stays outside the ledger.
    assert unseal_registration(token.replace(b"%3A", b":")) is None
    assert unseal_fid(token[:22]) is None


def test_malformed_tokens_of_different_devices_differ_and_their_fields_have_bounds() -> None:
    assert len({malformed_registration(seed, index) for seed in range(20) for index in range(20)}) == 400
    with pytest.raises(ValueError, match="seed must be from 0"):
        malformed_registration(2**32, 0)
    with pytest.raises(ValueError, match="index must be from 0"):
        malformed_registration(0, 2**40)


# The shape of tokens, whoever minted them

LETTERS = b"Ab3-_" * 200


@given(registrations)
def test_minted_tokens_are_well_formed(sealed: SealedRegistration) -> None:
    token = seal_registration(sealed).encode()
    assert is_registration_token_shape(token)
    assert is_fid_shape(token[:22])
    assert not is_registration_token_shape(token[:22])
    assert not is_fid_shape(token)


@pytest.mark.parametrize(
    "token",
    [
        LETTERS[:22] + b":APA91b" + LETTERS[:140],  # current, as measured: 163 and up
        LETTERS[:11] + b":APA91b" + LETTERS[:156],  # old: 11 + 1 + 162
        b"APA91b" + LETTERS[:134],  # GCM
        LETTERS[:TOKEN_CHARACTERS_MIN],
        LETTERS[:TOKEN_CHARACTERS_MAX],
    ],
)
def test_tokens_of_every_age_are_well_formed(token: bytes) -> None:
    assert is_registration_token_shape(token)


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"not-a-token",
        b"ab" * 32,  # an APNs token
        LETTERS[: TOKEN_CHARACTERS_MIN - 1],
        LETTERS[: TOKEN_CHARACTERS_MAX + 1],
        LETTERS[:22] + b":XYZ91b" + LETTERS[:134],
        LETTERS[:10] + b":APA91b" + LETTERS[:134],
        LETTERS[:23] + b":APA91b" + LETTERS[:134],
        LETTERS[:22] + b":APA91b" + LETTERS[:60] + b":" + LETTERS[:60],
        LETTERS[:22] + b":APA91b" + LETTERS[:134] + b"\n",
        LETTERS[:22] + b":APA91b" + LETTERS[:134] + b"=",
        LETTERS[:22] + b":APA91b" + LETTERS[:100] + "ä".encode(),
        LETTERS[:22] + b"%3AAPA91b" + LETTERS[:134],
        b" " + LETTERS[:22] + b":APA91b" + LETTERS[:134],
    ],
)
def test_what_was_cut_joined_or_damaged_is_not(token: bytes) -> None:
    assert not is_registration_token_shape(token)


@pytest.mark.parametrize("fid", [b"", b"d" + LETTERS[:20], b"d" + LETTERS[:22], b"A" + LETTERS[:21], b"d" + b"." * 21])
def test_what_is_no_fid_is_not(fid: bytes) -> None:
    assert not is_fid_shape(fid)
    assert fid_of(fid + b":APA91b" + LETTERS[:134]) is None


def test_a_fid_is_read_off_foreign_tokens_too_and_old_tokens_have_none() -> None:
    fid = b"d" + LETTERS[:21]
    assert fid_of(fid + b":APA91b" + LETTERS[:140]) == fid
    assert fid_of(fid + LETTERS[:140]) is None
    assert fid_of(LETTERS[:11] + b":APA91b" + LETTERS[:162]) is None


# Registrations that sit on an APNs token


@given(seeds, indices, st.sampled_from(SEALED_FATES), st.sampled_from(Environment))
def test_a_registration_of_ios_sits_on_the_apns_token_of_the_same_device(
    seed: int, index: int, fate: Fate, environment: Environment
) -> None:
    sealed = SealedRegistration(kind_of_registration(Platform.IOS, fate), seed, index)
    read = unseal(apns_token_of(sealed, TOPIC, environment))
    assert read is not None
    assert (read.seed, read.index, read.environment, read.topic_tag) == (seed, index, environment, topic_tag(TOPIC))
    # What APNs says of it is what FCM makes its answer of.
    expected = {Fate.STALE: Fate.EXPIRED, Fate.OTHER_SENDER: Fate.ACTIVE}
    assert read.fate is expected.get(fate, fate)


@pytest.mark.parametrize(
    ("fate", "apns_fates"),
    [
        (Fate.ACTIVE, ()),
        (Fate.UNREGISTERED, ((Fate.UNREGISTERED, 1.0),)),
        (Fate.STALE, ((Fate.EXPIRED, 1.0),)),
    ],
)
def test_it_is_the_token_that_an_apns_population_of_the_seed_has_at_the_index(
    fate: Fate, apns_fates: tuple[tuple[Fate, float], ...]
) -> None:
    sealed = SealedRegistration(kind_of_registration(Platform.IOS, fate), 7, 41)
    minted = Population(7, 42, TOPIC.decode(), fates=apns_fates).mint(41)
    assert apns_token_of(sealed, TOPIC) == minted.token.encode()


@pytest.mark.parametrize("platform", [Platform.ANDROID, Platform.WEB])
def test_other_registrations_sit_on_none(platform: Platform) -> None:
    sealed = VALID._replace(kind=kind_of_registration(platform, Fate.ACTIVE))
    with pytest.raises(ValueError, match=f"a registration of {platform.name.lower()} sits on no APNs token"):
        apns_token_of(sealed, TOPIC)


sealed_texts = registrations.map(lambda sealed: seal_registration(sealed).encode())
texts = st.one_of(
    sealed_texts,
    sealed_texts.map(lambda token: token[:-1]),
    sealed_texts.map(lambda token: token + b"A"),
    st.tuples(sealed_texts, st.integers(0, 162), st.sampled_from(b"A-_=*+/ :")).map(
        lambda drawn: drawn[0][: drawn[1]] + bytes((drawn[2],)) + drawn[0][drawn[1] + 1 :]
    ),
    st.binary(min_size=163, max_size=163),
    st.binary(max_size=20),
)


@given(st.lists(sealed_texts, max_size=4), st.lists(texts, max_size=3))
def test_many_tokens_are_read_as_each_alone(sealed: list[bytes], others: list[bytes]) -> None:
    for together in (sealed, sealed + others, others + sealed):
        assert unseal_registrations(together) == [unseal_registration(token) for token in together]


def test_a_change_between_fid_and_tail_makes_a_token_foreign_among_others_too() -> None:
    token = seal_registration(VALID).encode()
    for at in range(22, 29):
        changed = token[:at] + b"x" + token[at + 1 :]
        assert unseal_registrations([token, changed]) == [VALID, None]


def test_many_tokens_of_kinds_of_a_later_version_are_foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    token = seal_registration(VALID).encode()
    assert unseal_registrations([token, token]) == [VALID, VALID]
    monkeypatch.setattr("simulator.devices.registration_space._KINDS", {})
    assert unseal_registrations([token]) == [None]

"""Claims about sealed device tokens: one-to-one, the same everywhere, and foreign as soon as anything was changed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.devices.fates import Fate, Provider
from simulator.devices.token_space import (
    INDEX_MAX,
    INSTANT_S_MAX,
    SEED_MAX,
    Environment,
    SealedToken,
    kind_of,
    seal,
    topic_tag,
    unseal,
    unseal_all,
)

HEX_DIGITS = "0123456789abcdef"

kinds = st.builds(kind_of, st.sampled_from(Environment), st.sampled_from(Fate.of_provider(Provider.APNS)))
sealed_tokens = st.builds(
    SealedToken,
    kind=kinds,
    seed=st.integers(0, SEED_MAX),
    index=st.integers(0, INDEX_MAX),
    instant_s=st.integers(0, INSTANT_S_MAX),
    topic_tag=st.binary(min_size=5, max_size=5),
)

VALID = SealedToken(
    kind=kind_of(Environment.SANDBOX, Fate.UNREGISTERED),
    seed=7,
    index=123_456,
    instant_s=1_000_000,
    topic_tag=topic_tag(b"com.example.app"),
)


@given(sealed_tokens)
def test_what_was_sealed_reads_back(sealed: SealedToken) -> None:
    token = seal(sealed)
    assert re.fullmatch("[0-9a-f]{64}", token)
    assert unseal(token.encode()) == sealed


@given(sealed_tokens)
def test_upper_and_mixed_case_read_the_same(sealed: SealedToken) -> None:
    token = seal(sealed)
    assert unseal(token.upper().encode()) == sealed
    assert unseal((token[:31].upper() + token[31:]).encode()) == sealed


@given(sealed_tokens, st.integers(0, 63), st.integers(1, 15))
def test_one_changed_digit_makes_a_token_foreign(sealed: SealedToken, place: int, step: int) -> None:
    token = seal(sealed)
    changed = HEX_DIGITS[(HEX_DIGITS.index(token[place]) + step) % 16]
    assert unseal((token[:place] + changed + token[place + 1 :]).encode()) is None


@given(sealed_tokens, sealed_tokens)
def test_different_fields_never_share_a_token(one: SealedToken, other: SealedToken) -> None:
    assert (seal(one) == seal(other)) == (one == other)


@given(st.integers(0, SEED_MAX), st.integers(0, SEED_MAX), st.integers(0, INDEX_MAX))
def test_no_two_seeds_share_a_token(one_seed: int, other_seed: int, index: int) -> None:
    one, other = VALID._replace(seed=one_seed, index=index), VALID._replace(seed=other_seed, index=index)
    assert (seal(one) == seal(other)) == (one_seed == other_seed)


@given(st.binary(max_size=200) | st.text(HEX_DIGITS, min_size=64, max_size=64).map(str.encode))
def test_reading_never_raises_and_finds_nothing_in_bytes_that_were_not_minted(text: bytes) -> None:
    assert unseal(text) is None


@given(sealed_tokens, st.sampled_from([b"", b" ", b"\n", b"0", b"00", b"\x00"]), st.booleans())
def test_anything_around_or_missing_from_a_token_makes_it_foreign(
    sealed: SealedToken, extra: bytes, in_front: bool
) -> None:
    token = seal(sealed).encode()
    spoilt = (extra + token if in_front else token + extra) if extra else token[:-2]
    assert unseal(spoilt) is None


def test_a_token_tells_its_fate_and_environment() -> None:
    for environment in Environment:
        for fate in Fate.of_provider(Provider.APNS):
            read = unseal(seal(VALID._replace(kind=kind_of(environment, fate))).encode())
            assert read is not None
            assert (read.environment, read.fate) == (environment, fate)


def test_the_kind_is_sixteen_bits_of_version_environment_and_fate() -> None:
    assert kind_of(Environment.PRODUCTION, Fate.ACTIVE) == 0x1000
    assert kind_of(Environment.SANDBOX, Fate.REREGISTERED) == 0x1105


def test_the_format_is_frozen() -> None:
    """Stores keep tokens: a change of this value makes every token ever minted foreign."""
    assert seal(VALID) == "5a33681a7758222be35d7f41f1bad026af48da380fd85b2a8c4291c925a62384"
    assert VALID.topic_tag.hex() == "96bc705f52"


def test_seal_refuses_fields_out_of_range_and_says_which() -> None:
    spoilt_fields: list[tuple[SealedToken, str]] = [
        (VALID._replace(kind=0x1099), "kind 0x1099 is none of this format"),
        (VALID._replace(kind=0x2000), "kind 0x2000 is none of this format"),
        (VALID._replace(seed=-1), r"seed must be from 0 to 18446744073709551615 \(2\*\*64 - 1\), not -1"),
        (VALID._replace(seed=SEED_MAX + 1), "seed must be"),
        (VALID._replace(index=-1), r"index must be from 0 to 1099511627775 \(2\*\*40 - 1\), not -1"),
        (VALID._replace(index=INDEX_MAX + 1), "index must be"),
        (VALID._replace(instant_s=-1), "instant_s must be from 0 to 4294967295"),
        (VALID._replace(instant_s=INSTANT_S_MAX + 1), "instant_s must be"),
        (VALID._replace(topic_tag=b"four"), "topic_tag must be 5 bytes, not 4"),
    ]
    for spoilt, message in spoilt_fields:
        with pytest.raises(ValueError, match=message):
            seal(spoilt)


def test_a_kind_of_a_later_version_is_foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    token = seal(VALID).encode()
    monkeypatch.setattr("simulator.devices.token_space._KINDS", {})
    assert unseal(token) is None
    assert unseal_all([token]) == [None]


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_topic_tags_are_five_bytes_and_tell_topics_apart(one: bytes, other: bytes) -> None:
    assert len(topic_tag(one)) == 5
    assert (topic_tag(one) == topic_tag(other)) == (one == other)


def test_the_token_spaces_are_light_and_pure() -> None:
    program = "import sys, simulator.devices.registration_space; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd="/",
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    ours = {name for name in loaded if name.partition(".")[0] in {"simulator", "sender", "wire", "loadtest"}}
    assert ours == {"simulator", "simulator.devices"} | {
        f"simulator.devices.{module}" for module in ("draws", "fates", "registration_space", "token_space")
    }
    assert not {"numpy", "asyncio", "socket", "random", "msgspec"} & set(loaded)


texts = st.one_of(
    sealed_tokens.map(lambda sealed: seal(sealed).encode()),
    sealed_tokens.map(lambda sealed: seal(sealed).upper().encode()),
    sealed_tokens.map(lambda sealed: seal(sealed).encode()[:-1]),
    sealed_tokens.map(lambda sealed: seal(sealed).encode() + b"0"),
    st.binary(min_size=64, max_size=64),
    st.binary(max_size=66),
    st.binary(min_size=32, max_size=32).map(lambda raw: raw.hex().encode()),
)


@given(st.lists(sealed_tokens.map(lambda sealed: seal(sealed).encode()), max_size=5), st.lists(texts, max_size=3))
def test_many_tokens_are_read_as_each_alone(sealed: list[bytes], others: list[bytes]) -> None:
    for together in (sealed, sealed + others, others + sealed):
        assert unseal_all(together) == [unseal(text) for text in together]


def test_tokens_of_wrong_lengths_do_not_make_up_for_each_other() -> None:
    token = seal(VALID).encode()
    assert unseal_all([token, token]) == [VALID, VALID]
    assert unseal_all([token[:-2], token[-2:] + token]) == [None, None]
    assert unseal_all([token, token[:-1] + b"x", token]) == [VALID, None, VALID]

"""What a scenario is: devices, phases in which faults come and go, and what a good sender makes of it. Records alone.

`scenario_file` reads them from TOML, `scenario_play` plays the phases, whoever grades a sender reads the expectations.
"""

from typing import Annotated, Final, Literal

import msgspec

from simulator.devices.draws import TOPIC_BYTES_MAX

PHASES_MAX: Final = 20
FAULTS_OF_A_PHASE_MAX: Final = 10
RUNS_MAX: Final = 5
DEVICES_MAX: Final = 1_000_000
SECONDS_MAX: Final = 3_600.0
NOTIFICATIONS_MAX: Final = 2**31
ADVANCE_S_MAX: Final = 31_536_000
COUNT_MAX: Final = 2**31
SEED_MAX: Final = 2**32 - 1
"""FCM's tokens have room for no more."""

_UNSHOWN: Final = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
# Control characters, and what turns the direction of text around: scenarios of others are shown on terminals.

_NAME: Final = r"^[a-z0-9]+(-[a-z0-9]+)*\Z"
_LINE: Final = rf"^[^\t\n{_UNSHOWN}]+\Z"
_PROSE: Final = rf"^[^{_UNSHOWN}]+\Z"
_TOPIC: Final = r"^[!-~]+\Z"
PATTERNS: Final = {
    _NAME: "write lower-case words with hyphens, as in slow-tuesday",
    _LINE: "write one line of text, without control characters",
    _PROSE: "write text, without control characters",
    _TOPIC: "write it without spaces, in ASCII",
}
"""What to write for each."""

Name = Annotated[str, msgspec.Meta(pattern=_NAME, max_length=60)]
Line = Annotated[str, msgspec.Meta(pattern=_LINE, max_length=120)]
Prose = Annotated[str, msgspec.Meta(pattern=_PROSE, max_length=2_000)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=SECONDS_MAX)]
Duration = Annotated[float, msgspec.Meta(gt=0, le=SECONDS_MAX)]
Count = Annotated[int, msgspec.Meta(ge=0, le=COUNT_MAX)]
Notifications = Annotated[int, msgspec.Meta(ge=1, le=NOTIFICATIONS_MAX)]
Quantity = Annotated[float, msgspec.Meta(gt=0)]
ProviderName = Literal["apns", "fcm"]


def _about(description: str) -> msgspec.Meta:
    return msgspec.Meta(description=description)


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Population(_Part, frozen=True, kw_only=True):
    """The devices that the sender is to reach, minted with the scenario's seed.

    `fates`: shares by name; what a provider's tokens do not know is left out of them. `ios`: share of FCM's registrations.
    """

    devices: Annotated[int, msgspec.Meta(ge=1, le=DEVICES_MAX)]
    topic: Annotated[str, msgspec.Meta(pattern=_TOPIC, max_length=TOPIC_BYTES_MAX)] = "com.example.app"
    fates: dict[str, Share] = {}
    ios: Share = 0.0


class Phase(_Part, frozen=True, kw_only=True):
    """One stretch of a run: its faults are at work from its beginning to its end.

    - `run`: in which of the runs it comes; in each, where it is not given.
    - `from_s`: seconds after the first connection came; 0 is before it. `from_notifications`: once so many were answered in
      the run, whatever the time, and `wait_s` seconds later.
    - `for_s`, `for_notifications`: how long; to the end of the run where neither is given.
    - `faults`: as `pushrig serve --fault` takes them.
    - `advance_s`: the simulator's clock goes forward at the beginning, which ages credentials that were seen before.
    """

    name: Line
    run: Annotated[int, msgspec.Meta(ge=1, le=RUNS_MAX)] | None = None
    from_s: Seconds | None = None
    from_notifications: Notifications | None = None
    wait_s: Seconds = 0.0
    for_s: Duration | None = None
    for_notifications: Notifications | None = None
    faults: Annotated[tuple[str, ...], msgspec.Meta(max_length=FAULTS_OF_A_PHASE_MAX)] = ()
    advance_s: Annotated[int, msgspec.Meta(ge=0, le=ADVANCE_S_MAX)] = 0


class Expectations(_Part, frozen=True, kw_only=True):
    """What a good sender keeps to, and what is counted. A default that is a number holds unless the file says otherwise."""

    lost_max: Annotated[
        Count,
        _about(
            "Devices that take notifications, and had neither one accepted nor a final refusal by the end of the last run."
        ),
    ] = 0
    duplicated_max: Annotated[
        Count,
        _about(
            "Devices that had a second one accepted in a run, though the whole answer to the first had reached a connection "
            "that went on."
        ),
    ] = 0
    new_ids_max: Annotated[
        Count,
        _about(
            "Requests sent again though the one before may have been processed, under another id than that one's or none "
            "(`apns-id`; with FCM `pushrig_id` among the data, where the sender uses it)."
        ),
    ] = 0
    goaway_unheeded_max: Annotated[
        Count,
        _about(
            "Requests at or below the last stream id of a GOAWAY (NO_ERROR) that the sender gave up within a second of it, and "
            "sent again: their answers were still to come."
        ),
    ] = 0
    attempts_max: Annotated[Count | None, _about("Requests for one device in a run.")] = None
    retried_final_max: Annotated[
        Count,
        _about(
            "Requests for a device after a final answer in the same run; after one that says that the token is no good, also "
            "in a later run."
        ),
    ] = 0
    not_retried_max: Annotated[
        Count,
        _about(
            "Devices whose last answer in a run was one to retry after (429, 5xx, an expired credential), or that had none."
        ),
    ] = 0
    hung_s_max: Annotated[
        Duration | None,
        _about(
            "Seconds from a request that is never answered to the next for the same device, or to the end of the run."
        ),
    ] = None
    retry_early_max: Annotated[
        Count, _about("Requests for a device before the time that `Retry-After` in its last answer names.")
    ] = 0
    retry_wait_s_min: Annotated[
        Duration | None,
        _about("Seconds at least from a 429 or 5xx without `Retry-After` to the next request for the device."),
    ] = None
    recovery_s_max: Annotated[
        Duration | None,
        _about(
            "Seconds from the end of the last phase with faults that ends until half as many are accepted in a second as in "
            "one before the first fault, or all that is left has been."
        ),
    ] = None
    streams_over_limit_max: Annotated[
        Count, _about("Requests on streams over the limit that the client had acknowledged.")
    ] = 0
    connections_max: Annotated[Count | None, _about("Connections established in a run.")] = None
    connects_a_second_max: Annotated[Count | None, _about("TCP connections in any one second of a run.")] = None
    handshakes_failed_max: Annotated[Count | None, _about("TLS handshakes that came to nothing, in a run.")] = None
    pings_ignored_max: Annotated[
        Count, _about("PINGs of the simulator without an answer, on connections that went on for another second.")
    ] = 0
    credentials_max: Annotated[Count | None, _about("Different provider or access tokens in a run.")] = None
    bytes_per_notification_max: Annotated[
        Quantity | None, _about("Bytes from the client, within TLS, by notification accepted.")
    ] = None
    frames_per_notification_max: Annotated[
        Quantity | None, _about("Frames from the client by notification accepted.")
    ] = None
    dropped_wrongly_max: Annotated[
        Count,
        _about(
            "Good tokens given up: by the results that the sender wrote, or else by whom it no longer sends to in the next run."
        ),
    ] = 0
    kept_wrongly_max: Annotated[Count, _about("Tokens kept that were told to be no good, likewise.")] = 0
    stops: Annotated[
        bool,
        _about(
            "Trying again cannot help: the sender ends by itself, and nothing but `connections_max`, `says` and the time "
            "limit is graded."
        ),
    ] = False
    says: Annotated[Line | None, _about("Text that the sender puts out, so that a person sees the cause.")] = None


class Scenario(_Part, frozen=True, kw_only=True):
    """One scenario. `phase`, `expect`: named as their tables in the file.

    - `title`: in one line. `what_happens`: at the provider. `good_sender`: what it does then. `sources`: public reports.
    - `seed`: of population and chance. `providers`: whose tokens it can be played with, one at a time.
    - `runs`: how often the sender is run over the same devices; more than once where it has to remember.
    - `time_limit_s`: what each run of the sender may take.
    - `serve`: settings of the simulator, by their names in its settings file.
    """

    name: Name
    title: Line
    what_happens: Prose
    good_sender: Prose
    sources: tuple[Line, ...] = ()
    seed: Annotated[int, msgspec.Meta(ge=0, le=SEED_MAX)] = 1
    providers: Annotated[tuple[ProviderName, ...], msgspec.Meta(min_length=1, max_length=2)]
    runs: Annotated[int, msgspec.Meta(ge=1, le=RUNS_MAX)] = 1
    time_limit_s: Annotated[float, msgspec.Meta(ge=1, le=SECONDS_MAX)] = 60.0
    population: Population
    serve: dict[str, str | int] = {}
    phase: Annotated[tuple[Phase, ...], msgspec.Meta(max_length=PHASES_MAX)] = ()
    expect: Expectations = Expectations()

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

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*\Z", max_length=60)]
Line = Annotated[str, msgspec.Meta(pattern=r"^[^\n]+\Z", max_length=120)]
Prose = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=SECONDS_MAX)]
Duration = Annotated[float, msgspec.Meta(gt=0, le=SECONDS_MAX)]
Count = Annotated[int, msgspec.Meta(ge=0, le=COUNT_MAX)]
Notifications = Annotated[int, msgspec.Meta(ge=1, le=NOTIFICATIONS_MAX)]
ProviderName = Literal["apns", "fcm"]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Population(_Part, frozen=True, kw_only=True):
    """The devices that the sender is to reach, minted with the scenario's seed.

    `fates`: shares by name; what a provider's tokens do not know is left out of them. `ios`: share of FCM's registrations.
    """

    devices: Annotated[int, msgspec.Meta(ge=1, le=DEVICES_MAX)]
    topic: Annotated[str, msgspec.Meta(pattern=r"^[!-~]+\Z", max_length=TOPIC_BYTES_MAX)] = "com.example.app"
    fates: dict[str, Share] = {}
    ios: Share = 0.0


class Phase(_Part, frozen=True, kw_only=True):
    """One stretch of a run: its faults are at work from its beginning to its end.

    - `run`: in which of the runs it comes; in each, where it is not given.
    - `from_s`: seconds after the first connection came; 0 is before it. `from_notifications`: once so many were answered in
      the run, whatever the time.
    - `for_s`, `for_notifications`: how long; to the end of the run where neither is given.
    - `faults`: as `pushrig serve --fault` takes them.
    - `advance_s`: the simulator's clock goes forward at the beginning, which ages credentials that were seen before.
    """

    name: Line
    run: Annotated[int, msgspec.Meta(ge=1, le=RUNS_MAX)] | None = None
    from_s: Seconds | None = None
    from_notifications: Notifications | None = None
    for_s: Duration | None = None
    for_notifications: Notifications | None = None
    faults: Annotated[tuple[str, ...], msgspec.Meta(max_length=FAULTS_OF_A_PHASE_MAX)] = ()
    advance_s: Annotated[int, msgspec.Meta(ge=0, le=ADVANCE_S_MAX)] = 0


class Expectations(_Part, frozen=True, kw_only=True):
    """What a good sender keeps to, one run with another. Those with a default hold unless the file says otherwise.

    Of notifications:
    - `lost_max`: devices that take notifications and had none accepted at the end of the last run.
    - `duplicated_max`: devices that had a second one accepted, though the whole answer to the first had been written to a
      sender that was there to read it.
    - `new_ids_max`: notifications sent again under another id than before (`apns-id`, or `pushrig_id` among FCM's data).
    - `attempts_max`: requests for one device in a run.
    - `retried_final_max`: requests for a device that had got a final answer in this run, or, where it said that the token is
      no good, in an earlier one.
    - `not_retried_max`: devices whose last answer was one to retry after (429, 500, 502, 503, 504), or that had none.
    - `hung_s_max`: seconds from a request that is never answered to the next for the same device.

    Of waiting:
    - `retry_early_max`: requests for a device before the time that the `Retry-After` of its last answer names.
    - `retry_wait_s_min`: seconds from a 429 or 5xx without `Retry-After` to the next request for the device.
    - `recovery_s_max`: seconds from the end of the last phase with faults until as many are accepted in a second as before
      the first, or all have been.

    Of connections:
    - `streams_over_limit_max`: requests on streams over the limit that the client had acknowledged.
    - `connections_max`: connections established in a run. `connects_a_second_max`: TCP connections in any second of it.
    - `handshakes_failed_max`: TLS handshakes that came to nothing.
    - `pings_ignored_max`: PINGs of the simulator's that had no answer on a connection that went on for a second.
    - `credentials_max`: different provider or access tokens in a run.
    - `bytes_per_notification_max`, `frames_per_notification_max`: from the client, by notification accepted.

    Of tokens, by what the sender wrote as results, or else by whom it sends to in the next run:
    - `dropped_wrongly_max`: tokens given up that are good. `kept_wrongly_max`: tokens kept that were told to be no good.

    Where retrying cannot help:
    - `stops`: the sender gives up by itself, and nothing of the above is held against it but `connections_max`.
    - `says`: text that it puts out, so that a person sees the cause.
    """

    lost_max: Count = 0
    duplicated_max: Count = 0
    new_ids_max: Count = 0
    attempts_max: Count | None = None
    retried_final_max: Count = 0
    not_retried_max: Count = 0
    hung_s_max: Duration | None = None
    retry_early_max: Count = 0
    retry_wait_s_min: Duration | None = None
    recovery_s_max: Duration | None = None
    streams_over_limit_max: Count = 0
    connections_max: Count | None = None
    connects_a_second_max: Count | None = None
    handshakes_failed_max: Count | None = None
    pings_ignored_max: Count = 0
    credentials_max: Count | None = None
    bytes_per_notification_max: Annotated[float, msgspec.Meta(gt=0)] | None = None
    frames_per_notification_max: Annotated[float, msgspec.Meta(gt=0)] | None = None
    dropped_wrongly_max: Count = 0
    kept_wrongly_max: Count = 0
    stops: bool = False
    says: Line | None = None


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

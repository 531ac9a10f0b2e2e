"""`pushrig send`: the reference sender's command line."""

import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

EXIT_BAD_INPUT = 2
EXIT_REMAINING = 3
EXIT_STOPPED = 4
EXIT_INTERRUPTED = 130

INTERRUPTED = "interrupted"
FCM_ENDPOINT = "https://fcm.googleapis.com"
# Options of one provider, by parameter, with the option that lets it take part.
OPTIONS_OF_APNS = (
    "endpoint", "key_file", "key_id", "team_id", "cert_file", "cert_key_file",
    "push_type", "priority", "expiration", "collapse_id",
)  # fmt: skip
OPTIONS_OF_FCM = ("fcm_endpoint", "service_account", "project")


def send(
    context: typer.Context,
    topic: Annotated[
        str, typer.Option("--topic", envvar="PUSHRIG_TOPIC", help="The app whose devices are meant; also apns-topic.")
    ],
    store: Annotated[
        Path | None,
        typer.Option(
            "--store",
            metavar="FILE",
            help="Device store, made by `pushrig import` or `tokens`. Needed, but under `pushrig replay`.",
            show_default=False,
        ),
    ] = None,
    payload: Annotated[
        Path | None,
        typer.Option(
            "--payload",
            metavar="FILE",
            help="APNs: JSON of the notification; {{name}} or {{name|default}} inside strings.",
        ),
    ] = None,
    message: Annotated[
        Path | None,
        typer.Option(
            "--message",
            metavar="FILE",
            help="FCM: JSON of the message, without a target; placeholders as in --payload.",
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            "--endpoint",
            envvar="PUSHRIG_URL",
            metavar="URL",
            help="Where APNs is: https://HOST[:PORT]; http:// for clear text.",
        ),
    ] = None,
    fcm_endpoint: Annotated[
        str, typer.Option("--fcm-endpoint", envvar="PUSHRIG_URL", metavar="URL", help="Where FCM is, likewise.")
    ] = FCM_ENDPOINT,
    service_account: Annotated[
        Path | None,
        typer.Option(
            "--service-account",
            envvar="GOOGLE_APPLICATION_CREDENTIALS",
            metavar="FILE",
            help="Key file (JSON) of the service account that sends over FCM.",
        ),
    ] = None,
    project: Annotated[
        str | None,
        typer.Option("--project", help="Id or number of the FCM project. Default: that of the service account."),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file", envvar="APNS_KEY_FILE", metavar="FILE", help="APNs private key, AuthKey_<KEYID>.p8."
        ),
    ] = None,
    key_id: Annotated[str | None, typer.Option("--key-id", envvar="APNS_KEY_ID", help="Id of that key.")] = None,
    team_id: Annotated[
        str | None, typer.Option("--team-id", envvar="APNS_TEAM_ID", help="Id of the team it belongs to.")
    ] = None,
    cert_file: Annotated[
        Path | None,
        typer.Option(
            "--cert-file",
            envvar="APNS_CERT_FILE",
            metavar="FILE",
            help="Client certificate (PEM) for APNs, instead of a provider token's key.",
        ),
    ] = None,
    cert_key_file: Annotated[
        Path | None,
        typer.Option(
            "--cert-key-file",
            envvar="APNS_CERT_KEY_FILE",
            metavar="FILE",
            help="Its private key (PEM, unencrypted). Default: in the same file.",
        ),
    ] = None,
    campaign: Annotated[
        str | None,
        typer.Option(
            "--campaign",
            metavar="NAME",
            help="Name under which an interrupted run is resumed. Default: made of what is sent, topic and segment.",
        ),
    ] = None,
    segment: Annotated[
        str,
        typer.Option(
            "--segment", help='Which devices, e.g. \'country = "DE" and app_version >= "3.1"\'. Default: all.'
        ),
    ] = "",
    ca_file: Annotated[
        Path | None,
        typer.Option(
            "--ca-file", metavar="FILE", help="CA to trust instead of the system's (SSL_CERT_FILE works too)."
        ),
    ] = None,
    push_type: Annotated[str, typer.Option("--push-type", help="apns-push-type.")] = "alert",
    priority: Annotated[int | None, typer.Option("--priority", help="apns-priority: 10, 5 or 1.")] = None,
    expiration: Annotated[
        int | None,
        typer.Option("--expiration", metavar="SECONDS", help="apns-expiration, seconds since 1970; 0: one attempt."),
    ] = None,
    collapse_id: Annotated[
        str | None, typer.Option("--collapse-id", help="apns-collapse-id, at most 64 bytes.")
    ] = None,
    connections: Annotated[
        int, typer.Option("--connections", help="HTTP/2 connections to each provider, 1 to 64.")
    ] = 4,
    rate: Annotated[
        float,
        typer.Option(
            "--rate", min=0, max=1e9, help="Notifications per second at most, over all providers; 0: no limit."
        ),
    ] = 0.0,
    attempts: Annotated[
        int, typer.Option("--attempts", min=1, max=100, help="Tries for one notification in one run.")
    ] = 5,
    retry_base_s: Annotated[
        float,
        typer.Option("--retry-base-s", min=0.001, max=3600, help="First pause before a retry; doubles each time."),
    ] = 1.0,
    answer_timeout_s: Annotated[
        float,
        typer.Option("--answer-timeout-s", min=0.1, max=3600, help="How long one notification waits for its answer."),
    ] = 30.0,
    stall_timeout_s: Annotated[
        float, typer.Option("--stall-timeout-s", min=1, max=86400, help="Give up after so long without any answer.")
    ] = 120.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON on stdout, and no progress.")
    ] = False,
) -> None:
    """Send one notification to every valid device of a store, and feed the answers back into it.

    Devices of APNs get --payload, devices of FCM get --message; with both files, both are sent to side by side, as one
    campaign.

    Tokens that a provider declares dead are invalidated; retryable failures are retried with growing pauses, honouring
    Retry-After. What a provider holds against all notifications alike stops the campaign, before it burns the rest. A run
    that was killed is resumed by the same command: at most 4,096 notifications are sent twice, under the same id. APNs
    gets it as apns-id, FCM as the data key pushrig_id.

    Under `pushrig replay` it needs no options: it sends to the devices that the scenario has, and writes what came of it.

    APNs: it authenticates with provider tokens, made with --key-file, --key-id and --team-id, or with a client certificate.
    Where the environment has both, the key is used unless --cert-file is given.

    FCM: access tokens are fetched with the service account's key, from the token_uri that stands in its file.

    Examples:

      pushrig send --store devices.db --payload sale.json --topic com.example.app --endpoint https://localhost:8443

      eval "$(pushrig env)"; pushrig send --store devices.db --payload sale.json --segment 'country = "DE"' --json

      eval "$(pushrig env)"; pushrig send --store devices.db --payload sale.json --message sale-fcm.json

      pushrig send --store devices.db --payload sale.json --cert-file client.pem --cert-key-file client.key

    Exit codes: 0 everything has a final answer; 2 bad input, nothing was sent; 3 some notifications still fail and stay
    due, run again to retry them; 4 the campaign was stopped early (the message says why), the rest stays due; 130
    interrupted, the rest stays due.
    """
    from sender.apns.messages import ApnsOptions
    from sender.campaign import CampaignOptions, default_name, run_campaign
    from sender.campaign_parts import ApnsPart, FcmPart
    from sender.client_tls import CertificateFiles
    from sender.credential_options import CredentialOptions, choose_credential
    from sender.errors import SenderError
    from sender.lane import LaneOptions
    from sender.pool import Endpoint, PoolOptions
    from sender.reaction import RetryPolicy
    from sender.replay_variables import Replayed, is_replayed, prepare, write_results
    from sender.store.errors import CampaignError, StoreError
    from sender.store.registration import APNS, FCM
    from sender.summary import ProgressBar, print_report

    typed = {name for name in context.params if _is_typed(context, name)}
    replayed: Replayed | None = None

    def apns_part(file: Path) -> ApnsPart:
        if endpoint is None:
            raise SenderError("--payload is sent to APNs: say where with --endpoint (or PUSHRIG_URL)")
        content, parsed = _read(file, "--payload"), Endpoint.parse(endpoint)
        given = CredentialOptions(key_file, key_id, team_id, cert_file, cert_key_file)
        credential = choose_credential(given, typed)
        certificate = None
        if credential.cert_file is not None:
            certificate = CertificateFiles(credential.cert_file, credential.cert_key_file)
        return ApnsPart(
            payload=content,
            options=ApnsOptions(topic, parsed.authority, push_type, priority, expiration, collapse_id),
            endpoint=parsed,
            key_file=credential.key_file,
            key_id=credential.key_id or "",
            team_id=credential.team_id or "",
            certificate=certificate,
        )

    def fcm_part(file: Path) -> FcmPart:
        if service_account is None:
            raise SenderError(
                "--message is sent to FCM: give a service account's key file with --service-account (or "
                "GOOGLE_APPLICATION_CREDENTIALS)"
            )
        return FcmPart(_read(file, "--message"), Endpoint.parse(fcm_endpoint), service_account, project)

    try:
        if store is None and payload is None and message is None and is_replayed(os.environ):
            replayed = prepare(os.environ, topic)
            store, campaign = replayed.store, replayed.campaign
            payload = replayed.content if replayed.provider == APNS else None
            message = replayed.content if replayed.provider == FCM else None
            if replayed.answer_timeout_s is not None and "answer_timeout_s" not in typed:
                answer_timeout_s = min(answer_timeout_s, replayed.answer_timeout_s)
        if store is None:
            raise SenderError("which devices? Give a device store with --store FILE")
        _check_providers(typed, payload, message)
        parts: list[ApnsPart | FcmPart] = []
        contents: list[tuple[Path, bytes]] = []
        if payload is not None:
            apns = apns_part(payload)
            parts.append(apns)
            contents.append((payload, apns.payload))
        if message is not None:
            fcm = fcm_part(message)
            parts.append(fcm)
            contents.append((message, fcm.message))
        options = CampaignOptions(
            store=store,
            name=campaign if campaign is not None else default_name(contents, topic, segment),
            topic=topic,
            parts=tuple(parts),
            segment=segment,
            ca_file=ca_file,
            rate_per_s=rate,
            policy=RetryPolicy(attempts_max=attempts, base_s=retry_base_s),
            pool=PoolOptions(
                connections=connections,
                stall_timeout_s=stall_timeout_s,
                lane=LaneOptions(answer_timeout_s=answer_timeout_s),
            ),
        )
        with ProgressBar(f"campaign {options.name}", shown=not as_json and sys.stderr.isatty()) as bar:
            report = run_campaign(options, bar.update)
        if replayed is not None:
            write_results(replayed)
    except (SenderError, StoreError) as error:
        hint = " (--campaign NAME)" if isinstance(error, CampaignError) else ""
        typer.echo(f"pushrig send: {error}{hint}", err=True)
        raise typer.Exit(EXIT_BAD_INPUT) from None
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        print_report(report)
    if report.stopped is not None:
        typer.echo(f"pushrig send: stopped: {report.stopped}; {report.remaining:,} notifications stay due", err=True)
        raise typer.Exit(EXIT_INTERRUPTED if report.stopped == INTERRUPTED else EXIT_STOPPED)
    if report.remaining:
        typer.echo(f"pushrig send: {report.remaining:,} notifications stay due; run the same command again", err=True)
        raise typer.Exit(EXIT_REMAINING)


def _read(file: Path, option: str) -> bytes:
    """What is in a file. Raises SenderError."""
    from sender.errors import SenderError

    try:
        return file.read_bytes()
    except OSError as error:
        raise SenderError(f"{option} {file}: cannot be read ({error.strerror})") from None


def _check_providers(typed: set[str], payload: Path | None, message: Path | None) -> None:
    """See that a provider takes part, and that no option was typed for one that does not. Raises SenderError."""
    from sender.errors import SenderError

    if payload is None and message is None:
        raise SenderError("nothing to send: give --payload FILE for devices of APNs, --message FILE for those of FCM")
    for file, option, provider, names in (
        (payload, "--payload", "APNs", OPTIONS_OF_APNS),
        (message, "--message", "FCM", OPTIONS_OF_FCM),
    ):
        for name in names:
            if file is None and name in typed:
                flag = "--" + name.replace("_", "-")
                raise SenderError(f"{flag} is for {provider}, which takes no part: add {option}, or leave it out")


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"

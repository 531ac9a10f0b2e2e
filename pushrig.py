"""The `pushrig` command: mounts the command lines of simulator, sender and loadtest, and nothing else.

Each command's module is imported when the command is called, since a simulator has to be ready in half a second.
"""

import importlib
import sys
from collections.abc import Sequence

import typer
from typer.core import TyperGroup

# Command, module, function; in the order in which the help lists them.
COMMANDS = (
    ("serve", "simulator.serve_command", "serve"),
    ("faults", "simulator.faults_command", "faults"),
    ("env", "simulator.env_command", "env"),
    ("provider-token", "sender.provider_token_command", "provider_token"),
    ("access-token", "simulator.access_token_command", "access_token"),
    ("scenarios", "simulator.scenarios_command", "scenarios"),
    ("tokens", "loadtest.tokens_command", "tokens"),
    ("import", "sender.import_command", "import_devices"),
    ("send", "sender.send_command", "send"),
    ("run", "loadtest.run_command", "run"),
    ("replay", "loadtest.replay_command", "replay"),
    ("demo", "loadtest.demo_command", "demo"),
    ("load", "loadtest.load_command", "load"),
    ("report", "loadtest.report_command", "report"),
    ("bench", "loadtest.bench.command", "bench"),
)


class InOrder(TyperGroup):
    """Lists commands in the order of the table."""

    def list_commands(self, ctx: object) -> list[str]:
        return [name for name, _, _ in COMMANDS if name in self.commands]


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"pushrig {version('pushrig')}")
        raise typer.Exit


def application(wanted: str | None) -> typer.Typer:
    """The application with the command `wanted`, or with all of them for the help."""
    app = typer.Typer(
        name="pushrig",
        cls=InOrder,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help="A fake APNs and FCM, a reference push-notification sender, and a load harness for any sender.",
    )

    @app.callback()
    def options(
        version: bool = typer.Option(
            False, "--version", is_eager=True, callback=_show_version, help="Print the version and exit."
        ),
    ) -> None:
        """Options of the command as a whole; each is dealt with by its callback."""

    for name, module, function in COMMANDS:
        if wanted in (name, None):
            app.command(name)(getattr(importlib.import_module(module), function))
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `pushrig` command; `arguments` as in `sys.argv[1:]`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    known = {name for name, _, _ in COMMANDS}
    wanted = given[0] if given and given[0] in known else None
    application(wanted)(args=given, prog_name="pushrig")


if __name__ == "__main__":
    main()

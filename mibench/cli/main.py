"""The command line: names of commands, loaded when used, and one place where errors become messages."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

import mibench
from mibench.cli.report import print_error, print_json
from mibench.core.errors import MibenchError

COMMANDS = {
    "list": "What there is: tasks, models, methods, metrics, records.",
    "run": "Run methods on tasks and models, and score them.",
    "pull": "Fetch what a run needs, where there is a network.",
    "discover": "Run one method and write its artifact.",
    "score": "Score artifact files.",
    "validate": "Compute published curves, and compare.",
    "validate-metrics": "Tell which scores rank methods as a known truth does.",
    "show": "Show records.",
    "diff": "Say what differs between two records.",
    "rescore": "Compute the metrics of records again from their tables.",
    "reproduce": "Run the cells of records again, and compare.",
    "compare": "Compare methods of record folders, with paired intervals.",
    "plot": "Draw curves, heads, circuits, and frontiers of dictionaries.",
    "cards": "Write a page of a dictionary's latents.",
    "stability": "Run a method again, and see what it finds again.",
    "convert": "Convert an artifact between file formats.",
    "export": "Write records as result files of other benchmarks.",
    "tasks": "Export a task's pairs for other stacks.",
    "models": "Fetch models, so that they load without a network.",
    "submit": "Write, check and pack a submission.",
    "shared-task": "Run a shared task: teams, private splits, scoring, results.",
    "leaderboard": "Build, check, export or serve the leaderboard.",
    "records": "Fetch published records, or make a folder of them smaller.",
    "cite": "Print BibTeX of what records rest on.",
    "doctor": "Check this machine and say how to fix it.",
}
"""One file a command, `mibench/cli/<name>.py`, which calls its click command `command`."""


class LazyGroup(click.Group):
    """A group that imports a command only when it is used, so that help starts at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names of the commands, in reading order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"mibench.cli.{_module(cmd_name)}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a wrong name gets a hint."""
        from mibench.core.names import did_you_mean

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"No such command '{args[0]}'. {did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader that has seen enough (``| head``) is no failure."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The flush at exit must not complain again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands alone: the usage line has the two options, and help stays on one screen."""
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _module(name: str) -> str:
    return "list_" if name == "list" else name.replace("-", "_")


@click.group(
    cls=LazyGroup, options_metavar="[--version] [--help]", context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(mibench.__version__, prog_name="mibench")
def cli() -> None:
    """Benchmark mechanistic interpretability. Exit: 0 done, 1 failed, 2 wrong use."""


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; user faults are printed without a traceback."""
    # Errors of the hub say what its client would say in lines of its own; read when the client is imported.
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    try:
        # click hands back the status of ctx.exit(status) instead of raising it.
        status = cli.main(args=arguments, prog_name="mibench", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except MibenchError as error:
        print_error(error)
        if "--json" in (sys.argv[1:] if arguments is None else arguments):
            print_json({"error": {"what": error.what, "why": error.why, "do": error.do}})
        sys.exit(error.exit_status)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped. What is finished is kept; run the same command again to go on.", err=True)
        sys.exit(130)

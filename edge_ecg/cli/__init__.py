"""`edge-ecg`: one file a group of commands; each reads its options, calls the runtime and prints."""

from importlib import import_module

import click

from edge_ecg.contract import INTENDED_USE
from edge_ecg.terminal.console import add_verbose, run_command
from edge_ecg.terminal.interrupts import quitting_at_once

EXIT_CODES = "Exit codes: 0 done; 1 a defect; 2 bad input, the rest was done; 130 interrupted."
# The file of each command, and what the list of commands says of it.
COMMANDS = {
    "demo": ("demo", "Run everything once, on a synthetic person."),
    "detect": ("show", "Find the R peaks of recordings."),
    "doctor": ("doctor", "Say what this machine can check of a bundle and what it can't."),
    "enroll": ("bundle", "Move a bundle's references to fresh recordings of the baseline."),
    "import": ("import_", "Make a data set from a phone's export."),
    "inspect": ("bundle", "Verify a bundle and say what it holds."),
    "pack": ("bundle", "Write what a device needs of a bundle as one small file."),
    "plot": ("show", "Draw a recording on ECG paper, or mean beats of both states."),
    "profile": ("bundle", "Count what a bundle costs: multiply-adds, bytes, time."),
    "replay": ("replay", "Replay recordings through a bundle: beats, votes, a decision."),
    "report": ("show", "Write what was measured of a run or a bundle as one page."),
    "sign": ("bundle", "Sign a bundle with your key."),
    "simulate": ("replay", "Replay recordings as a faulty sensor would give them."),
    "verify": ("bundle", "Check the signature of a bundle."),
    "web": ("show", "Write a page that judges recordings by itself, in a browser."),
}


class Commands(click.Group):
    """The group of all commands, of which only the one that runs is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        with quitting_at_once():
            module = import_module(f"edge_ecg.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        add_verbose(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=Commands, epilog=f"{EXIT_CODES}\n\n{INTENDED_USE}")
@click.version_option(package_name="edge-ecg", prog_name="edge-ecg")
def cli() -> None:
    """Judge ECG recordings with a personal comparator, as a watch would."""


def main() -> None:
    """The entry point."""
    run_command(cli)

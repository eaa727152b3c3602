"""`edge-ecg`: one file a group of commands; each reads its options, calls the runtime and prints."""

import click

from edge_ecg import __version__
from edge_ecg.cli.bundle import (
    enroll_command,
    inspect_command,
    pack_command,
    profile_command,
    sign_command,
    verify_command,
)
from edge_ecg.cli.demo import demo_command
from edge_ecg.cli.doctor import doctor_command
from edge_ecg.cli.import_ import import_command
from edge_ecg.cli.replay import replay_command, simulate_command
from edge_ecg.cli.show import detect_command, plot_command, report_command
from edge_ecg.contract import INTENDED_USE
from edge_ecg.terminal.console import run_command

EXIT_CODES = "Exit codes: 0 done; 1 a defect; 2 bad input, the rest was done; 130 interrupted."


@click.group(epilog=f"{EXIT_CODES}\n\n{INTENDED_USE}")
@click.version_option(__version__, prog_name="edge-ecg")
def cli() -> None:
    """Judge ECG recordings with a personal comparator, as a watch would."""


for command in (
    replay_command,
    simulate_command,
    plot_command,
    enroll_command,
    import_command,
    pack_command,
    sign_command,
    verify_command,
    profile_command,
    report_command,
    doctor_command,
    detect_command,
    inspect_command,
    demo_command,
):
    cli.add_command(command)


def main() -> None:
    """The entry point."""
    run_command(cli)

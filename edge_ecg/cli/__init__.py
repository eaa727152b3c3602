"""`edge-ecg`: one file a group of commands; each reads its options, calls the runtime and prints."""

from importlib import import_module
from typing import NamedTuple

import click
from click.shell_completion import get_completion_class

from edge_ecg.contract import INTENDED_USE
from edge_ecg.errors import EdgeEcgError
from edge_ecg.terminal.console import add_verbose, run_command
from edge_ecg.terminal.interrupts import quitting_at_once

EXIT_CODES = "Exit codes: 0 done; 1 a defect; 2 bad input (the rest was done); 130 interrupted."


class Entry(NamedTuple):
    """A command's module, and its line in the list of commands."""

    module: str
    attribute: str
    summary: str


GROUPS = {
    "Data": {
        "import": Entry("edge_ecg.cli.import_", "import_command", "Make a data set from an export, folders or files."),
        "plot": Entry(
            "edge_ecg.cli.show", "plot_command", "Draw a recording on ECG paper, or mean beats of both states."
        ),
        "detect": Entry("edge_ecg.cli.show", "detect_command", "Find the R peaks of recordings."),
    },
    "Train and measure": {
        "train": Entry("train.__main__", "train", "Train a comparator on a data set."),
        "evaluate": Entry("train.evaluate", "evaluate", "Evaluate a run on its test dates."),
        "study": Entry("train.study", "study", "Measure a run: dates left out, the day's baseline, confounders."),
        "plan": Entry("edge_ecg.cli.plan", "plan_command", "Simulate how many decisions more sessions would give."),
        "report": Entry("edge_ecg.cli.show", "report_command", "Write the results of a run or a bundle as one page."),
        "cohort": Entry("train.cohort", "cohort", "Train and study many persons."),
    },
    "Export": {
        "export": Entry("export.__main__", "export_bundle", "Write a bundle: ONNX, Core ML, references, all verified."),
        "inspect": Entry("edge_ecg.cli.bundle", "inspect_command", "Verify a bundle and list its contents."),
        "profile": Entry(
            "edge_ecg.cli.bundle", "profile_command", "Show the cost of a bundle: multiply-adds, bytes, time."
        ),
        "pack": Entry("edge_ecg.cli.bundle", "pack_command", "Write a bundle as one small file for a watch."),
        "web": Entry("edge_ecg.cli.show", "web_command", "Write a page that decides in a browser."),
        "sign": Entry("edge_ecg.cli.bundle", "sign_command", "Sign a bundle with your key."),
        "verify": Entry("edge_ecg.cli.bundle", "verify_command", "Check the signature of a bundle."),
    },
    "Run": {
        "replay": Entry("edge_ecg.cli.replay", "replay_command", "Replay recordings through a bundle to a decision."),
        "simulate": Entry("edge_ecg.cli.replay", "simulate_command", "Replay recordings with simulated sensor faults."),
        "enroll": Entry("edge_ecg.cli.bundle", "enroll_command", "Update a bundle with fresh baseline recordings."),
    },
    "Help": {
        "demo": Entry("edge_ecg.cli.demo", "demo_command", "Run all steps on a synthetic person."),
        "doctor": Entry("edge_ecg.cli.doctor", "doctor_command", "Show what this machine can read, train and verify."),
        "completion": Entry("edge_ecg.cli", "completion_command", "Print the completion script of a shell."),
    },
}
EXTRAS = dict.fromkeys(("torch", "sklearn", "matplotlib", "jinja2"), "train") | dict.fromkeys(
    ("onnx", "coremltools"), "export"
)
COMMANDS = {name: entry for group in GROUPS.values() for name, entry in group.items()}


class Commands(click.Group):
    """The group of all commands, of which only the one that runs is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        try:
            with quitting_at_once():
                command: click.Command = getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            raise _not_importable(cmd_name, module.partition(".")[0], error) from None
        add_verbose(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.summary) for name, entry in group.items()])


def _not_importable(command: str, package: str, error: ModuleNotFoundError) -> Exception:
    """The error for a command whose module can't be imported, for want of an extra or for a file of the same name."""
    if "is not a package" in str(error):
        return EdgeEcgError(
            f"{command}: a file {package}.py of this folder hides the package {package} of Edge ECG; "
            f"type `edge-ecg {command}` or `python -P -m edge_ecg.cli {command}`"
        )
    if error.name in EXTRAS:
        extra = EXTRAS[error.name]
        return EdgeEcgError(f"{command} needs {error.name}: pip install -e '.[{extra}]' in the clone")
    return error


@click.group(cls=Commands, epilog=f"{EXIT_CODES}\n\n{INTENDED_USE}")
@click.version_option(package_name="edge-ecg", prog_name="edge-ecg")
def cli() -> None:
    """Personal ECG comparators: train, export, verify and run on recordings."""


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the completion script of SHELL; for bash, add `eval "$(edge-ecg completion bash)"` to ~/.bashrc."""
    complete = get_completion_class(shell)
    assert complete, shell
    click.echo(complete(cli, {}, "edge-ecg", "_EDGE_ECG_COMPLETE").source())


def main() -> None:
    """The entry point."""
    run_command(cli)

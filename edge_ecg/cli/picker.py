"""Labels by hand at the terminal: date by date, which recordings show which state."""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby

import click
import numpy as np

from edge_ecg.cli.live import trace
from edge_ecg.datasets.labelling import Item, Labels, checked_label
from edge_ecg.errors import EdgeEcgError
from edge_ecg.recording import Recording
from edge_ecg.signal.stream import heart_rate_bpm, r_peak_times_s

SHOWN_S, SHOWN_COLUMNS = (4.0, 8.0), 40
_RANGES = re.compile(r"\d+(?:\s*-\s*\d+)?(?:[\s,]+\d+(?:\s*-\s*\d+)?)*")


def glance(recording: Recording) -> str:
    """Heart rate and a few seconds of a recording in one line of braille, once the signal has settled."""
    bpm = heart_rate_bpm(r_peak_times_s(recording))
    rate_hz = recording.sample_rate_hz
    shown = recording.samples_uv[round(SHOWN_S[0] * rate_hz) : round(SHOWN_S[1] * rate_hz)]
    (line,) = trace(shown, SHOWN_COLUMNS, 1, max(1, len(shown)))
    return f"{f'{bpm:.0f} bpm' if np.isfinite(bpm) else 'no rate':>8}  {line}"


def pick(items: Sequence[Item], glances: Mapping[str, str]) -> Labels:
    """Ask for two states, then for each date which recordings show them; nothing means none of that date.

    glances: by name, what is seen of a recording at a glance.
    """
    baseline = click.prompt("Name of the baseline state", value_proc=_label, err=True)
    target = click.prompt("Name of the other state", value_proc=_label, err=True)
    labels: Labels = {}
    for date, of_date in groupby(items, key=lambda item: item.date):
        choices = list(of_date)
        click.secho(f"\n{date}", bold=True, err=True)
        for number, item in enumerate(choices, 1):
            seen = glances.get(item.name, "")
            click.echo(f"  {number:2}  {item.time or '-':8}  {item.duration_s:4.1f} s  {seen}".rstrip(), err=True)
        for label in (baseline, target):
            free = [n for n, item in enumerate(choices, 1) if item.name not in labels]
            if free:
                for number in _ask(label, free):
                    labels[choices[number - 1].name] = label
    # Baseline first, whichever was given first: the order of labels says which is which.
    return {name: label for wanted in (baseline, target) for name, label in labels.items() if label == wanted}


def _ask(label: str, free: Sequence[int]) -> list[int]:
    def numbers(text: str) -> list[int]:
        return _numbers(text, free)

    answer: list[int] = click.prompt(
        f"  {label} (such as 1-3,5; Enter for none)", default="", show_default=False, value_proc=numbers, err=True
    )
    return answer


def _label(text: str) -> str:
    try:
        return checked_label(text)
    except EdgeEcgError as error:
        raise click.UsageError(str(error)) from None


def _numbers(text: str, free: Sequence[int]) -> list[int]:
    """The numbers that `1-3,5` names, all of them free. Raises UsageError, which asks again."""
    text = text.strip()
    if not text:
        return []
    if not _RANGES.fullmatch(text) or len(text) > 1000:
        raise click.UsageError(f"{text[:40]!r} is not a list of numbers such as 1-3,5")
    chosen: list[int] = []
    for first, last in re.findall(r"(\d+)(?:\s*-\s*(\d+))?", text):
        low, high = int(first), int(last or first)
        wanted = [n for n in free if low <= n <= high]
        if len(wanted) != high - low + 1:
            raise click.UsageError(f"{low}-{high} has numbers that are not in the list, or have a label already")
        chosen += wanted
    return chosen

"""How error and abstention fall as beats come in: the sequential decision beside majority voting."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from edge_ecg.errors import EdgeEcgError
from edge_ecg.inference.votes import INCONCLUSIVE
from edge_ecg.replay import Replayed
from edge_ecg.report.drawing import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Point:
    """What was known of some recordings after a number of judged beats; shares of all these recordings."""

    beats: int
    wrong: float  # decided, and wrongly
    undecided: float
    wrong_by_majority: float  # hard votes, which must answer after every beat; a tie is the baseline


def curve(replays: Sequence[tuple[Replayed, str]], labels: tuple[str, str]) -> list[Point]:
    """One point for each number of beats, up to the longest recording's; a shorter one keeps its last word.

    replays: each with its true label. Raises EdgeEcgError if there are none, or a label is of another person.
    """
    if not replays:
        raise EdgeEcgError("no recording with a known label: name its folder as the label, or give --labels")
    for replayed, label in replays:
        if label not in labels:
            raise EdgeEcgError(f"{replayed.source}: label is {label!r}, the bundle knows {' and '.join(labels)}")
    known = [([j.decision for j in replayed.judged if j.vote], label) for replayed, label in replays]
    if not any(decisions for decisions, _ in known):
        raise EdgeEcgError("no beat of these recordings could be judged: there is no curve to draw")
    points = []
    for beats in range(1, max(len(decisions) for decisions, _ in known) + 1):
        after = [(decisions[:beats][-1] if decisions else None, label) for decisions, label in known]
        decided = [(d.label if d else INCONCLUSIVE, label) for d, label in after]
        majority = [(labels[d is not None and d.votes[labels[1]] > d.votes[labels[0]]], label) for d, label in after]
        points.append(
            Point(
                beats,
                _share(said not in (label, INCONCLUSIVE) for said, label in decided),
                _share(said == INCONCLUSIVE for said, _ in decided),
                _share(said != label for said, label in majority),
            )
        )
    return points


def label_of(source: str, labels: tuple[str, str], given: dict[str, str]) -> str | None:
    """The label given for a recording by its path or file name, else the nearest folder that is named as a label."""
    path = PurePath(source)
    for name in (source, path.as_posix(), path.name):
        if name in given:
            return given[name]
    return next((folder for folder in reversed(path.parts[:-1]) if folder in labels), None)


def curve_json(points: Sequence[Point], recordings: int) -> dict[str, Any]:
    """The curve as plain values."""
    return {"recordings": recordings, "curve": [asdict(point) for point in points]}


def curve_text(points: Sequence[Point], recordings: int) -> str:
    """The curve as a table, with a bar of what is undecided."""
    head = f"{'beats':>5}  {'wrong':>7}  {'undecided':>9}  {'wrong by majority vote':>22}"
    rows = ["", f"{head}   of {recordings} recordings"]
    for point in points:
        bar = "█" * round(20 * point.wrong) + "░" * round(20 * point.undecided)
        rows.append(
            f"{point.beats:>5}  {point.wrong:>7.1%}  {point.undecided:>9.1%}  {point.wrong_by_majority:>22.1%}   {bar}"
        )
    return "\n".join(rows)


def curve_picture(points: Sequence[Point], recordings: int) -> "Figure":
    """The curve as a matplotlib figure. Raises EdgeEcgError without matplotlib."""
    figure = new_figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    beats = [point.beats for point in points]
    for name, values, colour, line in (
        ("undecided", [point.undecided for point in points], "0.6", "-"),
        ("wrong", [point.wrong for point in points], "tab:red", "-"),
        ("wrong by majority vote", [point.wrong_by_majority for point in points], "tab:blue", ":"),
    ):
        percent = [100 * value for value in values]
        axes.step(beats, percent, where="mid", label=name, color=colour, linestyle=line)
    axes.set(xlabel="beats judged", ylabel=f"% of {recordings} recordings", xlim=(1, max(2, beats[-1])), ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _share(of: Iterable[bool]) -> float:
    values = list(of)
    return sum(values) / len(values)

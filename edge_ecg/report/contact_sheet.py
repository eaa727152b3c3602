"""A contact sheet for labeling: every recording as a small trace, to be marked in a browser and saved as a table."""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from edge_ecg.contract import CONTRACT
from edge_ecg.datasets.labeling import Item, Labels
from edge_ecg.datasets.measured import MeasuredLabels
from edge_ecg.recording import Recording
from edge_ecg.report.page import interactive_page, packed
from edge_ecg.signal.resample import Resampler
from edge_ecg.signal.stream import BeatStream, heart_rate_bpm, r_peak_times_s

SHOWN_S = (3.0, 9.0)  # once the signal has settled
SHOWN_HZ = 128  # a quarter of the contract's rate


def contact_sheet(
    items: Sequence[Item],
    recordings: Iterable[tuple[str, Recording]],
    labels: Labels,
    measured: MeasuredLabels | None = None,
) -> str:
    """The page: `recordings` come with the names of their items, in any order; `labels` are marked already.

    It holds a file's name, date, time and trace, nothing of a header, and each day's curve of what was measured.
    Raises EdgeEcgError without Jinja2.
    """
    first = [measured.rule.below.label, measured.rule.above.label] if measured else []
    states = list(dict.fromkeys([*first, *labels.values()]))
    names = unique_tails([item.name for item in items])
    facts = {name: _facts(recording) for name, recording in recordings}
    shown = [
        {
            "file": name,
            "date": item.date,
            "time": item.time,
            "duration_s": round(item.duration_s, 1),
            "state": states.index(labels[item.name]) if item.name in labels else None,
            **({"value": _rounded(measured.values.get(item.name))} if measured else {}),
            **facts[item.name],
        }
        for item, name in zip(items, names, strict=True)
    ]
    dates = sorted({item.date for item in items})
    data = {"recordings": shown, "states": states, "rate_hz": SHOWN_HZ}
    if measured:
        data["measured"] = _measured(items, measured)
    return interactive_page("sheet", "Recordings to label", data, dates=dates, states=states, measured=measured)


def _measured(items: Sequence[Item], measured: MeasuredLabels) -> dict[str, Any]:
    """The curve of each date that has a recording with a time of day, in minutes since its midnight."""
    curve, rule, days = measured.curve, measured.rule, dict[str, Any]()
    for item in items:
        at_s = curve.time_s(item.recorded_at)
        if at_s is None or item.date in days:
            continue
        hours, minutes, seconds = map(int, item.time.split(":"))
        # Earlier by the sensor's lag, so that a recording lies on the curve.
        since = (curve.times_s - at_s) / 60 - rule.lag_min + 60 * hours + minutes + seconds / 60
        of_day = (since >= 0) & (since < 24 * 60)
        days[item.date] = {
            "minutes": np.round(since[of_day], 1).tolist(),
            "values": np.round(curve.values[of_day], 2).tolist(),
        }
    thresholds = {"below": rule.below.value, "above": rule.above.value}
    return {"name": curve.quantity.name, "unit": curve.unit, **thresholds, "days": days}


def _rounded(value: float | None) -> float | None:
    return value if value is None else round(value, 2)


def _facts(recording: Recording) -> dict[str, Any]:
    beats = BeatStream(recording.sample_rate_hz).push(recording.samples_uv)
    rate = heart_rate_bpm(r_peak_times_s(recording))
    return {
        "heart_rate": round(rate) if np.isfinite(rate) else None,
        "beats": len(beats),
        "usable": sum(not beat.unusable for beat in beats),
        "reasons": sorted({reason for beat in beats for reason in beat.unusable}),
        "samples_uv": packed(small_trace(recording)),
    }


def small_trace(recording: Recording) -> np.ndarray:
    """The seconds that are shown, resampled and thinned by means."""
    start, end = (round(second * CONTRACT.sample_rate_hz) for second in SHOWN_S)
    samples_uv = Resampler(recording.sample_rate_hz).push(recording.samples_uv)[start:end]
    thinned = round(CONTRACT.sample_rate_hz / SHOWN_HZ)
    small: np.ndarray = samples_uv[: len(samples_uv) // thinned * thinned].reshape(-1, thinned).mean(1)
    return small


def unique_tails(names: Sequence[str]) -> list[str]:
    """Of each path the shortest end that no other path has, so that a table of labels can name it.

    >>> unique_tails(["data/0301/a.csv", "data/0302/a.csv", "data/0302/b.csv"])
    ['0301/a.csv', '0302/a.csv', 'b.csv']
    """
    counts: dict[str, int] = {}
    ends = [_tails(name) for name in names]
    for tails in ends:
        for tail in tails:
            counts[tail] = counts.get(tail, 0) + 1
    return [
        next((tail for tail in tails if counts[tail] == 1 and not re.match(r"\d{4}-\d\d-\d\d", tail)), name)
        for name, tails in zip(names, ends, strict=True)
    ]


def _tails(name: str) -> list[str]:
    """The ends of a path, the file's name first."""
    parts = PurePath(name).as_posix().split("/")
    return ["/".join(parts[-count:]) for count in range(1, len(parts) + 1)]

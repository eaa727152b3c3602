"""Replay a finished recording chunk by chunk, as a watch would receive it, and time every step.

Apple platforms hand over a recording when it is finished; there is no live ECG stream for apps. A replay
is how the stream is shown and measured.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge_ecg.bundles.bundle import Bundle, load_bundle
from edge_ecg.contract import CONTRACT
from edge_ecg.core import open_watch
from edge_ecg.errors import EdgeEcgError, RecordingError
from edge_ecg.inference.votes import INCONCLUSIVE, Decision
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import Recording, is_finite, require_recording, trace_svg
from edge_ecg.watch import DayBaseline, Judged

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

BETWEEN = "between the two states"  # why a whole recording is inconclusive
UNDATED = ", undated"  # what no recording of the day's baseline says, nothing can check


class Step(NamedTuple):
    """Events of one chunk, for a live view."""

    samples_uv: np.ndarray
    judged: list[Judged]
    log_odds: float
    decision: Decision
    took_s: float
    is_late: bool  # the watch was still at it when the next chunk was due


@dataclass(frozen=True)
class Replayed:
    """Results and costs of one replay."""

    source: str
    decision: Decision
    judged: list[Judged] = field(repr=False)
    busy_s: float  # spent in the watch, pauses between chunks not counted
    duration_s: float
    latency_us: np.ndarray = field(repr=False)  # of each chunk that completed a beat: samples in, votes out
    chunks: int
    late_chunks: int  # at the sensor's pace, or at `speed` times that
    log_odds: float  # of the target, at the end
    rule: str  # which rule spoke: with the day's baseline or without one
    dates: dict[str, int] | None  # how many dates of each label stand behind the rule
    recording: Recording = field(repr=False)
    _bundle: Bundle = field(repr=False)
    _day_baseline: DayBaseline | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"<Replayed {self.source[-80:]}: {self.decision}; {self.decision.beats} beats>"

    def _repr_html_(self) -> str:
        why = f" ({escape(self.why)})" if self.why and not self.decision.reasons else ""
        name = escape(self.source)
        return f"<div>{name}<br>{trace_svg(self.recording)}<br>{self.decision._repr_html_()}{why}</div>"

    def plot(self) -> "Figure":
        """The recording on ECG paper with its evidence and decision, as a matplotlib figure."""
        draw = import_module("edge_ecg.report.plot").plot  # pages are above the runtime
        figure: Figure = draw(self.recording, self._bundle, self._day_baseline)
        return figure

    @property
    def realtime_factor(self) -> float:
        """Seconds of ECG per second of computing."""
        return self.duration_s / self.busy_s

    @property
    def why(self) -> str:
        """Reason why the recording is inconclusive; empty if it is decided."""
        d = self.decision
        if d.label != INCONCLUSIVE:
            return ""
        if d.reasons:
            return ", ".join(d.reasons)
        if d.beats < CONTRACT.voting.fewest_beats:
            return (
                f"{d.beats or 'no'} usable beat{'s' * (d.beats != 1)}, at least {CONTRACT.voting.fewest_beats} needed"
            )
        if d.unusable > d.beats:
            return f"{d.unusable} of {d.unusable + d.beats} beats unusable"
        if self.dates is None:
            return "training had too few dates"
        if d.provisional:
            return f"{d.provisional.label} after {d.provisional.beats} beats, but no longer at the end"
        return BETWEEN

    @property
    def unusable(self) -> dict[str, int]:
        """Beats that did not vote, by reason; a beat can have several."""
        return dict(Counter(reason for judged in self.judged for reason in judged.unusable))

    @property
    def inverted_beats(self) -> int:
        """Number of beats with a downward R peak, which were inverted."""
        return sum(judged.beat.is_turned for judged in self.judged)

    @property
    def lead_is_inverted(self) -> bool:
        """Whether most beats point down: the watch is on the other wrist, or turned around."""
        return 2 * self.inverted_beats > len(self.judged)

    def to_dataframe(self) -> "DataFrame":
        """The beats as a pandas DataFrame, one row per beat: time, RR interval, evidence, vote, decision so far.

        Times are in seconds; `evidence` and `vote` are missing for unusable beats; `unusable` has the reasons.
        Raises EdgeEcgError without pandas.
        """
        try:
            from pandas import DataFrame
        except ImportError:
            raise EdgeEcgError("a table of beats needs pandas: pip install pandas") from None
        columns = ("r_s", "known_s", "rr_s", "is_turned", "unusable", "evidence", "vote", "decision", "confidence")
        return DataFrame([_row(judged) for judged in self.judged], columns=columns)

    def to_json(self) -> dict[str, Any]:
        """The object that `edge-ecg replay --json` prints."""
        d = self.decision
        percentiles = [percentile(self.latency_us, share) for share in (0.50, 0.95, 0.99)]
        return {
            "file": self.source,
            "decision": d.label,
            "confidence": round(d.confidence, 4),
            "beats": d.beats,
            "log_odds": round(self.log_odds, 4),
            "provisional": d.provisional and d.provisional.label,
            "provisional_after_beats": d.provisional and d.provisional.beats,
            "provisional_after_s": d.provisional and d.provisional.seconds,
            "rule": self.rule,
            "dates": self.dates,
            "reasons": list(d.reasons),
            "covered_s": round(d.covered_s, 2),
            "duration_s": round(self.duration_s, 2),
            "votes": d.votes,
            "latency_us": {
                name: None if p is None else round(p, 1)
                for name, p in zip(("p50", "p95", "p99"), percentiles, strict=True)
            },
            "realtime_factor": round(self.realtime_factor, 1),
            "unusable_beats": d.unusable,
            "unusable": self.unusable,
            "inverted_beats": self.inverted_beats,
            "lead_is_inverted": self.lead_is_inverted,
            "late_chunks": self.late_chunks,
        }


def percentile(values: np.ndarray, share: float) -> float | None:
    """The percentile by linear interpolation; None of no values. NumPy's would import numpy.ma."""
    if not len(values):
        return None
    ordered, place = np.sort(values), share * (len(values) - 1)
    low = int(place)
    return float(ordered[low] + (place - low) * (ordered[min(low + 1, len(values) - 1)] - ordered[low]))


def _row(judged: Judged) -> tuple[Any, ...]:
    beat, vote, decision = judged.beat, judged.vote, judged.decision
    labels = tuple(decision.votes)
    said = (vote.evidence, labels[vote.hard_target]) if vote else (None, None)
    rr_s = float(beat.values[-1])
    when = (beat.r_index / CONTRACT.sample_rate_hz, beat.known_at_s, rr_s, beat.is_turned)
    return (*when, ", ".join(judged.unusable), *said, decision.label, decision.confidence)


def chunks(recording: Recording, chunk_samples: int) -> Iterator[np.ndarray]:
    """The recording in pieces of `chunk_samples`, the last one shorter."""
    for start in range(0, len(recording.samples_uv), chunk_samples):
        yield recording.samples_uv[start : start + chunk_samples]


def replay(
    bundle: Bundle | str | Path,
    recording: Recording | str | Path,
    chunk_samples: int = 64,
    speed: float | None = None,
    show: Callable[[Step], None] | None = None,
    day_baseline: DayBaseline | None = None,
) -> Replayed:
    """Push a recording through a `Watch`, chunk by chunk. The decision of every step but the last is provisional.

    With `speed`, chunks arrive at a pace, 1 being real time; without it, as fast as possible. The deadline of a chunk
    is the arrival of the next one; without a pace, its computation may take as long as its own duration. `show` is
    called with every step, outside the measured time.

    :param bundle: a bundle, or its path
    :param recording: a recording, or the path of its file
    :param chunk_samples: samples per push
    :param speed: 1 is the pace of the sensor; if not given, as fast as possible
    :param show: called with each step
    :param day_baseline: baseline of the same day, `DayBaseline.of(...)`
    :raises EdgeEcgError: for an unusable file, and for an invalid chunk size or speed
    """
    if isinstance(bundle, str | Path):
        bundle = load_bundle(bundle)
    if isinstance(recording, str | Path):
        recording = read_recording(recording)
    require_recording(recording)
    if not is_finite(chunk_samples) or chunk_samples != int(chunk_samples) or chunk_samples < 1:
        raise RecordingError(f"a chunk is {chunk_samples!r} samples, expected a whole number from 1 on")
    if speed is not None and (not is_finite(speed) or speed <= 0):
        raise RecordingError(f"speed is {speed!r}, expected a number above 0")
    try:
        watch = open_watch(bundle, recording.sample_rate_hz, recording.day, day_baseline)
    except RecordingError as error:
        raise RecordingError(f"{recording.source}: {error}") from None
    is_undated = day_baseline is not None and day_baseline.day is None
    judged: list[Judged] = []
    latency_us, busy_s, pushed_samples, count, late = [], 0.0, 0, 0, 0
    pace = recording.sample_rate_hz * (speed or 1.0)
    began = time.perf_counter()
    for chunk in chunks(recording, chunk_samples):
        pushed_samples += len(chunk)
        due = began + pushed_samples / pace
        if speed:
            time.sleep(max(0.0, due - time.perf_counter()))
        start = time.perf_counter()
        beats = watch.push(chunk)
        end = time.perf_counter()
        is_late = end > (due if speed else start) + chunk_samples / pace
        count, late, busy_s = count + 1, late + is_late, busy_s + end - start
        if beats:
            latency_us.append((end - start) * 1e6)
            judged += beats
        if show:
            show(Step(chunk, beats, watch.log_odds, watch.decision, end - start, is_late))
    return Replayed(
        recording.source,
        watch.decision,
        judged,
        busy_s,
        recording.duration_s,
        np.array(latency_us),
        count,
        late,
        watch.log_odds,
        bundle.rule.describe(day_baseline.level if day_baseline else None) + (UNDATED if is_undated else ""),
        bundle.rule.dates,
        recording,
        bundle,
        day_baseline,
    )

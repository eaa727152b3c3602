"""The live view of a replay: trace with R marks, the log odds between their boundaries, votes and latency."""

import os
import sys
import time
from collections import deque
from typing import TextIO

import numpy as np

from edge_ecg.bundles.bundle import Bundle
from edge_ecg.contract import CONTRACT
from edge_ecg.inference.votes import INCONCLUSIVE, Decision
from edge_ecg.playback import Step
from edge_ecg.recording import Recording
from edge_ecg.terminal.console import shortened, terminal_width

SHOWN_S = 5.0
TRACE_ROWS = 8
MOST_COLUMNS = 100
FRAME_S = 1 / 15
# The dots of a braille character, by column and row.
DOTS = np.array([[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]])
RED, GREEN, DIM, PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[2m", "\x1b[0m"


def live_view(bundle: Bundle, recording: Recording, out: TextIO | None = None) -> "LiveView | LiveLines":
    """The view for where the output goes: drawn in a terminal, one line a beat anywhere else."""
    out = out or sys.stdout
    can_draw = out.isatty() and os.environ.get("TERM", "dumb") != "dumb" and "utf" in (out.encoding or "").lower()
    return LiveView(bundle, recording, out) if can_draw else LiveLines(bundle, recording, out)


class LiveLines:
    """One line for each beat, for a file or a plain terminal."""

    def __init__(self, bundle: Bundle, recording: Recording, out: TextIO):
        self._labels, self._out = bundle.labels, out
        self._last: Decision | None = None
        out.write(f"{recording.source}\n")

    def __call__(self, step: Step) -> None:
        for judged in step.judged:
            said = f"votes {self._labels[judged.vote.hard_target]}" if judged.vote else ", ".join(judged.unusable)
            self._out.write(
                f"{judged.beat.known_at_s:6.2f} s  {said[:24]:24}  {step.log_odds:+6.2f}  "
                f"{judged.decision.label[:14]:14}  {step.took_s * 1e6:5.0f} us\n"
            )
        self._out.flush()

        self._last = step.decision

    def finish(self) -> None:
        """Print the final decision."""
        if self._last:
            self._out.write(f"final: {_verdict(self._last)}\n")


def _verdict(decision: Decision) -> str:
    """A decision in words; confidence is that of a label, so an inconclusive recording has none."""
    if decision.label == INCONCLUSIVE:
        return ": ".join(filter(None, [INCONCLUSIVE, ", ".join(decision.reasons)]))
    return f"{decision.label}, {decision.confidence:.0%}"


class LiveView:
    """Draw each moment over the last one. NO_COLOR is respected."""

    def __init__(self, bundle: Bundle, recording: Recording, out: TextIO):
        self._lower, self._upper, self._labels = bundle.rule.lower, bundle.rule.upper, bundle.labels
        self._recording, self._out = recording, out
        self._is_colored = not os.environ.get("NO_COLOR")
        self._columns = min(MOST_COLUMNS, terminal_width() - 1)
        self._trace: deque[float] = deque(maxlen=round(SHOWN_S * recording.sample_rate_hz))
        self._marks: deque[tuple[float, bool]] = deque(maxlen=40)  # when R was, and whether it voted
        self._latency_us: deque[float] = deque(maxlen=1000)
        self._heard = self._late = 0
        self._last: Step | None = None
        self._drawn_at = -1.0
        self._is_over = False
        self._rows = 0

    def __call__(self, step: Step) -> None:
        self._trace.extend(step.samples_uv.tolist())
        self._heard += len(step.samples_uv)
        self._late += step.is_late
        self._marks.extend((j.beat.r_index / CONTRACT.sample_rate_hz, j.vote is not None) for j in step.judged)
        if step.judged:
            self._latency_us.append(step.took_s * 1e6)
        self._last = step
        if time.perf_counter() - self._drawn_at >= FRAME_S:
            self._draw()

    def finish(self) -> None:
        """Draw the last moment and leave it standing: now the decision is final."""
        self._is_over = True
        self._draw()

    def _draw(self) -> None:
        self._drawn_at = time.perf_counter()
        lines = self.frame()
        up = f"\x1b[{self._rows}A\r" if self._rows else ""
        self._out.write(up + "".join(f"{line}\x1b[K\n" for line in lines))
        self._out.flush()
        self._rows = len(lines)

    def frame(self) -> list[str]:
        """This moment as lines of text."""
        step, rate_hz = self._last, self._recording.sample_rate_hz
        if step is None:
            return []
        now_s, decision = self._heard / rate_hz, step.decision
        span_uv = np.nanmax(self._trace) - np.nanmin(self._trace) if np.isfinite(self._trace).any() else 0
        moment = f"  {now_s:4.1f} of {self._recording.duration_s:.1f} s  {span_uv:.0f} uV"
        head = f"{shortened(self._recording.source, self._columns - len(moment))}{moment}"
        latency = f"a beat {np.median(self._latency_us):.0f} us" if self._latency_us else "no beat yet"
        votes = "  ".join(f"{label} {count}" for label, count in decision.votes.items())
        verdict = _verdict(decision)
        if decision.provisional and not decision.reasons:
            state = "final" if self._is_over else "provisional"
            first = f"{decision.provisional.label} first after {decision.provisional.beats} beats"
            verdict = f"{verdict}, {state} ({first})"
        counts = f"votes  {votes}   unusable {decision.unusable}   {latency}   late {self._late}"
        return [
            head,
            *trace(np.array(self._trace), self._columns, TRACE_ROWS, round(SHOWN_S * rate_hz)),
            self._mark_row(now_s),
            self._bar(step.log_odds),
            self._painted(verdict[: self._columns], GREEN if decision.provisional else PLAIN),
            self._painted(counts[: self._columns], DIM),
        ]

    def _mark_row(self, now_s: float) -> str:
        row = [" "] * self._columns
        for at_s, voted in self._marks:
            column = int((at_s - now_s + SHOWN_S) / SHOWN_S * self._columns)
            if 0 <= column < self._columns:
                row[column] = self._painted("▲", GREEN) if voted else self._painted("×", RED)
        return "".join(row)

    def _bar(self, log_odds: float) -> str:
        """The log odds between the boundaries."""
        baseline, target = (label[: self._columns // 4] for label in self._labels)
        width = self._columns - len(baseline) - len(target) - 4
        part = (log_odds - self._lower) / (self._upper - self._lower)
        bar = ["─"] * width
        bar[width // 2] = "┼"
        bar[min(width - 1, max(0, int(part * width)))] = "●"
        return f"{baseline} ┤{''.join(bar)}├ {target}"

    def _painted(self, text: str, color: str) -> str:
        return f"{color}{text}{PLAIN}" if self._is_colored else text


def trace(samples_uv: np.ndarray, columns: int, rows: int, shown_samples: int) -> list[str]:
    """The samples as `rows` lines of braille, the newest at the right; missing ones leave a hole."""
    dots = np.zeros((rows * 4, columns * 2), bool)
    if np.isfinite(samples_uv).any():
        low, high = float(np.nanmin(samples_uv)), float(np.nanmax(samples_uv))
        height = (samples_uv - low) / max(high - low, 1.0) * (len(dots) - 1)
        ages = len(samples_uv) - 1 - np.arange(len(samples_uv))
        places = dots.shape[1] - 1 - ages * dots.shape[1] // shown_samples
        for place in np.unique(places[(places >= 0) & np.isfinite(height)]):
            here = height[(places == place) & np.isfinite(height)]
            dots[len(dots) - 1 - round(here.max()) : len(dots) - round(here.min()), place] = True
    cells = dots.reshape(rows, 4, columns, 2).transpose(0, 2, 3, 1)
    return ["".join(chr(0x2800 + int(cell)) for cell in row) for row in (cells * DOTS).sum((2, 3))]

"""Replay a finished recording as a watch would have heard it, and time every step.

Apple platforms hand over a recording when it is finished; there is no live ECG stream for apps. A replay
is how the stream is shown and measured.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge_ecg.bundle import Bundle
from edge_ecg.recording import Recording
from edge_ecg.votes import Decision
from edge_ecg.watch import Judged, Watch


@dataclass(frozen=True)
class Replayed:
    """What one replay gave and what it cost."""

    source: str
    decision: Decision
    judged: list[Judged] = field(repr=False)
    busy_s: float  # spent in the watch, pauses between chunks not counted
    duration_s: float
    latency_us: np.ndarray = field(repr=False)  # of each chunk that completed a beat: samples in, votes out

    @property
    def realtime_factor(self) -> float:
        """Seconds of ECG per second of computing."""
        return self.duration_s / self.busy_s

    def to_json(self) -> dict[str, Any]:
        """The line that `edge-ecg replay --json` prints."""
        d = self.decision
        percentiles = np.percentile(self.latency_us, (50, 95, 99)) if len(self.latency_us) else [None] * 3
        return {
            "file": self.source,
            "decision": d.label,
            "confidence": round(d.confidence, 4),
            "beats": d.beats,
            "beats_to_decision": d.beats_to_decision,
            "seconds_to_decision": d.seconds_to_decision,
            "votes": d.votes,
            "latency_us": {
                name: None if p is None else round(float(p), 1)
                for name, p in zip(("p50", "p95", "p99"), percentiles, strict=True)
            },
            "realtime_factor": round(self.realtime_factor, 1),
        }


def chunks(recording: Recording, chunk_samples: int) -> Iterator[np.ndarray]:
    """The recording in pieces of `chunk_samples`, the last one shorter."""
    for start in range(0, len(recording.samples_uv), chunk_samples):
        yield recording.samples_uv[start : start + chunk_samples]


def replay(bundle: Bundle, recording: Recording, chunk_samples: int = 64, speed: float | None = None) -> Replayed:
    """Push a recording through a `Watch`, chunk by chunk.

    With `speed` the chunks arrive paced, 1 being as fast as the sensor; without it, as fast as they are judged.
    """
    watch = Watch(bundle, recording.sample_rate_hz)
    judged: list[Judged] = []
    latency_us, busy_s, pushed_samples = [], 0.0, 0
    began = time.perf_counter()
    for chunk in chunks(recording, chunk_samples):
        pushed_samples += len(chunk)
        if speed:
            due = began + pushed_samples / recording.sample_rate_hz / speed
            time.sleep(max(0.0, due - time.perf_counter()))
        start = time.perf_counter()
        beats = watch.push(chunk)
        took_s = time.perf_counter() - start
        busy_s += took_s
        if beats:
            latency_us.append(took_s * 1e6)
            judged += beats
    return Replayed(recording.source, watch.decision, judged, busy_s, recording.duration_s, np.array(latency_us))

"""`edge-ecg detect`: the R peaks of recordings."""

import json
from typing import Any

import click
import numpy as np

from edge_ecg.cli.options import AS_JSON, RECORDINGS, for_each, told_of_recordings
from edge_ecg.layout import columns, tail
from edge_ecg.recording import Recording, Told
from edge_ecg.signal.stream import heart_rate_bpm, r_peak_times_s


@click.command("detect")
@RECORDINGS
@told_of_recordings
@AS_JSON
def detect_command(recordings: tuple[str, ...], told: Told, as_json: bool) -> int:
    """Find the R peaks of recordings."""

    def found(recording: Recording) -> dict[str, Any]:
        return {
            "file": recording.source,
            "sample_rate_hz": recording.sample_rate_hz,
            "duration_s": recording.duration_s,
            "r_peaks_s": [round(float(t), 6) for t in r_peak_times_s(recording)],
        }

    def row(facts: dict[str, Any]) -> str:
        times = np.array(facts["r_peaks_s"])
        rate = heart_rate_bpm(times)
        measured = f"  {facts['duration_s']:.1f} s  {len(times)} R peaks  {rate:.0f} a minute"
        return tail(facts["file"], columns() - len(measured)) + measured

    return for_each(recordings, told, found, json.dumps if as_json else row)

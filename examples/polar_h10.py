"""A data set of 15 persons from a clone of github.com/francescopiva98/deep-ecg-identification, which has no license.

    python examples/polar_h10.py CLONE --out FOLDER

Writes FOLDER/PERSON/STATE/*.csv, 30 s each: all of the rest recording, and the last 60 s after jumping jacks.
"""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.readers.apple_format import anonymous_csv
from edge_ecg.recording import Recording
from edge_ecg.terminal.console import run_command

RATE_HZ = 130
PIECE = 30 * RATE_HZ  # samples
RECOVERY_PIECES = 2
REST_FOLDERS, TASK_FOLDERS = ("Riposo", "rest"), ("Task",)
HEADER_BYTES = 10  # of a frame: 0 for ECG, eight of the strap's own clock, 0 for samples of three bytes


def read_frames(path: Path) -> tuple[np.ndarray, datetime, datetime]:
    """Samples in microvolts, and when the first and the last frame arrived. Raises RecordingError.

    A row has the phone's time in milliseconds and a frame of the strap in hexadecimal digits: little-endian signed
    integers of three bytes, in microvolts (Polar BLE SDK, electrocardiogram frame type 0).
    """
    times_ms: list[int] = []
    parts: list[np.ndarray] = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if not row.get("ECGString"):
                continue
            try:
                frame, time_ms = bytes.fromhex(row["ECGString"]), int(row["ECGTimestamps"])
            except (KeyError, ValueError):
                raise RecordingError(f"{path}: expected columns ECGTimestamps and ECGString of a Polar H10") from None
            if len(frame) <= HEADER_BYTES or frame[0] or frame[9] or (len(frame) - HEADER_BYTES) % 3:
                raise RecordingError(f"{path}: row {len(parts) + 1} is no ECG frame of three bytes a sample")
            low, middle, high = np.frombuffer(frame[HEADER_BYTES:], np.uint8).reshape(-1, 3).T.astype(np.int32)
            parts.append(low + (middle << 8) + (high << 16) - ((high & 0x80) << 17))
            times_ms.append(time_ms)
    if not parts:
        raise RecordingError(f"{path}: has no ECG frame")
    first, last = (datetime.fromtimestamp(time_ms / 1000, UTC) for time_ms in (times_ms[0], times_ms[-1]))
    return np.concatenate(parts).astype(np.float64), first, last


def write_pieces(samples_uv: np.ndarray, began: datetime, folder: Path, name: str) -> int:
    """Write pieces of 30 s, each with its own time; what is left over is not written."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces = len(samples_uv) // PIECE
    for number in range(pieces):
        piece = Recording(samples_uv[number * PIECE : (number + 1) * PIECE], float(RATE_HZ), name)
        at = began + timedelta(seconds=30 * number)
        content = anonymous_csv(piece, f"{at:%Y-%m-%d %H:%M:%S} +0000")
        (folder / f"{name}_{number + 1}.csv").write_bytes(content)
    return pieces


@click.command()
@click.argument("clone", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the recordings.")
def polar_h10(clone: Path, out: Path) -> None:
    """Cut the recordings of a clone into pieces of 30 s, by person and state."""
    files = {
        state: {path.stem.removeprefix("ID_"): path for name in names for path in clone.glob(f"data/{name}/ID_*.csv")}
        for state, names in (("rest", REST_FOLDERS), ("recovery", TASK_FOLDERS))
    }
    persons = sorted(files["rest"].keys() & files["recovery"].keys())
    if not persons:
        raise RecordingError(f"{clone}: has no person with data/{{{','.join(REST_FOLDERS)}}} and data/Task")
    written = 0
    for person in persons:
        samples_uv, began, _ = read_frames(files["rest"][person])
        written += write_pieces(samples_uv, began, out / f"P{person}/rest", f"rest_{person}")
        samples_uv, _, ended = read_frames(files["recovery"][person])
        last = samples_uv[-RECOVERY_PIECES * PIECE :]
        began = ended - timedelta(seconds=len(last) / RATE_HZ)
        written += write_pieces(last, began, out / f"P{person}/recovery", f"recovery_{person}")
    click.echo(f"{out}: {written} recordings of {len(persons)} persons; next: examples/polar_h10.toml")


if __name__ == "__main__":
    run_command(polar_h10)

"""How the R-peak detector compares with its peers: `python -m benches.detectors --data ROOT`.

Ours runs causally on the stream resampled to 512 Hz; the peers see each whole record at its own rate, as
their users would run them. Every beat annotation counts, without EC57's learning period.
"""

import argparse
import importlib.util
import os
import time
import warnings
from collections.abc import Callable
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
from scipy.signal import butter, sosfiltfilt

from benches.matching import Score, match
from edge_ecg.contract import CONTRACT
from edge_ecg.signal.resample import Resampler
from edge_ecg.signal.rpeaks import r_peaks

MITBIH_RECORDS = ("100", "105", "106", "116", "119", "200")
BEAT_SYMBOLS = frozenset("NLRBAaJSVrFejnE/fQ?")
NOISE_SNRS_DB = (24, 12, 6, 0)

Detector = Callable[[np.ndarray, float], np.ndarray]  # microvolts and their rate to R peaks in seconds


def ours(samples_uv: np.ndarray, rate_hz: float) -> np.ndarray:
    """Edge ECG, resampling included."""
    resampler = Resampler(rate_hz)
    samples_uv = np.concatenate((resampler.push(samples_uv), resampler.finish()))
    return r_peaks(samples_uv) / CONTRACT.sample_rate_hz


def sleepecg(samples_uv: np.ndarray, rate_hz: float) -> np.ndarray:
    """sleepecg.detect_heartbeats, offline."""
    from sleepecg import detect_heartbeats

    return np.asarray(detect_heartbeats(samples_uv, rate_hz)) / rate_hz


def neurokit(samples_uv: np.ndarray, rate_hz: float) -> np.ndarray:
    """NeuroKit's own method, offline."""
    import neurokit2

    cleaned = neurokit2.ecg_clean(samples_uv, sampling_rate=rate_hz)
    _, found = neurokit2.ecg_peaks(cleaned, sampling_rate=rate_hz, method="neurokit")
    return np.asarray(found["ECG_R_Peaks"]) / rate_hz


def xqrs(samples_uv: np.ndarray, rate_hz: float) -> np.ndarray:
    """XQRS of wfdb, offline."""
    from wfdb.processing import xqrs_detect

    return np.asarray(xqrs_detect(samples_uv / 1000, fs=rate_hz, verbose=False)) / rate_hz


PEERS: dict[str, tuple[str, Detector]] = {
    "sleepecg": ("sleepecg", sleepecg),
    "NeuroKit2": ("neurokit2", neurokit),
    "wfdb XQRS": ("wfdb", xqrs),
}


def installed_detectors() -> dict[str, Detector]:
    """Ours, and the peers that can be imported here."""
    peers = {name: run for name, (package, run) in PEERS.items() if importlib.util.find_spec(package)}
    return {"Edge ECG": ours, **peers}


def read_mitbih(folder: Path, record: str) -> tuple[np.ndarray, float, np.ndarray]:
    """The first lead in microvolts, its rate, and the annotated beats in seconds."""
    import wfdb

    signal = wfdb.rdrecord(str(folder / record))
    notes = wfdb.rdann(str(folder / record), "atr")
    beats = [at for at, symbol in zip(notes.sample, notes.symbol, strict=True) if symbol in BEAT_SYMBOLS]
    return signal.p_signal[:, 0] * 1000, float(signal.fs), np.array(beats) / signal.fs


def read_watch(folder: Path) -> dict[str, np.ndarray]:
    """All watch recordings in microvolts at 512 Hz, by name."""
    return {f"{p.parts[-3]}/{p.stem}": np.loadtxt(p) for p in sorted(folder.glob("*/*/*.csv"))}


def consensus(votes: list[np.ndarray], tolerance_s: float = 0.05) -> np.ndarray:
    """The times on which more than half of the detectors agree: the median of each such cluster."""
    times = np.sort(np.concatenate(votes))
    clusters = np.split(times, np.flatnonzero(np.diff(times) > tolerance_s) + 1)
    return np.array([np.median(c) for c in clusters if len(c) > len(votes) / 2])


def add_noise(samples_uv: np.ndarray, rate_hz: float, snr_db: float, band_hz: tuple[float, float]) -> np.ndarray:
    """White noise of a band, `snr_db` below the ECG's own power from 0.5 to 40 Hz."""
    noise = np.random.default_rng(0).normal(size=len(samples_uv))
    noise = sosfiltfilt(butter(2, band_hz, "bandpass", fs=rate_hz, output="sos"), noise)
    ecg = sosfiltfilt(butter(2, (0.5, 40), "bandpass", fs=rate_hz, output="sos"), samples_uv)
    return samples_uv + noise * (ecg.std() / noise.std() * 10 ** (-snr_db / 20))


def line(name: str, score: Score, seconds_per_hour: float | None = None) -> str:
    """One row of the tables."""
    errors_ms = np.abs(score.errors_s) * 1000
    median, p95 = np.percentile(errors_ms, (50, 95)) if len(errors_ms) else (np.nan, np.nan)
    cost = "" if seconds_per_hour is None else f"{seconds_per_hour:9.2f}"
    return (
        f"{name:<26}{score.sensitivity:9.4f}{score.positive_predictivity:9.4f}{score.f1:9.4f}"
        f"{score.false_negatives:6d}{score.false_positives:6d}{median:8.1f}{p95:8.1f}{cost}"
    )


HEADER = f"{'':<26}{'Se':>9}{'+P':>9}{'F1':>9}{'FN':>6}{'FP':>6}{'med ms':>8}{'p95 ms':>8}{'s/hour':>9}"


def print_mitbih(folder: Path, detectors: dict[str, Detector]) -> None:
    """Per record and pooled, 150 ms window."""
    records = {name: read_mitbih(folder, name) for name in MITBIH_RECORDS}
    hours = sum(len(samples) / rate for samples, rate, _ in records.values()) / 3600
    print(f"MIT-BIH, window 150 ms\n{HEADER}")
    for name, detect in detectors.items():
        spent, scores = 0.0, []
        for record, (samples_uv, rate_hz, beats_s) in records.items():
            started = time.perf_counter()
            found = detect(samples_uv, rate_hz)
            spent += time.perf_counter() - started
            scores.append(match(beats_s, found))
            print(line(f"  {name} {record}", scores[-1]))
        print(line(f"{name} pooled", reduce(add, scores), spent / hours))
    print(f"\nMIT-BIH pooled F1 with added noise at an SNR of {', '.join(f'{db} dB' for db in NOISE_SNRS_DB)}")
    for kind, band_hz in {"muscle, 15 to 120 Hz": (15, 120), "motion, 1 to 10 Hz": (1, 10)}.items():
        print(kind)
        for name, detect in detectors.items():
            f1s = []
            for db in NOISE_SNRS_DB:
                noisy = [(add_noise(x, hz, db, band_hz), hz, beats) for x, hz, beats in records.values()]
                f1s.append(reduce(add, (match(beats, detect(x, hz)) for x, hz, beats in noisy)).f1)
            print(f"  {name:<24}" + "".join(f"{f1:9.4f}" for f1 in f1s), flush=True)


def print_watch(folder: Path, detectors: dict[str, Detector]) -> None:
    """All detectors against the consensus of the offline ones, and ours against NeuroKit, 20 ms window."""
    rate_hz = float(CONTRACT.sample_rate_hz)
    found = {name: [] for name in detectors}
    spent = dict.fromkeys(detectors, 0.0)
    recordings = read_watch(folder)
    for samples_uv in recordings.values():
        for name, detect in detectors.items():
            started = time.perf_counter()
            found[name].append(detect(samples_uv, rate_hz))
            spent[name] += time.perf_counter() - started
    peers = [found[name] for name in detectors if name != "Edge ECG"]
    hours = sum(map(len, recordings.values())) / rate_hz / 3600
    print(f"\n{len(recordings)} watch recordings against what most offline detectors say, 20 ms\n{HEADER}")
    truth = [consensus(list(votes)) for votes in zip(*peers, strict=True)] if peers else []
    for name in detectors:
        scores = [match(t, f, 0.02) for t, f in zip(truth, found[name], strict=True)]
        if scores:
            print(line(name, reduce(add, scores), spent[name] / hours))
    if "NeuroKit2" not in detectors:
        return
    variants = {
        "as recorded": found["Edge ECG"],
        "inverted": [ours(-x, rate_hz) for x in recordings.values()],
        "clocked at 511.4 Hz": [ours(x, 511.4) * 511.4 / rate_hz for x in recordings.values()],
    }
    print(f"\nours against NeuroKit2, 20 ms, the first and the last 0.5 s left out\n{HEADER}")
    for name, ours_found in variants.items():
        scores = []
        for samples_uv, t, f in zip(recordings.values(), found["NeuroKit2"], ours_found, strict=True):
            end = len(samples_uv) / rate_hz - 0.5
            scores.append(match(t[(t > 0.5) & (t < end)], f[(f > 0.5) & (f < end)], 0.02))
        print(line(f"{name}, worst F1 {min(s.f1 for s in scores):.3f}", reduce(add, scores)))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("EDGE_ECG_DATA"), help="has mitbih/, watch/")
    root = parser.parse_args().data
    if root is None:
        parser.error("name the data: --data ROOT, or EDGE_ECG_DATA")
    warnings.simplefilter("ignore")  # what peers say of NumPy and pandas is not ours to print
    detectors = installed_detectors()
    for name in PEERS.keys() - detectors.keys():
        print(f"{name}: not installed")
    print_mitbih(Path(root) / "mitbih", detectors)
    print_watch(Path(root) / "watch", detectors)


if __name__ == "__main__":
    main()

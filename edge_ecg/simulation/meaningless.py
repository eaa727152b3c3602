"""Recordings that mean nothing, made from real ones: a runtime must not decide them. Samples (n,) at 512 Hz."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from edge_ecg.signal.rpeaks import r_peaks

RATE_HZ = 512
BEFORE_R, T_END, P_BEGIN = 150, 230, 110  # samples: where a beat may be cut; from R to T's end, and from P to R
SETTLED = 3 * RATE_HZ


def spliced(samples_uv: np.ndarray, other_uv: np.ndarray, share: float) -> np.ndarray:
    """The last `share` from another recording, joined before a P wave and without a step."""
    peaks, others = r_peaks(samples_uv), r_peaks(other_uv)
    cut = int(peaks[peaks <= len(samples_uv) * (1 - share)][-1]) - BEFORE_R
    begin = int(others[others > SETTLED][0]) - BEFORE_R
    tail = other_uv[begin : begin + len(samples_uv) - cut]
    return np.concatenate([samples_uv[:cut], tail - tail[0] + samples_uv[cut - 1]])


def looped(samples_uv: np.ndarray, beats: int = 1) -> np.ndarray:
    """The first beats after settling, over and over."""
    peaks = r_peaks(samples_uv)
    first = int(np.searchsorted(peaks, SETTLED)) + 1
    piece = samples_uv[peaks[first] - BEFORE_R : peaks[first + beats] - BEFORE_R]
    piece = piece - np.linspace(0, piece[-1] - piece[0], len(piece))
    return np.resize(piece, len(samples_uv))


def jittered(samples_uv: np.ndarray, part: float, seed: int = 0) -> np.ndarray:
    """Each RR interval longer or shorter by a normal part of itself, between T and the next P: waves stay."""
    normal, peaks = np.random.default_rng(seed).normal, r_peaks(samples_uv)
    pieces = [samples_uv[: peaks[0] + T_END]]
    for r, next_r in pairwise(peaks):
        low = r + T_END
        high = max(next_r - P_BEGIN, low + 2)
        length = max(2, high - low + round(part * float(np.clip(normal(), -2.5, 2.5)) * (next_r - r)))
        pieces.append(np.interp(np.linspace(low, high - 1, length), np.arange(low, high), samples_uv[low:high]))
        pieces.append(samples_uv[high : next_r + T_END])
    return np.resize(np.concatenate(pieces), len(samples_uv))


def flat_but_for(samples_uv: np.ndarray, begin_s: float, end_s: float) -> np.ndarray:
    """The median everywhere but from second to second."""
    flat, kept = np.full(len(samples_uv), np.median(samples_uv)), slice(int(begin_s * RATE_HZ), int(end_s * RATE_HZ))
    flat[kept] = samples_uv[kept]
    return flat


# By name: what is made of a recording, one of the other state, and one of another person.
MEANINGLESS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "another person from the middle on": lambda own, other, stranger: spliced(own, stranger, 0.5),
    "another person in the last 35 %": lambda own, other, stranger: spliced(own, stranger, 0.35),
    "the other state in the last 20 %": lambda own, other, stranger: spliced(own, other, 0.2),
    "one beat repeated": lambda own, other, stranger: looped(own),
    "five beats repeated": lambda own, other, stranger: looped(own, 5),
    "RR intervals jittered by 10 %": lambda own, other, stranger: jittered(own, 0.1),
    "flat but for seconds 4 to 8": lambda own, other, stranger: flat_but_for(own, 4.0, 8.0),
}

"""The compiled core as an engine: with EDGE_ECG_CORE=libedge_ecg.so a replay runs in it instead of in Python.

ios_bridge/C/build.sh builds the library and ios_bridge/C/edge_ecg.h documents it. It gives the same beats, votes and
decisions, several times faster. Nothing needs it.
"""

import ctypes as c
import os
import weakref
from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from edge_ecg.bundles.bundle import Bundle
from edge_ecg.bundles.pack import packed_as_loaded
from edge_ecg.errors import BundleError, EdgeEcgError, RecordingError
from edge_ecg.inference.guards import Fingerprint
from edge_ecg.inference.novelty import OUT_OF_DATE, OUT_OF_DISTRIBUTION
from edge_ecg.inference.votes import INCONCLUSIVE, NOT_A_NUMBER, Decision, Provisional, Vote
from edge_ecg.recording import one_lead
from edge_ecg.signal.beats import Beat
from edge_ecg.watch import DayBaseline, Judged, Watch, require_watchable

ENGINE = "EDGE_ECG_CORE"  # the environment variable with the path of the library
VERSION = 1  # of the header's interface
_ROOM = 512  # bytes of a sentence
OF_WATCH = (OUT_OF_DATE, OUT_OF_DISTRIBUTION, NOT_A_NUMBER)  # why a usable beat did not vote


def _structure(**names: str) -> np.dtype[np.void]:
    """A C structure as a NumPy type: the names of its fields by their kind, in order."""
    return np.dtype([(name, kind[:2]) for kind, words in names.items() for name in words.split()], align=True)


# The structures of the header. A letter after a kind tells one run of it from the next.
_BEAT = _structure(
    i8="r_index",
    f8="known_at_s rr_s evidence log_odds confidence",
    i4="decision",
    u4="reasons",
    i4b="same_as_baseline same_as_target hard_target is_turned",
)
_DECISION = _structure(
    f8="confidence log_odds level provisional_s covered_s",
    i4="decision provisional provisional_beats votes_for_baseline votes_for_target unusable is_enough",
    u4="reasons",
)
_DAY_LEVEL = _structure(f8="level", i4="recordings beats day")
_FINGERPRINT = _structure(f8="evidence covered_s", i4="beats")


class Core:
    """The library's functions for a watch. Raises EdgeEcgError for another library."""

    def __init__(self, path: Path):
        try:
            self._library = c.CDLL(str(path.resolve()))
            self.version = self._function("ecg_version", c.c_int32)
        except (OSError, AttributeError) as error:
            raise EdgeEcgError(f"{ENGINE}: {path} is no library of Edge ECG's core: {error}") from None
        if self.version() != VERSION:
            raise EdgeEcgError(f"{ENGINE}: {path} has version {self.version()} of the interface, expected {VERSION}")
        handle, text, size = c.c_void_p, c.c_char_p, c.c_size_t
        self.open_bundle = self._function("ecg_bundle_open", handle, text, size, text, size)
        self.close_bundle = self._function("ecg_bundle_close", None, handle)
        self.new_watch = self._function("ecg_watch_new", handle, handle, c.c_double, c.c_int32, handle, text, size)
        self.close_watch = self._function("ecg_watch_close", None, handle)
        self.reset_watch = self._function("ecg_watch_reset", None, handle)
        self.push = self._function("ecg_watch_push", c.c_int32, handle, c.c_void_p, size, c.c_void_p, size)
        self.take = self._function("ecg_watch_take", c.c_int32, handle, *[c.c_void_p] * 3, size)
        self.decide = self._function("ecg_watch_decision", None, handle, c.c_void_p)
        self.known_baseline = self._function("ecg_day_baseline_known", handle, c.c_void_p, c.c_void_p, text, size)
        self.close_baseline = self._function("ecg_day_baseline_close", None, handle)
        self.fingerprint = self._function("ecg_watch_fingerprint", None, handle, c.c_void_p)
        self.beat_reasons = self._names("ecg_beat_reason")
        self.recording_reasons = self._names("ecg_recording_reason")
        self._bundles: dict[int, int] = {}

    def bundle(self, bundle: Bundle) -> int:
        """The handle of a bundle, opened once and closed with it. Raises EdgeEcgError if the core refuses it."""
        if id(bundle) not in self._bundles:
            content, error = packed_as_loaded(bundle), c.create_string_buffer(_ROOM)
            handle = self.open_bundle(content, len(content), error, _ROOM)
            if not handle:
                raise BundleError(f"{bundle.path}: {error.value.decode(errors='replace')}")
            self._bundles[id(bundle)] = handle
            weakref.finalize(bundle, self._forget, id(bundle))
        return self._bundles[id(bundle)]

    def _forget(self, key: int) -> None:
        self.close_bundle(self._bundles.pop(key))

    def _function(self, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
        function = getattr(self._library, name)
        function.restype, function.argtypes = result, arguments
        return function

    def _names(self, name: str) -> tuple[str, ...]:
        write, room = self._function(name, c.c_size_t, c.c_int32, c.c_char_p, c.c_size_t), c.create_string_buffer(_ROOM)
        return tuple(room.value.decode() for bit in range(32) if write(bit, room, _ROOM))


@cache
def _core(path: str) -> Core:
    return Core(Path(path))


def open_watch(
    bundle: Bundle, sample_rate_hz: float, day: date | None = None, day_baseline: DayBaseline | None = None
) -> Watch:
    """A watch in Python or, where EDGE_ECG_CORE names the library, in the compiled core."""
    path = os.environ.get(ENGINE)
    if not path:
        return Watch(bundle, sample_rate_hz, day, day_baseline)
    return CoreWatch(_core(path), bundle, sample_rate_hz, day, day_baseline)


def _number(day: date | None) -> int:
    return day.year * 10000 + day.month * 100 + day.day if day else 0


class _Known(NamedTuple):
    """A recording up to one of its beats, as the core's `ecg_decision` has it."""

    now: tuple[Any, ...]
    labels: tuple[str, ...]
    reasons: tuple[str, ...]  # names of the bits

    def decision_after(self, _: float = 0.0) -> Decision:
        """The decision after this beat: the core has counted the seconds."""
        (confidence, _, _, seconds, covered_s, label, first, beats, *counts, _, reasons), labels = self.now, self.labels
        for_baseline, for_target, unusable = counts
        return Decision(
            labels[label],
            confidence,
            for_baseline + for_target,
            Provisional(labels[first], beats, seconds) if first >= 0 else None,
            {labels[0]: for_baseline, labels[1]: for_target},
            unusable,
            _set(reasons, self.reasons) if reasons else (),
            covered_s,
        )


class CoreWatch(Watch):
    """A watch of the compiled core: it finds, cuts and compares the beats, and decides."""

    def __init__(
        self, core: Core, bundle: Bundle, sample_rate_hz: float, day: date | None, day_baseline: DayBaseline | None
    ):
        require_watchable(bundle, sample_rate_hz, day, day_baseline)
        self._core, self._bundle, self._sample_rate_hz, self._pushed_samples = core, bundle, sample_rate_hz, 0
        self._length = bundle.contract.beat_length
        self._labels = (*bundle.labels, INCONCLUSIVE)
        self._error, self._now = c.create_string_buffer(_ROOM), np.zeros(1, _DECISION)
        self._push, self._error_at = core.push, c.addressof(self._error)
        self._make_room(8)
        baseline = self._baseline(day_baseline) if day_baseline else None
        opened = core.bundle(bundle)
        self._handle = core.new_watch(opened, sample_rate_hz, _number(day), baseline, self._error, _ROOM)
        core.close_baseline(baseline)
        if not self._handle:
            raise RecordingError(self._error.value.decode(errors="replace"))
        weakref.finalize(self, core.close_watch, self._handle)

    def _baseline(self, known: DayBaseline) -> int:
        level = np.array(
            [(known.level.level, known.level.recordings, known.level.beats, _number(known.day))], _DAY_LEVEL
        )
        prints = np.array([(each.evidence, each.covered_s, each.beats) for each in known.fingerprints], _FINGERPRINT)
        found: int = self._core.known_baseline(level.ctypes.data, prints.ctypes.data, self._error, _ROOM)
        return found

    def _make_room(self, beats: int) -> None:
        self._beats_room = beats
        self._found, self._decided_at = np.zeros(beats, _BEAT), np.zeros(beats, _DECISION)
        self._values = np.zeros((beats, self._length), np.float32)
        self._addresses = [array.ctypes.data for array in (self._found, self._decided_at, self._values)]

    def reset(self) -> None:
        """Start a new recording of the same day."""
        self._core.reset_watch(self._handle)
        self._pushed_samples = 0

    def push(self, samples_uv: np.ndarray) -> list[Judged]:
        """Take the next raw samples in microvolts; return the beats completed since. Errors as in `Watch.push`."""
        samples = samples_uv
        if not (type(samples) is np.ndarray and samples.dtype == np.float64 and samples.ndim == 1):
            samples = one_lead(samples)
        samples = np.ascontiguousarray(samples, np.float64)
        address = samples.__array_interface__["data"][0]  # at a fifth of what samples.ctypes costs
        found = self._push(self._handle, address, len(samples), self._error_at, _ROOM)
        if found < 0:
            raise RecordingError(self._error.value.decode(errors="replace"))
        self._pushed_samples += len(samples)
        return self._take(found) if found else []

    def judge(self, beats: Sequence[Beat]) -> list[Judged]:
        """Not in the core, which cuts its beats itself: raises RecordingError."""
        raise RecordingError(f"{len(beats)} beats were cut elsewhere; the core of {ENGINE} takes samples")

    def _take(self, found: int) -> list[Judged]:
        if found > self._beats_room:
            self._make_room(2 * found)
        self._core.take(self._handle, *self._addresses, found)
        values, names = self._values[:found].copy(), self._core.beat_reasons
        judged = []
        rows = zip(self._found[:found].tolist(), self._decided_at[:found].tolist(), values, strict=True)
        for (r_index, known_at_s, _, evidence, _, _, _, reasons, baseline, target, hard, turned), now, cut in rows:
            unusable = _set(reasons, names) if reasons else ()
            # Only what the signal says is of the beat; the rest the watch knows.
            of_beat = tuple(reason for reason in unusable if reason not in OF_WATCH) if unusable else ()
            vote = None if unusable else Vote(baseline, target, bool(hard), evidence)
            beat = Beat(r_index, known_at_s, cut, bool(turned), of_beat)
            judged.append(Judged(beat, vote, unusable, _Known(now, self._labels, self._core.recording_reasons)))
        return judged

    @property
    def _known(self) -> np.void:
        self._core.decide(self._handle, self._now.ctypes.data)
        known: np.void = self._now[0]
        return known

    @property
    def decision(self) -> Decision:
        """The decision on the recording so far; final when all its samples were pushed."""
        known: Any = self._known.item()
        return _Known(known, self._labels, self._core.recording_reasons).decision_after()

    @property
    def fingerprint(self) -> Fingerprint:
        """Of the beats that voted: the same only for the same recording."""
        found = np.zeros(1, _FINGERPRINT)
        self._core.fingerprint(self._handle, found.ctypes.data)
        evidence, covered_s, beats = found[0].item()
        return Fingerprint(beats, evidence, covered_s)

    @property
    def log_odds(self) -> float:
        """Log odds of the beats so far; above 0 speaks for the target."""
        return float(self._known["log_odds"])

    @property
    def level(self) -> float:
        """Mean evidence of the beats so far."""
        return float(self._known["level"])

    @property
    def can_decide(self) -> bool:
        """Whether enough beats have voted so far."""
        return bool(self._known["is_enough"])


@cache
def _set(bits: int, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the bits that are set."""
    return tuple(name for bit, name in enumerate(names) if bits >> bit & 1)

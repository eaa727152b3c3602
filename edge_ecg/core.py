"""The compiled core as an engine: with EDGE_ECG_CORE=libedge_ecg.so a replay runs in it instead of in Python.

ios_bridge/C/build.sh builds the library and ios_bridge/C/edge_ecg.h documents it. It gives the same beats, votes and
decisions, several times faster. Nothing needs it.
"""

import ctypes as c
import os
import weakref
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from edge_ecg.bundles.bundle import Bundle
from edge_ecg.bundles.pack import packed_as_loaded
from edge_ecg.errors import BundleError, EdgeEcgError, RecordingError
from edge_ecg.inference.votes import Vote
from edge_ecg.recording import one_lead
from edge_ecg.signal.beats import Beat
from edge_ecg.watch import DayBaseline, Judged, Watch

ENGINE = "EDGE_ECG_CORE"  # the environment variable with the path of the library
VERSION = 1  # of the header's interface
_ROOM = 512  # bytes of a sentence


class _Beat(c.Structure):
    """`ecg_beat` of the header."""

    _fields_ = (
        ("r_index", c.c_int64),
        *((name, c.c_double) for name in ("known_at_s", "rr_s", "evidence", "log_odds", "confidence")),
        *(("decision", c.c_int32), ("reasons", c.c_uint32)),
        *((name, c.c_int32) for name in ("same_as_baseline", "same_as_target", "hard_target", "is_turned")),
    )


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
        self.push = self._function("ecg_watch_push", c.c_int32, handle, c.c_void_p, size, text, size)
        self.next = self._function("ecg_watch_next", c.c_int32, handle, c.POINTER(_Beat), c.c_void_p)
        self.beat_reasons = self._names("ecg_beat_reason")
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


class CoreWatch(Watch):
    """A watch whose beats are found, cut and compared by the compiled core; their votes are counted here."""

    def __init__(
        self, core: Core, bundle: Bundle, sample_rate_hz: float, day: date | None, day_baseline: DayBaseline | None
    ):
        super().__init__(bundle, sample_rate_hz, day, day_baseline)  # which checks all of them
        self._core, self._error, self._beat = core, c.create_string_buffer(_ROOM), _Beat()
        self._values = np.zeros(bundle.contract.beat_length, np.float32)
        self._values_at = self._values.ctypes.data
        number = day.year * 10000 + day.month * 100 + day.day if day else 0
        self._handle = core.new_watch(core.bundle(bundle), sample_rate_hz, number, None, self._error, _ROOM)
        if not self._handle:
            raise RecordingError(self._error.value.decode(errors="replace"))
        weakref.finalize(self, core.close_watch, self._handle)

    def reset(self) -> None:
        """Start a new recording of the same day."""
        super().reset()
        self._core.reset_watch(self._handle)

    def push(self, samples_uv: np.ndarray) -> list[Judged]:
        """Take the next raw samples in microvolts; return the beats completed since. Errors as in `Watch.push`."""
        samples = np.ascontiguousarray(one_lead(samples_uv), np.float64)
        address = samples.__array_interface__["data"][0]  # at a fifth of what samples.ctypes costs
        found = self._core.push(self._handle, address, len(samples), self._error, _ROOM)
        if found < 0:
            raise RecordingError(self._error.value.decode(errors="replace"))
        self._pushed_samples += len(samples)
        return [self._next() for _ in range(found)]

    def _next(self) -> Judged:
        beat = self._beat
        self._core.next(self._handle, c.byref(beat), self._values_at)
        unusable = tuple(name for bit, name in enumerate(self._core.beat_reasons) if beat.reasons >> bit & 1)
        cut = Beat(beat.r_index, beat.known_at_s, self._values.copy(), bool(beat.is_turned), unusable)
        if unusable:
            return self._skipped(cut, *unusable)
        vote = Vote(beat.same_as_baseline, beat.same_as_target, bool(beat.hard_target), beat.evidence)
        return self._voted(cut, vote)

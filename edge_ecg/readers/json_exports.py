"""Recordings as apps export them in JSON: Fitbit, Withings, Health Auto Export."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.readers.format import Content, Format
from edge_ecg.readers.header import recorded_at_in
from edge_ecg.readers.times import rate_of
from edge_ecg.recording import Signal, Told, is_same_rate

_KEYS = re.compile(rb'"(?:ecgReadings|waveformSamples|voltageMeasurements|signal|ecg)"')


def _fitbit(reading: dict[str, Any]) -> Signal:
    """Fitbit's Web API, "Get ECG Log List": a sample divided by the scaling factor is in millivolts."""
    scale = float(reading["scalingFactor"])
    if scale <= 0:
        raise RecordingError("is an ECG of Fitbit whose scalingFactor is no scale")
    samples = np.array(reading["waveformSamples"], np.float64) / scale
    return Signal(samples, "mV", float(reading["samplingFrequencyHz"]), recorded_at_in(str(reading.get("startTime"))))


def _withings(body: dict[str, Any]) -> Signal:
    """Withings' API, "Heart v2 - Get": microvolts."""
    return Signal(np.array(body["signal"], np.float64), "uV", float(body["sampling_frequency"]))


def _health_auto_export(reading: dict[str, Any]) -> Signal:
    """Health Auto Export: a measurement a sample, each with its time in seconds and its unit."""
    measured = reading["voltageMeasurements"]
    units = {str(one.get("units", "mcV")) for one in measured}
    if len(units) != 1:
        raise RecordingError(f"has values in {len(units)} units; expected one")
    rate_hz = float(reading["samplingFrequency"]) if "samplingFrequency" in reading else None
    times = np.array([one["date"] for one in measured if isinstance(one.get("date"), int | float)], np.float64)
    if len(times) == len(measured) and (measured_hz := rate_of(times)):
        if rate_hz is not None and not is_same_rate(rate_hz, measured_hz):
            raise RecordingError(f"says that its sample rate is {rate_hz:g} Hz; by its times it is {measured_hz:g} Hz")
        rate_hz = rate_hz or measured_hz
    values = np.array([one["voltage"] for one in measured], np.float64)
    return Signal(values, units.pop(), rate_hz, recorded_at_in(str(reading.get("start"))))


APPS: dict[str, tuple[str, tuple[str, ...], Callable[[dict[str, Any]], Signal]]] = {
    "waveformSamples": ("Fitbit", ("scalingFactor", "samplingFrequencyHz"), _fitbit),
    "signal": ("Withings", ("sampling_frequency",), _withings),
    "voltageMeasurements": ("Health Auto Export", (), _health_auto_export),
}


def parse_json(content: Content, told: Told) -> Signal:
    """The one reading in an app's JSON, or the one that `told.channel` numbers. Raises RecordingError."""
    try:
        readings = list(_readings(json.loads(content.read())))
    except (ValueError, RecursionError):
        raise RecordingError("is JSON that can't be read to its end") from None
    if not readings:
        raise RecordingError(f"is JSON without an ECG of {', '.join(app for app, _, _ in APPS.values())}")
    which = 0
    if len(readings) > 1:
        which = int(told.channel) - 1 if told.channel and told.channel.isascii() and told.channel.isdecimal() else -1
        if not 0 <= which < len(readings):
            raise RecordingError(f"holds {len(readings)} recordings; --channel 1 to {len(readings)} says which")
    key, reading = readings[which]
    app, needed, read = APPS[key]
    missing = [name for name in needed if not isinstance(reading.get(name), int | float | str)]
    if missing:
        raise RecordingError(f"is an ECG of {app} without {' and '.join(missing)}")
    try:
        signal = read(reading)
        if signal.values.ndim != 1:
            raise RecordingError(f"is an ECG of {app} that is not as its app writes it")
        return signal
    except RecordingError:
        raise
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
        raise RecordingError(f"is an ECG of {app} that is not as its app writes it") from None


def _readings(value: Any, depth: int = 0) -> Any:
    """The objects that hold a recording, each with the key that says of which app."""
    if isinstance(value, list) and depth < 5:
        for one in value if value and isinstance(value[0], dict) else ():
            yield from _readings(one, depth + 1)
    elif isinstance(value, dict) and depth < 5:
        key = next((key for key in APPS if isinstance(value.get(key), list)), None)
        if key:
            yield key, value
            return
        for one in value.values():
            yield from _readings(one, depth + 1)


def _sniff(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[") and _KEYS.search(head) is not None


JSON_EXPORTS = Format(
    "JSON",
    "exports of Fitbit, Withings and Health Auto Export, as their documentation says",
    frozenset(),
    _sniff,
    parse_json,
)

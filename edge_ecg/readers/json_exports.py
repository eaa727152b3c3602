"""Recordings as apps and clouds export them in JSON: whatever object in it is the ECG of one that is known."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from edge_ecg.errors import RecordingError
from edge_ecg.readers.fhir import is_sampled, observation
from edge_ecg.readers.format import Content, Format
from edge_ecg.readers.json_apps import VOLTAGES, apple_health, fitbit, is_plain, plain, withings
from edge_ecg.recording import Signal, Told

MOST_OBJECTS = 1_000_000  # lists and objects: a sample may be one
MOST_DEPTH = 6

_KEYS = re.compile(
    rb'"(?:waveformSamples|voltageMeasurements|voltages|voltageValues|signal|[a-z_ ]{0,20}e[ck]g[a-z_ ]{0,20})"'
    rb"\s*:\s*[\[{]",
    re.IGNORECASE,
)
_FHIR = re.compile(rb'"resourceType"\s*:\s*"(?:Observation|Bundle)"')
_FHIR_ECG = re.compile(rb"ECG|EKG|electrocardiogram|SampledData", re.IGNORECASE)


@dataclass(frozen=True)
class App:
    """What writes an ECG: by what its object is known, what must be in it (one of each), and what reads it."""

    name: str
    knows: Callable[[dict[str, Any]], bool]
    needs: tuple[tuple[str, ...], ...]
    read: Callable[[dict[str, Any], Told], Signal]


def _has_list(*keys: str) -> Callable[[dict[str, Any]], bool]:
    return lambda entry: any(isinstance(entry.get(key), list) for key in keys)


APPS = (
    App(
        "Fitbit",
        _has_list("waveformSamples"),
        (("scalingFactor", "millivoltsScalingFactor"), ("samplingFrequencyHz", "samplingFrequencyHertz")),
        lambda entry, _told: fitbit(entry),
    ),
    App("Withings", _has_list("signal"), (("sampling_frequency",),), lambda entry, _told: withings(entry)),
    App("Apple Health", _has_list(*VOLTAGES), (), lambda entry, _told: apple_health(entry)),
    App("FHIR", is_sampled, (), lambda entry, told: observation(entry, told.channel)),
    App("JSON", is_plain, (), lambda entry, told: plain(entry, told.channel)),
)


def parse_json(content: Content, told: Told) -> Signal:
    """The one reading in an app's JSON, or the one that `told.channel` numbers. Raises RecordingError."""
    readings = _readings_of(content)
    if len(readings) == 1:
        return _signal(*readings[0], told)
    which = int(told.channel) - 1 if told.channel and told.channel.isascii() and told.channel.isdecimal() else -1
    if not 0 <= which < len(readings):
        raise RecordingError(f"holds {len(readings)} recordings; --channel 1 to {len(readings)} says which")
    return _signal(*readings[which], told._replace(channel=None))


def parse_each(content: Content, told: Told) -> Iterator[Callable[[], Signal]]:
    """What reads each of the readings in an app's JSON. Raises RecordingError if there is none."""
    for app, entry in _readings_of(content):
        yield partial(_signal, app, entry, told)


def _signal(app: App, entry: dict[str, Any], told: Told) -> Signal:
    missing = [one[0] for one in app.needs if not any(isinstance(entry.get(key), int | float | str) for key in one)]
    if missing:
        raise RecordingError(f"is an ECG of {app.name} without {' and '.join(missing)}")
    try:
        signal = app.read(entry, told)
        if signal.values.ndim != 1:
            raise RecordingError(f"is an ECG of {app.name} that is not as its app writes it")
        return signal
    except RecordingError:
        raise
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError):
        raise RecordingError(f"is an ECG of {app.name} that is not as its app writes it") from None


def _readings_of(content: Content) -> list[tuple[App, dict[str, Any]]]:
    data = content.read()
    if data.count(b"{") + data.count(b"[") > MOST_OBJECTS:
        raise RecordingError(f"is JSON of more than {MOST_OBJECTS:,} lists and objects; expected an export of ECGs")
    try:
        readings = list(_readings(json.loads(data)))
    except (ValueError, RecursionError):
        raise RecordingError("is JSON that can't be read to its end") from None
    if not readings:
        known = ", ".join(app.name for app in APPS[:-1])
        raise RecordingError(f"is JSON of no app that is known; expected an ECG of {known}, or ecg and fs")
    return readings


def _readings(value: Any, depth: int = 0) -> Iterator[tuple[App, dict[str, Any]]]:
    """The objects that hold a recording, each with the app whose it is."""
    if depth > MOST_DEPTH:
        return
    if isinstance(value, list):
        for one in value if value and isinstance(value[0], dict) else ():
            yield from _readings(one, depth + 1)
    elif isinstance(value, dict):
        app = next((app for app in APPS if app.knows(value)), None)
        if app:
            yield app, value
            return
        for one in value.values():
            yield from _readings(one, depth + 1)


def _sniff(head: bytes) -> bool:
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] not in (b"{", b"["):
        return False
    return bool(_KEYS.search(head) or (_FHIR.search(head) and _FHIR_ECG.search(head)))


JSON_EXPORTS = Format(
    "JSON",
    "Fitbit, Google Health, Withings; Apple Health's ECGs by Health Auto Export, react-native-health or the like; "
    "FHIR Observations of SampledData (HealthKitOnFHIR); rate, unit and time as their documentation says; "
    "any object with `ecg` and `fs`, or the like",
    frozenset(),
    _sniff,
    parse_json,
    each=parse_each,
)

"""Recordings as apps and clouds export them in JSON: whatever object in it is the ECG of one that is known."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.readers.format import Content, Format, ecg_channel, lead_of, names_ecg
from edge_ecg.readers.header import (
    recorded_at,
    recorded_at_in,
    require_no_scale,
    stated_device,
    stated_or_override_hz,
    stated_unit,
)
from edge_ecg.readers.times import PER_SECOND, is_time_name, on_grid, time_unit
from edge_ecg.recording import FEWEST_SAMPLES, MICROVOLTS_PER, RATE_RANGE_HZ, Overrides, RawSignal, is_same_rate

SAMPLES = "valueSampledData"
_LEADS = {"131329": "I", "131330": "II", "131389": "III"}  # codes of ISO/IEEE 11073-10101 where no name is given
_MISSING = {"E": "nan", "U": "nan", "L": "nan"}  # an error, above or below what can be measured
_HERTZ = {"hertz", "hz"}
_NO_RESULT = {"entered-in-error", "cancelled", "abandoned", "cannot-obtain", "specimen-in-process"}  # of `status`
_ABSENT = "dataAbsentReason"


def is_sampled(entry: dict[str, Any]) -> bool:
    """Whether an entry is an Observation with samples."""
    return entry.get("resourceType") == "Observation" and bool(_pieces(entry))


def observation(resource: dict[str, Any], channel_override: str | None) -> RawSignal:
    """The ECG of an Observation; `channel_override` names the lead. Raises RecordingError."""
    if resource.get("status") in _NO_RESULT:
        raise RecordingError(f"is an ECG in FHIR whose status is {resource['status']}; expected a result")
    pieces = _pieces(resource)
    names = [_name(piece) for piece in pieces]
    leads = list(dict.fromkeys(names))
    name = leads[ecg_channel(leads, channel_override)]
    if any(_ABSENT in one for one in [resource, *(one for one in _components(resource) if _name(one) == name)]):
        raise RecordingError(f"is an ECG in FHIR with a {_ABSENT}: samples are missing, and how many is unknown")
    sampled = [piece[SAMPLES] for piece, of in zip(pieces, names, strict=True) if of == name]
    values = np.concatenate([_values(one) for one in sampled])
    rate_hz, units = _rate_hz(sampled[0]), {_unit(one) for one in sampled}
    if len(units) > 1 or any(_rate_hz(one) != rate_hz for one in sampled):
        raise RecordingError("is an ECG in FHIR whose pieces have several units or periods; expected one of each")
    for component in _components(resource):
        quantity = component.get("valueQuantity", {})
        said = str(quantity.get("unit", quantity.get("code"))).casefold() in _HERTZ and float(quantity["value"])
        if said and not is_same_rate(said, rate_hz):
            raise RecordingError(f"states a sample rate of {said:g} Hz; by its period it is {rate_hz:g} Hz")
    began = resource.get("effectivePeriod", {}).get("start")
    time = recorded_at_in(str(began or resource.get("effectiveDateTime") or resource.get("effectiveInstant")))
    device = stated_device(str([resource.get(key) for key in ("device", "extension", "contained")]))
    return RawSignal(values, units.pop(), rate_hz, time, lead_of(name), device)


def _components(resource: dict[str, Any]) -> list[dict[str, Any]]:
    components = resource.get("component")
    return [one for one in components if isinstance(one, dict)] if isinstance(components, list) else []


def _pieces(resource: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in [resource, *_components(resource)] if isinstance(one.get(SAMPLES), dict)]


def _name(piece: dict[str, Any]) -> str:
    """The lead of a component, or else its code."""
    code = piece.get("code", {})
    codings = [coding for coding in code.get("coding", []) if isinstance(coding, dict)]
    said = [str(coding.get("display") or "") for coding in codings] + [str(code.get("text") or "")]
    by_code = (_LEADS[coding["code"]] for coding in codings if coding.get("code") in _LEADS)
    lead = next(filter(None, map(lead_of, said)), None) or next(by_code, None)
    return f"ECG {lead}" if lead else " ".join(filter(None, said)) or "ECG"


def _values(sampled: dict[str, Any]) -> np.ndarray:
    if sampled.get("dimensions", 1) != 1:
        raise RecordingError(f"is an ECG in FHIR of {sampled['dimensions']} dimensions; expected one in each component")
    words = str(sampled["data"]).split()
    if not _MISSING.keys().isdisjoint(words):
        words = [_MISSING.get(word, word) for word in words]
    factor, origin = float(sampled.get("factor", 1)), float(_origin(sampled).get("value", 0))
    if not factor or not np.isfinite([factor, origin]).all():
        raise RecordingError(
            f"is an ECG in FHIR with the factor {factor:g} and the origin {origin:g}, which are no scale"
        )
    return origin + factor * np.array(words, np.float64)


def _unit(sampled: dict[str, Any]) -> str:
    """The unit; empty if there is none, because the numbers may then be counts."""
    said = [str(word) for key in ("unit", "code") if (word := _origin(sampled).get(key))]
    known = {MICROVOLTS_PER[word.casefold()] for word in said if word.casefold() in MICROVOLTS_PER}
    if len(known) > 1:
        raise RecordingError("is an ECG in FHIR whose unit and its code are not the same; expected one")
    return next((word for word in said if word.casefold() in MICROVOLTS_PER), said[0] if said else "")


def _origin(sampled: dict[str, Any]) -> dict[str, Any]:
    return sampled.get("origin") or {}


def _rate_hz(sampled: dict[str, Any]) -> float:
    """The rate of a period in milliseconds, or in the unit of an interval.

    HealthKitOnFHIR writes seconds in the place of milliseconds; no period is a rate of 100 to 2000 Hz in both.
    """
    step = float(sampled.get("period") or sampled.get("interval") or 0)
    unit = str(sampled.get("intervalUnit", "ms")) if "period" not in sampled else "ms"
    if not step or unit not in PER_SECOND:
        raise RecordingError("is an ECG in FHIR without a period in milliseconds; expected SampledData of even steps")
    low, high = RATE_RANGE_HZ
    if "period" in sampled and not low <= PER_SECOND["ms"] / step <= high and low <= 1 / step <= high:
        unit = "s"
    rate_hz = PER_SECOND[unit] / step
    near = round(rate_hz)
    return float(near) if near and abs(rate_hz - near) < 1e-6 * rate_hz else rate_hz


LEAD_I_POSITIONS = (0, 1)  # of Withings' `wearposition`: the right and the left wrist
VOLTAGES = ("voltageMeasurements", "voltages", "voltageValues")


def fitbit(reading: dict[str, Any]) -> RawSignal:
    """Fitbit's Web API, "Get ECG Log List", and Google Health's `Electrocardiogram`, which follows it.

    A sample divided by the scaling factor is in millivolts; the watch gives lead I.
    """
    scale = float(_first(reading, "scalingFactor", "millivoltsScalingFactor"))
    if scale <= 0:
        raise RecordingError("is an ECG of Fitbit whose scalingFactor is no scale")
    rate_hz = float(_first(reading, "samplingFrequencyHz", "samplingFrequencyHertz"))
    interval = reading.get("interval")
    time = recorded_at_in(str(reading.get("startTime") or (isinstance(interval, dict) and interval.get("startTime"))))
    return RawSignal(np.array(reading["waveformSamples"], np.float64) / scale, "mV", rate_hz, time, "I", "Fitbit")


def withings(body: dict[str, Any]) -> RawSignal:
    """Withings' API, "Heart v2 - Get": microvolts; lead I where it was worn on a wrist."""
    lead = "I" if body.get("wearposition") in LEAD_I_POSITIONS else None
    values, rate_hz = np.array(body["signal"], np.float64), float(body["sampling_frequency"])
    time, began = None, body.get("timestamp")
    if isinstance(began, int) and 0 < began < 2**32:
        time = datetime.fromtimestamp(began, UTC).strftime("%Y-%m-%d %H:%M:%S +0000")
    return RawSignal(values, "uV", rate_hz, time, lead, "Withings")


def apple_health(reading: dict[str, Any], override_hz: float | None) -> RawSignal:
    """Apple Health's, as Health Auto Export, react-native-health, HealthKitReporter and their like write it.

    A measurement a sample, with its time in seconds: a pair of time and volts, or an object, perhaps with its unit.
    Apple has one lead, its watch's, which it calls similar to lead I.
    """
    measured = reading[next(key for key in VOLTAGES if key in reading)]
    if all(isinstance(one, list) for one in measured):
        times, values, units = [one[0] for one in measured], [one[1] for one in measured], {"V"}
    else:
        measured = [{**one, **one.get("harmonized", {})} for one in measured]
        values = [_first(one, "voltage", "value") for one in measured]
        units = {str(_first(one, "units", "unit", default="mcV" if "date" in one else "V")) for one in measured}
        times = [_first(one, "timeSinceSampleStart", "date", default=None) for one in measured]
    if len(units) != 1:
        raise RecordingError(f"has values in {len(units)} units; expected one")
    stated = _first(reading, "samplingFrequency", "samplingFrequencyHz", default=None)
    time = recorded_at_in(str(_first(reading, "start", "startDate", "startTime", default="")))
    device = stated_device(str(reading.get("device")))
    samples, rate_hz = np.array(values, np.float64), None if stated is None else float(stated)
    if times and all(isinstance(time, int | float) for time in times):
        samples, rate_hz = on_grid(samples, np.array(times, np.float64), "s", rate_hz, override_hz)
    return RawSignal(samples, units.pop(), rate_hz, time, "I", device)


def is_plain(entry: dict[str, Any]) -> bool:
    """Whether an object names an ECG's samples, whatever wrote it."""
    return any(map(names_ecg, _lists(entry)))


def plain(entry: dict[str, Any], overrides: Overrides) -> RawSignal:
    """An object with a list of samples in a key such as `ecg`, and rate, times, unit and date in keys beside it."""
    lists, fields = _lists(entry), _fields(entry)
    times = {key: lists.pop(key) for key in list(lists) if is_time_name(key)}
    name = list(lists)[ecg_channel(list(lists), overrides.channel)]
    values, rate_hz = np.array(lists[name], np.float64), stated_or_override_hz(fields, overrides.rate_hz)
    require_no_scale(fields, overrides.unit)
    if rate_hz is None and overrides.rate_hz is None and not times:
        raise RecordingError("is JSON with an ECG and no sample rate; expected a key such as fs, or --rate")
    for key, column in list(times.items())[:1]:
        if len(column) != len(values):
            raise RecordingError(f"has {len(column)} times and {len(values)} samples; expected as many")
        values, rate_hz = on_grid(values, np.array(column, np.float64), time_unit(key), rate_hz, overrides.rate_hz)
    return RawSignal(values, stated_unit(fields, name), rate_hz, recorded_at(fields), lead_of(name))


def _lists(entry: dict[str, Any]) -> dict[str, list[Any]]:
    lists = {key: value for key, value in entry.items() if isinstance(value, list) and len(value) >= FEWEST_SAMPLES}
    return {key: value for key, value in lists.items() if isinstance(value[0], int | float)}


def _fields(entry: dict[str, Any]) -> list[tuple[str, str]]:
    lists = _lists(entry)
    return [
        (key.casefold(), _statement(value)) for key, value in entry.items() if key not in lists and value is not None
    ]


def _statement(value: Any) -> str:
    """A value as one number or word, perhaps with its unit; a question mark where it is anything else."""
    parts = list(value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value])
    if isinstance(value, list) and parts and all(part == parts[0] for part in parts):
        return _statement(parts[0])
    is_plain = isinstance(value, dict | int | float | str) and all(
        isinstance(part, int | float | str) for part in parts
    )
    return " ".join(map(str, parts)) if is_plain else "?"


def _first(entries: dict[str, Any], *keys: str, **default: Any) -> Any:
    """The entry of the first of these keys that is there. Raises KeyError without a default."""
    found = next((entries[key] for key in keys if entries.get(key) is not None), default.get("default", entries))
    if found is entries:
        raise KeyError(keys[0])
    return found


MOST_OBJECTS = 1_000_000  # lists and objects: a sample may be one
MOST_DEPTH = 6

_KEYS = re.compile(
    rb'"(?:waveformSamples|voltageMeasurements|voltages|voltageValues|signal|[a-z_ ]{0,20}e[ck]g[a-z_ ]{0,20})"'
    rb"\s*:\s*[\[{]",
    re.IGNORECASE,
)
_TIMES = re.compile(rb'"([^"]{1,40})"\s*:\s*\[\s*(?:-?[\d.eE+-]+\s*,\s*){20}')
_FHIR = re.compile(rb'"resourceType"\s*:\s*"(?:Observation|Bundle)"')
_FHIR_ECG = re.compile(rb"ECG|EKG|electrocardiogram|SampledData", re.IGNORECASE)


@dataclass(frozen=True)
class App:
    """An app that writes ECGs: the test for its object, its required entries (one of each), and its reader."""

    name: str
    knows: Callable[[dict[str, Any]], bool]
    needs: tuple[tuple[str, ...], ...]
    read: Callable[[dict[str, Any], Overrides], RawSignal]


def _has_list(*keys: str) -> Callable[[dict[str, Any]], bool]:
    return lambda entry: any(isinstance(entry.get(key), list) for key in keys)


APPS = (
    App(
        "Fitbit",
        _has_list("waveformSamples"),
        (("scalingFactor", "millivoltsScalingFactor"), ("samplingFrequencyHz", "samplingFrequencyHertz")),
        lambda entry, _overrides: fitbit(entry),
    ),
    App("Withings", _has_list("signal"), (("sampling_frequency",),), lambda entry, _overrides: withings(entry)),
    App("Apple Health", _has_list(*VOLTAGES), (), lambda entry, overrides: apple_health(entry, overrides.rate_hz)),
    App("FHIR", is_sampled, (), lambda entry, overrides: observation(entry, overrides.channel)),
    App("JSON", is_plain, (), lambda entry, overrides: plain(entry, overrides)),
)


def parse_json(content: Content, overrides: Overrides) -> RawSignal:
    """The one reading in an app's JSON, or the one that `overrides.channel` numbers. Raises RecordingError."""
    readings = _readings_of(content)
    if len(readings) == 1:
        return _signal(*readings[0], overrides)
    which = (
        int(overrides.channel) - 1
        if overrides.channel and overrides.channel.isascii() and overrides.channel.isdecimal()
        else -1
    )
    if not 0 <= which < len(readings):
        raise RecordingError(f"holds {len(readings)} recordings; --channel 1 to {len(readings)} says which")
    return _signal(*readings[which], overrides._replace(channel=None))


def parse_each(content: Content, overrides: Overrides) -> Iterator[Callable[[], RawSignal]]:
    """Readers of each of the readings in an app's JSON. Raises RecordingError if there is none."""
    for app, entry in _readings_of(content):
        yield partial(_signal, app, entry, overrides)


def _signal(app: App, entry: dict[str, Any], overrides: Overrides) -> RawSignal:
    missing = [one[0] for one in app.needs if not any(isinstance(entry.get(key), int | float | str) for key in one)]
    if missing:
        raise RecordingError(f"is an ECG of {app.name} without {' and '.join(missing)}")
    try:
        signal = app.read(entry, overrides)
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
    """The objects with a recording, each with its app."""
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
    times = (is_time_name(found.decode("utf-8", "replace")) for found in _TIMES.findall(head))
    return bool(_KEYS.search(head) or any(times) or (_FHIR.search(head) and _FHIR_ECG.search(head)))


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

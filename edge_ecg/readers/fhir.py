"""What an ECG is in FHIR (HL7, R4 and R5): an Observation of SampledData, as HealthKitOnFHIR writes it.

Each component is a lead, or a piece of one: pieces with the same code follow each other.
"""

from typing import Any

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.readers.channels import ecg_channel, lead_of
from edge_ecg.readers.header import recorded_at_in, stated_device
from edge_ecg.readers.times import PER_SECOND
from edge_ecg.recording import RATE_RANGE_HZ, Signal, is_same_rate

SAMPLES = "valueSampledData"
_LEADS = {"131329": "I", "131330": "II", "131389": "III"}  # codes of ISO/IEEE 11073-10101 where no name is given
_MISSING = {"E": "nan", "U": "nan", "L": "nan"}  # an error, above or below what can be measured
_HERTZ = {"hertz", "hz"}


def is_sampled(entry: dict[str, Any]) -> bool:
    """Whether an entry is an Observation that holds samples."""
    return entry.get("resourceType") == "Observation" and bool(_pieces(entry))


def observation(resource: dict[str, Any], told_channel: str | None) -> Signal:
    """The ECG of an Observation; `told_channel` says which lead. Raises RecordingError, or what wrong shapes raise."""
    pieces = _pieces(resource)
    names = [_name(piece) for piece in pieces]
    leads = list(dict.fromkeys(names))
    name = leads[ecg_channel(leads, told_channel)]
    sampled = [piece[SAMPLES] for piece, of in zip(pieces, names, strict=True) if of == name]
    values = np.concatenate([_values(one) for one in sampled])
    rate_hz, units = _rate_hz(sampled[0]), {_unit(one) for one in sampled}
    if len(units) > 1 or any(_rate_hz(one) != rate_hz for one in sampled):
        raise RecordingError("is an ECG in FHIR whose pieces have several units or periods; expected one of each")
    for component in _components(resource):
        quantity = component.get("valueQuantity", {})
        said = str(quantity.get("unit", quantity.get("code"))).casefold() in _HERTZ and float(quantity["value"])
        if said and not is_same_rate(said, rate_hz):
            raise RecordingError(f"says that its sample rate is {said:g} Hz; by its period it is {rate_hz:g} Hz")
    began = resource.get("effectivePeriod", {}).get("start")
    time = recorded_at_in(str(began or resource.get("effectiveDateTime") or resource.get("effectiveInstant")))
    device = stated_device(str([resource.get(key) for key in ("device", "extension", "contained")]))
    return Signal(values, units.pop(), rate_hz, time, lead_of(name), device)


def _components(resource: dict[str, Any]) -> list[dict[str, Any]]:
    components = resource.get("component")
    return [one for one in components if isinstance(one, dict)] if isinstance(components, list) else []


def _pieces(resource: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in [resource, *_components(resource)] if isinstance(one.get(SAMPLES), dict)]


def _name(piece: dict[str, Any]) -> str:
    """The lead of a piece, or else whatever its code says."""
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
    return float(_origin(sampled).get("value", 0)) + float(sampled.get("factor", 1)) * np.array(words, np.float64)


def _unit(sampled: dict[str, Any]) -> str:
    """The unit, empty where none is said: without it the numbers may be counts."""
    return str(_origin(sampled).get("unit") or _origin(sampled).get("code") or "")


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

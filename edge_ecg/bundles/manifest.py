"""The entries of a bundle's manifest: what each must be, checked once, before anything reads it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge_ecg.errors import BundleError


@dataclass(frozen=True)
class Kind:
    """A kind of JSON value that holds no others."""

    what: str
    fits: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= 1e300


TEXT = Kind("text", lambda value: isinstance(value, str))
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
COUNT = Kind("a whole number from 0 on", lambda value: type(value) is int and 0 <= value < 2**53)
NUMBER = Kind("a number", _is_number)
POSITIVE = Kind("a number above 0", lambda value: _is_number(value) and value > 1e-12)
ENTRIES = Kind("entries by name", lambda value: isinstance(value, dict))

# A shape is a Kind; or a dict of shapes by name (`name?`: it may be missing or null; `*`: any name); or a list with
# the shape of each item; or a tuple with those of exactly so many items.
Shape = Any

METRICS: Shape = {"recordings": {"right": COUNT, "total": COUNT, "accuracy_95": (NUMBER, NUMBER)}, "dates": [TEXT]}
MANIFEST_SHAPE: Shape = {
    "intended_use": TEXT,
    "labels": (TEXT, TEXT),
    "contract": ENTRIES,
    "guards": Kind("entries by name or null", lambda value: value is None or isinstance(value, dict)),
    "levels": Kind("entries by name or null", lambda value: value is None or isinstance(value, dict)),
    "model": {"architecture": TEXT, "parameters": COUNT},
    "training": {"settings": ENTRIES, "dataset": ENTRIES, "best_epoch": COUNT},
    "metrics": {"*": METRICS},
    "parity": [
        {
            "engine": TEXT,
            "bytes": POSITIVE,
            "bytes_with_references": POSITIVE,
            "quantized_weights": COUNT,
            "weights": COUNT,
            "logit_max_abs": NUMBER,
            "logit_rms": NUMBER,
            "beats": COUNT,
            "beat_flips": COUNT,
            "recordings": COUNT,
            "recording_flips": COUNT,
            "beat_us?": [POSITIVE],
            "shipped": FLAG,
            "faults": [TEXT],
            "finetuned?": FLAG,
        }
    ],
    "not_made?": {"*": TEXT},  # by artifact, the operation that its form lacks
    "tools": {"*": TEXT},
    "enrolment?": {"recordings": COUNT, "dates": [TEXT], "distance": NUMBER},
}
PACKED_SHAPE: Shape = {  # of what `edge-ecg pack` wrote
    "packed_from": TEXT,
    **{
        entry: MANIFEST_SHAPE[entry]
        for entry in ("intended_use", "labels", "contract", "levels", "guards", "model", "enrolment?")
    },
}
GOLDEN_SHAPE: Shape = {"beats": [{"beat": [NUMBER]}]}


def require_shape(value: Any, shape: Shape, name: str) -> None:
    """Raise BundleError, naming the entry, unless a JSON value has a shape; entries it does not name are free."""
    if isinstance(shape, Kind):
        if not shape.fits(value):
            raise BundleError(f"{name} is {str(value)[:60]!r}, expected {shape.what}")
    elif isinstance(shape, list | tuple):
        if not isinstance(value, list) or (isinstance(shape, tuple) and len(value) != len(shape)):
            expected = f"a list of {len(shape)}" if isinstance(shape, tuple) else "a list"
            raise BundleError(f"{name} is {str(value)[:60]!r}, expected {expected}")
        for number, item in enumerate(value):
            require_shape(item, shape[number if isinstance(shape, tuple) else 0], f"{name}[{number}]")
    else:
        require_shape(value, ENTRIES, name)
        for key, below in shape.items():
            for entry in value if key == "*" else [key.removesuffix("?")]:
                if entry not in value and key == entry:
                    raise BundleError(f"{name} has no entry {entry!r}")
                if value.get(entry) is not None or key == entry:
                    require_shape(value[entry], below, f"{name}.{entry}")

"""A recording as OpenSignals writes it: a JSON line on each device, then a table of counts (BITalino's scale is known).

Its transfer function: ECG sensor data sheet, PLUX, revision B.
"""

import json

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.readers.format import Content, Format, ecg_channel
from edge_ecg.readers.header import recorded_at_in, stated_device
from edge_ecg.recording import Overrides, RawSignal

_SUPPLY_MV, _GAIN = 3300.0, 1100.0  # of BITalino's ECG sensor


def parse_opensignals(content: Content, overrides: Overrides) -> RawSignal:
    """The ECG in an OpenSignals text file. Raises RecordingError."""
    lines = content.read().decode("utf-8-sig", "replace").splitlines()
    comments = [line[1:].strip() for line in lines[:10] if line.startswith("#")]
    try:
        devices = list(json.loads(next(line for line in comments if line.startswith("{"))).values())
        if len(devices) != 1:
            raise RecordingError(f"is an OpenSignals file of {len(devices)} devices; expected one")
        device = devices[0]
        columns, labels = list(map(str, device["column"])), list(map(str, device["label"]))
        sensors = [str(sensor) for sensor in device["sensor"]]
        rate_hz = float(device["sampling rate"])
        bits = [int(bits) for bits in device["resolution"]][-len(labels) :]
        kind = str(device.get("device", ""))
    except RecordingError:
        raise
    except (StopIteration, ValueError, KeyError, TypeError, AttributeError):
        raise RecordingError("is an OpenSignals file whose header has no rate and columns") from None
    channel = ecg_channel(
        [f"{sensor} {label}" for sensor, label in zip(sensors, labels, strict=False)], overrides.channel
    )
    column = columns.index(labels[channel]) if labels[channel] in columns else len(columns) - len(labels) + channel
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    try:
        values = np.array([row[column] for row in rows], np.float64)
    except (ValueError, IndexError):
        raise RecordingError("is an OpenSignals file whose rows are not all numbers in its columns") from None
    time = recorded_at_in(f"{device.get('date', '')} {device.get('time', '')}")
    if overrides.unit is not None:
        return RawSignal(values, None, rate_hz, time, device=stated_device(kind))
    known = kind.startswith("bitalino") and len(bits) > channel and bits[channel] in (6, 10)  # its converters
    if not known or not (values == np.rint(values)).all():
        raise RecordingError("is an OpenSignals file without the unit of a count; export it in physical units")
    millivolts = (values / 2 ** bits[channel] - 0.5) * _SUPPLY_MV / _GAIN
    return RawSignal(millivolts, "mV", rate_hz, time, device="BITalino")


OPENSIGNALS = Format(
    "OpenSignals",
    "its text files: BITalino's counts; those of other devices in physical units, with `--unit`",
    frozenset(),
    lambda head: head.startswith(b"# OpenSignals"),
    parse_opensignals,
)

"""A recording as a WFDB record: the ECG's channel, its rate and unit from the header (needs `wfdb`)."""

import re
import tempfile
from pathlib import Path

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.readers.format import Content, Format, ecg_channel, lead_of, of_volts
from edge_ecg.recording import Overrides, RawSignal

MOST_SEGMENTS, MOST_CHANNELS = 1000, 64
HEADER, SAMPLES = ".hea", (".dat", ".mat")


def header_beside(path: Path) -> Path | None:
    """The header of the record that `path` names, as `100`, `100.hea` or `100.dat`; None if there is none."""
    record = path.with_suffix("") if path.suffix.lower() in {HEADER, *SAMPLES} else path
    headers = (Path(f"{record}{suffix}") for suffix in (HEADER, HEADER.upper()))
    return next((header for header in headers if header.is_file()), None)


def read_wfdb(content: Content, overrides: Overrides) -> RawSignal:
    """The signal of a WFDB record, given by its header. Raises RecordingError."""
    try:
        import wfdb  # optional, and slow to import: it brings pandas
    except ImportError:
        raise RecordingError("is a WFDB record, which needs wfdb: pip install -e '.[wfdb]' in the clone") from None
    _check_record_line(content.read())
    try:
        if content.path and content.path.suffix == HEADER:
            return _signal(wfdb, content.path, overrides)
        with tempfile.TemporaryDirectory() as scratch:
            return _signal(wfdb, _laid_out(wfdb, content, Path(scratch)), overrides)
    except RecordingError:
        raise
    except Exception as error:  # whatever the parser trips over; its message may quote the header, and so the person
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise RecordingError(f"wfdb cannot read this record: {reason}") from None


def _check_record_line(header: bytes) -> None:
    """Raises RecordingError for counts that no recording has, and for a rate that `wfdb` would take for another."""
    lines = [line for line in header.decode("latin-1").splitlines() if line.strip() and not line.startswith("#")]
    record, channels, *others = [*(lines[0].split() if lines else []), "", ""][:3]
    segments = record.partition("/")[2] or str(len(lines) - 1)
    for count, most, what in ((segments, MOST_SEGMENTS, "segments"), (channels, MOST_CHANNELS, "channels")):
        if count.isdecimal() and (len(count) > 9 or int(count) > most):
            raise RecordingError(f"is a WFDB record of {count:.12} {what}; expected at most {most}")
    rate = re.split(r"[/(]", others[0])[0] if others else ""
    if rate and not (re.fullmatch(r"\d*\.?\d+(?:e[-+]?\d{1,2})?", rate) and float(rate) > 0):
        shown = f" of {rate} Hz" if re.fullmatch(r"[-+]?(?:[\d.e+-]{1,12}|inf|nan)", rate, re.IGNORECASE) else ""
        raise RecordingError(f"states a sample rate{shown}, which is none; expected hertz such as 250")


def _signal(wfdb, header: Path, overrides: Overrides) -> RawSignal:  # type: ignore[no-untyped-def]
    record = str(header.with_suffix(""))
    facts = wfdb.rdheader(record)
    if facts.n_sig is None or not facts.n_sig:
        raise RecordingError("is a WFDB record without a signal")
    time = facts.base_datetime and facts.base_datetime.isoformat(" ")
    if isinstance(facts, wfdb.MultiRecord):
        whole = wfdb.rdrecord(record)
        channel = ecg_channel(whole.sig_name, overrides.channel, of_volts(whole.units))
        values = np.array(whole.p_signal[:, channel], np.float64)
        return RawSignal(values, str(whole.units[channel]), float(whole.fs), time, lead_of(whole.sig_name[channel]))
    channel = ecg_channel(facts.sig_name, overrides.channel, of_volts(facts.units))
    file = header.parent / facts.file_name[channel]
    if file.exists() and not file.is_file():
        raise RecordingError("is a WFDB record whose samples are no plain file")
    # Not smoothed: several samples a frame are a rate of their own, which the average would hide.
    read = wfdb.rdrecord(record, channels=[channel], smooth_frames=False)
    rate_hz = float(read.fs) * read.samps_per_frame[0]
    values, lead = np.array(read.e_p_signal[0], np.float64), lead_of(facts.sig_name[channel])
    return RawSignal(values, str(read.units[0]), rate_hz, time, lead)


def _laid_out(wfdb, content: Content, scratch: Path) -> Path:  # type: ignore[no-untyped-def]
    """The header in a folder with the record's files under the names in the header.

    `wfdb` reads files, and finds a header by its suffix in lower case only.
    """
    small = scratch / Path(content.name).with_suffix(HEADER).name
    small.write_bytes(content.read())
    if content.path:
        for file in content.path.parent.iterdir():
            if file.is_file() and file != content.path:
                (scratch / file.name).symlink_to(file.absolute())
        return small
    facts = wfdb.rdheader(str(small.with_suffix("")))
    segments = [name for name in getattr(facts, "seg_name", None) or () if name != "~"]
    for name in dict.fromkeys([f"{name}{HEADER}" for name in segments] or facts.file_name):
        if Path(name).name != name or not content.beside:
            raise RecordingError("is a WFDB record whose samples are not beside it")
        (scratch / name).write_bytes(content.beside(name))
    for name in dict.fromkeys(name for one in segments for name in wfdb.rdheader(str(scratch / one)).file_name or ()):
        if name != "~" and Path(name).name == name and content.beside:
            (scratch / name).write_bytes(content.beside(name))
    return small


WFDB = Format(
    "WFDB",
    "a record as PhysioNet has them; rate, unit and time from its header",
    frozenset({HEADER}),
    lambda _head: False,
    read_wfdb,
    needs="wfdb",
)

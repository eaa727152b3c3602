"""A recording as the page that the Health app shares: rows of ECG paper, drawn as straight pieces (needs `pypdf`).

docs/recordings.md has the rules. Of the words of the page, names and birth dates are never kept.
"""

import io
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.readers.format import Content, Format, lead_of
from edge_ecg.readers.header import VOCABULARY, recorded_at_in, stated_device, stated_rate_hz
from edge_ecg.recording import Overrides, RawSignal, is_same_rate

if TYPE_CHECKING:
    from pypdf import PageObject

POINTS_PER_MM = 72 / 25.4
ROW_S, ROW_TOLERANCE = 10.0, 0.02  # of paper in a row between the first and the last
LEAST_ROW_S, LEAST_POINTS_PER_S = 2.0, 20  # of a trace; lines of the grid and letters have fewer
JOINT_POINTS = 1.0  # between the end of one piece of a row and the beginning of the next
MOST_BYTES = 50_000_000
MOST_PAGES, MOST_OPERATIONS, MOST_DEPTH = 10, 1_000_000, 5
OPERATIONS_OF_A_FORM = 10_000  # that it counts as, however short: each is parsed anew
EVEN_STEPS = 0.5  # between a sample and its place in an even row
_MM, _SLASH = r"(?:mm|мм|毫米|公釐|밀리미터|ミリメートル)", r"\s*/\s*"
_SPEED = re.compile(rf"(\d+(?:[.,]\d+)?)\s*{_MM}{_SLASH}(?:s|с|秒|초)", re.IGNORECASE)
_GAIN = re.compile(rf"(\d+(?:[.,]\d+)?)\s*{_MM}{_SLASH}(?:mv|мв|毫伏|밀리볼트|ミリボルト)", re.IGNORECASE)
_BPM = re.compile(
    r"(?<![\d.,])(\d{2,3})\s*(?:bpm|lpm|ppm|spm|s/min|tk/min|/ ?min|次/分|拍/分|уд/мин|회/분)\b", re.IGNORECASE
)
_CLOCK = re.compile(r"\d:\d\d")
_MAKERS = re.compile(r"kardia|alivecor|withings|fitbit|samsung|omron|wellue|viatom|qardio", re.IGNORECASE)

# The words of a page for a reader in another language: regular expressions, and lists.
WORDS: Mapping[str, re.Pattern[str] | str | Collection[str]] = {
    "speed": _SPEED,
    "gain": _GAIN,
    "clock": _CLOCK,
    **{
        name: VOCABULARY[name]
        for name in ("rate", "recorded_at", "in_words", "east_asian", "time", "months", "after_noon", "before_noon")
    },
}


class Words(NamedTuple):
    """Facts that a page states of its traces; None where it does not."""

    mm_per_s: float | None
    mm_per_mv: float | None
    rate_hz: float | None
    lead: str | None
    device: str | None
    recorded_at: str | None
    heart_rate_bpm: float | None


def parse_pdf(content: Content, overrides: Overrides) -> RawSignal:
    """The recording on a PDF page of the Health app. Raises RecordingError, with notes on the page's contents."""
    lines, rows = _page(content)
    words = _words_of(lines)
    details = _details(words, rows)
    try:
        values_uv, rate_hz = _signal(words, rows, words.rate_hz or overrides.rate_hz)
    except RecordingError as error:
        maker = _MAKERS.search("\n".join(lines))
        of_maker = f"is a page of {maker[0].capitalize()} that is not as the Health app draws it" if maker else ""
        refusal = RecordingError(of_maker or str(error))
        refusal.add_note(details)
        raise refusal from None
    return RawSignal(
        values_uv, "uV", rate_hz, words.recorded_at, words.lead, words.device, words.heart_rate_bpm, details
    )


def has_trace(content: Content) -> bool:
    """Whether a page of a PDF has a trace; also true where that can't be found out, so that it is reported."""
    if content.path and content.path.stat().st_size > MOST_BYTES:
        return False
    try:
        return bool(_page(content)[1])
    except RecordingError as error:
        return not str(error).startswith("has no trace")


def _page(content: Content) -> tuple[list[str], list[np.ndarray]]:
    """The lines of words and the rows of the one page with a trace. Raises RecordingError."""
    try:
        import logging

        import pypdf  # optional
    except ImportError:
        raise RecordingError("is a PDF file, which needs pypdf: pip install -e '.[pdf]' in the clone") from None
    logging.getLogger("pypdf").addHandler(logging.NullHandler())  # it warns of what other programs write
    try:
        reader = pypdf.PdfReader(io.BytesIO(content.read()))
        if reader.is_encrypted:
            raise RecordingError("is an encrypted PDF file; save it without a password")
        if len(reader.pages) > MOST_PAGES:
            raise RecordingError(f"is a PDF file of {len(reader.pages)} pages; expected the one of the Health app")
        traced = [(page, rows) for page in reader.pages if (rows := _rows(_polylines(page)))]
        if len(traced) > 1:
            raise RecordingError(f"has traces on {len(traced)} pages; expected one recording on one page")
        if not traced:
            raise RecordingError("has no trace of an ECG that is drawn in lines; a picture of one is not read")
        page, rows = traced[0]
        text = unicodedata.normalize("NFKC", page.extract_text())
    except RecordingError:
        raise
    except Exception:  # whatever the parser trips over; its message may quote the page, and so the person
        raise RecordingError("is not a readable PDF file") from None
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()], rows


# Paths.


def _polylines(page: "PageObject") -> Iterator[np.ndarray]:
    """The (n, 2) points of each stroked path of straight pieces, in points of an upright page, upwards and right."""
    scale = float(_entry(page, "/UserUnit", 1))
    a, b, c, d = {0: (1, 0, 0, 1), 90: (0, -1, 1, 0), 180: (-1, 0, 0, -1), 270: (0, 1, -1, 0)}[page.rotation % 360]
    matrix = _matrix((scale * a, scale * b, scale * c, scale * d, 0, 0))
    for points, to_page in _stroked(page.get_contents(), _entry(page, "/Resources", {}), matrix, page.pdf, [0]):
        yield (np.column_stack([np.array(points, np.float64), np.ones(len(points))]) @ to_page)[:, :2]


def _stroked(
    content: Any, resources: Any, matrix: np.ndarray, pdf: Any, done: list[int], depth: int = 0
) -> Iterator[tuple[list[tuple[float, float]], np.ndarray]]:
    """The points of each stroked path, and the matrix that brings them to the page; `done` counts the operations."""
    from pypdf.generic import ContentStream

    if content is None:
        return
    if depth > MOST_DEPTH:
        raise RecordingError(f"has forms within each other, more than {MOST_DEPTH} deep")
    if not isinstance(content, ContentStream):
        content = ContentStream(content, pdf)
    done[0] += len(content.operations) + OPERATIONS_OF_A_FORM
    if done[0] > MOST_OPERATIONS:
        raise RecordingError(f"has a page of more than {MOST_OPERATIONS:,} operations; expected one ECG")
    stack, path = [], list[list[tuple[float, float]]]()
    for operands, operator in content.operations:
        match operator:
            case b"m":
                path.append([(operands[0], operands[1])])
            case b"l" if path:
                path[-1].append((operands[0], operands[1]))
            case b"h" if path:
                path[-1].append(path[-1][0])
            case b"c" | b"v" | b"y":
                path.append([(operands[-2], operands[-1])])  # a curve is no piece of a trace
            case b"S" | b"s" | b"B" | b"B*" | b"b" | b"b*":
                yield from ((points, matrix) for points in path if len(points) > 1)
                path = []
            case b"f" | b"F" | b"f*" | b"n":
                path = []
            case b"q":
                stack.append(matrix)
            case b"Q" if stack:
                matrix = stack.pop()
            case b"cm":
                matrix = _matrix(operands) @ matrix
            case b"Do":
                form = _entry(_entry(resources, "/XObject", {}), operands[0], {})
                if _entry(form, "/Subtype", "") == "/Form":
                    inner = _matrix(_entry(form, "/Matrix", (1, 0, 0, 1, 0, 0))) @ matrix
                    yield from _stroked(form, _entry(form, "/Resources", resources), inner, pdf, done, depth + 1)


def _entry(entries: Any, key: str, default: Any) -> Any:
    return entries[key].get_object() if key in entries else default


def _matrix(six: Any) -> np.ndarray:
    a, b, c, d, e, f = map(float, six)
    return np.array([[a, b, 0], [c, d, 0], [e, f, 1]])


def _rows(polylines: Iterator[np.ndarray]) -> list[np.ndarray]:
    """The traces of a page from top to bottom: long paths, in one or many pieces, that never turn back."""
    chains = list[list[np.ndarray]]()
    for line in polylines:
        if np.diff(line[:, 0]).min() < 0:
            continue
        last = chains[-1][-1][-1] if chains else np.array([np.inf, 0])
        if 0 <= line[0, 0] - last[0] <= JOINT_POINTS:
            chains[-1].append(line)
        else:
            chains.append([line])
    rows = [_trace(np.concatenate(chain)) for chain in chains]
    least = LEAST_ROW_S * 25 * POINTS_PER_MM
    found = [row for row in rows if len(row) > LEAST_ROW_S * LEAST_POINTS_PER_S and np.ptp(row[:, 0]) > least]
    return sorted((row for row in found if np.ptp(row[:, 1]) > 1), key=lambda row: -float(np.median(row[:, 1])))


def _trace(points: np.ndarray) -> np.ndarray:
    """A row without points that come twice where pieces meet, and without a calibration mark before it."""
    steps = np.diff(points[:, 0])
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    points = points[np.concatenate(([True], steps > usual / 10))]
    long = np.flatnonzero(np.diff(points[:, 0]) > 20 * usual)
    begins = int(long[-1]) + 1 if len(long) and long[-1] < len(points) / 10 else 0
    return points[begins:]


# Words.


def _words_of(lines: list[str]) -> Words:
    text = "\n".join(lines)
    about = [line for line in lines if _SPEED.search(line) or _GAIN.search(line)]
    parts = [part for line in about for part in re.split(r"[,;] ", line)]
    leads = (lead for part in parts if (lead := lead_of(part)))
    rate_hz = stated_rate_hz([("", part) for part in parts])
    dated = (recorded_at_in(line) for line in lines if _CLOCK.search(line))  # a birth date has no time
    time = next((found for found in dated if found and _CLOCK.search(found)), None)
    return Words(
        _number(_SPEED.search(text)),
        _number(_GAIN.search(text)),
        rate_hz,
        next(leads, None),
        stated_device(text),
        time,
        _number(_BPM.search(text)),
    )


def _number(found: re.Match[str] | None) -> float | None:
    return float(found[1].replace(",", ".")) if found else None


# Samples.


def _signal(words: Words, rows: list[np.ndarray], stated_hz: float | None) -> tuple[np.ndarray, float]:
    """Microvolts and rate. Raises RecordingError for words that are missing, or that do not fit the rows."""
    if not words.mm_per_s or not words.mm_per_mv:
        raise RecordingError("names no scale; expected a line such as 25 mm/s, 10 mm/mV, Lead I, 512Hz")
    if not stated_hz:
        raise RecordingError(
            "names no sample rate; expected a line such as 25 mm/s, 10 mm/mV, Lead I, 512Hz; or --rate"
        )
    seconds = [row[:, 0] / (words.mm_per_s * POINTS_PER_MM) for row in rows]
    lengths_s = [float(row[-1] - row[0]) for row in seconds]
    uneven = [length for length in lengths_s[1:-1] if abs(length - ROW_S) > ROW_TOLERANCE * ROW_S]
    if uneven or max(lengths_s) > ROW_S * (1 + ROW_TOLERANCE):
        shown = ", ".join(f"{length:.2f}" for length in lengths_s)
        raise RecordingError(f"has rows of {shown} s at {words.mm_per_s:g} mm/s; expected {ROW_S:g} s each")
    values, rate_hz = _samples(seconds, [row[:, 1] for row in rows], stated_hz)
    joined = values[:1]
    for row in values[1:]:  # each has a height of its own: it begins where the one above it ended
        before = joined[-1]
        slope = (before[-1] - before[-2] + row[1] - row[0]) / 2
        joined.append(row - row[0] + before[-1] + slope)
    heights = np.concatenate(joined)
    return 1000 * (heights - np.median(heights)) / (words.mm_per_mv * POINTS_PER_MM), rate_hz


def _samples(seconds: list[np.ndarray], heights: list[np.ndarray], stated_hz: float) -> tuple[list[np.ndarray], float]:
    """The samples of each row, and their rate: its points, where they are even, or else what lies between them."""
    steps_s = list(filter(None, map(_even_step, seconds)))
    measured_hz = len(steps_s) / sum(steps_s) if len(steps_s) == len(seconds) else None
    if measured_hz and any(not is_same_rate(1 / step, measured_hz) for step in steps_s):
        raise RecordingError("has rows whose points come at different rates")
    if measured_hz is None:
        grids = [np.arange(row[0], row[-1] + 0.01 / stated_hz, 1 / stated_hz) for row in seconds]
        pairs = zip(grids, seconds, heights, strict=True)
        return [np.interp(grid, row, values) for grid, row, values in pairs], stated_hz
    whole = max(round(stated_hz / measured_hz), 1)  # every second point may be left out
    if not is_same_rate(stated_hz, whole * measured_hz):
        raise RecordingError(
            f"names {stated_hz:g} Hz, but by its scale its rows have {measured_hz:.4g} points a second"
        )
    is_stated = abs(whole * measured_hz - stated_hz) < 2e-4 * stated_hz
    return heights, stated_hz / whole if is_stated else measured_hz


def _even_step(times: np.ndarray) -> float | None:
    """The step of even times, None for others."""
    places = np.arange(len(times)) - (len(times) - 1) / 2
    step = float(places @ times / (places @ places))
    off = times - times.mean() - step * places
    return step if np.abs(off).max() < EVEN_STEPS * step else None


def _details(words: Words, rows: list[np.ndarray]) -> str:
    """Counts of a page's elements, for a report of a page that is read wrong."""
    shown = [
        f"{len(row)} points from x {row[0, 0]:.2f} to {row[-1, 0]:.2f}, "
        f"y {row[:, 1].min():.2f} to {row[:, 1].max():.2f}, "
        f"step {np.diff(row[:, 0]).min():.4f} to {np.diff(row[:, 0]).max():.4f}"
        for row in rows
    ]
    return (
        f"page: {words.mm_per_s} mm/s, {words.mm_per_mv} mm/mV, {words.rate_hz} Hz, lead {words.lead}, "
        f"{words.heart_rate_bpm} a minute, {'a' if words.recorded_at else 'no'} date; rows: {'; '.join(shown)}"
    )


PDF = Format(
    "PDF",
    "the page that the Health app shares, or one drawn like it; rate, scale, lead and time from its words",
    frozenset({".pdf"}),
    lambda head: b"%PDF-" in head[:1024],
    parse_pdf,
    needs="pypdf",
    confirm=has_trace,
)

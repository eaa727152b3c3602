"""Draw a recording as the page that the Health app shares, as far as public tools and pages describe it."""

import io
from itertools import pairwise

import numpy as np
from reportlab.lib.pagesizes import letter
from reportlab.pdfgen.canvas import Canvas

from edge_ecg.recording import Recording

MM = 72 / 25.4  # points
LEFT, ROW_S, LATE_S = 40.0, 10.0, 0.36  # points; the first row begins behind the calibration mark
WORDS = "25 mm/s, 10 mm/mV, Lead I, 512Hz, iOS 17.0, watchOS 10.0, Watch6,1"
PERSON = ("Ada Lovelace", "Date of Birth: Dec 10, 1815 (Age 36)")
RECORDED = "Recorded on Oct 5, 2023 at 8:30 AM"
MARK_MM = ((0, 0), (1, 0), (1, 10), (6, 10), (6, 0), (8, 0))  # 1 mV for 0.2 s
HEIGHTS = (-180.0, -291.3, -399.1)  # points from the top: rows are not quite as far from each other


def page_of(
    recording: Recording,
    *,
    compressed: bool = True,
    points_per_piece: int = 100_000,
    size: tuple[float, float] = letter,
    lines: tuple[str, ...] = (*PERSON, RECORDED, WORDS),
    mm_per_s: float = 25.0,
    points: np.ndarray | None = None,
    in_form: bool = False,
    is_mark_joined: bool = False,
    decimals: int = 6,
    pages: int = 1,
    rows: int = 3,
    is_turned: bool = False,
) -> bytes:
    """The page as a PDF: words, grid, calibration mark, and rows of 10 s, of which `points` are drawn, default all."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(max(size), min(size)), pageCompression=compressed)
    for page in range(pages):
        if is_turned:  # a portrait sheet that is shown as landscape
            canvas.setPageSize((min(size), max(size)))
            canvas.setPageRotation(90)
            canvas.translate(min(size), 0)
            canvas.rotate(90)
        for number, line in enumerate(lines):
            canvas.drawString(LEFT, min(size) - 30 - 14 * number, line)
        for at in np.arange(0, 105, 5) * 2.5 * MM:
            canvas.line(LEFT + at, 40, LEFT + at, min(size) - 100)
            canvas.line(LEFT, 40 + at / 2, LEFT + 260 * MM, 40 + at / 2)
        if in_form:
            canvas.beginForm(f"trace{page}")
            canvas.translate(-7, 3)
        mark = [(LEFT + x * MM, min(size) + HEIGHTS[0] + y * MM) for x, y in MARK_MM]
        if not is_mark_joined:
            canvas.lines([(*a, *b) for a, b in pairwise(mark)])
        for row in range(rows):
            before = mark if is_mark_joined and row == 0 else []
            _draw_row(canvas, recording, row, before, min(size), points_per_piece, mm_per_s, points, decimals)
        if in_form:
            canvas.endForm()
            canvas.translate(7, -3)
            canvas.doForm(f"trace{page}")
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def _draw_row(canvas, recording, row, before, top, points_per_piece, mm_per_s, points, decimals):
    per_row = round(ROW_S * recording.sample_rate_hz)
    values_uv = recording.samples_uv[row * per_row : (row + 1) * per_row]
    drawn = np.arange(len(values_uv)) if points is None else points
    seconds, values_uv = drawn / recording.sample_rate_hz + LATE_S * (row == 0), values_uv[drawn]
    x, y = LEFT + seconds * mm_per_s * MM, top + HEIGHTS[row] + values_uv / 1000 * 10 * MM
    path_points = [*before, *np.round(np.column_stack([x, y]), decimals)]
    for start in range(0, len(path_points) - 1, points_per_piece):
        path = canvas.beginPath()
        path.moveTo(*path_points[start])
        for point in path_points[start + 1 : start + points_per_piece + 1]:
            path.lineTo(*point)
        canvas.drawPath(path)

"""Dates of recordings whose files say none, from a table."""

from pathlib import Path

from edge_ecg.datasets.labelling import table_rows
from edge_ecg.errors import DatasetError
from edge_ecg.readers.header import recorded_at_in

COLUMNS = "file,date"


class Dates:
    """When recordings were made, by the name of their file or its end."""

    def __init__(self, path: Path):
        """Read a CSV file of `file,date`, dates such as 2024-03-01 or '2024-03-01 08:03'. Raises DatasetError."""
        self._path = path
        self._times: dict[str, str] = {}
        self._lines: dict[str, int] = {}
        for number, name, text in table_rows(path, COLUMNS):
            time = recorded_at_in(text)
            if time is None:
                expected = "expected a date such as 2024-03-01 or 2024-03-01 08:03"
                raise DatasetError(f"{path}: line {number} has {text[:40]!r}; {expected}")
            if self._times.setdefault(name, time) != time:
                raise DatasetError(f"{path}: line {number} dates {name[:60]!r} a second time, differently")
            self._lines.setdefault(name, number)
        self._unused = set(self._times)

    def of(self, name: str) -> str | None:
        """Date, perhaps time and zone, of the recording of this name. Raises DatasetError if two rows fit it."""
        fits = [wanted for wanted in self._times if f"/{name}".endswith(f"/{wanted}")]
        if len({self._times[wanted] for wanted in fits}) > 1:
            raise DatasetError(f"{name}: {len(fits)} rows of {self._path} fit it; give more of its path")
        self._unused -= set(fits)
        return self._times[fits[0]] if fits else None

    def require_all_used(self) -> None:
        """Raises DatasetError for a row that fits no recording."""
        if self._unused:
            name = min(self._unused, key=self._lines.__getitem__)
            raise DatasetError(f"{self._path}: line {self._lines[name]} ({name[:60]!r}) matches no recording")

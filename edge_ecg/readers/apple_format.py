"""Apple's file format: the words and marks of each language, and files as the Health app exports them.

The synthetic person is written with all header lines; what is imported is written without the personal ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.recording import Recording


@dataclass(frozen=True)
class Locale:
    """The words and the decimal mark that one language and region put into the file."""

    name: str
    birth: str
    recorded: str
    classification: str
    sinus_rhythm: str
    symptoms: str
    software: str
    device: str
    rate: str
    lead: str
    lead_i: str
    unit: str
    hertz: str  # as it follows the number, its space included
    decimal: str


_ENGLISH = Locale(
    "Name", "Date of Birth", "Recorded Date", "Classification", "Sinus Rhythm", "Symptoms",
    "Software Version", "Device", "Sample Rate", "Lead", "Lead I", "Unit", " hertz", ".",
)  # fmt: skip

# Keys from real exports; in Chinese only name, date and rate are. Other languages are read by structure.
LOCALES = {
    "en": _ENGLISH,
    "en-DE": replace(_ENGLISH, hertz="\N{NO-BREAK SPACE}hertz", decimal=","),
    "de": Locale(
        "Name", "Geburtstag", "Aufzeichnungsdatum", "Klassifizierung", "Sinusrhythmus", "Symptome",
        "Softwareversion", "Gerät", "Messrate", "Ableitung", "Ableitung I", "Einheit",
        "\N{NO-BREAK SPACE}hertz", ",",
    ),
    "zh": Locale(
        "姓名", "出生日期", "记录日期", "分类", "窦性心律", "症状",
        "软件版本", "设备", "采样率", "导联", "导联 I", "单位", "赫兹", ".",
    ),
}  # fmt: skip


def is_apple(head: bytes) -> bool:
    """Whether a file with this beginning is an ECG of the Health app, in a known language."""
    text = head.decode(errors="ignore")
    keys = ((words.recorded, words.rate, words.lead, words.unit) for words in LOCALES.values())
    return any(all(f"\n{key}," in text for key in of_locale) for of_locale in keys)


def write_apple_csv(
    path: str | Path,
    samples_uv: Sequence[float] | np.ndarray,
    sample_rate_hz: float,
    recorded_at: datetime | str,
    locale: str = "en",
    name: str = "Synthetic Person",
) -> None:
    """Write a recording as Apple's Health app would in `locale`, a key of LOCALES; for synthetic people.

    As in Apple's files, numbers have up to three decimals, no zeros at the end. A time without a zone is UTC.
    Raises RecordingError for an unknown locale.
    """
    if locale not in LOCALES:
        raise RecordingError(f"locale is {locale!r}; expected one of {', '.join(LOCALES)}")
    words = LOCALES[locale]
    if isinstance(recorded_at, datetime):
        recorded_at = f"{recorded_at:%Y-%m-%d %H:%M:%S} " + (f"{recorded_at:%z}" or "+0000")
    lines = [
        f"{words.name},{''.join(filter(str.isprintable, name))}",
        f'{words.birth},"Synthetic Date"',
        f"{words.recorded},{recorded_at}",
        f"{words.classification},{words.sinus_rhythm}",
        f"{words.symptoms},",
        f"{words.software},1.90",
        f'{words.device},"Watch0,0"',
        f"{words.rate},{_written(sample_rate_hz, words.decimal)}{words.hertz}",
        "",
        "",
        f"{words.lead},{words.lead_i}",
        f"{words.unit},µV",
        "",
        *(_written(value, words.decimal) for value in np.asarray(samples_uv, dtype=np.float64)),
    ]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def anonymous_csv(recording: Recording, recorded_at: str) -> bytes:
    """A recording as an Apple file without personal data: date, rate, lead and unit, then the values.

    Where samples are missing, each value has its number before it, so that an empty one stands out.
    """
    values = ["" if np.isnan(value) else _written(value, ".") for value in recording.samples_uv]
    if "" in values:
        values = ["Sample,ECG", *(f"{number},{value}" for number, value in enumerate(values))]
    lines = [
        f"{_ENGLISH.recorded},{recorded_at}",
        f"{_ENGLISH.rate},{_written(recording.sample_rate_hz, '.')}{_ENGLISH.hertz}",
        *([f"{_ENGLISH.lead},Lead {recording.lead}"] if recording.lead else []),
        f"{_ENGLISH.unit},µV",
        "",
        *values,
    ]
    return ("\n".join(lines) + "\n").encode()


def _written(value: float, decimal: str) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".").replace(".", decimal)

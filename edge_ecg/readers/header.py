"""Header lines above the values: rate, unit, time of recording. The person's lines are left out first.

Rates are spelled in as many ways as there are programs. A line that states one and can't be read is an error, never
ignored: a wrong rate silently gives wrong RR intervals.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

from edge_ecg.errors import RecordingError
from edge_ecg.readers.apple_format import LOCALES
from edge_ecg.readers.times import PER_SECOND
from edge_ecg.recording import MICROVOLTS_PER, RATE_RANGE_HZ, gregorian_year, is_same_rate, lead_in

Fields = list[tuple[str, str]]  # key and value of each line

_KNOWN = LOCALES.values()
_PERSON_KEYS = {key.casefold() for locale in _KNOWN for key in (locale.name, locale.birth)}
_RATE_KEYS = {locale.rate.casefold() for locale in _KNOWN}
# fmt: off
_SHORT_RATE_KEYS = {
    "fs", "sr", "sps", "rate", "freq", "frequency", "hz", "hertz", "sf", "sfreq", "srate", "fsamp", "fsample",
    "samplerate", "sampling", "frequenz", "fréquence", "frequenza", "frecuencia", "частота", "频率", "頻率", "周波数",
}
# fmt: on
_UNIT_KEYS = {locale.unit.casefold() for locale in _KNOWN} | {"units", "unité", "unidad", "единица", "単位"}
_LEAD_KEYS = {locale.lead.casefold() for locale in _KNOWN}
_DEVICES = re.compile(
    r"\bWatch\d\d?,\d\d?\b|\bPolar (?:H\d\d?|OH1|Verity Sense)\b|\bMovesense\b|\bBITalino\b", re.IGNORECASE
)
_SCALE = re.compile(r"\b(?:gain|scale|scaling|factor|lsb|resolution|sensitivity|adu|counts?)\b")
_RECORDED_KEYS = {locale.recorded.casefold() for locale in _KNOWN}
_RECORDED_WORDS = re.compile(r"record|start|begin|acqui|measure|captur|aufzeichn|aufnahme")

_MARKS = " \t#;%/*!\"'{}|,"  # around a line
_PAIR_END = re.compile(r"[,;|]\s*")
_PAIR = re.compile(r"[^\W\d_][^:=\d]*[:=]")
_AFTER_KEY = re.compile(r"\s*(?::=|[,;:\t=|])\s*")
_WORD = re.compile(r"[^\W_]+|/")
_LETTERS = re.compile(r"[^\W\d_]+")

_SAMPLING = re.compile(
    r"samp|abtast|échant|echant|muestr|campion|\bcamp\b|amostr|próbk|probk|vzork|дискрет|采样|採樣|取样|取樣|サンプル|サンプリング|샘플|표본|"
    r"δειγμ|örnek|bemonster|minta|näyt|acqui|digiti|\bdata\b|\badc\b|\bscan\b|\brecording\b"
)
_A_RATE = re.compile(
    r"rate|freq|frek|fréq|taux|frecu|tasa|tasso|taxa|h(?:z|ertz)\b|speed|часто|率|频|頻|周波数|速度|レート|주파수|속도|συχν|hızı|"
    r"per ?s(?:ec|\b)|/ ?s\b|\bsps\b|\bfs?\b"
)
_AN_INTERVAL = re.compile(r"interval|period|spacing|\bstep\b|\bdt\b|delta t|^samp\w* time")
_INTERVAL_ALONE = re.compile(r"(?:dt|delta t|interval|time step|step)\b")
_NO_SAMPLING = re.compile(
    r"heart|pulse?\b|herz|card|resp|breath|bpm|filter|notch|band ?width|pass\b|cut ?-?off|mains|corner|line freq|power|"
    r"baud|\bbit|refresh|display|screen|пульс|心"
)
_BEATS = re.compile(r"bpm|/ ?min")
_RATE_SUFFIX = re.compile(r" ?\b(?:in|k?hz|hertz|ecg|nominal)\b")

_NUMBER = r"(?<![-\d])(?<!\d[.,\s])(\d+(?:[.,]\d+)?(?:e[-+]?\d+)?)"
_HERTZ = r"\s*\(?\[?(k?)(?:hert|herc|hz|赫|ヘルツ|헤르츠|герц|гц|херц|χερτζ|هرتز|הרץ|เฮิรตซ์)"
_PER_SECOND = r"\s*(k?)(?:sps\b|s/s\b|/ ?s\b|(?:samples?|points?|values?)?\s*(?:per|/)\s*s(?:ec(?:onds?)?)?\b)"
_A_NUMBER = re.compile(_NUMBER, re.IGNORECASE)
_RATE = re.compile(f"{_NUMBER}(?:{_HERTZ}|{_PER_SECOND})", re.IGNORECASE)
_STEP = re.compile(_NUMBER + r"\s*(s|sec|ms|msec|us)\s*/\s*sample", re.IGNORECASE)
_KILO = re.compile(r"k(?:hz|hert)", re.IGNORECASE)
# What an error may show of a value: never a name.
_SHOWN = re.compile(r"[-+]?(?:\d+(?:[.,]\d+)?(?:e[-+]?\d+)?|inf(?:inity)?|nan)\s*(?:k?hz|hertz)?", re.IGNORECASE)
_INTERVAL = re.compile(_NUMBER + r"\s*(s|sec|seconds?|ms|msec|milliseconds?|[µμu]s|ns)?\b", re.IGNORECASE)
# Hertz in any other language: Apple's file names 511 to 514 of them, as no heart beats, alone in the field.
_RATE_IN_UNKNOWN_WORDS = re.compile(r"(5[012]\d(?:[.,]\d+)?)\s*[^\W\d_][^\d,.;:/]{0,20}")
_EXPONENT = re.compile(r"\de[-+]?\d")
_OTHER_UNIT = re.compile(r"\d\s*[^\W\d_]")  # behind a number

_BRACKETED = re.compile(r"[\[(]\s*([^\])]{1,20}?)\s*[\])]")
_NO_VOLTS = re.compile(r"hz|hert|\d", re.IGNORECASE)
# A line that is about no unit of the values.
_NO_UNIT = re.compile(r"/|gain|resol|range|scale|filter|\bper\b|\badu?\b|count|lsb|\bbits?\b")

_DAY = r"(?P<y>\d{4})[-/.](?P<m>\d\d?)[-/.](?P<d>\d\d?)"
_HALF = r"(?!Z\b|UTC|GMT)[^\W\d_]+\.?(?:\s?[^\W\d_]+\.?)?"  # am, p. m., 午後: looked up, and else not understood
_CLOCK = (
    rf"(?P<before>{_HALF}\s?)?(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?"
    rf"(?P<after>\s?{_HALF})?(?:\s?(?:UTC|GMT)(?=[\s+-]|$))?"
)
_TIME = re.compile(_CLOCK)
_ZONE = r"(?P<zone>Z|[-+]\d\d:?\d\d)"
_RECORDED_AT = re.compile(rf"{_DAY}(?:[T\s]+{_CLOCK}(?:\s?{_ZONE})?)?")
_IN_WORDS = re.compile(r"(?P<month>[a-z]{3})[a-z]*\.? (?P<d>\d\d?),? (?P<y>\d{4})", re.IGNORECASE)
_DAY_FIRST = re.compile(r"\b(\d\d?)\.(\d\d?)\.(\d{4})\b")  # with points
# A year of the era Reiwa, or of four digits: other eras are unknown.
_EAST_ASIAN = re.compile(r"((?<=令和)\d\d?|(?<!\d)\d{4})[年년]\s?(\d\d?)[月월]\s?(\d\d?)[日일]")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_AFTER_NOON = {"pm", "nachm", "下午", "午後", "오후", "م", "μμ", "ch", "em", "ip", "du", "odp"}
_BEFORE_NOON = {"am", "vorm", "上午", "午前", "오전", "ص", "πμ", "sa", "fm", "ap", "de", "dop"}

# Every pattern and word by which text is read here: Swift and the page of `edge-ecg web` are given the same.
VOCABULARY: Mapping[str, re.Pattern[str] | str | Collection[str]] = {
    "person_keys": _PERSON_KEYS,
    "rate_keys": _RATE_KEYS,
    "short_rate_keys": _SHORT_RATE_KEYS,
    "unit_keys": _UNIT_KEYS,
    "recorded_keys": _RECORDED_KEYS,
    "recorded_words": _RECORDED_WORDS,
    "marks": _MARKS,
    "pair_end": _PAIR_END,
    "pair": _PAIR,
    "after_key": _AFTER_KEY,
    "word": _WORD,
    "letters": _LETTERS,
    "sampling": _SAMPLING,
    "a_rate": _A_RATE,
    "an_interval": _AN_INTERVAL,
    "interval_alone": _INTERVAL_ALONE,
    "no_sampling": _NO_SAMPLING,
    "beats": _BEATS,
    "rate_suffix": _RATE_SUFFIX,
    "number": _A_NUMBER,
    "rate": _RATE,
    "step": _STEP,
    "kilo": _KILO,
    "shown": _SHOWN,
    "interval": _INTERVAL,
    "rate_in_unknown_words": _RATE_IN_UNKNOWN_WORDS,
    "exponent": _EXPONENT,
    "other_unit": _OTHER_UNIT,
    "bracketed": _BRACKETED,
    "no_volts": _NO_VOLTS,
    "no_unit": _NO_UNIT,
    "time": _TIME,
    "recorded_at": _RECORDED_AT,
    "in_words": _IN_WORDS,
    "day_first": _DAY_FIRST,
    "east_asian": _EAST_ASIAN,
    "months": _MONTHS,
    "after_noon": _AFTER_NOON,
    "before_noon": _BEFORE_NOON,
}


def fields_of(lines: Sequence[str]) -> Fields:
    """Key and value of each line, the last first; the person's lines are gone."""
    plain = (line.strip(_MARKS) for line in reversed(lines))
    split = (_AFTER_KEY.split(part, maxsplit=1) for line in plain for part in _parts(line))
    fields = [
        (field[0].strip(" \"'").casefold(), field[-1].strip(" ,;\t\"'") if field[1:] else field[0]) for field in split
    ]
    return [(key, value) for key, value in fields if key and key not in _PERSON_KEYS]


def _parts(line: str) -> list[str]:
    """The `key: value` pairs of a line with several, or else the line."""
    pairs = [part for part in _PAIR_END.split(line) if _PAIR.match(part)]
    return pairs if len(pairs) > 1 else [line, *(pair for pair in pairs if not line.startswith(pair))]


def stated_rate_hz(fields: Fields) -> float | None:
    """The rate that the header states, None if it states none.

    Raises RecordingError for a statement that is no number of hertz, and for two that differ.
    """
    rates = [_of_key(key, value) for key, value in fields if _is_rate_key(key, value)]
    rates += [1 / interval for key, value in fields if (interval := _interval_s(key, value))]
    rates += [PER_SECOND[found[2].casefold()[:2].rstrip("e")] / _number(found[1]) for found in _steps(fields)]
    if not rates:
        rates = [rate for key, value in fields if (rate := _named(key, value)) is not None]
        rates = [rate for rate in rates if RATE_RANGE_HZ[0] <= rate <= RATE_RANGE_HZ[1]] or rates[:1]
    if not rates:
        found = filter(None, (_RATE_IN_UNKNOWN_WORDS.fullmatch(value) for _, value in fields))
        rates = [_number(match[1]) for match in found]
    for rate in rates[1:]:
        if not is_same_rate(rate, rates[0]):
            raise RecordingError(f"states two sample rates, {rates[0]:g} and {rate:g} Hz; --rate can't decide for it")
    if rates and rates[0] <= 0:
        raise RecordingError(f"states a sample rate of {rates[0]:g} Hz, which is none; give the right one with --rate")
    return rates[0] if rates else None


def stated_or_override_hz(fields: Fields, override_hz: float | None) -> float | None:
    """The rate that the header states, None if it states none, or none that can be read where the user gives one."""
    try:
        return stated_rate_hz(fields)
    except RecordingError:
        if override_hz is None:
            raise
        return None


def names_a_rate(fields: Fields) -> bool:
    """Whether some line names a number of hertz, in a word that is known."""
    return any(_named(key, value) is not None for key, value in fields)


def _words(key: str) -> str:
    return " ".join(_WORD.findall(key.casefold()))


def _is_rate_key(key: str, value: str) -> bool:
    words = _words(key)
    if _NO_SAMPLING.search(words) or _AN_INTERVAL.search(words):
        return False
    if key in _RATE_KEYS or (_SAMPLING.search(words) and (_A_RATE.search(words) or _RATE.search(value))):
        return True
    bare = _RATE_SUFFIX.sub("", words).strip() or words
    if not {key, bare, words.replace(" ", "")} & _SHORT_RATE_KEYS:
        return False
    # A frequency may also be the heart's: its number stands alone or with hertz, if it is of samples.
    is_rate = _RATE.search(value) or _SHOWN.fullmatch(value)
    return bool(is_rate or not _OTHER_UNIT.search(_EXPONENT.sub("", value)))


def _of_key(key: str, value: str) -> float:
    named = _RATE.findall(value)
    numbers = _A_NUMBER.findall(value)
    if (len(named) != 1 and len(numbers) != 1) or _BEATS.search(value.casefold()):
        shown = f" ({value})" if _SHOWN.fullmatch(value) else ""
        raise RecordingError(
            f"sample rate is not a number of hertz{shown}; expected it as in '512 hertz'; set it with --rate"
        )
    kilo = _KILO.search(key) or (named and (named[0][1] or named[0][2])) or _KILO.search(value)
    return _number(named[0][0] if len(named) == 1 else numbers[0]) * (1000 if kilo else 1)


def _named(key: str, value: str) -> float | None:
    if _NO_SAMPLING.search(_words(key)) or _NO_SAMPLING.search(value.casefold()):
        return None
    found = _RATE.search(value)
    return _number(found[1]) * (1000 if found[2] or found[3] else 1) if found else None


def _interval_s(key: str, value: str) -> float | None:
    words = _words(key)
    alone = _INTERVAL_ALONE.match(words)
    if not _AN_INTERVAL.search(words) or not (alone or _SAMPLING.search(words)) or _NO_SAMPLING.search(words):
        return None
    found = _INTERVAL.search(value)
    number = _number(found[1]) if found else 0.0
    if words.startswith("samp") and words.endswith("time") and not (found and found[2]):
        return None  # a time of day
    if not found or not number:
        raise RecordingError("sampling interval is not a number of seconds; set it with --rate")
    said = (found[2] or next((word for word in words.split() if word in PER_SECOND), "")).casefold()
    unit = {"m": "ms", "n": "ns", "s": "s", "": ""}.get(said[:1], "us")
    fits = (per for per in PER_SECOND.values() if RATE_RANGE_HZ[0] <= per / number <= RATE_RANGE_HZ[1])
    return number / (PER_SECOND[unit] if unit else next(fits, 1.0))


def _steps(fields: Fields) -> list[re.Match[str]]:
    """Rate from a step such as `2 msec/sample`, as AcqKnowledge writes it."""
    found = (_STEP.fullmatch(value) for _, value in fields)
    steps = [match for match in found if match]
    if any(not _number(step[1]) for step in steps):
        raise RecordingError("states a step of 0 between samples; set it with --rate")
    return steps


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def stated_unit(fields: Fields, heading: str = "") -> str | None:
    """The unit: of the column's heading, of a line that is about it, or a word that only a unit is."""
    if heading:
        words = _LETTERS.findall(heading)
        known = [word for word in words if word.casefold() in MICROVOLTS_PER and word.casefold() != "v"]
        bracketed = _BRACKETED.search(heading)
        if known or (bracketed and not _NO_VOLTS.search(bracketed[1])):
            return known[-1] if known else bracketed and bracketed[1]
    named = next((value for key, value in fields if _words(key) in _UNIT_KEYS and value), None)
    if named:
        return named
    plain = (value for key, value in fields if not _NO_UNIT.search(f"{key} {value}".casefold()))
    last_words = (_LETTERS.findall(value)[-1:] for value in plain)
    seen = {word for words in last_words for word in words if word.casefold() in MICROVOLTS_PER}
    return next((word for word in sorted(seen) if len(word) > 1), None)  # a lone V may be anything


def require_no_scale(fields: Fields, unit: str | None) -> None:
    """Raises RecordingError for a gain beside samples, which may then be counts, unless the user gave their `unit`."""
    for key, value in fields:
        if unit is None and _SCALE.search(_words(key)) and value not in ("1", "1.0"):
            raise RecordingError(
                f"has {ascii(key)[1:-1]:.20} beside its samples, which may be counts; save them in a unit of volts, or "
                "give the unit that they are in: --unit"
            )


def stated_lead(fields: Fields) -> str | None:
    """The lead of a line that is about it: `Lead,Lead I`, in any language the value repeats the key."""
    about = (value for key, value in fields if key in _LEAD_KEYS or (key and value.casefold().startswith(f"{key} ")))
    return next(filter(None, map(lead_in, about)), None)


def stated_device(text: str) -> str | None:
    """The model of the device that a text names. Only known makes: any other name may be its owner's."""
    found = _DEVICES.search(text)
    return found[0] if found else None


def recorded_at(fields: Fields) -> str | None:
    """Time of recording: a time with its zone, which no birth date has, or the value of a line about it."""
    about = [value for key, value in fields if key in _RECORDED_KEYS or _RECORDED_WORDS.search(_words(key))]
    for value in about:
        if found := recorded_at_in(value):
            return found
    return next((found for _, value in fields if (found := recorded_at_in(value, needs_zone=True))), None)


def recorded_at_in(text: str, needs_zone: bool = False) -> str | None:
    """`YYYY-MM-DD HH:MM:SS ZONE` of the first date in a text, its time and zone left out where it has none.

    The year becomes Gregorian where only years differ; of another calendar nothing is known, so neither is the date.
    """
    text = re.sub(r"\d", lambda digit: str(unicodedata.decimal(digit[0])), unicodedata.normalize("NFKC", text))
    text = _DAY_FIRST.sub(r"\3-\2-\1", text)
    text = _EAST_ASIAN.sub(lambda found: f"{found[1].zfill(4)}-{found[2]}-{found[3]} ", text)
    found, in_words = _RECORDED_AT.search(text), None if needs_zone else _IN_WORDS.search(text)
    if found and (found["zone"] or not needs_zone):
        day = _day(found["y"], found["m"], found["d"])
        clock = _clock(found)
        return " ".join(filter(None, (day, clock, clock and found["zone"]))) if day else None
    if in_words and in_words["month"].casefold() in _MONTHS:
        day = _day(in_words["y"], str(_MONTHS.index(in_words["month"].casefold()) + 1), in_words["d"])
        time = _TIME.search(text[in_words.end() :].replace(" at ", " "))
        return " ".join(filter(None, (day, time and _clock(time)))) if day else None
    return None


def _day(year: str, month: str, day: str) -> str | None:
    gregorian = gregorian_year(int(year))
    return f"{gregorian}-{int(month):02}-{int(day):02}" if gregorian and int(month) <= 12 and int(day) <= 31 else None


def _clock(found: re.Match[str]) -> str | None:
    """The time of day in 24 hours; None if there is none, or its half of the day is in words that are not known."""
    if found["hour"] is None:
        return None
    hour, half = int(found["hour"]), re.sub(r"\W", "", (found["before"] or "") + (found["after"] or "")).casefold()
    if half and half not in _AFTER_NOON | _BEFORE_NOON:
        return None
    if half:
        hour = hour % 12 + (12 if half in _AFTER_NOON else 0)
    return f"{hour:02}:{found['minute']}:{found['second'] or '00'}" if hour < 24 else None

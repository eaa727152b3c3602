"""`python -m tests.vocabulary`: the words and patterns of file headers for Swift, from those of Python.

Letters, digits and case are tables as well, of Unicode 3.2, which never change: Swift's own are 80 KB of a program.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from pathlib import Path

from edge_ecg.readers.header import VOCABULARY
from edge_ecg.readers.text import MOST_HEADER
from edge_ecg.readers.times import PER_SECOND
from edge_ecg.recording import MICROVOLTS_PER

FILE = Path(__file__).parent.parent / "ios_bridge/Sources/EdgeECGCore/Readers/Text/Vocabulary.swift"
_LAST = 0xFFFF  # letters beyond are taken for letters
_CASED = (*range(0xC0, 0x180), *range(0x370, 0x588))  # Latin, Greek, Cyrillic and Armenian
_WIDTH = 118
_HEAD = """/// The words and patterns of file headers, and letters: written by `python -m tests.vocabulary`.
// swift-format-ignore-file
enum Vocabulary {"""


def swift() -> str:
    """The text of Vocabulary.swift."""
    parts = [_constant(name, value) for name, value in VOCABULARY.items()]
    parts += [_numbers("microvoltsPer", MICROVOLTS_PER), _numbers("perSecond", PER_SECOND)]
    parts += [f"  static let mostHeaderCharacters = {MOST_HEADER}"]
    letters = [character for pair in _runs() for character in pair]
    digits = [code for code in range(128, _LAST) if _category(code) == "Nd" and unicodedata.decimal(chr(code), -1) == 0]
    capitals = [number for run in _capitals() for number in run]
    parts += [
        _array("First and last letter or number of each run beyond ASCII, in turn.", "wordRuns", letters),
        _array("The zero of each script's digits beyond ASCII.", "zeros", digits),
        _array("Capitals in runs: first, last, step, and distance to the small letter.", "capitals", capitals, "Int32"),
    ]
    return "\n".join([_HEAD, *parts, "}\n"])


def _constant(name: str, value: re.Pattern[str] | str | Collection[str]) -> str:
    name = re.sub(r"_([a-z])", lambda found: found[1].upper(), name)
    if isinstance(value, re.Pattern):
        ignoring = ", ignoringCase: true" if value.flags & re.IGNORECASE else ""
        return f'  static let {name} = TextPattern(\n    #"{value.pattern}"#{ignoring})'
    if isinstance(value, str):
        escaped = value.replace("\t", "\\t").replace('"', '\\"')
        return f'  static let {name} = Scalars("{escaped}")'
    words = sorted(value) if isinstance(value, set) else value
    return _wrapped(f"  static let {name} = [", [f'"{word}"' for word in words], "]")


def _numbers(name: str, values: Mapping[str, float]) -> str:
    pairs = [f'("{word}", {value:g})' for word, value in values.items()]
    return _wrapped(f"  static let {name}: [(word: String, value: Double)] = [", pairs, "]")


def _array(comment: str, name: str, values: Collection[int], kind: str = "UInt16") -> str:
    return f"  /// {comment}\n" + _wrapped(f"  static let {name}: [{kind}] = [", [str(value) for value in values], "]")


def _wrapped(head: str, words: Collection[str], tail: str) -> str:
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > _WIDTH - 6:
            lines.append("")
        lines[-1] += f"{word}, "
    return head + "\n" + "".join(f"    {line.rstrip()}\n" for line in lines) + "  " + tail


def _category(code: int) -> str:
    return unicodedata.ucd_3_2_0.category(chr(code))


def _runs() -> Iterator[tuple[int, int]]:
    for is_in, codes in groupby(range(128, _LAST), lambda code: _category(code)[0] in "LN"):
        run = list(codes)
        if is_in:
            yield run[0], run[-1]


def _capitals() -> Iterator[tuple[int, int, int, int]]:
    """Runs of (first, last, step, distance)."""
    folds = [(code, ord(chr(code).casefold()) - code) for code in _CASED
             if _category(code) != "Cn" and len(chr(code).casefold()) == 1]  # fmt: skip
    folds = [(code, distance) for code, distance in folds if distance]
    runs: list[list[int]] = []
    for code, distance in folds:
        step = code - runs[-1][1] if runs else 0
        if runs and runs[-1][3] == distance and step <= 2 and runs[-1][2] in (0, step):
            runs[-1][1:3] = code, step
        else:
            runs.append([code, code, 0, distance])
    for first, last, step, distance in runs:
        yield first, last, step or 1, distance


if __name__ == "__main__":
    FILE.write_text(swift(), encoding="utf-8")

"""JSON as typed records; errors name the entry, its value and the expected type."""

import json
import re
from functools import reduce
from typing import Annotated, Any, TypeVar

import msgspec

from edge_ecg.errors import EdgeEcgError

MOST_LEVELS = 64
MOST_DIGITS = 1000  # of a number
MOST_COUNT, MOST_NUMBER = 1_000_000, 1e9  # beyond them no constant makes sense, and sums of a few still fit

Count = Annotated[int, msgspec.Meta(ge=0, le=MOST_COUNT)]
Number = Annotated[float, msgspec.Meta(ge=-MOST_NUMBER, le=MOST_NUMBER)]
Part = Annotated[float, msgspec.Meta(ge=0, le=1)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$", max_length=64)]

T = TypeVar("T")


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Entries by name, of which none may be missing but those that may be null, and none unknown."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values


def parsed(raw: bytes) -> Any:
    """The JSON document in bytes, read as strictly as Swift does. Raises ValueError.

    UTF-8 without a mark, no name twice, no NaN, at most 64 levels, no half of a surrogate pair.
    """
    text = raw.decode()
    value = json.loads(
        text, object_pairs_hook=_entries, parse_constant=_no_number, parse_int=_integer, parse_float=_finite
    )
    _require_plain(value, 1)
    return value


def to_record(kind: type[T], value: Any, name: str, error: type[EdgeEcgError]) -> T:
    """A value, as JSON or TOML gave it, as a record of that kind; `name` is its name in errors. Raises `error`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as problem:
        raise error(_sentence(kind, value, str(problem), name)) from None


def to_whole_record(kind: type[T], value: Any, name: str, error: type[EdgeEcgError]) -> T:
    """`to_record`, where an entry with a default may not be missing either: Swift reads the same and has none."""
    record = to_record(kind, value, name, error)
    _require_entries(msgspec.to_builtins(record), value, name, error)
    return record


def schema_of(kind: type) -> dict[str, Any]:
    """The JSON Schema of a record, of which every entry is required that may not be null."""
    schema = msgspec.json.schema(kind)
    for part in schema["$defs"].values():
        part.pop("title"), part.pop("description", None)
        if part["type"] == "object" and not part.get("additionalProperties", True):
            entries = part["properties"].items()
            part["required"] = [name for name, entry in entries if entry.get("default", name) is not None]
        for entry in part["properties"].values():
            entry.pop("default", None)
    return schema


def _entries(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError("a name comes twice")
    return entries


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _integer(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError("a number is too long")
    return int(text)


def _finite(text: str) -> float:
    if len(text) > MOST_DIGITS:
        raise ValueError("a number is too long")
    return float(text)


def _require_plain(value: Any, level: int) -> None:
    """Raise ValueError for more levels than are read, and for text that is none."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, dict | list):
        if level > MOST_LEVELS:
            raise ValueError(f"more than {MOST_LEVELS} levels")
        for key in value if isinstance(value, dict) else ():
            key.encode()
        for item in value.values() if isinstance(value, dict) else value:
            _require_plain(item, level + 1)


def _require_entries(wanted: Any, value: Any, name: str, error: type[EdgeEcgError]) -> None:
    """Raise `error` for an entry that has a default in Python: what is written says everything."""
    if isinstance(wanted, dict):
        for key, below in wanted.items():
            if key not in value and below is not None:
                raise error(f"{name} lacks {key}: it is of another version")
            if key in value:
                _require_entries(below, value[key], f"{name}.{key}", error)
    elif isinstance(wanted, list | tuple):
        for place, item in enumerate(wanted):
            _require_entries(item, value[place], f"{name}[{place}]", error)


# msgspec's words for types.
TYPES = {
    **{"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false", "array": "a list"},
    **{"object": "entries by name", "null": "nothing"},
}
SIGNS = {"of length >=": "of at least", "of length": "of", "<=": "up to", ">=": "from", ">": "above"}


def _sentence(kind: Any, value: Any, problem: str, name: str) -> str:
    """msgspec's sentence in our words, with the name of the entry and what it is."""
    reason, _, path = problem.partition(" - at `$")
    steps = _steps(kind, value, problem, path.removesuffix("`"))
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{_shown(step)}" for step in steps)
    whole = f"{name} {path.removeprefix('.')}".rstrip() if name.endswith(":") else name + path
    if match := re.match(r"Object missing required field `(.*)`", reason):
        return f"{whole} has no entry {match[1]!r}"
    if match := re.match(r"Object contains unknown field `(.*)`", reason):
        return f"{whole} has an unknown entry {match[1][:60]!r}: misspelled, or of another version"
    if not reason.startswith("Expected"):
        return f"{whole}: {reason}"
    expected = reason.removeprefix("Expected ").partition(", got")[0]
    expected = re.sub(r"`(\w+)", lambda match: TYPES.get(match[1], "entries by name"), expected)
    expected = expected.replace("`", "").replace(" | ", " or ")
    for sign, word in SIGNS.items():
        expected = expected.replace(f" {sign} ", f" {word} ")
    return f"{whole} is {repr(_at(value, steps))[:60]}, expected {expected}"


def _shown(key: str) -> str:
    return key[:60] if key.isprintable() else repr(key[:60])


def _steps(kind: Any, value: Any, problem: str, path: str) -> list[str | int]:
    """The steps of a path such as `.parity[0].bytes`. Of entries by name msgspec writes `[...]` for any: it is the one
    that fails alone as well.
    """
    steps: list[str | int] = []
    for name, place in re.findall(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]", path):
        if place == "...":
            name = next((key for key in _at(value, steps) if _fails_alone(kind, value, steps, key, problem)), "...")
        steps.append(name or int(place))
    return steps


def _fails_alone(kind: Any, value: Any, steps: list[str | int], key: str, problem: str) -> bool:
    """Whether there is the same problem with this entry alone of those at `steps`."""
    try:
        msgspec.convert(_with_one(value, steps, key), kind)
    except msgspec.ValidationError as same:
        return str(same) == problem
    return False


def _with_one(value: Any, steps: list[str | int], key: str) -> Any:
    """A value with one entry of those at `steps`, copied as far as they lead."""
    if not steps:
        return {key: value[key]}
    first, *rest = steps
    copied = value.copy()
    copied[first] = _with_one(value[first], rest, key)
    return copied


def _at(value: Any, steps: list[str | int]) -> Any:
    """The value after these steps; nothing after one that is unknown."""
    try:
        return reduce(lambda at, step: at[step], steps, value)
    except (LookupError, TypeError):
        return {}

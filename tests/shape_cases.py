"""Manifests that may fit or not, made from the record of a manifest: what Python and Swift must answer alike."""

from collections.abc import Iterator
from typing import Any

from edge_ecg.bundles.manifest import PackedManifest
from edge_ecg.contract import CONTRACT, LIMITS, Contract
from edge_ecg.records import schema_of

ODD_NUMBERS = (-1, 0, 1, 2**31, 2**53, 2**70, 0.5, 3.0, -0.0, 1e-320, 1e300)
ODD = (*ODD_NUMBERS, None, True, "", "x", "1", [], [1], ["a", "b"], {}, {"a": 1})
Place = tuple[Any, ...]


def shape_cases(manifest: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A good packed manifest, spoilt in one place each: the name of the case, and the manifest."""
    schema = schema_of(PackedManifest)
    for path, kind in _entries(manifest, {"$ref": schema["$ref"]}, schema["$defs"], ()):
        yield f"{path} missing", _edited(manifest, path, delete=True)
        for value in (*ODD, *_ends(kind)):
            yield f"{path} = {value!r}", _edited(manifest, path, value)
        place = _at(manifest, path)
        if isinstance(place, dict):
            yield f"{path} with one more", _edited(manifest, (*path, "more"), 1)
        if isinstance(place, list):
            yield f"{path} longer", _edited(manifest, path, [*place, *place[:1]])
            yield f"{path} shorter", _edited(manifest, path, place[:-1])
    yield "one more", {**manifest, "more": 1}
    for name, limits in LIMITS.items():
        for value in (limit(CONTRACT) + step for limit in limits for step in (-1, 0, 1)):
            yield f"{name} = {value!r} of its limits", _edited(manifest, ("contract", *name.split(".")), value)


def contract_ends() -> dict[str, tuple[float, float]]:
    """By number of the contract, the least and the most that it may be beside the contract's other numbers."""
    kinds = schema_of(Contract)["$defs"]
    parts = {f"{part}.": kinds[f"{part.title()}Constants"] for part in ("detector", "quality", "voting")}
    parts["guards."] = kinds["GuardConstants"]
    ends = {
        above + name: (kind["minimum"], kind["maximum"])
        for above, part in {"": kinds["Contract"], **parts}.items()
        for name, kind in part["properties"].items()
        if "minimum" in kind
    }
    return ends | {name: (least(CONTRACT), most(CONTRACT)) for name, (least, most) in LIMITS.items()}


def _entries(
    value: Any, kind: dict[str, Any], kinds: dict[str, Any], path: Place
) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Every place of a manifest, with what the schema says of it; of a long list the first and the last."""
    while "$ref" in kind or "anyOf" in kind:
        kind = kinds[kind["$ref"].rsplit("/", 1)[1]] if "$ref" in kind else kind["anyOf"][0]
    if path:
        yield path, kind
    if isinstance(value, dict):
        for key in value:
            below = kind.get("properties", {}).get(key, kind.get("additionalProperties"))
            yield from _entries(value[key], below if isinstance(below, dict) else {}, kinds, (*path, key))
    elif isinstance(value, list):
        for place in sorted({0, len(value) - 1} & set(range(len(value)))):
            items = kind.get("items") or kind.get("prefixItems", [{}] * len(value))[place]
            yield from _entries(value[place], items, kinds, (*path, place))


def _ends(kind: dict[str, Any]) -> Iterator[int | float]:
    """A number at, and beyond, either end of what it may be."""
    for name in ("minimum", "maximum", "exclusiveMinimum"):
        if name in kind:
            end = kind[name]
            step: int | float = 1 if kind["type"] == "integer" else max(abs(end) * 1e-3, 1e-15)
            yield from (end, end - step, end + step)


def _at(value: Any, path: Place) -> Any:
    for step in path:
        value = value[step]
    return value


def _edited(value: Any, path: Place, new: Any = None, delete: bool = False) -> Any:
    """A copy with one entry changed or lost; what the path does not lead through is shared."""
    first, *rest = path
    edited = value.copy()
    if rest:
        edited[first] = _edited(value[first], tuple(rest), new, delete)
    elif delete:
        del edited[first]
    else:
        edited[first] = new
    return edited

"""The report's first part: the data, and how recordings of unseen dates are decided, beside baselines."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from edge_ecg.errors import RunError
from edge_ecg.intervals import wilson_interval
from edge_ecg.report import pictures
from edge_ecg.report.findings import Findings
from edge_ecg.report.page import DASH, between, counted, percent

# Ours first, then baselines from the best down: the colours and lines that pictures and their keys share.
SERIES = (("ours", ""), ("second", ""), ("third", "dashed"), ("fifth", ""), ("fourth", ""), ("fourth", "dotted"))


def by_rank(findings: Findings) -> list[str]:
    """This comparator first, then the others by what they decide rightly. Raises RunError where it has no other."""
    assert findings.crossval is not None
    methods: dict[str, Any] = findings.crossval["methods"]
    file = findings.files["crossval"]
    if findings.architecture not in methods:
        raise RunError(
            f"{file}: has {', '.join(methods)}, expected {findings.architecture} among them: "
            f"run it with --arch {findings.architecture}"
        )
    if len(methods) < 2:
        raise RunError(f"{file}: has {findings.architecture} alone, expected baselines beside it")

    def rank(name: str) -> tuple[int, float]:
        return methods[name]["recordings"]["right"], methods[name]["auc"] or 0.0

    others = sorted((name for name in methods if name != findings.architecture), key=rank, reverse=True)
    return [findings.architecture, *others]


def first(findings: Findings) -> dict[str, Any]:
    """The main figures, each with its count and interval."""
    cards = []
    if findings.crossval is not None:
        ours, best = by_rank(findings)[:2]
        for name, role in ((ours, "this comparator"), (best, "the best other method")):
            f = findings.crossval["methods"][name]
            c = f["recordings"]
            cards.append(
                (
                    f"{c['right']} of {c['total']}",
                    f"recordings of dates left out, {role} ({name}): {between(f['accuracy_95_by_date'])} "
                    f"over {len(findings.crossval['dates'])} dates",
                )
            )
    held_out = findings.metrics["validation"]
    c = held_out["recordings"]
    cards.append(
        (
            f"{c['right']} of {c['total']}",
            f"recordings of the validation dates ({', '.join(held_out['dates'])}): {between(c['accuracy_95'])}, "
            "as if recordings of a day were independent",
        )
    )
    return {"cards": cards}


def data(findings: Findings) -> dict[str, Any]:
    """Recordings by date and state, and which set a date is in."""
    known = {row["date"]: row for row in _counts(findings)}
    columns = ("baseline", "target", "beats")
    sets = sorted((date, which) for which, dates in findings.dataset["dates"].items() for date in dates)
    return {
        "rows": [(date, which, [known.get(date, {}).get(c, DASH) for c in columns]) for date, which in sets],
        "totals": [sum(row[c] for row in known.values()) for c in columns] if len(known) == len(sets) else None,
        "with_both": sum(bool(row["baseline"] and row["target"]) for row in known.values()),
        "counted_dates": len(known),
    }


def _counts(findings: Findings) -> Iterator[dict[str, Any]]:
    if findings.crossval is not None:
        for date, f in findings.crossval["methods"][by_rank(findings)[0]]["dates"].items():
            c = f["recordings"]["confusion"]
            yield {
                "date": date,
                "baseline": c["true_baseline"] + c["false_target"],
                "target": c["true_target"] + c["false_baseline"],
                "beats": f["beats"],
            }
    elif findings.confounders is not None:
        yield from findings.confounders["data"]


def results(findings: Findings) -> dict[str, Any]:
    """All methods on dates left out, then the run on its own sets, beside all methods where they were fitted there."""
    if findings.crossval is None:
        return {"methods": [], "split": {}}
    methods = [(name, findings.crossval["methods"][name]) for name in by_rank(findings)]
    split = findings.crossval["split"]["methods"] if "split" in findings.crossval else {}
    return {"methods": methods, "split": {name: _shares(of_sets) for name, of_sets in split.items()}}


def _shares(of_sets: dict[str, Any]) -> list[str]:
    """Recordings and beats right, in each set."""
    cells = []
    for f in of_sets.values():
        cells += [
            counted(f["recordings"]["right"], f["recordings"]["total"]),
            percent(f["beats_right"] / f["beats"]),
        ]
    return cells


def by_date(findings: Findings) -> dict[str, Any]:
    """A strip of recordings for each date."""
    if findings.crossval is not None:
        date, evidence, is_target = findings.folds[findings.architecture]
        judged = "each date judged by a model that has not seen it"
    elif findings.confounders is not None:
        r = findings.confounders["recordings"]
        date, evidence, is_target = np.array(r["date"]), np.array(r["evidence"], float), np.array(r["is_target"], bool)
        judged = "the validation dates alone"
    else:
        return {"picture": None}
    rows = {str(d): (evidence[date == d], is_target[date == d]) for d in np.unique(date)}
    return {
        "picture": pictures.strips(rows, findings.labels),
        "judged": judged,
        "right": int(np.sum((evidence > 0) == is_target)),
        "total": len(evidence),
    }


def ranking(findings: Findings) -> dict[str, Any]:
    """How recordings are ranked, and whether a probability of 80 % comes true in 80 %."""
    if findings.crossval is None:
        return {"roc": None}
    methods, names = findings.crossval["methods"], by_rank(findings)[: len(SERIES)]
    areas = [f"{name} {methods[name]['auc']:.3f}" for name in names]
    curves = [(*series, *findings.folds[name][1:]) for series, name in zip(SERIES, names, strict=False)]
    ours = methods[names[0]]
    bins = [
        (
            row["said"],
            row["targets"] / row["recordings"],
            wilson_interval(row["targets"], row["recordings"]),
            row["recordings"],
        )
        for row in ours.get("reliability", ())
    ]
    return {
        "roc": pictures.roc(curves, areas),
        "keys": [(f"{colour} {line}", area) for (colour, line), area in zip(SERIES, areas, strict=False)],
        "reliability": pictures.reliability(bins) if bins else None,
        "ours": ours,
        "best": methods[names[1]],
    }

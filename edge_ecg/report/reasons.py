"""The report's second part: what the decision rests on, what drifts, and what each part of the design is worth."""

from statistics import median
from typing import Any

import numpy as np

from edge_ecg.contract import CONTRACT
from edge_ecg.report.evidence import BEAT_MS, SERIES
from edge_ecg.report.findings import Findings
from edge_ecg.report.pictures import beats, model, outcomes


def _ms(sample: float) -> float:
    """Where a sample of a beat lies, in ms from R."""
    return 1000 * (sample - CONTRACT.before_r_samples) / CONTRACT.sample_rate_hz


def confounders(findings: Findings) -> dict[str, Any]:
    """What stays right when heart rate or amplitude can't help."""
    assert findings.confounders is not None
    rows = findings.confounders["without"]
    return {"reverse": [row["name"] for row in rows if row["auc_95"][1] < 0.5]}


def parts_of_the_beat(findings: Findings) -> dict[str, Any]:
    """Occlusion over the mean beats."""
    assert findings.confounders is not None
    o = findings.confounders["occlusion"]
    mean_uv = [np.array(samples, float) for samples in o["mean_beats_uv"]]
    windows = [(_ms(w["from"]), _ms(w["to"]), w["lost"], tuple(w["lost_95"])) for w in o["windows"]]
    return {
        "picture": beats.beats(mean_uv, BEAT_MS, windows),
        "width_ms": 1000 * o["width"] / CONTRACT.sample_rate_hz,
        "parts": [(part, _where(part)) for part in o["parts"]],
    }


def _where(part: dict[str, Any]) -> str:
    if part["from"] >= len(BEAT_MS):
        return "to the R before"
    return f"{_ms(part['from']):.0f} to {_ms(part['to']):.0f} ms".replace("-", "\u2212")


def drift(findings: Findings) -> dict[str, Any]:
    """The state's effect beside what differs between days anyway."""
    assert findings.confounders is not None
    found = findings.confounders["drift"]
    unseen = found["validation"]["embedding"]["dates"]
    by_date = {
        date: (row.get("baseline"), row.get("target"))
        for date, row in sorted((found["train"]["embedding"]["dates"] | unseen).items())
    }
    return {"picture": beats.levels(by_date, list(unseen))}


PLANS = {"day's baseline": "the day's baseline", "none": "no baseline", "previous date's": "another day's baseline"}


def daily_baseline(findings: Findings) -> dict[str, Any]:
    """Decisions on dates left out, with the day's baseline and without it, before and after enrolment."""
    found = findings.daily_baseline
    assert found is not None
    seeds = found["left_aside"].items()
    bars = [
        (f"{name}, {float(confidence):.0%}", right, left_open, wrong)
        for confidence, plans in found["mean"].items()
        for plan, name in PLANS.items()
        if plan in plans
        for right, wrong, left_open, _ in [plans[plan]]
    ]
    return {
        "found": found,
        "picture": outcomes.decisions(bars),
        "means": [
            (f"{float(confidence):.0%}", [(plan, *values) for plan, values in plans.items()])
            for confidence, plans in found["mean"].items()
        ],
        "more": [
            *(("fully nested, seed 0", plan, f) for plan, f in found.get("nested", {}).get("0.95", {}).items()),
            *((f"left aside, seed {seed}", plan, f) for seed, plans in seeds for plan, f in plans.items()),
        ],
        "drifts": [
            (name, plan, *(_with_total(found["drifts"][name][when][plan]) for when in ("before", "after")))
            for name, by_time in found["drifts"].items()
            for plan in by_time["before"]
        ],
    }


def _with_total(figures: dict[str, Any]) -> dict[str, Any]:
    return {**figures, "total": sum(figures[name] for name in ("right", "wrong", "inconclusive"))}


def ablations(findings: Findings) -> dict[str, Any]:
    """One thing changed at a time."""
    assert findings.ablations is not None
    return {"picture": model.ablations(findings.ablations["rows"])}


def days(findings: Findings) -> dict[str, Any]:
    """Recordings of other days right, by days learned from; ours is drawn first."""
    assert findings.learning_curve is not None
    methods = findings.learning_curve["methods"]
    names = sorted(methods, key=lambda name: name != "comparator")[: len(SERIES)]
    series = list(zip(names, SERIES, strict=False))
    return {
        "picture": outcomes.by_days([(name, colour, line, methods[name]) for name, (colour, line) in series]),
        "keys": [(f"{colour} {line}", name) for name, (colour, line) in series],
    }


def artefacts(findings: Findings) -> dict[str, Any]:
    """What each form of the model weighs, and what it does to the decisions."""
    assert findings.artefacts is not None
    rows = [
        (row["engine"], row["bytes_with_references"], median(row["beat_us"]) if row.get("beat_us") else None)
        for row in findings.artefacts
    ]
    return {"picture": model.artefacts(rows)}


def learning(findings: Findings) -> dict[str, Any]:
    """Loss and accuracy by epoch."""
    assert findings.history is not None
    return {"picture": model.learning(findings.history["epochs"], findings.best_epoch)}

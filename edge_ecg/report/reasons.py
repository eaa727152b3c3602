"""The report's second part: what the decision rests on, what drifts, and what each part of the design is worth."""

from typing import Any

import numpy as np

from edge_ecg.contract import CONTRACT
from edge_ecg.report import pictures
from edge_ecg.report.findings import Findings


def _ms(sample: float) -> float:
    """Where a sample of a beat lies, in ms from R."""
    return 1000 * (sample - CONTRACT.before_r_samples) / CONTRACT.sample_rate_hz


def confounders(findings: Findings) -> dict[str, Any]:
    """What stays right when heart rate or amplitude can't help."""
    rows = findings.confounders["without"] if findings.confounders is not None else []
    return {"reverse": [row["name"] for row in rows if row["auc_95"][1] < 0.5]}


def parts_of_the_beat(findings: Findings) -> dict[str, Any]:
    """Occlusion over the mean beats."""
    if findings.confounders is None:
        return {"picture": None}
    o = findings.confounders["occlusion"]
    mean_uv = [np.array(samples, float) for samples in o["mean_beats_uv"]]
    samples = len(mean_uv[0])
    windows = [(_ms(w["from"]), _ms(w["to"]), w["lost"], tuple(w["lost_95"])) for w in o["windows"]]
    return {
        "picture": pictures.beats(mean_uv, np.array([_ms(i) for i in range(samples)]), windows),
        "width_ms": 1000 * o["width"] / CONTRACT.sample_rate_hz,
        "parts": [(part, _where(part) if part["from"] < samples else "") for part in o["parts"]],
    }


def _where(part: dict[str, Any]) -> str:
    return f"{_ms(part['from']):.0f} to {_ms(part['to']):.0f} ms".replace("-", "\u2212")


def drift(findings: Findings) -> dict[str, Any]:
    """The state's effect beside what differs between days anyway."""
    if findings.confounders is None:
        return {"picture": None}
    found = findings.confounders["drift"]
    unseen = found["validation"]["embedding"]["dates"]
    by_date = {
        date: (row.get("baseline"), row.get("target"))
        for date, row in sorted((found["train"]["embedding"]["dates"] | unseen).items())
    }
    return {"picture": pictures.levels(by_date, list(unseen))}


def daily_baseline(findings: Findings) -> dict[str, Any]:
    """Decisions on dates left out, with the day's baseline and without it, before and after enrolment."""
    found = findings.daily_baseline
    if found is None:
        return {"found": None}
    seeds = found["left_aside"].items()
    return {
        "found": found,
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


def learning(findings: Findings) -> dict[str, Any]:
    """Loss and accuracy by epoch."""
    history = findings.history
    return {"picture": pictures.learning(history["epochs"], findings.best_epoch) if history is not None else None}


def nothing_more(findings: Findings) -> dict[str, Any]:
    """What the template reads from the findings is all."""
    return {}

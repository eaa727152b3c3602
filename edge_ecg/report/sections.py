"""Sections of the report: the recordings, decisions on unseen dates beside other methods, and explanations."""

from collections.abc import Iterator
from statistics import median
from typing import Any

import numpy as np

from edge_ecg.contract import CONTRACT
from edge_ecg.report.findings import Findings
from edge_ecg.report.page import counted, percent
from edge_ecg.report.pictures import beats, outcomes
from edge_ecg.report.pictures import beats as model
from edge_ecg.report.summary import by_rank
from edge_ecg.results import Accuracy, CoveredPart, DateCounts, upper_bound_95, wilson_interval

# Ours first, then baselines from the best down: the colors and lines that pictures and their keys share.
SERIES = (("ours", ""), ("second", ""), ("third", "dashed"), ("fifth", ""), ("fourth", ""), ("fourth", "dotted"))
BEAT_MS = (np.arange(CONTRACT.window_samples) - CONTRACT.before_r_samples) * 1000 / CONTRACT.sample_rate_hz


def recordings(findings: Findings) -> dict[str, Any]:
    """Mean beats of both states, and a few seconds of each."""
    assert findings.overview is not None
    o = findings.overview
    examples = o.examples
    return {
        "states": beats.states(o.mean_beats_uv, o.spread_uv, BEAT_MS, findings.labels),
        "traces": examples and beats.traces(examples.samples_uv, examples.rate_hz, findings.labels),
        "date": examples and examples.date,
    }


def data(findings: Findings) -> dict[str, Any]:
    """Recordings by date, state and set; dates not counted are listed apart."""
    known = {row.date: (row.baseline, row.target, row.beats) for row in _counts(findings)}
    sets = sorted((date, which) for which, dates in findings.dataset.dates.items() for date in dates)
    return {
        "rows": [(date, which, [*known[date]]) for date, which in sets if date in known],
        "totals": [sum(column) for column in zip(*known.values(), strict=True)],
        "with_both": sum(bool(baseline and target) for baseline, target, _ in known.values()),
        "uncounted": [date for date, _ in sets if date not in known],
    }


def _counts(findings: Findings) -> Iterator[DateCounts]:
    if findings.crossval is not None:
        for date, f in findings.crossval.methods[by_rank(findings)[0]].dates.items():
            c = f.recordings.confusion
            baseline, target = c.true_baseline + c.false_target, c.true_target + c.false_baseline
            yield DateCounts(date=date, set="", baseline=baseline, target=target, beats=f.beats)
    elif findings.overview is not None:
        yield from findings.overview.data


def results(findings: Findings) -> dict[str, Any]:
    """All methods on dates left out, and on the dataset's own split; of the comparator, the run itself."""
    assert findings.crossval is not None
    names = by_rank(findings)
    of_sets = findings.crossval.split.methods
    split = {
        name: _shares([(s.recordings, s.beats_right / s.beats) for s in of_sets[name].values()])
        for name in names
        if name in of_sets
    }
    own = [findings.metrics["validation"], *([findings.evaluation] if findings.evaluation is not None else [])]
    split[findings.architecture] = _shares([(s.recordings, s.beats.right / s.beats.total) for s in own])
    return {"methods": [(name, findings.crossval.methods[name]) for name in names], "split": split}


def own_split(findings: Findings) -> dict[str, Any]:
    """The run on its sets, including the test dates if they were evaluated."""
    sets = dict(findings.metrics)
    if findings.evaluation is not None:
        sets["test"] = findings.evaluation
    return {"sets": sets}


def _shares(of_sets: list[tuple[Accuracy, float]]) -> list[str]:
    """Recordings right and the share of beats, of the validation and the test dates where they were looked at."""
    cells = []
    for recordings, beats_right in of_sets:
        cells += [counted(recordings.right, recordings.total), percent(beats_right)]
    return cells + ["not looked at", ""] * (2 - len(of_sets))


def by_date(findings: Findings) -> dict[str, Any]:
    """A strip of recordings for each date."""
    if findings.crossval is not None:
        date, evidence, is_target = findings.folds[findings.architecture]
        tested = "each date tested with a model of the other dates"
    else:
        assert findings.confounders is not None
        r = findings.confounders.recordings
        date, evidence, is_target = np.array(r.date), np.array(r.evidence, float), np.array(r.is_target, bool)
        tested = "validation dates only"
    return {
        "picture": outcomes.strips(strips_of(date, evidence, is_target), findings.labels),
        "tested": tested,
        "right": int(np.sum((evidence > 0) == is_target)),
        "total": len(evidence),
    }


def strips_of(
    date: np.ndarray, evidence: np.ndarray, is_target: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By date: evidence of its recordings, and whether they are the target's."""
    return {str(d): (evidence[date == d], is_target[date == d]) for d in np.unique(date)}


def ranking(findings: Findings) -> dict[str, Any]:
    """ROC curves, and calibration of the stated probabilities."""
    assert findings.crossval is not None
    methods, names = findings.crossval.methods, by_rank(findings)[: len(SERIES)]
    areas = [f"{name} {methods[name].auc:.3f}" for name in names]
    curves = [(*series, *findings.folds[name][1:]) for series, name in zip(SERIES, names, strict=False)]
    ours = methods[names[0]]
    bins = [
        (
            row.said,
            row.targets / row.recordings,
            wilson_interval(row.targets, row.recordings),
            row.recordings,
        )
        for row in ours.reliability
    ]
    dates = {date: (row.said, row.targets / row.recordings, row.recordings) for date, row in ours.by_date.items()}
    return {
        "roc": outcomes.roc(curves, areas),
        "keys": [(f"{color} {line}", area) for (color, line), area in zip(SERIES, areas, strict=False)],
        "reliability": outcomes.reliability(bins),
        "calibration": outcomes.calibration_by_date(dates),
        "ours": ours,
        "best": methods[names[1]],
    }


def _ms(sample: float) -> float:
    """Position of a sample of a beat, in ms from R."""
    return 1000 * (sample - CONTRACT.before_r_samples) / CONTRACT.sample_rate_hz


def confounders(findings: Findings) -> dict[str, Any]:
    """Accuracy without heart rate or amplitude."""
    assert findings.confounders is not None
    rows = findings.confounders.without
    return {"reverse": [row.name for row in rows if row.auc_95 and row.auc_95[1] < 0.5]}


def parts_of_the_beat(findings: Findings) -> dict[str, Any]:
    """Occlusion over the mean beats."""
    assert findings.confounders is not None
    o = findings.confounders.occlusion
    mean_uv = [np.array(samples, float) for samples in o.mean_beats_uv]
    windows = [(_ms(w.start), _ms(w.stop), w.lost, w.lost_95) for w in o.windows]
    return {
        "picture": beats.beats(mean_uv, BEAT_MS, windows),
        "width_ms": 1000 * o.width / CONTRACT.sample_rate_hz,
        "parts": [(part, _where(part)) for part in o.parts],
    }


def _where(part: CoveredPart) -> str:
    if part.start >= len(BEAT_MS):
        return "since the last R"
    return f"{_ms(part.start):.0f} to {_ms(part.stop):.0f} ms".replace("-", "\u2212")


def drift(findings: Findings) -> dict[str, Any]:
    """Effect of the state, compared with the differences between days."""
    assert findings.confounders is not None
    found = findings.confounders.drift
    unseen = found["validation"].embedding.dates
    by_date = {
        date: (row.get("baseline"), row.get("target"))
        for date, row in sorted((found["train"].embedding.dates | unseen).items())
    }
    return {"picture": beats.levels(by_date, list(unseen))}


PLANS = {"day's baseline": "the day's baseline", "none": "no baseline", "previous date's": "another day's baseline"}


def day_baseline(findings: Findings) -> dict[str, Any]:
    """Decisions on dates left out, with the day's baseline and without it, before and after enrolment."""
    found = findings.day_baseline
    assert found is not None
    bars = [
        (f"{name}, {float(confidence):.0%}", plans[plan].right, plans[plan].inconclusive, plans[plan].wrong)
        for confidence, plans in found.mean.items()
        for plan, name in PLANS.items()
        if plan in plans
    ]
    return {
        "found": found,
        "picture": outcomes.decisions(bars),
        "means": [(f"{float(confidence):.0%}", plans) for confidence, plans in found.mean.items()],
        "more": [
            *(("fully nested, seed 0", plan, f) for plan, f in (found.nested or {}).get("0.95", {}).items()),
            *(
                (f"as much of the day's baseline, seed {seed}", amount, f)
                for seed, amounts in found.amounts.items()
                for amount, f in amounts.items()
            ),
            *(
                (f"excluded, seed {seed}", plan, f)
                for seed, plans in found.excluded_recordings.items()
                for plan, f in plans.items()
            ),
        ],
        "drifts": [
            (name, plan, decisions, by_time.after[plan])
            for name, by_time in found.drifts.items()
            for plan, decisions in by_time.before.items()
        ],
    }


def days(findings: Findings) -> dict[str, Any]:
    """Correct recordings of other days by training days; ours is drawn first."""
    assert findings.learning_curve is not None
    methods = findings.learning_curve.methods
    names = sorted(methods, key=lambda name: name != "comparator")[: len(SERIES)]
    series = list(zip(names, SERIES, strict=False))
    return {
        "picture": outcomes.by_days([(name, color, line, methods[name]) for name, (color, line) in series]),
        "keys": [(f"{color} {line}", name) for name, (color, line) in series],
    }


def dose(findings: Findings) -> dict[str, Any]:
    """Evidence of sessions left out against the rank of measured values."""
    assert findings.dose is not None
    found = findings.dose
    correlations = (
        ("evidence", found.evidence),
        ("heart rate alone", found.heart_rate),
        ("evidence, among recordings of one label", found.one_state),
    )
    return {
        "picture": outcomes.dose(found.sessions, found.quantity, findings.labels),
        "quantity": found.quantity,
        "rows": [(name, correlation) for name, correlation in correlations if correlation],
    }


def rivals(findings: Findings) -> dict[str, Any]:
    """Decisions of all methods, and the upper bound of sessions with an error."""
    assert findings.rivals is not None
    sessions = len(findings.rivals.dates)
    return {
        "sessions": sessions,
        "rows": [
            (m, upper_bound_95(m.sessions_with_an_error, sessions), number == 0)
            for number, m in enumerate(findings.rivals.methods)
        ],
    }


def controls(findings: Findings) -> dict[str, Any]:
    """Negative controls with their expected results."""
    assert findings.placebo is not None
    return {"found": findings.placebo}


def plan(findings: Findings) -> dict[str, Any]:
    """Shares decided by the number of sessions."""
    assert findings.plan is not None
    keys = [(f"{color} {line}", name) for name, color, line in outcomes.SESSION_CURVES]
    return {"found": findings.plan, "picture": outcomes.by_sessions(findings.plan.rows), "keys": keys}


def artifacts(findings: Findings) -> dict[str, Any]:
    """Size of each form of the model, and its effect on the decisions."""
    assert findings.artifacts is not None
    rows = [
        (row.engine, round(row.bytes_with_references), median(row.beat_us) if row.beat_us else None, row.shipped)
        for row in findings.artifacts
    ]
    return {"picture": model.artifacts(rows)}


def learning(findings: Findings) -> dict[str, Any]:
    """Loss and accuracy by epoch."""
    assert findings.history is not None
    return {"picture": model.learning(findings.history.epochs, findings.best_epoch)}

"""Runs beside each other: what each is, how it decides, and whether the days that both were judged on show more."""

from collections.abc import Sequence
from math import comb
from typing import Any

import numpy as np

from edge_ecg.contract import INTENDED_USE
from edge_ecg.report.findings import Findings, told
from edge_ecg.report.page import between, percent, whole_page
from edge_ecg.report.pictures import outcomes
from edge_ecg.report.sections import strips_of
from edge_ecg.report.summary import number

ALPHA = 0.05  # of the sign test over days


def comparison(every: Sequence[Findings]) -> str:
    """The page. Raises EdgeEcgError where a file lacks an entry, and without matplotlib or Jinja2."""
    names = [findings.source.name for findings in every]
    if len(set(names)) < len(names):
        names = [str(findings.source) for findings in every]
    columns = [_figures(findings) for findings in every]
    rows = [(what, [column[what] for column in columns]) for what in columns[0] if any(c[what] for c in columns)]
    return whole_page(
        "compare.html",
        title=f"{' and '.join(names)}: Edge ECG report",
        intended_use=INTENDED_USE,
        names=names,
        rows=[(what, [cell or "not measured" for cell in cells]) for what, cells in rows],
        verdicts=[verdict(every[0], other, (names[0], name)) for other, name in zip(every[1:], names[1:], strict=True)],
        strips=[(name, _strips(f, place)) for place, (name, f) in enumerate(zip(names, every, strict=True)) if f.folds],
        labels=every[0].labels,
    )


def _strips(findings: Findings, place: int) -> Any:
    return outcomes.strips(strips_of(*findings.folds[findings.architecture]), findings.labels, f"strips-{place}")


def _figures(findings: Findings) -> dict[str, str]:
    """What stands in a run's column; an empty text for what was not measured."""
    with told(findings.files["model"]):
        shown = {
            "architecture": findings.architecture,
            "parameters": f"{findings.parameters:,}",
            "seed": str(findings.settings["seed"]),
            "epoch kept": str(findings.best_epoch),
            "train dates": ", ".join(findings.dataset["dates"]["train"]),
        }
    for file, what, tell in (
        ("crossval", "days left out: right", _left_out),
        ("crossval", "days left out: AUC", lambda f: f"{f.crossval['methods'][f.architecture]['auc']:.3f}"),
        ("daily_baseline", "against the day's baseline, 95 %", lambda f: _plan(f, "day's baseline")),
        ("daily_baseline", "without it", lambda f: _plan(f, "none")),
        ("evaluation", "test dates", lambda f: _of_set(f.evaluation)),
        ("metrics", "validation dates (they stopped the training)", lambda f: _of_set(f.metrics["validation"])),
    ):
        shown[what] = ""
        if getattr(findings, file) is not None:
            with told(findings.files[file]):
                shown[what] = tell(findings)
    return shown


def _left_out(findings: Findings) -> str:
    assert findings.crossval is not None
    f = findings.crossval["methods"][findings.architecture]
    return f"{f['recordings']['right']} of {f['recordings']['total']} ({between(f['accuracy_95_by_date'])} over days)"


def _plan(findings: Findings, plan: str) -> str:
    assert findings.daily_baseline is not None
    right, wrong, left_open, _ = findings.daily_baseline["mean"]["0.95"][plan]
    return f"{number(right)} right, {number(wrong)} wrong, {number(left_open)} left open"


def _of_set(of_set: dict[str, Any]) -> str:
    right = of_set["recordings"]
    return f"{right['right']} of {right['total']} ({between(right['accuracy_95'])})"


def verdict(one: Findings, other: Findings, names: tuple[str, str]) -> str:
    """One sentence: on the recordings of days left out of both, which one is right more often, by days."""
    judged, others = (f.folds.get(f.architecture) for f in (one, other))
    if judged is None or others is None:
        return f"{names[0]} and {names[1]} can't be compared day by day: train.study has not left days out of both."
    (dates, evidence, truth), (other_dates, other_evidence, other_truth) = judged, others
    if not (np.array_equal(dates, other_dates) and np.array_equal(truth, other_truth)):
        return f"{names[0]} and {names[1]} were judged on other recordings, so their figures can't be subtracted."
    more = ((evidence > 0) == truth).astype(int) - ((other_evidence > 0) == other_truth)
    by_day = [int(more[dates == date].sum()) for date in np.unique(dates)]
    better, worse = sum(n > 0 for n in by_day), sum(n < 0 for n in by_day)
    share = percent(abs(float(more.mean())))
    days = f"{names[0]} is right more often on {better} of {len(by_day)} days, {names[1]} on {worse}"
    if sign_test(better, worse) >= ALPHA:
        return f"No difference that these days would show: {days}."
    return f"{names[0] if better > worse else names[1]} is right on {share} more of the recordings: {days}."


def sign_test(better: int, worse: int) -> float:
    """Two-sided p of as uneven a split of the days that differ, were each as likely to go either way."""
    days = better + worse
    tail = sum(comb(days, k) for k in range(min(better, worse) + 1)) / 2**days
    return min(1.0, 2 * tail)

"""The report: one page with the question, the measurements and their limits.

The page is one HTML file without scripts and external links. Its end lists the parts that were not measured, with the
command that measures them.
"""

from collections.abc import Callable, Sequence
from math import comb
from typing import Any, NamedTuple

import numpy as np

from edge_ecg.contract import INTENDED_USE
from edge_ecg.errors import RunError
from edge_ecg.report import sections
from edge_ecg.report.findings import Findings, naming
from edge_ecg.report.page import between, percent, render, whole_page
from edge_ecg.report.pictures import outcomes
from edge_ecg.report.sections import strips_of
from edge_ecg.report.summary import decisions_text, leading, summary
from edge_ecg.results import SetMetrics

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
    """The cells of a run's column; empty if not measured."""
    with naming(findings.files["model"]):
        shown = {
            "architecture": findings.architecture,
            "parameters": f"{findings.parameters:,}",
            "seed": str(findings.settings["seed"]),
            "epoch kept": str(findings.best_epoch),
            "train dates": ", ".join(findings.dataset.dates["train"]),
        }
    for file, what, tell in (
        ("crossval", "days left out: correct", _left_out),
        ("crossval", "days left out: AUC", lambda f: f"{f.crossval.methods[f.architecture].auc:.3f}"),
        ("day_baseline", "with the day's baseline, 95 %", lambda f: _plan(f, "day's baseline")),
        ("day_baseline", "without it", lambda f: _plan(f, "none")),
        ("evaluation", "test dates", lambda f: _of_set(f.evaluation)),
        ("metrics", "validation dates (they stopped the training)", lambda f: _of_set(f.metrics["validation"])),
    ):
        shown[what] = ""
        if getattr(findings, file) is not None:
            with naming(findings.files[file]):
                shown[what] = tell(findings)
    return shown


def _left_out(findings: Findings) -> str:
    assert findings.crossval is not None
    f = findings.crossval.methods[findings.architecture]
    return f"{f.recordings.right} of {f.recordings.total} ({between(f.accuracy_95_by_date)} over days)"


def _plan(findings: Findings, plan: str) -> str:
    assert findings.day_baseline is not None
    return decisions_text(findings.day_baseline.mean["0.95"][plan])


def _of_set(of_set: SetMetrics) -> str:
    right = of_set.recordings
    return f"{right.right} of {right.total} ({between(right.accuracy_95)})"


def verdict(one: Findings, other: Findings, names: tuple[str, str]) -> str:
    """One sentence: which run is correct more often on days left out of both, by days."""
    judged, others = (f.folds.get(f.architecture) for f in (one, other))
    if judged is None or others is None:
        return f"{names[0]} and {names[1]} can't be compared day by day: run edge-ecg study on both."
    (dates, evidence, truth), (other_dates, other_evidence, other_truth) = judged, others
    if not (np.array_equal(dates, other_dates) and np.array_equal(truth, other_truth)):
        return f"{names[0]} and {names[1]} were tested on different recordings, so their figures can't be compared."
    more = ((evidence > 0) == truth).astype(int) - ((other_evidence > 0) == other_truth)
    by_day = [int(more[dates == date].sum()) for date in np.unique(dates)]
    better, worse = sum(n > 0 for n in by_day), sum(n < 0 for n in by_day)
    share = percent(abs(float(more.mean())))
    days = f"{names[0]} is correct more often on {better} of {len(by_day)} days, {names[1]} on {worse}"
    if sign_test(better, worse) >= ALPHA:
        return f"No significant difference: {days}."
    return f"{names[0] if better > worse else names[1]} is correct on {share} more of the recordings: {days}."


def sign_test(better: int, worse: int) -> float:
    """Two-sided p of a sign test: a split of the days that differ at least as uneven, under even odds."""
    days = better + worse
    tail = sum(comb(days, k) for k in range(min(better, worse) + 1)) / 2**days
    return min(1.0, 2 * tail)


class Section(NamedTuple):
    """A part of the page: drawn where one of `parts` of the findings was measured."""

    title: str
    parts: tuple[str, ...]
    template: str
    values: Callable[[Findings], dict[str, Any]]

    @property
    def id(self) -> str:
        """Its name in the page."""
        return self.template.removesuffix(".html")


SECTIONS = (
    Section("The recordings", ("overview",), "recordings.html", sections.recordings),
    Section("Data by date", ("overview", "crossval"), "data.html", sections.data),
    Section("Every recording, by date", ("crossval", "confounders"), "by_date.html", sections.by_date),
    Section("Comparison with other methods", ("crossval",), "results.html", sections.results),
    Section("Train, validation and test dates", ("metrics",), "own_split.html", sections.own_split),
    Section("ROC and calibration", ("crossval",), "ranking.html", sections.ranking),
    Section("Day's baseline and enrollment", ("day_baseline",), "day_baseline.html", sections.day_baseline),
    Section("All methods with the same decision rule", ("rivals",), "rivals.html", sections.rivals),
    Section("Negative controls", ("placebo",), "placebo.html", sections.controls),
    Section("Heart rate and amplitude", ("confounders",), "confounders.html", sections.confounders),
    Section("Which part of the beat matters", ("confounders",), "parts.html", sections.parts_of_the_beat),
    Section("State and day-to-day drift", ("confounders",), "drift.html", sections.drift),
    Section("Evidence and measured values", ("dose",), "dose.html", sections.dose),
    Section("How many training days", ("learning_curve",), "days.html", sections.days),
    Section("How many more sessions", ("plan",), "plan.html", sections.plan),
    Section("Training, epoch by epoch", ("history",), "learning.html", sections.learning),
    Section("Artifacts", ("artifacts",), "artifacts.html", sections.artifacts),
)

# Not missing: from another command, weights trained elsewhere, or no measured values.
NOT_MISSED = ("artifacts", "history", "dose")


def report(findings: Findings) -> str:
    """The page. Raises EdgeEcgError where a file lacks an entry, and without matplotlib or Jinja2."""
    leads = next(part for part in ("crossval", "evaluation", "metrics") if getattr(findings, part) is not None)
    with naming(findings.files[leads]):
        figures = leading(findings)
    questions = summary(findings)
    drawn = [(s.id, s.title, _drawn(findings, s)) for s in SECTIONS if _measured(findings, s)]
    baseline, target = findings.labels
    with naming(findings.files["model"]):
        return whole_page(
            "report.html",
            title=f"{baseline} or {target}: Edge ECG report",
            intended_use=INTENDED_USE,
            figures=figures,
            summary=questions,
            sections=drawn,
            missing=[s.title for s in SECTIONS if not _measured(findings, s) and s.parts[0] not in NOT_MISSED],
            **_common(findings),
        )


def report_of(every: Sequence[Findings]) -> str:
    """The page of one run or bundle, of a run with its bundle, or of several runs beside each other."""
    if len(every) == 1:
        return report(every[0])
    if len(every) == 2:
        run, other = every
        both = run.with_bundle(other) or other.with_bundle(run)
        if both is not None:
            return report(both)
    if labels := [str(f.source) for f in every if f.labels != every[0].labels]:
        raise RunError(f"{labels[0]}: has other labels than {every[0].source}, so they can't be compared")
    return comparison(every)


def _measured(findings: Findings, section: Section) -> bool:
    return any(getattr(findings, part) is not None for part in section.parts)


def _drawn(findings: Findings, section: Section) -> str:
    part = next(part for part in section.parts if getattr(findings, part) is not None)
    with naming(findings.files.get(part, findings.files["metrics"])):
        return render(section.template, **_common(findings), **section.values(findings))


def _common(findings: Findings) -> dict[str, Any]:
    baseline, target = findings.labels
    return {"findings": findings, "baseline": baseline, "target": target}

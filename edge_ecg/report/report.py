"""The report: one page that says what was asked, what was measured, and what that does not show.

The page is one file of HTML without scripts and without links to anywhere. What was not measured is said, with the
command that would measure it.
"""

from collections.abc import Callable
from typing import Any

from edge_ecg.contract import INTENDED_USE
from edge_ecg.report import evidence, reasons
from edge_ecg.report.findings import Findings, told
from edge_ecg.report.page import render, whole_page

# Title, the part of the findings that it is drawn from, its template, and what the template needs beside them.
SECTIONS: tuple[tuple[str, str, str, Callable[[Findings], dict[str, Any]]], ...] = (
    ("Data by date", "model", "data.html", evidence.data),
    ("Results beside baselines", "crossval", "results.html", evidence.results),
    ("Every recording, by date", "crossval", "by_date.html", evidence.by_date),
    ("ROC and calibration", "crossval", "ranking.html", evidence.ranking),
    ("Is it the state, or what comes with it?", "confounders", "confounders.html", reasons.confounders),
    ("Which part of the beat decides", "confounders", "parts.html", reasons.parts_of_the_beat),
    ("The state beside day-to-day drift", "confounders", "drift.html", reasons.drift),
    ("The day's baseline, and enrolment", "daily_baseline", "daily_baseline.html", reasons.daily_baseline),
    ("What each design choice is worth", "ablations", "ablations.html", reasons.nothing_more),
    ("How many days have to be recorded", "learning_curve", "days.html", reasons.nothing_more),
    ("Training, epoch by epoch", "metrics", "learning.html", reasons.learning),
    ("What is shipped", "artefacts", "artefacts.html", reasons.nothing_more),
)


def report(findings: Findings) -> str:
    """The page. Raises EdgeEcgError where a file lacks an entry, and without matplotlib or Jinja2."""
    first = _drawn(findings, "crossval" if findings.crossval else "metrics", "first.html", evidence.first)
    sections = [
        (title, _drawn(findings, part, template, section))
        for title, part, template, section in SECTIONS
        if part != "artefacts" or findings.is_bundle
    ]
    baseline, target = findings.labels
    with told(findings.files["model"]):
        return whole_page(
            "report.html",
            title=f"{baseline} or {target}: Edge ECG report",
            intended_use=INTENDED_USE,
            first=first,
            sections=sections,
            dates=sum(len(of_set) for of_set in findings.dataset["dates"].values()),
            **_common(findings),
        )


def _drawn(findings: Findings, part: str, template: str, section: Callable[[Findings], dict[str, Any]]) -> str:
    with told(findings.files.get(part, findings.source)):
        return render(template, **_common(findings), **section(findings))


def _common(findings: Findings) -> dict[str, Any]:
    baseline, target = findings.labels
    return {"findings": findings, "baseline": baseline, "target": target}

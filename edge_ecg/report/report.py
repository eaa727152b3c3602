"""The report: one page that says what was asked, what was measured, and what that does not show.

The page is one file of HTML without scripts and without links to anywhere. What was not measured is named once, at its
end, with the command that would measure it.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from edge_ecg.contract import INTENDED_USE
from edge_ecg.errors import RunError
from edge_ecg.report import sections
from edge_ecg.report.compare import comparison
from edge_ecg.report.findings import Findings, told
from edge_ecg.report.page import render, whole_page
from edge_ecg.report.summary import leading, summary


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
    Section("Results beside baselines", ("crossval",), "results.html", sections.results),
    Section("The run on its own sets", ("metrics",), "own_split.html", sections.own_split),
    Section("ROC and calibration", ("crossval",), "ranking.html", sections.ranking),
    Section("The day's baseline, and enrolment", ("daily_baseline",), "daily_baseline.html", sections.daily_baseline),
    Section("Is it the state, or what comes with it?", ("confounders",), "confounders.html", sections.confounders),
    Section("Which part of the beat decides", ("confounders",), "parts.html", sections.parts_of_the_beat),
    Section("The state beside day-to-day drift", ("confounders",), "drift.html", sections.drift),
    Section("How many days have to be recorded", ("learning_curve",), "days.html", sections.days),
    Section("What each design choice is worth", ("ablations",), "ablations.html", sections.ablations),
    Section("Training, epoch by epoch", ("history",), "learning.html", sections.learning),
    Section("What is shipped", ("artefacts",), "artefacts.html", sections.artefacts),
)

NOT_MISSED = ("artefacts", "history")  # of another command, and of weights that were trained elsewhere


def report(findings: Findings) -> str:
    """The page. Raises EdgeEcgError where a file lacks an entry, and without matplotlib or Jinja2."""
    leads = next(part for part in ("crossval", "evaluation", "metrics") if getattr(findings, part) is not None)
    with told(findings.files[leads]):
        figures = leading(findings)
    said = summary(findings)
    drawn = [(s.id, s.title, _drawn(findings, s)) for s in SECTIONS if _measured(findings, s)]
    baseline, target = findings.labels
    with told(findings.files["model"]):
        return whole_page(
            "report.html",
            title=f"{baseline} or {target}: Edge ECG report",
            intended_use=INTENDED_USE,
            figures=figures,
            summary=said,
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
        raise RunError(f"{labels[0]}: has other labels than {every[0].source}: they can't stand beside each other")
    return comparison(every)


def _measured(findings: Findings, section: Section) -> bool:
    return any(getattr(findings, part) is not None for part in section.parts)


def _drawn(findings: Findings, section: Section) -> str:
    part = next(part for part in section.parts if getattr(findings, part) is not None)
    with told(findings.files.get(part, findings.files["metrics"])):
        return render(section.template, **_common(findings), **section.values(findings))


def _common(findings: Findings) -> dict[str, Any]:
    baseline, target = findings.labels
    return {"findings": findings, "baseline": baseline, "target": target}

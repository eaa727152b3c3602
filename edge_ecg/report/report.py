"""The report: one page that says what was asked, what was measured, and what that does not show.

The page is one file of HTML without scripts and without links to anywhere. What was not measured is said, with the
command that would measure it.
"""

from collections.abc import Callable

from edge_ecg.contract import INTENDED_USE
from edge_ecg.report.design import ablations, artefacts, learning
from edge_ecg.report.evidence import by_date, calibration_and_roc, data, ours_and_best, results
from edge_ecg.report.findings import Findings, told
from edge_ecg.report.page import Markup, between, joined, markup, page
from edge_ecg.report.reasons import confounders, drift, enrolment, parts_of_the_beat

# Title, the part of the findings that it is drawn from, and what draws it.
SECTIONS: tuple[tuple[str, str, Callable[[Findings], Markup]], ...] = (
    ("Data by date", "model", data),
    ("Results beside baselines", "crossval", results),
    ("Every recording, by date", "crossval", by_date),
    ("ROC and calibration", "crossval", calibration_and_roc),
    ("Is it the state, or what comes with it?", "confounders", confounders),
    ("Which part of the beat decides", "confounders", parts_of_the_beat),
    ("The state beside day-to-day drift", "confounders", drift),
    ("What enrolment repairs and harms", "enrolment", enrolment),
    ("What each design choice is worth", "ablations", ablations),
    ("Learning curve", "metrics", learning),
    ("What is shipped", "artefacts", artefacts),
)


def report(findings: Findings) -> str:
    """The page. Raises EdgeEcgError where a file lacks an entry, or without matplotlib."""
    baseline, target = findings.labels
    blocks = [
        markup("<h1>{baseline} or {target}?</h1>", baseline=baseline, target=target),
        markup('<p class="soft">Edge ECG report: {name}</p>', name=findings.dataset.get("name", "")),
        markup('<p class="use"><strong>Intended use.</strong> {use}</p>', use=INTENDED_USE),
        _drawn(findings, "crossval" if findings.crossval else "metrics", cards),
        _drawn(findings, "model", asked),
    ]
    for title, part, section in SECTIONS:
        if part == "artefacts" and not findings.is_bundle:
            continue
        blocks += [markup("<h2>{title}</h2>", title=title), _drawn(findings, part, section)]
    blocks += [_drawn(findings, "model", limits), _drawn(findings, "model", use)]
    return page(f"{baseline} or {target}: Edge ECG report", blocks)


def _drawn(findings: Findings, part: str, section: Callable[[Findings], Markup]) -> Markup:
    with told(findings.files.get(part, findings.source)):
        return section(findings)


def cards(findings: Findings) -> Markup:
    """The main figures, each with its count and interval."""
    shown = []
    if findings.crossval is not None:
        ours, best = ours_and_best(findings)
        for name, role in ((ours, "this comparator"), (best, "the best other method")):
            f = findings.crossval["methods"][name]
            c = f["recordings"]
            shown.append(
                (
                    f"{c['right']} of {c['total']}",
                    f"recordings of dates left out, {role} ({name}): {between(f['accuracy_95_by_date'])} "
                    f"over {len(findings.crossval['dates'])} dates",
                )
            )
    held_out = findings.metrics["validation"]
    c = held_out["recordings"]
    shown.append(
        (
            f"{c['right']} of {c['total']}",
            f"recordings of the validation dates ({', '.join(held_out['dates'])}): {between(c['accuracy_95'])}, "
            "as if recordings of a day were independent",
        )
    )
    boxes = [markup('<div class="card"><b>{count}</b><span>{of}</span></div>', count=n, of=of) for n, of in shown]
    verdict = findings.crossval["verdict"] if findings.crossval is not None else ""
    return joined(
        [
            markup('<div class="cards">{boxes}</div>', boxes=joined(boxes)),
            markup('<p class="verdict">{verdict}</p>', verdict=verdict) if verdict else "",
        ]
    )


def asked(findings: Findings) -> Markup:
    """The question, and what answers it."""
    baseline, target = findings.labels
    return markup(
        "<h2>What was asked</h2><p>Do two heartbeats of one person come from the same state, <em>{baseline}</em> or "
        "<em>{target}</em>? The states are as this person labelled 30-second single-lead recordings. A comparator "
        "({architecture}, {parameters} parameters, seed {seed}, epoch {epoch} kept) compares each beat with "
        "{references} reference beats of either state. Above zero the mean evidence of a recording speaks for "
        "{target}.</p>",
        baseline=baseline,
        target=target,
        architecture=findings.architecture,
        parameters=f"{findings.parameters:,}",
        seed=findings.settings.get("seed", "unknown"),
        epoch=findings.best_epoch,
        references=findings.settings.get("references_per_state", "some"),
    )


def limits(findings: Findings) -> Markup:
    """What the page does not show."""
    dates = sum(len(of_set) for of_set in findings.dataset["dates"].values())
    baseline, target = findings.labels
    return markup(
        """<h2>What this does not show</h2>
<ul>
<li><strong>One person.</strong> Nothing here says that the states of anybody else differ in the same way, or at all.
A comparator means nothing for another person.</li>
<li><strong>{dates} dates.</strong> A day is the unit: recordings of one morning share electrodes, posture and sleep.
An interval over recordings is therefore too narrow; one over dates rests on few of them.</li>
<li><strong>Two states, no quantity.</strong> It answers "{baseline} or {target}". It knows no third state, and it can't
give a glucose value or any other number of the body.</li>
<li><strong>Not the cause.</strong> Whatever else always goes with the state (time of day, order, a meal's volume,
posture, the heart rate) may be what is seen. Only the protocol can exclude it: swapped order, and control days
without the cause.</li>
<li><strong>Not next month.</strong> Levels drift over weeks. Dates left out here lie among the dates learned. A bundle
decides nothing further from its own days than these span and than a week, until fresh baselines enrol.</li>
<li><strong>Choices were made on these data.</strong> Dates that were used to choose a design are no fair test of
it.</li>
<li><strong>A replay, not a live ECG.</strong> Finished recordings were replayed sample by sample. An app can't listen
to the running signal of a watch.</li>
</ul>""",
        dates=dates,
        baseline=baseline,
        target=target,
    )


def use(findings: Findings) -> Markup:
    """Intended use, and what made the page's figures."""
    tools = ", ".join(f"{name} {version}" for name, version in sorted(findings.tools.items()))
    return markup(
        '<h2>Intended use</h2><p>{use}</p><p class="soft">Made by <code>edge-ecg report</code> from a {kind} '
        "({tools}).</p>",
        use=INTENDED_USE,
        kind="bundle" if findings.is_bundle else "training run",
        tools=tools,
    )

"""The report's first part: the data, and how recordings of unseen dates are decided, beside baselines."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from edge_ecg.errors import RunError
from edge_ecg.intervals import wilson_interval
from edge_ecg.report import pictures
from edge_ecg.report.findings import Findings
from edge_ecg.report.page import Markup, between, figure, joined, markup, missing, percent, table

AGAIN = "edge-ecg report RUN --out report.html"
CROSSVAL = "python -m train.crossval DATASET.toml --out DIR", f"{AGAIN} --crossval DIR"
CONFOUNDERS = "python -m train.confounders RUN", AGAIN
# Ours first, then baselines from the best down: the colours and lines that pictures and their keys share.
SERIES = (("ours", ""), ("second", ""), ("third", "dashed"), ("fifth", ""), ("fourth", ""), ("fourth", "dotted"))


def counted(right: int, total: int) -> str:
    """An accuracy as it should stand: the count, then its interval."""
    return f"{right} of {total} ({between(wilson_interval(right, total))})" if total else "none"


def ours_and_best(findings: Findings) -> tuple[str, str]:
    """The names of this comparator and of the best other method in the cross-validation. Raises RunError."""
    methods = by_rank(findings)
    if len(methods) < 2:
        raise RunError(f"{findings.files['crossval']}: has {methods} alone, expected baselines beside it")
    return methods[0], methods[1]


def by_rank(findings: Findings) -> list[str]:
    """This comparator first, then the others by what they decide rightly."""
    assert findings.crossval is not None
    methods: dict[str, Any] = findings.crossval["methods"]
    if findings.architecture not in methods:
        raise RunError(
            f"{findings.files['crossval']}: has {', '.join(methods)}, expected {findings.architecture} among them: "
            f"run it with --arch {findings.architecture}"
        )

    def rank(name: str) -> tuple[int, float]:
        return methods[name]["recordings"]["right"], methods[name]["auc"] or 0.0

    others = sorted((name for name in methods if name != findings.architecture), key=rank, reverse=True)
    return [findings.architecture, *others]


def data(findings: Findings) -> Markup:
    """Recordings by date and state, and which set a date is in."""
    baseline, target = findings.labels
    known = {row["date"]: row for row in _counts(findings)}
    rows: list[tuple[object, ...]] = []
    for which, dates in findings.dataset["dates"].items():
        for date in dates:
            row = known.get(date, {})
            rows.append((date, which, *(row.get(key, "–") for key in ("baseline", "target", "beats"))))
    rows.sort(key=lambda row: str(row[0]))
    totals = [sum(row[key] for row in known.values()) for key in ("baseline", "target", "beats")]
    if len(known) == len(rows):
        rows.append(("all", "", *totals))
    return joined(
        [
            markup(
                "<p>Split by date, so that no day is on both sides. The model learns from the train dates and is "
                "stopped and calibrated by the validation dates; the test dates are kept for one last look. What is "
                "found with dates left out one at a time uses all of them. {both} of {of} dates counted here have both "
                "states: on the others the day may pass for the state.</p>",
                both=sum(bool(row["baseline"] and row["target"]) for row in known.values()),
                of=len(known),
            ),
            table(("date", "set", baseline, target, "beats"), rows, "Recordings by date"),
            "" if len(known) == len(rows) - 1 else markup('<p class="soft">– not counted in what was given.</p>'),
        ]
    )


def _counts(findings: Findings) -> Iterator[dict[str, Any]]:
    if findings.crossval is not None:
        for date, f in next(iter(findings.crossval["methods"].values()))["dates"].items():
            c = f["recordings"]["confusion"]
            yield {
                "date": date,
                "baseline": c["true_baseline"] + c["false_target"],
                "target": c["true_target"] + c["false_baseline"],
                "beats": f["beats"],
            }
    elif findings.confounders is not None:
        yield from findings.confounders["data"]


def results(findings: Findings) -> Markup:
    """All methods on dates left out, then the run on its own sets."""
    rows = []
    if findings.crossval is not None:
        for name in by_rank(findings):
            f = findings.crossval["methods"][name]
            c, auc = f["recordings"], f["auc"]
            rows.append(
                (
                    name,
                    f"{c['right']} of {c['total']}",
                    between(f["accuracy_95_by_date"]),
                    between(c["accuracy_95"]),
                    "–" if auc is None else f"{auc:.3f}",
                    " to ".join(f"{bound:.3f}" for bound in f["auc_95_by_date"]),
                    percent(f["beats_right"] / f["beats"]),
                    f"{f['permutation_p']:.3f}",
                )
            )
    head = (
        "method",
        "right",
        "95 % over dates",
        "95 % over recordings",
        "AUC",
        "95 % over dates",
        "beats",
        "p",
    )
    sets = [
        (
            which,
            f"{f['recordings']['right']} of {f['recordings']['total']}",
            between(f["recordings"]["accuracy_95"]),
            f["sequential"]["right"],
            f["sequential"]["wrong"],
            f["sequential"]["inconclusive"],
            f"{f['sequential']['median_beats']:.0f}",
            f"{percent(f['beats']['right'] / f['beats']['total'])} of {f['beats']['total']:,}",
        )
        for which, f in findings.metrics.items()
    ]
    of_sets = (
        "set",
        "right",
        "95 % over recordings",
        "right in sequence",
        "wrong",
        "inconclusive",
        "beats needed",
        "beats right",
    )
    return joined(
        [
            markup("<h3>Each date left out once</h3>"),
            markup(
                "<p>Each date is judged by models that have not seen it. The baselines get the same beats and the same "
                "folds; a comparator that does not beat them has not earned its place. Recording order and sample "
                "rate, where listed, see no ECG: what they decide rightly, the protocol gives away.</p>{table}"
                '<p class="soft">Beats of one recording are alike, so their share has no honest interval. p: how often '
                "labels that were shuffled by date and state rank as well.</p>",
                table=table(head, rows, "Methods on dates left out"),
            )
            if rows
            else missing(*CROSSVAL),
            markup("<h3>The run's own split</h3>"),
            table(of_sets, sets, "The run on its own sets"),
            split_beside_baselines(findings),
            markup(
                '<p class="soft">The train dates were learned from. The validation dates chose the epoch and the '
                "calibration, so their figures are somewhat too good. In sequence: what the watch decides as beats "
                "come in, or says inconclusive. The test dates ({dates}) are not in a run; <code>python -m "
                "train.evaluate RUN DATASET.toml</code> judges them.</p>",
                dates=", ".join(findings.dataset["dates"].get("test", ())),
            ),
        ]
    )


def split_beside_baselines(findings: Findings) -> Markup | str:
    """All methods on the run's own split, where the cross-validation has it."""
    if findings.crossval is None or "split" not in findings.crossval:
        return ""
    split = findings.crossval["split"]["methods"]
    rows = [
        (
            name,
            *(
                cell
                for f in split[name].values()
                for cell in (
                    counted(f["recordings"]["right"], f["recordings"]["total"]),
                    percent(f["beats_right"] / f["beats"]),
                )
            ),
        )
        for name in by_rank(findings)
    ]
    head = ("method", "validation, 95 %", "beats", "test, 95 %", "beats")
    return joined(
        [
            table(head, rows, "All methods on the same split"),
            markup(
                '<p class="soft">Learned from the train dates, without a look at the validation dates: so the '
                "comparator keeps its last epoch here.</p>"
            ),
        ]
    )


def by_date(findings: Findings) -> Markup:
    """A strip of recordings for each date."""
    seen = _recordings(findings)
    if seen is None:
        return missing(*CROSSVAL)
    (date, evidence, is_target), how = seen
    rows = {str(d): (evidence[date == d], is_target[date == d]) for d in np.unique(date)}
    right, of = int(np.sum((evidence > 0) == is_target)), len(evidence)
    return figure(
        pictures.strips(rows, findings.labels),
        f"One mark a recording, {how}. {right} of {of} lie on their side of zero "
        f"({between(wilson_interval(right, of))}, as if recordings were independent); the others are ringed.",
        [("dot baseline", findings.labels[0]), ("dot target", findings.labels[1]), ("wrong", "on the wrong side")],
    )


def _recordings(findings: Findings) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], str] | None:
    """Date, evidence and truth of recordings that their model did not learn from, and how they were judged."""
    if findings.crossval is not None:
        return findings.folds[by_rank(findings)[0]], "each date judged by a model that has not seen it"
    if findings.confounders is not None:
        r = findings.confounders["recordings"]
        held_out = np.array(r["date"]), np.array(r["evidence"], float), np.array(r["is_target"], bool)
        return held_out, "the validation dates alone"
    return None


def calibration_and_roc(findings: Findings) -> Markup:
    """How recordings are ranked, and whether a probability of 80 % comes true in 80 %."""
    if findings.crossval is None:
        return missing(*CROSSVAL)
    methods, names = findings.crossval["methods"], by_rank(findings)[: len(SERIES)]
    said = [f"{name} {methods[name]['auc']:.3f}" for name in names]
    curves = [(*series, *findings.folds[name][1:]) for series, name in zip(SERIES, names, strict=False)]
    ranked = figure(
        pictures.roc(curves, said),
        "ROC of recordings of dates left out, with the area under each curve. The evidence of all folds is pooled as "
        "it is.",
        [(f"{colour} {line}", what) for (colour, line), what in zip(SERIES, said, strict=False)],
    )
    ours = methods[names[0]]
    if "reliability" not in ours:
        return joined([ranked, missing(*CROSSVAL)])
    bins = [
        (row["said"], row["targets"] / total, wilson_interval(row["targets"], total), total)
        for row, total in ((row, row["recordings"]) for row in ours["reliability"])
    ]
    calibrated = figure(
        pictures.reliability(bins),
        f"Calibration of recordings, with 95 % intervals; the numbers count recordings. Brier score "
        f"{ours['brier']:.3f} (best other {methods[names[1]]['brier']:.3f}), expected calibration error "
        f"{ours['expected_calibration_error']:.3f}. The slope for each date is fitted on the other dates.",
        [("ours", names[0])],
    )
    return markup('<div class="pair">{ranked}{calibrated}</div>', ranked=ranked, calibrated=calibrated)

"""The report's second part: what the decision rests on, and what drifts."""

from typing import Any

import numpy as np

from edge_ecg.contract import CONTRACT
from edge_ecg.report import pictures
from edge_ecg.report.evidence import AGAIN, CONFOUNDERS, counted
from edge_ecg.report.findings import Findings
from edge_ecg.report.page import Markup, between, figure, joined, markup, missing, percent, table

ENROLMENT = "python -m train.enrolment DATASET.toml --out DIR", f"{AGAIN} --enrolment DIR"


def _ms(sample: float) -> float:
    """Where a sample of a beat lies, in ms from R."""
    return 1000 * (sample - CONTRACT.before_r_samples) / CONTRACT.sample_rate_hz


def confounders(findings: Findings) -> Markup:
    """What stays right when heart rate or amplitude can't help."""
    if findings.confounders is None:
        return missing(*CONFOUNDERS)
    rows = []
    for row in findings.confounders["without"]:
        c, (low, high) = row["recordings"], row["auc_95"]
        share = percent(row["beats_right"] / row["beats"])
        interval = between(c["accuracy_95"])
        rows.append(
            (
                row["name"],
                f"{c['right']} of {c['total']}",
                interval,
                f"{row['auc']:.3f}",
                f"{low:.3f} to {high:.3f}",
                share,
            )
        )
    pairs = [
        (
            ("of one date" if row["same_date"] else "of different dates")
            + (f", RR within {row['within_ms']:.0f} ms" if row["within_ms"] else ", any RR"),
            percent(row["share"]),
            between(row["share_95"]),
            percent(row["shorter_rr"]),
            f"{row['pairs']:,}",
            row["recordings"],
            row["dates"],
        )
        for row in findings.confounders["pairs"]
    ]
    dates = findings.metrics["validation"]["dates"]
    return joined(
        [
            markup(
                "<p>Heart rate differs between states on most days, and amplitude changes with the electrode. On the "
                "validation dates ({dates}) the run's beats and references were judged again with one of them taken "
                "out. The model was not trained anew.</p>",
                dates=", ".join(dates),
            ),
            table(("beats", "right", "95 %", "AUC", "95 %", "beats right"), rows, "With something taken out"),
            markup(
                '<p class="soft">Intervals are over recordings, as if those of a day were independent.{more}</p>',
                more=_in_reverse(findings),
            ),
            markup("<h3>Pairs of beats at the same heart rate</h3>"),
            table(
                ("pairs of a beat of each state", "right", "95 %", "by RR alone", "pairs", "recordings", "dates"),
                pairs,
                "Pairs of beats",
            ),
            markup(
                '<p class="soft">A pair is right if the {target} beat has more evidence. By RR alone: if it has the '
                "shorter RR interval; near 50 % the pairs are matched well. The interval draws recordings anew.</p>",
                target=findings.labels[1],
            ),
        ]
    )


def _in_reverse(findings: Findings) -> str:
    assert findings.confounders is not None
    reverse = [row["name"] for row in findings.confounders["without"] if row["auc_95"][1] < 0.5]
    if not reverse:
        return ""
    return (
        f" An AUC below one half ({'; '.join(reverse)}) ranks the states in reverse: what is left there is used as a "
        "correction of the rest, not as the sign of the state."
    )


def parts_of_the_beat(findings: Findings) -> Markup:
    """Occlusion over the mean beats."""
    if findings.confounders is None:
        return missing(*CONFOUNDERS)
    o = findings.confounders["occlusion"]
    mean_uv = [np.array(samples, float) for samples in o["mean_beats_uv"]]
    windows = [(_ms(w["from"]), _ms(w["to"]), w["lost"], tuple(w["lost_95"])) for w in o["windows"]]
    rows = [
        (
            row["name"],
            f"{_ms(row['from']):.0f} to {_ms(row['to']):.0f} ms".replace("-", "−")
            if row["from"] < len(mean_uv[0])
            else "",
            percent(row["lost"]),
            between(row["lost_95"]),
            counted(row["recordings"]["right"], row["recordings"]["total"]),
        )
        for row in o["parts"]
    ]
    return joined(
        [
            figure(
                pictures.beats(mean_uv, np.array([_ms(i) for i in range(len(mean_uv[0]))]), windows),
                f"Above: mean beats of the validation dates, recordings weighing the same, from the PR segment. Below, "
                f"and as shading above: the share of the evidence for the right state that is lost when "
                f"{1000 * o['width'] / CONTRACT.sample_rate_hz:.0f} ms are covered by the beat halfway between the "
                f"states, with its 95 % interval over recordings.",
                [("baseline", findings.labels[0]), ("target dashed", findings.labels[1]), ("heat", "evidence lost")],
            ),
            table(("covered", "from R", "evidence lost", "95 %", "recordings still right"), rows, "Parts of the beat"),
            markup(
                '<p class="soft">This is what the model uses. What it could have used in its place is not seen; below '
                "zero, covering the part helps.</p>"
            ),
        ]
    )


def drift(findings: Findings) -> Markup:
    """The state's effect beside what differs between days anyway."""
    if findings.confounders is None:
        return missing(*CONFOUNDERS)
    found = findings.confounders["drift"]
    rows = [
        (
            f"{which}, {name}",
            *(_number(row[key]) for key in ("effect", "effect_sd_between_dates", "dates_sd", "recordings_sd")),
            _times(row),
            "–" if row["order"] is None else f"{percent(row['order'])} ({between(row['order_95'])})",
            len(row["dates"]),
        )
        for which, of_set in found.items()
        for name, row in of_set.items()
    ]
    unseen = list(found["validation"]["embedding"]["dates"])
    by_date = {
        date: (row.get("baseline"), row.get("target"))
        for date, row in sorted(
            (found["train"]["embedding"]["dates"] | found["validation"]["embedding"]["dates"]).items()
        )
    }
    head = (
        "dates, measured in",
        "effect",
        "its sd between dates",
        "sd of dates",
        "sd of recordings",
        "effect / sd of dates",
        "order explains, 95 %",
        "dates",
    )
    return joined(
        [
            figure(
                pictures.levels(by_date, unseen),
                "The usual recording of each state by date, on the line in the embedding from training's usual "
                "baseline to its usual target. The train dates were learned from, so they lie closer than new ones "
                "would.",
                [("dot baseline", findings.labels[0]), ("dot target", findings.labels[1])],
            ),
            table(head, rows, "State and drift"),
            markup(
                '<p class="soft">Effect: {target} minus {baseline} within a date, mean over dates. Standard deviations '
                "are of dates within a state, and of recordings within a date and state (variance components); with so "
                "few dates the one of dates is rough. Order explains the share of the effect that the trend from "
                "recording to recording within a state would make if it went on from one state to the other.</p>",
                target=findings.labels[1],
                baseline=findings.labels[0],
            ),
        ]
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _times(row: dict[str, Any]) -> str:
    return f"{row['effect'] / row['dates_sd']:.1f}" if row["effect"] is not None and row["dates_sd"] else "–"


def enrolment(findings: Findings) -> Markup:
    """Decisions before and after fresh baseline recordings moved the references."""
    if findings.enrolment is None:
        return missing(*ENROLMENT)
    by_date = findings.enrolment["dates"]
    plans = list(next(iter(by_date.values())))
    rows = []
    for plan in plans:
        cells = []
        for when in ("before", "after"):
            of = {
                key: sum(int(f[plan][when][key]) for f in by_date.values())
                for key in ("right", "wrong", "inconclusive")
            }
            cells += [counted(of["right"], sum(of.values())), of["wrong"], of["inconclusive"]]
        rows.append((plan, *cells))
    head = ("enrolled", "right before", "wrong", "inconclusive", "right after", "wrong", "inconclusive")
    others = " ".join(
        f"Of {of} recordings of {'other' if name == 'others' else name} people, {flagged} are out of distribution "
        "(all folds)."
        for name, (flagged, of) in findings.enrolment["others"].items()
    )
    return joined(
        [
            markup(
                "<p>Each date held out once. Baseline recordings move the references, without training; the rest is "
                "judged before and after. Drifts are simulated: the T wave of the held-out date and of what enrols is "
                "moved or scaled. They stand for months, and months later a bundle decides nothing before it is "
                "enrolled: there, &ldquo;before&rdquo; is what it would say if it did not know the date.</p>"
            ),
            table(head, rows, "Enrolment"),
            markup(
                '<p class="soft">95 % intervals are over recordings, as if those of a date were independent; '
                "an inconclusive recording is not counted as right. {others}</p>",
                others=others,
            ),
        ]
    )

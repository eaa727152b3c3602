"""Pictures of recordings and decisions: each an SVG for the page, and its description in words."""

from collections.abc import Mapping, Sequence

import numpy as np

from edge_ecg.report.page import Picture
from edge_ecg.report.pictures.svg import COLORS, HALF_INCHES, LINES, RULE, WIDE_INCHES, drawing, svg_of
from edge_ecg.results import DaysLearned, DoseSession, PlannedDecisions


def strips(by_date: dict[str, tuple[np.ndarray, np.ndarray]], labels: tuple[str, str], name: str = "strips") -> Picture:
    """Recordings by date: where the evidence of each lies. by_date: evidence (M,) and is it the target's (M,) bool."""
    with drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, max(1.5, 0.7 + 0.23 * len(by_date))), layout="constrained")
        axes = drawn.subplots()
        for row, (evidence, is_target) in enumerate(by_date.values()):
            for state, shift, marker, color in ((False, -0.17, "o", "baseline"), (True, 0.17, "D", "target")):
                shown = evidence[is_target == state]
                height = np.full(len(shown), row + shift)
                size = 12 if state else 15
                axes.scatter(shown, height, size, COLORS[color], marker=marker, alpha=0.75, linewidths=0, zorder=3)
                wrong = (shown > 0) != state
                ring = {"facecolors": "none", "edgecolors": COLORS["ink"], "linewidths": 1.1, "zorder": 4}
                axes.scatter(shown[wrong], height[wrong], 42, marker="o", **ring)
        axes.axvline(0, **RULE)
        axes.set_yticks(range(len(by_date)), list(by_date))
        axes.set(ylim=(len(by_date) - 0.4, -0.6), xlabel="mean evidence of a recording: above 0 for the target")
        axes.grid(axis="y")
        axes.tick_params(length=0)
        svg = svg_of(drawn, name)
    right = {date: (int(((e > 0) == t).sum()), len(e)) for date, (e, t) in by_date.items()}
    counts = ", ".join(f"{date} {r} of {n}" for date, (r, n) in right.items())
    return svg, (
        f"One row per date, one mark per recording: {labels[0]} belongs left of zero, {labels[1]} right of it. "
        f"Correct: {counts}."
    )


def roc(curves: Sequence[tuple[str, str, np.ndarray, np.ndarray]], areas: Sequence[str]) -> Picture:
    """ROC curves: color, line, evidence of recordings (M,) and is it the target's (M,) bool of each.

    areas: name and area of each, in words.
    """
    with drawing() as Figure:
        drawn = Figure(figsize=(HALF_INCHES, HALF_INCHES), layout="constrained")
        axes = drawn.subplots()
        axes.plot([0, 100], [0, 100], **RULE)
        for number, (color, line, evidence, is_target) in enumerate(curves):
            thresholds = np.concatenate([[np.inf], np.unique(evidence)[::-1]])
            true, false = (
                np.array([100 * np.mean(evidence[is_target == state] >= t) for t in thresholds])
                for state in (True, False)
            )
            ours = number == 0
            width, order = (2.4, 4) if ours else (1.3, 3)
            axes.plot(false, true, color=COLORS[color], linewidth=width, linestyle=LINES[line], zorder=order)
        axes.set(xlabel="false positives, %", ylabel="true positives, %", aspect="equal")
        axes.set(xlim=(-1.5, 101.5), ylim=(-1.5, 101.5))
        axes.grid()
        svg = svg_of(drawn, "roc")
    return svg, f"ROC curves of recordings. Area under each: {', '.join(areas)}. The diagonal, 0.5, is guessing."


def reliability(rows: Sequence[tuple[float, float, tuple[float, float], int]]) -> Picture:
    """Calibration: mean predicted probability, share of the target, its interval and recordings of each bin."""
    with drawing() as Figure:
        drawn = Figure(figsize=(HALF_INCHES, HALF_INCHES), layout="constrained")
        axes = drawn.subplots()
        axes.plot([0, 100], [0, 100], **RULE)
        for predicted, share, (low, high), recordings in rows:
            axes.plot([100 * predicted] * 2, [100 * low, 100 * high], color=COLORS["ours"], linewidth=1.2, alpha=0.6)
            axes.scatter([100 * predicted], [100 * share], 18, COLORS["ours"], zorder=3)
            left = predicted > 0.93
            axes.annotate(
                str(recordings),
                (100 * predicted, 100 * share),
                (-5 if left else 5, 0),
                textcoords="offset points",
                ha="right" if left else "left",
                va="center",
                fontsize=7,
                color=COLORS["soft"],
            )
        axes.set(xlabel="predicted probability of the target, %", ylabel="observed share, %", aspect="equal")
        axes.set(xlim=(-3, 103), ylim=(-3, 103))
        axes.grid()
        svg = svg_of(drawn, "reliability")
    seen = "; ".join(f"predicted {predicted:.0%}, observed {share:.0%} of {n}" for predicted, share, _, n in rows)
    return svg, f"Predicted probability against the observed share, with 95 % intervals: {seen}."


def calibration_by_date(rows: Mapping[str, tuple[float, float, int]]) -> Picture:
    """By date, the mean predicted probability of the target, its share, and the number of recordings."""
    with drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, max(1.5, 0.6 + 0.16 * len(rows))), layout="constrained")
        axes = drawn.subplots()
        hollow = {"facecolors": "none", "edgecolors": COLORS["ink"], "linewidths": 1.1, "zorder": 4}
        for row, (predicted, observed, _) in enumerate(rows.values()):
            axes.plot([100 * predicted, 100 * observed], [row, row], color=COLORS["line"], linewidth=2, zorder=2)
            axes.scatter([100 * observed], [row], 34, **hollow)
            axes.scatter([100 * predicted], [row], 18, COLORS["ours"], linewidths=0, zorder=3)
        axes.set_yticks(range(len(rows)), [f"{date} ({of})" for date, (_, _, of) in rows.items()])
        axes.set(ylim=(len(rows) - 0.5, -0.5), xlim=(-4, 104), xlabel="target recordings of the date, %")
        axes.grid(axis="x")
        axes.tick_params(length=0)
        svg = svg_of(drawn, "calibration-by-date")
    seen = "; ".join(
        f"{date} predicted {predicted:.0%}, observed {observed:.0%} of {of}"
        for date, (predicted, observed, of) in rows.items()
    )
    return svg, f"By date, the predicted and the observed share of target recordings: {seen}."


def decisions(rows: Sequence[tuple[str, float, float, float]]) -> Picture:
    """Bars of decisions correct, inconclusive and wrong: name and counts of each way to decide."""
    with drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, max(1.5, 0.5 + 0.27 * len(rows))), layout="constrained")
        axes = drawn.subplots()
        for row, (_, right, inconclusive, wrong) in enumerate(rows):
            total = right + inconclusive + wrong
            begin = 0.0
            for kind, count in (("right", right), ("open", inconclusive), ("wrong", wrong)):
                share = 100 * count / total
                axes.barh(row, share, 0.66, begin, color=COLORS[kind], linewidth=0)
                if kind == "right":
                    axes.text(2, row, f"{count:.4g} correct", va="center", fontsize=7, color=COLORS["paper"])
                begin += share
            others = f"{inconclusive:.3g} inconclusive, {wrong:.3g} wrong"
            axes.text(101.5, row, others, va="center", fontsize=7, color=COLORS["soft"])
        axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
        axes.set(xlim=(0, 142), ylim=(len(rows) - 0.5, -0.5), xlabel="% of recordings")
        axes.set_xticks(range(0, 101, 25))
        axes.spines["left"].set_visible(False)
        axes.tick_params(length=0)
        svg = svg_of(drawn, "decisions")
    seen = "; ".join(f"{name}: {r:.4g} correct, {o:.4g} inconclusive, {w:.4g} wrong" for name, r, o, w in rows)
    return svg, f"Decisions on dates left out. {seen}."


def by_days(curves: Sequence[tuple[str, str, str, Sequence[DaysLearned]]]) -> Picture:
    """Correct recordings of other days by training days: name, color, line and rows of each method."""
    with drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, 2.2), layout="constrained")
        axes = drawn.subplots()
        for _, color, line, rows in curves:
            days = [row.days for row in rows]
            mean, worst = [100 * row.mean for row in rows], [100 * row.worst for row in rows]
            width = 2.2 if color == "ours" else 1.3
            axes.plot(days, mean, "o", linestyle=LINES[line], color=COLORS[color], linewidth=width, markersize=3.5)
            if color == "ours":
                axes.fill_between(days, worst, mean, color=COLORS[color], alpha=0.15, linewidth=0)
        axes.set(xlabel="training days with both states", ylabel="correct on other days, %")
        axes.set_xticks(sorted({row.days for *_, rows in curves for row in rows}))
        axes.set_ylim(None, 101)
        axes.grid(axis="y")
        svg = svg_of(drawn, "days")
    seen = "; ".join(
        f"{name}: " + ", ".join(f"{row.days} days {row.mean:.0%}" for row in rows) for name, _, _, rows in curves
    )
    return svg, f"Correct recordings of all other days, by the number of training days. {seen}."


def dose(sessions: Sequence[DoseSession], quantity: str, labels: tuple[str, str]) -> Picture:
    """Evidence against the rank of a measured quantity, one line per session, and its rank correlation."""
    with drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, max(2.2, 0.9 + 0.16 * len(sessions))), layout="constrained")
        left, right = drawn.subplots(1, 2, width_ratios=(1.25, 1))
        for row, session in enumerate(sessions):
            place = (np.array(session.rank) - 0.5) / len(session.rank)
            evidence, state = np.array(session.evidence), np.array(session.state)
            left.plot(place, evidence, color=COLORS["line"], linewidth=0.9, zorder=1)
            for which, marker, color in ((0, "o", "baseline"), (1, "D", "target"), (-1, "s", "soft")):
                of = state == which
                left.scatter(place[of], evidence[of], 12, COLORS[color], marker=marker, linewidths=0, zorder=3)
            rhos = [rho for rho in (session.heart_rate_rho, session.evidence_rho) if rho is not None]
            right.plot(rhos, [row] * len(rhos), color=COLORS["line"], linewidth=1.6, zorder=1)
            if session.evidence_rho is not None:
                right.scatter([session.evidence_rho], [row], 20, COLORS["ours"], linewidths=0, zorder=3)
            if session.heart_rate_rho is not None:
                hollow = {"facecolors": "none", "edgecolors": COLORS["ink"], "linewidths": 1, "zorder": 4}
                right.scatter([session.heart_rate_rho], [row], 20, **hollow)
        left.axhline(0, **RULE)
        left.set(xlabel=f"{quantity}, ranked in its session", ylabel="evidence for the target", xlim=(-0.02, 1.02))
        left.set_xticks([0, 0.5, 1], ["lowest", "middle", "highest"])
        right.axvline(0, **RULE)
        right.set_yticks(range(len(sessions)), [session.session for session in sessions])
        right.set(ylim=(len(sessions) - 0.5, -0.5), xlim=(-1.05, 1.05), xlabel="rank correlation")
        right.tick_params(length=0)
        svg = svg_of(drawn, "dose")
    each = "; ".join(
        f"{session.session} {_rho(session.evidence_rho)} and {_rho(session.heart_rate_rho)}" for session in sessions
    )
    return svg, (
        f"Left, the evidence of recordings of {labels[0]} and {labels[1]} and of those between against the rank of "
        f"their {quantity} in the session. Right, rank correlations by session, of evidence and of heart rate: {each}."
    )


def _rho(rho: float | None) -> str:
    return "none" if rho is None else f"{rho:.2f}"


SESSION_CURVES = (  # name, color, line
    ("with the session's own baseline", "ours", ""),
    ("without", "second", "dashed"),
    ("with half the effect", "third", "dotted"),
)


def by_sessions(rows: Sequence[PlannedDecisions]) -> Picture:
    """Shares of recordings decided, by the number of sessions: with a baseline, without, and with half the effect."""
    sessions = [row.sessions for row in rows]
    shares = (
        [row.decided for row in rows],
        [row.decided_without for row in rows],
        [row.decided_half_as_far for row in rows],
    )
    with drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, 2.2), layout="constrained")
        axes = drawn.subplots()
        for (_, color, line), of_curve in zip(SESSION_CURVES, shares, strict=True):
            y = [100 * share for share in of_curve]
            axes.plot(sessions, y, "o", linestyle=LINES[line], color=COLORS[color], markersize=3.5)
        axes.set(xlabel="sessions with both states", ylabel="recordings decided, %")
        axes.set_xticks(sessions)
        axes.set_ylim(0, 101)
        axes.grid(axis="y")
        svg = svg_of(drawn, "sessions")
    seen = "; ".join(
        f"{name}: " + ", ".join(f"{n} sessions {share:.0%}" for n, share in zip(sessions, of_curve, strict=True))
        for (name, _, _), of_curve in zip(SESSION_CURVES, shares, strict=True)
    )
    return svg, f"Recordings decided, by the number of sessions with both states. {seen}."

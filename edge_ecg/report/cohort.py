"""The page of a study of many persons: number of persons with an effect, its size, and failures."""

from collections.abc import Sequence

import numpy as np

from edge_ecg.contract import INTENDED_USE
from edge_ecg.report.page import DASH, Picture, fixed, percent, whole_page
from edge_ecg.report.pictures.svg import COLORS, RULE, WIDE_INCHES, drawing, svg_of
from edge_ecg.results import CohortResult, PersonResult, PersonTests

MOST_NAMED = 60  # persons that a picture has room to name
TALLEST_INCHES = 11.0


def forest(rows: Sequence[tuple[str, float, tuple[float, float], float | None, bool]]) -> Picture:
    """One line per person: share of correct recordings with its interval, that of the best method, is there an effect.

    rows: key, share, interval, share of the best benchmark method or None, is the effect beyond chance.
    """
    rows = sorted(rows, key=lambda row: (row[1], row[0]))
    with drawing() as Figure:
        height = min(TALLEST_INCHES, max(1.6, 0.8 + 0.15 * len(rows)))
        drawn = Figure(figsize=(WIDE_INCHES, height), layout="constrained")
        axes = drawn.subplots()
        places = np.arange(len(rows))
        thin = max(0.4, min(1.4, 84 / len(rows)))
        for has_effect, color in ((True, "ours"), (False, "open")):
            of = [place for place in places if rows[place][4] == has_effect]
            low, high = ([100 * rows[place][2][end] for place in of] for end in (0, 1))
            shares = [100 * rows[place][1] for place in of]
            axes.hlines(of, low, high, color=COLORS[color], linewidth=thin, alpha=0.7)
            face = COLORS[color] if has_effect else COLORS["paper"]
            axes.scatter(shares, of, 14 * thin, facecolors=face, edgecolors=COLORS[color], linewidths=0.9, zorder=4)
        best = [(100 * row[3], place) for place, row in enumerate(rows) if row[3] is not None]
        if best:
            axes.scatter(*zip(*best, strict=True), 20 * thin, COLORS["third"], marker="|", linewidths=1.2, zorder=3)
        axes.axvline(50, **RULE)
        if len(rows) <= MOST_NAMED:
            axes.set_yticks(places, [row[0] for row in rows])
        else:
            axes.set_yticks([])
        axes.set(ylim=(-0.7, len(rows) - 0.3), xlim=(None, 101), xlabel="correct recordings of dates left out, %")
        axes.grid(axis="x")
        axes.tick_params(length=0)
        svg = svg_of(drawn, "forest")
    shares = [row[1] for row in rows]
    return svg, (
        f"{len(rows)} persons, sorted by the share of correct recordings: from {shares[0]:.0%} to {shares[-1]:.0%}, "
        f"median {np.median(shares):.0%}; {sum(row[4] for row in rows)} with an effect beyond chance."
    )


def distribution(ours: Sequence[float], best: Sequence[float]) -> Picture:
    """Distribution of persons by correct recordings: the comparator, and the best benchmark method of each person."""
    with drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, 2.0), layout="constrained")
        axes = drawn.subplots()
        low = 100 * min([*ours, *best])
        edges = np.linspace(5 * np.floor(min(low, 95) / 5), 100, 13)
        axes.hist([100 * share for share in ours], edges, color=COLORS["ours"], alpha=0.45, linewidth=0)
        axes.hist([100 * share for share in best], edges, color=COLORS["third"], histtype="step", linewidth=1.4)
        axes.set(xlabel="correct recordings of dates left out, %", ylabel="persons")
        axes.locator_params(axis="y", integer=True)
        axes.grid(axis="y")
        svg = svg_of(drawn, "distribution")
    quartiles = ["{:.0%}, {:.0%}, {:.0%}".format(*np.percentile(of, [25, 50, 75])) for of in (ours, best or [0.0])]
    return svg, (
        f"Persons by the share of correct recordings. Quartiles: the comparator {quartiles[0]}; the best method "
        f"{quartiles[1]}."
    )


def cohort_page(result: CohortResult, persons: Sequence[PersonResult]) -> str:
    """The page, from the record of all persons together and that of each (`train.cohort` leaves both).

    Raises EdgeEcgError without matplotlib or Jinja2.
    """
    ours, tested = result.ours, result.by_person
    judged = [found for found in persons if ours in found.methods]
    shares = {found.person: found.methods[ours].recordings.accuracy or 0.0 for found in judged}
    best = {
        found.person: found.methods[name].recordings.accuracy or 0.0
        for found in judged
        if (name := tested[found.person].best_benchmark)
    }
    rows = [
        (
            found.person,
            shares[found.person],
            found.methods[ours].accuracy_95_by_date,
            best.get(found.person),
            found.person in result.with_effect,
        )
        for found in judged
    ]
    return whole_page(
        "cohort.html",
        title=f"{result.name}: Edge ECG study",
        intended_use=INTENDED_USE,
        result=result,
        forest=forest(rows) if rows else None,
        distribution=distribution(list(shares.values()), list(best.values())) if best else None,
        rows=[(found.person, _cells(found, ours, tested.get(found.person))) for found in persons],
        decided=_decided(judged, ours),
        bytes=[sum(found.bundle.values()) for found in persons if found.bundle],
        failed=sum(kind.persons for kind in result.failures.kinds),
    )


def _cells(found: PersonResult, ours: str, tested: PersonTests | None) -> list[str]:
    reason = f"{found.step}: {found.reason}" if found.reason else ""
    if ours not in found.methods or tested is None:
        return [*[DASH] * 6, reason]
    scores, decided = found.methods[ours], found.decisions.get(ours)
    best = found.methods.get(tested.best_benchmark or "")
    alone = decided and decided.alone
    return [
        f"{scores.recordings.right} of {scores.recordings.total}",
        fixed(scores.auc, 3),
        fixed(tested.effect_p_adjusted, 3),
        f"{best.recordings.right}, {tested.best_benchmark}" if best else DASH,
        fixed(tested.better_p_adjusted, 3),
        f"{alone.right}, {alone.wrong}, {alone.inconclusive}" if alone else DASH,
        reason,
    ]


def _decided(judged: Sequence[PersonResult], ours: str) -> list[tuple[str, list[str]]]:
    """Decisions of all persons: baseline plan, then numbers correct, wrong and inconclusive."""
    rows = []
    of_all = [found.decisions[ours] for found in judged if ours in found.decisions]
    for each, name in (
        ([decided.alone for decided in of_all], "other days"),
        ([decided.with_day for decided in of_all], "the day's first two baseline recordings"),
    ):
        counts = [sum(d.right for d in each), sum(d.wrong for d in each), sum(d.inconclusive for d in each)]
        if total := sum(counts):
            rows.append((name, [f"{count:,} ({percent(count / total)})" for count in counts]))
    return rows

"""The report's first words: the figure to trust most, and what came out for a person who knows no statistics."""

from collections.abc import Iterator
from typing import NamedTuple

from edge_ecg.errors import RunError
from edge_ecg.report.findings import Findings, naming
from edge_ecg.report.page import between
from edge_ecg.results import Accuracy, Correlation, MeanDecisions


class Figure(NamedTuple):
    """A main figure, and its caption."""

    figure: str
    of: str


def by_rank(findings: Findings) -> list[str]:
    """This comparator first, then the others by recordings right. Raises RunError where there is no other."""
    assert findings.crossval is not None
    methods = findings.crossval.methods
    file = findings.files["crossval"]
    if findings.architecture not in methods:
        raise RunError(
            f"{file}: has {', '.join(methods)}, expected {findings.architecture} among them: "
            f"run it with --arch {findings.architecture}"
        )
    if len(methods) < 2:
        raise RunError(f"{file}: has {findings.architecture} alone, expected baselines beside it")

    def rank(name: str) -> tuple[int, float]:
        return methods[name].recordings.right, methods[name].auc or 0.0

    others = sorted((name for name in methods if name != findings.architecture), key=rank, reverse=True)
    return [findings.architecture, *others]


def leading(findings: Findings) -> list[Figure]:
    """The main figures, the most honest first: dates left out, else test dates, else validation with its caveat."""
    figures = []
    if findings.crossval is not None:
        f, days = findings.crossval.methods[by_rank(findings)[0]], len(findings.crossval.dates)
        low, high = f.accuracy_95_by_date
        # Days drawn anew from days without an error show no other share: that is no interval.
        share = (
            f"on {days} days; the share may be {between((low, high))}" if low < high else f"on {days} days, all alike"
        )
        figures.append(Figure(_of(f.recordings), f"recordings of days left out were told rightly, {share}"))
    if findings.day_baseline is not None:
        found = findings.day_baseline.mean["0.95"]["day's baseline"]
        figures.append(
            Figure(
                f"{number(found.wrong)} wrong",
                f"of {found.right + found.wrong + found.inconclusive:.0f} decisions against the day's own baseline: "
                f"{number(found.right)} right, {number(found.inconclusive)} left open",
            )
        )
    if findings.evaluation is not None:
        test = findings.evaluation
        looks = "once" if test.looks == 1 else f"{test.looks} times, so that it flatters"
        figures.append(
            Figure(
                _of(test.recordings),
                f"recordings of the test dates ({', '.join(test.dates)}), looked at {looks}, last on "
                f"{test.time[:10]}: the share may be {between(test.recordings.accuracy_95)}",
            )
        )
    if not figures:
        held_out = findings.metrics["validation"]
        figures.append(
            Figure(
                _of(held_out.recordings),
                f"recordings of the validation dates ({', '.join(held_out.dates)}): the share may be "
                f"{between(held_out.recordings.accuracy_95)}. These dates stopped the training, so this flatters",
            )
        )
    return figures


def summary(findings: Findings) -> list[tuple[str, str]]:
    """Findings, each as a question and its answer in plain words."""
    found: list[tuple[str, str]] = []
    for part, tell in (
        ("crossval", _told_apart),
        ("crossval", _beside_others),
        ("day_baseline", _with_the_day),
        ("crossval", _without_ecg),
        ("confounders", _without_heart_rate),
        ("confounders", _where),
        ("dose", _dose),
        ("learning_curve", _days),
    ):
        if getattr(findings, part) is not None:
            with naming(findings.files[part]):
                found += tell(findings)
    return found


def _told_apart(findings: Findings) -> Iterator[tuple[str, str]]:
    assert findings.crossval is not None
    methods = findings.crossval.methods
    ours = methods[by_rank(findings)[0]]
    answer = f"{_of(ours.recordings)} recordings of days that the model had not seen were told rightly."
    if "majority" in methods:
        guess = methods["majority"].recordings
        more = ours.accuracy_95_by_date[0] > guess.right / guess.total
        answer = (
            f"{'Yes, in this person.' if more else 'Not shown.'} {answer} Whoever always says the more frequent state "
            f"is right on {guess.right}."
        )
    yield "Can the two states be told apart?", answer


def _beside_others(findings: Findings) -> Iterator[tuple[str, str]]:
    assert findings.crossval is not None
    beside = findings.crossval.beside
    low, high = beside.more_95
    if low <= 0 <= high:
        answer = f"No difference: the best of them, {beside.best}, does it as well."
    elif low > 0:
        answer = f"It does: it is right more often than the best of them, {beside.best}."
    else:
        answer = f"It does not: {beside.best} is right more often."
    yield "Does the comparator do better than other methods?", answer


def _with_the_day(findings: Findings) -> Iterator[tuple[str, str]]:
    assert findings.day_baseline is not None
    plans = findings.day_baseline.mean["0.95"]
    with_it, without = (decisions_text(plans[plan]) for plan in ("day's baseline", "none"))
    yield (
        "Does it help to record the baseline first in the morning?",
        f"With {findings.day_baseline.baselines} recordings of the same morning to compare with: {with_it}. "
        f"Without them: {without}.",
    )


def _without_ecg(findings: Findings) -> Iterator[tuple[str, str]]:
    assert findings.crossval is not None
    methods = findings.crossval.methods
    if "recording order" in methods and "majority" in methods:
        order, guess = (methods[name].recordings for name in ("recording order", "majority"))
        answer = f"Whoever knows only which recording of the day it is, and sees no ECG, is right on {_of(order)}."
        if order.right > guess.right:
            answer += " So the order of recording gives much away: swap it on some days."
        yield "Could it be something else than the state?", answer


def _without_heart_rate(findings: Findings) -> Iterator[tuple[str, str]]:
    assert findings.confounders is not None
    rows = {row.name.partition(":")[0]: row.recordings for row in findings.confounders.without}
    rate, shape = rows["RR withheld"], rows["samples withheld"]
    yield (
        "Is it only the heart rate?",
        f"With the heart rate taken out, {_of(rate)} recordings of the validation dates stay right; with nothing left "
        f"but the heart rate, {shape.right}.",
    )


def _where(findings: Findings) -> Iterator[tuple[str, str]]:
    assert findings.confounders is not None
    most = max(findings.confounders.occlusion.parts, key=lambda part: part.lost)
    yield "What in the heartbeat decides?", f"Above all this part: {most.name}."


def _dose(findings: Findings) -> Iterator[tuple[str, str]]:
    assert findings.dose is not None
    found = findings.dose
    if found.evidence is None:
        return
    follows = found.evidence.rho_95 is not None and found.evidence.rho_95[0] > 0
    answer = f"{'Yes, within a day' if follows else 'Not shown'}: rank correlation {_rho(found.evidence)}"
    if found.heart_rate is not None:
        answer += f"; of the heart rate alone {_rho(found.heart_rate)}"
    if found.one_state is not None:
        beyond = found.one_state.rho_95 is not None and found.one_state.rho_95[0] > 0
        answer += f". Among recordings of one label {'it does too' if beyond else 'that is not shown'}: "
        answer += _rho(found.one_state)
    yield f"Does the evidence follow the measured {found.quantity}?", f"{answer}. That predicts no value."


def _rho(correlation: Correlation) -> str:
    sessions = f"{correlation.sessions} session{'s' * (correlation.sessions > 1)}"
    if correlation.rho_95 is None:
        return f"{correlation.rho:.2f} ({sessions})"
    return f"{correlation.rho:.2f} ({correlation.rho_95[0]:.2f} to {correlation.rho_95[1]:.2f}, {sessions})"


def _days(findings: Findings) -> Iterator[tuple[str, str]]:
    assert findings.learning_curve is not None
    rows = findings.learning_curve.methods.get("comparator")
    if not rows:
        return
    best = max(row.mean for row in rows)
    # Within twice the standard error of the mean over draws.
    enough = next(row for row in rows if row.mean + 2 * row.sd / row.draws**0.5 >= best)
    share = f"{enough.mean:.0%} of the recordings of other days"
    answer = f"With {enough.days} that have both states, {share} are told rightly here."
    if enough is not rows[-1]:
        answer += " More days made no difference that can be seen."
    yield "How many days have to be recorded?", answer


def number(count: float) -> str:
    """A count, or a mean of counts with one digit."""
    return f"{count:.1f}".removesuffix(".0")


def decisions_text(found: MeanDecisions) -> str:
    """Decisions in words."""
    return f"{number(found.right)} right, {number(found.wrong)} wrong, {number(found.inconclusive)} left open"


def _of(accuracy: Accuracy) -> str:
    return f"{accuracy.right} of {accuracy.total}"

"""Summary at the top of the report: main figures, and questions with answers for readers without statistics."""

from collections.abc import Iterator
from typing import NamedTuple

from edge_ecg.errors import RunError
from edge_ecg.report.findings import Findings, naming
from edge_ecg.report.page import between
from edge_ecg.results import Accuracy, Correlation, MeanDecisions

LITTLE_MORE = 0.02  # of the recordings: about the spread between seeds on the public recordings


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
        # A bootstrap of days without an error has no width: that is no interval.
        share = f"95 % interval {between((low, high))} over {days} days" if low < high else f"on {days} days"
        figures.append(Figure(_of(f.recordings), f"recordings correct on days left out of the training; {share}"))
    if findings.day_baseline is not None:
        found = findings.day_baseline.mean["0.95"]["day's baseline"]
        figures.append(
            Figure(
                f"{number(found.wrong)} wrong",
                f"of {found.right + found.wrong + found.inconclusive:.0f} recordings compared with the day's baseline: "
                f"{number(found.right)} correct, {number(found.inconclusive)} inconclusive",
            )
        )
    if findings.evaluation is not None:
        test = findings.evaluation
        looks = "once" if test.looks == 1 else f"{test.looks} times, so this is optimistic"
        figures.append(
            Figure(
                _of(test.recordings),
                f"recordings correct on the test dates ({', '.join(test.dates)}), evaluated {looks} "
                f"({test.time[:10]}); 95 % interval {between(test.recordings.accuracy_95)}",
            )
        )
    if not figures:
        held_out = findings.metrics["validation"]
        figures.append(
            Figure(
                _of(held_out.recordings),
                f"recordings correct on the validation dates ({', '.join(held_out.dates)}); 95 % interval "
                f"{between(held_out.recordings.accuracy_95)}. These dates stopped the training, so this is optimistic",
            )
        )
    return figures


def summary(findings: Findings) -> list[tuple[str, str]]:
    """Findings, each as a question and its answer in plain words."""
    found: list[tuple[str, str]] = []
    for part, tell in (
        ("crossval", _distinguished),
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


def _distinguished(findings: Findings) -> Iterator[tuple[str, str]]:
    assert findings.crossval is not None
    methods = findings.crossval.methods
    ours = methods[by_rank(findings)[0]]
    answer = f"{_of(ours.recordings)} recordings of days left out of the training are correct."
    if "majority" in methods:
        guess = methods["majority"].recordings
        more = ours.accuracy_95_by_date[0] > guess.right / guess.total
        answer = (
            f"{'Yes, in this person.' if more else 'Not shown.'} {answer} Always answering the more frequent state "
            f"would give {guess.right}."
        )
    yield "Can the two states be distinguished?", answer


def _beside_others(findings: Findings) -> Iterator[tuple[str, str]]:
    assert findings.crossval is not None
    beside = findings.crossval.beside
    low, high = beside.more_95
    if low <= 0 <= high:
        answer = f"No difference to the best of them, {beside.best}, can be shown."
    elif low > 0:
        answer = f"Yes: it is correct more often than the best of them, {beside.best}."
    else:
        answer = f"No: {beside.best} is correct more often."
    yield "Is the comparator better than other methods?", answer


def _with_the_day(findings: Findings) -> Iterator[tuple[str, str]]:
    assert findings.day_baseline is not None
    plans = findings.day_baseline.mean["0.95"]
    with_it, without = (decisions_text(plans[plan]) for plan in ("day's baseline", "none"))
    yield (
        "Does it help to record the baseline first on each day?",
        f"Compared with {findings.day_baseline.baselines} baseline recordings of the same day: {with_it}. "
        f"Without them: {without}.",
    )


def _without_ecg(findings: Findings) -> Iterator[tuple[str, str]]:
    assert findings.crossval is not None
    methods = findings.crossval.methods
    if "recording order" in methods and "majority" in methods:
        order, guess = (methods[name].recordings for name in ("recording order", "majority"))
        answer = f"The order of the recordings alone, without the ECG, is correct on {_of(order)}."
        if order.right > guess.right:
            answer += " The order reveals the state: swap it on some days."
        yield "Could it be something other than the state?", answer


def _without_heart_rate(findings: Findings) -> Iterator[tuple[str, str]]:
    assert findings.confounders is not None
    rows = {row.name.partition(":")[0]: row.recordings for row in findings.confounders.without}
    rate, shape = rows["RR withheld"], rows["samples withheld"]
    yield (
        "Is it only the heart rate?",
        f"Without the heart rate, {_of(rate)} recordings of the validation dates are correct; with the heart rate "
        f"alone, {shape.right}.",
    )


def _where(findings: Findings) -> Iterator[tuple[str, str]]:
    assert findings.confounders is not None
    most = max(findings.confounders.occlusion.parts, key=lambda part: part.lost)
    yield "Which part of the beat matters most?", f"{most.name[:1].upper()}{most.name[1:]}."


def _dose(findings: Findings) -> Iterator[tuple[str, str]]:
    assert findings.dose is not None
    found = findings.dose
    if found.evidence is None:
        return
    follows = found.evidence.rho_95 is not None and found.evidence.rho_95[0] > 0
    answer = f"{'Yes, within a day' if follows else 'Not shown'}: rank correlation {_rho(found.evidence)}"
    if found.heart_rate is not None:
        answer += f"; for the heart rate alone {_rho(found.heart_rate)}"
    if found.one_state is not None:
        beyond = found.one_state.rho_95 is not None and found.one_state.rho_95[0] > 0
        answer += f". Among recordings of one label {'yes as well' if beyond else 'not shown'}: "
        answer += _rho(found.one_state)
    yield f"Does the evidence follow the measured {found.quantity}?", f"{answer}. No value can be predicted from this."


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
    enough = next(row for row in rows if row.mean >= best - LITTLE_MORE)
    answer = f"With {enough.days} days of both states, {enough.mean:.0%} of the recordings of other days are correct."
    if enough is not rows[-1]:
        answer += f" More days add less than {100 * LITTLE_MORE:.0f} percentage points."
    yield "How many days are needed?", answer


def number(count: float) -> str:
    """A count, or a mean of counts with one digit."""
    return f"{count:.1f}".removesuffix(".0")


def decisions_text(found: MeanDecisions) -> str:
    """Decisions in words."""
    return f"{number(found.right)} correct, {number(found.wrong)} wrong, {number(found.inconclusive)} inconclusive"


def _of(accuracy: Accuracy) -> str:
    return f"{accuracy.right} of {accuracy.total}"

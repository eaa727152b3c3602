"""Is it the state, or what comes along with it, and which part of the beat says so?

Nothing is trained. The beats of the validation dates, which training has not learned from, are judged again by the
run's model and references.
"""

from collections.abc import Callable

import numpy as np
from scipy.stats import t as student

from edge_ecg.errors import RunError
from edge_ecg.report.findings import weights_sha256
from edge_ecg.results import Confounders, Judged, MatchedPairs, SetDrift, StateEffect
from train.data import BeatSet
from train.decision.decide import newcombe_interval
from train.decision.fitted import recording_centres
from train.evaluation.occlusion import RunEvidence, ablated_inputs, occlusion
from train.evaluation.scores import DRAWS, RecordingScores
from train.model.model import SAMPLES, embed
from train.run import Run


def matched_pairs(
    beats: BeatSet, evidence: np.ndarray, same_date: bool, within_ms: float | None
) -> MatchedPairs | None:
    """Of pairs of a target beat and a baseline beat, the share in which the target beat has more evidence.

    evidence: (N,). within_ms: how much their RR may differ; None for any. A tie is half right. `shorter_rr` is the same
    share for RR alone: matched, it is near one half. The interval draws the recordings of either state with
    replacement; where all pairs are right that has no width, so the one of as many single pairs of recordings is the
    least. None if there is no such pair.
    """
    rr_ms = 1000 * beats.values[:, SAMPLES].astype(np.float64)
    targets, baselines = np.flatnonzero(beats.recording_is_target), np.flatnonzero(~beats.recording_is_target)
    count, right, shorter = (np.zeros((len(targets), len(baselines))) for _ in range(3))
    of_baseline = np.flatnonzero(~beats.is_target)
    column = np.searchsorted(baselines, beats.recording[of_baseline])
    for row, recording in enumerate(targets):
        mine = np.flatnonzero(beats.recording == recording)[:, None]
        paired = np.broadcast_to(
            (beats.date[of_baseline] == beats.dates[recording]) == same_date, (len(mine), len(column))
        )
        apart_ms = rr_ms[mine] - rr_ms[of_baseline]
        if within_ms is not None:
            paired = paired & (np.abs(apart_ms) < within_ms)
        more = (np.sign(evidence[mine] - evidence[of_baseline]) + 1) / 2
        for matrix, of_pair in (
            (count, paired),
            (right, paired * more),
            (shorter, paired * (1 - np.sign(apart_ms)) / 2),
        ):
            matrix[row] = np.bincount(column, of_pair.sum(0), len(baselines))
    if not count.sum():
        return None
    rng = np.random.default_rng(0)
    rows = rng.multinomial(len(targets), np.full(len(targets), 1 / len(targets)), DRAWS)
    columns = rng.multinomial(len(baselines), np.full(len(baselines), 1 / len(baselines)), DRAWS)
    drawn = np.einsum("dt,tb,db->d", rows, count, columns, optimize=True)
    drawn_right = np.einsum("dt,tb,db->d", rows, right, columns, optimize=True)
    low, high = np.percentile((drawn_right / np.maximum(drawn, 1e-12))[drawn > 0], [2.5, 97.5])
    share = float(right.sum() / count.sum())
    widest = newcombe_interval(share, int(count.any(1).sum()), int(count.any(0).sum()))
    used = np.concatenate([targets[count.any(1)], baselines[count.any(0)]])
    return MatchedPairs(
        same_date=same_date,
        within_ms=within_ms,
        pairs=int(count.sum()),
        share=share,
        share_95=(min(float(low), widest[0]), max(float(high), widest[1])),
        shorter_rr=float(shorter.sum() / count.sum()),
        recordings=len(used),
        dates=len(set(beats.dates[used].tolist())),
    )


def state_effect(beats: BeatSet, level: np.ndarray) -> StateEffect:
    """The state's effect beside what differs anyway. level: one number a recording (M,).

    Variance components by the analysis of variance for groups of unequal size (S. R. Searle, G. Casella,
    C. E. McCulloch, Variance Components, 1992, chapter 3), pooled over the states: recordings within a date and
    state, dates within a state. `effect` is the mean over dates with both states of target minus baseline; `order` is
    what share of it the order of recording explains. None for what can't be told.
    """
    by_date: dict[str, dict[str, float]] = {}
    within = between = within_freedom = between_freedom = weight = 0.0
    for state in (False, True):
        of_state = beats.recording_is_target == state
        counts, means = [], []
        for date in np.unique(beats.dates[of_state]).tolist():
            group = level[of_state & (beats.dates == date)]
            counts.append(len(group))
            means.append(group.mean())
            within += float(((group - group.mean()) ** 2).sum())
            within_freedom += len(group) - 1
            by_date.setdefault(date, {})["target" if state else "baseline"] = float(group.mean())
        n = np.array(counts)
        between += float((n * (np.array(means) - np.average(means, weights=n)) ** 2).sum())
        between_freedom += len(n) - 1
        weight += float(n.sum() - (n**2).sum() / n.sum())  # sums to the usual n0 times the degrees of freedom
    effects = [means["target"] - means["baseline"] for means in by_date.values() if len(means) == 2]
    effect = float(np.mean(effects)) if effects else None
    order, order_95 = explained_by_order(beats, level, effect) if effect else (None, None)
    recordings = within / within_freedom if within_freedom else None
    dates = None
    if recordings is not None and weight:
        dates = max(0.0, (between - between_freedom * recordings) / weight)
    return StateEffect(
        effect=effect,
        effect_sd_between_dates=float(np.std(effects, ddof=1)) if len(effects) > 1 else None,
        dates_sd=None if dates is None else dates**0.5,
        recordings_sd=None if recordings is None else recordings**0.5,
        order=order,
        order_95=order_95,
        dates=dict(sorted(by_date.items())),
    )


def explained_by_order(
    beats: BeatSet, level: np.ndarray, effect: float
) -> tuple[float, tuple[float, float]] | tuple[None, None]:
    """What share of the state's effect a trend over the day would make, and its 95 % interval.

    Within a series, the recordings of one date and state, nothing changes but the order. The trend is the slope that
    all series share (analysis of covariance), times how many recordings the states lie apart, over `effect`. The
    interval is Student's, as if recordings of a series were independent.
    """
    place, series = beats.place_in_date.astype(float), np.empty(len(level), int)
    apart = []
    for number, date in enumerate(np.unique(beats.dates)):
        of_date, target = beats.dates == date, beats.recording_is_target
        series[of_date] = 2 * number + target[of_date]
        if (of_date & target).any() and (of_date & ~target).any():
            apart.append(place[of_date & target].mean() - place[of_date & ~target].mean())
    counts = np.maximum(1, np.bincount(series))
    x, y = (values - (np.bincount(series, values) / counts)[series] for values in (place, level))
    freedom = len(level) - len(np.unique(series)) - 1
    if not apart or freedom < 1 or not x.any():
        return None, None
    slope = float(x @ y / (x @ x))
    half = float(student.ppf(0.975, freedom) * np.sqrt(((y - slope * x) ** 2).sum() / freedom / (x @ x)))
    share, margin = slope * np.mean(apart) / effect, abs(half * np.mean(apart) / effect)
    return float(share), (float(share - margin), float(share + margin))


def state_axis(run: RunEvidence) -> Callable[[BeatSet], np.ndarray]:
    """Where recordings lie between the states in the embedding: 0 training's usual baseline, 1 its usual target."""
    training = run.training
    middle = recording_centres(embed(run.model, training.values), training.recording)
    is_target = training.recording_is_target
    origin = middle[~is_target].mean(0)
    axis = middle[is_target].mean(0) - origin
    axis /= axis @ axis
    return lambda beats: (recording_centres(embed(run.model, beats.values), beats.recording) - origin) @ axis


CONFOUNDERS = "confounders.json"
MATCHED_MS = 10.0


def confounders(finished: Run) -> Confounders:
    """Validation beats of a run judged again. Raises RunError if the validation dates have one state only."""
    if not can_be_judged(finished):
        raise RunError(f"{finished.path}: its validation dates have one state only, expected both")
    run, sets = RunEvidence(finished), {"train": finished.training, "validation": finished.validation}
    held_out = finished.validation
    evidence = run.evidence(held_out.values)
    scores = RecordingScores.of(held_out, evidence)
    pairs = [
        matched_pairs(held_out, evidence, same_date, within_ms)
        for same_date in (True, False)
        for within_ms in (None, MATCHED_MS)
    ]
    along = state_axis(run)
    return Confounders(
        weights_sha256=weights_sha256(finished.path),
        labels=finished.labels,
        recordings=Judged(
            date=tuple(scores.dates.tolist()),
            is_target=tuple(scores.is_target.tolist()),
            evidence=tuple(scores.evidence.tolist()),
        ),
        without=ablated_inputs(run, held_out),
        pairs=tuple(row for row in pairs if row),
        drift={
            which: SetDrift(
                evidence=state_effect(beats, RecordingScores.of(beats, run.evidence(beats.values)).evidence),
                embedding=state_effect(beats, along(beats)),
            )
            for which, beats in sets.items()
        },
        occlusion=occlusion(run, held_out),
    )


def can_be_judged(finished: Run) -> bool:
    """Whether the validation dates have both states."""
    return len(set(finished.validation.recording_is_target.tolist())) == 2

"""Confounders of the state: heart rate, amplitude, order and day; and the part of the beat that decides.

Nothing is trained. The beats of the validation dates, which training has not learned from, are judged again by the
run's model and references.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from edge_ecg.contract import CONTRACT
from edge_ecg.errors import RunError
from edge_ecg.report.findings import weights_sha256
from edge_ecg.results import (
    AblatedInput,
    Accuracy,
    Confounders,
    Covered,
    CoveredPart,
    Judged,
    MatchedPairs,
    Occlusion,
    SetDrift,
    StateEffect,
)
from train.data import BeatSet
from train.evaluation.scores import DRAWS, RecordingScores, roc_auc
from train.fit.decision import newcombe_interval, recording_centres
from train.model.model import PR_SEGMENT, SAMPLES, compare, embed
from train.run import Run

RR = SAMPLES  # where a beat holds its RR interval in seconds
WIDTH, STEP = 16, 8  # samples of the window that is covered, and from one to the next
# From 62 ms before R to 86 ms after it.
QRS = slice(CONTRACT.before_r_samples - 32, CONTRACT.before_r_samples + CONTRACT.quality.qrs)
QRS_UV, T_WAVE_UV = 1000.0, 300.0  # the heights that all beats get; the ratio is a usual one

Change = Callable[[np.ndarray], np.ndarray]  # beats (N, 384) -> beats with something taken out


class RunEvidence:
    """The run's model with its references, for beats from which something was taken out."""

    def __init__(self, finished: Run):
        self.model, self.training = finished.model, finished.training
        self.chosen, self.bank = finished.references()

    def evidence(self, values: np.ndarray) -> np.ndarray:
        """(N,) evidence of beats (N, 384)."""
        return self._against(self.bank.embeddings, values)

    def evidence_without(self, change: Change, values: np.ndarray) -> np.ndarray:
        """(N,) evidence of changed beats against references that were changed alike."""
        references = embed(self.model, change(self.training.values[self.chosen]))
        return self._against(references, change(values))

    def _against(self, references: np.ndarray, values: np.ndarray) -> np.ndarray:
        return self.bank.evidence(compare(self.model, embed(self.model, values), references))


@dataclass(frozen=True)
class Shapes:
    """Beats as offset + scale * shape: the PR segment at 0, the root mean square at 1."""

    offset: np.ndarray  # (N, 1)
    scale: np.ndarray  # (N, 1)
    shape: np.ndarray  # (N, 383)

    @classmethod
    def of(cls, values: np.ndarray) -> "Shapes":
        """Take beats (N, 384) apart."""
        samples = values[:, :SAMPLES].astype(np.float64)
        offset = samples[:, PR_SEGMENT].mean(1, keepdims=True)
        scale = np.sqrt(((samples - offset) ** 2).mean(1, keepdims=True)) + 1.0  # 1 uV, as in the model
        return cls(offset, scale, (samples - offset) / scale)


def between_states(values: np.ndarray, is_target: np.ndarray) -> np.ndarray:
    """The beat halfway between the mean beats of both states: its shape (383), and its RR interval in seconds."""
    known = np.hstack([Shapes.of(values).shape, values[:, RR:]])
    halfway: np.ndarray = (known[is_target].mean(0) + known[~is_target].mean(0)) / 2
    return halfway


def covered(values: np.ndarray, halfway: np.ndarray, part: slice) -> np.ndarray:
    """Beats with a part replaced by that of `halfway`, at each beat's own offset and scale."""
    shapes = Shapes.of(values)
    changed = values.copy()
    changed[:, part] = (shapes.offset + shapes.scale * halfway[:SAMPLES])[:, part] if part.start < RR else halfway[RR]
    return changed


def equal_gain(values: np.ndarray) -> np.ndarray:
    """Beats (N, 384) at 0 in the PR segment and as high as each other in the QRS: electrode and skin are gone."""
    samples = values[:, :SAMPLES] - values[:, PR_SEGMENT].mean(1, keepdims=True)
    qrs_uv = np.ptp(samples[:, QRS], axis=1, keepdims=True) + 1.0  # 1 uV: a flat beat stays flat
    return np.hstack([samples * (QRS_UV / qrs_uv), values[:, RR:]])


def equal_heights(values: np.ndarray) -> np.ndarray:
    """Beats (N, 384) as high as each other in the QRS, and, from the end of the QRS on, in the T wave as well."""
    beats = equal_gain(values)
    t_wave_uv = np.abs(beats[:, QRS.stop : SAMPLES]).max(1, keepdims=True) + 1.0
    beats[:, QRS.stop : SAMPLES] *= T_WAVE_UV / t_wave_uv
    return beats


def ablated_inputs(run: RunEvidence, beats: BeatSet) -> tuple[AblatedInput, ...]:
    """Scores after something was taken out of all beats; the interval of the AUC is over recordings."""
    halfway = between_states(run.training.values, run.training.is_target)
    changes: dict[str, Change] = {
        "as recorded": lambda values: values,
        "RR withheld: the same interval in every beat": lambda values: covered(values, halfway, slice(RR, RR + 1)),
        "gain equal: every QRS as high": equal_gain,
        "heights equal: every QRS and every T wave as high": equal_heights,
        "samples withheld: the same shape in every beat, RR left": lambda v: covered(v, halfway, slice(0, SAMPLES)),
    }
    rows = []
    for name, change in changes.items():
        scores = RecordingScores.of(beats, run.evidence_without(change, beats.values))
        auc = roc_auc(scores.evidence, scores.is_target)
        rows.append(
            AblatedInput(
                name=name,
                recordings=Accuracy.of(scores.evidence > 0, scores.is_target),
                auc=auc,
                auc_95=None if auc is None else newcombe_interval(auc, *np.bincount(~scores.is_target)),
                beats=int(scores.beats.sum()),
                beats_right=int(scores.beats_right.sum()),
            )
        )
    return tuple(rows)


def share_lost(left: Any, whole: Any) -> Any:
    """Share of evidence that is lost; none where there was none, as of a person without a difference."""
    return 1 - np.divide(left, whole, out=np.ones(np.shape(whole)), where=np.asarray(whole) != 0)


def occlusion(run: RunEvidence, beats: BeatSet) -> Occlusion:
    """Share of the evidence for the right state that is lost when a window or a part of the beat is covered.

    A window takes the halfway beat's samples, so that it speaks for neither state. `lost` is the share of the margin
    (evidence for the right state) that is lost, recordings weighing the same, with the interval over recordings. It
    says what this model uses; what it could have used instead is not seen.
    """
    halfway = between_states(run.training.values, run.training.is_target)
    sign = np.where(beats.is_target, 1.0, -1.0)

    def margin(values: np.ndarray) -> np.ndarray:
        return np.asarray(np.bincount(beats.recording, sign * run.evidence(values)) / np.bincount(beats.recording))

    whole = margin(beats.values)
    chosen = np.random.default_rng(0).integers(0, len(whole), (DRAWS, len(whole)))

    def lost(part: slice) -> dict[str, Any]:
        left = margin(covered(beats.values, halfway, part))
        low, high = np.percentile(share_lost(left[chosen].mean(1), whole[chosen].mean(1)), [2.5, 97.5])
        share = float(share_lost(left.mean(), whole.mean()))
        return {
            "start": part.start,
            "stop": part.stop,
            "lost": share,
            "lost_95": (float(low), float(high)),
            "recordings": Accuracy.of((left > 0) == beats.recording_is_target, beats.recording_is_target),
        }

    t_peak = QRS.stop + int(np.abs(halfway[QRS.stop : SAMPLES]).argmax())
    parts = {
        "P wave and PR segment": slice(0, QRS.start),
        "QRS": QRS,
        "ST segment and T wave to its peak": slice(QRS.stop, t_peak),
        "T wave from its peak on": slice(t_peak, SAMPLES),
        "RR interval": slice(RR, RR + 1),
    }
    starts = range(0, SAMPLES - WIDTH + 1, STEP)
    return Occlusion(
        width=WIDTH,
        windows=tuple(Covered(**lost(slice(start, min(start + WIDTH, SAMPLES)))) for start in starts),
        parts=tuple(CoveredPart(name=name, **lost(part)) for name, part in parts.items()),
        mean_beats_uv=mean_beats_uv(beats),
    )


def recording_means_uv(beats: BeatSet) -> np.ndarray:
    """(M, 383) the mean beat of each recording, its PR segment at 0."""
    samples = beats.values[:, :SAMPLES] - beats.values[:, PR_SEGMENT].mean(1, keepdims=True)
    return np.stack([samples[beats.recording == number].mean(0) for number in range(len(beats.sources))])


def rounded(values: np.ndarray) -> list[float]:
    """Microvolts with one digit after the point."""
    return [round(float(value), 1) for value in values]


def mean_beats_uv(beats: BeatSet) -> tuple[list[float], list[float]]:
    """The mean beats of both states (383 samples each), the baseline first, recordings weighing the same."""
    means = recording_means_uv(beats)
    baseline, target = (rounded(means[beats.recording_is_target == state].mean(0)) for state in (False, True))
    return baseline, target


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
    what share of it the order of recording explains. None for what can't be estimated.
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
    """Share of the state's effect that a trend over the day would make, and its 95 % interval.

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
    half = float(stdtrit(freedom, 0.975) * np.sqrt(((y - slope * x) ** 2).sum() / freedom / (x @ x)))
    share, margin = slope * np.mean(apart) / effect, abs(half * np.mean(apart) / effect)
    return float(share), (float(share - margin), float(share + margin))


def state_axis(run: RunEvidence) -> Callable[[BeatSet], np.ndarray]:
    """Position of recordings between the states in the embedding: 0 training's usual baseline, 1 its usual target."""
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
    """Validation beats of a run, evaluated again. Raises RunError if the validation dates have one state only."""
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

"""Beats judged again after something was taken out of them: the interval, the amplitude, or a part of the beat.

What is taken out is the same for every beat afterwards, so that it can't speak for either state.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_ecg.contract import CONTRACT
from edge_ecg.results import AblatedInput, Accuracy, Covered, CoveredPart, Occlusion
from train.data import BeatSet
from train.decision.decide import newcombe_interval
from train.evaluation.scores import DRAWS, RecordingScores, roc_auc
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
    """What is right after something was taken out of all beats; the interval of the AUC is over recordings."""
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


def occlusion(run: RunEvidence, beats: BeatSet) -> Occlusion:
    """How much of the evidence for the right state goes when a window of the beat is covered, and for whole parts.

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
        low, high = np.percentile(1 - left[chosen].mean(1) / whole[chosen].mean(1), [2.5, 97.5])
        share = float(1 - left.mean() / whole.mean())
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

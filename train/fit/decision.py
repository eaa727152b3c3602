"""The rest of a decision beside the network: references, levels of both states, limits; decisions of many recordings.

Each date was left out once (`train.fit.loop`), and a model of the others gave the evidence of its beats. From that
follow the usual levels of a state, how much dates differ, and how much recordings of one date do;
`edge_ecg.inference.levels` uses them. Variance components by the analysis of variance for groups of unequal size (S. R.
Searle, G. Casella, C. E. McCulloch, Variance Components, 1992, chapter 3); a negative one is 0. Every date weighs the
same in the mean.

The training distribution is the center and spread of embeddings, and the limit beyond which a beat is out of it.
Everything is fitted on the training and validation recordings; test dates are not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from edge_ecg.contract import CONTRACT
from edge_ecg.inference.guards import GuardLimits, largest_change, usual_rr_change
from edge_ecg.inference.levels import Levels, StateLevels
from edge_ecg.inference.novelty import TrainingDistribution, span_of
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import INCONCLUSIVE, Decision, DecisionRule, Vote, cast_vote
from edge_ecg.results import Accuracy, SequentialDecisions, SetMetrics, count_decisions
from train.data import BeatSet
from train.model.model import Model, compare, embed

Z_95 = 1.959964  # two-sided 95 % of the normal distribution


def newcombe_interval(auc: float, targets: int, baselines: int) -> tuple[float, float]:
    """95 % interval of an AUC of so many recordings of each state; unlike a bootstrap it has a width at 1.

    R. G. Newcombe, Stat. Med. 25(4), 2006, part 2, method 5: the AUCs that lie within 1.96 of their own standard error,
    in the form of Hanley and McNeil (Radiology 143(1), 1982), of the one that was seen.
    """
    others = (targets + baselines) / 2 - 1

    def beyond(true: float) -> float:
        spread = true * (1 - true) * (1 + others * ((1 - true) / (2 - true) + true / (1 + true)))
        return (true - auc) ** 2 - Z_95**2 * spread / (targets * baselines)

    inside = min(max(auc, 1e-9), 1 - 1e-9)  # at 0 and 1 themselves a true AUC has no spread
    from scipy.optimize import brentq  # slow to import

    low = brentq(beyond, 0.0, inside) if beyond(0.0) > 0 else 0.0
    high = brentq(beyond, inside, 1.0) if beyond(1.0) > 0 else 1.0
    return float(low), float(high)


@dataclass(frozen=True)
class Decided:
    """Votes and decisions of a model and its references on a set of beats."""

    beats: BeatSet
    labels: tuple[str, str]
    votes: list[Vote]  # by beat
    decisions: list[Decision]  # by recording, without a day's baseline

    @property
    def evidence(self) -> np.ndarray:
        """(N,) soft evidence of each beat."""
        return np.array([vote.evidence for vote in self.votes])

    @property
    def recording_evidence(self) -> np.ndarray:
        """(M,) mean evidence of each recording."""
        totals = np.bincount(self.beats.recording, self.evidence)
        return np.asarray(totals / np.bincount(self.beats.recording))

    def metrics(self) -> SetMetrics:
        """By beat and by recording; a recording is the unit that counts, a beat is not."""
        truth, recording_truth = self.beats.is_target, self.beats.recording_is_target
        hard = np.array([vote.hard_target for vote in self.votes])
        hard_share = np.bincount(self.beats.recording, hard) / np.bincount(self.beats.recording)
        labels = [self.labels[is_target] for is_target in recording_truth.tolist()]
        return SetMetrics(
            recordings=Accuracy.of(self.recording_evidence > 0, recording_truth),
            recordings_hard_votes=Accuracy.of(hard_share > 0.5, recording_truth),
            sequential=SequentialDecisions(
                **count_decisions(
                    [d.label != INCONCLUSIVE for d in self.decisions],
                    [d.label == label for d, label in zip(self.decisions, labels, strict=True)],
                ),
                median_beats=float(
                    np.median([d.provisional.beats if d.provisional else d.beats for d in self.decisions])
                ),
            ),
            beats=Accuracy.of(self.evidence > 0, truth),
            beats_hard_votes=Accuracy.of(hard, truth),
            dates=tuple(sorted(set(self.beats.dates.tolist()))),
        )


def decide(model: Model, references: ReferenceBank, beats: BeatSet, rule: DecisionRule) -> Decided:
    """Vote on every beat and decide on every recording."""
    return decide_from_logits(
        compare(model, embed(model, beats.values), references.embeddings), references, beats, rule
    )


def decide_from_logits(logits: np.ndarray, references: ReferenceBank, beats: BeatSet, rule: DecisionRule) -> Decided:
    """Votes and decisions from logits (N, R), whatever engine computed them; no day's baseline is known."""
    votes = [cast_vote(row, references) for row in logits]
    decisions = [
        rule.tallied(
            (votes[beat], float(beats.known_at_s[beat])) for beat in np.flatnonzero(beats.recording == number)
        ).decision
        for number in range(len(beats.sources))
    ]
    return Decided(beats, rule.labels, votes, decisions)


def choose_references(beats: BeatSet, embeddings: np.ndarray, per_state: int) -> np.ndarray:
    """Indices of `per_state` beats of each state, the baseline first, dates taking turns.

    beats: N training beats with their embeddings (N, D). Of each date the recordings are taken spread over
    the day, and of a recording the beat whose embedding is nearest to the recording's median.
    """
    chosen = []
    for target in (False, True):
        of_state = beats.recording_is_target == target
        by_date = [np.flatnonzero(of_state & (beats.dates == date)) for date in np.unique(beats.dates[of_state])]
        quotas = [0] * len(by_date)
        while sum(quotas) < min(per_state, of_state.sum()):
            room = [date for date, quota in enumerate(quotas) if quota < len(by_date[date])]
            quotas[min(room, key=quotas.__getitem__)] += 1
        for recordings, quota in zip(by_date, quotas, strict=True):
            spread = ((np.arange(quota) + 0.5) * len(recordings) / max(quota, 1)).astype(int)
            chosen += [_typical_beat(beats, embeddings, recording) for recording in recordings[spread]]
    return np.array(chosen)


def bank_of(beats: BeatSet, embeddings: np.ndarray, chosen: np.ndarray) -> ReferenceBank:
    """The chosen beats' embeddings with their labels."""
    return ReferenceBank(embeddings[chosen].astype(np.float32), beats.is_target[chosen])


def _typical_beat(beats: BeatSet, embeddings: np.ndarray, recording: int) -> int:
    of_recording = np.flatnonzero(beats.recording == recording)
    median = np.median(embeddings[of_recording], axis=0)
    return int(of_recording[np.argmin(np.linalg.norm(embeddings[of_recording] - median, axis=1))])


BEATS = (3, 5, 8, 12, 20, 30)  # chosen; 30 are a whole recording of 30 s, or nearly
FEWEST_BEATS = 3
LEVELS_FEWEST_DATES = 2  # of a state: one alone has no variance
LEAST_WITHIN = 1e-6  # of the variance between dates: recordings that are all alike are no proof that others will be


def fit_levels(beats: BeatSet, evidence: np.ndarray) -> Levels | None:
    """The levels of both states from the evidence (N,) of beats; None for too few dates.

    A recording counts with its first n beats, one that has fewer with all of them.
    """
    states = []
    for target in (False, True):
        levels: list[tuple[float, float, float]] = []
        for count in BEATS:
            by_date = recording_levels(beats, evidence, target, count)
            components = variance_components(by_date)
            if components is None:
                return None
            levels.append(components)
        mean, between, within = zip(*levels, strict=True)
        states.append(StateLevels(len(by_date), mean, between, within))
    return Levels(BEATS, *states)


def recording_levels(beats: BeatSet, evidence: np.ndarray, target: bool, count: int) -> list[np.ndarray]:
    """By date with recordings of a state, their mean evidence after `count` beats."""
    by_date: dict[str, list[float]] = {}
    for number in np.flatnonzero(beats.recording_is_target == target):
        of_recording = evidence[beats.recording == number]
        if len(of_recording) >= FEWEST_BEATS:
            by_date.setdefault(str(beats.dates[number]), []).append(float(of_recording[:count].mean()))
    return [np.array(of_date) for of_date in by_date.values()]


def variance_components(groups: list[np.ndarray]) -> tuple[float, float, float] | None:
    """Mean of groups, variance between and within them; None for one group, or one number per group."""
    counts = np.array([len(group) for group in groups])
    freedom = int(counts.sum()) - len(groups)
    if len(groups) < LEVELS_FEWEST_DATES or freedom < 1:
        return None
    means = np.array([group.mean() for group in groups])
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups) / freedom
    square = float((counts * (means - np.average(means, weights=counts)) ** 2).sum()) / (len(groups) - 1)
    usual_count = (counts.sum() - (counts**2).sum() / counts.sum()) / (len(groups) - 1)
    between = max(0.0, (square - within) / float(usual_count))
    return float(means.mean()), between, max(within, LEAST_WITHIN * between, 1e-9)


GUARDS_FEWEST_RECORDINGS = 20  # fewer can't say what is unusual
CHANGES_PASSED = 0.995  # of recordings as these, by a log-normal distribution
RR_MARGIN, RR_PERCENTILE = 1.5, 99


def fit_guards(beats: BeatSet, evidence: np.ndarray) -> GuardLimits | None:
    """The limits from the evidence (N,) of beats by models that had not seen them; nothing for too few recordings.

    The largest change has the upper prediction limit of one more recording (G. J. Hahn, J. Am. Stat. Assoc. 64, 1969),
    taken to be log-normal: with few recordings it lies further above them than with many.
    """
    recordings = [np.flatnonzero(beats.recording == number) for number in range(len(beats.sources))]
    changes = np.array([largest_change(evidence[of], CONTRACT.guards.part_beats) for of in recordings])
    logs = np.log(changes[changes > 0])
    if len(logs) < GUARDS_FEWEST_RECORDINGS:
        return None
    reach = stdtrit(len(logs) - 1, CHANGES_PASSED) * np.sqrt(1 + 1 / len(logs))
    rr_change = np.percentile([usual_rr_change(beats.values[of, -1].astype(float)) for of in recordings], RR_PERCENTILE)
    limits = GuardLimits(float(np.exp(logs.mean() + reach * logs.std(ddof=1))), RR_MARGIN * float(rr_change))
    return limits if limits.rr_change > 0 else None


MOST_DIRECTIONS = 16  # chosen: more than an embedding of 8 has, and few enough to estimate
SEEN_FEWEST_DATES = 3  # with the baseline; fewer can't say what usually changes from one date to the next
RECORDINGS_PASSED_PERCENTILE = 99  # percentile of recordings that the limit lets pass when their date is left out


def fit_distribution(embeddings: Sequence[np.ndarray], sets: Sequence[BeatSet]) -> TrainingDistribution | None:
    """Training distribution of the embeddings (N, D) of each beat set; None if they have too few dates."""
    values = np.concatenate(embeddings).astype(np.float64)
    is_target = np.concatenate([beats.is_target for beats in sets])
    date = np.concatenate([beats.date for beats in sets])
    firsts = np.cumsum([0] + [len(beats.sources) for beats in sets])
    recording = np.concatenate([first + beats.recording for first, beats in zip(firsts, sets, strict=False)])
    dates = np.unique(date)
    if len(np.unique(date[~is_target])) < SEEN_FEWEST_DATES or len(np.unique(date[is_target])) < SEEN_FEWEST_DATES:
        return None
    centres, directions, variances = _shape(values, is_target, date)
    distances = np.empty(len(values))
    for left_out in dates:
        held = date == left_out
        shape = _shape(values[~held], is_target[~held], date[~held])
        distances[held] = TrainingDistribution(*shape, limit=1.0).distances(values[held])
    of_recordings = [float(np.median(distances[recording == r])) for r in np.unique(recording)]
    limit = float(np.percentile(of_recordings, RECORDINGS_PASSED_PERCENTILE))
    days = span_of([day.toordinal() for beats in sets for day in beats.days[~np.isnat(beats.days)].tolist()])
    return TrainingDistribution(centres, directions, variances, limit, days)


def recording_centres(embeddings: np.ndarray, recording: np.ndarray) -> np.ndarray:
    """The middle of each recording's embeddings, in the order of their numbers: (M, D), a median of every number."""
    return np.stack([np.median(embeddings[recording == number], axis=0) for number in np.unique(recording)])


def _shape(values: np.ndarray, is_target: np.ndarray, date: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres of both states, and the directions and variances around them."""
    centres, covariances = [], []
    for state in (False, True):
        by_date = [values[(is_target == state) & (date == d)] for d in np.unique(date[is_target == state])]
        centre = np.mean([of_date.mean(0) for of_date in by_date], axis=0)
        centres.append(centre)
        covariances += [(of_date - centre).T @ (of_date - centre) / len(of_date) for of_date in by_date]
    length = values.shape[1]
    variances, directions = np.linalg.eigh(np.mean(covariances, axis=0))  # ascending
    kept = min(MOST_DIRECTIONS, length // 2)
    elsewhere = max(float(variances[: length - kept].mean()), 1e-9 * float(variances.sum()), 1e-12)
    strongest = np.maximum(variances[::-1][:kept], elsewhere)
    return np.array(centres), directions.T[::-1][:kept], np.append(strongest, elsewhere)

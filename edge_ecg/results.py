"""Records of measurements: each has one shape, in memory, in the JSON files of a run, and in the report.

Whatever measures returns one of these, `write_record` writes it, and the report reads nothing else.
"""

from collections.abc import Sequence
from math import comb, sqrt
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
from msgspec import Meta

from edge_ecg.bundles.manifest import ParityFacts
from edge_ecg.errors import RunError
from edge_ecg.records import to_record
from edge_ecg.storage.files import read_json, write_json

Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Rho = Annotated[float, Meta(ge=-1, le=1)]  # a correlation
Interval = tuple[float, float]  # a 95 % interval
Labels = tuple[str, str]  # baseline and target

_Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A measurement with its units and counts; an entry that it does not name is left out when it is read."""


Of = TypeVar("Of")


def write_record(path: Path, record: Any) -> None:
    """Write a record, or records by name, as JSON, whole or not at all."""
    write_json(path, msgspec.to_builtins(record))


def read_record(path: Path, kind: type[Of]) -> Of:
    """The record in a JSON file. Raises RunError, naming the file and the entry, for one that has another shape."""
    return convert_record(path, read_json(path), kind)


def convert_record(path: Path, content: Any, kind: type[Of]) -> Of:
    """The record in a part of a file that was read already. Raises RunError, naming the file and the entry."""
    try:
        return to_record(kind, content, f"{path}:", RunError)
    except RunError as error:
        raise RunError(f"{error}; expected what this version writes, make it again") from None


def wilson_interval(right: int, total: int) -> Interval:
    """Wilson 95 % confidence interval of a proportion (J. Am. Stat. Assoc. 22(158), 1927).

    The total must count independent things.
    """
    if not total:
        return 0.0, 1.0
    center = right + _Z**2 / 2
    reach = _Z * sqrt(right * (total - right) / total + _Z**2 / 4)
    low, high = (center - reach) / (total + _Z**2), (center + reach) / (total + _Z**2)
    return low if right else 0.0, high if right < total else 1.0


def percent(share: float | None) -> str:
    """A share as a percentage, a dash where there is none; less than all never rounds to 100 %."""
    if share is None:
        return "-"
    rounded = f"{share:.1%}"
    return "99.9%" if rounded == "100.0%" and share < 1 else rounded


def between(interval: Sequence[float]) -> str:
    """An interval of a share."""
    low, high = interval
    return f"{percent(low)} to {percent(high)}"


# Calls and decisions.


class Confusion(Record, frozen=True, kw_only=True):
    """Counts of right and wrong calls; positive means the target state."""

    true_target: Count
    false_target: Count
    true_baseline: Count
    false_baseline: Count


class Accuracy(Record, frozen=True, kw_only=True):
    """Calls right of all, with the Wilson interval as if they were independent."""

    right: Count
    total: Count
    accuracy: Share | None
    accuracy_95: Interval
    sensitivity: Share | None  # of the target
    specificity: Share | None
    confusion: Confusion

    @classmethod
    def of(cls, called_target: np.ndarray, is_target: np.ndarray) -> "Accuracy":
        """Compare calls with labels, both (N,) bool."""
        count = Confusion(
            true_target=int(np.sum(called_target & is_target)),
            false_target=int(np.sum(called_target & ~is_target)),
            true_baseline=int(np.sum(~called_target & ~is_target)),
            false_baseline=int(np.sum(~called_target & is_target)),
        )
        right, total = count.true_target + count.true_baseline, len(is_target)
        return cls(
            right=right,
            total=total,
            accuracy=_share(right, total),
            accuracy_95=wilson_interval(right, total),
            sensitivity=_share(count.true_target, count.true_target + count.false_baseline),
            specificity=_share(count.true_baseline, count.true_baseline + count.false_target),
            confusion=count,
        )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


class Decisions(Record, frozen=True, kw_only=True):
    """Counts of decisions on recordings."""

    right: Count
    wrong: Count
    inconclusive: Count

    @property
    def total(self) -> int:
        return self.right + self.wrong + self.inconclusive


def count_decisions(is_decided: Sequence[bool] | np.ndarray, is_right: Sequence[bool] | np.ndarray) -> dict[str, int]:
    """The counts of `Decisions`: decided and right, decided and wrong, and the others."""
    decided, right = np.asarray(is_decided, bool), np.asarray(is_right, bool)
    return {
        "right": int(np.sum(decided & right)),
        "wrong": int(np.sum(decided & ~right)),
        "inconclusive": int(np.sum(~decided)),
    }


class SequentialDecisions(Decisions, frozen=True, kw_only=True):
    """Decisions without a day's baseline."""

    median_beats: float  # of the first provisional decision, or of all beats where there was none


# A run: config.json, metrics.json, evaluation.json, overview.json.


class DatasetFacts(Record, frozen=True, kw_only=True):
    """The recordings that a run learned from; the names of sets are train, validation and test."""

    name: str
    dates: dict[str, tuple[str, ...]]  # names of sessions, which usually are dates
    session: str = "date"
    recordings: dict[str, Count]
    beats: dict[str, Count]
    leads: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


class RunConfig(Record, frozen=True, kw_only=True):
    """config.json: inputs of a run, and facts of its model."""

    labels: Labels
    settings: dict[str, Any]
    dataset: DatasetFacts
    parameters: Count
    best_epoch: Count
    torch: str


class SetMetrics(Record, frozen=True, kw_only=True):
    """A model and its references on one set: recordings are the unit that counts, beats are not independent."""

    recordings: Accuracy  # by the mean evidence of their beats
    recordings_hard_votes: Accuracy
    sequential: SequentialDecisions
    beats: Accuracy
    beats_hard_votes: Accuracy
    dates: tuple[str, ...]


class Epoch(Record, frozen=True, kw_only=True):
    """One epoch of training."""

    loss: float
    pair_accuracy: Share
    validation_loss: float | None = None
    validation_beat_accuracy: Share | None = None


class History(Record, frozen=True, kw_only=True):
    """All epochs, and the number of the one that was kept, from 1."""

    epochs: tuple[Epoch, ...]
    best_epoch: Count


class RunMetrics(Record, frozen=True, kw_only=True):
    """metrics.json: a run on its own sets."""

    train: SetMetrics
    validation: SetMetrics
    history: History  # empty for weights that were trained elsewhere


class Evaluation(SetMetrics, frozen=True, kw_only=True):
    """One set of evaluation.json: what `train.evaluate` found, when, and how often it was looked at."""

    looks: Annotated[int, Meta(ge=1)]
    time: str
    weights_sha256: str
    references_per_state: Count | None = None  # None: noted before it was


class DateCounts(Record, frozen=True, kw_only=True):
    """Recordings of each state and beats of a date."""

    date: str
    set: str
    baseline: Count
    target: Count
    beats: Count


class Examples(Record, frozen=True, kw_only=True):
    """A few seconds of a recording of each state."""

    date: str
    rate_hz: float
    samples_uv: tuple[list[float], list[float]]


class Overview(Record, frozen=True, kw_only=True):
    """overview.json: counts by date, and mean beats of both states with their spread between recordings."""

    labels: Labels
    data: tuple[DateCounts, ...]
    mean_beats_uv: tuple[list[float], list[float]]
    spread_uv: tuple[list[float], list[float]]
    examples: Examples | None


class Study(Record, frozen=True, kw_only=True):
    """A study of sessions left out."""

    dataset: str
    labels: Labels


# Dates left out beside benchmark methods: crossval.json and its folds.


class Scores(Record, frozen=True, kw_only=True):
    """A method on some recordings: how many it calls rightly, how well it ranks them, and beats."""

    recordings: Accuracy
    auc: Share | None  # None where there is one state only
    beats: Count
    beats_right: Count


class Calibration(Record, frozen=True, kw_only=True):
    """Mean stated probability of the target of some recordings, and how many were of the target."""

    said: Share
    recordings: Count
    targets: Count


class MethodScores(Scores, frozen=True, kw_only=True):
    """A method on dates left out, pooled and by date."""

    accuracy_95_by_date: Interval
    auc_95_by_date: Interval
    permutation_p: Share
    brier: float
    expected_calibration_error: float
    reliability: tuple[Calibration, ...]
    by_date: dict[str, Calibration]
    dates: dict[str, Scores]


class BesideTheBest(Record, frozen=True, kw_only=True):
    """The best of all other methods, and by how much more of the recordings ours is right."""

    best: str
    more: float
    more_95: Interval  # over dates
    earned: bool


class Split(Record, frozen=True, kw_only=True):
    """Benchmark methods fitted on the train dates of the dataset file, by method and set."""

    dates: dict[str, tuple[str, ...]]
    methods: dict[str, dict[str, Scores]]


class Crossval(Study, frozen=True, kw_only=True):
    """crossval.json: every date tested with models of the other dates."""

    seed: int
    dates: tuple[str, ...]
    all_the_same: tuple[str, ...]  # benchmark methods with nothing to go by
    methods: dict[str, MethodScores]
    split: Split
    beside: BesideTheBest
    verdict: str


class FoldScores(Record, frozen=True, kw_only=True):
    """folds/METHOD/FOLD.json: one method on each recording of a fold."""

    key: str  # hash of what the fold was made from
    method: str
    date: str
    dates: tuple[str, ...]
    is_target: tuple[bool, ...]
    evidence: tuple[float, ...]
    beats: tuple[Count, ...]
    beats_right: tuple[Count, ...]


# The day's baseline: day_baseline.json.


class PlanDecisions(Decisions, frozen=True, kw_only=True):
    """Decisions by one plan: the day's baseline, none, the previous date's."""

    targets_right: Count
    targets: Count
    wrong_recordings: tuple[str, ...]
    dates_with_an_error: Count
    median_provisional_s: float | None
    brier_by_recording: float
    brier_by_date: float
    dates: dict[str, Decisions]


Plans = dict[str, PlanDecisions]  # by plan


class MeanDecisions(Record, frozen=True, kw_only=True, array_like=True):
    """Means over seeds, and the most wrong decisions of one seed."""

    right: float
    wrong: float
    inconclusive: float
    most_wrong: Count


class BeforeAndAfter(Record, frozen=True, kw_only=True):
    """Decisions before and after enrollment."""

    before: Plans
    after: Plans


class DayBaselineDecisions(Study, frozen=True, kw_only=True):
    """day_baseline.json: decisions on dates left out, with the day's baseline and without it."""

    baselines: Count  # recordings of each date that are the day's baseline
    dates: tuple[str, ...]
    dates_with_target: tuple[str, ...]
    seeds: dict[str, dict[str, Plans]]  # by seed and confidence
    nested: dict[str, Plans] | None = None  # by confidence: levels from models that have not seen the date either
    mean: dict[str, dict[str, MeanDecisions]]  # by confidence and plan
    amounts: dict[str, dict[str, Decisions]] = {}  # by seed and by how much of the baseline is known
    excluded_recordings: dict[str, Plans]  # by seed: recordings that no model has learned from
    drifts: dict[str, BeforeAndAfter]
    others: dict[str, tuple[Count, Count]]  # recordings of other people out of distribution, of how many


# Every method by the decision rule, controls, and how many sessions are needed: rivals.json, placebo.json, plan.json.


class RivalDecisions(Decisions, frozen=True, kw_only=True):
    """A method by the product's decision rule, on sessions left out, with the session's first two baselines."""

    method: str
    auc: Share | None  # of the stated probabilities
    at_90: Decisions  # at 90 % instead of 95 %
    without_model: Decisions  # by the distribution-free statement
    sessions_with_an_error: Count
    more: float  # by how much more of the recordings the run's own comparator decides rightly
    more_95: Interval  # over sessions


class Rivals(Study, frozen=True, kw_only=True):
    """rivals.json: the run's own comparator first."""

    seed: int
    dates: tuple[str, ...]
    risk_without_model: Share
    methods: tuple[RivalDecisions, ...]


class Control(Decisions, frozen=True, kw_only=True):
    """A negative control: the change to the recordings, repetitions, and is any decision an error."""

    name: str
    repeats: Count
    nothing_to_find: bool
    decided_at_most: Share  # in one repeat

    @property
    def decided(self) -> float:
        return (self.right + self.wrong) / max(1, self.total)

    @property
    def failed(self) -> bool:
        return self.nothing_to_find and self.decided > MOST_OF_A_PLACEBO


MOST_OF_A_PLACEBO = 0.05  # share decided


class Placebo(Study, frozen=True, kw_only=True):
    """placebo.json: controls of the whole line, from features to decisions, and pairs alike in heart rate."""

    architecture: str
    dates: tuple[str, ...]
    controls: tuple[Control, ...]
    matched_pairs: Count  # of recordings of one session whose mean RR intervals differ by less than 10 ms
    matched_right: Count
    matched_shorter_rr: Count  # that the shorter RR interval alone would rank rightly


class PlannedDecisions(Record, frozen=True, kw_only=True):
    """Simulated shares after so many sessions with both states."""

    sessions: Count
    decided: Share  # with the session's own baseline
    wrong: Share  # of the decided
    decided_without: Share
    decided_half_as_far: Share  # the states half as far apart


class SessionPlan(Study, frozen=True, kw_only=True):
    """plan.json: simulated decisions by number of sessions, with the observed share of decisions."""

    baseline_sessions: Count
    target_sessions: Count
    predicted: Share  # decided, with the sessions and recordings that there are
    observed: Share
    rows: tuple[PlannedDecisions, ...]
    sentences: tuple[str, ...]


def upper_bound_95(errors: int, total: int) -> float:
    """One-sided 95 % upper bound of a share (Clopper and Pearson, Biometrika 26(4), 1934); 0 of 13: 20.6 %."""
    low, high = errors / max(1, total), 1.0
    if errors >= total:
        return 1.0
    for _ in range(60):
        share = (low + high) / 2
        tail = sum(comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(errors + 1))
        low, high = (share, high) if tail > 0.05 else (low, share)
    return high


# How many days: learning_curve.json.


class DaysLearned(Record, frozen=True, kw_only=True):
    """Recordings of all other dates right, over draws of so many days."""

    days: Count
    draws: Count
    mean: Share
    sd: float
    worst: Share


class LearningCurve(Record, frozen=True, kw_only=True):
    """learning_curve.json: by method, a row for each number of days with both states."""

    dataset: str
    seed: int
    methods: dict[str, tuple[DaysLearned, ...]]


# Evidence against a measured quantity: dose.json.


class Correlation(Record, frozen=True, kw_only=True):
    """Rank correlation with a measured quantity within sessions: the mean of sessions, which weigh the same."""

    rho: Rho
    rho_95: Interval | None  # sessions drawn with replacement; None for one session
    sessions: Count


class DoseSession(Record, frozen=True, kw_only=True):
    """Recordings of a session in the order of their measured values, of which nothing but the order is kept."""

    session: str
    rank: tuple[float, ...]  # from 1, ties at their mean
    evidence: tuple[float, ...]
    state: tuple[int, ...]  # 0 the baseline, 1 the target, -1 between the thresholds
    evidence_rho: Rho | None
    heart_rate_rho: Rho | None
    one_state_rho: Rho | None  # of the evidence, among recordings of one label


class Dose(Study, frozen=True, kw_only=True):
    """dose.json: correlation of evidence and measured values on sessions left out, beside heart rate alone."""

    quantity: str
    sessions: tuple[DoseSession, ...]
    evidence: Correlation | None
    heart_rate: Correlation | None
    one_state: Correlation | None


# What else could pass for the state: confounders.json.


class Judged(Record, frozen=True, kw_only=True):
    """Evidence of recordings; above 0 it speaks for the target."""

    date: tuple[str, ...]
    is_target: tuple[bool, ...]
    evidence: tuple[float, ...]


class AblatedInput(Scores, frozen=True, kw_only=True):
    """Scores after something was taken out of all beats."""

    name: str
    auc_95: Interval | None


class MatchedPairs(Record, frozen=True, kw_only=True):
    """Of pairs of a target beat and a baseline beat, the share in which the target beat has more evidence."""

    same_date: bool
    within_ms: float | None
    pairs: Count
    share: Share
    share_95: Interval
    shorter_rr: Share
    recordings: Count
    dates: Count


class StateEffect(Record, frozen=True, kw_only=True):
    """The state's effect beside what differs between dates and recordings anyway; None where it can't be estimated."""

    effect: float | None
    effect_sd_between_dates: float | None
    dates_sd: float | None
    recordings_sd: float | None
    order: float | None  # share of the effect that the order of recording explains
    order_95: Interval | None
    dates: dict[str, dict[str, float]]  # mean of each state


class SetDrift(Record, frozen=True, kw_only=True):
    """State effects of a set, in the evidence and along the axis of the embedding."""

    evidence: StateEffect
    embedding: StateEffect


class Covered(Record, frozen=True, kw_only=True):
    """Evidence for the right state that is lost when samples of a beat are covered."""

    start: Count = msgspec.field(name="from")
    stop: Count = msgspec.field(name="to")
    lost: float
    lost_95: Interval
    recordings: Accuracy


class CoveredPart(Covered, frozen=True, kw_only=True):
    """The same for a named part of the beat."""

    name: str


class Occlusion(Record, frozen=True, kw_only=True):
    """Evidence by part of the beat."""

    width: Count  # samples of a window
    windows: tuple[Covered, ...]
    parts: tuple[CoveredPart, ...]
    mean_beats_uv: tuple[list[float], list[float]]


class Confounders(Record, frozen=True, kw_only=True):
    """confounders.json: validation beats without heart rate or amplitude, matched in RR, and occluded."""

    weights_sha256: str
    labels: Labels
    recordings: Judged
    without: tuple[AblatedInput, ...]
    pairs: tuple[MatchedPairs, ...]
    drift: dict[str, SetDrift]  # by set
    occlusion: Occlusion


class StudyNote(Record, frozen=True, kw_only=True):
    """Entry of one finished study in study.json: its inputs, when it was made, and how long it took."""

    key: str
    quick: bool
    finished: str
    took_s: float


# A bundle and what runs it: the manifest's `parity`, and the file of `python -m benches.device`.

UNKNOWN_ERROR = 1e30  # JSON has no infinity


class ArtifactParity(ParityFacts, frozen=True, kw_only=True):
    """Size of an artifact, and its error against the reference model on the same beats."""

    bytes: Annotated[int, Meta(gt=0)]
    bytes_with_references: Annotated[int, Meta(gt=0)]
    embedding_max_abs: float = UNKNOWN_ERROR
    embedding_scale: float = UNKNOWN_ERROR  # the largest embedding number of the reference model
    logit_scale: float = UNKNOWN_ERROR
    from_expected: float = UNKNOWN_ERROR  # largest error against a model with the same weights, a share of full scale
    timing_changes: Count = 0  # recordings that are decided alike, after another beat


class DeviceCounts(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Counts of one emulated device; bytes, and all but the first two counts of instructions, on bare metal alone."""

    about: str
    recordings: Count | None = None
    beats: Count
    differences: tuple[str, ...]  # from Python
    largest_evidence_difference: float | None = None
    instructions_a_second_of_ecg: Count
    instructions_to_open: Count
    most_instructions_a_chunk: Count | None = None
    code_bytes: Count | None = None
    ram_bytes: Count | None = None
    static_bytes: Count | None = None
    heap_bytes: Count | None = None
    stack_bytes: Count | None = None


class DeviceFigures(Record, frozen=True, kw_only=True, omit_defaults=True):
    """device.json: the core on emulated devices, by device."""

    about: str | None = None
    form: str  # of the weights
    bundle_sha256: str
    bundle_bytes: Count | None = None
    recordings: Count
    seconds: Annotated[float, Meta(gt=0)]
    devices: dict[str, DeviceCounts]


# Many persons: person.json, cohort.json.


class PersonMethod(Record, frozen=True, kw_only=True):
    """A method on the dates left out of one person."""

    recordings: Accuracy
    accuracy_95_by_date: Interval
    auc: Share | None
    auc_95_by_date: Interval
    permutation_p: Share
    right_by_date: dict[str, Count]


class PersonDecisions(Record, frozen=True, kw_only=True):
    """Decisions on the dates left out of one person."""

    alone: Decisions  # without a baseline of the day
    with_day: Decisions  # with its first two
    wrong_with_confidence: Count  # at 99 %, without a baseline of the day


class PersonResult(Record, frozen=True, kw_only=True):
    """person.json: results of one person, without paths, names of files or header lines."""

    made_from: str | None = None  # hash of all that it follows from; None if it is to be tried again
    person: str
    step: str | None = "data"  # where it ended, None for a person that is finished
    reason: str | None = None
    facts: dict[str, float] = {}
    methods: dict[str, PersonMethod] = {}
    decisions: dict[str, PersonDecisions] = {}
    bundle: dict[str, Count] | None = None  # bytes by artifact


class PersonTests(Record, frozen=True, kw_only=True):
    """Tests of one person, p adjusted for the number of persons."""

    effect_p_adjusted: Share
    better_p_adjusted: Share
    best_benchmark: str | None


class Difference(Record, frozen=True, kw_only=True):
    """A method against ours in the mixed model."""

    difference: float
    difference_95: Interval


class MixedEffects(Record, frozen=True, kw_only=True):
    """A linear mixed model of the share of recordings right, with the person as a random effect."""

    ours: float
    ours_95: Interval
    against_ours: dict[str, Difference]
    sd_of_persons: float
    sd_within: float
    converged: bool


class FailureKind(Record, frozen=True, kw_only=True):
    """Persons that ended at one step for one reason."""

    step: str | None
    reason: str
    persons: Count


class Failures(Record, frozen=True, kw_only=True):
    """Failures by kind, and medians of facts about the persons that failed and finished."""

    kinds: tuple[FailureKind, ...]
    medians: dict[str, dict[str, float | None]]


class CohortResult(Record, frozen=True, kw_only=True):
    """cohort.json: all persons together, the person being the unit."""

    name: str
    ours: str
    plan: dict[str, Any]
    persons: Count
    judged: Count
    false_discoveries: Share
    with_effect: tuple[str, ...]
    better: tuple[str, ...]
    given_away: tuple[str, ...]
    by_person: dict[str, PersonTests]
    mixed: MixedEffects | str  # or why there is none
    failures: Failures

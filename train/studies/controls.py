"""Every method by the product's decision rule, controls that should find nothing, and the plan of more sessions.

Networks among the methods are trained anew; the run's own comparator is, too, each session left out. Nothing is kept.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edge_ecg.datasets.plan import TOO_FEW, plan_from, simulate
from edge_ecg.errors import RunError
from edge_ecg.results import (
    Control,
    Decisions,
    Placebo,
    PlannedDecisions,
    RivalDecisions,
    Rivals,
    SessionPlan,
    count_decisions,
)
from edge_ecg.terminal.console import countdown
from train.data import BeatSet
from train.evaluation.drifted import Outcome, baselines_of, counts
from train.evaluation.folds import BENCHMARKS, SLOW, Method, comparator
from train.evaluation.scores import RecordingScores, bootstrap_95, roc_auc
from train.fit.decision import fit_levels
from train.fit.loop import Settings, evidence_by_date, settings_for
from train.model.architectures import build_model, read_weights
from train.parallel import run_tasks
from train.run import FOLDS, WEIGHTS
from train.studies.day_baseline import DAY_BASELINE_RECORDINGS
from train.studies.rule import (
    RISK,
    bounded_evidence,
    decide_left_out,
    decide_without_model,
    later_half,
    left_out_evidence_of,
    matched_recordings,
    permuted_within_sessions,
    sessions_of,
)
from train.studies.subject import Say, Study, Subject

LINEAR = "linear"  # the comparator of controls: it is trained in a second, and decides as the default does
PERMUTATIONS, DRAWN_BASELINES = 5, 3


def rivals_plan(subject: Subject) -> dict[str, Any]:
    """The comparators and benchmark methods."""
    slow = SLOW if subject.options.quick else ()
    chosen = subject.options.benchmarks or tuple(name for name in BENCHMARKS if name not in slow)
    others = subject.options.architectures or (() if subject.architecture == LINEAR else (LINEAR,))
    return {"architectures": [subject.architecture, *others], "methods": list(chosen)}


def measure_rivals(subject: Subject, out: Path, say: Say) -> Rivals:
    """Every method on sessions left out, by the same rule."""
    planned, beats = rivals_plan(subject), subject.beats
    methods: dict[str, tuple[Method, Settings]] = {
        name: (comparator, settings_for(name, subject.seed)) for name in planned["architectures"]
    }
    bounds = {name: settings_for(subject.architecture, subject.seed) for name in planned["methods"]}
    methods |= {name: (partial(_bounded, BENCHMARKS[name]), settings) for name, settings in bounds.items()}
    step = countdown(say, len(methods))
    found: dict[str, np.ndarray] = {}
    for name, evidence in run_tasks(_evidence, beats, [(name, *of) for name, of in methods.items()]):
        found[name] = evidence
        step(name)
    ours = decide_left_out(beats, found[subject.architecture], 0.95)
    return Rivals(
        dataset=subject.dataset.name,
        labels=subject.dataset.labels,
        seed=subject.seed,
        dates=tuple(sessions_of(beats)),
        risk_without_model=RISK,
        methods=tuple(_rival(name, beats, found[name], ours) for name in methods),
    )


def _evidence(beats: BeatSet, name: str, method: Method, settings: Settings) -> tuple[str, np.ndarray]:
    return name, left_out_evidence_of(beats, method, settings)


def _bounded(method: Method, training: BeatSet, judged: BeatSet, settings: Settings) -> np.ndarray:
    return bounded_evidence(method(training, judged, settings))


def _rival(name: str, beats: BeatSet, evidence: np.ndarray, ours: list[Outcome]) -> RivalDecisions:
    outcomes = decide_left_out(beats, evidence, 0.95)
    without = decide_without_model(beats, evidence)
    session, is_target = np.array([o.date for o in outcomes]), np.array([o.is_target for o in outcomes])
    probability, empty = np.array([o.probability for o in outcomes]), np.zeros(len(outcomes), int)
    more = np.array([float(own.is_right) - float(o.is_right) for own, o in zip(ours, outcomes, strict=True)])
    scores = RecordingScores(session, is_target, probability, empty, empty)
    return RivalDecisions(
        method=name,
        **counts(outcomes),
        auc=roc_auc(probability, is_target),
        at_90=Decisions(**counts(decide_left_out(beats, evidence, 0.9))),
        without_model=Decisions(**count_decisions([w[2] for w in without], [w[3] for w in without])),
        sessions_with_an_error=len({o.date for o in outcomes if o.is_decided and not o.is_right}),
        more=float(more.mean()),
        more_95=bootstrap_95(scores, lambda chosen: float(more[chosen].mean())),
    )


def placebo_plan(subject: Subject) -> dict[str, Any]:
    """The number of permutations."""
    return {"permutations": 1 if subject.options.quick else PERMUTATIONS, "architecture": LINEAR}


def measure_placebo(subject: Subject, out: Path, say: Say) -> Placebo:
    """The whole line on recordings in which there is nothing to find."""
    beats, settings = subject.beats, settings_for(LINEAR, subject.seed)
    repeats = placebo_plan(subject)["permutations"]
    step = countdown(say, repeats + 3)

    def decided(of: BeatSet) -> dict[str, int]:
        found = counts(decide_left_out(of, left_out_evidence_of(of, comparator, settings), 0.95))
        step("control")
        return found

    evidence = left_out_evidence_of(beats, comparator, settings)
    step("evidence")
    permuted = [decided(permuted_within_sessions(beats, seed)) for seed in range(repeats)]
    drawn = [counts(decide_left_out(beats, evidence, 0.95, seed)) for seed in range(DRAWN_BASELINES)]
    baseline, target = subject.dataset.labels
    pairs, right, shorter = matched_recordings(beats, evidence)
    return Placebo(
        dataset=subject.dataset.name,
        labels=subject.dataset.labels,
        architecture=LINEAR,
        dates=tuple(sessions_of(beats)),
        controls=(
            control("labels shuffled within sessions", permuted, True),
            control(f"the later half of {baseline} as the other state", [decided(later_half(beats, False))], True),
            control(f"the later half of {target} as the other state", [decided(later_half(beats, True))], True),
            control("two baselines drawn at random as the session's", drawn, False),
        ),
        matched_pairs=pairs,
        matched_right=right,
        matched_shorter_rr=shorter,
    )


def control(name: str, repeats: list[dict[str, int]], nothing_to_find: bool) -> Control:
    """The sums over repeats, and the largest share decided in one."""
    shares = [(c["right"] + c["wrong"]) / max(1, sum(c.values())) for c in repeats]
    sums = {key: sum(c[key] for c in repeats) for key in repeats[0]}
    return Control(
        name=name, repeats=len(repeats), nothing_to_find=nothing_to_find, decided_at_most=max(shares), **sums
    )


def measure_plan(subject: Subject, out: Path, say: Say) -> SessionPlan:
    """The plan from the run's own levels, and the observed decisions on their sessions."""
    run = subject.run
    levels = run.rule.levels
    if levels is None:
        raise RunError(f"{run.path}: {TOO_FEW}")
    beats = BeatSet.joined([run.training, run.validation])
    settings = settings_for(subject.architecture, subject.seed)
    models = {}
    for session in sessions_of(beats):
        if (file := run.path / FOLDS / session / WEIGHTS).exists():
            models[session] = build_model(settings.architecture, settings.architecture_version)
            read_weights(file, models[session])
    judged = beats.on_dates(models)
    evidence = evidence_by_date(models, beats, settings)
    observed = counts(decide_left_out(judged, evidence, 0.95))
    own = fit_levels(judged, evidence)
    assert own is not None
    of_session: list[Callable[[str], int]] = [
        lambda session: len(baselines_of(judged, [session])),
        lambda session: int(np.sum((judged.dates == session) & judged.recording_is_target)),
    ]
    baselines, targets = ([count(session) for session in sessions_of(judged)] for count in of_session)
    enough = [n >= DAY_BASELINE_RECORDINGS for n in baselines]
    kept = [[n for n, is_enough in zip(counted, enough, strict=True) if is_enough] for counted in (baselines, targets)]
    predicted = simulate(own, kept[0], kept[1], with_baseline=True)
    plan = plan_from(levels)
    return SessionPlan(
        dataset=subject.dataset.name,
        labels=subject.dataset.labels,
        baseline_sessions=plan.baseline_sessions,
        target_sessions=plan.target_sessions,
        predicted=predicted.decided,
        observed=(observed["right"] + observed["wrong"]) / sum(observed.values()),
        rows=tuple(
            PlannedDecisions(
                sessions=row.sessions,
                decided=row.with_baseline.decided,
                wrong=row.with_baseline.wrong,
                decided_without=row.without.decided,
                decided_half_as_far=row.half_as_far.decided,
            )
            for row in plan.rows
        ),
        sentences=tuple(plan.sentences(subject.dataset.labels)),
    )


RIVALS = Study(rivals_plan, measure_rivals)
PLACEBO = Study(placebo_plan, measure_placebo)
PLAN = Study(lambda subject: {"architecture": subject.architecture}, measure_plan)

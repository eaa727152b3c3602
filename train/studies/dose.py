"""Does the evidence follow measured values? Evidence of sessions left out against their ranks.

It is no prediction of a value: ranks within a session leave out how high the values are, so that no value reaches a run
or its report.

    OUT/folds/SESSION/    the model that has not seen SESSION, unless the study of the day's baseline has it
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge_ecg.datasets.dataset_file import FEWEST_DAYS, SETS, Dataset, Entry, days_with_both_states
from edge_ecg.datasets.measured import read_measured
from edge_ecg.errors import RunError
from edge_ecg.results import Correlation, Dose, DoseSession
from edge_ecg.terminal.console import countdown
from train.data import BeatSet, read_beats
from train.evaluation.scores import DRAWS, ranks
from train.fit.loop import Settings, evidence_of, settings_for, train_folds
from train.model.model import SAMPLES
from train.studies.subject import Say, Study, Subject

FEWEST = 4  # recordings of a session: fewer are in one of few orders by chance
LEAST_INTERVAL = 2  # sessions, for an interval over them
NO_STATE = -1  # of a recording between the thresholds


def measured_values(dataset: Dataset) -> tuple[str, dict[str, float]]:
    """Measured quantity, and its values by the source of a recording (DATE/LABEL/FILE). Raises RunError without any."""
    if dataset.measured is None:
        raise RunError(f"{dataset.name}: has no measured values; edge-ecg import --glucose writes them")
    return read_measured(dataset.root / dataset.measured)


def entries_between(dataset: Dataset, values: Iterable[str]) -> list[Entry]:
    """The recordings between the thresholds: with a value, in a folder that the dataset leaves out."""
    dates = {date for which in SETS for date in dataset.dates[which]}
    found = []
    for name in sorted(values):
        date, folder, _ = name.split("/")
        if date in dates and folder in dataset.exclude:
            path = dataset.root / name
            found.append(Entry(path, date, folder, False, dataset.session_of(date, path)))
    return found


def evidence_of_left_out(
    dataset: Dataset, beats: BeatSet, values: Iterable[str], settings: Settings, folder: Path, say: Say
) -> tuple[BeatSet, np.ndarray, np.ndarray]:
    """Recordings of sessions that can be left out, their evidence (N,), and which lie between the thresholds (M,).

    Each session is judged by a model that has not seen it; the models are kept in a folder for another time.
    """
    names = sorted(set(beats.dates.tolist()))
    states = list(zip(beats.dates.tolist(), beats.recording_is_target.tolist(), strict=True))
    learned = {
        name: set(names) - {name}
        for name in names
        if len(days_with_both_states(state for state in states if state[0] != name)) >= FEWEST_DAYS
    }
    step = countdown(say, len(learned))
    models = train_folds(beats, learned, settings, folder, lambda name: step(f"{name} left out"))
    judged = beats.on_dates(models)
    entries = [entry for entry in entries_between(dataset, values) if entry.session in models]
    between = np.arange(len(judged.sources) + len(entries)) >= len(judged.sources)
    judged = BeatSet.joined([judged, read_beats(entries)]) if entries else judged
    evidence = np.empty(len(judged.values))
    for name, model in models.items():
        of_session = judged.date == name
        evidence[of_session] = evidence_of(model, beats.on_dates(learned[name]), judged.values[of_session], settings)
    return judged, evidence, between


def dose(beats: BeatSet, evidence: np.ndarray, values: Mapping[str, float], between: np.ndarray) -> dict[str, Any]:
    """The sessions of a `Dose` and its correlations over them, of recordings with a value.

    evidence: (N,) of all beats, from models that have not seen their session. values: by the source of a recording.
    between: (M,) bool, the recordings between the thresholds.
    """
    recordings = len(beats.sources)
    counts = np.bincount(beats.recording, minlength=recordings)
    of_recording = np.bincount(beats.recording, evidence, recordings) / counts
    heart_rate = 60 * counts / np.bincount(beats.recording, beats.values[:, SAMPLES].astype(float), recordings)
    value = np.array([values.get(source, np.nan) for source in beats.sources])
    state = np.where(between, NO_STATE, beats.recording_is_target)
    sessions = []
    for name in sorted(set(beats.dates.tolist())):
        of = np.flatnonzero((beats.dates == name) & np.isfinite(value))
        if len(set(value[of].tolist())) < FEWEST:
            continue
        of = of[np.argsort(value[of], kind="stable")]
        in_state = [rank_correlation(value[some], of_recording[some]) for some in (of[state[of] == n] for n in (0, 1))]
        known = [rho for rho in in_state if rho is not None]
        sessions.append(
            DoseSession(
                session=name,
                rank=tuple(ranks(value[of]).tolist()),
                evidence=tuple(of_recording[of].round(4).tolist()),
                state=tuple(state[of].tolist()),
                evidence_rho=rank_correlation(value[of], of_recording[of]),
                heart_rate_rho=rank_correlation(value[of], heart_rate[of]),
                one_state_rho=float(np.mean(known)) if known else None,
            )
        )
    return {
        "sessions": tuple(sessions),
        "evidence": over_sessions(one.evidence_rho for one in sessions),
        "heart_rate": over_sessions(one.heart_rate_rho for one in sessions),
        "one_state": over_sessions(one.one_state_rho for one in sessions),
    }


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """Spearman's rank correlation; None for too few, or where either is all the same."""
    ranked = ranks(one), ranks(other)
    if len(one) < FEWEST or any(len(set(rank.tolist())) < 2 for rank in ranked):
        return None
    return float(np.corrcoef(*ranked)[0, 1])


def over_sessions(rhos: Iterable[float | None]) -> Correlation | None:
    """The mean of the sessions' correlations, with an interval of sessions drawn with replacement."""
    known = np.array([rho for rho in rhos if rho is not None])
    if not len(known):
        return None
    drawn = np.random.default_rng(0).choice(known, (DRAWS, len(known))).mean(1)
    low, high = np.percentile(drawn, [2.5, 97.5]).tolist()
    return Correlation(
        rho=float(known.mean()), rho_95=(low, high) if len(known) >= LEAST_INTERVAL else None, sessions=len(known)
    )


def plan(subject: Subject) -> dict[str, Any]:
    """The seed of the folds, and which values were measured."""
    return {"seed": subject.seed, "values": measured_values(subject.dataset)}


def measure(subject: Subject, out: Path, say: Say) -> Dose:
    """Evidence of sessions left out against the rank of measured values."""
    dataset, settings = subject.dataset, settings_for(subject.architecture, subject.seed)
    heading, values = measured_values(dataset)
    kept = out.parent / "day_baseline" / "folds" / str(subject.seed)
    judged, evidence, between = evidence_of_left_out(
        dataset, subject.beats, values, settings, kept if kept.exists() else out / "folds", say
    )
    return Dose(
        dataset=dataset.name,
        labels=dataset.labels,
        quantity=heading.rpartition(" ")[0] or heading,
        **dose(judged, evidence, values, between),
    )


DOSE = Study(plan, measure)

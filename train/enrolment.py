"""`python -m train.enrolment`: does enrolment repair drift, does it harm without, and what is out of distribution?

Every date is held out once: what a bundle would hold is made from all the others, the validation dates calibrating; it
enrols baseline recordings as a person would, and judges what is left. What a month does to an ECG is not in the data,
so drifts are simulated: a T wave that comes later or earlier, higher or lower, in the held-out date and in the
recordings that enrol alike.

    OUT/folds/DATE/checkpoint.safetensors   the model that has not seen DATE; kept for another run
    OUT/enrolment.json                      the figures
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from edge_ecg.console import run_command
from edge_ecg.contract import CONTRACT
from edge_ecg.datasets.dataset_file import SETS, read_dataset
from edge_ecg.enroll import Sample, enroll_samples
from edge_ecg.errors import DatasetError
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import INCONCLUSIVE, Tally, cast_vote
from edge_ecg.readers.find import find_recordings
from edge_ecg.recording import Recording
from edge_ecg.signal.stream import cut_beats
from edge_ecg.simulation.synthetic import STATES, record, synthetic_person
from train.data import BeatSet, digest_of, read_beats
from train.decision.calibrate import calibrate
from train.decision.decide import decide
from train.decision.novelty import fit_distribution
from train.decision.references import bank_of, choose_references
from train.fit.loop import Settings, Trainer, settings_for
from train.model.architectures import ARCHITECTURES, DEFAULT_ARCHITECTURE, build_model
from train.model.beat import PR_SEGMENT, ST_ENDS
from train.model.model import Model, compare, embed
from train.model.weights import WEIGHTS, read_weights
from train.run import read_json, write_json

EARLIER_DATES = 3
SYNTHETIC_PERSONS = 12


@dataclass(frozen=True)
class Drift:
    """What some months may do to every beat."""

    t_later_ms: float = 0.0
    t_height: float = 1.0

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Beats (N, 384) with the T wave moved and scaled, the rest as it was."""
        index = np.arange(CONTRACT.window_samples)
        t_wave = 1 / (1 + np.exp(-(index - ST_ENDS) / 6.0))
        source = np.clip(index - self.t_later_ms / 1000 * CONTRACT.sample_rate_hz * t_wave, 0, index[-1])
        samples = values[:, index].astype(np.float64)
        baseline = np.median(samples[:, PR_SEGMENT], axis=1, keepdims=True)
        below = np.minimum(source.astype(int), index[-1] - 1)
        moved = samples[:, below] + (source - below) * (samples[:, below + 1] - samples[:, below])
        moved = baseline + (moved - baseline) * (1 + (self.t_height - 1) * t_wave)
        return np.concatenate([moved, values[:, len(index) :]], axis=1).astype(np.float32)


DRIFTS = {
    "no drift": Drift(),
    "T 10 ms later": Drift(t_later_ms=10),
    "T 10 ms earlier": Drift(t_later_ms=-10),
    "T 20 ms later": Drift(t_later_ms=20),
    "T 20 ms earlier": Drift(t_later_ms=-20),
    "T 20 % lower": Drift(t_height=0.8),
    "T 25 % higher": Drift(t_height=1.25),
}


@dataclass(frozen=True)
class Counts:
    """Decisions on recordings; `ranked` is right by the mean evidence alone, without abstention."""

    right: int = 0
    wrong: int = 0
    inconclusive: int = 0
    out_of_distribution: int = 0  # of the inconclusive ones, those with most beats out of distribution
    ranked: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(a + b for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)))

    def __str__(self) -> str:
        return f"{self.right:3} {self.wrong:3} {self.inconclusive:3} {self.out_of_distribution:3}"


class HeldOutDate:
    """What a bundle would hold that has not seen one date: model, references, what was seen, and the calibration.

    The validation dates stop the training and calibrate the decision, as in `train`; all other dates are learned from.
    """

    def __init__(self, beats: BeatSet, date: str, validation_dates: Iterable[str], settings: Settings, folder: Path):
        """The model comes from its folder if it is there. Raises DatasetError for too few dates."""
        rest, held = set(beats.dates.tolist()) - {date}, set(validation_dates)
        training, validation = beats.on_dates(rest - held), beats.on_dates(rest & held)
        if not len(validation.dates):
            raise DatasetError(f"without {date} there is no validation date left to calibrate on")
        self.beats, self.date = beats, date
        self.model = model_of(training, validation, settings, folder)
        embeddings = embed(self.model, training.values)
        distribution = fit_distribution([embeddings, embed(self.model, validation.values)], [training, validation])
        if distribution is None:
            raise DatasetError(f"without {date} there are too few dates to tell what is usual")
        chosen = choose_references(training, embeddings, settings.references_per_state)
        bank = bank_of(training, embeddings, chosen)
        self.bank = ReferenceBank(bank.embeddings, bank.is_target, distribution)
        self.distribution = distribution
        self.voting = calibrate(decide(self.model, bank, validation, STATES, CONTRACT.voting), CONTRACT.voting)
        self._embeddings: dict[Drift, np.ndarray] = {}

    def embeddings(self, drift: Drift = DRIFTS["no drift"]) -> np.ndarray:
        """Embeddings of all beats, drifted."""
        if drift not in self._embeddings:
            self._embeddings[drift] = embed(self.model, drift(self.beats.values))
        return self._embeddings[drift]

    def enrolled(self, recordings: np.ndarray, drift: Drift = DRIFTS["no drift"]) -> ReferenceBank:
        """The references after some recordings (by number) enrolled."""
        if not len(recordings):
            return self.bank
        values, of_beat = self.embeddings(drift), self.beats.recording
        samples = [Sample(self.beats.sources[n], str(self.beats.dates[n]), values[of_beat == n]) for n in recordings]
        return enroll_samples(self.bank, samples).references

    def decide(self, recordings: np.ndarray, bank: ReferenceBank, drift: Drift = DRIFTS["no drift"]) -> Counts:
        """Decide on recordings as the watch does."""
        total = Counts()
        for number in recordings:
            embeddings = self.embeddings(drift)[self.beats.recording == number]
            total += self._decide(embeddings, bank, bool(self.beats.recording_is_target[number]))
        return total

    def _decide(self, embeddings: np.ndarray, bank: ReferenceBank, is_target: bool) -> Counts:
        """One recording's decision: beats that are out of distribution do not vote."""
        assert bank.distribution is not None
        tally = Tally(STATES, self.voting)
        outside = bank.distribution.distances(embeddings) > bank.distribution.limit
        votes = [cast_vote(logits, bank) for logits in compare(self.model, embeddings, bank.embeddings)]
        for vote, is_outside in zip(votes, outside, strict=True):
            decision = tally.skip() if is_outside else tally.add(vote, 0.0)
        decided = decision.label != INCONCLUSIVE
        right = decision.label == STATES[is_target]
        ranked = (np.mean([vote.evidence for vote in votes]) > 0) == is_target
        flags = right, decided and not right, not decided, not decided and outside.mean() > 0.5, ranked
        return Counts(*map(int, flags))


def baselines_of(beats: BeatSet, dates: Iterable[str], first: int | None = None) -> np.ndarray:
    """Numbers of the baseline recordings of dates, in the order of the day; only the first ones if told."""
    found = []
    for date in dates:
        numbers = np.flatnonzero((beats.dates == date) & ~beats.recording_is_target)
        found += sorted(numbers, key=beats.place_in_date.__getitem__)[:first]
    return np.array(found, dtype=int)


def evaluate_date(fold: HeldOutDate) -> dict[str, tuple[Counts, Counts]]:
    """Before and after enrolment, by what enrolled, on the recordings that did not."""
    beats, dates = fold.beats, sorted(set(fold.beats.dates.tolist()))
    of_date = np.flatnonzero(beats.dates == fold.date)
    place = dates.index(fold.date)
    earlier = [dates[place - back] for back in range(1, EARLIER_DATES + 1) if place >= back]
    around = [dates[place - back] for back in range(1, EARLIER_DATES + 1)]  # the first dates take the last ones
    plans = {
        "its first recording": (baselines_of(beats, [fold.date], 1), DRIFTS["no drift"]),
        "its first three": (baselines_of(beats, [fold.date], 3), DRIFTS["no drift"]),
        "earlier dates": (baselines_of(beats, earlier), DRIFTS["no drift"]),
        **{f"drift: {name}": (baselines_of(beats, around, 4), drift) for name, drift in DRIFTS.items()},
    }
    figures = {}
    for name, (enrol, drift) in plans.items():
        rest = np.setdiff1d(of_date, enrol)
        after = fold.decide(rest, fold.enrolled(enrol, drift), drift)
        figures[name] = fold.decide(rest, fold.bank, drift), after
    return figures


def others_flagged(fold: HeldOutDate, others: Iterable[np.ndarray]) -> tuple[int, int]:
    """Of recordings of other people, beats (N, 384) each: how many are out of distribution, of how many."""
    distances = [np.median(fold.distribution.distances(embed(fold.model, values))) for values in others]
    return int(np.sum(np.array(distances) > fold.distribution.limit)), len(distances)


def synthetic_others() -> list[np.ndarray]:
    """Recordings of synthetic persons."""
    made = [record(synthetic_person(p), state, p, number=1) for p in range(SYNTHETIC_PERSONS) for state in STATES]
    return [_values(Recording(m.samples_uv, m.sample_rate_hz, "synthetic")) for m in made]


def other_people(paths: Iterable[Path]) -> list[np.ndarray]:
    """Every third 30 s of other people's recordings that have beats."""
    found = []
    for path in paths:
        for each in find_recordings(str(path)):
            recording = each.read()
            length = round(30 * recording.sample_rate_hz)
            for start in range(0, len(recording.samples_uv) - length + 1, 3 * length):
                part = recording.samples_uv[start : start + length]
                values = _values(Recording(part, recording.sample_rate_hz, recording.source))
                found += [values] if len(values) else []
    return found


def _values(recording: Recording) -> np.ndarray:
    return np.array([beat.values for beat in cut_beats(recording)])


def model_of(training: BeatSet, validation: BeatSet, settings: Settings, folder: Path) -> Model:
    """The trained model: from its folder if it is there, of these settings and beats."""
    sets = training, validation
    key = {
        "settings": json.loads(json.dumps(asdict(settings))),
        "dates": [sorted(set(beats.dates.tolist())) for beats in sets],
        "beats": [digest_of(beats) for beats in sets],
    }
    if not (folder / "fold.json").exists() or read_json(folder / "fold.json") != key:
        Trainer(settings, training, validation, folder).fit()
        write_json(folder / "fold.json", key)
    model = build_model(settings.architecture)
    read_weights(folder / WEIGHTS, model)
    return model.eval()


def report(by_date: dict[str, dict[str, tuple[Counts, Counts]]], show: Callable[[str], object]) -> dict[str, Any]:
    """Say all figures, and return them as JSON has them."""
    plans = list(next(iter(by_date.values())))
    for plan in plans:
        show(f"\n{plan}: right, wrong, inconclusive (of those out of distribution), and right by evidence alone")
        total = Counts(), Counts()
        for date, figures in by_date.items():
            before, after = figures[plan]
            total = total[0] + before, total[1] + after
            if not plan.startswith("drift"):
                show(f"  {date:8} before {before}  {before.ranked:3}   after {after}  {after.ranked:3}")
        show(f"  {'all':8} before {total[0]}  {total[0].ranked:3}   after {total[1]}  {total[1].ranked:3}")
    return {
        date: {plan: {"before": asdict(b), "after": asdict(a)} for plan, (b, a) in figures.items()}
        for date, figures in by_date.items()
    }


@click.command()
@click.argument("dataset_file", metavar="DATASET.toml", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the models and figures.")
@click.option("--data", type=click.Path(path_type=Path), help="Where the recordings are [beside DATASET.toml].")
@click.option("--others", multiple=True, type=click.Path(path_type=Path), help="Recordings of other people.")
@click.option("--arch", type=click.Choice(list(ARCHITECTURES)), default=DEFAULT_ARCHITECTURE, show_default=True)
@click.option("--seed", default=0, show_default=True)
def enrolment(dataset_file: Path, out: Path, data: Path | None, others: tuple[Path, ...], arch: str, seed: int) -> None:
    """Hold out every date once; enrol, judge, and count what is out of distribution."""
    torch.set_num_threads(1)
    dataset = read_dataset(dataset_file, data)
    beats = read_beats([entry for which in SETS for entry in dataset.entries(which)])
    settings = settings_for(arch, seed)
    people = {"synthetic": synthetic_others(), **({"others": other_people(others)} if others else {})}
    by_date, flagged = {}, {name: (0, 0) for name in people}
    for date in sorted(set(beats.dates.tolist())):
        fold = HeldOutDate(beats, date, dataset.dates["validation"], settings, out / "folds" / date)
        by_date[date] = evaluate_date(fold)
        for name, recordings in people.items():
            count, of = others_flagged(fold, recordings)
            flagged[name] = flagged[name][0] + count, flagged[name][1] + of
        click.echo(f"{date}: limit {fold.distribution.limit:.2f}", err=True)
    figures = report(by_date, click.echo)
    for name, (count, of) in flagged.items():
        click.echo(f"\n{name} people's recordings out of distribution: {count} of {of}, over all folds")
    write_json(out / "enrolment.json", {"dates": figures, "others": flagged})


if __name__ == "__main__":
    run_command(enrolment)

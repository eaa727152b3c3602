"""One person of a cohort: dates left out beside baselines, decisions, a run and its bundle, as the single commands do.

    OUT/persons/KEY/person.json   the figures, and why something is missing; a person that has it is finished
    OUT/persons/KEY/crossval/     its study of dates left out: `train.studies.crossval`
    OUT/persons/KEY/left_out/     the models of its folds
    OUT/persons/KEY/run/          as `python -m train` writes it
    OUT/persons/KEY/bundle/       as `python -m export.bundle` writes it, if its gate lets it pass

All of it is made in a folder beside, and moved into place at once: what another attempt or another person left never
gets in. A person is known by a key; person.json holds no path, no name of a file and nothing of a header.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from edge_ecg.bundles.bundle import MANIFEST
from edge_ecg.datasets.dataset_file import SETS, days_with_both_states, read_dataset
from edge_ecg.errors import EdgeEcgError, first_line
from edge_ecg.results import Decisions, PersonDecisions, PersonMethod, PersonResult, read_record, write_record
from edge_ecg.storage.files import atomic_folder, read_json
from edge_ecg.terminal.console import BAD_INPUT
from train.data import BeatSet, read_sets
from train.evaluation.drifted import counts, leaving_out
from train.evaluation.folds import kept_comparator, place_of
from train.fit.loop import Settings, Trainer, kept_model, settings_for
from train.studies.crossval import cross_validate
from train.studies.day_baseline import decisions, left_out_by_date
from train.training import train_run

PERSON = "person.json"
DECISIONS = {"alone": "none, all", "with_day": "day's baseline"}  # by our name, that of `train.studies.day_baseline`
CONFIDENCE, HIGH_CONFIDENCE = 0.95, 0.99
OF_METHOD = ("recordings", "accuracy_95_by_date", "auc", "auc_95_by_date", "permutation_p")
TOOLS = ("torch", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True)
class Person:
    """A participant: a study key and a dataset file, both paths absolute."""

    key: str
    dataset: Path
    data: Path | None = None  # where the recordings are [beside the dataset file]


@dataclass(frozen=True)
class Plan:
    """Settings of a study, the same for every person."""

    architectures: tuple[str, ...]  # ours first
    benchmarks: tuple[str, ...]
    seed: int
    epochs: int | None  # in place of the usual number
    formats: tuple[str, ...]  # of the bundle; without any there is none

    def settings(self, architecture: str) -> Settings:
        """Settings of a comparator's training."""
        return settings_for(architecture, self.seed, self.epochs)


@cache
def code_version() -> str:
    """Hash of this code: its sources, and the versions of the libraries that compute."""
    root = Path(__file__).parent.parent
    code = hashlib.sha256(json.dumps([version(tool) for tool in TOOLS]).encode())
    for package in ("edge_ecg", "train", "export"):
        for path in sorted((root / package).rglob("*.py")):
            code.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return code.hexdigest()


def study_person(of_study: tuple[Plan, str, Path], person: Person) -> tuple[str, str]:
    """Do all of it for one person and write what came of it; returns the key and a line of progress.

    of_study: the plan, the command's `code_version`, the folder of the study. What goes wrong with the person is
    recorded. Raises EdgeEcgError only if this code is not the command's.
    """
    plan, code, out = of_study
    if code_version() != code:
        raise EdgeEcgError("a worker has another version of this program than the command; install the same on both")
    place = out / "persons" / person.key
    made_from = _made_from(plan, person)
    if made_from and (place / PERSON).exists() and read_record(place / PERSON, PersonResult).made_from == made_from:
        return person.key, "there already"
    found: dict[str, Any] = {"person": person.key}  # entries of the record, as they come
    with atomic_folder(place) as fresh:
        try:
            _study(plan, person, fresh, found)
        except EdgeEcgError as error:
            found["reason"] = plain_reason(error, [fresh, person.dataset.parent, person.data])
        except OSError as error:  # no fault of the data, such as a full disk: the next run tries again
            made_from, found["reason"] = None, error.strerror or type(error).__name__
        except Exception as error:  # its message may quote a recording, so only its kind is shown
            made_from = None
            found["reason"] = f"this is a defect of this program or machine ({type(error).__name__})"
        result = PersonResult(made_from=made_from, **found)
        write_record(fresh / PERSON, result)
    return person.key, _line(result, plan)


def _study(plan: Plan, person: Person, out: Path, found: dict[str, Any]) -> None:
    """Fill in the results, step by step."""
    dataset = replace(read_dataset(person.dataset, person.data), name=person.key)
    beats = read_sets(dataset, quiet=True)
    found["facts"] = _facts(beats)
    found["step"] = "dates left out"
    kept = out / "left_out"
    crossval = cross_validate(
        dataset,
        beats,
        plan.architectures,
        plan.seed,
        out / "crossval",
        lambda line: None,
        plan.benchmarks,
        plan.epochs,
        partial(kept_comparator, folder=kept),
    )
    write_record(out / "crossval/crossval.json", crossval)
    found["methods"] = {
        name: PersonMethod(
            **{key: getattr(scores, key) for key in OF_METHOD},
            right_by_date={date: of_date.recordings.right for date, of_date in scores.dates.items()},
        )
        for name, scores in crossval.methods.items()
    }
    found["decisions"] = {name: _decisions(beats, plan.settings(name), kept) for name in plan.architectures}
    found["step"] = "training"
    sets = {which: beats.on_dates(dataset.sessions[which]) for which in ("train", "validation")}
    trainer = Trainer(plan.settings(plan.architectures[0]), sets["train"], sets["validation"], out / "run")
    train_run(trainer, dataset, sets, out / "run")
    if plan.formats:
        found["step"] = "bundle"
        found["bundle"] = _bundle(out / "run", out / "bundle", plan.formats)
    found["step"] = None


def _facts(beats: BeatSet) -> dict[str, float]:
    both = days_with_both_states(zip(beats.dates.tolist(), beats.recording_is_target.tolist(), strict=True))
    return {
        "days": len(set(beats.dates.tolist())),
        "days_with_both_states": len(both),
        "recordings": len(beats.sources),
        "beats": len(beats.values),
        "heart_rate_bpm": round(60 / float(np.median(beats.values[:, -1])), 1),
    }


def _decisions(beats: BeatSet, settings: Settings, kept: Path) -> PersonDecisions:
    """Decisions on dates left out, without a baseline of the day and with its first two."""
    others = {date: leaving_out(beats, [date]) for date in sorted(set(beats.dates.tolist()))}
    models = {date: kept_model(rest, settings, place_of(rest, kept)) for date, rest in others.items()}
    left_out = left_out_by_date(beats, models, settings)
    at = {confidence: decisions(beats, *left_out, confidence) for confidence in (CONFIDENCE, HIGH_CONFIDENCE)}
    return PersonDecisions(
        **{name: Decisions(**counts(at[CONFIDENCE][plan])) for name, plan in DECISIONS.items()},
        wrong_with_confidence=counts(at[HIGH_CONFIDENCE][DECISIONS["alone"]])["wrong"],
    )


def _bundle(run: Path, out: Path, formats: tuple[str, ...]) -> dict[str, Any]:
    """The bundle by its own command, as a process: `train` may not import `export`, and a converter may crash.

    Raises EdgeEcgError if the command refuses it.
    """
    words = [sys.executable, "-m", "export.bundle", str(run), "--out", str(out), "--only", ",".join(formats)]
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | one_thread)
    if done.returncode == BAD_INPUT:
        raise EdgeEcgError(done.stderr.strip().splitlines()[-1].removeprefix("error: "))
    if done.returncode:
        raise RuntimeError(f"export.bundle ended with {done.returncode}")
    shipped = [row for row in read_json(out / MANIFEST)["parity"] if row["shipped"]]
    return {row["engine"]: row["bytes_with_references"] for row in shipped}


def _made_from(plan: Plan, person: Person) -> str | None:
    """The hash of all that a finished person follows from; None if there is nothing to read."""
    try:
        dataset = read_dataset(person.dataset, person.data)
        entries = [entry for which in SETS for entry in dataset.entries(which)]
        content = hashlib.sha256(json.dumps([code_version(), asdict(plan), dataset.sessions, dataset.labels]).encode())
        for entry in entries:
            name = f"{entry.date}/{entry.label}/{entry.path.name}"
            content.update(name.encode(errors="surrogateescape") + hashlib.sha256(entry.path.read_bytes()).digest())
    except (EdgeEcgError, OSError):
        return None
    return content.hexdigest()


def plain_reason(error: Exception, places: Iterable[Path | None]) -> str:
    """An error's message without paths, names of files, dates and quotes of a file."""
    text = first_line(error)
    for place in places:
        for spelled in {str(place), os.path.realpath(place)} if place else ():
            text = re.sub(re.escape(spelled) + "[^:;,]*", "…", text)
    for hidden in (
        r"(?<!\w)(['\"]).*?\1(?!\w)",  # what is quoted
        r"\S*[/\\]\S*",  # a path
        r"\S+\.[A-Za-z]\w{1,4}\b",  # a file
        r"\d+[-.]\d+[-.]\d+\S*",  # a date
    ):
        text = re.sub(hidden, "…", text)
    return re.sub(r"^(…[:,\s]*)+", "", text)


def _line(found: PersonResult, plan: Plan) -> str:
    ours = found.methods.get(plan.architectures[0])
    said = f"{ours.recordings.right}/{ours.recordings.total} recordings" if ours else "no figures"
    return f"{said}; {found.step}: {found.reason}" if found.reason else said

"""`python -m train.cohort`: many persons, each by the functions of the single commands, and all of them together.

OUT/persons/KEY/    what came of one person: `train.person`; a finished one is not done again
OUT/study.json      whose study this is: another one is refused
OUT/cohort.csv      a row a person and method
OUT/cohort.json     the figures of all persons together
OUT/cohort.html     the same as one page
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import click
from msgspec import Meta, Struct

from edge_ecg.datasets.dataset_file import read_toml
from edge_ecg.errors import DatasetError, EdgeEcgError, RunError
from edge_ecg.records import to_record
from edge_ecg.report.cohort import cohort_page
from edge_ecg.results import CohortResult, Decisions, PersonResult, PersonTests, read_record, write_record
from edge_ecg.storage.files import read_json, refuse_overlap, write_file, write_json
from edge_ecg.terminal.console import claim_folder, countdown, run_command, wrapped
from train.evaluation.folds import BENCHMARKS, SLOW
from train.evaluation.persons import pool_persons
from train.model import DEFAULT_ARCHITECTURE
from train.options import compared
from train.parallel import local_cluster, require_dask, run_tasks, tasks_on
from train.person import PERSON, Person, Plan, code_version, study_person

STUDY, TABLE, FIGURES, PAGE = "study.json", "cohort.csv", "cohort.json", "cohort.html"
WRITES = ("persons", STUDY, TABLE, FIGURES, PAGE)
MOST_BYTES = 16_000_000
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
QUICK = tuple(name for name in BENCHMARKS if name not in SLOW)
COLUMNS = (
    *("person", "method", "recordings_right", "recordings", "accuracy", "accuracy_95_low", "accuracy_95_high"),
    *("over_dates_95_low", "over_dates_95_high", "auc", "auc_95_low", "auc_95_high", "permutation_p"),
    *("effect_p_adjusted", "better_p_adjusted", "decisions_right", "decisions_wrong", "decisions_inconclusive"),
    *("with_day_right", "with_day_wrong", "with_day_inconclusive", "wrong_with_confidence"),
    *("days", "days_with_both_states", "beats", "bundle_bytes", "failed_at", "reason"),
)


@dataclass(frozen=True)
class CohortStudy:
    """A name, and who takes part."""

    name: str
    persons: tuple[Person, ...]


def read_study(path: Path) -> CohortStudy:
    """Read a study file, or a folder in which every folder with a `dataset.toml` is a person, its name the key.

    A study file has a `name` and a table [persons]: KEY = "DATASET.toml", or KEY = {dataset = "…", data = "FOLDER"},
    below the file's folder. Raises DatasetError.
    """
    if path.is_dir():
        name = path.resolve().name
        persons = [Person(file.parent.name, file) for file in sorted(path.resolve().glob("*/dataset.toml"))]
    else:
        file = to_record(_StudyFile, read_toml(path, "study", MOST_BYTES), f"{path}:", DatasetError)
        name, persons = file.name, [_person(path, key, value) for key, value in file.persons.items()]
    if not persons:
        raise DatasetError(f"{path}: has no person; expected [persons], or folders with a dataset.toml each")
    for person in persons:
        if not KEY.fullmatch(person.key):
            raise DatasetError(f"{path}: person {person.key!r}: expected a key of letters, digits, - and _, at most 40")
    for what in ([p.key.casefold() for p in persons], [p.dataset for p in persons]):
        if twice := sorted(persons[n].key for n, value in enumerate(what) if value in what[:n]):
            raise DatasetError(f"{path}: {', '.join(twice)}: is there already, by key or dataset file; expected once")
    return CohortStudy(name, tuple(persons))


Name = Annotated[str, Meta(min_length=1)]


class _PersonFiles(Struct, forbid_unknown_fields=True):
    dataset: Name
    data: Name | None = None


class _StudyFile(Struct):
    """The entries of a study file; a person is a dataset file, or that and its data."""

    name: Name
    persons: dict[str, Name | _PersonFiles]


def _person(path: Path, key: str, value: str | _PersonFiles) -> Person:
    files = _PersonFiles(value) if isinstance(value, str) else value
    data = (path.parent / files.data).resolve() if files.data else None
    return Person(key, (path.parent / files.dataset).resolve(), data)


def require_same_study(out: Path, study: CohortStudy, plan: Plan) -> None:
    """Note whose study a folder is. Raises RunError if it is another one's: of other name, settings or persons.

    Persons may be added, and one's dataset file may be mended; but some that were there must be there as they were.
    """
    note = {"name": study.name, "plan": json.loads(json.dumps(asdict(plan)))}
    persons = {person.key: _hash(person.dataset) for person in study.persons}
    if (out / STUDY).exists():
        before = read_json(out / STUDY)
        earlier = before.get("persons", {})
        changed = [what for what in note if before.get(what) != note[what]]
        if not any(persons.get(key) == content for key, content in earlier.items()):
            changed.append("persons")
        if changed:
            raise RunError(f"{out}: contains another study (other {', '.join(changed)}); give another --out")
        persons = earlier | persons
    write_json(out / STUDY, {**note, "persons": persons})


def _hash(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def rows_of(
    persons: Iterable[PersonResult], by_person: Mapping[str, PersonTests], ours: str
) -> Iterator[dict[str, Any]]:
    """A row per person and method; one row alone of a person without figures."""
    for found in persons:
        of_person = {
            "person": found.person,
            **{fact: found.facts.get(fact) for fact in ("days", "days_with_both_states", "beats", "recordings")},
            "bundle_bytes": sum(found.bundle.values()) if found.bundle else None,
            "failed_at": found.step if found.reason else None,
            "reason": found.reason,
        }
        if not found.methods:
            yield of_person
        for name, scores in found.methods.items():
            decided = found.decisions.get(name)
            tested = by_person[found.person] if name == ours else None
            yield {
                **of_person,
                "method": name,
                "recordings_right": scores.recordings.right,
                "accuracy": scores.recordings.accuracy,
                **_interval("accuracy", scores.recordings.accuracy_95),
                **_interval("over_dates", scores.accuracy_95_by_date),
                "auc": scores.auc,
                **_interval("auc", scores.auc_95_by_date),
                "permutation_p": scores.permutation_p,
                **{key: getattr(tested, key, None) for key in ("effect_p_adjusted", "better_p_adjusted")},
                **_decisions("decisions", decided.alone if decided else None),
                **_decisions("with_day", decided.with_day if decided else None),
                "wrong_with_confidence": decided.wrong_with_confidence if decided else None,
            }


def _interval(name: str, interval: tuple[float, float]) -> dict[str, float]:
    return {f"{name}_95_low": interval[0], f"{name}_95_high": interval[1]}


def _decisions(name: str, counts: Decisions | None) -> dict[str, int]:
    return {f"{name}_{how}": getattr(counts, how) for how in ("right", "wrong", "inconclusive")} if counts else {}


def write_results(out: Path, study: CohortStudy, plan: Plan, persons: list[PersonResult]) -> CohortResult:
    """Write the table, the record of all persons together, and the page; returns the record."""
    ours = plan.architectures[0]
    result = pool_persons(persons, ours, [*plan.benchmarks, *plan.architectures[1:]], study.name, asdict(plan))
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows_of(persons, result.by_person, ours))
    write_file(out / TABLE, table.getvalue().encode())
    write_record(out / FIGURES, result)
    write_file(out / PAGE, cohort_page(result, persons).encode())
    return result


def summary(result: CohortResult) -> str:
    """The record as lines of text."""
    judged, failed = result.judged, sum(kind.persons for kind in result.failures.kinds)
    lines = [
        f"{result.persons} persons, {judged} with figures, {failed} not finished",
        f"the states differ for {len(result.with_effect)} of {judged} persons beyond chance; of these finds "
        f"{result.false_discoveries:.0%} are false at most, on average",
        f"{result.ours} beats every one of their own benchmark methods for {len(result.better)} of {judged} persons "
        "beyond chance, at the same rate",
    ]
    lines += [f"{kind.persons} failed at {kind.step}: {kind.reason}" for kind in result.failures.kinds]
    return "\n".join(wrapped(line, 2) for line in lines)


@contextmanager
def engine(scheduler: str | None, workers: int | None) -> Iterator[None]:
    """A scheduler by its address, or a cluster of this machine, or joblib where Dask is not installed."""
    if scheduler is not None:
        with tasks_on(scheduler):
            yield
        return
    try:
        require_dask()
    except EdgeEcgError:
        click.echo("without Dask, by joblib: pip install -e '.[cohort]' in the clone brings it", err=True)
        with tasks_on(None, workers):
            yield
        return
    with local_cluster(workers) as address, tasks_on(address):
        yield


@click.command()
@click.argument("study_file", metavar="STUDY", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for persons, table and page.")
@click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler, such as tcp://127.0.0.1:8786.")
@click.option("--workers", type=click.IntRange(1), help="Local processes, without a scheduler [one per core].")
@compared(
    (DEFAULT_ARCHITECTURE,),
    QUICK,
    "The comparator; given again, one more benchmark method.",
    f"all but {', '.join(SLOW)}, which takes longer than all the rest",
)
@click.option("--seed", type=click.IntRange(0, 2**31), default=0, show_default=True)
@click.option("--epochs", type=click.IntRange(1), help="Epochs of every training, in place of the usual number.")
@click.option(
    "--only",
    "formats",
    default="onnx,coreml,portable",
    show_default=True,
    help="Formats of the bundle; none: no bundle.",
)
def cohort(
    study_file: Path,
    out: Path,
    scheduler: str | None,
    workers: int | None,
    architectures: tuple[str, ...],
    benchmarks: tuple[str, ...],
    seed: int,
    epochs: int | None,
    formats: str,
) -> None:
    """Train, study and export for every person of STUDY (a file or a folder), and summarize over persons.

    Failures of a person are recorded with the reason, and the study continues. Run again, it completes missing results.
    The workers of a scheduler need the same files at the same paths.
    """
    study, out = read_study(study_file), out.resolve()
    wanted = () if formats == "none" else tuple(dict.fromkeys(formats.split(",")))
    if unknown := set(wanted) - {"onnx", "coreml", "portable"}:
        raise click.BadParameter(f"--only {', '.join(sorted(unknown))}: expected some of onnx,coreml,portable, or none")
    plan = Plan(tuple(dict.fromkeys(architectures)), tuple(dict.fromkeys(benchmarks)), seed, epochs, wanted)
    if scheduler and workers:
        raise click.UsageError("--workers is for a cluster of this machine; a scheduler has its own")
    refuse_overlap(out, [place for p in study.persons for place in (p.dataset, p.data) if place])
    claim_folder(out, "train", WRITES)
    require_same_study(out, study, plan)
    step = countdown(lambda line: click.echo(line, err=True), len(study.persons))
    lost = {}

    def gone(job: tuple[Person]) -> tuple[str, str]:
        lost[job[0].key] = "its workers kept dying, of too little memory perhaps"
        return job[0].key, lost[job[0].key]

    with engine(scheduler, workers):
        for key, said in run_tasks(study_person, (plan, code_version(), out), [(p,) for p in study.persons], gone):
            step(f"{key}  {said}")
    persons = [
        PersonResult(person=person.key, step="worker", reason=lost[person.key])
        if person.key in lost
        else read_record(out / "persons" / person.key / PERSON, PersonResult)
        for person in study.persons
    ]
    click.echo(summary(write_results(out, study, plan, persons)))
    click.echo(f"the page: {out / PAGE}")


if __name__ == "__main__":
    run_command(cohort)

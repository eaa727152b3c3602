"""`python -m tests.golden`: golden vectors for any port of the runtime, and bundles that it must refuse.

From synthetic recordings, so that they may be published: filter output, R peaks, beats, embeddings, logits, votes and
decisions, with the day's baseline and without. `ios_bridge` reads them in its tests.
"""

import base64
import hashlib
import json
import shutil
import tempfile
from difflib import SequenceMatcher
from itertools import accumulate
from pathlib import Path
from typing import Any

import click
import numpy as np

from edge_ecg.bundles.bundle import REFERENCES, Bundle, load_bundle
from edge_ecg.bundles.manifest import MANIFEST, SEAL, sealed
from edge_ecg.enroll import enroll
from edge_ecg.errors import EdgeEcgError
from edge_ecg.inference.portable import LAYERS, WEIGHTS
from edge_ecg.playback import Replayed, replay
from edge_ecg.readers.apple_format import write_apple_csv
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import Recording
from edge_ecg.signal.bandpass import Bandpass
from edge_ecg.signal.resample import Resampler
from edge_ecg.signal.rpeaks import RPeakDetector
from edge_ecg.simulation.meaningless import MEANINGLESS
from edge_ecg.simulation.synthetic import record, synthetic_person
from edge_ecg.storage.files import refuse_overlap
from edge_ecg.terminal.console import run_command
from edge_ecg.watch import DayBaseline, Judged, embed
from tests.bad_bundles import BAD_BUNDLES, write_bad_bundles

SEED = 5
TIMED = ("latency_us", "realtime_factor", "late_chunks")
KEPT = 64  # numbers of a stage's output that a vector keeps
RECORDINGS: tuple[tuple[str, str, int, str, dict[str, Any]], ...] = (
    ("plain", "fasting", 0, "en", {"duration_s": 12.0}),
    ("german", "glucose", 1, "de", {"duration_s": 12.0, "sample_rate_hz": 511.422}),
    ("inverted", "glucose", 2, "en-DE", {"duration_s": 9.0, "sample_rate_hz": 300.0, "noise_uv": 4, "inverted": True}),
    ("late", "glucose", 60, "en", {"duration_s": 9.0}),  # two months later: out of date
    ("again", "glucose", 0, "en", {"duration_s": 9.0}),  # on the day of the first, which is its day's baseline
    ("looped", "fasting", 0, "en", {"duration_s": 9.0}),
    ("jittered", "fasting", 0, "en", {"duration_s": 12.0}),
    ("spliced", "fasting", 0, "en", {"duration_s": 20.0}),
)
MEANS_NOTHING = {  # by name, what a guard must find
    "looped": "one beat repeated",
    "jittered": "RR intervals jittered by 10 %",
    "spliced": "the other state in the last 20 %",
}
DAY_BASELINE, SAME_DAY = "plain", "again"
DEVICE_FILES = (LAYERS, WEIGHTS, REFERENCES)  # what the portable engine needs of a bundle
DEVICE_ENTRIES = ("contract", "guards", "intended_use", "labels", "levels", "model", "schema")
VECTORS, BAD = "golden.json", "bad.json"
ABOUT = "Made by python -m tests.golden from a synthetic person"


def golden_vector(bundle: Bundle, recording: Recording) -> dict[str, Any]:
    """What must follow from a recording, at every stage."""
    resampler, detector = Resampler(recording.sample_rate_hz), RPeakDetector(bundle.contract.detector)
    samples_uv = np.concatenate([resampler.push(recording.samples_uv), resampler.finish()])
    peaks = detector.push(samples_uv) + detector.finish()
    replayed = replay(bundle, recording)
    return {
        "sample_rate_hz": recording.sample_rate_hz,
        "resampled": samples_uv[-KEPT:].tolist(),
        "filtered": Bandpass(bundle.contract.detector.bandpass_sos).push(samples_uv)[-KEPT:].tolist(),
        "r_peaks": [[peak.index, peak.confirmed_at] for peak in peaks],
        "beats": [_beat(bundle, judged) for judged in replayed.judged],
        "decision": _decision(replayed),
    }


def day_baseline_vector(bundle: Bundle, baseline: Recording, recording: Recording) -> dict[str, Any]:
    """What must follow from a recording that is judged against a baseline of its day."""
    day = DayBaseline.of(bundle, [baseline])
    return {
        "baseline": DAY_BASELINE,
        "recording": SAME_DAY,
        "level": day.level.level,
        "beats": day.level.beats,
        "reasons_of_the_baseline": replay(bundle, baseline, day_baseline=day).to_json()["reasons"],
        "decision": _decision(replay(bundle, recording, day_baseline=day)),
    }


def _decision(replayed: Replayed) -> dict[str, Any]:
    return {k: v for k, v in replayed.to_json().items() if k not in ("file", *TIMED)}


def _beat(bundle: Bundle, judged: Judged) -> dict[str, Any]:
    beat = judged.beat
    facts = {"r_index": beat.r_index, "known_at_s": beat.known_at_s, "unusable": list(judged.unusable)}
    if judged.vote is None:
        return facts
    embedding = embed(bundle, beat)
    return facts | {
        "values_sha256": hashlib.sha256(beat.values.astype("<f4").tobytes()).hexdigest(),
        "embedding": embedding[0].tolist(),
        "logits": bundle.comparator(embedding, bundle.references.embeddings).tolist(),
        "hard_target": bool(judged.vote.hard_target),
        "evidence": judged.vote.evidence,
        "decision": judged.decision.label,
    }


def write_vectors(bundle_path: Path, out: Path) -> None:
    """Write the bundle's device files, recordings and what follows from them, and bad bundles below `out`.

    `out` is replaced if it was written by this. Raises EdgeEcgError if it holds anything else.
    """
    refuse_overlap(out, [bundle_path])
    if out.exists() and any(out.iterdir()) and not _is_ours(out):
        raise EdgeEcgError(f"{out}: holds something else; give an empty folder or a new name")
    bundle = load_bundle(bundle_path)
    shutil.rmtree(out, ignore_errors=True)
    _write_device_bundle(bundle_path, out / "bundle")
    (out / BAD).write_text(json.dumps(_differences(out / "bundle"), indent=0) + "\n", encoding="utf-8")
    vectors, recordings = {}, {}
    for number, (name, state, day, locale, options) in enumerate(RECORDINGS):
        made = record(synthetic_person(SEED), state, day, number=number, **options)
        samples_uv = made.samples_uv
        if name in MEANS_NOTHING:
            other = record(synthetic_person(SEED), "glucose", day, number=number).samples_uv
            samples_uv = MEANINGLESS[MEANS_NOTHING[name]](samples_uv, other, other)
        path = out / f"{name}.csv"
        write_apple_csv(path, samples_uv, made.sample_rate_hz, made.recorded_at, locale)
        recordings[name] = read_recording(path)
        vectors[name] = golden_vector(bundle, recordings[name])
    enrolment = enroll(bundle, recordings.values()).to_json()
    content = {
        "about": ABOUT,
        "recordings": vectors,
        "day_baseline": day_baseline_vector(bundle, recordings[DAY_BASELINE], recordings[SAME_DAY]),
        "enrollment": {k: enrolment[k] for k in ("recordings", "dates", "distance", "shift", "limit")},
    }
    (out / VECTORS).write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


def _is_ours(folder: Path) -> bool:
    """Whether a folder holds what `write_vectors` writes, and nothing beside it."""
    try:
        content = json.loads((folder / VECTORS).read_text(encoding="utf-8"))
        names = {VECTORS, BAD, "bundle", *(f"{name}.csv" for name in content["recordings"])}
        return bool(content["about"] == ABOUT) and {path.name for path in folder.iterdir()} <= names
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _write_device_bundle(source: Path, target: Path) -> None:
    """The files that the portable engine needs, under a manifest that lists no others."""
    whole = json.loads((source / MANIFEST).read_bytes())
    manifest = {entry: whole[entry] for entry in DEVICE_ENTRIES}
    manifest["packed_from"] = hashlib.sha256((source / MANIFEST).read_bytes()).hexdigest()
    manifest["files"] = {name: whole["files"][name] for name in DEVICE_FILES}
    for name in DEVICE_FILES:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)
    for name, content in sealed(manifest).items():
        (target / name).write_bytes(content)


def _differences(bundle: Path) -> dict[str, dict[str, Any]]:
    """What each bad bundle has in place of the good one: start, end, base64 of spans of a file; None for no file."""
    differences = {}
    with tempfile.TemporaryDirectory() as scratch:
        write_bad_bundles(bundle, Path(scratch))
        for name in BAD_BUNDLES:
            files = {file: Path(scratch) / name / file for file in (MANIFEST, SEAL, *DEVICE_FILES)}
            if any(file.is_symlink() for file in files.values()):  # nothing in a file's bytes says so
                continue
            differences[name] = {
                file: _spans((bundle / file).read_bytes(), spoilt.read_bytes()) if spoilt.exists() else None
                for file, spoilt in files.items()
                if not spoilt.exists() or spoilt.read_bytes() != (bundle / file).read_bytes()
            }
    return differences


def _spans(good: bytes, spoilt: bytes) -> list[tuple[int, int, str]]:
    old, new = good.splitlines(keepends=True), spoilt.splitlines(keepends=True)
    starts = [0, *accumulate(map(len, old))]
    changes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [
        (starts[first], starts[end], base64.b64encode(b"".join(new[to:until])).decode())
        for kind, first, end, to, until in changes
        if kind != "equal"
    ]


@click.command()
@click.argument("bundle", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write, replaced if it is ours.")
def export_golden(bundle: Path, out: Path) -> None:
    """Write golden vectors and bad bundles for the tests of a port."""
    write_vectors(bundle, out)
    bad = json.loads((out / BAD).read_text(encoding="utf-8"))
    click.echo(f"{out}: {len(RECORDINGS)} recordings, {len(bad)} bad bundles")


if __name__ == "__main__":
    run_command(export_golden)

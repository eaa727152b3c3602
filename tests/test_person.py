"""`person.onnx` says in one graph what the two graphs and the references say, for any number of beats at once."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_ecg.bundles.bundle import COMPARATOR, ENCODER, PERSON, Bundle, load_bundle, read_files, write_bundle
from edge_ecg.enroll import enroll, write_enrolled
from edge_ecg.errors import BundleError, UnsupportedOperationError
from edge_ecg.inference.person import OnnxPerson
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.playback import replay
from edge_ecg.readers.read import read_recording
from edge_ecg.signal.stream import cut_beats
from export.formats.person import PERSON_ARTIFACT, person_onnx
from tests.commands import edge_ecg


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


@pytest.fixture(scope="module")
def beats(small_dataset: Path) -> np.ndarray:
    """Those of four recordings of days that training has not seen."""
    files = sorted(small_dataset.parent.glob("0308/*/*.csv"))
    return np.array([beat.values for file in files for beat in cut_beats(read_recording(file))])


def person_of(bundle: Bundle) -> OnnxPerson:
    assert bundle.person is not None
    return bundle.person


def test_golden_vectors_follow_from_it(bundle: Bundle) -> None:
    golden = json.loads((bundle.path / "golden.json").read_text())["beats"]
    answers = bundle.judge(np.array([step["beat"] for step in golden], np.float32))
    for name, got in (("embedding", answers.embedding), ("evidence", answers.evidence[:, 0])):
        np.testing.assert_allclose(got, [step[name] for step in golden], rtol=1e-5, atol=1e-5)
    for (baseline, target), step in zip(answers.same.tolist(), golden, strict=True):
        is_same = np.array(step["logits"]) < 0
        assert [baseline, target] == (is_same @ bundle.references.by_state).tolist()


def test_beats_at_once_are_beats_one_after_the_other_bit_for_bit(bundle: Bundle, beats: np.ndarray) -> None:
    single = [person_of(bundle)(beat[np.newaxis]) for beat in beats]
    for size in (2, 3, 7, len(beats)):
        for start in range(0, len(beats), size):
            answers = person_of(bundle)(beats[start : start + size])
            for name, got in zip(answers._fields, answers, strict=True):
                wanted = np.concatenate([getattr(one, name) for one in single[start : start + size]])
                assert got.tobytes() == wanted.tobytes(), (name, size)


def test_a_beat_that_is_no_number_changes_no_other(bundle: Bundle, beats: np.ndarray) -> None:
    broken = beats.copy()
    broken[1, :-1] = np.nan
    for got, wanted in zip(person_of(bundle)(broken), person_of(bundle)(beats), strict=True):
        assert np.delete(got, 1, 0).tobytes() == np.delete(wanted, 1, 0).tobytes()


def test_its_evidence_votes_and_distance_follow_from_its_logits_and_embedding(
    small_bundle: Path, bundle: Bundle, beats: np.ndarray
) -> None:
    files = read_files(small_bundle)[1]
    assert PERSON_ARTIFACT.other_faults(files, bundle.references, beats) == []
    other = replace(bundle.references, is_target=~bundle.references.is_target)
    files[PERSON] = person_onnx(files[ENCODER], files[COMPARATOR], other)
    faults = PERSON_ARTIFACT.other_faults(files, bundle.references, beats)
    assert [fault.split()[0] for fault in faults] == ["evidence", "same"]


def test_enrollment_moves_its_references(
    bundle: Bundle, small_dataset: Path, beats: np.ndarray, tmp_path: Path
) -> None:
    fresh = [read_recording(file) for file in sorted(small_dataset.parent.glob("030[789]/fasting/*.csv"))]
    enrolled = write_enrolled(bundle, enroll(bundle, fresh), tmp_path / "enrolled")
    assert person_of(enrolled)(beats).evidence.tobytes() != person_of(bundle)(beats).evidence.tobytes()
    assert PERSON_ARTIFACT.other_faults(read_files(tmp_path / "enrolled")[1], enrolled.references, beats) == []
    assert (tmp_path / "enrolled" / PERSON).stat().st_size == (bundle.path / PERSON).stat().st_size


def test_a_graph_of_other_references_is_refused(small_bundle: Path, bundle: Bundle, tmp_path: Path) -> None:
    manifest, files = read_files(small_bundle)
    files[PERSON] = person_onnx(files[ENCODER], files[COMPARATOR], bundle.references.moved(np.float32(0.5)))
    write_bundle(tmp_path / "mixed", manifest, files)
    with pytest.raises(BundleError, match="does not hold the 160 numbers of references once"):
        load_bundle(tmp_path / "mixed")


def test_other_numbers_of_references_are_judged_by_the_two_graphs(bundle: Bundle, beats: np.ndarray) -> None:
    few = ReferenceBank(bundle.references.embeddings[::2], bundle.references.is_target[::2])
    fewer = bundle.with_references(few)
    assert fewer.person is None
    assert fewer.judge(beats[:3]).same.sum(1).max() <= len(few.is_target)


def test_a_comparator_that_begins_otherwise_is_named(small_bundle: Path, bundle: Bundle) -> None:
    encoder = (small_bundle / ENCODER).read_bytes()
    with pytest.raises(UnsupportedOperationError, match="does not begin with one operation on pairs"):
        person_onnx(encoder, encoder, bundle.references)


def test_without_onnx_runtime_the_portable_form_judges_and_says_so(
    small_bundle: Path, bundle: Bundle, small_dataset: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recordings = sorted(small_dataset.parent.glob("0308/*/*.csv"))
    with_it = [replay(bundle, read_recording(path)).decision.label for path in recordings]
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed
    done = edge_ecg("replay", small_bundle, *recordings, "--json")
    assert "ONNX Runtime is not installed" in done.stderr
    assert [json.loads(line)["decision"] for line in done.stdout.splitlines()] == with_it
    manifest, files = read_files(small_bundle)
    write_bundle(tmp_path / "none", manifest, {n: c for n, c in files.items() if not n.startswith("portable/")})
    with pytest.raises(BundleError, match="has no portable form, and ONNX Runtime is not installed"):
        load_bundle(tmp_path / "none")

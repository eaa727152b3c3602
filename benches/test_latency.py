"""How long the stages take: one beat against the same computation through PyTorch, and a 30 s recording.

Read the ratios inside a group (in brackets behind each time), not the times: machines differ and are shared.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from edge_ecg.bundles.bundle import Bundle, load_bundle
from edge_ecg.contract import CONTRACT
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import Vote, cast_vote
from edge_ecg.playback import chunks
from edge_ecg.recording import Recording
from edge_ecg.signal.bandpass import Bandpass
from edge_ecg.signal.beats import BeatCutter
from edge_ecg.signal.resample import Resampler
from edge_ecg.signal.rpeaks import RPeakDetector
from edge_ecg.signal.stream import BeatStream, cut_beats
from edge_ecg.simulation.synthetic import record, synthetic_person
from edge_ecg.watch import Watch
from train.run import load_run

RECORDING = Recording(record(synthetic_person(1), "glucose", 0, number=1).samples_uv, 512.0, "synthetic")


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


@pytest.fixture(scope="module")
def beat() -> np.ndarray:
    return cut_beats(RECORDING)[0].values[np.newaxis]


def bank_of(bundle: Bundle, count: int) -> ReferenceBank:
    """The bundle's references, repeated up to `count`."""
    rows = np.arange(count) * len(bundle.references.is_target) // count
    return ReferenceBank(bundle.references.embeddings[rows], bundle.references.is_target[rows])


def test_filter(benchmark: BenchmarkFixture) -> None:
    bandpass = Bandpass(CONTRACT.detector.bandpass_sos)
    benchmark.group = "stages of 30 s of ECG in one chunk"
    benchmark(bandpass.push, RECORDING.samples_uv)


def test_resample(benchmark: BenchmarkFixture) -> None:
    benchmark.group = "stages of 30 s of ECG in one chunk"
    benchmark(lambda: Resampler(511.422).push(RECORDING.samples_uv))


def test_detect(benchmark: BenchmarkFixture) -> None:
    benchmark.group = "stages of 30 s of ECG in one chunk"
    benchmark(lambda: RPeakDetector().push(RECORDING.samples_uv))


def test_cut_and_judge_quality(benchmark: BenchmarkFixture) -> None:
    detector = RPeakDetector()
    peaks = detector.push(RECORDING.samples_uv)
    benchmark.group = "stages of 30 s of ECG in one chunk"
    benchmark(lambda: BeatCutter(detector.longest_wait).push(RECORDING.samples_uv, peaks))


def test_encode(benchmark: BenchmarkFixture, bundle: Bundle, beat: np.ndarray) -> None:
    benchmark.group = "stages of a beat"
    benchmark(bundle.encoder, beat)


@pytest.mark.parametrize("count", [8, 16, 32, 64, 100])
def test_compare(benchmark: BenchmarkFixture, bundle: Bundle, beat: np.ndarray, count: int) -> None:
    benchmark.group = "stages of a beat"
    benchmark(bundle.comparator, bundle.encoder(beat), bank_of(bundle, count).embeddings)


def test_vote(benchmark: BenchmarkFixture, bundle: Bundle, beat: np.ndarray) -> None:
    logits = bundle.comparator(bundle.encoder(beat), bundle.references.embeddings)
    tally = bundle.rule.tally()
    benchmark.group = "stages of a beat"
    benchmark(lambda: tally.add(cast_vote(logits, bundle.references), 5.0))


def one_beat_onnx(bundle: Bundle, run: Path) -> Callable[[np.ndarray], Vote]:
    references = bundle.references
    return lambda beat: cast_vote(bundle.comparator(bundle.encoder(beat), references.embeddings), references)


def one_beat_torch(bundle: Bundle, run: Path) -> Callable[[np.ndarray], Vote]:
    """The same beat through the model as it was trained, the references' embeddings kept."""
    model, references = load_run(run).model, bundle.references
    bank = torch.from_numpy(references.embeddings)

    def judge(beat: np.ndarray) -> Vote:
        with torch.inference_mode():
            return cast_vote(model.comparator(model.encoder(torch.from_numpy(beat)), bank).numpy(), references)

    return judge


def one_beat_torch_re_encoding(bundle: Bundle, run: Path) -> Callable[[np.ndarray], Vote]:
    """As the public comparator does it: beat and reference go through the encoder for every pair."""
    finished = load_run(run)
    chosen, references = finished.references()
    reference_beats = torch.from_numpy(finished.training.values[chosen])

    def judge(beat: np.ndarray) -> Vote:
        with torch.inference_mode():
            repeated = finished.model.encoder(torch.from_numpy(beat).repeat(len(chosen), 1))
            logits = finished.model.comparator(repeated, finished.model.encoder(reference_beats))
        return cast_vote(logits.numpy(), references)

    return judge


@pytest.mark.parametrize("path", [one_beat_onnx, one_beat_torch, one_beat_torch_re_encoding])
def test_one_beat(
    benchmark: BenchmarkFixture, bundle: Bundle, small_run: Path, beat: np.ndarray, path: Callable
) -> None:
    torch.set_num_threads(1)
    benchmark.group = "one beat: encode, compare with every reference, vote"
    benchmark(path(bundle, small_run), beat)


@pytest.mark.parametrize("chunk", [1, 8, 64, 512, 4096, 15360])
def test_30_s_recording(benchmark: BenchmarkFixture, bundle: Bundle, chunk: int) -> None:
    benchmark.group = "30 s of ECG through the whole watch, by chunk size"

    def replayed() -> None:
        watch = Watch(bundle)
        for samples_uv in chunks(RECORDING, chunk):
            watch.push(samples_uv)

    benchmark(replayed)


def test_30_s_of_beats(benchmark: BenchmarkFixture) -> None:
    benchmark.group = "30 s of ECG, filter, detection and cutting alone"
    benchmark(lambda: BeatStream(512.0).push(RECORDING.samples_uv))

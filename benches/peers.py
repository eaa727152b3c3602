"""What it costs beside its peers, in one run on one thread: `python -m benches.peers [--bundle BUNDLE] [--json OUT]`.

- One beat against 100 references: ours, and the public comparator's architecture as its own code runs it (eager
  PyTorch, beat and reference through the encoder for every comparison).
- A recording of 30 s from samples to a decision: ours in one chunk and in chunks of 64, and NeuroKit2 with PyTorch.
- R peaks of those 30 s: ours, and sleepecg's detector.
- The floor of each: a graph that hands the beat on, beats alone and the band-pass alone on the same chunks, and the
  multiply-adds of one beat at the speed of the machine's matrix product.

Every time is the best of many rounds, the peers taking turns, so that a shared machine is unfair to nobody. Weights do
not matter to a time: the peer's are random.
"""

import argparse
import json
import os
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnx
import torch
from torch.utils.flop_counter import FlopCounterMode

from edge_ecg.bundles.bundle import COMPARATOR, ENCODER, Bundle, load_bundle
from edge_ecg.contract import CONTRACT
from edge_ecg.errors import EdgeEcgError
from edge_ecg.inference.engines import Session
from edge_ecg.inference.person import OnnxPerson
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import cast_vote
from edge_ecg.playback import chunks
from edge_ecg.recording import Recording
from edge_ecg.signal.bandpass import Bandpass
from edge_ecg.signal.beats import Beat
from edge_ecg.signal.rpeaks import r_peaks
from edge_ecg.signal.stream import BeatStream, cut_beats
from edge_ecg.simulation.synthetic import record, synthetic_person
from edge_ecg.terminal.console import report_error
from edge_ecg.watch import Watch
from export.formats.person import person_onnx
from train.model.architectures import build_model
from train.model.model import Model

REFERENCES = 100  # the public comparator has 50 of each state
RECORDING = Recording(record(synthetic_person(1), "glucose", 0, number=1).samples_uv, 512.0, "synthetic")


def best_s(jobs: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """The shortest time of each job; they take turns of at least 50 ms, since the first call finds a cold cache."""
    best = dict.fromkeys(jobs, float("inf"))
    end, rounds = time.perf_counter() + seconds, 0
    while rounds < 5 or time.perf_counter() < end:
        for name, job in jobs.items():
            turn = time.perf_counter()
            while time.perf_counter() < turn + 0.05:
                start = time.perf_counter()
                job()
                best[name] = min(best[name], time.perf_counter() - start)
        rounds += 1
    return best


def bank_of(bundle: Bundle, count: int) -> ReferenceBank:
    """The bundle's references, repeated up to `count`."""
    rows = np.arange(count) * len(bundle.references.is_target) // count
    bank = bundle.references
    return ReferenceBank(bank.embeddings[rows], bank.is_target[rows], bank.distribution)


def with_references(bundle: Bundle, count: int) -> Bundle:
    """The bundle with so many references, in its graph of a person as well."""
    bundle = bundle.with_references(bank_of(bundle, count))
    content = person_onnx(*((bundle.path / name).read_bytes() for name in (ENCODER, COMPARATOR)), bundle.references)
    return replace(bundle, person=OnnxPerson(content, bundle.references, CONTRACT.beat_length))


def our_beat(bundle: Bundle) -> Callable[[Beat], object]:
    """What a watch does with a beat: the graph, the checks of range and finite numbers, the vote, the decision."""
    watch = Watch(bundle)
    return lambda beat: watch.judge([beat])


def eager_beat(model: Model, bank: ReferenceBank) -> Callable[[np.ndarray], object]:
    """The public path: the pair goes through the whole network for every reference."""
    reference_beats = torch.randn(len(bank.is_target), 384) * 100

    def judge(beat: np.ndarray) -> object:
        with torch.inference_mode():
            repeated = model.encoder(torch.from_numpy(beat).repeat(len(reference_beats), 1))
            logits = model.comparator(repeated, model.encoder(reference_beats))
        return cast_vote(logits.numpy(), bank)

    return judge


def our_recording(bundle: Bundle, chunk: int) -> object:
    """Samples in, decision out."""
    watch = Watch(bundle)
    for samples_uv in chunks(RECORDING, chunk):
        watch.push(samples_uv)
    return watch.decision


def streamed(chunk: int) -> None:
    """Beats alone, without a model: what the signal costs."""
    stream = BeatStream(512.0)
    for samples_uv in chunks(RECORDING, chunk):
        stream.push(samples_uv)


def filtered(chunk: int) -> None:
    """The band-pass alone: what no detector in Python can do without."""
    bandpass = Bandpass(CONTRACT.detector.bandpass_sos)
    for samples_uv in chunks(RECORDING, chunk):
        bandpass.push(samples_uv)


def identity_graph() -> Session:
    """A graph that hands a beat on: what a call of ONNX Runtime costs."""
    beat, same = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, CONTRACT.beat_length])
        for name in ("beat", "same")
    )
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["beat"], ["same"])], "identity", [beat], [same])
    model = onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 18)])
    return Session(model.SerializeToString())


def neurokit_recording(judge: Callable[[np.ndarray], object]) -> object:
    """Clean and detect with NeuroKit2, cut, and judge every beat."""
    import neurokit2

    cleaned = neurokit2.ecg_clean(RECORDING.samples_uv, sampling_rate=512)
    r_peaks = neurokit2.ecg_peaks(cleaned, sampling_rate=512)[1]["ECG_R_Peaks"]
    for previous, r in pairwise(r_peaks):
        window = RECORDING.samples_uv[r - 128 : r + 255]
        if r >= 1664 and len(window) == 383:
            judge(np.append(window, (r - previous) / 512).astype(np.float32))
    return None


def multiply_adds(model: Model, references: int) -> int:
    """Of one beat: the encoder once, the comparator once for each reference."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        embedding = model.encoder(torch.zeros(1, 384))
        model.comparator(embedding, embedding.repeat(references, 1))
    return int(counter.get_total_flops()) // 2


def machine() -> dict[str, object]:
    """Where the figures are from."""
    cpu = next(
        (line.split(":")[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")),
        platform.processor(),
    )
    tools = ("numpy", "scipy", "onnxruntime", "torch", "neurokit2")
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
        "tools": {tool: version(tool) for tool in tools if find_spec(tool)},
    }


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []


def compare(bundle: Bundle, seconds: float) -> dict[str, float]:
    """Times in seconds and ratios, by name."""
    bundle = with_references(bundle, REFERENCES)
    pair = replace(bundle, person=None)
    beats = cut_beats(RECORDING)
    beat = beats[0].values
    public = build_model("effnetv2").eval()
    ours, two_graphs, eager = our_beat(bundle), our_beat(pair), eager_beat(public, bundle.references)
    at_once = np.array([each.values for each in beats])
    square, row, identity = torch.randn(512, 512), beat[np.newaxis], identity_graph()
    embedding = bundle.encoder(row)
    one = best_s(
        {
            "ours": lambda: ours(beats[0]),
            "two graphs": lambda: two_graphs(beats[0]),
            "graph": lambda: bundle.judge(row),
            "graph at once": lambda: bundle.judge(at_once),
            "eager": lambda: eager(beat),
            "sgemm": lambda: torch.mm(square, square),
            "encoder": lambda: bundle.encoder(row),
            "comparator": lambda: bundle.comparator(embedding, bundle.references.embeddings),
            "identity": lambda: identity.run(beat=row),
        },
        seconds,
    )
    jobs: dict[str, Callable[[], object]] = {
        "chunk 64": lambda: our_recording(bundle, 64),
        "chunk 15360": lambda: our_recording(bundle, 15360),
        "two graphs 64": lambda: our_recording(pair, 64),
        "two graphs 15360": lambda: our_recording(pair, 15360),
        "stream 64": lambda: streamed(64),
        "stream 15360": lambda: streamed(15360),
        "detector": lambda: r_peaks(RECORDING.samples_uv),
        "filter 64": lambda: filtered(64),
        "filter 15360": lambda: filtered(15360),
    }
    if find_spec("neurokit2"):
        jobs["neurokit"] = lambda: neurokit_recording(eager)
    if find_spec("sleepecg"):
        import sleepecg

        jobs["sleepecg"] = lambda: sleepecg.detect_heartbeats(RECORDING.samples_uv, 512)
    whole = best_s(jobs, seconds)
    limit_s = multiply_adds(build_model(bundle.manifest["model"]["architecture"]).eval(), REFERENCES) / (
        512**3 / one["sgemm"]
    )
    figures = {
        "one beat, ours, us": one["ours"] * 1e6,
        "one beat, eager PyTorch as published, us": one["eager"] * 1e6,
        "one beat, ratio": one["eager"] / one["ours"],
        "one beat, multiply-add limit, us": limit_s * 1e6,
        "one beat, times the limit": one["ours"] / limit_s,
        "one beat, by two graphs, us": one["two graphs"] * 1e6,
        "one beat, times the identity graph": one["ours"] / one["identity"],
        "graph of a person alone, us": one["graph"] * 1e6,
        f"graph of a person, {len(beats)} beats at once, us a beat": one["graph at once"] / len(beats) * 1e6,
        "identity graph, us": one["identity"] * 1e6,
        "encoder, times the identity graph": one["encoder"] / one["identity"],
        "comparator, times the identity graph": one["comparator"] / one["identity"],
        "sgemm, G multiply-adds a second": 512**3 / one["sgemm"] / 1e9,
        "30 s, ours at chunk 64, ms": whole["chunk 64"] * 1e3,
        "30 s, ours at chunk 64, times real time": 30 / whole["chunk 64"],
        "30 s, ours at chunk 64, times the filter": whole["chunk 64"] / whole["filter 64"],
        "30 s, ours at chunk 15360, ms": whole["chunk 15360"] * 1e3,
        "30 s, ours at chunk 15360, times real time": 30 / whole["chunk 15360"],
        "30 s, ours at chunk 15360, times the filter": whole["chunk 15360"] / whole["filter 15360"],
    }
    for chunk in (64, 15360):
        figures[f"30 s, two graphs at chunk {chunk}, ms"] = whole[f"two graphs {chunk}"] * 1e3
        figures[f"30 s, beats alone at chunk {chunk}, ms"] = whole[f"stream {chunk}"] * 1e3
    figures["30 s, our R peaks, ms"] = whole["detector"] * 1e3
    if "sleepecg" in whole:
        figures["30 s, R peaks of sleepecg, ms"] = whole["sleepecg"] * 1e3
    if "neurokit" in whole:
        figures["30 s, NeuroKit2 + PyTorch, ms"] = whole["neurokit"] * 1e3
        figures["30 s, ratio at chunk 15360"] = whole["neurokit"] / whole["chunk 15360"]
    return figures


def main() -> int:
    """Print the figures; write them as JSON if wanted. The exit code."""
    parser = argparse.ArgumentParser(description="What it costs beside its peers, in one run on one thread.")
    parser.add_argument("--bundle", type=Path, default=Path("out/demo/bundle"), help="such as make demo leaves")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each of two groups")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        bundle = load_bundle(arguments.bundle)
    except EdgeEcgError as error:
        return report_error(f"{error}; make demo, or give --bundle")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what peers say of NumPy and pandas is not ours to print
        figures = compare(bundle, arguments.seconds)
    for name, value in figures.items():
        print(f"{name:52}{value:12.2f}")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps({"machine": machine(), "figures": figures}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Both graphs of a bundle, float32 and int8, on recordings: `python -m benches.replayed BUNDLE RECORDING...`

Prints a line of JSON each, for two machines to be compared; needs the runtime alone.
"""

import json
import platform
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_ecg.bundles.bundle import Bundle, load_bundle, read_files
from edge_ecg.inference.engines import OnnxComparator, OnnxEncoder
from edge_ecg.playback import replay
from edge_ecg.readers.read import read_recording

TIMED = ("latency_us", "realtime_factor", "late_chunks")


def forms(path: Path) -> Iterator[tuple[str, Bundle]]:
    """The bundle, and the bundle with its int8 graphs, if it has them."""
    bundle = load_bundle(path)
    yield "float32", bundle
    files = read_files(path)[1]
    if "encoder_int8.onnx" in files:
        encoder = OnnxEncoder(files["encoder_int8.onnx"], bundle.contract.beat_length)
        comparator = OnnxComparator(files["comparator_int8.onnx"], encoder.embedding_length)
        yield "int8", replace(bundle, encoder=encoder, comparator=comparator, person=None)


def said(form: str, bundle: Bundle, path: Path) -> dict[str, Any]:
    """All that does not hang on time: what `edge-ecg replay --json` prints, and each beat with its evidence."""
    recording = read_recording(path)
    replayed, at_once = replay(bundle, recording), replay(bundle, recording, len(recording.samples_uv))
    facts = {name: fact for name, fact in replayed.to_json().items() if name not in TIMED}
    # A whole recording is one call of the model, a chunk one for each beat: the same bits, on every machine.
    facts["same at once"] = [judged.vote for judged in replayed.judged] == [judged.vote for judged in at_once.judged]
    beats = [
        [judged.beat.r_index, judged.unusable, judged.vote and judged.vote[:3], judged.decision.label]
        for judged in replayed.judged
    ]
    evidence = [judged.vote.evidence for judged in replayed.judged if judged.vote]
    return {"form": form, "machine": platform.machine(), "facts": facts, "beats": beats, "evidence": evidence}


if __name__ == "__main__":
    for form, bundle in forms(Path(sys.argv[1])):
        for recording in sys.argv[2:]:
            print(json.dumps(said(form, bundle, Path(recording))), flush=True)

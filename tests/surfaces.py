"""The surfaces of the compiled core, built once: each replays the same jobs and prints the same events."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from conftest import kept
from edge_ecg.bundles.bundle import load_bundle
from edge_ecg.playback import replay
from edge_ecg.readers.read import read_recording
from edge_ecg.watch import DayBaseline

ROOT = Path(__file__).parent.parent
BRIDGE = ROOT / "ios_bridge"
WASM = ROOT / "edge_ecg/report/templates/edge_ecg.wasm.gz"
TOOLCHAIN = "/opt/swift/usr/bin"
PATH = f"{os.environ.get('PATH', '')}:{TOOLCHAIN}"
Job = Sequence[Path]  # a recording, then those of the day's baseline
Events = dict[str, Any]  # {"beats": [...], "decision": {...}} with the names of edge_ecg.h
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-I", str(BRIDGE / "C"))


def tool(name: str) -> str:
    """The path of a program; where it is missing the test is skipped and says so."""
    found = shutil.which(name, path=PATH)
    if found is None:
        pytest.skip(f"no {name} here: this surface of the core was NOT compared with Python")
    return found


def built(target: str) -> Path:
    """The folder with the core built for a target, kept until its sources change."""
    tool("swiftc")
    sources = [*sorted((BRIDGE / "Sources/EdgeECGCore").rglob("*.swift")), *sorted((BRIDGE / "C").iterdir())]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    return kept(f"core-{target}", digest, lambda folder: run([BRIDGE / "C/build.sh", target, folder]))


def run(command: Sequence[object], given: str = "") -> str:
    """What a program prints; its complaints fail the test."""
    words = [str(word) for word in command]
    done = subprocess.run(words, input=given, capture_output=True, text=True, env={**os.environ, "PATH": PATH})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _lines(command: Sequence[object], jobs: Sequence[Job]) -> list[Events]:
    given = "".join("\t".join(map(str, job)) + "\n" for job in jobs)
    return [json.loads(line) for line in run(command, given).splitlines()]


def python(bundle: Path, jobs: Sequence[Job]) -> list[Events]:
    """The runtime in Python, or in the compiled core where EDGE_ECG_CORE names it."""
    opened, results = load_bundle(bundle), []
    for path, *baseline in jobs:
        day = DayBaseline.of(opened, map(read_recording, baseline)) if baseline else None
        replayed = replay(opened, read_recording(path), day_baseline=day)
        results.append({"beats": [_beat(judged) for judged in replayed.judged], "decision": _decision(replayed)})
    return results


def _beat(judged: Any) -> dict[str, Any]:
    beat, vote = judged.beat, judged.vote
    return {
        "r_index": beat.r_index,
        "known_at_s": beat.known_at_s,
        "rr_s": float(beat.values[-1]),
        "is_turned": int(beat.is_turned),
        "reasons": sorted(judged.unusable),
        "evidence": vote and vote.evidence,
        "same_as_baseline": vote.same_as_baseline if vote else 0,
        "same_as_target": vote.same_as_target if vote else 0,
        "hard_target": int(vote.hard_target) if vote else 0,
        "decision": judged.decision.label,
        "confidence": judged.decision.confidence,
    }


def _decision(replayed: Any) -> dict[str, Any]:
    decision = replayed.decision
    baseline, target = decision.votes.values()
    return {
        "decision": decision.label,
        "confidence": decision.confidence,
        "log_odds": replayed.log_odds,
        "provisional": decision.provisional and decision.provisional.label,
        "provisional_s": decision.provisional and decision.provisional.seconds,
        "provisional_beats": decision.provisional.beats if decision.provisional else 0,
        "votes_for_baseline": baseline,
        "votes_for_target": target,
        "unusable": decision.unusable,
        "reasons": sorted(decision.reasons),
        "covered_s": decision.covered_s,
    }


def ctypes(bundle: Path, jobs: Sequence[Job]) -> list[Events]:
    """The Python runtime with the compiled core as its engine."""
    library = built("x86_64") / "libedge_ecg.so"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE_ECG_CORE", str(library))
        return python(bundle, jobs)


def c(bundle: Path, jobs: Sequence[Job]) -> list[Events]:
    """The example program in C, linked against the static library."""
    folder = built("x86_64")
    program = folder / "replay"
    if not program.exists():
        run([tool("gcc"), *STRICT, BRIDGE / "C/replay.c", folder / "libedge_ecg.a", "-lm", "-o", program])
    return _lines([program, bundle], jobs)


def java(bundle: Path, jobs: Sequence[Job]) -> list[Events]:
    """The Java API of ios_bridge/Android against the Linux library."""
    folder, compiler = built("x86_64"), tool("javac")
    android, classes, library = BRIDGE / "Android", folder / "java", folder / "libedge_ecg_jni.so"
    if not library.exists():
        sources = [*sorted(android.rglob("*.java"))]
        run([compiler, "-Xlint:all", "-Werror", "-d", classes, *sources])
        home = Path(compiler).resolve().parent.parent
        headers = ["-I", home / "include", "-I", home / "include/linux"]
        run([tool("gcc"), *STRICT, "-fPIC", "-shared", *headers, android / "jni.c", folder / "libedge_ecg.a", "-lm",
             f"-Wl,--version-script={android / 'jni.map'}", "-o", library])  # fmt: skip
    return _lines([tool("java"), f"-Dedge.ecg={library}", "-cp", classes, "Replay", bundle], jobs)


def wasm(bundle: Path, jobs: Sequence[Job]) -> list[Events]:
    """The WebAssembly in the package, in Node."""
    return _lines([tool("node"), BRIDGE / "Web/replay.js", WASM, bundle], jobs)


def swift(bundle: Path, jobs: Sequence[Job]) -> list[Events]:
    """The Swift package's own tool, which judges as an app does."""
    run([tool("swift"), "build", "-c", "release", "-j", "2", "--package-path", ROOT, "--product", "edge-ecg-swift"])
    results = []
    for path, *baseline in jobs:
        options = [word for each in baseline for word in ("--day-baseline", each)]
        command = [ROOT / ".build/release/edge-ecg-swift", "replay", bundle, path, "--json", "--beats", *options]
        results.append(_of_swift(json.loads(run(command))))
    return results


def _of_swift(line: dict[str, Any]) -> Events:
    """The line of `edge-ecg-swift replay --json --beats` by the names of the header."""
    same = {"evidence": None, "same_as_baseline": 0, "same_as_target": 0, "hard_target": 0}
    beats = [
        {**same, **beat, "reasons": sorted(beat["unusable"]), "is_turned": int(beat["is_turned"])}
        | {"hard_target": int(beat.get("hard_target", 0))}
        for beat in line["judged"]
    ]
    votes = list(line["votes"].values())
    decision = {
        "decision": line["decision"],
        "provisional": line["provisional"],
        "provisional_s": line["provisional_after_s"],
        "provisional_beats": line["provisional_after_beats"] or 0,
        "votes_for_baseline": votes[0],
        "votes_for_target": votes[1],
        "unusable": line["unusable_beats"],
    }
    return {"beats": beats, "decision": decision}


SURFACES: dict[str, Callable[[Path, Sequence[Job]], list[Events]]] = {
    "python": python,
    "swift": swift,
    "c": c,
    "ctypes": ctypes,
    "wasm": wasm,
    "java": java,
}

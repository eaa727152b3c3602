"""A new Swift package can depend on this one by a Git URL, and replay a recording."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edge_ecg.bundles.pack import pack_bundle

pytestmark = pytest.mark.ci
PACKAGE = Path(__file__).parent.parent
TOOLCHAIN = "/opt/swift/usr/bin"
GOLDEN = PACKAGE / "ios_bridge/Tests/EdgeECGTests/Golden"
MANIFEST = """// swift-tools-version: 6.0
import PackageDescription
let package = Package(
  name: "Consumer",
  platforms: [.macOS(.v13)],
  dependencies: [.package(url: "URL", from: "99.0.0")],
  targets: [.executableTarget(name: "Consumer", dependencies: [.product(name: "EdgeECG", package: "edge-ecg")])])
"""
MAIN = """import EdgeECG
import Foundation

let bundle = try ECGBundle(contentsOf: URL(fileURLWithPath: CommandLine.arguments[1]))
let recording = try ECGRecording(contentsOf: URL(fileURLWithPath: CommandLine.arguments[2]))
let replayed = try ECGWatch.replay(recording, through: bundle)
var watch = try ECGWatch(bundle: bundle, sampleRateHz: recording.sampleRateHz, day: recording.day)
let judged = try watch.push(recording.samplesMicrovolts)
precondition(judged == replayed.judged && watch.decision == replayed.decision)
print(judged.count, replayed.decision.outcome)
"""


def swift() -> str:
    found = shutil.which("swift", path=f"{os.environ.get('PATH', '')}:{TOOLCHAIN}")
    return found or pytest.skip("no Swift toolchain: the package was NOT built")


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_package_replays_a_recording_through_a_packed_bundle(small_bundle, tmp_path):
    """What is committed, as a stranger gets it."""
    tool, repository = swift(), tmp_path / "edge-ecg"
    run("git", "clone", "--quiet", PACKAGE, repository, cwd=tmp_path)
    run("git", "tag", "99.0.0", cwd=repository)
    consumer = tmp_path / "Consumer"
    (consumer / "Sources/Consumer").mkdir(parents=True)
    (consumer / "Package.swift").write_text(MANIFEST.replace("URL", repository.as_uri()))
    (consumer / "Sources/Consumer/main.swift").write_text(MAIN)
    pack_bundle(small_bundle, tmp_path / "person.ecgbundle")
    said = run(tool, "run", "Consumer", tmp_path / "person.ecgbundle", GOLDEN / "plain.csv", cwd=consumer)
    beats, label = said.splitlines()[-1].split()
    assert int(beats) > 5
    assert label in {"fasting", "glucose", "inconclusive"}

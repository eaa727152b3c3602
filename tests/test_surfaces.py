"""One core on every device: each surface gives the events of Python, for synthetic recordings and for real ones."""

import gzip
import json
import random
import subprocess
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_ecg.bundles.bundle import DEVICE_FILES, REFERENCES, Bundle, load_bundle, read_files, unpacked
from edge_ecg.bundles.manifest import MANIFEST, SEAL
from edge_ecg.bundles.pack import pack_files
from edge_ecg.errors import EdgeEcgError, RecordingError
from edge_ecg.readers.read import read_recording
from edge_ecg.watch import DayBaseline
from tests.surfaces import BRIDGE, SURFACES, WASM, Events, Job, built, python, run, tool

GOLDEN = BRIDGE / "Tests/EdgeECGTests/Golden"
CLOSE = {
    "evidence": 1e-3,
    "log_odds": 2e-3,
    "confidence": 1.1e-4,
    "level": 1e-3,
    "covered_s": 1e-6,
}  # engines add up in other orders
REAL = 40
pytestmark = pytest.mark.ci


def assert_same(got: Sequence[Events], wanted: Sequence[Events]) -> int:
    """Every event that is wanted, exactly but for sums of floating-point numbers; the number of beats compared."""
    assert len(got) == len(wanted)
    for given, expected in zip(got, wanted, strict=True):
        assert len(given["beats"]) == len(expected["beats"])
        pairs = [(given["decision"], expected["decision"]), *zip(given["beats"], expected["beats"], strict=True)]
        for one, other in pairs:
            for name, value in other.items():
                if name not in one:
                    continue
                found = sorted(one[name]) if name == "reasons" else one[name]
                if name in CLOSE and value is not None:
                    assert found == pytest.approx(value, abs=CLOSE[name]), name
                else:
                    assert found == value, (name, one, other)
    return sum(len(expected["beats"]) for expected in wanted)


@pytest.fixture(scope="session")
def golden_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The golden bundle of the Swift tests as one file."""
    manifest = json.loads((GOLDEN / "bundle" / MANIFEST).read_bytes())
    files = {name: (GOLDEN / "bundle" / name).read_bytes() for name in manifest["files"]}
    path = tmp_path_factory.mktemp("golden") / "golden.ecgbundle"
    path.write_bytes(pack_files(manifest, "0" * 64, files))
    return path


@pytest.fixture(scope="session")
def golden() -> tuple[list[Job], list[Events]]:
    """The committed recordings and events: each alone, then one with the day's baseline, whose beats are the same."""
    vectors = json.loads((GOLDEN / "golden.json").read_text(encoding="utf-8"))
    day = vectors["day_baseline"]
    jobs: list[Job] = [[GOLDEN / f"{name}.csv"] for name in vectors["recordings"]]
    jobs.append([GOLDEN / f"{day['recording']}.csv", GOLDEN / f"{day['baseline']}.csv"])
    events = [_golden(vector["beats"], vector["decision"]) for vector in vectors["recordings"].values()]
    beats = [
        {k: v for k, v in beat.items() if k != "decision"} for beat in vectors["recordings"][day["recording"]]["beats"]
    ]
    return jobs, [*events, _golden(beats, day["decision"])]


def _golden(beats: list[dict[str, Any]], decision: dict[str, Any]) -> Events:
    names = ("r_index", "known_at_s", "evidence", "hard_target", "decision")
    votes = list(decision["votes"].values())
    return {
        "beats": [
            {"reasons": sorted(beat["unusable"])} | {name: beat[name] for name in names if name in beat}
            for beat in beats
        ],
        "decision": {
            "decision": decision["decision"],
            "log_odds": decision["log_odds"],
            "provisional": decision["provisional"],
            "provisional_s": decision["provisional_after_s"],
            "votes_for_baseline": votes[0],
            "votes_for_target": votes[1],
            "unusable": decision["unusable_beats"],
        },
    }


@pytest.fixture(scope="session")
def packed(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a synthetic person, changed so that it judges every beat of anybody, and decides about some."""
    bundle = load_bundle(small_bundle)
    manifest, files = read_files(small_bundle)
    levels = manifest["levels"]
    for state, mean in (("baseline", 0.0), ("target", 0.02)):
        count = len(levels["beats"])
        levels[state] |= {"mean": [mean] * count, "between": [1e-5] * count, "within": [1e-5] * count}
    references = replace(bundle.references, distribution=None).to_bytes()
    chosen = {**{name: files[name] for name in DEVICE_FILES}, REFERENCES: references}
    path = tmp_path_factory.mktemp("packed") / "person.ecgbundle"
    path.write_bytes(pack_files({**manifest, "levels": levels, "guards": None}, "0" * 64, chosen))
    return path


@pytest.fixture(scope="session")
def real(packed: Path, ecg_data: Path) -> tuple[list[Job], list[Events]]:
    """Forty real recordings, each alone and with a baseline of its day, and what Python finds in them."""
    days: dict[Path, list[Path]] = defaultdict(list)
    for path in sorted((ecg_data / "watch").glob("*/*/*.csv")):
        days[path.parent.parent].append(path)
    chosen: list[Path] = []
    for paths in days.values():
        chosen += paths[:2] + paths[-2:]
    jobs: list[Job] = [[path] for path in chosen[:REAL]]
    alone = python(packed, jobs)
    assert len(jobs) == REAL
    bundle = load_bundle(packed)
    usable = {path.parent.parent: path for (path,) in jobs if _can_be_baseline(bundle, path)}
    compared = [[path, usable[path.parent.parent]] for (path,) in jobs if usable.get(path.parent.parent, path) != path]
    return [*jobs, *compared], [*alone, *python(packed, compared)]


def _can_be_baseline(bundle: Bundle, path: Path) -> bool:
    try:
        DayBaseline.of(bundle, [read_recording(path)])
    except RecordingError:
        return False
    return True


@pytest.mark.parametrize("name", SURFACES)
def test_each_surface_gives_the_golden_events(
    name: str, golden_pack: Path, golden: tuple[list[Job], list[Events]]
) -> None:
    jobs, wanted = golden
    assert assert_same(SURFACES[name](golden_pack, jobs), wanted) > 40


@pytest.mark.parametrize("name", [name for name in SURFACES if name != "swift"])
def test_a_recording_is_known_as_its_own_baseline_under_another_name(
    name: str, golden_pack: Path, golden: tuple[list[Job], list[Events]], tmp_path: Path
) -> None:
    baseline, copy = golden[0][-1][1], tmp_path / "other.csv"
    copy.write_bytes(baseline.read_bytes())
    (events,) = SURFACES[name](golden_pack, [[copy, baseline]])
    assert events["decision"]["reasons"] == ["its own day's baseline"]
    assert events["decision"]["decision"] == "inconclusive"


@pytest.mark.parametrize("name", [name for name in SURFACES if name != "python"])
def test_each_surface_gives_the_events_of_python_for_real_recordings(
    name: str, packed: Path, real: tuple[list[Job], list[Events]]
) -> None:
    jobs, wanted = real
    assert len(jobs) > REAL + 10
    assert assert_same(SURFACES[name](packed, jobs), wanted) > 1500


def test_the_webassembly_in_the_package_is_what_its_sources_build() -> None:
    """Byte for byte, where the toolchain is the one that the package was built with."""
    wanted = next(line for line in (BRIDGE / "C/build.sh").read_text().splitlines() if line.startswith("# Swift "))
    swift, binaryen = wanted.removeprefix("# ").split(":")[0].split(" and ")
    for program, name in (("swiftc", swift), ("wasm-opt", binaryen)):
        version = run([tool(program), "--version"])
        if name not in version.replace("Swift version", "Swift"):
            pytest.skip(f"{version.splitlines()[0]} here: edge_ecg.wasm.gz was NOT built again")
    assert gzip.decompress(WASM.read_bytes()) == (built("wasm32") / "edge_ecg.wasm").read_bytes()


def test_the_core_for_64_bit_arm_leaves_x18_and_fits_pages_of_16_kb() -> None:
    tool("aarch64-linux-gnu-gcc")
    library = built("aarch64") / "libedge_ecg.so"  # build.sh refuses a core that uses x18
    headers = run([tool("aarch64-linux-gnu-readelf"), "-lW", library])
    assert {line.split()[-1] for line in headers.splitlines() if line.strip().startswith("LOAD")} == {"0x4000"}


class Core:
    """The library through ctypes, with what a fuzzer needs."""

    def __init__(self) -> None:
        import ctypes

        self.c = ctypes
        self.library = library = ctypes.CDLL(str(built("x86_64") / "libedge_ecg.so"))
        handle, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
        for name, result, *arguments in (
            ("ecg_bundle_open", handle, text, size, text, size),
            ("ecg_bundle_close", None, handle),
            ("ecg_recording_read", handle, text, size, text, text, size),
            ("ecg_recording_close", None, handle),
            ("ecg_recording_rate_hz", ctypes.c_double, handle),
            ("ecg_recording_day", ctypes.c_int32, handle),
            ("ecg_recording_samples", size, handle, ctypes.POINTER(handle)),
            ("ecg_watch_new", handle, handle, ctypes.c_double, ctypes.c_int32, handle, text, size),
            ("ecg_watch_push", ctypes.c_int32, handle, handle, size, text, size),
            ("ecg_watch_next", ctypes.c_int32, handle, handle, handle),
            ("ecg_watch_decision", None, handle, handle),
            ("ecg_watch_close", None, handle),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        self.error = ctypes.create_string_buffer(300)

    def open(self, content: bytes) -> int | None:
        return self._handle(self.library.ecg_bundle_open(content, len(content), self.error, len(self.error)))

    def read(self, content: bytes, name: bytes = b"ecg_2024-03-01.csv") -> int | None:
        return self._handle(self.library.ecg_recording_read(content, len(content), name, self.error, len(self.error)))

    def _handle(self, handle: int | None) -> int | None:
        if not handle:
            assert self.error.value.decode(), "a refusal is a sentence"
        return handle

    def replay(self, bundle: int, recording: int) -> bytes:
        """The bytes of the decision."""
        c, library, at = self.c, self.library, self.c.c_void_p()
        count = library.ecg_recording_samples(recording, c.byref(at))
        rate, day = library.ecg_recording_rate_hz(recording), library.ecg_recording_day(recording)
        watch = library.ecg_watch_new(bundle, rate, day, None, None, 0)
        library.ecg_watch_push(watch, at, count, None, 0)
        beat, decision = c.create_string_buffer(72), c.create_string_buffer(72)
        while library.ecg_watch_next(watch, beat, None):
            pass
        library.ecg_watch_decision(watch, decision)
        library.ecg_watch_close(watch)
        return decision.raw


def mutated(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content or b"{")
    for _ in range(rng.randint(1, 8)):
        at, kind = rng.randrange(max(1, len(changed))), rng.random()
        if kind < 0.5 and changed:
            changed[at] = rng.randrange(256)
        elif kind < 0.7:
            del changed[at : at + rng.randint(1, 50)]
        elif kind < 0.9:
            changed[at:at] = rng.randbytes(rng.randint(1, 20))
        else:
            del changed[at + 1 :]
    return bytes(changed)


def resealed(content: bytes, rng: random.Random) -> bytes:
    """A packed bundle whose parts were changed by somebody who can seal it again."""
    files = {name: part for name, part in unpacked(Path("x"), content).items() if name != SEAL}
    manifest = json.loads(files.pop(MANIFEST))
    name = rng.choice([MANIFEST, *files])
    if name == MANIFEST:
        try:
            manifest = json.loads(mutated(json.dumps(manifest).encode(), rng))
            assert isinstance(manifest, dict)
        except (ValueError, AssertionError, RecursionError):
            return b"{"
    else:
        files[name] = mutated(files[name], rng)
    try:
        return pack_files(manifest, "0" * 64, files)
    except (EdgeEcgError, ValueError, TypeError):
        return b"{"


def test_no_bytes_make_the_core_fail(golden_pack: Path) -> None:
    """5,000 bundles, half of them sealed again, and 2,000 texts: a handle or a sentence, never a trap."""
    core, rng, good = Core(), random.Random(7), golden_pack.read_bytes()
    bundle = core.open(good)
    text = (GOLDEN / "plain.csv").read_bytes()
    recording = core.read(text)
    assert bundle
    assert recording
    opened = 0
    for number in range(5000):
        other = core.open((mutated if number % 2 else resealed)(good, rng))
        if other:
            opened += 1
            core.replay(other, recording)
            core.library.ecg_bundle_close(other)
    assert opened < 2500  # what is only mutated never opens
    head, body = text[:600], text[600:]
    for number in range(2000):
        spoilt = mutated(head, rng) + (mutated(body, rng) if number % 2 else body)
        if other := core.read(spoilt):
            core.replay(bundle, other)
            core.library.ecg_recording_close(other)


def test_nothing_leaks_and_handles_are_independent(golden_pack: Path) -> None:
    core = Core()
    bundle, recording = core.open(golden_pack.read_bytes()), core.read((GOLDEN / "plain.csv").read_bytes())
    assert bundle
    assert recording
    wanted = core.replay(bundle, recording)
    for _ in range(20):
        core.replay(bundle, recording)
    before = resident_kb()
    for _ in range(400):
        assert core.replay(bundle, recording) == wanted
    assert resident_kb() - before < 300

    results: list[bytes] = []

    def replays() -> None:
        results.extend([core.replay(bundle, recording) for _ in range(20)])

    threads = [threading.Thread(target=replays) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [wanted] * 80


def resident_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


def test_a_locale_with_decimal_commas_changes_nothing(golden_pack: Path, tmp_path: Path) -> None:
    """In a process of its own, which takes the locale for all of its threads."""
    library = built("x86_64") / "libedge_ecg.so"
    tool("localedef")
    made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", tmp_path / "de_DE.UTF-8"], capture_output=True)
    if made.returncode > 1:
        pytest.skip("this machine has no German locale to make: the core was NOT asked in one")
    script = """
import ctypes, locale, sys
locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
assert locale.localeconv()["decimal_point"] == ","
core, error, size = ctypes.CDLL(sys.argv[1]), ctypes.create_string_buffer(300), ctypes.c_size_t
core.ecg_bundle_open.restype = ctypes.c_void_p
content = open(sys.argv[2], "rb").read()
assert core.ecg_bundle_open(content, size(len(content)), error, size(300)), error.value
print("opened")
"""
    command = ["env", f"LOCPATH={tmp_path}", "python3", "-c", script, library, golden_pack]
    assert run(command) == "opened\n"

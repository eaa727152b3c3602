"""The core on emulated devices, against Python: `python -m benches.device [BUNDLE RECORDING...] [--json OUT]`.

Builds `ios_bridge/Firmware` for a Cortex-M7, a Cortex-M4F, 64-bit and 32-bit Arm, replays recordings through the
portable form of a bundle (int8 where it has one), and compares each beat and each decision with Python's replay of the
same form. Bundles that no loader may open must be refused, and nothing may trap. Counts instructions, code and memory:
exact for this program, and no measure of time, since a device takes one to two cycles an instruction.

Without a bundle it takes the golden one of the repository, of a synthetic person. What can't be run is skipped, aloud.
The exit code is 1 if anything differs.
"""

import argparse
import base64
import hashlib
import json
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benches.emulated import DEVICES, Device, Died, missing, sizes
from edge_ecg.bundles.bundle import (
    DEVICE_FILES,
    Bundle,
    assembled,
    on_portable,
    packed,
    unpacked,
)
from edge_ecg.bundles.manifest import MANIFEST, PACKED_FROM, SEAL
from edge_ecg.bundles.pack import pack_bundle
from edge_ecg.errors import EdgeEcgError
from edge_ecg.inference.portable import WEIGHTS
from edge_ecg.playback import Replayed, replay
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import Recording
from edge_ecg.results import DeviceCounts, DeviceFigures, write_record
from edge_ecg.terminal.console import report_error

GOLDEN = Path(__file__).parent.parent / "ios_bridge" / "Tests" / "EdgeECGTests" / "Golden"
EVIDENCE_TOLERANCE = 1e-3  # sums of float32 in another order
SAID = 8  # bad bundles a run: a command line has an end


def device_files(path: Path) -> tuple[dict[str, bytes], str]:
    """What a device needs of a bundle, as `edge-ecg pack` writes it, and the SHA-256 of the bundle's manifest."""
    if path == GOLDEN / "bundle":  # holds nothing else
        files = {name: (path / name).read_bytes() for name in (MANIFEST, SEAL, *DEVICE_FILES)}
        return files, hashlib.sha256(files[MANIFEST]).hexdigest()
    with tempfile.TemporaryDirectory() as scratch:
        pack_bundle(path, Path(scratch) / "person.ecgbundle")
        files = unpacked(path, (Path(scratch) / "person.ecgbundle").read_bytes())
    return files, json.loads(files[MANIFEST])[PACKED_FROM]


def write_recording(recording: Recording, path: Path) -> None:
    """A recording as the devices read it: sampling rate, day as a number, microvolts, each of eight bytes."""
    day = recording.day.year * 10000 + recording.day.month * 100 + recording.day.day if recording.day else 0
    path.write_bytes(struct.pack("<dd", recording.sample_rate_hz, day) + recording.samples_uv.astype("<f8").tobytes())


def opened(parts: dict[str, bytes]) -> Bundle:
    """The same form in Python. Its hashes are left aside, since firmware trusts what it was built with."""
    return assembled(Path("portable"), parts[MANIFEST], parts, on_portable)


def differences(lines: list[list[str]], wanted: Replayed) -> tuple[list[str], float]:
    """What a device said otherwise of one recording, and the largest difference of a beat's evidence."""
    told, largest = [], 0.0
    beats = [line for line in lines if line[0] in ("beat", "skipped")]
    if len(beats) != len(wanted.judged):
        told.append(f"{len(beats)} beats, Python has {len(wanted.judged)}")
    for line, judged in zip(beats, wanted.judged, strict=False):
        vote = judged.vote
        if vote is None:
            expected = ["skipped", str(judged.beat.r_index), *", ".join(judged.unusable).split()]
            said = line
        else:
            counts = (judged.beat.r_index, vote.same_as_baseline, vote.same_as_target, int(vote.hard_target))
            expected = ["beat", *map(str, counts), *judged.decision.label.split()]
            said = line[:5] + line[6:]
            if line[0] == "beat":
                largest = max(largest, abs(number(line[5]) - vote.evidence))
        if said != expected:
            told.append(f"{' '.join(said)}, Python says {' '.join(expected)}")
    label = next((line[1:-3] for line in lines if line[0] == "recording"), [])
    if label != wanted.decision.label.split():
        told.append(f"decides {' '.join(label)}, Python {wanted.decision.label}")
    if largest > EVIDENCE_TOLERANCE:
        told.append(f"evidence differs by {largest:.2g}")
    return told, largest


def number(bits: str) -> float:
    """A number from the sixteen digits of its bits."""
    return float(struct.unpack(">d", bytes.fromhex(bits))[0])


def measure(device: Device, program: Path, folder: Path, names: list[str], wanted: dict[str, Replayed]) -> DeviceCounts:
    """Replay every recording on a device: what was the same, and what it took."""
    told, largest, beats, seconds = [], 0.0, 0, 0.0
    opened = ticks = chunk = heap = stack = 0
    scale = 0.0  # instructions a tick
    for name in names:
        lines = device.run(program, folder, "replay", "bundle", name)
        found, difference = differences(lines, wanted[name])
        told += [f"{device.name}, {name}: {line}" for line in found]
        largest, beats = max(largest, difference), beats + len(wanted[name].judged)
        seconds += wanted[name].duration_s
        facts = {line[0]: line for line in lines}
        if not {"opened", "recording"} <= facts.keys():
            told.append(f"{device.name}, {name}: {' '.join(lines[0])}")
            continue
        scale = 1e6 / int(facts["meters"][3]) if device.is_bare_metal else 0.0
        heap, stack = max(heap, int(facts["meters"][1])), max(stack, int(facts["meters"][2]))
        opened = max(opened, int(facts["opened"][1]))
        ticks, chunk = ticks + int(facts["recording"][-2]), max(chunk, int(facts["recording"][-1]))
    if device.is_bare_metal:
        code, static = sizes(program)
        counts = {
            "instructions_a_second_of_ecg": round(ticks * scale / seconds),
            "most_instructions_a_chunk": round(chunk * scale),
            "instructions_to_open": round(opened * scale),
            "code_bytes": code,
            "ram_bytes": static + heap + stack,
            "static_bytes": static,
            "heap_bytes": heap,
            "stack_bytes": stack,
        }
    else:
        name = names[0]
        opening = device.instructions(program, folder, "open", "bundle")
        whole = device.instructions(program, folder, "replay", "bundle", name)
        counts = {
            "instructions_a_second_of_ecg": round((whole - opening) / wanted[name].duration_s),
            "instructions_to_open": opening,
        }
    return DeviceCounts(
        about=device.about,
        recordings=len(names),
        beats=beats,
        differences=tuple(told),
        largest_evidence_difference=largest,
        **counts,
    )


def bad_bundles(folder: Path) -> dict[str, bool]:
    """Write the golden bundle spoilt in each of the known ways; by name, whether Python refuses its parts as well."""
    good, _ = device_files(GOLDEN / "bundle")
    refused = {}
    for name, spoilt in json.loads((GOLDEN / "bad.json").read_text(encoding="utf-8")).items():
        bad = good | {file: _spoilt(good[file], spans) for file, spans in spoilt.items() if spans is not None}
        bad = {file: content for file, content in bad.items() if spoilt.get(file, ()) is not None}
        (folder / name).write_bytes(packed(bad))
        refused[name] = not _opens(bad)
    return refused


def _spoilt(content: bytes, spans: list[tuple[int, int, str]]) -> bytes:
    for start, end, new in reversed(spans):
        content = content[:start] + base64.b64decode(new) + content[end:]
    return content


def _opens(parts: dict[str, bytes]) -> bool:
    try:
        return bool(opened(parts))
    except (EdgeEcgError, ValueError, LookupError, RecursionError, TypeError):
        return False


def refusals(device: Device, program: Path, folder: Path, wanted: dict[str, bool]) -> list[str]:
    """What a device says otherwise of bad bundles."""
    told, names = [], list(wanted)
    for start in range(0, len(names), SAID):
        some = names[start : start + SAID]
        lines = device.run(program, folder, "open", *some)
        for name, line in zip(some, lines, strict=False):
            if (line[0] == "refused:") != wanted[name]:
                told.append(
                    f"{device.name}, {name}: {' '.join(line)}, Python {'refuses' if wanted[name] else 'opens'} it"
                )
    return told


def table(devices: dict[str, DeviceCounts]) -> Iterable[str]:
    """The figures, a line a device."""
    yield f"{'device':9}{'instructions/s':>15}{'to open':>12}{'code':>10}{'RAM':>10}{'stack':>8}{'beats':>7}  evidence"
    for name, of in devices.items():
        counts = (of.instructions_a_second_of_ecg, of.instructions_to_open, of.code_bytes, of.ram_bytes, of.stack_bytes)
        cells = [f"{count:,}" if count is not None else "-" for count in counts]
        yield (
            f"{name:9}{cells[0]:>15}{cells[1]:>12}{cells[2]:>10}{cells[3]:>10}{cells[4]:>8}{of.beats:>7}"
            f"  within {of.largest_evidence_difference:.1e}"
        )


def main() -> int:
    """Print the figures; write them as JSON if wanted. The exit code."""
    parser = argparse.ArgumentParser(description="The core on emulated devices, against Python.")
    parser.add_argument("bundle", nargs="?", type=Path, default=GOLDEN / "bundle")
    parser.add_argument("recordings", nargs="*", type=Path, help="[the golden ones]")
    parser.add_argument("--json", type=Path, help="write the figures there, for edge-ecg profile --device")
    parser.add_argument("--only", action="append", choices=[d.name for d in DEVICES], help="a device; may be repeated")
    arguments = parser.parse_args()
    devices = [device for device in DEVICES if not arguments.only or device.name in arguments.only]
    try:
        return check(devices, arguments.bundle, arguments.recordings or sorted(GOLDEN.glob("*.csv")), arguments.json)
    except EdgeEcgError as error:
        return report_error(str(error))
    except subprocess.CalledProcessError as error:  # the compiler has said why
        print(f"device-check: {error.cmd[1]} does not build")
        return 1


def check(devices: list[Device], bundle_path: Path, paths: list[Path], out: Path | None) -> int:
    """Build, replay, compare, count. The exit code."""
    if not shutil.which("swiftc"):
        print("device-check is skipped: no swiftc here")
        return 0
    absent = set(missing(tuple(dict.fromkeys(command for device in devices for command in device.commands))))
    for device in devices:
        if needed := sorted(absent & set(device.commands)):
            print(f"device-check: {device.name} is skipped: no {', no '.join(needed)} here")
    devices = [device for device in devices if not absent & set(device.commands)]
    if not devices:
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "bad").mkdir()
        parts, sha256 = device_files(bundle_path)
        content = packed(parts)
        (folder / "bundle").write_bytes(content)
        form = "int8" if b'"I8"' in parts[WEIGHTS] else "float32"
        recordings = {f"r{number}": read_recording(path) for number, path in enumerate(paths)}
        for name, recording in recordings.items():
            write_recording(recording, folder / name)
        bundle = opened(parts)
        wanted = {name: replay(bundle, recording) for name, recording in recordings.items()}
        refused = bad_bundles(folder / "bad")
        with ThreadPoolExecutor(2) as pool:
            programs = list(pool.map(Device.build, devices))
        measured: dict[str, DeviceCounts] = {}
        told: list[str] = []
        for device, program in zip(devices, programs, strict=True):
            try:
                measured[device.name] = measure(device, program, folder, list(recordings), wanted)
                told += measured[device.name].differences
                told += refusals(device, program, folder / "bad", refused)
            except Died as died:
                told.append(str(died))
    print("\n".join([*table(measured), *(f"DIFFERENT: {line}" for line in told)]))
    seconds = sum(replayed.duration_s for replayed in wanted.values())
    print(
        f"{len(wanted)} recordings, {seconds:.0f} s, {form}; {len(refused)} bad bundles: "
        f"{'every beat, decision and refusal as in Python' if not told else f'{len(told)} differences'}"
    )
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        figures = DeviceFigures(
            about="python -m benches.device: instructions and bytes of the core on emulated devices",
            form=form,
            bundle_sha256=sha256,
            bundle_bytes=len(content),
            recordings=len(wanted),
            seconds=round(seconds, 1),
            devices=measured,
        )
        write_record(out, figures)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())

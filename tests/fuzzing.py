"""What the fuzz tests share: good files, their mutations, and what is asked of whatever reads them."""

import io
import json
import os
import random
import resource
import time
import zipfile
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from scipy.io import savemat

from edge_ecg.errors import EdgeEcgError
from edge_ecg.readers.apple_format import write_apple_csv
from edge_ecg.recording import Recording
from edge_ecg.simulation.synthetic import record, synthetic_person

IN_CI = bool(os.environ.get("CI"))
MUTATIONS = int(os.environ.get("EDGE_ECG_FUZZ", "40" if IN_CI else "8"))
MOST_S = 5.0 if IN_CI else 2.0  # CPU seconds; a crowded machine's clock says little
MOST_MB = 700
SECRET = "Wilhelmine"

fuzzed = settings(
    max_examples=MUTATIONS,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SEEDS = st.integers(0, 2**63)
SMALL = ("manifest.json", "references.safetensors", "golden.json", "encoder.onnx", "comparator.onnx")


class Files(dict[str, bytes]):
    """Files by name; hypothesis shows it in a failure."""

    def __repr__(self) -> str:
        return f"Files({', '.join(self)})"


def good_files(folder: Path) -> Files:
    """A good recording of each kind, of a synthetic person, made in an empty folder."""
    ecg_uv = np.round(record(synthetic_person(1), "glucose", 0, number=0, duration_s=4.5).samples_uv, 3)[:2300]
    write_apple_csv(folder / "en.csv", ecg_uv, 512.0, "2024-03-01 08:00:00 +0100", name=SECRET)
    write_apple_csv(folder / "de.csv", ecg_uv, 511.422, "2024-03-01 08:00:00 +0100", "de", name=SECRET)
    (folder / "utf16.csv").write_bytes((folder / "en.csv").read_text().encode("utf-16"))
    (folder / "columns.csv").write_text("point,value\n" + "\n".join(f"{i},{v}" for i, v in enumerate(ecg_uv)))
    (folder / "times.csv").write_text("time,ecg\n" + "\n".join(f"{i / 512:.6f},{v}" for i, v in enumerate(ecg_uv)))
    (folder / "jitter.csv").write_text(
        "time,ecg\n" + "\n".join(f"{i / 512 + 1e-3 * (i % 3):.6f},{v}" for i, v in enumerate(ecg_uv))
    )
    headings = ",".join(["Name", "fs", *(f"v{i}" for i in range(len(ecg_uv)))])
    (folder / "wide.csv").write_text("\n".join([headings, *[",".join([SECRET, "512", *map(str, ecg_uv)])] * 2]))
    app = {"body": {"signal": ecg_uv.tolist(), "sampling_frequency": 512}, "name": SECRET}
    (folder / "app.json").write_text(json.dumps(app))
    fitbit = {"startTime": "2024-03-01T08:00:00.000", "samplingFrequencyHz": "512", "scalingFactor": 10922}
    counts = np.rint(ecg_uv * 10.922).astype(int).tolist()
    (folder / "fitbit.json").write_text(
        json.dumps({"ecgReadings": [{**fitbit, "waveformSamples": counts}], "x": SECRET})
    )
    voltages = [[i / 512, v / 1e6] for i, v in enumerate(ecg_uv.tolist())]
    health = {"startDate": "2024-03-01T08:00:00+0100", "samplingFrequency": 512, "voltageMeasurements": voltages}
    (folder / "health.json").write_text(json.dumps([{"id": SECRET, **health}, health]))
    sampled = {"origin": {"value": 0, "unit": "uV"}, "period": 1000 / 512, "data": " ".join(map(str, ecg_uv))}
    lead = {"code": {"coding": [{"code": "131329", "display": "MDC_ECG_ELEC_POTL_I"}]}, "valueSampledData": sampled}
    observation = {"resourceType": "Observation", "subject": {"display": SECRET}, "component": [lead]}
    (folder / "fhir.json").write_text(json.dumps(observation))
    for version in ("4", "5"):
        words = {"ecg": ecg_uv, "fs": 512, "unit": "uV", "subject": SECRET}
        savemat(folder / f"v{version}.mat", words, format=version, do_compression=version == "5")
    header = {"device": "bitalino", "sampling rate": 512, "label": ["A1"], "sensor": ["ECG"], "column": ["n", "A1"]}
    device = json.dumps({SECRET: {**header, "resolution": [4, 10]}})
    counts = "\n".join(f"{i % 16}\t{512 + round(v / 3)}" for i, v in enumerate(ecg_uv))
    (folder / "opensignals.txt").write_text(f"# OpenSignals Text File Format. Version 1\n# {device}\n{counts}\n")
    np.save(folder / "a.npy", ecg_uv)
    (folder / "record.hea").write_text(f"record 1 360 2300\nrecord.dat 16 200(0)/uV 16 0 0 0 0 ECG\n# {SECRET}\n")
    (folder / "record.dat").write_bytes(ecg_uv.astype("<i2").tobytes())
    with zipfile.ZipFile(folder / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "en.csv", "apple_health_export/electrocardiograms/ecg_1.csv")
        archive.write(folder / "de.csv", "apple_health_export/electrocardiograms/ecg_2.csv")
    with zipfile.ZipFile(folder / "record.zip", "w") as archive:
        archive.write(folder / "record.hea", "record.hea")
        archive.write(folder / "record.dat", "record.dat")
        archive.write(folder / "health.json", "health.json")
    with zipfile.ZipFile(folder / "stored.zip", "w") as archive:  # the reader of recordings sees its mutations
        archive.write(folder / "de.csv", "electrocardiograms/ecg.csv")
    if find_spec("edfio"):
        edf = import_module("edfio")
        signal = edf.EdfSignal(ecg_uv[:2048], 256, label="ECG", physical_dimension="uV", physical_range=(-4000, 4000))
        edf.Edf([signal], patient=edf.Patient(name=SECRET)).write(folder / "a.edf")
        signal = edf.BdfSignal(ecg_uv[:2048], 256, label="ECG", physical_dimension="uV", physical_range=(-4000, 4000))
        edf.Bdf([signal], patient=edf.Patient(name=SECRET)).write(folder / "a.bdf")
    if find_spec("reportlab"):
        page_of = import_module("health_page").page_of
        words = (f"{SECRET} 1860-05-21", "25 mm/s, 10 mm/mV, Lead I, 512Hz", "74 BPM")
        (folder / "page.pdf").write_bytes(page_of(Recording(ecg_uv, 512.0, ""), lines=words, rows=1, compressed=False))
    return Files((path.name, path.read_bytes()) for path in sorted(folder.iterdir()))


def zipped(bundle: Path) -> bytes:
    """A bundle as one zip."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for file in sorted(bundle.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(bundle).as_posix())
    return held.getvalue()


def mutated(content: bytes, seed: int) -> bytes:
    """A few random edits: flipped bits, numbers at their limits, pieces cut, doubled, moved or replaced."""
    rng = random.Random(seed)
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at = rng.randrange(len(data) + 1) if rng.random() < 0.6 else min(len(data), rng.randrange(400))
        if rng.random() < 0.2:
            at = max(0, len(data) - rng.randrange(200))
        size = rng.choice((1, 2, 4, 8, 40, 400))
        piece = data[at : at + size]
        match rng.randrange(8):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at : at + size] = rng.randbytes(size)
            case 2:
                del data[at : at + size]
            case 3:
                data[at:at] = piece * rng.choice((1, 3, 30))
            case 4:
                data[at : at + size] = rng.choice((b"\xff", b"\0", b"9", b"[", b'"', b"-", b"\n")) * size
            case 5:
                del data[at:]
            case 6:
                other = rng.randrange(len(data) + 1)
                data[other:other] = piece
            case 7:
                data[at : at + size] = rng.choice(
                    (b"1e999", b"nan", b"../", b"512 hertz\n", b'"', b",", b"\xef\xbb\xbf", b"9" * 400, SECRET.encode())
                )
    return bytes(data)


def answers(read: Callable[[], object], secret: str = SECRET) -> bool:
    """Whether the bytes were accepted; anything but an answer or one sentence, soon, is a failure."""
    began, peak = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = ""
    try:
        read()
    except EdgeEcgError as error:
        said = str(error)
    assert time.process_time() - began < MOST_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < MOST_MB * 1024
    assert "\n" not in said
    assert secret not in said
    return not said

"""What a bundle's core took on emulated devices: read from the file that `python -m benches.device --json` left."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_ecg.bundles.manifest import COUNT, POSITIVE, TEXT, require_shape
from edge_ecg.errors import BundleError, RunError
from edge_ecg.jsonfile import read_json

# Assumed and not measured: cycles an instruction, and what a microcontroller with such a core draws for a cycle, its
# memories included (100 uA/MHz at 3 V, 280 uA/MHz at 3.3 V).
CYCLES_AN_INSTRUCTION = 1.5
NANOJOULES_A_CYCLE = {"m4f": 0.3, "m7": 0.9}
SHAPE = {
    "form": TEXT,
    "bundle_sha256": TEXT,
    "recordings": COUNT,
    "seconds": POSITIVE,
    "devices": {
        "*": {
            "about": TEXT,
            "instructions_a_second_of_ecg": COUNT,
            "instructions_to_open": COUNT,
            "code_bytes?": COUNT,
            "ram_bytes?": COUNT,
            "stack_bytes?": COUNT,
            "beats": COUNT,
            "differences": [TEXT],
        }
    },
}


@dataclass(frozen=True)
class DeviceFigures:
    """Instructions and bytes by device, counted on emulated ones."""

    form: str
    recordings: int
    seconds: float
    devices: dict[str, dict[str, Any]]

    def power_mw(self, name: str) -> float | None:
        """An estimate of what listening costs; None where nothing is assumed of such a device."""
        if name not in NANOJOULES_A_CYCLE:
            return None
        instructions = self.devices[name]["instructions_a_second_of_ecg"]
        return float(instructions * CYCLES_AN_INSTRUCTION * NANOJOULES_A_CYCLE[name] * 1e-6)

    def to_json(self) -> dict[str, Any]:
        """Everything, the estimate of power beside what was counted."""
        return {
            name: {k: v for k, v in figures.items() if k != "differences"}
            | {"differences": len(figures["differences"]), "estimated_power_mw": self.power_mw(name)}
            for name, figures in self.devices.items()
        }

    def lines(self) -> Iterator[str]:
        """A line for each device, and what they stand on."""
        for name, f in self.devices.items():
            memory = f", {f['code_bytes']:,} bytes of code, {f['ram_bytes']:,} of RAM" if "ram_bytes" in f else ""
            power = self.power_mw(name)
            energy = f"; an estimate of {power:.2f} mW" if power else ""
            wrong = f"; {len(f['differences'])} DIFFERENCES from Python" if f["differences"] else ""
            yield (
                f"{'counted, ' + name:19} {f['instructions_a_second_of_ecg'] / 1e6:.2f} million instructions a second "
                f"of ECG, {f['instructions_to_open'] / 1e6:.1f} million to open{memory}{energy}{wrong}"
            )
        yield (
            f"{'':19} on emulated devices, {self.form}, {self.recordings} recordings of {self.seconds:.0f} s in all. "
            f"The estimates assume {CYCLES_AN_INSTRUCTION} cycles an instruction and "
            + ", ".join(f"{nanojoules} nJ a cycle ({name})" for name, nanojoules in NANOJOULES_A_CYCLE.items())
        )


def read_device_figures(path: Path, bundle_sha256: str) -> DeviceFigures:
    """The figures of the bundle whose manifest has that SHA-256. Raises RunError for another's, and for no figures."""
    content = read_json(path)
    try:
        require_shape(content, SHAPE, "an entry")
    except BundleError as error:
        raise RunError(f"{path}: is no file of python -m benches.device: {error}") from None
    if content["bundle_sha256"] != bundle_sha256:
        raise RunError(f"{path}: is of another bundle; measure this one: python -m benches.device BUNDLE RECORDING...")
    return DeviceFigures(content["form"], content["recordings"], content["seconds"], content["devices"])

"""An export.zip as the Health app writes it, of a synthetic person: for trying everything without a phone.

python examples/synthetic_export.py export.zip
"""

import sys
import tempfile
import zipfile
from pathlib import Path

from edge_ecg.simulation.synthetic import synthetic_person, write_dataset


def main(out: Path) -> None:
    """Nine days, four recordings in the morning and four later, every one with the header lines that Apple writes."""
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        write_dataset(Path(scratch), synthetic_person(1), recordings_per_state=4)
        archive.writestr("apple_health_export/export.xml", '<?xml version="1.0"?>\n<HealthData/>\n')
        for file in sorted(Path(scratch).rglob("*.csv")):
            archive.write(file, f"apple_health_export/electrocardiograms/{file.name}")
    print(f"{out}: {len(zipfile.ZipFile(out).namelist()) - 1} recordings of a synthetic person")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

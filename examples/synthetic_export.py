"""An export.zip as the Health app writes it, of a synthetic person who wears a glucose sensor: no phone is needed.

python examples/synthetic_export.py export.zip --libre libre.csv
"""

import tempfile
import zipfile
from pathlib import Path

import click

from edge_ecg.readers.apple_format import write_apple_csv
from edge_ecg.simulation.glucose import health_export_xml, libreview_csv, record_glucose_day, sensor_readings
from edge_ecg.simulation.synthetic import FORMATS, FileFormat, synthetic_person
from edge_ecg.terminal.console import run_command


@click.command()
@click.argument("out", metavar="EXPORT.zip", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--libre", type=click.Path(path_type=Path, dir_okay=False), help="Write the sensor's file as well.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Which synthetic person.")
@click.option("--days", type=click.IntRange(1, 60), default=9, show_default=True, help="How many days.")
def main(out: Path, libre: Path | None, seed: int, days: int) -> None:
    """Write EXPORT.zip: ten recordings a day, fasting, after a glucose drink and between, and the sensor's readings."""
    person, readings, count = synthetic_person(seed), sensor_readings(synthetic_person(seed), range(days)), 0
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("apple_health_export/export.xml", health_export_xml(readings))
        for day in range(days):
            locale = FORMATS.get(day, FileFormat()).locale
            for number, made in enumerate(record_glucose_day(person, day), 1):
                file = Path(scratch, f"ecg_{made.recorded_at:%Y-%m-%d}_{number}.csv")
                write_apple_csv(file, made.samples_uv, made.sample_rate_hz, made.recorded_at, locale)
                archive.write(file, f"apple_health_export/electrocardiograms/{file.name}")
                count += 1
    click.echo(f"{out}: {count} recordings of synthetic person {seed}, {len(readings):,} readings of glucose")
    if libre is not None:
        libre.write_text(libreview_csv(readings), encoding="utf-8", newline="")
        click.echo(f"{libre}: the same readings as LibreView exports them")


if __name__ == "__main__":
    run_command(main)

"""`edge-ecg import`: list the recordings of a phone's export, label them, write a data set."""

import json
import shlex
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import click

from edge_ecg.cli.options import PagePath, Quantity, RecordingLoop, override_options
from edge_ecg.cli.plan import plan_of_run
from edge_ecg.datasets.clock import DATE_ORDERS
from edge_ecg.datasets.dataset_file import days_with_both_states
from edge_ecg.datasets.importing import DATASET, Dates, Imported, Listing, list_recordings, refuse_to_lose, write_data
from edge_ecg.datasets.labeling import FEWEST_DATES, Item, Labels, by_folders, by_table, by_windows
from edge_ecg.datasets.measured import (
    MeasuredLabels,
    curve_of,
    label_by_measurement,
    rule_of,
    summary_rows,
)
from edge_ecg.datasets.sensors import GLUCOSE, Readings, quantity_of, read_sensor
from edge_ecg.errors import DatasetError, EdgeEcgError
from edge_ecg.readers.find import RecordingFile
from edge_ecg.recording import Overrides, Recording
from edge_ecg.report.contact_sheet import contact_sheet
from edge_ecg.storage.files import refuse_overlap, write_file
from edge_ecg.terminal.console import columns, report_error, shortened, terminal_width, wrapped


@click.command("import")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write; without it, recordings are only listed.")
@click.option(
    "--window",
    "windows",
    metavar="LABEL=HH:MM-HH:MM",
    multiple=True,
    help="Label by time of day, such as fasting=06:00-09:00; once per state, the baseline first.",
)
@click.option(
    "--labels",
    "table",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Label by a CSV file of file-or-time,label; times such as 2024-03-01 or '2024-03-01 08:03'.",
)
@click.option(
    "--dates",
    "dates_table",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A CSV file of file,date for recordings without a date; dates such as 2024-03-01 or '2024-03-01 08:03'.",
)
@click.option(
    "--glucose",
    metavar="PATH",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Label by a glucose sensor: a LibreView, Dexcom Clarity or Nightscout export, Apple's export.xml or "
    "export.zip, or a table of time and value; several form one curve.",
)
@click.option("--measured", metavar="NAME=PATH", multiple=True, help="Label by any other quantity, such as ketones.")
@click.option("--below", metavar="LABEL=VALUE", help="Label of recordings below this value: the baseline.")
@click.option("--above", metavar="LABEL=VALUE", help="Label of recordings above this value: the target.")
@click.option("--lag", "lag_min", type=Quantity("min"), default=0.0, help="Delay of the sensor, such as 10min.")
@click.option("--zone", help="Time zone of times without one, such as Europe/Berlin  [that of the recordings]")
@click.option("--date-order", type=click.Choice(DATE_ORDERS), help="Order of ambiguous dates such as 03-04-2024.")
@click.option("--sheet", type=PagePath(), help="Write a page to label recordings in a browser.")
@click.option("--baseline", metavar="LABEL", help="The label of the baseline  [the first one given]")
@click.option("--target", metavar="LABEL", help="The label of the target; other labels are left out.")
@override_options
@click.option("--json", "as_json", is_flag=True, help="Print the recordings, or the written data set, as JSON.")
def import_command(
    sources: tuple[Path, ...],
    out: Path | None,
    windows: tuple[str, ...],
    table: Path | None,
    dates_table: Path | None,
    glucose: tuple[Path, ...],
    measured: tuple[str, ...],
    below: str | None,
    above: str | None,
    lag_min: float,
    zone: str | None,
    date_order: str | None,
    sheet: Path | None,
    baseline: str | None,
    target: str | None,
    overrides: Overrides,
    as_json: bool,
) -> int:
    """Make a data set from Apple's export.zip, from folders or single files.

    Lists the recordings by date and time. With --out and labels, it writes OUT/DATE/LABEL/*.csv without the
    person's name and birth date, and OUT/dataset.toml with a split by date, and warns of weaknesses of the design.
    An earlier import in OUT is replaced as a whole, unless it was changed by hand.

    Labels are folder names (DATE/LABEL, LABEL/DATE or LABEL), or come from --glucose, --window or --labels.
    """
    sensors = _sensors(glucose, measured)
    if sum((bool(windows), table is not None, bool(sensors))) > 1:
        raise click.UsageError("--window, --labels and --glucose (or --measured) exclude each other")
    if bool(sensors) != bool(below and above) or bool(below) != bool(above):
        raise click.UsageError("--glucose needs --below LABEL=VALUE and --above LABEL=VALUE, and these need it")
    if sheet is not None and out is not None:
        raise click.UsageError("--sheet is for labeling: give --out with the labels that it saves")
    read_only = [*sources, *sensors]
    if sheet is not None:
        refuse_overlap(sheet, read_only)
    if out is not None:
        refuse_overlap(out, read_only)
        refuse_to_lose(out)  # before much is read
    if (baseline is not None or target is not None) and out is None:
        raise click.UsageError("--baseline and --target need --out")
    readings = [_readings(path, name, date_order) for path, name in sensors.items()]
    reading = RecordingLoop(overrides)
    dates = Dates(dates_table) if dates_table else None
    listing = list_recordings(sources, lambda source: _progress(reading.find(source), "reading"), dates)
    for sentence in listing.refused:
        reading.code = report_error(sentence)
    code = reading.finish()
    by_measurement = None
    if readings and below and above:
        quantity = quantity_of(next(iter(sensors.values())))
        curve = curve_of(readings, quantity, [item.recorded_at for item in listing.items], zone)
        rule = rule_of(below, above, lag_min, quantity, curve.unit)
        by_measurement = label_by_measurement(listing.items, curve, rule)
        labels = by_measurement.labels
        _show_measured(by_measurement, listing.items)
    else:
        labels = _labels(listing.items, windows, table, may_fail=out is not None)
    if sheet is not None:
        _write_sheet(sheet, listing, sources, labels, overrides, by_measurement)
        return code
    if out is None:
        _show_listing(listing, labels, as_json)
        return code
    if not labels:
        raise DatasetError(
            "no recording has a label; lay them into folders DATE/LABEL, or give --glucose, --window or --labels that "
            "match; --sheet writes a page to label in"
        )
    again = RecordingLoop(overrides)  # warnings were printed in the first pass
    imported = write_data(
        listing,
        sources,
        labels,
        out,
        baseline=baseline,
        target=target,
        measured=by_measurement,
        find=lambda source: _progress(again.find(source), "writing"),
    )
    if as_json:
        click.echo(json.dumps(imported.to_json()))
    else:
        _show_imported(imported, listing)
    return code


def _sensors(glucose: tuple[Path, ...], measured: tuple[str, ...]) -> dict[Path, str]:
    """The name of the quantity in each sensor's file."""
    named = [text.partition("=") for text in measured]
    if unclear := [text for text, (_, _, path) in zip(measured, named, strict=True) if not path]:
        raise click.UsageError(f"--measured is {unclear[0]!r}; expected NAME=PATH, such as ketones=meter.csv")
    sensors = dict.fromkeys(glucose, GLUCOSE.name) | {Path(path): name for name, _, path in named}
    if len(names := sorted({name.casefold() for name in sensors.values()})) > 1:
        raise click.UsageError(f"labels come from one quantity, and these are {' and '.join(names)}")
    return sensors


def _readings(path: Path, name: str, date_order: str | None) -> Readings:
    def progress(chunks: Iterable[bytes], count: int) -> Iterable[bytes]:
        label, hidden = f"reading {path.name}", not sys.stderr.isatty()
        with click.progressbar(chunks, count, label, show_pos=False, file=sys.stderr, hidden=hidden) as shown:
            yield from shown

    return read_sensor(path, quantity_of(name), date_order, progress)


def _show_measured(measured: MeasuredLabels, items: list[Item]) -> None:
    """Print the source and the counts of labels, on standard error, because the output may be for a program."""
    for sentence in measured.curve.summary.splitlines():
        click.echo(wrapped(sentence, 2), err=True)
    click.echo("\n".join(columns(summary_rows(items, measured))), err=True)
    counted = ", ".join(f"{count} {reason}" for reason, count in measured.left_out.items())
    click.echo(f"left out: {counted}", err=True)


def _write_sheet(
    sheet: Path,
    listing: Listing,
    sources: tuple[Path, ...],
    labels: Labels,
    overrides: Overrides,
    measured: MeasuredLabels | None,
) -> None:
    if not listing.items:
        raise DatasetError("no recording to label")
    content = contact_sheet(listing.items, _listed(listing, sources, overrides), labels, measured).encode()
    write_file(sheet, content)
    click.echo(f"{sheet}: {len(listing.items)} recordings, {len(content):,} bytes")
    click.echo("Open it in a browser, mark, save labels.csv, then:")
    click.echo(f"  edge-ecg import {shlex.join(map(str, sources))} --labels labels.csv --out data")


def _listed(listing: Listing, sources: tuple[Path, ...], overrides: Overrides) -> Iterator[tuple[str, Recording]]:
    """The recordings of a listing by name, read again."""
    names = {item.name for item in listing.items}
    reading = RecordingLoop(overrides)  # warnings were printed in the first pass
    for source in sources:
        for found in _progress(reading.find(source), "drawing"):
            if found.name in names:
                yield found.name, found.read()


def _labels(items: list[Item], windows: tuple[str, ...], table: Path | None, may_fail: bool) -> Labels:
    """Labels by time of day, by a table, or by folder; folders that are not clear are a note, unless it may fail."""
    if windows:
        timeless = sum(not item.time for item in items)
        if timeless:
            said = f"{timeless} of {len(items)} recordings have no time of day, so --window cannot label them"
            click.echo(wrapped(said, 2), err=True)
        return by_windows(items, windows)
    if table is not None:
        return by_table(items, table)
    try:
        labels, layout = by_folders(items)
    except DatasetError as error:
        if may_fail:
            raise
        click.echo(wrapped(f"no labels by folder: {error}", 2), err=True)
        return {}
    if labels:
        names = ", ".join(dict.fromkeys(labels.values()))
        click.echo(wrapped(f"folders are {layout}: the labels are {names}; a session is a date", 2), err=True)
    return labels


def _progress(found: Iterable[RecordingFile], doing: str) -> Iterable[RecordingFile]:
    with click.progressbar(found, label=doing, file=sys.stderr, show_pos=True, hidden=not sys.stderr.isatty()) as shown:
        yield from shown


def _show_listing(listing: Listing, labels: Labels, as_json: bool) -> None:
    if as_json:
        for item in listing.items:
            click.echo(json.dumps({**vars(item), "label": labels.get(item.name)}))
        return
    for date, of_date in groupby(listing.items, key=lambda item: item.date):
        click.secho(date, bold=True)
        for item in of_date:
            facts = f"{item.duration_s:4.1f} s  {item.sample_rate_hz:7g} Hz  {labels.get(item.name, '-')[:12]:12}"
            line = f"  {item.time or '-':8}  {facts}"
            click.echo(f"{line}  {shortened(Path(item.name).name, terminal_width() - len(line) - 2)}")
    if not listing.items:
        return  # an error said why
    many = f"{len(listing.items)} recordings{_and_duplicates(listing)}"
    click.echo(wrapped(f"{many}; label them and give --out to write a data set", 2))


def _show_imported(imported: Imported, listing: Listing) -> None:
    baseline, target = imported.labels
    click.echo(f"  {'date':12} {baseline[:12]:>12} {target[:12]:>12}  set")
    for date, counts in imported.counts.items():
        of = next((name for name, dates in (imported.split or {}).items() if date in dates), "-")
        click.echo(f"  {date:12} {counts[baseline]:>12} {counts[target]:>12}  {of}")
    left_out = f"{imported.left_out} recordings without a label were left out{_and_duplicates(listing)}"
    click.echo(wrapped(f"{baseline} is the baseline, {target} the target; {left_out}", 2))
    for warning in imported.warnings:
        click.secho(wrapped(f"weak: {warning}", 6), fg="yellow", err=True)
    if imported.split:
        learned = days_with_both_states(
            (date, label) for date in imported.split["train"] for label, count in imported.counts[date].items() if count
        )
        click.echo(f"{len(learned)} training days with both states (docs/protocol.md: how many are needed)")
        if so_far := _decided_so_far(imported.labels):
            click.echo(wrapped(so_far, 2))
        click.echo(f"Next: edge-ecg train {imported.out / DATASET}")
    else:
        click.secho(f"no {DATASET}: a split needs {FEWEST_DATES} dates with both states", fg="yellow", err=True)


def _decided_so_far(labels: tuple[str, str]) -> str:
    """A sentence on what the run of the working folder can decide so far; none if there is no run of these labels."""
    run = Path("run")
    if not run.is_dir():
        return ""
    try:
        plan, of_run = plan_of_run(run)
    except (EdgeEcgError, OSError):  # a run that is not finished, or of too few sessions
        return ""
    return f"{run}, so far: {plan.sentences(of_run)[0]} More sessions: edge-ecg plan {run}" if of_run == labels else ""


def _and_duplicates(listing: Listing) -> str:
    return f"; {listing.duplicates} duplicates were skipped" if listing.duplicates else ""

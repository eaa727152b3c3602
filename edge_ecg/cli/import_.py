"""`edge-ecg import`: list the recordings of a phone's export, label them, write a data set."""

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import click

from edge_ecg.cli.options import PagePath, RecordingLoop, override_options
from edge_ecg.datasets.dataset_file import days_with_both_states
from edge_ecg.datasets.importing import DATASET, Dates, Imported, Listing, list_recordings, refuse_to_lose, write_data
from edge_ecg.datasets.labelling import Item, Labels, by_table, by_windows
from edge_ecg.errors import DatasetError
from edge_ecg.readers.find import RecordingFile
from edge_ecg.recording import Overrides, Recording
from edge_ecg.report.contact_sheet import contact_sheet
from edge_ecg.storage.atomic import refuse_overlap, write_file
from edge_ecg.terminal.console import ellipsized_left, report_error, terminal_width, wrapped


@click.command("import")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write; without it, recordings are only listed.")
@click.option(
    "--window",
    "windows",
    metavar="LABEL=HH:MM-HH:MM",
    multiple=True,
    help="Label by time of day, such as fasting=06:00-09:00; once for each state, the baseline first.",
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
    help="A CSV file of file,date for recordings that say none; dates such as 2024-03-01 or '2024-03-01 08:03'.",
)
@click.option("--sheet", type=PagePath(), help="Write a page to label in: traces to mark, saved as labels.csv.")
@click.option("--baseline", metavar="LABEL", help="Which label is the baseline  [the one given first]")
@override_options
@click.option("--json", "as_json", is_flag=True, help="Recordings, or what was written, as JSON on standard output.")
def import_command(
    sources: tuple[Path, ...],
    out: Path | None,
    windows: tuple[str, ...],
    table: Path | None,
    dates_table: Path | None,
    sheet: Path | None,
    baseline: str | None,
    overrides: Overrides,
    as_json: bool,
) -> int:
    """Make a data set from Apple's export.zip, from folders or single files.

    Lists the recordings by date and time. With --out and labels it writes OUT/DATE/LABEL/*.csv without the
    person's name and birth date, and OUT/dataset.toml with a split by date, and says where the design of the
    experiment is weak. An earlier import in OUT is replaced as a whole, unless it was changed by hand.
    """
    if windows and table is not None:
        raise click.UsageError("--window and --labels exclude each other")
    if sheet is not None and out is not None:
        raise click.UsageError("--sheet is for labelling: give --out with the labels that it saves")
    if sheet is not None:
        refuse_overlap(sheet, sources)
    if out is not None:
        refuse_overlap(out, sources)
        refuse_to_lose(out)  # before much is read
    if baseline is not None and out is None:
        raise click.UsageError("--baseline needs --out")
    reading = RecordingLoop(overrides)
    dates = Dates(dates_table) if dates_table else None
    listing = list_recordings(sources, lambda source: _progress(reading.find(source), "reading"), dates)
    for sentence in listing.refused:
        reading.code = report_error(sentence)
    code = reading.finish()
    labels = _labels(listing.items, windows, table)
    if sheet is not None:
        _write_sheet(sheet, listing, sources, labels, overrides)
        return code
    if out is None:
        _show_listing(listing, labels, as_json)
        return code
    if not labels:
        raise DatasetError(
            "no recording has a label; give --window or --labels that match; --sheet writes a page to label in"
        )
    again = RecordingLoop(overrides)  # it was all said
    imported = write_data(
        listing,
        sources,
        labels,
        out,
        baseline=baseline,
        find=lambda source: _progress(again.find(source), "writing"),
    )
    if as_json:
        click.echo(json.dumps(imported.to_json()))
    else:
        _show_imported(imported, listing)
    return code


def _write_sheet(
    sheet: Path, listing: Listing, sources: tuple[Path, ...], labels: Labels, overrides: Overrides
) -> None:
    if not listing.items:
        raise DatasetError("no recording to label")
    content = contact_sheet(listing.items, _listed(listing, sources, overrides), labels).encode()
    write_file(sheet, content)
    click.echo(f"{sheet}: {len(listing.items)} recordings, {len(content):,} bytes")
    click.echo("Open it in a browser, mark, save labels.csv, then:")
    click.echo("  edge-ecg import SOURCE --labels labels.csv --out DATA")


def _listed(listing: Listing, sources: tuple[Path, ...], overrides: Overrides) -> Iterator[tuple[str, Recording]]:
    """The recordings of a listing by name, read again."""
    names = {item.name for item in listing.items}
    reading = RecordingLoop(overrides)  # it was all said
    for source in sources:
        for found in _progress(reading.find(source), "drawing"):
            if found.name in names:
                yield found.name, found.read()


def _labels(items: list[Item], windows: tuple[str, ...], table: Path | None) -> Labels:
    if windows:
        timeless = sum(not item.time for item in items)
        if timeless:
            said = f"{timeless} of {len(items)} recordings say no time of day: no window labels them"
            click.echo(wrapped(said, 2), err=True)
        return by_windows(items, windows)
    if table is not None:
        return by_table(items, table)
    return {}


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
            click.echo(f"{line}  {ellipsized_left(Path(item.name).name, terminal_width() - len(line) - 2)}")
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
        click.echo(f"{len(learned)} days with both states to learn from: docs/protocol.md on their worth")
        click.echo(f"Next: python -m train {imported.out / DATASET} --out run")
    else:
        click.secho(f"no {DATASET}: too few dates with both states to split", fg="yellow", err=True)


def _and_duplicates(listing: Listing) -> str:
    return f"; {listing.duplicates} duplicates were passed over" if listing.duplicates else ""

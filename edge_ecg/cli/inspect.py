"""`edge-ecg inspect`: what a bundle holds, once it is verified."""

import json
from collections.abc import Iterable
from pathlib import Path

import click

from edge_ecg.bundle import PACKED_FROM, Bundle, load_bundle
from edge_ecg.layout import folded
from edge_ecg.report.artefact_table import artefact_table


@click.command("inspect")
@click.argument("bundle_path", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The manifest as JSON.")
def inspect_command(bundle_path: Path, as_json: bool) -> None:
    """Verify a bundle and say what it holds."""
    bundle = load_bundle(bundle_path)
    click.echo(json.dumps(bundle.manifest) if as_json else "\n".join(folded(line, 14) for line in _inspected(bundle)))


def _inspected(bundle: Bundle) -> Iterable[str]:
    m = bundle.manifest
    references = bundle.references.is_target
    yield f"{bundle.path}: verified, {len(m['files']) + 1} files"
    yield f"labels        {bundle.labels[0]} (baseline), {bundle.labels[1]} (target)"
    if "enrolment" in m:
        e = m["enrolment"]
        yield (
            f"enrolled      {e['recordings']} recordings of {', '.join(e['dates'])}: references moved by "
            f"{e['distance']:.0%} of the way between the states; the figures below are from before"
        )
    yield f"model         {m['model']['architecture']}, {m['model']['parameters']:,} parameters"
    yield (
        f"references    {sum(~references)} {bundle.labels[0]}, {sum(references)} {bundle.labels[1]}, "
        f"{bundle.references.embeddings.shape[1]} numbers each"
    )
    if bundle.references.distribution and bundle.references.distribution.known_days:
        yield f"knows         recordings from {bundle.references.distribution.known_days}"
    if levels := bundle.rule.levels:
        counts = " and ".join(f"{count} dates with {label}" for label, count in (bundle.rule.dates or {}).items())
        yield (
            f"levels        from {counts}, each left out once: they support a confidence of {bundle.labels[0]} of at "
            f"most {levels.most_confident(False):.1%}, of {bundle.labels[1]} {levels.most_confident(True):.1%}"
        )
    else:
        yield "levels        none: training had too few dates, so that nothing is decided"
    for which, figures in m.get("metrics", {}).items():
        c, (low, high) = figures["recordings"], figures["recordings"]["accuracy_95"]
        yield (
            f"{which:13} {c['right']}/{c['total']} recordings right ({low:.0%} to {high:.0%}), "
            f"dates {', '.join(figures['dates'])}"
        )
    if PACKED_FROM in m:
        yield f"packed        from the bundle whose manifest has SHA-256 {m[PACKED_FROM]}"
    else:
        yield from artefact_table(m["parity"], m.get("not_made") or {})
    yield f"intended use  {m['intended_use']}"
    for name, facts in m["files"].items():
        yield f"  {facts['bytes']:>9,}  {name}"

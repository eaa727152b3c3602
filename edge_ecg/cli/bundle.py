"""Commands about a bundle: inspect, pack, sign, verify, profile and enroll."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from edge_ecg.bundles.bundle import PACKED_FROM, Bundle, load_bundle, read_files, refuse_to_lose
from edge_ecg.bundles.pack import default_weights, pack_bundle
from edge_ecg.bundles.sign import needs_password, sign_bundle, verify_bundle
from edge_ecg.cli.options import BUNDLE, RecordingLoop, bundle_and_recordings, override_options
from edge_ecg.enroll import describe, enroll, write_enrolled
from edge_ecg.errors import BundleError
from edge_ecg.recording import Overrides
from edge_ecg.report.artifact_table import artifact_table
from edge_ecg.report.profile import profile
from edge_ecg.results import ArtifactParity, convert_record
from edge_ecg.storage.files import refuse_overlap
from edge_ecg.terminal.console import out_option, wrapped


@click.command("inspect")
@BUNDLE
@click.option("--json", "as_json", is_flag=True, help="The manifest as JSON.")
def inspect_command(bundle_path: Path, as_json: bool) -> None:
    """Verify a bundle and print its contents."""
    bundle = load_bundle(bundle_path)
    click.echo(json.dumps(bundle.manifest) if as_json else "\n".join(wrapped(line, 14) for line in _inspected(bundle)))


def _inspected(bundle: Bundle) -> Iterable[str]:
    m = bundle.manifest
    references = bundle.references.is_target
    yield f"{bundle.path}: verified, {len(m['files']) + 1} files"
    yield f"labels        {bundle.labels[0]} (baseline), {bundle.labels[1]} (target)"
    if "enrollment" in m:
        e = m["enrollment"]
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
        yield f"trained on    recordings from {bundle.references.distribution.known_days}"
    if levels := bundle.rule.levels:
        counts = " and ".join(f"{count} dates with {label}" for label, count in (bundle.rule.dates or {}).items())
        yield (
            f"levels        from {counts}, each left out once; confidence up to "
            f"{levels.most_confident(False):.1%} for {bundle.labels[0]}, {levels.most_confident(True):.1%} for "
            f"{bundle.labels[1]}"
        )
    else:
        yield "levels        none: too few training dates, so all recordings are inconclusive"
    for which, figures in m.get("metrics", {}).items():
        c, (low, high) = figures["recordings"], figures["recordings"]["accuracy_95"]
        decided = figures.get("sequential", {})
        words = {"right": "correct", "wrong": "wrong", "inconclusive": "inconclusive"}
        counts = ", ".join(f"{decided[name]} {word}" for name, word in words.items() if name in decided)
        yield (
            f"{which:13} {counts or 'no decisions'}; if forced {c['right']}/{c['total']} ({low:.0%} to {high:.0%}); "
            f"dates {', '.join(figures['dates'])}"
        )
    if PACKED_FROM in m:
        yield f"packed        from the bundle whose manifest has SHA-256 {m[PACKED_FROM]}"
    else:
        parities = convert_record(bundle.path, m["parity"], tuple[ArtifactParity, ...])
        yield from artifact_table(parities, m.get("not_made") or {})
    yield f"intended use  {m['intended_use']}"
    for name, facts in m["files"].items():
        yield f"  {facts['bytes']:>9,}  {name}"


@click.command("pack")
@BUNDLE
@out_option("person.ecgbundle", "The file.")
@click.option("--weights", type=click.Choice(["int8", "float32"]), help="[int8 if the bundle has it]")
def pack_command(bundle_path: Path, out: Path, weights: str | None) -> None:
    """Write one small file with the parts of a bundle that a device needs: weights, references, contract, levels.

    Swift opens it, and so do the commands that decide on recordings. It has its own manifest, which the signature of
    the bundle does not cover: sign the file (edge-ecg sign person.ecgbundle --key private.pem).
    """
    manifest, files = read_files(bundle_path)
    form = weights or default_weights(files)
    size = pack_bundle(bundle_path, out, form)
    packed = load_bundle(out)
    references = len(packed.references.is_target)
    click.echo(f"{out}: written, {size:,} bytes, {len(packed.manifest['files']) + 1} files, {references} references")
    for line in _parity_of_form(manifest, form):
        click.echo(wrapped(line, 2))


def _parity_of_form(manifest: dict[str, Any], form: str) -> Iterable[str]:
    """Decisions of the packed form when the bundle was made, against the trained model."""
    engine = {"int8": "portable int8", "float32": "portable fp32"}[form]
    for figures in manifest["parity"]:
        if figures["engine"] == engine:
            yield (
                f"  {form} compared with the trained model: {figures['beat_flips']} of {figures['beats']:,} votes "
                f"differ; decisions on {figures['recording_flips']} of {figures['recordings']} recordings differ, "
                f"{figures['timing_changes']} are earlier or later"
            )


PATH = click.Path(path_type=Path)


@click.command("sign")
@BUNDLE
@click.option("--key", required=True, type=PATH, help="Ed25519 private key as PEM; a password is prompted for.")
def sign_command(bundle_path: Path, key: Path) -> None:
    """Sign the manifest of a bundle, which contains the SHA-256 of all files.

    Make keys with: openssl genpkey -algorithm ed25519 -out private.pem, then
    openssl pkey -in private.pem -pubout -out public.pem
    """
    password = click.prompt("Password of the key", hide_input=True, err=True) if needs_password(key) else None
    click.echo(f"{sign_bundle(bundle_path, key, password)}: written")


@click.command("verify")
@BUNDLE
@click.option("--public-key", required=True, type=PATH, help="Ed25519 public key as PEM.")
def verify_command(bundle_path: Path, public_key: Path) -> None:
    """Verify that a bundle is intact and signed by the owner of a key."""
    manifest = verify_bundle(bundle_path, public_key)
    click.echo(f"{bundle_path}: whole, {len(manifest['files']) + 1} files, signed by the owner of {public_key}")


@click.command("profile")
@BUNDLE
@click.option("--device", type=click.Path(path_type=Path), help="Output of python -m benches.device --json.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def profile_command(bundle_path: Path, device: Path | None, as_json: bool) -> None:
    """Show the cost of a bundle: multiply-adds and bytes per layer, time on this machine, an estimate for a watch.

    With --device also the instructions, code and memory measured on emulated devices.
    """
    bundle = load_bundle(bundle_path)
    if PACKED_FROM in bundle.manifest:
        raise BundleError(f"{bundle_path}: is packed for a device; give the whole bundle")
    costs = profile(bundle, device)
    click.echo(json.dumps(costs.to_json()) if as_json else "\n".join(wrapped(line, 20) for line in costs.lines()))


@click.command("enroll")
@bundle_and_recordings
@override_options
@out_option("enrolled", "Folder for the enrolled bundle.")
@click.option("--json", "as_json", is_flag=True, help="Result as JSON.")
def enroll_command(
    bundle_path: Path, recordings: tuple[str, ...], overrides: Overrides, out: Path, as_json: bool
) -> int:
    """Move the references of a bundle to fresh baseline recordings, without training.

    A RECORDING is a file, a folder with recordings anywhere below it, or Apple's export.zip. At least three dates are
    required, so that an ordinary difference of one day is not taken for drift.
    """
    refuse_overlap(out, [bundle_path, *recordings])
    refuse_to_lose(out)
    bundle = load_bundle(bundle_path)
    reading = RecordingLoop(overrides)
    try:
        enrolment = enroll(bundle, reading.each(recordings))
    finally:  # skipped recordings may be the reason for too few
        code = reading.finish()
    write_enrolled(bundle, enrolment, out)
    if as_json:
        click.echo(json.dumps(enrolment.to_json()))
    else:
        click.echo("\n".join(wrapped(line, 2) for line in (*describe(enrolment), f"{out}: written")))
    return code

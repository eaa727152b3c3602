"""The artifacts of a bundle in one table: size of each, and its effect on the decisions."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from edge_ecg.results import ArtifactParity
from edge_ecg.terminal.console import wrapped


def artifact_table(found: Sequence[ArtifactParity], not_made: Mapping[str, str]) -> Iterator[str]:
    """One line per artifact, and notes. not_made: as the manifest's."""
    yield (
        f"{'artifact':14} {'bytes':>7} {'with refs':>9} {'error: max':>10} {'beats flipped':>14} {'recordings':>11} "
        f"{'per beat':>8}"
    )
    for row in found:
        error = "-" if row.logit_max_abs > 1e6 else f"{row.logit_max_abs:.2g}"
        yield (
            f"{row.engine:14} {row.bytes:>7,} {row.bytes_with_references:>9,} {error:>10} "
            f"{row.beat_flips:>5} of {row.beats:>5} {row.recording_flips:>4} of {row.recordings:>3} "
            f"{_time(row):>8}"
        )
    for row in found:
        if not row.shipped:
            yield wrapped(f"not shipped: {row.engine}: {'; '.join(row.faults)}", 2)
    for artifact, reason in not_made.items():
        yield wrapped(f"not shipped: {artifact}: {reason}", 2)
    if finetuned := [row.engine for row in found if row.finetuned]:
        yield wrapped(f"fine-tuned on training beats, since rounding alone flips beats: {', '.join(finetuned)}", 2)
    by_name = {row.engine: row for row in found if row.shipped and row.beat_us}
    if {"onnx fp32", "onnx int8"} <= by_name.keys():
        yield wrapped(_verdict(by_name["onnx fp32"], by_name["onnx int8"]), 2)


def _time(row: ArtifactParity) -> str:
    return f"{median(row.beat_us):.0f} us" if row.beat_us else "-"


def _verdict(single: ArtifactParity, int8: ArtifactParity) -> str:
    """Faster or slower only where no round of the one overlaps a round of the other."""
    first, last = single.beat_us or (), int8.beat_us or ()
    times = f"{median(last) / median(first):.1f} times as long as fp32 on this machine"
    if min(last) > max(first):
        speed = f"takes {times}"
    elif max(last) < min(first):
        speed = f"is faster: {times}"
    else:
        speed = "takes as long as fp32 within what rounds of measuring differ by"
    return f"onnx int8 has {int8.bytes / single.bytes:.0%} of the bytes of fp32 and {speed}"

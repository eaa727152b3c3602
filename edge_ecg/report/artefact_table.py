"""The artefacts of a bundle in one table: what each weighs, and what it does to the decisions."""

from collections.abc import Iterable, Iterator
from typing import Any


def artefact_table(found: Iterable[dict[str, Any]]) -> Iterator[str]:
    """One line an artefact, from the manifest's form of the rows, and what follows from it."""
    found = list(found)
    yield (
        f"{'artefact':14} {'bytes':>7} {'with refs':>9} {'in few bits':>14} {'error: max':>11} {'rms':>7} "
        f"{'beats flipped':>15} {'recordings':>11} {'a beat':>7}"
    )
    for row in found:
        error = ("-", "-") if row["logit_max_abs"] > 1e6 else (f"{row['logit_max_abs']:.2g}", f"{row['logit_rms']:.2g}")
        yield (
            f"{row['engine']:14} {row['bytes']:>7,} {row['bytes_with_references']:>9,} "
            f"{row['quantized_weights']:>6} of {row['weights']:>4} {error[0]:>11} {error[1]:>7} "
            f"{row['beat_flips']:>6} of {row['beats']:>5} {row['recording_flips']:>4} of {row['recordings']:>3} "
            f"{'-' if row['beat_us'] is None else format(row['beat_us'], '.0f') + ' us':>7}"
        )
    for row in found:
        if not row["shipped"]:
            yield f"not shipped: {row['engine']}: {'; '.join(row['faults'])}"
    if finetuned := [row["engine"] for row in found if row.get("finetuned")]:
        yield f"fine-tuned on training beats, since rounding alone flips beats: {', '.join(finetuned)}"
    by_name = {row["engine"]: row for row in found}
    if {"onnx fp32", "onnx int8"} <= by_name.keys():
        yield from _verdict(by_name["onnx fp32"], by_name["onnx int8"])


def _verdict(single: dict[str, Any], int8: dict[str, Any]) -> Iterator[str]:
    if int8["kept_float"]:
        yield f"onnx int8 keeps in float32, since they cost decisions: {', '.join(int8['kept_float'])}"
    if single["beat_us"] and int8["beat_us"]:
        slower = int8["beat_us"] / single["beat_us"]
        yield (
            f"onnx int8 takes {slower:.1f} times as long as fp32 on this machine and saves "
            f"{single['bytes'] - int8['bytes']:,} bytes: "
            + ("it is worth it for the bytes alone" if slower > 0.95 else "it is smaller and faster")
        )

"""Where the recordings of a data set come from, and what of it could pass for a difference between the states."""

from collections.abc import Sequence
from typing import NamedTuple

UNKNOWN = "unknown"


class Origin(NamedTuple):
    """What a recording was made with; None is what nobody said."""

    sample_rate_hz: float
    lead: str | None
    device: str | None


def mixtures(origins: Sequence[tuple[str, Origin]], pair: tuple[str, str]) -> list[str]:
    """A sentence for the rate, lead and device each, if they differ between the states or within them.

    origins: the label of each recording, and where it is from. pair: baseline and target.
    """
    found = []
    for what, how, of in (
        ("sample rate", "at", lambda origin: f"{origin.sample_rate_hz:.0f} Hz"),
        ("lead", "from lead", lambda origin: origin.lead or UNKNOWN),
        ("device", "by device", lambda origin: origin.device or UNKNOWN),
    ):
        sides = [{of(origin) for label, origin in origins if label == side} for side in pair]
        said = [" and ".join(sorted(side)) for side in sides]
        if all(sides) and sides[0] != sides[1]:
            recorded = f"{pair[0]} was recorded {how} {said[0]}, {pair[1]} {how} {said[1]}"
            found.append(f"{recorded}: the {what} may pass for the state")
        elif what != "sample rate" and len(sides[0]) > 1:  # watches of one model differ by a hertz or two
            found.append(f"several {what}s are mixed, {said[0]}: differences between them hide those of the states")
    return found

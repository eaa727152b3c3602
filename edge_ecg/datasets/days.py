"""How many days with both states there are to learn from, and what that is worth."""

from collections.abc import Iterable

from edge_ecg.errors import DatasetError

FEWEST_DAYS = 2  # a comparator learns by comparing days; within one day it can't tell the state from the day
# Recordings of all other days right, in per cent, by days with both states: docs/protocol.md.
WORTH = {2: 88, 3: 92, 4: 94}


def days_with_both_states(recordings: Iterable[tuple[str, object]]) -> list[str]:
    """The dates, in order, that have recordings of more than one label. recordings: (date, label) of each."""
    labels: dict[str, set[object]] = {}
    for date, label in recordings:
        labels.setdefault(date, set()).add(label)
    return sorted(date for date, of_date in labels.items() if len(of_date) > 1)


def require_days(recordings: Iterable[tuple[str, object]]) -> list[str]:
    """The dates with both states. Raises DatasetError if they are too few to learn from."""
    days = days_with_both_states(recordings)
    if len(days) < FEWEST_DAYS:
        raise DatasetError(
            f"the dates to learn from have both states on {', '.join(days) or 'none'}, expected at least {FEWEST_DAYS} "
            "such days: record both states on another day"
        )
    return days


def worth_of(days: int) -> str:
    """What so many days with both states, two or more, were worth on the public recordings, in one sentence."""
    known = max(n for n in WORTH if n <= days)
    more = f"; more than {known} brought nothing measurable" if days > known else ""
    return (
        f"{days} days with both states to learn from: {known} such days of one person were enough for {WORTH[known]} % "
        f"of the recordings of all other days{more}"
    )

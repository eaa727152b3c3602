"""The page of a study of many persons: for how many it works, by how much, and what went wrong."""

from collections.abc import Sequence
from typing import Any

from edge_ecg.contract import INTENDED_USE
from edge_ecg.report.page import fixed, percent, whole_page
from edge_ecg.report.pictures import cohort as pictures


def cohort_page(result: dict[str, Any], persons: Sequence[dict[str, Any]]) -> str:
    """The page, from the figures of all persons together and what is known of each (`train.cohort` leaves both).

    Raises EdgeEcgError without matplotlib or Jinja2.
    """
    ours, tested = result["ours"], result["by_person"]
    judged = [found for found in persons if ours in found["methods"]]
    shares = {found["person"]: found["methods"][ours]["recordings"]["accuracy"] for found in judged}
    best = {
        found["person"]: found["methods"][name]["recordings"]["accuracy"]
        for found in judged
        if (name := tested[found["person"]]["best_baseline"])
    }
    forest = [
        (
            key,
            shares[key],
            found["methods"][ours]["accuracy_95_by_date"],
            best.get(key),
            key in result["with_effect"],
        )
        for found in judged
        if (key := found["person"])
    ]
    return whole_page(
        "cohort.html",
        title=f"{result['name']}: Edge ECG study",
        intended_use=INTENDED_USE,
        result=result,
        forest=pictures.forest(forest) if forest else None,
        distribution=pictures.distribution(list(shares.values()), list(best.values())) if best else None,
        rows=[(found["person"], _cells(found, ours, tested)) for found in persons],
        decided=_decided(judged, ours),
        bytes=[sum(found["bundle"].values()) for found in persons if found["bundle"]],
        failed=sum(kind["persons"] for kind in result["failures"]["kinds"]),
    )


def _cells(found: dict[str, Any], ours: str, tested: dict[str, Any]) -> list[str]:
    reason = f"{found['step']}: {found['reason']}" if found["reason"] else ""
    if ours not in found["methods"]:
        return [*["–"] * 6, reason]
    figures, of_person = found["methods"][ours], tested[found["person"]]
    right, alone = figures["recordings"], found["decisions"].get(ours, {}).get("alone")
    best = found["methods"].get(of_person["best_baseline"])
    decided = f"{alone['right']}, {alone['wrong']}, {alone['inconclusive']}" if alone else "–"
    return [
        f"{right['right']} of {right['total']}",
        fixed(figures["auc"], 3),
        fixed(of_person["effect_p_adjusted"], 3),
        f"{best['recordings']['right']}, {of_person['best_baseline']}" if best else "–",
        fixed(of_person["better_p_adjusted"], 3),
        decided,
        reason,
    ]


def _decided(judged: Sequence[dict[str, Any]], ours: str) -> list[tuple[str, list[str]]]:
    """Decisions of all persons added up: what is compared with, then right, wrong and inconclusive."""
    rows = []
    of_all = [found["decisions"][ours] for found in judged if ours in found["decisions"]]
    for plan, name in (("alone", "what is usual on other days"), ("with_day", "the day's own first two baselines")):
        counts = [sum(decided[plan][how] for decided in of_all) for how in ("right", "wrong", "inconclusive")]
        if total := sum(counts):
            rows.append((name, [f"{count:,} ({percent(count / total)})" for count in counts]))
    return rows

"""A replay to share: one page that plays recordings with marks, votes and the decision."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from edge_ecg.bundles.bundle import Bundle
from edge_ecg.contract import INTENDED_USE
from edge_ecg.playback import Replayed, Step
from edge_ecg.recording import Recording
from edge_ecg.report.page import interactive_page, packed, short_name


class Played(NamedTuple):
    """A recording, its replay, the steps of the replay, and the label if it is known."""

    recording: Recording
    replayed: Replayed
    steps: Sequence[Step]
    label: str | None = None


def replay_page(bundle: Bundle, played: Sequence[Played]) -> str:
    """The page with the beats and decisions of the replays. Raises EdgeEcgError without Jinja2."""
    baseline, target = bundle.labels
    recordings = [_recording(bundle, *each) for each in played]
    data = {"labels": bundle.labels, "boundaries": [bundle.rule.lower, bundle.rule.upper], "recordings": recordings}
    return interactive_page(
        "replay",
        f"{baseline} or {target}: replay",
        data,
        rows=recordings,
        labels=bundle.labels,
        intended_use=INTENDED_USE,
    )


def _recording(
    bundle: Bundle, recording: Recording, replayed: Replayed, steps: Sequence[Step], label: str | None
) -> dict[str, Any]:
    return {
        "name": short_name(recording.source),
        "label": label,
        "rate_hz": recording.sample_rate_hz,
        "duration_s": recording.duration_s,
        "samples_uv": packed(recording.samples_uv),
        "events": events(bundle, steps),
        "decision": outcome(replayed),
    }


def outcome(replayed: Replayed) -> dict[str, Any]:
    """The decision at the end, and the provisional one that came before."""
    d = replayed.decision
    return {
        "label": d.label,
        "why": replayed.why,
        "confidence": round(d.confidence, 4),
        "provisional": d.provisional and d.provisional._asdict(),
        "beats": d.beats,
        "unusable": d.unusable,
        "rule": replayed.rule,
    }


def events(bundle: Bundle, steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Each beat with the time at which it was known, its evidence, and the decision by then."""
    found = []
    for step in steps:
        for judged in step.judged:
            vote, decision = judged.vote, judged.decision
            found.append(
                {
                    "r_s": judged.beat.r_index / bundle.contract.sample_rate_hz,
                    "known_s": judged.beat.known_at_s,
                    "unusable": judged.unusable,
                    "evidence": vote.evidence if vote else None,
                    "vote": bundle.labels[vote.hard_target] if vote else None,
                    "log_odds": step.log_odds,
                    "decision": decision.label,
                    "confidence": round(decision.confidence, 4),
                    "beats": decision.beats,
                    "votes": decision.votes,
                }
            )
    return found

"""The report's last part: what each part of the design is worth, how it learned, and what is shipped."""

from edge_ecg.report import pictures
from edge_ecg.report.evidence import AGAIN, counted
from edge_ecg.report.findings import Findings
from edge_ecg.report.page import Markup, figure, joined, markup, missing, table

ABLATIONS = "python -m train.ablations DATASET.toml --out DIR", f"{AGAIN} --ablations DIR"


def ablations(findings: Findings) -> Markup:
    """Each design choice left out."""
    if findings.ablations is None:
        return missing(*ABLATIONS)
    rows = [
        (
            row["name"],
            row["seeds"],
            f"{row['right_mean']:.1f} of {row['of']}, {row['right_spread']:g}",
            counted(round(row["right_mean"]), row["of"]).partition(" (")[2].rstrip(")"),
            f"{row['auc_mean']:.4f}, {row['auc_spread']:.4f}",
        )
        for row in findings.ablations["rows"]
    ]
    return joined(
        [
            table(("design", "seeds", "right, spread", "95 %", "AUC, spread"), rows, "Ablations"),
            markup(
                '<p class="soft">Means, and the largest minus the smallest of the seeds; the interval is of the mean '
                "count, over recordings. A difference within either means nothing.</p>"
            ),
        ]
    )


def learning(findings: Findings) -> Markup:
    """Loss and accuracy by epoch."""
    if findings.history is None:
        return missing(AGAIN)
    return figure(
        pictures.learning(findings.history["epochs"], findings.history["best_epoch"]),
        "Left the loss, right the share of pairs (training) and of beats (validation) that are right. The dashed line "
        "is the epoch that was kept.",
        [("soft dashed", "training"), ("ours", "validation")],
    )


def artefacts(findings: Findings) -> Markup:
    """The forms of the model, and what each does to the decisions."""
    assert findings.artefacts is not None
    rows = [
        (
            row["engine"],
            f"{row['bytes']:,}",
            f"{row['beat_flips']} of {row['beats']:,}",
            f"{row['recording_flips']} of {row['recordings']}",
            "yes" if row["shipped"] else "no",
        )
        for row in findings.artefacts
    ]
    head = ("artefact", "bytes", "beats flipped", "recordings flipped", "shipped")
    return joined(
        [
            markup(
                "<p>Each artefact judged the validation beats. Flipped: decided otherwise than by the trained model."
                "</p>"
            ),
            table(head, rows, "Artefacts"),
            *(
                markup(
                    '<p class="soft">{engine} is not shipped: {why}.</p>',
                    engine=row["engine"],
                    why="; ".join(row["faults"]),
                )
                for row in findings.artefacts
                if not row["shipped"]
            ),
        ]
    )

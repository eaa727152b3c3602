"""The picture of a training run: loss and accuracy by epoch."""

import io

from matplotlib.figure import Figure

from train.fit.loop import History


def history_png(history: History) -> bytes:
    """Two curves over the epochs, the chosen epoch marked."""
    epochs = range(1, len(history.epochs) + 1)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    columns = (
        (loss, "loss", "loss", "validation_loss"),
        (accuracy, "accuracy", "pair_accuracy", "validation_beat_accuracy"),
    )
    for axes, title, training, validation in columns:
        axes.plot(epochs, [row[training] for row in history.epochs], label=f"training ({training})", color="0.6")
        axes.plot(epochs, [row[validation] for row in history.epochs], label=validation, color="tab:blue")
        axes.axvline(history.best_epoch, color="tab:orange", linewidth=1, label=f"kept: epoch {history.best_epoch}")
        axes.set_xlabel("epoch")
        axes.set_title(title)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    loss.set_yscale("log")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()

"""A model's weights as a file."""

from pathlib import Path

import safetensors
import safetensors.torch

from edge_ecg.errors import RunError, first_line
from edge_ecg.storage.atomic import write_file
from edge_ecg.storage.files import read_small_file
from train.model.model import Model

WEIGHTS = "checkpoint.safetensors"
MOST_BYTES = 64 << 20


def write_weights(path: Path, model: Model) -> None:
    """Store a model's weights and batch-norm statistics."""
    write_file(path, safetensors.torch.save(dict(model.state_dict())))


def read_weights(path: Path, model: Model) -> None:
    """Load what `write_weights` wrote. Raises RunError if it does not fit the model."""
    try:
        model.load_state_dict(safetensors.torch.load(read_small_file(path, MOST_BYTES, RunError)))
    except RunError:
        raise
    except OSError as error:
        raise RunError(f"{path}: can't be read ({error.strerror}); expected a finished training run") from None
    except (safetensors.SafetensorError, RuntimeError, ValueError) as error:
        reason = first_line(error)
        raise RunError(f"{path}: does not fit the architecture in config.json: {reason}") from None

"""The references that a device carries: few, and small."""

import numpy as np
import safetensors.numpy

from edge_ecg.bundle import REFERENCES
from edge_ecg.references import ReferenceBank
from export.weights import quantize_rows

REFERENCES_INT8 = "references_int8.safetensors"


def reference_files(bank: ReferenceBank) -> dict[str, bytes]:
    """Both files of the references, by name."""
    return {REFERENCES: bank.to_bytes(), REFERENCES_INT8: int8_references(bank)}


def int8_references(bank: ReferenceBank) -> bytes:
    """The bank as a safetensors file with int8 embeddings and a scale each, which `ReferenceBank` reads as well."""
    values, scale = quantize_rows(bank.embeddings)
    tensors = {"embeddings": values, "embeddings.scale": scale, "is_target": bank.is_target.astype(np.uint8)}
    content: bytes = safetensors.numpy.save(tensors)
    return content

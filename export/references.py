"""The references that a device carries, as files."""

from dataclasses import replace

from edge_ecg.bundle import REFERENCES, REFERENCES_INT8
from edge_ecg.inference.references import ReferenceBank


def reference_files(bank: ReferenceBank) -> dict[str, bytes]:
    """Both files of the references, by name; the int8 one, for the smallest device, without what training has seen."""
    return {REFERENCES: bank.to_bytes(), REFERENCES_INT8: replace(bank, distribution=None).to_int8_bytes()}

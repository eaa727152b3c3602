"""Edge ECG: the runtime of a personal ECG comparator. Importing it brings numpy, scipy and ONNX Runtime, no more."""

from importlib.metadata import version

from edge_ecg import interrupts as interrupts  # before anything that takes long to import
from edge_ecg.bundle import Bundle, load_bundle
from edge_ecg.errors import EdgeEcgError
from edge_ecg.readers.find import find_recordings
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import Recording
from edge_ecg.replay import replay
from edge_ecg.watch import Watch

__all__ = [
    "Bundle",
    "EdgeEcgError",
    "Recording",
    "Watch",
    "find_recordings",
    "load_bundle",
    "read_recording",
    "replay",
]
__version__ = version("edge-ecg")

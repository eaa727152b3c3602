"""Edge ECG: the runtime of a personal ECG comparator. Importing it brings NumPy and ONNX Runtime, no more."""

from edge_ecg.terminal import interrupts as interrupts  # before anything that takes long to import

# isort: split
from importlib.metadata import version

from edge_ecg.bundles.bundle import Bundle, load_bundle
from edge_ecg.errors import EdgeEcgError
from edge_ecg.inference.votes import Decision, Vote
from edge_ecg.readers.find import find_recordings
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import Recording
from edge_ecg.replay import Replayed, replay
from edge_ecg.signal.beats import Beat
from edge_ecg.watch import DayBaseline, Judged, Watch

__all__ = [
    "Beat",
    "Bundle",
    "DayBaseline",
    "Decision",
    "EdgeEcgError",
    "Judged",
    "Recording",
    "Replayed",
    "Vote",
    "Watch",
    "find_recordings",
    "load_bundle",
    "read_recording",
    "replay",
]
__version__ = version("edge-ecg")

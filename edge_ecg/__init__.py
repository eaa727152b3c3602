"""Edge ECG: the runtime of a personal ECG comparator. A name is imported from its module when it is first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING

from edge_ecg.terminal import interrupts as interrupts  # before anything that takes long to import

if TYPE_CHECKING:
    from edge_ecg.bundles.bundle import Bundle, load_bundle
    from edge_ecg.errors import EdgeEcgError
    from edge_ecg.inference.votes import Decision, Vote
    from edge_ecg.notebook import export, train
    from edge_ecg.playback import Replayed, replay
    from edge_ecg.readers.find import find_recordings
    from edge_ecg.readers.read import read_recording
    from edge_ecg.recording import Recording
    from edge_ecg.signal.beats import Beat
    from edge_ecg.watch import DayBaseline, Judged, Watch

    __version__: str

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
    "export",
    "find_recordings",
    "load_bundle",
    "read_recording",
    "replay",
    "train",
]
_MODULES = {
    "bundles.bundle": ("Bundle", "load_bundle"),
    "errors": ("EdgeEcgError",),
    "inference.votes": ("Decision", "Vote"),
    "notebook": ("export", "train"),
    "playback": ("Replayed", "replay"),
    "readers.find": ("find_recordings",),
    "readers.read": ("read_recording",),
    "recording": ("Recording",),
    "signal.beats": ("Beat",),
    "watch": ("DayBaseline", "Judged", "Watch"),
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("edge-ecg")
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"edge_ecg.{module}"), name)
    raise AttributeError(f"module 'edge_ecg' has no attribute {name!r}")

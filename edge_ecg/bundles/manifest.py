"""The manifest of a bundle, as a record that defines valid manifests.

Swift reads the same entries by the same limits; `schema` gives them as a JSON Schema, which docs/bundle.md prints.
"""

import hashlib
import json
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from edge_ecg.contract import Contract
from edge_ecg.errors import BundleError
from edge_ecg.inference.guards import GuardLimits
from edge_ecg.inference.levels import Levels
from edge_ecg.records import Record, Sha256, schema_of, to_whole_record

SCHEMA_VERSION = 3
MANIFEST, SEAL = "manifest.json", "manifest.sha256"
PACKED_FROM = "packed_from"  # the entry that only a packed bundle's manifest has
MOST_FILE_BYTES = 64_000_000

Whole = Annotated[int, Meta(ge=0, le=1_000_000_000)]  # fits in 32 bits
Finite = Annotated[float, Meta(ge=-1e300, le=1e300)]
Positive = Annotated[float, Meta(gt=1e-12, le=1e300)]


class FileFacts(Record, frozen=True):
    """Size and hash of a file of the bundle."""

    bytes: Annotated[int, Meta(ge=0, le=MOST_FILE_BYTES)]
    sha256: Sha256


class ModelFacts(Record, frozen=True):
    """The network."""

    architecture: str
    parameters: Whole


class EnrollmentFacts(Struct, frozen=True):
    """The enrollment that moved the references; more may be in it."""

    recordings: Whole
    dates: tuple[str, ...]
    distance: Finite


class TrainingFacts(Record, frozen=True):
    """Settings and data of the training."""

    settings: dict[str, Any]
    dataset: dict[str, Any]
    best_epoch: Whole


class RecordingCounts(Struct, frozen=True):
    """Recordings that the model calls right; more may be in it."""

    right: Whole
    total: Whole
    accuracy_95: tuple[Finite, Finite]


class Metrics(Struct, frozen=True):
    """Figures of the model on a set of recordings; more may be in it."""

    recordings: RecordingCounts
    dates: tuple[str, ...]


class MetricsOfSets(Record, frozen=True):
    """The sets that training had, and the test dates where they were evaluated."""

    train: Metrics
    validation: Metrics
    test: Metrics | None = None


class ParityFacts(Struct, frozen=True):
    """Differences of an artifact from the model that it came from; more may be in it."""

    engine: str
    bytes: Positive
    bytes_with_references: Positive
    quantized_weights: Whole
    weights: Whole
    logit_max_abs: Finite
    logit_rms: Finite
    beats: Whole
    beat_flips: Whole
    recordings: Whole
    recording_flips: Whole
    shipped: bool
    faults: tuple[str, ...]
    finetuned: bool | None = None
    beat_us: tuple[Finite, ...] | None = None  # of a machine, from the fastest on


class DeviceManifest(Record, frozen=True, kw_only=True):
    """Entries that a device needs: to decide, to show, and to refuse a second enrollment."""

    schema: Literal[3]
    intended_use: str
    labels: tuple[str, str]  # baseline, target
    contract: Contract
    levels: Levels | None
    guards: GuardLimits | None
    model: ModelFacts
    enrollment: EnrollmentFacts | None = None
    files: dict[str, FileFacts]

    def __post_init__(self) -> None:
        if self.labels[0] == self.labels[1]:
            raise ValueError(f"both labels are {self.labels[0]!r}, expected two different names")


class PackedManifest(DeviceManifest, frozen=True, kw_only=True):
    """Manifest of a packed bundle; `packed_from` is the SHA-256 of the whole bundle's manifest."""

    packed_from: Sha256


class Manifest(DeviceManifest, frozen=True, kw_only=True):
    """The manifest of a whole bundle."""

    training: TrainingFacts
    metrics: MetricsOfSets
    parity: tuple[ParityFacts, ...]
    tools: dict[str, str]
    not_made: dict[str, str] | None = None  # by artifact, the operation that its form lacks
    references: list[str] | None = None  # the recordings that they are from
    range: dict[str, Any] | None = None  # what is out of distribution, and how often a usual recording is


def read_manifest(value: dict[str, Any]) -> DeviceManifest:
    """The record of a manifest. Raises BundleError, naming the entry that does not fit."""
    record = to_whole_record(PackedManifest if PACKED_FROM in value else Manifest, value, "the manifest", BundleError)
    Contract.from_json(value["contract"])  # where limits hang on each other
    return record


def schema() -> dict[str, Any]:
    """The JSON Schema of a whole bundle's manifest; a packed one has the entries of a device and `packed_from`."""
    return schema_of(Manifest)


def sealed(manifest: dict[str, Any]) -> dict[str, bytes]:
    """The manifest as a file, and the file with its SHA-256, as `sha256sum` writes it."""
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    raw = _without_halves(text).encode()
    return {MANIFEST: raw, SEAL: seal_of(raw)}


def seal_of(raw: bytes) -> bytes:
    """The content of `manifest.sha256` for a manifest's bytes."""
    return f"{hashlib.sha256(raw).hexdigest()}  {MANIFEST}\n".encode()


def _without_halves(text: str) -> str:
    """Half a surrogate pair, as of a file name that no encoding explains, as a backslash and its number."""
    return text.encode(errors="backslashreplace").decode().replace("\\udc", "\\\\udc")

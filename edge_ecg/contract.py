"""The contract: the numbers and names that every part agrees on, written into each bundle's manifest.

Python and Swift read them from the manifest, so a bundle is always judged by the numbers it was made with.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, is_dataclass
from math import isfinite
from typing import Any, get_args, get_origin, get_type_hints

from edge_ecg.errors import ContractError

INTENDED_USE = (
    "Research and engineering of on-device ECG models. Not a medical device: no diagnosis, "
    "no glucose value, no treatment decision. Trained for one person."
)


@dataclass(frozen=True)
class DetectorConstants:
    """Constants of the R-peak detector; counts are samples at 512 Hz (see `edge_ecg.signal.rpeaks`)."""

    # Butterworth band-pass, 8 to 20 Hz, order 2, as second-order sections (b0 b1 b2 a0 a1 a2) at 512 Hz.
    bandpass_sos: tuple[tuple[float, ...], ...] = (
        (
            0.004903034970785108,
            0.009806069941570216,
            0.004903034970785108,
            1.0,
            -1.8255868180963664,
            0.8705404166847642,
        ),
        (1.0, -2.0, 1.0, 1.0, -1.9211178199955894, 0.9327513822815059),
    )
    # A step between samples times this matches the sample, at 12.65 Hz: 1 / (2 sin(pi 12.65 / 512)).
    quadrature_gain: float = 6.45
    # A lower envelope is no QRS: about 50 uV on the raw signal; a monitor may ignore 150 (ANSI/AAMI EC13).
    faintest_uv: float = 20.0
    # Of two candidates closer than this the higher is kept: the refractory time of the ventricles (200 ms).
    refractory: int = 102
    # The first 2 s with a candidate teach the levels; their peaks come out then.
    learning: int = 1024
    # The first level is the highest candidate, but at most this many times the second highest.
    transient: float = 2.0
    # The signal level is the median height of this many QRS.
    level_beats: int = 8
    # A QRS counts for at most this many times the level.
    cap: float = 4.0
    # Noise level, mean RR and the vote on R's side move by this part of the difference.
    adaptation: float = 0.125
    # Where the threshold lies between noise level (0) and signal level (1).
    threshold: float = 0.35
    # A candidate this soon after a QRS (360 ms) may be its T wave ...
    t_wave_reach: int = 184
    # ... and is, if it is lower than this part of that QRS.
    t_wave_height: float = 0.5
    # Search-back begins this many mean RR intervals after a QRS: a premature beat's pause is over by then.
    search_back_rr: float = 1.8
    # It takes the highest rejected candidate above a threshold this part as high over the noise.
    search_back_part: float = 0.5
    # The mean RR interval in samples starts at 1 s; one interval counts for 0.3 to 1.5 s.
    rr_start: float = 512.0
    rr_min: float = 154.0
    rr_max: float = 768.0
    # Each time search-back finds nothing, the threshold takes the signal level as lower by this factor ...
    fade: float = 0.6
    # ... down to this part.
    least_fade: float = 0.05
    # By how much the envelope's maximum follows R: 12 for a narrow QRS, 30 with a deep S, 54 if wide.
    envelope_delay: int = 28
    # R is looked for this far on either side of where the envelope says it is (78 ms).
    refine_reach: int = 40
    # Samples in the running mean that R is placed on: 10 ms against muscle noise.
    smooth_samples: int = 5
    # Samples at either end of that window whose mean is the baseline there.
    baseline_samples: int = 7
    # R is the first deflection of the QRS that reaches this part of the other; a smaller one is a q wave.
    first_deflection: float = 0.2
    # R changes sides only when the vote of recent beats (-1 to 1) is this far on the other side.
    side_margin: float = 0.33


@dataclass(frozen=True)
class QualityConstants:
    """Limits of an unusable beat, as `edge_ecg.signal.quality` uses them. Counts are samples at 512 Hz."""

    # A gap up to 16 ms is interpolated by a straight line: the steepest part of a QRS takes longer.
    interpolated: int = 8
    # No converter holds one value for 125 ms on skin; 12-bit ones do for 10 ms, our quietest recording for 40.
    held: int = 64
    # Interpolation to 512 Hz rounds held values apart by far less than this.
    held_uv: float = 0.0005
    # The top of a QRS stays within 1/1000 of the span for 4 samples at most: 6 (12 ms) are a rail.
    clipped: int = 6
    clipped_part: float = 0.001
    # Less than the span of the faintest QRS that a monitor must find (150 uV, ANSI/AAMI EC13) by far ...
    least_span_uv: float = 50.0
    # ... more than a monitor must be able to show (10 mV), an offset beyond what it must bear (300 mV).
    most_span_uv: float = 10_000.0
    most_offset_uv: float = 300_000.0
    # Noise (root mean square) may be this part of the QRS: T is about a quarter, and must stand out five times.
    noise_part: float = 0.05
    # Noise is what a sample differs from the mean of the two this far off: 3 % of a T wave (3 Hz), 90 % at 30 Hz.
    noise_lag: int = 4
    # The baseline may move by this part of the QRS from one end of the beat to the other.
    wander_part: float = 0.5
    # Samples at either end of a beat whose mean is the baseline there.
    baseline: int = 32
    # The QRS ends this long after R (86 ms).
    qrs: int = 44
    # No RR interval is shorter (240 a minute) or, in a person at rest without a pause, longer (30 a minute).
    rr_min: int = 128
    rr_max: int = 1024


@dataclass(frozen=True)
class GuardConstants:
    """Limits beyond which a recording is not decided, as `edge_ecg.inference.guards` uses them."""

    # The beats that vote cover this part of the time after settling: half of it, less what is lost at the ends.
    coverage: float = 0.45
    # So many beats out of distribution in succession are another person's.
    strange_beats: int = 10
    # A change is looked for in this many of the latest beats, two minutes of them ...
    change_beats: int = 120
    # ... with at least this many on either side.
    part_beats: int = 4
    # Beats are copies if 1 minus their correlation is below this: noise of 1 uV in a QRS of 500 makes it more ...
    copy: float = 2e-5
    # ... by every so many-th sample, ...
    compared_step: int = 8
    # ... compared with this many of the latest beats; ...
    compared_beats: int = 32
    # ... and a recording is a repetition if this part of its beats are.
    copies: float = 0.25


@dataclass(frozen=True)
class VotingConstants:
    """Constants of the decision rule; `edge_ecg.inference.votes` describes each."""

    fewest_beats: int = 3  # an ectopic beat and the one after its pause must not decide
    # Accepted rates of "target" on baseline recordings and of the reverse: 60 recordings without an error say no
    # more than that the rate is below 5 % (J. A. Hanley, A. Lippman-Hand, JAMA 249(13), 1983).
    alpha: float = 0.05
    beta: float = 0.05


@dataclass(frozen=True)
class Contract:
    """Sampling, beat window, detector, quality, voting and guard constants of one bundle."""

    version: int = 3
    sample_rate_hz: int = 512
    settle_samples: int = 1536  # the first 3 s of a recording settle and give no beats
    before_r_samples: int = 128
    after_r_samples: int = 255  # from R on, R included: R is index 128 of the beat
    block_samples: int = 128  # the watch works through what it heard every 0.25 s
    detector: DetectorConstants = field(default_factory=DetectorConstants)
    quality: QualityConstants = field(default_factory=QualityConstants)
    voting: VotingConstants = field(default_factory=VotingConstants)
    guards: GuardConstants = field(default_factory=GuardConstants)

    @property
    def window_samples(self) -> int:
        """Raw samples in a beat (383)."""
        return self.before_r_samples + self.after_r_samples

    @property
    def beat_length(self) -> int:
        """Numbers in a beat (384): the raw samples, then the RR interval in seconds."""
        return self.window_samples + 1

    def to_json(self) -> dict[str, Any]:
        """The contract as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> "Contract":
        """The contract that `to_json` wrote. Raises ContractError on a missing, unknown, mistyped or absurd entry."""
        contract: Contract = _read(cls, value, "contract")
        if contract.version != cls.version:
            raise ContractError(f"contract version is {contract.version}, this edge_ecg reads {cls.version}")
        _require_sense(contract)
        return contract


def _read(kind: Any, value: Any, name: str) -> Any:
    """`value`, as JSON gave it, as the dataclass or plain type `kind`."""
    if isinstance(kind, type) and is_dataclass(kind):
        if not isinstance(value, dict):
            raise ContractError(f"{name} is {str(value)[:60]}, expected entries by name")
        types = get_type_hints(kind)
        if value.keys() != types.keys():
            missing, unknown = sorted(types.keys() - value.keys()), sorted(value.keys() - types.keys())
            raise ContractError(f"{name} lacks {missing} and has unknown {unknown}: it is of another version")
        return kind(**{n: _read(types[n], value[n], f"{name}.{n}") for n in types})
    if get_origin(kind) is tuple:
        item, *rest = get_args(kind)
        if not isinstance(value, list | tuple) or (rest != [...] and len(value) != len(get_args(kind))):
            raise ContractError(f"{name} is {str(value)[:60]}, expected a list like {kind}")
        return tuple(_read(item, v, f"{name}[{i}]") for i, v in enumerate(value))
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        return float(value)
    if type(value) is not kind or kind is float:
        raise ContractError(f"{name} is {str(value)[:60]}, expected {kind.__name__}")
    return value


# What each number may be, least and most, so that every contract that loads runs to its end; where one hangs on
# others, these come first. A number without a row is a count up to 1e6, or any number up to 1e9 either way.
Limit = float | Callable[[Contract], float]
MOST_COUNT, MOST_NUMBER = 1_000_000, 1e9
RANGES: dict[str, tuple[Limit, Limit]] = {
    "sample_rate_hz": (512, 512),  # of the resampler, and of every constant that counts samples
    "before_r_samples": (2, 100_000),
    "after_r_samples": (4, 100_000),
    "block_samples": (1, MOST_COUNT),
    "detector.quadrature_gain": (0, 1000),
    "detector.faintest_uv": (1e-6, MOST_NUMBER),
    "detector.refractory": (1, 10_000),
    "detector.transient": (1, 1000),
    "detector.level_beats": (2, 1000),
    "detector.cap": (1, 1000),
    "detector.adaptation": (0, 1),
    "detector.threshold": (0, 0.99),  # at 1, nothing is above it
    "detector.t_wave_height": (0, 1),
    "detector.search_back_rr": (0, 1000),
    "detector.search_back_part": (0, 1),
    "detector.rr_start": (1, MOST_COUNT),  # below one sample, search-back would not move on
    "detector.rr_min": (1, MOST_COUNT),
    "detector.rr_max": (lambda c: c.detector.rr_min, MOST_COUNT),
    "detector.fade": (0, 1),
    "detector.least_fade": (0, 1),
    "detector.first_deflection": (0, 1),
    "detector.side_margin": (0, 1),
    # Candidates are placed on raw samples that are still kept ...
    "detector.learning": (1, lambda c: int(c.detector.search_back_rr * c.detector.rr_max)),
    "detector.refine_reach": (1, 10_000),
    "detector.smooth_samples": (1, 1000),
    "detector.baseline_samples": (1, lambda c: c.detector.refine_reach),
    # ... and that have come by the time, with room for a baseline at either end even at the stream's start.
    "detector.envelope_delay": (
        lambda c: max(0, c.detector.refine_reach + c.detector.smooth_samples // 2 - c.detector.refractory - 1),
        lambda c: c.detector.refine_reach + 2 - -(-c.detector.smooth_samples // 2) - c.detector.baseline_samples,
    ),
    "quality.held": (1, MOST_COUNT),
    "quality.held_uv": (0, MOST_NUMBER),
    "quality.clipped": (1, MOST_COUNT),
    "quality.clipped_part": (0, 1),
    "quality.least_span_uv": (0, MOST_NUMBER),
    "quality.most_span_uv": (lambda c: c.quality.least_span_uv, MOST_NUMBER),
    "quality.most_offset_uv": (0, MOST_NUMBER),
    "quality.noise_part": (0, 1000),
    "quality.wander_part": (0, 1000),
    "quality.qrs": (1, lambda c: min(c.before_r_samples, c.after_r_samples - 3)),
    "quality.noise_lag": (1, lambda c: (c.after_r_samples - c.quality.qrs - 1) // 2),
    "quality.baseline": (1, lambda c: c.window_samples),
    "quality.rr_max": (lambda c: c.quality.rr_min, 100_000),
    "voting.fewest_beats": (1, MOST_COUNT),
    "voting.alpha": (1e-12, 0.49),  # at 0 and at 1/2 there is no boundary
    "voting.beta": (1e-12, 0.49),
    "guards.coverage": (0, 1),
    "guards.strange_beats": (1, MOST_COUNT),
    "guards.part_beats": (1, 10_000),
    "guards.change_beats": (lambda c: 2 * c.guards.part_beats, 100_000),
    "guards.copy": (0, 2),
    "guards.compared_step": (1, lambda c: c.window_samples // 2),
    "guards.compared_beats": (1, 10_000),
    "guards.copies": (0, 1),
}


def _require_sense(contract: Contract) -> None:
    """Raise ContractError on a number out of its range, or a filter that does not settle."""
    numbers = dict(_numbers(contract))
    in_order = [*(numbers.keys() - RANGES.keys()), *RANGES]
    for name in in_order:
        least, most = RANGES.get(name, (0, MOST_COUNT) if type(numbers[name]) is int else (-MOST_NUMBER, MOST_NUMBER))
        least, most = (limit(contract) if callable(limit) else limit for limit in (least, most))
        if not least <= numbers[name] <= most:
            raise ContractError(f"contract.{name} is {numbers[name]:g}, expected {least:g} to {most:g}")
    sections = contract.detector.bandpass_sos
    if not 1 <= len(sections) <= 16 or not all(_settles(section) for section in sections):
        raise ContractError("contract.detector.bandpass_sos: expected 1 to 16 stable sections b0 b1 b2 1 a1 a2")


def _numbers(part: Any, above: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of a part of the contract, by name."""
    for name, value in vars(part).items():
        if is_dataclass(value):
            yield from _numbers(value, f"{above}{name}.")
        elif not isinstance(value, tuple):
            yield f"{above}{name}", value


def _settles(section: tuple[float, ...]) -> bool:
    """Whether its poles lie inside the unit circle (E. I. Jury's conditions), with a margin for rounding."""
    if len(section) != 6:
        return False
    *b, a0, a1, a2 = section
    return a0 == 1 and max(map(abs, b)) <= 1000 and abs(a2) < 1 - 1e-6 and abs(a1) < 1 + a2 - 1e-9


CONTRACT = Contract()

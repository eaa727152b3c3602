"""The contract: the numbers and names that every part agrees on, written into each bundle's manifest.

Python and Swift read them from the manifest, so a bundle is always judged by the numbers it was made with.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Annotated, Any

from msgspec import Meta

from edge_ecg.errors import ContractError
from edge_ecg.records import MOST_COUNT, MOST_NUMBER, Count, Number, Part, Record, to_whole_record

Counted = Annotated[int, Meta(ge=1, le=MOST_COUNT)]
Window = Annotated[int, Meta(ge=1, le=10_000)]  # longer windows than this are no part of a heartbeat
Unsigned = Annotated[float, Meta(ge=0, le=MOST_NUMBER)]
Times = Annotated[float, Meta(ge=0, le=1000)]
AtLeastOnce = Annotated[float, Meta(ge=1, le=1000)]
Interval = Annotated[float, Meta(ge=1, le=MOST_COUNT)]  # below one sample, search-back would not move on
Rate = Annotated[float, Meta(ge=1e-12, le=0.49)]  # at 0 and at 1/2 there is no boundary
Section = Annotated[tuple[Number, ...], Meta(min_length=6, max_length=6)]

INTENDED_USE = (
    "Research and engineering of on-device ECG models. Not a medical device: no diagnosis, "
    "no glucose value, no treatment decision. Trained for one person."
)


class DetectorConstants(Record, frozen=True):
    """Constants of the R-peak detector; counts are samples at 512 Hz (see `edge_ecg.signal.rpeaks`)."""

    # Butterworth band-pass, 8 to 20 Hz, order 2, as second-order sections (b0 b1 b2 a0 a1 a2) at 512 Hz.
    bandpass_sos: Annotated[tuple[Section, ...], Meta(min_length=1, max_length=16)] = (
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
    quadrature_gain: Times = 6.45
    # A lower envelope is no QRS: about 50 uV on the raw signal; a monitor may ignore 150 (ANSI/AAMI EC13).
    faintest_uv: Annotated[float, Meta(ge=1e-6, le=MOST_NUMBER)] = 20.0
    # Of two candidates closer than this the higher is kept: the refractory time of the ventricles (200 ms).
    refractory: Window = 102
    # The first 2 s with a candidate teach the levels; their peaks come out then.
    learning: Counted = 1024
    # The first level is the highest candidate, but at most this many times the second highest.
    transient: AtLeastOnce = 2.0
    # The signal level is the median height of this many QRS.
    level_beats: Annotated[int, Meta(ge=2, le=1000)] = 8
    # A QRS counts for at most this many times the level.
    cap: AtLeastOnce = 4.0
    # Noise level, mean RR and the vote on R's side move by this part of the difference.
    adaptation: Part = 0.125
    # Where the threshold lies between noise level (0) and signal level (1).
    threshold: Annotated[float, Meta(ge=0, le=0.99)] = 0.35  # at 1, nothing is above it
    # A candidate this soon after a QRS (360 ms) may be its T wave ...
    t_wave_reach: Count = 184
    # ... and is, if it is lower than this part of that QRS.
    t_wave_height: Part = 0.5
    # Search-back begins this many mean RR intervals after a QRS: a premature beat's pause is over by then.
    search_back_rr: Times = 1.8
    # It takes the highest rejected candidate above a threshold this part as high over the noise.
    search_back_part: Part = 0.5
    # The mean RR interval in samples starts at 1 s; one interval counts for 0.3 to 1.5 s.
    rr_start: Interval = 512.0
    rr_min: Interval = 154.0
    rr_max: Interval = 768.0
    # Each time search-back finds nothing, the threshold takes the signal level as lower by this factor ...
    fade: Part = 0.6
    # ... down to this part.
    least_fade: Part = 0.05
    # By how much the envelope's maximum follows R: 12 for a narrow QRS, 30 with a deep S, 54 if wide.
    envelope_delay: Count = 28
    # R is looked for this far on either side of where the envelope says it is (78 ms).
    refine_reach: Window = 40
    # Samples in the running mean that R is placed on: 10 ms against muscle noise.
    smooth_samples: Annotated[int, Meta(ge=1, le=1000)] = 5
    # Samples at either end of that window whose mean is the baseline there.
    baseline_samples: Counted = 7
    # R is the first deflection of the QRS that reaches this part of the other; a smaller one is a q wave.
    first_deflection: Part = 0.2
    # R changes sides only when the vote of recent beats (-1 to 1) is this far on the other side.
    side_margin: Part = 0.33


class QualityConstants(Record, frozen=True):
    """Limits of an unusable beat, as `edge_ecg.signal.quality` uses them. Counts are samples at 512 Hz."""

    # A gap up to 16 ms is interpolated by a straight line: the steepest part of a QRS takes longer.
    interpolated: Count = 8
    # No converter holds one value for 125 ms on skin; 12-bit ones do for 10 ms, our quietest recording for 40.
    held: Counted = 64
    # Interpolation to 512 Hz rounds held values apart by far less than this.
    held_uv: Unsigned = 0.0005
    # The top of a QRS stays within 1/1000 of the span for 4 samples at most: 6 (12 ms) are a rail.
    clipped: Counted = 6
    clipped_part: Part = 0.001
    # Only a deflection has a rail to hit, of more than this part of the span: the baseline is flat by nature. Chosen.
    rail_part: Part = 1 / 3
    # Less than the span of the faintest QRS that a monitor must find (150 uV, ANSI/AAMI EC13) by far ...
    least_span_uv: Unsigned = 50.0
    # ... more than a monitor must be able to show (10 mV), an offset beyond what it must bear (300 mV).
    most_span_uv: Unsigned = 10_000.0
    most_offset_uv: Unsigned = 300_000.0
    # Noise (root mean square) may be this part of the QRS: T is about a quarter, and must stand out five times.
    noise_part: Times = 0.05
    # Noise is what a sample differs from the mean of the two this far off: 3 % of a T wave (3 Hz), 90 % at 30 Hz.
    noise_lag: Counted = 4
    # The baseline may move by this part of the QRS from one end of the beat to the other.
    wander_part: Times = 0.5
    # Samples at either end of a beat whose mean is the baseline there.
    baseline: Counted = 32
    # R points to where the mean of so many samples on either side of it lies (10 ms in all): noise turns none. Chosen.
    r_side: Count = 2
    # The QRS ends this long after R (86 ms).
    qrs: Counted = 44
    # No RR interval is shorter (240 a minute) or, in a person at rest without a pause, longer (30 a minute).
    rr_min: Count = 128
    rr_max: Annotated[int, Meta(ge=0, le=100_000)] = 1024


class GuardConstants(Record, frozen=True):
    """Limits beyond which a recording is not decided, as `edge_ecg.inference.guards` uses them."""

    # The beats that vote cover this part of the time after settling: half of it, less what is lost at the ends.
    coverage: Part = 0.45
    # So many beats out of distribution in succession are another person's.
    strange_beats: Counted = 10
    # A change is looked for in this many of the latest beats, two minutes of them ...
    change_beats: Annotated[int, Meta(ge=2, le=100_000)] = 120
    # ... with at least this many on either side.
    part_beats: Window = 4
    # Beats are copies if 1 minus their correlation is below this: noise of 1 uV in a QRS of 500 makes it more ...
    copy: Annotated[float, Meta(ge=0, le=2)] = 2e-5
    # ... by every so many-th sample, ...
    compared_step: Counted = 8
    # ... compared with this many of the latest beats; ...
    compared_beats: Window = 32
    # ... and a recording is a repetition if this part of its beats are.
    copies: Part = 0.25


class VotingConstants(Record, frozen=True):
    """Constants of the decision rule; `edge_ecg.inference.votes` describes each."""

    fewest_beats: Counted = 3  # an ectopic beat and the one after its pause must not decide
    # Accepted rates of "target" on baseline recordings and of the reverse: 60 recordings without an error say no
    # more than that the rate is below 5 % (J. A. Hanley, A. Lippman-Hand, JAMA 249(13), 1983).
    alpha: Rate = 0.05
    beta: Rate = 0.05


class Contract(Record, frozen=True):
    """Sampling, beat window, detector, quality, voting and guard constants of one bundle."""

    version: Count = 3
    sample_rate_hz: Annotated[int, Meta(ge=512, le=512)] = 512  # of the resampler, and of every count of samples
    settle_samples: Count = 1536  # the first 3 s of a recording settle and give no beats
    before_r_samples: Annotated[int, Meta(ge=2, le=100_000)] = 128
    after_r_samples: Annotated[int, Meta(ge=4, le=100_000)] = 255  # from R on, R included: R is index 128 of the beat
    block_samples: Counted = 128  # the watch works through what it heard every 0.25 s
    detector: DetectorConstants = DetectorConstants()
    quality: QualityConstants = QualityConstants()
    voting: VotingConstants = VotingConstants()
    guards: GuardConstants = GuardConstants()

    @property
    def window_samples(self) -> int:
        """Raw samples in a beat (383)."""
        return self.before_r_samples + self.after_r_samples

    @property
    def beat_length(self) -> int:
        """Numbers in a beat (384): the raw samples, then the RR interval in seconds."""
        return self.window_samples + 1

    @classmethod
    def from_json(cls, value: Any) -> "Contract":
        """The contract that `to_json` wrote. Raises ContractError on a missing, unknown, mistyped or absurd entry."""
        contract = to_whole_record(cls, value, "contract", ContractError)
        if contract.version != cls().version:
            raise ContractError(f"contract version is {contract.version}, this edge_ecg reads {cls().version}")
        for name, (least, most) in LIMITS.items():
            number, low, high = attrgetter(name)(contract), least(contract), most(contract)
            if not low <= number <= high:
                raise ContractError(f"contract.{name} is {number:g}, expected {low:g} to {high:g}")
        if not all(_settles(section) for section in contract.detector.bandpass_sos):
            raise ContractError("contract.detector.bandpass_sos: expected stable sections b0 b1 b2 1 a1 a2")
        return contract


# Where what a number may be, least and most, hangs on others: so every contract that loads runs to its end.
Limit = Callable[[Contract], float]
LIMITS: dict[str, tuple[Limit, Limit]] = {
    "detector.rr_max": (lambda c: c.detector.rr_min, lambda c: MOST_COUNT),
    # Candidates are placed on raw samples that are still kept ...
    "detector.learning": (lambda c: 1, lambda c: int(c.detector.search_back_rr * c.detector.rr_max)),
    "detector.baseline_samples": (lambda c: 1, lambda c: c.detector.refine_reach),
    # ... and that have come by the time, with room for a baseline at either end even at the stream's start.
    "detector.envelope_delay": (
        lambda c: max(0, c.detector.refine_reach + c.detector.smooth_samples // 2 - c.detector.refractory - 1),
        lambda c: c.detector.refine_reach + 2 - -(-c.detector.smooth_samples // 2) - c.detector.baseline_samples,
    ),
    "quality.most_span_uv": (lambda c: c.quality.least_span_uv, lambda c: MOST_NUMBER),
    "quality.qrs": (lambda c: 1, lambda c: min(c.before_r_samples, c.after_r_samples - 3)),
    "quality.r_side": (lambda c: 0, lambda c: min(c.before_r_samples, c.after_r_samples - 1)),
    "quality.noise_lag": (lambda c: 1, lambda c: (c.after_r_samples - c.quality.qrs - 1) // 2),
    "quality.baseline": (lambda c: 1, lambda c: c.window_samples),
    "quality.rr_max": (lambda c: c.quality.rr_min, lambda c: 100_000),
    "guards.change_beats": (lambda c: 2 * c.guards.part_beats, lambda c: 100_000),
    "guards.compared_step": (lambda c: 1, lambda c: c.window_samples // 2),
}


def _settles(section: Section) -> bool:
    """Whether its poles lie inside the unit circle (E. I. Jury's conditions), with a margin for rounding."""
    *b, a0, a1, a2 = section
    return a0 == 1 and max(map(abs, b)) <= 1000 and abs(a2) < 1 - 1e-6 and abs(a1) < 1 + a2 - 1e-9


CONTRACT = Contract()

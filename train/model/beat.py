"""The parts of a beat: its samples from the PR segment's level on, and its RR interval."""

from torch import Tensor

from edge_ecg.contract import CONTRACT

SAMPLES = CONTRACT.window_samples
# 121 to 66 ms before R: the electrocardiographer's baseline. The mean of the beat moves with its S and T wave.
PR_SEGMENT = slice(66, 94)
USUAL_RR_S, RR_PER_S = 0.8, 10.0
ST_ENDS = CONTRACT.before_r_samples + 56  # 110 ms after R, where the T wave begins


def millivolts(beat: Tensor) -> Tensor:
    """Beats (N, 384) -> samples (N, 383) from the PR segment's level on; a square of microvolts overflows float16."""
    samples = beat[:, :SAMPLES] * 1e-3
    return samples - samples[:, PR_SEGMENT].mean(1, keepdim=True)


def unit_scale(samples: Tensor) -> Tensor:
    """Samples (N, L) in millivolts with a root mean square of 1."""
    return samples / ((samples * samples).mean(1, keepdim=True).sqrt() + 1e-3)  # 1 uV: a flat beat stays flat


def centred_rr(beat: Tensor) -> Tensor:
    """The RR interval (N, 1) from 0.8 s on, in units of 0.1 s."""
    return (beat[:, SAMPLES:] - USUAL_RR_S) * RR_PER_S

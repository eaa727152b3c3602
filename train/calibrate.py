"""From evidence to log odds: fit one slope on recordings that training has not seen."""

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from edge_ecg.contract import VotingConstants
from train.judge import Judgement

PRIOR_RECORDINGS = 1.0  # imagined recordings on each side at evidence 0: keeps the slope finite on separable data


def calibrate(judgement: Judgement, voting: VotingConstants) -> VotingConstants:
    """Temperature scaling (Guo et al. 2017) of a beat's evidence; every recording weighs the same.

    There is no offset: on dates that drift it moves more than two validation dates could tell, and without
    it a beat's sign stays that of its vote.
    """
    beats = judgement.beats
    sign = np.where(beats.is_target, 1.0, -1.0)
    weight = 1 / np.bincount(beats.recording)[beats.recording]

    def loss(log_slope: float) -> float:
        slope = np.exp(log_slope)
        mistaken = np.logaddexp(0, -slope * sign * judgement.evidence)
        prior = PRIOR_RECORDINGS * np.logaddexp(0, slope * np.std(judgement.evidence))
        return float(np.sum(weight * mistaken) + prior)

    slope = float(np.exp(minimize_scalar(loss, bounds=(-8, 4), method="bounded").x))
    return replace(voting, slope=slope, offset=0.0, calibration_recordings=len(beats.sources))

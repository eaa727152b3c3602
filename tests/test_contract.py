"""The contract survives its way through JSON, and nothing else passes for one."""

import json
from typing import Any

import pytest
from scipy.signal import butter

from edge_ecg.contract import CONTRACT, Contract
from edge_ecg.errors import ContractError


def test_round_trip_through_json() -> None:
    assert Contract.from_json(json.loads(json.dumps(CONTRACT.to_json()))) == CONTRACT


def test_a_beat_is_384_numbers_with_r_at_128() -> None:
    assert (CONTRACT.before_r_samples, CONTRACT.window_samples, CONTRACT.beat_length) == (128, 383, 384)


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("sample_rate_hz", "512"),
        ("sample_rate_hz", True),
        ("settle_samples", 3.5),
        ("version", 99),
        ("voting.slope", float("nan")),
        ("voting.slope", None),
        ("voting", []),
        ("detector.bandpass_sos", [[1, 2], ["x"]]),
        ("unheard_of", 1),
    ],
)
def test_a_wrong_entry_is_refused_by_name(entry: str, value: Any) -> None:
    content = json.loads(json.dumps(CONTRACT.to_json()))
    *path, last = entry.split(".")
    place = content
    for part in path:
        place = place[part]
    place[last] = value
    with pytest.raises(ContractError, match=last):
        Contract.from_json(content)


def test_a_missing_entry_is_refused_by_name() -> None:
    content = CONTRACT.to_json()
    del content["block_samples"]
    with pytest.raises(ContractError, match="block_samples"):
        Contract.from_json(content)


def test_filter_coefficients_are_scipys() -> None:
    expected = butter(2, (8, 20), "bandpass", fs=CONTRACT.sample_rate_hz, output="sos")
    for row, wanted in zip(CONTRACT.detector.bandpass_sos, expected, strict=True):
        assert row == pytest.approx(wanted, rel=1e-9)

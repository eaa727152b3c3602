"""The contract survives its way through JSON, and nothing else passes for one."""

import json
import time
from operator import attrgetter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import butter

from edge_ecg.contract import CONTRACT, Contract
from edge_ecg.errors import ContractError
from edge_ecg.inference.votes import DecisionRule
from edge_ecg.signal.stream import BeatStream
from edge_ecg.simulation.synthetic import record, synthetic_person
from tests.shape_cases import contract_ends


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
    with pytest.raises(ContractError, match=entry.split(".")[-1]):
        Contract.from_json(with_entry(entry, value))


def with_entry(name: str, value: Any) -> dict[str, Any]:
    """The contract as JSON, with another value in one place."""
    content: dict[str, Any] = json.loads(json.dumps(CONTRACT.to_json()))
    *path, last = name.split(".")
    place = content
    for part in path:
        place = place[part]
    place[last] = value
    return content


STABLE = [[1, 0, 0, 1, 0, 0]]


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("sample_rate_hz", 256),
        ("block_samples", 0),
        ("after_r_samples", 3),
        ("settle_samples", -1),
        ("detector.learning", 0),
        ("detector.learning", 1383),  # search-back remembers 1.8 * 768 samples
        ("detector.adaptation", 1e9),
        ("detector.level_beats", 1),
        ("detector.threshold", 1.0),
        ("detector.rr_min", 0.5),
        ("detector.rr_max", 153.0),
        ("detector.envelope_delay", 33),
        ("detector.baseline_samples", 41),
        ("detector.bandpass_sos", []),
        ("detector.bandpass_sos", STABLE * 17),
        ("detector.bandpass_sos", [[1, 0, 0, 1, 0]]),
        ("detector.bandpass_sos", [[1, 0, 0, 2, 0, 0]]),
        ("detector.bandpass_sos", [[1, 0, 0, 1, 0, 1]]),  # poles on the unit circle
        ("detector.bandpass_sos", [[1, 0, 0, 1, -2, 1]]),
        ("detector.bandpass_sos", [[1, 0, 0, 1, 1.95, 0.94]]),  # a real one outside
        ("quality.qrs", 129),
        ("quality.noise_lag", 106),
        ("quality.rr_max", 127),
        ("quality.most_span_uv", 49.0),
        ("voting.alpha", 0.0),
        ("voting.beta", 0.5),
        ("voting.fewest_beats", 0),
    ],
)
def test_a_senseless_entry_is_refused_by_name(entry: str, value: Any) -> None:
    with pytest.raises(ContractError, match=f"contract.{entry}"):
        Contract.from_json(with_entry(entry, value))


def test_every_range_is_of_a_number_of_the_contract() -> None:
    for name, (least, most) in contract_ends().items():
        assert least <= attrgetter(name)(CONTRACT) <= most


@given(data=st.data())
def test_every_contract_that_loads_runs_a_recording_to_its_end(data: st.DataObject) -> None:
    """Several numbers at once take the ends of their range, something between, or the contract's own value."""
    content = CONTRACT.to_json()
    for name in data.draw(st.lists(st.sampled_from(sorted(contract_ends())), max_size=4, unique=True)):
        own = attrgetter(name)(CONTRACT)
        limits = contract_ends()[name]
        if type(own) is int:
            value = data.draw(st.sampled_from([*limits, own // 2, own * 2]) | st.integers(*map(int, limits)))
        else:
            value = data.draw(st.sampled_from([*map(float, limits), own / 2, own * 2]) | st.floats(*limits))
        *path, last = name.split(".")
        (content[path[0]] if path else content)[last] = value
    try:
        contract = Contract.from_json(content)
    except ContractError:
        return
    recording = record(synthetic_person(1), "fasting", 0, number=0, duration_s=8.0)
    stream = BeatStream(recording.sample_rate_hz, contract)
    began = time.process_time()
    for samples in np.array_split(recording.samples_uv, 3):
        for beat in stream.push(samples):
            assert beat.values.shape == (contract.beat_length,)
    rule = DecisionRule(("baseline", "target"), None, contract.voting)
    assert rule.lower < 0 < rule.upper
    assert time.process_time() - began < 30  # 0.01 s as a rule: this is for hanging


def test_a_missing_entry_is_refused_by_name() -> None:
    content = CONTRACT.to_json()
    del content["block_samples"]
    with pytest.raises(ContractError, match="block_samples"):
        Contract.from_json(content)


def test_filter_coefficients_are_scipys() -> None:
    expected = butter(2, (8, 20), "bandpass", fs=CONTRACT.sample_rate_hz, output="sos")
    for row, wanted in zip(CONTRACT.detector.bandpass_sos, expected, strict=True):
        assert row == pytest.approx(wanted, rel=1e-9)

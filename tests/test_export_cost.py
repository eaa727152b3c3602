"""Cost on paper is what is counted by hand, and the doctor says what follows from what it finds."""

import json

import pytest
from click.testing import CliRunner

pytest.importorskip("coremltools")

from edge_ecg.bundles.bundle import load_bundle
from edge_ecg.cli import cli, doctor
from edge_ecg.report.profile import profile


def test_multiply_adds_are_what_is_counted_by_hand(small_bundle):
    bundle = load_bundle(small_bundle)
    costs = profile(bundle)
    linear = [c for c in costs.layers if c.op == "linear"]
    references, length = bundle.references.embeddings.shape
    hidden = linear[-2]
    assert hidden.multiply_adds == references * 16 * 2 * length  # 16 hidden units see |a - b| and (a - b)^2
    assert hidden.parameters == 16 * (2 * length + 1)
    assert linear[0].multiply_adds == 95  # the place of each pooled sample, from the RR interval
    assert linear[1].multiply_adds == 96 * length  # the one linear map
    facts = costs.to_json()
    assert facts["multiply_adds_a_beat"] == sum(c.multiply_adds for c in costs.layers)
    assert facts["peak_activation_bytes"] >= 4 * 384
    assert 0 < facts["parameters"] <= bundle.manifest["model"]["parameters"]


def test_the_command_says_that_an_estimate_is_one(small_bundle):
    shown = CliRunner().invoke(cli, ["profile", str(small_bundle)], catch_exceptions=False)
    assert "not measured on a watch" in " ".join(shown.stdout.split())
    as_json = CliRunner().invoke(cli, ["profile", str(small_bundle), "--json"], catch_exceptions=False)
    assert json.loads(as_json.stdout)["layers"]


def test_inspect_shows_the_artifacts_in_one_table(small_bundle):
    shown = CliRunner().invoke(cli, ["inspect", str(small_bundle)], catch_exceptions=False)
    for artifact in ("onnx fp32", "onnx int8", "coreml fp32", "coreml fp16", "coreml int8", "portable int8"):
        assert f"\n{artifact}" in shown.stdout


def test_the_doctor_says_what_follows():
    found = {finding.what: finding for finding in doctor.findings()}
    assert {"torch and coremltools", "Core ML", "Swift", "ONNX Runtime", "int8 instructions"} <= found.keys()
    assert all(finding.found and finding.follows for finding in found.values())
    shown = CliRunner().invoke(cli, ["doctor"], catch_exceptions=False)
    assert shown.exit_code == 0


def test_what_is_not_installed_is_said(monkeypatch):
    monkeypatch.setattr(doctor, "installed", lambda name: None)
    found = {finding.what: finding for finding in doctor.findings()}
    assert not found["torch"].good
    assert "no training" in found["torch"].follows
    assert not found["torch and coremltools"].good

"""What docs/api.md promises: every bad input is an EdgeEcgError of one sentence, and a replay is a table of beats."""

import inspect
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click
import numpy as np
import pytest

import edge_ecg
from edge_ecg import Bundle, DayBaseline, EdgeEcgError, Recording, Watch, find_recordings, load_bundle, read_recording
from edge_ecg import replay as replayed
from edge_ecg.bundles.bundle import read_files, write_bundle
from edge_ecg.bundles.sign import sign_bundle, verify_bundle
from edge_ecg.cli import cli
from edge_ecg.datasets.importing import list_recordings
from edge_ecg.report.plot import plot
from edge_ecg.signal.stream import BeatStream, cut_beats, r_peak_times_s
from edge_ecg.simulation.synthetic import record, synthetic_person


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


@pytest.fixture(scope="module")
def recording() -> Recording:
    made = record(synthetic_person(1), "glucose", day=1, number=1)
    return Recording(made.samples_uv, made.sample_rate_hz, "synthetic")


SAMPLES = [
    np.zeros((100, 2)),
    np.zeros((2, 3, 4)),
    "abc",
    ["a", "b"],
    None,
    [None, 1.0],
    [[1.0], [1.0, 2.0]],
    np.ones(5) + 1j,
    np.ones(5, bool),
    5.0,
]


@pytest.mark.parametrize("samples", SAMPLES, ids=lambda samples: repr(samples)[:16])
def test_what_are_no_samples_is_refused(bundle: Bundle, samples: object) -> None:
    for push in (Watch(bundle).push, BeatStream(512.0).push):
        with pytest.raises(EdgeEcgError, match="microvolts"):
            push(samples)  # type: ignore[arg-type]


def test_two_leads_are_told_how_to_push_one(bundle: Bundle) -> None:
    with pytest.raises(EdgeEcgError, match=r"shape \(100, 12\).*push one lead, such as samples\[:, 0\] of 12"):
        Watch(bundle).push(np.zeros((100, 12)))


@pytest.mark.parametrize("chunk", [1, 64, 5000, 15360])
def test_millivolts_are_told_after_ten_seconds_whatever_the_chunk(
    bundle: Bundle, recording: Recording, chunk: int
) -> None:
    watch, wanted = Watch(bundle, recording.sample_rate_hz), round(10 * recording.sample_rate_hz)
    samples_mv = recording.samples_uv / 1000
    before = (wanted - 1) // chunk * chunk
    for start in range(0, before, chunk):
        watch.push(samples_mv[start : start + chunk])
    with pytest.raises(EdgeEcgError, match="surely in millivolts"):
        watch.push(samples_mv[before : before + chunk])
    watch.reset()
    assert watch.push(recording.samples_uv)  # in microvolts


def test_a_flat_line_and_integers_are_no_other_unit(bundle: Bundle, recording: Recording) -> None:
    watch = Watch(bundle, recording.sample_rate_hz)
    watch.push(np.zeros(9000))
    watch.push(np.full(9000, np.nan))
    watch.reset()
    in_whole = np.rint(recording.samples_uv)
    assert [j.vote for j in watch.push(in_whole.astype(int))] == [
        j.vote for j in Watch(bundle, recording.sample_rate_hz).push(in_whole)
    ]


NOT_PATHS = [None, 5, b"bundle", "a\0b", object()]
OF_A_PATH: list[Callable[[object], object]] = [
    load_bundle,  # type: ignore[list-item]
    read_files,  # type: ignore[list-item]
    read_recording,  # type: ignore[list-item]
    lambda path: list(find_recordings(path)),  # type: ignore[arg-type]
    lambda path: write_bundle(path, {}, {}),  # type: ignore[arg-type]
    lambda path: sign_bundle(path, Path("key.pem")),  # type: ignore[arg-type]
    lambda path: verify_bundle(path, Path("key.pem")),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("path", NOT_PATHS, ids=lambda path: type(path).__name__)
def test_what_is_no_path_is_refused(path: object) -> None:
    for takes_a_path in OF_A_PATH:
        with pytest.raises(EdgeEcgError, match="expected the path"):
            takes_a_path(path)


def test_one_path_is_no_list_of_them() -> None:
    with pytest.raises(EdgeEcgError, match="expected a list of paths"):
        list_recordings("/")  # type: ignore[arg-type]


def test_each_object_is_asked_for_by_its_kind(bundle: Bundle, recording: Recording, small_bundle: Path) -> None:
    wrong: list[Callable[[], object]] = [
        lambda: Watch(small_bundle),  # type: ignore[arg-type]
        lambda: Watch(bundle, day_baseline=recording),  # type: ignore[arg-type]
        lambda: Watch(bundle, day="2024-03-01"),  # type: ignore[arg-type]
        lambda: Watch(bundle, day=datetime(2024, 3, 1)),
        lambda: DayBaseline.of(bundle, ["a.csv"]),  # type: ignore[list-item]
        lambda: DayBaseline.of(bundle, None),  # type: ignore[arg-type]
        lambda: DayBaseline.of(bundle, []),
        lambda: replayed(bundle, "a.csv"),  # type: ignore[arg-type]
        lambda: cut_beats("a.csv"),  # type: ignore[arg-type]
        lambda: r_peak_times_s(recording.samples_uv),  # type: ignore[arg-type]
        lambda: plot("a.csv"),  # type: ignore[arg-type]
        lambda: synthetic_person(-1),
    ]
    for call in wrong:
        with pytest.raises(EdgeEcgError):
            call()


@pytest.mark.parametrize("number", [0, -1, float("nan"), float("inf"), "x", None], ids=repr)
def test_numbers_without_sense_are_refused(bundle: Bundle, recording: Recording, number: object) -> None:
    watch = Watch(bundle)
    calls: list[Callable[[object], object]] = [
        lambda n: Watch(bundle, n),  # type: ignore[arg-type]
        lambda n: BeatStream(n),  # type: ignore[arg-type]
        lambda n: replayed(bundle, recording, chunk_samples=n),  # type: ignore[arg-type]
    ]
    if number is not None:
        calls.append(lambda n: replayed(bundle, recording, speed=n))  # type: ignore[arg-type]
    if number != 0:
        calls.append(watch.gap)  # type: ignore[arg-type]
    for call in calls:
        with pytest.raises(EdgeEcgError):
            call(number)


def test_a_replay_is_a_table_of_beats(bundle: Bundle, recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    noisy = recording.samples_uv.copy()
    noisy[5000:5600] = np.nan
    result = replayed(bundle, Recording(noisy, recording.sample_rate_hz, "synthetic"))
    table = result.to_dataframe()
    assert len(table) == len(result.judged)
    voted = table[table["vote"].notna()]
    assert voted["vote"].value_counts().to_dict() == {k: n for k, n in result.decision.votes.items() if n}
    assert voted["evidence"].mean() == pytest.approx(np.mean([j.vote.evidence for j in result.judged if j.vote]))
    assert (table.loc[table["vote"].isna(), "unusable"] != "").all()
    assert table["evidence"].isna().sum() == result.decision.unusable > 0
    apart_s = np.diff(table["r_s"])
    one_after_the_other = apart_s < 1.5  # no beat was lost in the hole
    np.testing.assert_allclose(apart_s[one_after_the_other], table["rr_s"][1:][one_after_the_other], atol=1e-6)
    assert table["decision"].iloc[-1] == result.decision.label
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(EdgeEcgError, match="needs pandas"):
        result.to_dataframe()


def test_a_replay_takes_paths(small_bundle: Path, small_dataset: Path) -> None:
    file = next(small_dataset.parent.glob("0309/*/*.csv"))
    by_path, by_object = (
        replayed(str(small_bundle), str(file)),
        replayed(load_bundle(small_bundle), read_recording(file)),
    )
    assert by_path.decision == by_object.decision
    with pytest.raises(EdgeEcgError, match=r"absent\.csv"):
        replayed(small_bundle, "absent.csv")


def test_what_a_notebook_shows(bundle: Bundle, recording: Recording) -> None:
    """Each has a short repr and a picture or table; names of files are text there, never markup."""
    pytest.importorskip("matplotlib")
    gap = recording.samples_uv.copy()
    gap[2000:2600] = np.nan
    odd = Recording(gap, recording.sample_rate_hz, "<b>odd</b>.csv")
    done = replayed(bundle, odd)
    watch = Watch(bundle, odd.sample_rate_hz)
    watch.push(odd.samples_uv)
    for thing in (odd, done, done.decision, bundle, watch):
        assert len(repr(thing)) < 200
        assert "<b>odd" not in thing._repr_html_()
    for thing in (odd, done):
        assert thing._repr_html_().count("<svg") == 1
        assert thing._repr_html_().count("M") == 2  # the trace before the gap and after it
        assert len(thing.plot().axes) >= 2
    assert str(done.decision) in done._repr_html_()


def test_training_and_export_are_functions_with_the_defaults_of_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command gets what was given; bad input is an EdgeEcgError and nothing is written."""
    monkeypatch.chdir(tmp_path)
    for call, sentence in (
        (lambda: edge_ecg.train(), "give a DATASET.toml"),
        (lambda: edge_ecg.train("absent.toml"), "absent.toml"),
        (lambda: edge_ecg.export(), "give a RUN"),
        (lambda: edge_ecg.export("absent"), "absent"),
        (lambda: edge_ecg.export("absent", only=["pickle"]), "pickle"),
    ):
        with pytest.raises(EdgeEcgError, match=sentence):
            call()
    assert not any(tmp_path.iterdir())
    given: list[list[str]] = []
    monkeypatch.setattr(cli, "main", lambda words, standalone_mode: given.append(words))
    (tmp_path / "run").mkdir()
    assert edge_ecg.train("d.toml", epochs=3) == Path("run-2")
    assert edge_ecg.export("run-2", only=["onnx", "portable"]) == Path("bundle")
    assert given == [
        ["train", "d.toml", "--out", "run-2", "--seed", "0", "--epochs", "3"],
        ["export", "run-2", "--out", "bundle", "--only", "onnx,portable"],
    ]


def test_defaults_of_the_functions_are_those_of_the_commands() -> None:
    for function, name in ((edge_ecg.train, "train"), (edge_ecg.export, "export")):
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        options = {option.opts[0].lstrip("-") for option in command.params if isinstance(option, click.Option)}
        ours = set(inspect.signature(function).parameters) - {"dataset", "run"}
        assert options - {"beats", "verbose"} == ours
    seed = next(o for o in cli.get_command(click.Context(cli), "train").params if o.name == "seed")  # type: ignore[union-attr]
    assert inspect.signature(edge_ecg.train).parameters["seed"].default == seed.default

"""The day's baseline: what is compared with what, which recordings are refused, and what the commands say."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_ecg.bundles.bundle import Bundle, load_bundle
from edge_ecg.cli.day_baseline import Session, day_baselines
from edge_ecg.errors import RecordingError
from edge_ecg.inference.votes import INCONCLUSIVE, NOT_A_NUMBER
from edge_ecg.playback import Step, replay
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import NO_OVERRIDES, Recording
from edge_ecg.simulation.synthetic import record, synthetic_person
from edge_ecg.watch import ENOUGH_BEATS, DayBaseline, Watch
from tests.commands import edge_ecg


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


@pytest.fixture(scope="module")
def day(small_dataset: Path) -> Path:
    """The folder of one day that training has not seen: two recordings of either state."""
    return small_dataset.parent / "0308"


@pytest.fixture(scope="module")
def baselines(day: Path) -> list[Recording]:
    return [read_recording(path) for path in sorted((day / "fasting").glob("*.csv"))]


@pytest.fixture(scope="module")
def target(day: Path) -> Recording:
    return read_recording(min((day / "glucose").glob("*.csv")))


def test_its_level_is_the_mean_of_its_recordings(bundle: Bundle, baselines: list[Recording]) -> None:
    found = DayBaseline.of(bundle, baselines)
    levels, counts = [], []
    for recording in baselines:
        votes = [judged.vote for judged in Watch(bundle, recording.sample_rate_hz).push(recording.samples_uv)]
        evidence = [vote.evidence for vote in votes if vote]
        levels.append(np.mean(evidence))
        counts.append(len(evidence))
    assert found.level.level == pytest.approx(np.mean(levels))
    assert (found.level.recordings, found.level.beats) == (2, min(counts))
    assert found.sources == tuple(recording.source for recording in baselines)
    assert str(found.day) == "2024-03-08"


def test_a_watch_knows_when_a_baseline_is_enough(bundle: Bundle, baselines: list[Recording], target: Recording) -> None:
    """A recording that ends at the tenth vote is a day's baseline, and decides as two whole ones."""
    whole, watch, pushed = baselines[0], Watch(bundle, baselines[0].sample_rate_hz), 0
    while not watch.is_baseline_enough:
        watch.push(whole.samples_uv[pushed : pushed + 64])
        pushed += 64
    assert watch.decision.beats == ENOUGH_BEATS
    assert pushed < 15 * whole.sample_rate_hz  # the first three seconds settle
    short = DayBaseline.of(bundle, [replace(whole, samples_uv=whole.samples_uv[:pushed])])
    assert (short.level.recordings, short.level.beats) == (1, ENOUGH_BEATS)
    for day in (short, DayBaseline.of(bundle, baselines)):
        assert replay(bundle, target, day_baseline=day).decision.label == "glucose"


def test_a_watch_that_knows_the_day_says_by_which_rule(
    bundle: Bundle, baselines: list[Recording], target: Recording
) -> None:
    found = DayBaseline.of(bundle, baselines)
    with_day, without = (replay(bundle, target, day_baseline=known) for known in (found, None))
    assert (with_day.rule, without.rule) == ("day's baseline, 2 recordings", "no baseline of the day")
    assert with_day.log_odds == pytest.approx(
        bundle.rule.levels.log_odds(level_of(bundle, target), with_day.decision.beats, found.level)  # type: ignore[union-attr]
    )
    assert with_day.log_odds != without.log_odds
    assert with_day.dates == {"fasting": 7, "glucose": 7}
    assert with_day.decision.confidence <= 7 / 8


def level_of(bundle: Bundle, recording: Recording) -> float:
    watch = Watch(bundle, recording.sample_rate_hz)
    watch.push(recording.samples_uv)
    return watch.level


def test_a_recording_of_another_day_is_refused(
    bundle: Bundle, baselines: list[Recording], target: Recording, small_dataset: Path
) -> None:
    other = read_recording(min((small_dataset.parent / "0309" / "fasting").glob("*.csv")))
    with pytest.raises(RecordingError, match=r"one day, not .* of 2024-03-08, .* of 2024-03-09"):
        DayBaseline.of(bundle, [baselines[0], other])
    with pytest.raises(RecordingError, match="is of 2024-03-09, the recording of 2024-03-08"):
        Watch(bundle, target.sample_rate_hz, target.day, DayBaseline.of(bundle, [other]))
    with pytest.raises(RecordingError, match="there is no recording"):
        DayBaseline.of(bundle, [])


def test_what_can_not_be_judged_can_not_be_a_baseline(bundle: Bundle, baselines: list[Recording]) -> None:
    one = baselines[0]
    turned = replace(synthetic_person(1), baseline=replace(synthetic_person(1).baseline, t_uv=-300.0))
    stranger = Recording(record(turned, "fasting", 3, number=1).samples_uv, 512.0, "stranger.csv")
    for recording, reason in (
        (replace(one, samples_uv=np.full_like(one.samples_uv, np.nan)), "0 usable beats"),
        (replace(one, samples_uv=one.samples_uv[: 5 * 512]), "usable beats, expected at least 3"),
        (replace(one, source=one.source.replace("2024-03", "2024-09"), recorded_at="2024-09-08"), "out of date"),
        (stranger, "out of distribution"),
    ):
        with pytest.raises(RecordingError, match=f"can't be the day's baseline: .*{reason}"):
            DayBaseline.of(bundle, [recording])


def test_every_step_shows_what_is_provisional(bundle: Bundle, target: Recording) -> None:
    steps: list[Step] = []
    final = replay(bundle, target, show=steps.append).decision
    assert final.label == "glucose"
    assert final.provisional is not None
    decisions = [step.decision for step in steps]
    first = next(number for number, decision in enumerate(decisions) if decision.provisional)
    assert decisions[first].beats == final.provisional.beats
    assert {decision.provisional for decision in decisions[first:]} == {final.provisional}


def test_a_recording_that_turns_into_the_other_state_is_inconclusive(
    bundle: Bundle, baselines: list[Recording], target: Recording
) -> None:
    """Two thirds of a target recording after a third of a baseline: what was said early does not stand."""
    cut = 9 * 512
    both = np.concatenate([baselines[0].samples_uv[:cut], target.samples_uv[cut:]])
    found = replay(bundle, replace(target, samples_uv=both)).decision
    assert found.provisional is not None
    assert found.provisional.label == "fasting"
    assert found.label == INCONCLUSIVE


@pytest.mark.parametrize("broken", ["encoder", "comparator"])
def test_an_engine_that_gives_no_number_decides_nothing(bundle: Bundle, target: Recording, broken: str) -> None:
    engine = getattr(bundle, broken)
    sick = replace(bundle, person=None, **{broken: lambda *inputs: np.full_like(engine(*inputs), np.nan)})
    found = replay(sick, target)
    assert (found.decision.label, found.decision.confidence) == (INCONCLUSIVE, 0.5)
    assert found.unusable == {NOT_A_NUMBER: found.decision.unusable}
    assert not any(judged.beat.unusable for judged in found.judged)


# The command


def test_the_first_recordings_of_a_day_are_its_baseline(small_bundle: Path, day: Path, small_dataset: Path) -> None:
    done = edge_ecg("replay", small_bundle, day, day.parent / "0309", "--day-baseline-first", 1, "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 6  # of 8: one baseline of each day is not judged
    assert {line["rule"] for line in lines} == {"day's baseline, 1 recording"}
    judged = {line["file"] for line in lines}
    for date in ("0308", "0309"):
        first, second = sorted(map(str, (small_dataset.parent / date / "fasting").glob("*.csv")))
        assert first not in judged
        assert second in judged


def test_a_table_says_what_lies_in_folders_without_a_name(
    small_bundle: Path, baselines: list[Recording], target: Recording, tmp_path: Path
) -> None:
    rows = []
    for recording, label in ((baselines[0], "fasting"), (baselines[1], "fasting"), (target, "glucose")):
        file = Path(recording.source)
        (tmp_path / file.name).write_bytes(file.read_bytes())
        rows.append(f"{file.name},{label}")
    labels = tmp_path.parent / "labels.csv"
    labels.write_text("file,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    options = ("--day-baseline-first", 2, "--labels", labels, "--json")
    done = edge_ecg("replay", small_bundle, tmp_path, *options)
    assert [json.loads(line)["rule"] for line in done.stdout.splitlines()] == ["day's baseline, 2 recordings"]
    without = edge_ecg("replay", small_bundle, tmp_path, *options[:2])
    assert without.returncode == 2
    assert "or give --labels" in without.stderr


def test_a_stranger_reads_what_was_compared_with_what(
    small_bundle: Path, baselines: list[Recording], target: Recording
) -> None:
    named = [option for recording in baselines for option in ("--day-baseline", recording.source)]
    done = edge_ecg("replay", small_bundle, target.source, *named)
    assert done.returncode == 0, done.stderr
    for text in (
        "The day's baseline of 2024-03-08, 2 recordings of fasting: ",
        *(Path(recording.source).name for recording in baselines),
        "Compared with fasting of the same day, and glucose on other days.",
        "Decided at 95%",
        "Confidence is capped at 87.5% for fasting and 87.5% for glucose, because training had 7 dates with fasting",
    ):
        assert text in " ".join(done.stdout.split())
    plain = edge_ecg("replay", small_bundle, target.source, "--confidence", 0.9)
    assert "Compared with fasting and glucose on other days" in plain.stdout
    assert "Decided at 90%" in plain.stdout


def test_a_baseline_that_can_not_be_one_is_an_error(
    small_bundle: Path, day: Path, baselines: list[Recording], target: Recording, small_dataset: Path
) -> None:
    other = min((small_dataset.parent / "0309" / "fasting").glob("*.csv"))
    done = edge_ecg("replay", small_bundle, target.source, "--day-baseline", other)
    assert done.returncode == 2
    assert f"{target.source}: the day's baseline is of 2024-03-09, the recording of 2024-03-08" in done.stderr
    both = edge_ecg("replay", small_bundle, day, "--day-baseline", other, "--day-baseline-first", 1)
    assert both.returncode == 2
    assert "give one" in both.stderr
    mixed = edge_ecg("replay", small_bundle, day, "--day-baseline", other, "--day-baseline", baselines[0].source)
    assert mixed.returncode == 2
    assert "must be of one day" in mixed.stderr


def test_persons_of_one_day_each_have_their_own_baseline(bundle: Bundle, day: Path, tmp_path: Path) -> None:
    """Folders that hold those of the labels are sessions, whatever the calendar says; without any, a day is one."""
    for person in ("P01", "P02"):
        shutil.copytree(day, tmp_path / person)
    found = day_baselines(bundle, (), 2, [str(tmp_path)], NO_OVERRIDES, {}, print)
    assert len(found.by_session) == 2
    for person in ("P01", "P02"):
        of_person = found.of(read_recording(min((tmp_path / person / "glucose").glob("*.csv"))))
        assert of_person
        assert {Path(source).parent for source in of_person.sources} == {tmp_path / person / "fasting"}
        assert of_person.level == found.by_session[Session((tmp_path / "P01").as_posix(), of_person.day)].level

    flat = tmp_path / "flat"
    flat.mkdir()
    labels = {}
    for number, path in enumerate(sorted(tmp_path.glob("P0*/*/*.csv"))):
        labels[f"{number}.csv"] = path.parent.name
        shutil.copy(path, flat / f"{number}.csv")
    (one,) = day_baselines(bundle, (), 2, [str(flat)], NO_OVERRIDES, labels, print).by_session
    assert (one.folder, str(one.day)) == ("", "2024-03-08")

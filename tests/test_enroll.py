"""Enrolment and range: a drift is repaired as far as it is proven, ordinary dates change nothing, strangers show."""

import json
import shutil
from dataclasses import astuple, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from edge_ecg.bundles.bundle import GOLDEN, PERSON, REFERENCES_INT8, Bundle, load_bundle, read_files
from edge_ecg.cli import cli
from edge_ecg.enroll import baseline_shift, enroll, geometric_median, write_enrolled
from edge_ecg.errors import BundleError, RecordingError
from edge_ecg.inference.novelty import OUT_OF_DATE, OUT_OF_DISTRIBUTION, TrainingDistribution, span_of
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import INCONCLUSIVE
from edge_ecg.playback import replay
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import Recording
from edge_ecg.simulation.synthetic import Person, _day, record, synthetic_person
from edge_ecg.watch import Watch, embeddings
from train.data import BeatSet
from train.fit.decision import fit_distribution

TRAINING_DATES = range(7)
DIRECTION = np.eye(8)[3]


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


@pytest.fixture(scope="module")
def baselines(small_dataset: Path) -> list[Recording]:
    """The baseline recordings that `small_bundle` was trained on."""
    return [read_recording(path) for path in sorted(small_dataset.parent.glob("030[1-7]/fasting/*.csv"))]


def recorded(person: Person, state: str, day: int, number: int = 1, **options: bool) -> Recording:
    made = record(person, state, day, number=number, **options)  # type: ignore[arg-type]
    return Recording(made.samples_uv, 512.0, f"ecg_2024-03-{day + 1:02}_{number}.csv")


def stranger() -> Person:
    """A person whose T wave is upside down."""
    person = synthetic_person(1)
    return replace(person, baseline=replace(person.baseline, t_uv=-300.0))


def seen(length: int = 8) -> TrainingDistribution:
    turned = np.linalg.qr(np.random.default_rng(7).normal(size=(length, length)))[0]
    directions, variances = turned.T[::-1][:2], np.array([4.0, 1.0, 0.25])  # a view, as linear algebra gives them
    return TrainingDistribution(np.zeros((2, length)), directions, variances, 2.0)


def judged(bundle: Bundle, recording: Recording, chunk: int = 10**6) -> Watch:
    watch = Watch(bundle, recording.sample_rate_hz)
    for start in range(0, len(recording.samples_uv), chunk):
        watch.push(recording.samples_uv[start : start + chunk])
    return watch


# The rule


@given(distance=st.floats(0, 100), dates=st.integers(1, 8), each=st.integers(1, 5))
def test_the_shift_is_the_way_to_the_fresh_baseline(distance: float, dates: int, each: int) -> None:
    centres = np.tile(distance * DIRECTION, (dates * each, 1))
    shift = baseline_shift(centres, [str(n % dates) for n in range(dates * each)], seen())
    np.testing.assert_allclose(shift, distance * DIRECTION, atol=1e-6)


@given(st.integers(0, 10**6), st.integers(3, 12))
def test_the_geometric_median_has_the_least_sum_of_distances(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    points, weights = rng.normal(size=(count, 3)), rng.uniform(0.5, 2, count)

    def total(place: np.ndarray) -> float:
        return float(weights @ np.linalg.norm(points - place, axis=1))

    best = minimize(total, points.mean(0), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10}).fun
    assert total(geometric_median(points, weights)) <= best * (1 + 1e-3)


def test_a_minority_of_odd_recordings_hardly_moves_the_level() -> None:
    rng = np.random.default_rng(0)
    centres = 5 * DIRECTION + rng.normal(0, 0.1, (7, 8))
    clean = baseline_shift(centres, list("aabbccd"), seen())
    centres[6] += 1000.0
    odd = baseline_shift(centres, list("aabbccd"), seen())
    assert np.linalg.norm(odd - clean) < 0.2


def test_a_date_counts_once_however_many_recordings_it_has() -> None:
    few = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    many = np.repeat(few, [1, 9, 1], axis=0)
    weights = np.array([1.0, *[1 / 9] * 9, 1.0])
    np.testing.assert_allclose(geometric_median(many, weights), geometric_median(few, np.ones(3)), atol=1e-6)


# The range


def test_with_every_direction_the_distance_is_mahalanobis() -> None:
    rng = np.random.default_rng(1)
    factor = rng.normal(size=(6, 6))
    covariance = factor @ factor.T
    variances, directions = np.linalg.eigh(covariance)
    centres = rng.normal(size=(2, 6))
    whole = TrainingDistribution(centres, directions.T[1:], np.r_[variances[1:], variances[0]], 2.0)
    points = rng.normal(size=(20, 6))
    away = points[:, None] - centres
    expected = np.sqrt(np.einsum("ncd,de,nce->nc", away, np.linalg.inv(covariance), away).min(1) / 6)
    np.testing.assert_allclose(whole.distances(points), expected, rtol=1e-6)


def test_seen_survives_the_file_and_moves_with_the_references() -> None:
    bank = ReferenceBank(np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32), np.arange(6) > 2, seen())
    for content in (bank.to_bytes(), bank.to_int8_bytes()):
        again = ReferenceBank.from_bytes(content)
        assert again.distribution is not None
        np.testing.assert_allclose(again.distribution.directions, seen().directions, rtol=1e-6)
        np.testing.assert_array_equal(again.distribution.variances, seen().variances)
        assert again.distribution.limit == 2.0
        np.testing.assert_allclose(again.embeddings, bank.embeddings, atol=0.02)
    points = np.random.default_rng(1).normal(size=(5, 8))
    moved = bank.moved(3 * DIRECTION).distribution
    assert moved is not None
    np.testing.assert_allclose(moved.distances(points + 3 * DIRECTION), seen().distances(points))


@pytest.mark.parametrize("change", [{"limit": np.nan}, {"variances": np.zeros(3)}, {"centres": np.zeros((2, 7))}])
def test_what_can_not_be_is_refused(change: dict) -> None:
    with pytest.raises(BundleError, match="training distribution"):
        replace(seen(), **change)


def gaussian_dates(rng: np.random.Generator, dates: int) -> tuple[np.ndarray, BeatSet]:
    """Embeddings of 4 recordings of 10 beats of each state a date; dates, recordings and beats scatter."""
    recordings = dates * 8
    number = np.repeat(np.arange(dates), 8)
    is_target = np.tile([False] * 4 + [True] * 4, dates)
    level = rng.normal(0, 1.0, (dates, 6))[number] + rng.normal(0, 0.5, (recordings, 6)) + 5.0 * is_target[:, None]
    values = np.repeat(level, 10, axis=0) + rng.normal(0, 0.5, (recordings * 10, 6))
    of_beat = np.repeat(np.arange(recordings), 10)
    names = tuple(f"{n}.csv" for n in range(recordings))
    nothing, rates, days = np.zeros(len(values)), np.full(recordings, 512.0), number.astype("datetime64[D]")
    return values, BeatSet(nothing[:, None], of_beat, nothing, names, number.astype(str), is_target, rates, days)


def test_unseen_dates_are_rarely_out_of_distribution() -> None:
    rng = np.random.default_rng(2)
    alarms, count = 0, 0
    for _ in range(20):
        values, beats = gaussian_dates(rng, 10)
        fitted = fit_distribution([values], [beats])
        fresh, unseen = gaussian_dates(rng, 5)
        assert fitted is not None
        distances = fitted.distances(fresh).reshape(len(unseen.sources), 10)
        alarms += int(np.sum(np.median(distances, axis=1) > fitted.limit))
        count += len(unseen.sources)
    assert alarms / count < 0.1  # one in a hundred where dates abound; from ten dates more


def test_two_dates_can_not_say_what_is_usual() -> None:
    values, beats = gaussian_dates(np.random.default_rng(3), 2)
    assert fit_distribution([values], [beats]) is None


def test_only_an_unseen_day_unlike_all_seen_is_out_of_distribution(bundle: Bundle) -> None:
    """The synthetic person says how far a day drifts; unlike is beyond 3 standard deviations of the training days."""
    person = synthetic_person(1)
    drifts = np.array([astuple(_day(person, day)) for day in range(15)])
    seen = drifts[:7]
    unlike = (np.abs(drifts - seen.mean(0)) > 3 * seen.std(0, ddof=1)).any(1)
    assert not unlike[7:].all()
    for day in range(7, 15):
        for state in ("fasting", "glucose"):
            decision = judged(bundle, recorded(person, state, day)).decision
            assert unlike[day] or decision.beats >= decision.unusable


def test_a_stranger_is_inconclusive_and_the_watch_says_why(bundle: Bundle) -> None:
    watch = Watch(bundle)
    beats = watch.push(recorded(stranger(), "fasting", 3).samples_uv)
    assert watch.decision.label == INCONCLUSIVE
    assert sum(beat.unusable == (OUT_OF_DISTRIBUTION,) and beat.vote is None for beat in beats) > 0.9 * len(beats)
    assert not any(beat.beat.unusable for beat in beats)  # the signal is good
    blind = bundle.with_references(replace(bundle.references, distribution=None))
    assert not any(beat.unusable for beat in Watch(blind).push(recorded(stranger(), "fasting", 3).samples_uv))


def test_patients_of_another_database_are_out_of_distribution(bundle: Bundle, ecg_data: Path) -> None:
    for name in ("100", "119"):
        whole = read_recording(ecg_data / "mitbih" / name)
        part = replace(whole, samples_uv=whole.samples_uv[: 30 * 360])
        assert judged(bundle, part).decision.label == INCONCLUSIVE, name


# The calendar

MARCH = [date(2024, 3, day) for day in (1, 4, 9)]


@given(st.dates(), st.dates(), st.dates())
def test_a_day_is_out_of_date_beyond_a_week_and_as_many_days_as_are_known(one: date, other: date, day: date) -> None:
    first, last = sorted([one, other])
    known = replace(seen(), days=span_of([one.toordinal(), other.toordinal()]))
    nearest = min(max(first, day), last)
    assert known.is_out_of_date(day) == (abs(day - nearest) > max(last - first, timedelta(days=7)))


def test_a_day_that_is_not_known_is_not_out_of_date() -> None:
    assert not seen().is_out_of_date(date(2034, 3, 1))
    assert not seen().with_days(MARCH).is_out_of_date(date(2034, 3, 1))
    assert not replace(seen(), days=span_of([MARCH[0].toordinal()])).is_out_of_date(None)


def test_days_survive_the_file_and_bundles_from_before_have_none() -> None:
    known = replace(seen(), days=span_of([day.toordinal() for day in MARCH]))
    bank = ReferenceBank(np.ones((6, 8), np.float32), np.arange(6) > 2, known)
    again = ReferenceBank.from_bytes(bank.to_bytes()).distribution
    assert again is not None
    assert again.known_days == "2024-03-01 to 2024-03-09"
    before = {name: tensor for name, tensor in known.tensors().items() if name != "distribution.days"}
    older = TrainingDistribution.from_tensors(before)
    assert older is not None
    assert older.known_days == ""
    for impossible in ([1.0, 1e9], [2.0, 1.0], [np.nan, 1.0], [1.0], 1.0, [[1.0, 2.0]]):
        with pytest.raises(BundleError, match="days"):
            replace(known, days=np.array(impossible))


def later(recording: Recording, month: int) -> Recording:
    """The same recording, as if it were of that month."""
    return replace(recording, source=recording.source.replace("-03-", f"-{month:02}-"), recorded_at=None)


def test_months_later_a_bundle_does_not_decide_until_it_is_enrolled(bundle: Bundle, baselines: list[Recording]) -> None:
    target = recorded(synthetic_person(1), "glucose", 8)
    assert replay(bundle, target).decision.label == "glucose"
    assert replay(bundle, later(target, 6)).decision.label == INCONCLUSIVE
    assert set(replay(bundle, later(target, 6)).unusable) == {OUT_OF_DATE}
    fresh = enroll(bundle, [later(baseline, 6) for baseline in baselines]).references
    assert replay(bundle.with_references(fresh), later(target, 6)).decision.label == "glucose"


def test_the_command_says_what_is_out_of_date_and_judges_it_if_asked(small_bundle: Path, tmp_path: Path) -> None:
    made = record(synthetic_person(1), "glucose", 8, number=1)
    path = tmp_path / "ecg_2024-06-09.csv"
    np.savetxt(path, made.samples_uv, fmt="%.3f")
    replayed = CliRunner().invoke(cli, ["replay", str(small_bundle), str(path), "--json"])
    assert json.loads(replayed.stdout)["decision"] == INCONCLUSIVE
    assert "was trained on recordings from 2024-03-01 to 2024-03-07" in replayed.stderr
    asked = CliRunner().invoke(cli, ["replay", str(small_bundle), str(path), "--json", "--any-day", "--rate", "512"])
    assert (json.loads(asked.stdout)["decision"], asked.stderr) == ("glucose", "")


def test_training_learns_the_days_of_its_recordings(bundle: Bundle) -> None:
    assert bundle.references.distribution is not None
    assert bundle.references.distribution.known_days == "2024-03-01 to 2024-03-07"


# The bundle


def test_enrolling_what_training_saw_changes_next_to_nothing(bundle: Bundle, baselines: list[Recording]) -> None:
    found = enroll(bundle, baselines)
    assert len(found.dates) == len(TRAINING_DATES)
    assert found.distance < 0.1


@pytest.mark.parametrize("dates", [1, 2])
def test_fewer_than_three_dates_enrol_nothing(bundle: Bundle, baselines: list[Recording], dates: int) -> None:
    """So that the bundle stays out of date: one unusual date is no drift, and no repair."""
    with pytest.raises(RecordingError, match=f"of 3 dates are needed, these are of {dates} "):
        enroll(bundle, baselines[: 2 * dates])


def test_strangers_do_not_enrol(bundle: Bundle, baselines: list[Recording]) -> None:
    odd = recorded(stranger(), "fasting", 3)
    found = enroll(bundle, [*baselines[:6], odd])
    assert [sample.source for sample in found.samples if sample.rejected] == [odd.source]
    np.testing.assert_array_equal(found.shift, enroll(bundle, baselines[:6]).shift)
    with pytest.raises(RecordingError, match="another person"):
        enroll(bundle, [odd])


@pytest.fixture
def drifted(bundle: Bundle) -> Bundle:
    """The bundle as if training had been months ago: all that it has seen lies half of the way to the target away."""
    known = bundle.references.distribution
    assert known is not None
    away = 0.5 * np.linalg.norm(known.centres[1] - known.centres[0]) * known.directions[0]
    return bundle.with_references(bundle.references.moved(away))


def test_enrolment_takes_a_drift_back(bundle: Bundle, drifted: Bundle, baselines: list[Recording]) -> None:
    found = enroll(drifted, baselines)
    repaired = found.references
    before = np.linalg.norm(drifted.references.embeddings - bundle.references.embeddings)
    after = np.linalg.norm(repaired.embeddings - bundle.references.embeddings)
    assert found.distance == pytest.approx(0.5, abs=0.1)
    assert after < 0.2 * before


def test_an_enrolled_bundle_is_whole_and_its_golden_vectors_hold(
    bundle: Bundle, small_bundle: Path, tmp_path: Path, baselines: list[Recording]
) -> None:
    shift = np.full(bundle.references.embeddings.shape[1], 0.25)
    found = replace(enroll(bundle, baselines[:6]), shift=shift, references=bundle.references.moved(shift))
    enrolled = write_enrolled(bundle, found, tmp_path / "enrolled")
    np.testing.assert_allclose(enrolled.references.embeddings, bundle.references.embeddings + 0.25, atol=1e-6)
    manifest, files = read_files(tmp_path / "enrolled")
    _, before = read_files(small_bundle)
    changed = {name for name in files if files[name] != before[name]}
    moved = {"references.safetensors", GOLDEN, PERSON}
    assert moved <= changed <= {*moved, REFERENCES_INT8}
    assert "reference_model.safetensors" in files  # to check the artifacts again, with moved references
    assert manifest["enrollment"]["recordings"] == 6
    for step in json.loads(files[GOLDEN])["beats"]:
        embedding = enrolled.encoder(np.array([step["beat"]], np.float32))
        logits = enrolled.comparator(embedding, enrolled.references.embeddings)
        np.testing.assert_allclose(step["logits"], logits, atol=1e-5)
    with pytest.raises(BundleError, match="enrolled already"):
        enroll(enrolled, baselines)


@pytest.mark.parametrize("chunk", [1000, 333])
def test_chunk_size_does_not_change_what_an_enrolled_watch_says(bundle: Bundle, chunk: int) -> None:
    enrolled = bundle.with_references(bundle.references.moved(np.full(bundle.references.embeddings.shape[1], 0.1)))
    recording = recorded(synthetic_person(1), "glucose", 8)
    assert judged(enrolled, recording, chunk).decision == judged(enrolled, recording).decision


def test_moving_everything_moves_no_vote(bundle: Bundle) -> None:
    recording = recorded(synthetic_person(1), "glucose", 8)
    by = np.linspace(-1, 1, bundle.references.embeddings.shape[1])
    moved = bundle.references.moved(by).embeddings
    for embedding in embeddings(bundle, recording):
        expected = bundle.comparator(embedding, bundle.references.embeddings)
        got = bundle.comparator((embedding + by).astype(np.float32), moved)
        np.testing.assert_allclose(got, expected, atol=1e-3)


def test_the_command_writes_a_bundle_and_says_what_it_found(
    small_bundle: Path, small_dataset: Path, tmp_path: Path
) -> None:
    source = tmp_path / "bundle"
    shutil.copytree(small_bundle, source)
    folders = [str(small_dataset.parent / date / "fasting") for date in ("0307", "0308", "0309")]
    done = CliRunner().invoke(cli, ["enroll", str(source), *folders, "--out", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert said["dates"] == ["2024-03-07", "2024-03-08", "2024-03-09"]
    assert said == load_bundle(tmp_path / "out").manifest["enrollment"]
    shown = CliRunner().invoke(cli, ["inspect", str(tmp_path / "out")])
    assert "enrolled" in shown.output


def test_one_bad_file_does_not_stop_an_enrolment(small_bundle: Path, small_dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(small_dataset.parent, tmp_path / "fresh", ignore=shutil.ignore_patterns("glucose", "030[1-6]"))
    (tmp_path / "fresh/0307/fasting/broken.csv").write_text("Sample Rate,fast\n" + "1.5\n" * 3000)
    arguments = ["enroll", str(small_bundle), str(tmp_path / "fresh"), "--out", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert done.return_value == 2
    assert "broken.csv: sample rate is not a number of hertz" in done.stderr
    assert "1 skipped, not recordings: 1 .toml" in done.stderr
    assert json.loads(done.stdout)["dates"] == ["2024-03-07", "2024-03-08", "2024-03-09"]
    assert load_bundle(tmp_path / "out").manifest["enrollment"] == json.loads(done.stdout)

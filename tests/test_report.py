"""The report: self-contained, safe with strangers' text, true to the files it is drawn from, and as wide as a phone."""

import hashlib
import html
import json
import re
import shutil
import subprocess
import sys
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from typing import Any

import click
import msgspec
import numpy as np
import pytest
from scipy.stats import binomtest

from edge_ecg.cli import cli
from edge_ecg.errors import EdgeEcgError
from edge_ecg.report.findings import fold_file, read_findings
from edge_ecg.report.page import percent
from edge_ecg.report.report import report, report_of, sign_test
from edge_ecg.results import (
    BeforeAndAfter,
    Crossval,
    DayBaselineDecisions,
    DaysLearned,
    Evaluation,
    FoldScores,
    LearningCurve,
    MeanDecisions,
    PlanDecisions,
    RunMetrics,
    Split,
    read_record,
    wilson_interval,
    write_record,
)
from edge_ecg.storage.files import read_json, write_json
from edge_ecg.terminal.console import run_command
from tests.browser import CHROMIUM, in_a_browser
from train.evaluation.drifted import DRIFTS
from train.evaluation.folds import BENCHMARKS
from train.evaluation.scores import RecordingScores, beside_the_best, method_scores, scores_of, verdict
from train.studies.confounders import CONFOUNDERS

VOID = {"meta", "br", "hr", "img", "link", "input"}
EVIL = '<script>alert("$x$")</script>'


@pytest.fixture(scope="module")
def measured(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small run and all that can be measured of it; the study is made up, in the real form."""
    folder = tmp_path_factory.mktemp("measured")
    run = Path(shutil.copytree(small_run, folder / "run"))
    cv = run / "study/crossval"
    config = read_json(run / "config.json")
    validation = read_record(run / "metrics.json", RunMetrics).validation
    looked = Evaluation(
        **{**msgspec.structs.asdict(validation), "dates": tuple(config["dataset"]["dates"]["test"])},
        looks=1,
        time="2024-03-12T08:00:00+01:00",
        weights_sha256=hashlib.sha256((run / "checkpoint.safetensors").read_bytes()).hexdigest(),
    )
    write_record(run / "evaluation.json", {"test": looked})
    dates = sorted(date for of_set in config["dataset"]["dates"].values() for date in of_set)
    rng = np.random.default_rng(0)
    scores = {}
    for number, method in enumerate([*BENCHMARKS, "aligned"]):
        date, is_target = np.repeat(dates, 4), np.tile([False, False, True, True], len(dates))
        evidence = rng.normal(np.where(is_target, 0.4, -0.4) * number, 1.0)
        beats = np.full(len(date), 30)
        scores[method] = RecordingScores(date, is_target, evidence, beats, (beats * 0.8).astype(int))
        for each in dates:
            of_date = date == each
            columns = {name: np.asarray(column)[of_date].tolist() for name, column in asdict(scores[method]).items()}
            write_record(fold_file(cv, method, each), FoldScores(key="", method=method, date=each, **columns))
    crossval = Crossval(
        dataset="made up",
        labels=tuple(config["labels"]),
        seed=0,
        dates=tuple(dates),
        all_the_same=(),
        methods={method: method_scores(v) for method, v in scores.items()},
        split=Split(
            dates=config["dataset"]["dates"],
            methods={
                m: {w: scores_of(v.on_dates(config["dataset"]["dates"][w])) for w in ("validation", "test")}
                for m, v in scores.items()
                if m != "aligned"
            },
        ),
        beside=beside_the_best("aligned", scores),
        verdict=verdict("aligned", scores),
    )
    write_record(cv / "crossval.json", crossval)
    total = 2 * len(dates)
    nothing = {"targets_right": 0, "targets": 0, "wrong_recordings": (), "dates_with_an_error": 0, "dates": {}}
    nothing |= {"median_provisional_s": None, "brier_by_recording": 0.0, "brier_by_date": 0.0}
    before = PlanDecisions(right=total - 5, wrong=3, inconclusive=2, **nothing)
    after = PlanDecisions(right=total, wrong=0, inconclusive=0, **nothing)
    plans = ("none", "day's baseline")
    mean = MeanDecisions(right=11.25, wrong=0.5, inconclusive=3.25, most_wrong=1)
    drifts = {d: BeforeAndAfter(before=dict.fromkeys(plans, before), after=dict.fromkeys(plans, after)) for d in DRIFTS}
    day_baseline = DayBaselineDecisions(
        dataset="made up",
        labels=tuple(config["labels"]),
        baselines=2,
        dates=tuple(dates),
        dates_with_target=tuple(dates[1:]),
        seeds={"0": {}},
        mean={"0.95": dict.fromkeys(plans, mean)},
        excluded_recordings={"0": dict.fromkeys(plans, before)},
        drifts=drifts,
        others={"synthetic": (211, 216)},
    )
    write_record(run / "study/day_baseline/day_baseline.json", day_baseline)
    row = DaysLearned(days=2, draws=12, mean=0.884, sd=0.061, worst=0.735)
    curve = LearningCurve(dataset="made up", seed=0, methods={"comparator": (row,)})
    write_record(run / "study/learning_curve/learning_curve.json", curve)
    return folder


@pytest.fixture(scope="module")
def whole(measured: Path) -> str:
    return report(read_findings(measured / "run"))


@pytest.fixture(scope="module")
def of_run(small_run: Path) -> str:
    return report(read_findings(small_run))


@pytest.fixture(scope="module")
def of_bundle(small_bundle: Path) -> str:
    return report(read_findings(small_bundle))


@pytest.fixture
def copied(measured: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(measured, tmp_path / "copied"))


class Parsed(HTMLParser):
    """What a browser would find; raises if an element is closed that is not open."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"[ \n]+", " ", " ".join(self.words))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def assert_self_contained(page: str) -> Parsed:
    seen = Parsed(page)
    assert {tag for tag, _ in seen.elements}.isdisjoint({"script", "link", "img", "iframe", "object", "a", "base"})
    ids = [attributes["id"] for _, attributes in seen.elements if "id" in attributes]
    assert len(ids) == len(set(ids)), "two pictures share an id"
    for _, attributes in seen.elements:
        assert not any(name.startswith("on") or name == "src" for name in attributes)
        for name, value in attributes.items():
            for target in re.findall(r"url\(([^)]*)\)", value or "") + ([value] if name.endswith("href") else []):
                assert target.startswith("#")
                assert target[1:] in ids
    assert "://" not in page
    assert "@import" not in page
    return seen


def test_the_page_is_one_file_that_leads_nowhere_and_runs_nothing(whole: str) -> None:
    seen = assert_self_contained(whole)
    assert seen.of("html")[0]["lang"] == "en"
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in seen.of("meta")
    assert len(seen.of("h1")) == 1


def test_every_picture_says_in_words_what_is_seen(whole: str) -> None:
    seen = Parsed(whole)
    pictures = seen.of("svg")
    assert len(pictures) == len(seen.of("figcaption")) == 11
    for picture in pictures:
        assert picture["role"] == "img"
        assert re.search(r"\d", picture["aria-label"] or ""), "figures, not only a title"


def test_the_same_files_give_the_same_page(measured: Path, whole: str) -> None:
    assert report(read_findings(measured / "run")) == whole


def test_its_figures_are_those_of_the_files(measured: Path, whole: str) -> None:
    text = Parsed(whole).text
    crossval = read_json(measured / "run/study/crossval/crossval.json")
    assert crossval["verdict"] in text
    for f in crossval["methods"].values():
        c = f["recordings"]
        assert f"{c['right']} of {c['total']}" in text
        for low, high in (c["accuracy_95"], f["accuracy_95_by_date"]):  # with a narrow space before the sign
            assert ("no errors" if low == 1 else f"{percent(low)} to {percent(high)}") in text
        assert f"{f['auc']:.3f}" in text
    for row in read_json(measured / "run" / CONFOUNDERS)["pairs"]:
        assert f"{row['pairs']:,}" in text
    assert all(percent(share) in text for share in (0.884, 0.061, 0.735))  # of the learning curve
    assert "Of 216 recordings of synthetic people, 211 are out of distribution" in text
    total = 2 * len(crossval["dates"])
    assert f"{len(crossval['dates']) - 1} of {len(crossval['dates'])} dates have a recording of glucose" in text
    for right in (total - 5, total):  # simulated drifts, before and after enrolment
        low, high = wilson_interval(right, total)
        assert f"{right} ({percent(low)} to {percent(high)})" in text
    assert f"before: correct of {total}" in text


def test_a_percentage_is_never_rounded_to_all() -> None:
    assert [percent(share) for share in (1, 0.9999, 0.5, -0.025)] == [
        "100.0\u202f%",
        "99.9\u202f%",
        "50.0\u202f%",
        "−2.5\u202f%",
    ]


def test_missing_measurements_are_named_once_with_their_command(of_run: str, of_bundle: str) -> None:
    seen = assert_self_contained(of_run)
    named = re.findall(r"edge-ecg (\w+) RUN DATASET.toml", seen.text)
    assert named == ["evaluate", "study"]
    assert all(cli.get_command(click.Context(cli), name) for name in named)
    assert "Comparison with other methods; ROC and calibration; Day's baseline and enrollment" in seen.text
    assert [words.strip() for words in seen.words].count(
        "Comparison with other methods"
    ) == 0  # no heading over nothing
    assert "edge-ecg report RUN BUNDLE" in Parsed(of_bundle).text


def test_the_comparator_has_one_figure_on_the_test_dates(copied: Path, whole: str) -> None:
    run = copied / "run"
    test = read_json(run / "evaluation.json")["test"]["recordings"]
    table = whole[whole.index("All methods on the same split") :].split("</table>")[0]
    own = Parsed(re.search(r"<tr><th[^>]*>aligned.*?</tr>", table, re.DOTALL)[0]).text  # type: ignore[index]
    assert own.count(f"{test['right']} of {test['total']}") == 2  # made up: those of the validation dates
    (run / "evaluation.json").unlink()
    assert "not looked at" in report(read_findings(run))


def cards(page: str) -> list[str]:
    return re.findall(r'<div class="card"><b>(.*?)</b>', page)


@pytest.mark.slow
def test_the_page_leads_with_the_figure_that_flatters_least(copied: Path, whole: str, of_run: str) -> None:
    """Dates left out, else test dates with the number of evaluations, else validation with its caveat."""
    run = copied / "run"
    left_out = read_json(run / "study/crossval/crossval.json")["methods"]["aligned"]["recordings"]
    test = read_json(run / "evaluation.json")["test"]["recordings"]
    assert cards(whole)[0] == f"{left_out['right']} of {left_out['total']}"
    shutil.rmtree(run / "study")
    page = report(read_findings(run))
    assert cards(page)[0] == f"{test['right']} of {test['total']}"
    assert "evaluated once (2024-03-12)" in Parsed(page).text
    validation = Parsed(of_run).text
    assert "These dates stopped the training, so this is optimistic" in validation


@pytest.mark.slow
def test_a_difference_that_may_be_none_is_called_none(copied: Path) -> None:
    crossval = copied / "run/study/crossval/crossval.json"
    found = read_json(crossval)
    for more_95, said in (
        ([-0.011, 0.011], "No difference to the best of them, RR interval, can be shown."),
        ([0.01, 0.05], "Yes: it is correct more often than the best of them, RR interval."),
        ([-0.05, -0.01], "No: RR interval is correct more often."),
    ):
        write_json(
            crossval,
            {
                **found,
                "beside": {
                    "best": "RR interval",
                    "more": sum(more_95) / 2,
                    "more_95": more_95,
                    "earned": more_95[0] > 0,
                },
            },
        )
        assert said in Parsed(report(read_findings(copied / "run"))).text


@pytest.mark.slow
def test_a_run_and_its_bundle_are_one_page(small_run: Path, small_bundle: Path) -> None:
    both = [read_findings(small_run), read_findings(small_bundle)]
    for every in (both, both[::-1]):
        text = Parsed(report_of(every)).text
        assert "beats flipped" in text
        assert "Training, epoch by epoch" in text


def test_two_runs_stand_beside_each_other(copied: Path, small_run: Path, tmp_path: Path) -> None:
    run = copied / "run"
    other = Path(shutil.copytree(run, tmp_path / "other"))
    for file in (other / "study/crossval/folds/aligned").iterdir():  # nothing is right any more
        fold = read_json(file)
        write_json(file, {**fold, "evidence": [-1.0 if target else 1.0 for target in fold["is_target"]]})
    page = report_of([read_findings(run), read_findings(other)])
    text = assert_self_contained(page).text
    assert "run is correct on" in text
    assert "run is correct more often on 9 of 9 days, other on 0" in text
    assert len(Parsed(page).of("svg")) == 2
    text = Parsed(report_of([read_findings(run), read_findings(run)])).text
    assert "No significant difference" in text
    text = Parsed(report_of([read_findings(run), read_findings(small_run)])).text
    assert "not measured" in text
    assert "can't be compared day by day" in text


@pytest.mark.parametrize(("better", "worse", "p"), [(0, 0, 1.0), (3, 3, 1.0), (5, 0, 0.0625), (0, 6, 0.03125)])
def test_the_sign_test_counts_days(better: int, worse: int, p: float) -> None:
    assert sign_test(better, worse) == pytest.approx(p)
    if better + worse:
        assert sign_test(better, worse) == pytest.approx(binomtest(better, better + worse).pvalue)


def test_a_page_says_what_it_does_not_show(whole: str, of_bundle: str) -> None:
    for page in (whole, of_bundle):
        text = Parsed(page).text
        for said in ("Not a medical device", "One person.", "measures no quantity", "A replay, not a live ECG."):
            assert said in text


def test_text_of_strangers_is_text(copied: Path) -> None:
    def poisoned(value: Any) -> Any:
        """Labels, names, dates and methods, all of them, with a script in each."""
        text = json.dumps(value)
        for word in ("baseline_name", "target_name", "0301", "majority", "synthetic"):
            text = text.replace(json.dumps(word), json.dumps(word + EVIL.replace("/", "_")))
        return json.loads(text)

    config = read_json(copied / "run/config.json")
    labels = [EVIL, "\ud800</title><svg onload=x>"]
    config["labels"], config["dataset"]["name"] = labels, EVIL
    config["tools"], config["torch"] = {EVIL: EVIL}, EVIL
    (copied / "run/config.json").write_text(json.dumps(poisoned(config)))
    for path in [path for path in copied.rglob("*.json") if "folds" not in path.parts]:
        (path).write_text(json.dumps(poisoned(json.loads(path.read_text()))))
    for name, more in (("crossval", {"verdict": EVIL}), ("day_baseline", {})):
        file = copied / f"run/study/{name}/{name}.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "labels": labels, **more}))
    for path in (copied / "run/study/crossval/folds").rglob("*"):
        for word in ("majority", "0301"):
            if path.stem == word:
                path.rename(path.with_name(path.name.replace(word, (word + EVIL).replace("/", "_"))))
    page = report(read_findings(copied / "run"))
    seen = assert_self_contained(page)
    page.encode()
    assert EVIL in seen.text
    assert f"0301{EVIL.replace('/', '_')}" in seen.text


def test_no_recording_and_no_person_is_named(whole: str, small_dataset: Path) -> None:
    for secret in ("Synthetic Person", "Synthetic Date", ".csv", str(small_dataset.parent)):
        assert secret not in whole


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as caught:
        run_command(cli, ["report", *map(str, arguments)])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_bad_input_is_told_in_one_line_and_the_old_page_stays(
    copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    old = '<meta name="generator" content="edge-ecg">'
    page.write_text(old)
    run, cv = copied / "run", copied / "run/study/crossval"

    def tell(*arguments: object) -> str:
        line = told(capsys, *arguments, "--out", page)
        assert page.read_text() == old
        assert sorted(tmp_path.iterdir()) == [copied, page]
        return line

    assert "expected a finished training run or a bundle" in tell(copied)
    assert "expected a bundle" in tell(copied / "nothing")
    first = next((cv / "folds/aligned").iterdir())
    first.write_text("{}")
    assert f"{first.name}: has no entry 'key'" in tell(run)
    first.unlink()
    assert f"{first.name}: can't be read" in tell(run)
    crossval = read_json(cv / "crossval.json")
    for change, said in (
        ({"labels": ["a", "b"]}, "it is of another dataset"),
        ({"dates": ["../../../etc"]}, "it is of another dataset"),
        ({"methods": {"../..": crossval["methods"]["aligned"]}}, "is no name of a method or date"),
        ({"methods": {}}, "expected aligned among them"),
        ({"verdict": float("nan")}, "is not JSON as this program writes it"),
    ):
        (cv / "crossval.json").write_text(json.dumps({**crossval, **change}))
        assert said in tell(run)
    (run / "checkpoint.safetensors").write_bytes(b"other weights")
    assert "is of other weights; run python -m train.study" in tell(run)
    (run / "config.json").write_text("[" * 100_000)
    assert "config.json: is not JSON" in tell(run)


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_file_gives_a_page_or_one_sentence(copied: Path, seed: int) -> None:
    """Single entries are lost or replaced; a defect would be any other error."""
    random = Random(seed)
    path = random.choice([p for p in sorted(copied.rglob("*.json")) if "folds" not in p.parts])
    content = json.loads(path.read_text())
    for _ in range(3):
        place: Any = content
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = random.choice(keys)
            if not isinstance(place[key], dict | list) or not place[key] or random.random() < 0.15:
                break
            place = place[key]
        if random.random() < 0.4:
            del place[key]
        else:
            place[key] = random.choice([None, "x", -1, 1e300, [], {}, [None], 10**400, True])
        if not content:
            break
    path.write_text(json.dumps(content))
    said = ""
    try:
        Parsed(report(read_findings(copied / "run")))
    except EdgeEcgError as error:
        said = str(error)
    assert not said or str(copied) in said


def test_a_bundle_gives_a_page_once_it_is_verified(
    small_bundle: Path, of_bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = assert_self_contained(of_bundle)
    assert "onnx fp32" in seen.text
    bundle = Path(shutil.copytree(small_bundle, tmp_path / "bundle"))
    (bundle / "encoder.onnx").write_bytes(b"altered")
    assert "it was altered" in told(capsys, bundle, "--out", tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_without_matplotlib_it_says_what_is_missing(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "needs matplotlib" in told(capsys, measured / "run", "--out", tmp_path / "report.html")


@pytest.mark.ci
@in_a_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_and_is_not_blank(whole: str, tmp_path: Path, scheme: str) -> None:
    from matplotlib.image import imread

    width, height = 390, 844
    # In a frame, since a browser's window can't be as narrow as a phone's; the title tells how wide the page came out.
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<!doctype html><body style="margin:0"><iframe srcdoc="{html.escape(whole)}" style="border:0;width:{width}px;'
        f'height:{height}px"></iframe><script>onload = () => {{ const page = document.querySelector("iframe")'
        ".contentDocument; document.title = `${page.documentElement.scrollWidth} "
        "${matchMedia('(prefers-color-scheme: dark)').matches} "
        "${[...page.querySelectorAll('svg')].every(svg => svg.getBoundingClientRect().height > 100)}`; }</script>",
        encoding="utf-8",
    )
    command = [
        str(CHROMIUM),
        *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={width},{height}",
        f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
    ]
    dumped = subprocess.run([*command, "--dump-dom", frame.as_uri()], capture_output=True, text=True, timeout=120)
    title = re.search(r"<title>(.*?)</title>", dumped.stdout)
    assert title is not None, dumped.stderr[-2000:]
    assert title[1] == f"{width} {'true' if scheme == 'dark' else 'false'} true"
    picture = tmp_path / "page.png"
    subprocess.run([*command, f"--screenshot={picture}", frame.as_uri()], capture_output=True, check=True, timeout=120)
    seen = imread(picture)[:, :width, :3].mean(2)
    paper = np.median(seen)
    assert paper > 0.9 if scheme == "light" else paper < 0.2
    assert 0.02 < np.mean(np.abs(seen - paper) > 0.4) < 0.5  # text on paper

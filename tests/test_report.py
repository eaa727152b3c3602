"""The report: self-contained, safe with strangers' text, true to the files it is drawn from, and as wide as a phone."""

import html
import importlib.util
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

import numpy as np
import pytest

from edge_ecg.cli import cli
from edge_ecg.console import run_command
from edge_ecg.errors import EdgeEcgError
from edge_ecg.intervals import wilson_interval
from edge_ecg.jsonfile import read_json, write_json
from edge_ecg.report.findings import fold_file, read_findings
from edge_ecg.report.page import percent
from edge_ecg.report.report import report
from tests.browser import CHROMIUM, in_a_browser
from train.confounders import CONFOUNDERS, confounders
from train.evaluation.baselines import BASELINES
from train.evaluation.scores import RecordingScores, counts, earned_its_place, figures
from train.evaluation.simulated_drift import DRIFTS
from train.run import load_run

VOID = {"meta", "br", "hr", "img", "link", "input"}
EVIL = '<script>alert("$x$")</script>'


@pytest.fixture(scope="module")
def measured(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small run and all that can be given beside it; the folds are made up, in the real form."""
    folder = tmp_path_factory.mktemp("measured")
    run = Path(shutil.copytree(small_run, folder / "run"))
    write_json(run / CONFOUNDERS, confounders(load_run(run)))
    config = read_json(run / "config.json")
    dates = sorted(date for of_set in config["dataset"]["dates"].values() for date in of_set)
    rng = np.random.default_rng(0)
    scores = {}
    for number, method in enumerate([*BASELINES, "aligned"]):
        date, is_target = np.repeat(dates, 4), np.tile([False, False, True, True], len(dates))
        evidence = rng.normal(np.where(is_target, 0.4, -0.4) * number, 1.0)
        beats = np.full(len(date), 30)
        scores[method] = RecordingScores(date, is_target, evidence, beats, (beats * 0.8).astype(int))
        for each in dates:
            of_date = date == each
            columns = {name: np.asarray(column)[of_date].tolist() for name, column in asdict(scores[method]).items()}
            write_json(fold_file(folder / "cv", method, each), {"date": each, **columns})
    crossval = {
        "labels": config["labels"],
        "dates": dates,
        "methods": {method: figures(v) for method, v in scores.items()},
        "split": {
            "methods": {
                m: {w: counts(v.on_dates(config["dataset"]["dates"][w])) for w in ("validation", "test")}
                for m, v in scores.items()
            }
        },
        "verdict": earned_its_place("aligned", scores),
    }
    write_json(folder / "cv/crossval.json", crossval)
    total = 2 * len(dates)
    before = {"right": total - 5, "wrong": 3, "inconclusive": 2}
    after = {"right": total, "wrong": 0, "inconclusive": 0}
    plans = ("none", "day's baseline")
    daily_baseline = {
        "baselines": 2,
        "dates": dates,
        "dates_with_target": dates[1:],
        "notes": ["Found with one date in view."],
        "seeds": {"0": {}},
        "mean": {"0.95": {plan: [11.25, 0.5, 3.25, 1] for plan in plans}},
        "left_aside": {"0": {plan: before for plan in plans}},
        "drifts": {d: {"before": dict.fromkeys(plans, before), "after": dict.fromkeys(plans, after)} for d in DRIFTS},
        "others": {"synthetic": (211, 216)},
    }
    write_json(folder / "daily/daily_baseline.json", daily_baseline)
    row = {"seeds": 3, "right_mean": 30.3, "right_spread": 1.2, "of": 36, "auc_mean": 0.91, "auc_spread": 0.01}
    write_json(folder / "ablations/ablations.json", {"rows": [{"name": "no RR", **row}, {"name": "default", **row}]})
    of_days = {"days": 2, "draws": 12, "mean": 0.884, "sd": 0.061, "worst": 0.735}
    write_json(folder / "days/learning_curve.json", {"methods": {"comparator": [of_days]}})
    return folder


def given_all(folder: Path) -> list[Any]:
    return [folder / "run", folder / "cv", folder / "daily", folder / "ablations", folder / "days"]


@pytest.fixture(scope="module")
def whole(measured: Path) -> str:
    return report(read_findings(*given_all(measured)))


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
    assert len(pictures) == len(seen.of("figcaption")) == 6
    for picture in pictures:
        assert picture["role"] == "img"
        assert re.search(r"\d", picture["aria-label"] or ""), "figures, not only a title"


def test_the_same_files_give_the_same_page(measured: Path, whole: str) -> None:
    assert report(read_findings(*given_all(measured))) == whole


def test_its_figures_are_those_of_the_files(measured: Path, whole: str) -> None:
    text = Parsed(whole).text
    crossval = read_json(measured / "cv/crossval.json")
    assert crossval["verdict"] in text
    for f in crossval["methods"].values():
        c = f["recordings"]
        assert f"{c['right']} of {c['total']}" in text
        for low, high in (c["accuracy_95"], f["accuracy_95_by_date"]):  # with a narrow space before the sign
            assert f"{percent(low)} to {percent(high)}" in text
        assert f"{f['auc']:.3f}" in text
    for row in read_json(measured / "run" / CONFOUNDERS)["pairs"]:
        assert f"{row['pairs']:,}" in text
    assert "30.3 of 36, 1.2" in text
    assert all(percent(share) in text for share in (0.884, 0.061, 0.735))  # of the learning curve
    assert "Of 216 recordings of synthetic people, 211 are out of distribution" in text
    total = 2 * len(crossval["dates"])
    assert f"{len(crossval['dates']) - 1} of {len(crossval['dates'])} dates hold a recording of target" in text
    assert "Found with one date in view." in text
    for right in (total - 5, total):  # simulated drifts, before and after enrolment
        low, high = wilson_interval(right, total)
        assert f"{right} of {total} ({percent(low)} to {percent(high)})" in text


def test_a_percentage_is_never_rounded_to_all() -> None:
    assert [percent(share) for share in (1, 0.9999, 0.5, -0.025)] == [
        "100.0\u202f%",
        "99.9\u202f%",
        "50.0\u202f%",
        "−2.5\u202f%",
    ]


def test_what_was_not_measured_is_said_with_a_command_that_exists(small_run: Path) -> None:
    seen = assert_self_contained(report(read_findings(small_run)))
    modules = set(re.findall(r"run python -m ([\w.]+)", seen.text))
    assert modules == {
        "train.crossval",
        "train.confounders",
        "train.daily_baseline",
        "train.ablations",
        "train.learning_curve",
    }
    for module in modules - {"train.ablations"}:
        assert importlib.util.find_spec(module)
    for option in re.findall(r"--out report.html (--[\w-]+)", seen.text):
        assert option in {name for parameter in cli.commands["report"].params for name in parameter.opts}


def test_a_page_says_what_it_does_not_show(whole: str, small_bundle: Path) -> None:
    for page in (whole, report(read_findings(small_bundle))):
        text = Parsed(page).text
        for said in ("Not a medical device", "One person.", "can't give a glucose value", "A replay, not a live ECG."):
            assert said in text


def test_text_of_strangers_is_text(copied: Path) -> None:
    def poisoned(value: Any) -> Any:
        """Labels, names, dates and methods, all of them, with a script in each."""
        text = json.dumps(value)
        for word in ("baseline_name", "target_name", "0301", "majority", "no RR", "synthetic"):
            text = text.replace(json.dumps(word), json.dumps(word + EVIL.replace("/", "_")))
        return json.loads(text)

    config = read_json(copied / "run/config.json")
    labels = [EVIL, "\ud800</title><svg onload=x>"]
    config["labels"], config["dataset"]["name"] = labels, EVIL
    config["tools"], config["torch"] = {EVIL: EVIL}, EVIL
    (copied / "run/config.json").write_text(json.dumps(poisoned(config)))
    for path in [copied / "run/metrics.json", copied / "run" / CONFOUNDERS, *copied.glob("*/*.json")]:
        (path).write_text(json.dumps(poisoned(json.loads(path.read_text()))))
    crossval = json.loads((copied / "cv/crossval.json").read_text())
    (copied / "cv/crossval.json").write_text(json.dumps({**crossval, "labels": labels, "verdict": EVIL}))
    for path in (copied / "cv/folds").rglob("*"):
        for word in ("majority", "0301"):
            if path.stem == word:
                path.rename(path.with_name(path.name.replace(word, (word + EVIL).replace("/", "_"))))
    page = report(read_findings(*given_all(copied)))
    seen = assert_self_contained(page)
    page.encode()
    assert EVIL in seen.text
    assert f"0301{EVIL.replace('/', '_')}" in seen.text
    assert "no RR" + EVIL.replace("/", "_") in seen.text


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
    page.write_text("old")
    run, cv = copied / "run", copied / "cv"

    def tell(*arguments: object) -> str:
        line = told(capsys, *arguments, "--out", page)
        assert page.read_text() == "old"
        assert sorted(tmp_path.iterdir()) == [copied, page]
        return line

    assert "expected a finished training run or a bundle" in tell(copied)
    assert "expected a bundle" in tell(copied / "nothing")
    assert "crossval.json: can't be read" in tell(run, "--crossval", run)
    first = next((cv / "folds/aligned").iterdir())
    first.write_text("{}")
    assert f"{first.name}: has no entry 'evidence'" in tell(run, "--crossval", cv)
    first.unlink()
    assert f"{first.name}: can't be read" in tell(run, "--crossval", cv)
    crossval = read_json(cv / "crossval.json")
    for change, said in (
        ({"labels": ["a", "b"]}, "it is of another dataset"),
        ({"dates": ["../../../etc"]}, "it is of another dataset"),
        ({"methods": {"../..": {}}}, "is no name of a method or date"),
        ({"methods": {}}, "expected aligned among them"),
        ({"verdict": float("nan")}, "is not JSON as this program writes it"),
    ):
        (cv / "crossval.json").write_text(json.dumps({**crossval, **change}))
        assert said in tell(run, "--crossval", cv)
    (run / "checkpoint.safetensors").write_bytes(b"other weights")
    assert "is of other weights; run python -m train.confounders" in tell(run)
    (run / "config.json").write_text("[" * 100_000)
    assert "config.json: is not JSON" in tell(run)


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_file_gives_a_page_or_one_sentence(copied: Path, seed: int) -> None:
    """Single entries are lost or replaced; a defect would be any other error."""
    random = Random(seed)
    path = random.choice([p for p in sorted(copied.glob("*/*.json")) if p.stem != "fold"])
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
        Parsed(report(read_findings(*given_all(copied))))
    except EdgeEcgError as error:
        said = str(error)
    assert not said or str(copied) in said


def test_a_bundle_gives_a_page_once_it_is_verified(
    small_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = assert_self_contained(report(read_findings(small_bundle)))
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


@pytest.mark.slow
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

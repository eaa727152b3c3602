"""The files that Xcode reads, checked where there is none: property lists, the project, texts, the icon."""

import json
import plistlib
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
BRIDGE = ROOT / "ios_bridge"
DEMO = BRIDGE / "Examples/WatchDemo"
PROJECT = yaml.safe_load((DEMO / "project.yml").read_text(encoding="utf-8"))
LANGUAGES = {"en", "de"}
# Each catalog with the folders of the code that uses it, and how that code asks for a text.
CATALOGS = {
    BRIDGE / "Sources/EdgeECG/Localizable.xcstrings": ("Sources", r"localized\(\s*\"((?:[^\"\\]|\\.)+)\""),
    DEMO / "Shared/Localizable.xcstrings": ("Examples", r"NSLocalizedString\(\s*\"((?:[^\"\\]|\\.)+)\""),
}
ENUMS = ("ECGRecordingReason", "ECGBeatReason", "ECGClassification", "ECGSymptom")  # shown by their raw values


def named(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in BRIDGE.rglob(pattern))


def shown(path: Path) -> str:
    return str(path.relative_to(BRIDGE))


def swift(folder: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((BRIDGE / folder).rglob("*.swift")))


def raw_values(source: str, name: str) -> set[str]:
    body = source.split(f"enum {name}: String", 1)[1].split("\n}", 1)[0]
    return {value or case for case, value in re.findall(r"^  case (\w+)(?: = \"([^\"]+)\")?", body, re.MULTILINE)}


@pytest.mark.parametrize("path", named("*.plist", "*.entitlements", "*.xcprivacy"), ids=shown)
def test_a_property_list_is_well_formed(path: Path) -> None:
    assert isinstance(plistlib.loads(path.read_bytes()), dict)


def test_the_watch_asks_for_what_it_uses() -> None:
    """HealthKit ends an app without a usage string, and background delivery fails without its entitlement."""
    info = plistlib.loads((DEMO / "Watch/Info.plist").read_bytes())
    granted = plistlib.loads((DEMO / "Watch/Watch.entitlements").read_bytes())
    assert info["NSHealthShareUsageDescription"]
    assert info["WKApplication"] is True
    assert granted == {
        "com.apple.developer.healthkit": True,
        "com.apple.developer.healthkit.background-delivery": True,
    }
    phone, watch = (PROJECT["targets"][name]["settings"]["base"] for name in ("WatchDemo", "WatchDemoWatch"))
    assert info["WKCompanionAppBundleIdentifier"] == phone["PRODUCT_BUNDLE_IDENTIFIER"]
    assert watch["PRODUCT_BUNDLE_IDENTIFIER"].startswith(phone["PRODUCT_BUNDLE_IDENTIFIER"] + ".")


def test_what_the_project_names_is_there() -> None:
    """Sources, property lists, the package with its products, targets of dependencies and schemes."""
    package = (DEMO / PROJECT["packages"]["EdgeECG"]["path"] / "Package.swift").read_text(encoding="utf-8")
    products = set(re.findall(r"\.library\(name: \"(\w+)\"", package))
    used: set[str] = set()
    for target in PROJECT["targets"].values():
        for source in target["sources"]:
            entry: dict[str, Any] = source if isinstance(source, dict) else {"path": source}
            assert entry.get("optional") or (DEMO / entry["path"]).is_dir()
            used.add(entry["path"])
        for setting in ("INFOPLIST_FILE", "CODE_SIGN_ENTITLEMENTS"):
            if path := target["settings"]["base"].get(setting):
                assert (DEMO / path).is_file()
        for dependency in target["dependencies"]:
            assert dependency.get("product", "EdgeECG") in products
            assert dependency.get("target", "WatchDemo") in PROJECT["targets"]
    assert {path.parent.name for path in DEMO.rglob("*.swift")} <= used
    assert set(PROJECT["schemes"]["WatchDemo"]["build"]["targets"]) == set(PROJECT["targets"])
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (optional,) = (
        entry["path"]
        for target in PROJECT["targets"].values()
        for entry in target["sources"]
        if isinstance(entry, dict) and entry.get("optional")
    )
    assert f"--out ios_bridge/Examples/WatchDemo/{optional}" in makefile


@pytest.mark.parametrize("path", named("*.xcstrings"), ids=shown)
def test_every_text_is_in_every_language(path: Path) -> None:
    catalog = json.loads(path.read_text(encoding="utf-8"))
    assert catalog["sourceLanguage"] == "en"
    for key, entry in catalog["strings"].items():
        texts = {language: unit["stringUnit"]["value"] for language, unit in entry["localizations"].items()}
        assert set(texts) == LANGUAGES, key
        assert all(texts.values()), key
        assert {text.count("%@") for text in texts.values()} == {key.count("%@")}, key


@pytest.mark.parametrize("path", list(CATALOGS), ids=shown)
def test_the_texts_of_the_code_are_those_of_the_catalog(path: Path) -> None:
    """Reasons, classifications and symptoms too, each by its raw value."""
    folder, call = CATALOGS[path]
    source = swift(folder)
    used = set(re.findall(call, source))
    if folder == "Sources":
        used |= {value for name in ENUMS for value in raw_values(source, name)}
    assert used == set(json.loads(path.read_text(encoding="utf-8"))["strings"])


def test_no_view_shows_a_text_of_one_language() -> None:
    for path in [*BRIDGE.glob("Sources/EdgeECGUI/*.swift"), *DEMO.rglob("*.swift")]:
        texts = re.findall(r"(?:Text|Button|Label|accessibilityLabel)\(\"[^\"]*\"", path.read_text(encoding="utf-8"))
        assert not texts, path


def test_the_icon_is_drawn_as_app_stores_want_it(tmp_path: Path) -> None:
    """1024 pixels each way, without transparency."""
    icon = tmp_path / "icon.png"
    subprocess.run([sys.executable, DEMO / "icon.py", icon], check=True)
    content = icon.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">IIBB", content[16:26]) == (1024, 1024, 8, 2)
    images = json.loads((DEMO / "Shared/Assets.xcassets/AppIcon.appiconset/Contents.json").read_bytes())["images"]
    assert {image["platform"] for image in images} == {"ios", "watchos"}
    for image in images:
        assert PROJECT["options"]["preGenCommand"].endswith(f"AppIcon.appiconset/{image['filename']}")


def test_the_tutorial_shows_the_code_of_the_sample() -> None:
    """DocC reads links, so that there is one text of each file."""
    catalog = BRIDGE / "Sources/EdgeECG/EdgeECG.docc"
    shown_files = re.findall(r"file: \"(\w+\.swift)\"", (catalog / "OnTheWrist.tutorial").read_text(encoding="utf-8"))
    assert len(shown_files) == 4
    for name in shown_files:
        assert (catalog / "Resources" / name).resolve().is_relative_to(DEMO)
        assert (catalog / "Resources" / name).is_file()

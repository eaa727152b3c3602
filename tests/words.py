"""Words that are not to come back, for `make lint`: `python -m tests.words` names each place of one.

A first line of a docstring begins with a noun or a verb, not with a relative clause; names are the field's; spelling is
American.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
OPENINGS = re.compile(r"(What|Whatever|Who|Whoever|Nobody|Which|Where|When|How)\b")
# By pattern, what to write instead.
WORDS = {
    r"colour|grey\b": "color, gray",
    r"artefact": "artifact",
    r"labell(?!eft)": "labeled, labeling",
    r"neighbour|behaviour|judgement|recognis|normalisation|standardis": "American spelling",
    r"\b(Told|NOTHING_TOLD|told_\w+)\b|\[\[told\]\]": "Overrides, [[override]]",
    r"\b[Pp]assed_?[Oo]ver\b": "skipped, SkippedFiles",
    r"\bdaily_baseline\b": "day_baseline",
    r"\bBASELINES\b": "BENCHMARKS: a baseline is a state",
    r"\b(A_GAP|MOST_OFF|_ANOTHER|BY_ALL|USUAL|IMPLAUSIBLE|grid_of|glance|worth_of|spelt_out|mixtures)\b": "what it is",
    r"\b(fold_batch_norm|slimmed|_Followed|judged_aside|left_aside|with_and_without)\b": "what it is",
}
TEXTS = {
    r"\b[Ee]nrol(ment|s)?\b(?!')": "enroll, enrollment",  # in code the manifest's key is spelled so
    r"\b[Ww]hoever\b|\btold rightly\b|\bpassed over\b|\bnot judged\b": "a noun, correct, skipped, not used",
}
SKIPPED = ("tests/words.py", "CHANGELOG.md", "LICENSE")


def openings(file: Path) -> Iterator[tuple[int, str]]:
    """First lines of docstrings that begin with a relative clause."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            first = (ast.get_docstring(node, clean=False) or "").partition("\n")[0]
            if OPENINGS.match(first):
                yield node.body[0].lineno, f"{first!r} begins with a relative clause"


def words(file: Path, wanted: dict[str, str]) -> Iterator[tuple[int, str]]:
    """Lines with a word of the list."""
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        for pattern, instead in wanted.items():
            if found := re.search(pattern, line):
                yield number, f"{found[0]!r}: write {instead}"


def faults() -> Iterator[str]:
    """Places of words of the list in the files that git knows."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    for name in listed:
        file = ROOT / name
        is_text = name.endswith((".md", ".html")) and not name.startswith("export/templates/")
        if name in SKIPPED or name.startswith(("ios_bridge/", "docs/pictures/")) or not file.is_file():
            continue
        found: list[tuple[int, str]] = []
        if name.startswith(("edge_ecg/", "train/", "export/")) and name.endswith(".py"):
            found += openings(file)
        if name.endswith((".py", ".md", ".html", ".toml")):
            found += words(file, WORDS)
        if is_text:
            found += words(file, TEXTS)
        yield from (f"{name}:{number}: {fault}" for number, fault in found)


if __name__ == "__main__":
    places = list(faults())
    print("\n".join(places))
    sys.exit(bool(places))

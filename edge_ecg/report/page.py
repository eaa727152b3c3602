"""The blocks of the report's page: HTML in which every value is escaped, and nothing leads elsewhere or runs."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

SHORT = 12  # characters of a name that need no second line


class Markup(str):
    """HTML that was made here; any other text is escaped before it enters a page."""


def markup(template: str, **values: object) -> Markup:
    """A template of our own with its `{names}` filled in, escaped unless they are markup."""
    return Markup(template.format(**{name: text(value) for name, value in values.items()}))


def text(value: object) -> Markup:
    """Any value as HTML text; what can't be written as UTF-8 becomes a question mark."""
    if isinstance(value, Markup):
        return value
    return Markup(escape(str(value)).encode("utf-8", "replace").decode())


def joined(blocks: Iterable[str]) -> Markup:
    """Blocks one after another."""
    return Markup("\n".join(text(block) for block in blocks if block))


def percent(share: float) -> str:
    """A share as a percentage; what is not all of it never rounds to 100 %."""
    rounded = f"{share:.1%}"
    rounded = "99.9%" if rounded == "100.0%" and share < 1 else rounded
    return rounded.replace("%", "\u202f%").replace("-", "\u2212")


def between(interval: Sequence[float]) -> str:
    """A 95 % interval of a share."""
    low, high = interval
    return f"{percent(low)} to {percent(high)}"


def table(head: Sequence[object], rows: Iterable[Sequence[object]], name: str) -> Markup:
    """A table that scrolls sideways where it is too wide; the first cell of a row says what the row is."""
    rows = list(rows)
    kind = "short" if all(len(str(row[0])) <= SHORT for row in rows) else "words"
    titles = joined(markup('<th scope="col">{title}</th>', title=title) for title in head)
    body = joined(
        markup(
            '<tr><th scope="row">{first}</th>{rest}</tr>',
            first=first,
            rest=Markup("".join(markup("<td>{cell}</td>", cell=cell) for cell in rest)),
        )
        for first, *rest in rows
    )
    return markup(
        '<div class="wide" role="region" tabindex="0" aria-label="{name}">'
        '<table class="{kind}"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>',
        name=name,
        kind=kind,
        titles=titles,
        body=body,
    )


def figure(picture: tuple[str, str], caption: object, keys: Iterable[tuple[str, object]] = ()) -> Markup:
    """A picture (SVG, and in words what is seen) with its caption; `keys` are names of series by their CSS class."""
    svg, alt = picture
    described = markup('<svg role="img" aria-label="{alt}" ', alt=alt) + svg.removeprefix("<svg ")
    swatches = joined(markup('<span class="key {kind}">{name}</span>', kind=kind, name=name) for kind, name in keys)
    return markup(
        "<figure>{keys}{picture}<figcaption>{caption}</figcaption></figure>",
        keys=markup('<p class="keys">{swatches}</p>', swatches=swatches) if swatches else Markup(),
        picture=Markup(described),
        caption=caption,
    )


def missing(*commands: str) -> Markup:
    """What stands where nothing was measured: the commands that would show it."""
    run = Markup(", then ".join(markup("<code>{command}</code>", command=command) for command in commands))
    return markup('<p class="missing">Not measured here: run {run}.</p>', run=run)


def page(title: str, blocks: Iterable[Any]) -> str:
    """The whole page, one file."""
    return PAGE.format(title=text(title), style=STYLE, body=joined(blocks))


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""

# The colours of the states and series are apart for colour-blind eyes as well (M. Okabe, K. Ito, 2008).
STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2126; --soft: #59636e; --line: #d5dae0; --card: #f4f6f8;
  --baseline: #0072b2; --target: #c04f00; --ours: #6a3fb5; --second: #0b8a65; --third: #a36a00; --fourth: #7d8590;
  --fifth: #b03a7e; --heat: #f0b429; --warn: #8a5a00; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14181c; --ink: #e4e8ec; --soft: #9aa5b1; --line: #333b44; --card: #1d2329;
    --baseline: #56b4e9; --target: #f0883e; --ours: #b497f2; --second: #35c79a; --third: #e0b040; --fourth: #8b949e;
    --fifth: #e986bd; --heat: #b58400; --warn: #e0b040; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif;
  overflow-wrap: anywhere; -webkit-text-size-adjust: 100%; }
main { max-width: 51rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; letter-spacing: -.01em; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 2.8rem 0 .5rem; padding-top: .9rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; }
p { margin: .5rem 0; } ul { padding-left: 1.2rem; } li { margin: .35rem 0; }
code { font: .86em ui-monospace, monospace; background: var(--card); border-radius: 4px; padding: .1em .3em; }
.soft, figcaption, .keys { color: var(--soft); font-size: .88rem; }
.verdict { font-weight: 600; }
.use { border-left: 4px solid var(--warn); background: var(--card); padding: .6rem .9rem; margin: 1rem 0;
  font-size: .92rem; }
.missing { border: 1px dashed var(--line); border-radius: 8px; padding: .6rem .9rem; color: var(--soft);
  font-size: .92rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .7rem; margin: 1rem 0; }
.card { background: var(--card); border-radius: 10px; padding: .8rem 1rem; }
.card b { display: block; font-size: 1.6rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: .85rem; display: block; line-height: 1.4; }
.wide { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums;
  overflow-wrap: normal; }
th, td { padding: .32rem .42rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
thead th { vertical-align: bottom; color: var(--soft); font-weight: 600; white-space: normal; min-width: 2.6rem;
  line-height: 1.3; }
th:first-child { text-align: left; padding-left: 0; max-width: 17rem; overflow-wrap: anywhere; }
.words th:first-child { white-space: normal; min-width: 7.2rem; }
tbody th { font-weight: 500; } td:last-child, thead th:last-child { padding-right: 0; }
figure { margin: 1.2rem 0; } figcaption { margin-top: .3rem; }
svg { display: block; width: 100%; height: auto; max-width: 32rem; margin: 0 auto; }
svg text { font-family: system-ui, sans-serif !important; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: 0 1.5rem; }
.pair figure { display: flex; flex-direction: column; } .pair .keys { order: 1; margin-top: .3rem; }
.pair figcaption { order: 2; }
.keys { display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: 0 0 .4rem; }
.key::before { content: ""; display: inline-block; width: 1.3em; border-top: 3px solid var(--colour, var(--soft));
  margin-right: .4em; vertical-align: .28em; }
.dot::before { width: .62em; height: .62em; border: 0; background: var(--colour); vertical-align: 0;
  border-radius: 50%; }
.dot.target::before { border-radius: 1px; transform: rotate(45deg) scale(.85); }
.wrong::before { width: .8em; height: .8em; border: 2px solid var(--ink); border-radius: 50%; vertical-align: -.1em; }
.baseline { --colour: var(--baseline); } .target { --colour: var(--target); } .ours { --colour: var(--ours); }
.second { --colour: var(--second); } .third { --colour: var(--third); } .fourth { --colour: var(--fourth); }
.fifth { --colour: var(--fifth); } .heat { --colour: var(--heat); }
.dashed::before { border-top-style: dashed; } .dotted::before { border-top-style: dotted; }
@media (max-width: 30rem) { h1 { font-size: 1.45rem; } .card b { font-size: 1.4rem; } }
@media print { .wide { overflow: visible; } h2 { break-after: avoid; } figure { break-inside: avoid; } }
"""

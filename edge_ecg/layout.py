"""Text that fits the terminal: lines are folded between words, and names are cut where it hurts least."""

import shutil
import textwrap


def columns() -> int:
    """How wide the output is: the terminal, or 80 columns where there is none."""
    return max(40, shutil.get_terminal_size((80, 24)).columns)


def folded(text: str, indent: int = 0) -> str:
    """The text in lines that fit; all but the first are indented. A word that is longer than a line stays whole."""
    return textwrap.fill(
        text, columns(), subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )


def tail(name: str, width: int) -> str:
    """The end of a name, which tells files apart; two dots stand for what was cut."""
    return name if len(name) <= width else f"..{name[2 - width :]}"

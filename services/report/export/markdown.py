"""Runs as Markdown for a pull request: what was found, what makes one doubt it, the numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from services.analysis.compare import Candidate
from services.base.table import Table
from services.report.export.contents import Contents, contents

# What GitHub takes as markup, apart from what it makes of @names, #12 and addresses by themselves.
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"})
_MARKUP = re.compile(r"([\\`*_{}\[\]~$])")
_BLOCK = re.compile(r"[-+#=]|\d+[.)]")  # at the start of a line: a heading, a list
_LINKED = re.compile(
    r"(?<=[@#])(?=\w)|(?<=http)(?=s?:)|(?<=ftp)(?=:)|(?<=www)(?=\.)|(?<=\bGH-)(?=\d)",
    re.IGNORECASE,
)
_APART = "\N{WORD JOINER}"  # not seen, and no part of any link


def markdown(candidates: Sequence[Candidate]) -> bytes:
    """Write one to eight runs, the baseline first, without prompts and answers."""
    return render(contents(candidates))


def render(said: Contents) -> bytes:
    """Write what a page says."""
    parts = chain(_found(said), _diagnostics(said), _words(said), _tables(said))
    return ("\n\n".join(parts) + "\n").encode()


def _found(said: Contents) -> Iterator[str]:
    yield f"### {escaped(said.title)}"
    for found in said.findings:
        yield _paragraph(found.sentence) if found.sentence else f"**{escaped(found.words)}**"


def _words(said: Contents) -> Iterator[str]:
    yield from map(_paragraph, (said.lead, *said.sentences))


def _tables(said: Contents) -> Iterator[str]:
    yield from map(_table, said.results)
    yield from (_table(table) for table in said.circumstances if table.title == "What differs")


def _diagnostics(said: Contents) -> Iterator[str]:
    lines = [
        f"- **{escaped(f'{runs}: ' * bool(runs) + each.title)}.** {escaped(each.sentence)}"
        for each, runs in said.diagnostics
    ]
    if lines:
        yield "\n".join(lines)


def _table(table: Table) -> str:
    """The title heads the first column, which stands to the left; numbers to the right."""
    aligned = "|".join([":--", *("--:" for _ in table.columns[1:])])
    rows = [(table.title, *table.columns[1:]), *table.rows]
    first, *others = (f"| {' | '.join(map(_cell, row))} |" for row in rows)
    return "\n".join([first, f"|{aligned}|", *others])


def _paragraph(text: str) -> str:
    line = escaped(text)
    return _APART + line if _BLOCK.match(line) else line


def _cell(text: str) -> str:
    return "<br>".join(map(escaped, text.split("\n"))) or " "


def escaped(text: str) -> str:
    """Return text as one line that GitHub shows as it is: no markup, no HTML, no link, no mention
    of a person or an issue."""
    line = _APART.join(_LINKED.split(" ".join(text.split())))
    return _MARKUP.sub(r"\\\1", line).translate(_ENTITIES)

"""Runs as Markdown for a pull request: findings, diagnostics, tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from services.analysis.compare import Candidate
from services.base.table import Table
from services.report.export.contents import Contents, contents

# What GitHub treats as markup, besides @names, #12 and addresses.
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"})
_MARKUP = re.compile(r"([\\`*_{}\[\]~$])")
_BLOCK = re.compile(r"[-+#=]|\d+[.)]")  # at the start of a line: a heading, a list
_LINKED = re.compile(
    r"(?<=[@#])(?=\w)|(?<=http)(?=s?:)|(?<=ftp)(?=:)|(?<=www)(?=\.)|(?<=\bGH-)(?=\d)",
    re.IGNORECASE,
)
_JOINER = "\N{WORD JOINER}"  # invisible, and breaks links


def markdown(candidates: Sequence[Candidate]) -> bytes:
    """Return one to eight runs, the baseline first, without prompts and answers."""
    return render(contents(candidates))


def render(page: Contents) -> bytes:
    """Return a page's contents as Markdown."""
    parts = chain(_findings(page), _diagnostics(page), _sentences(page), _tables(page))
    return ("\n\n".join(parts) + "\n").encode()


def _findings(page: Contents) -> Iterator[str]:
    yield f"### {escaped(page.title)}"
    if page.overview:
        yield f"**{escaped(page.overview)}**"
    else:
        yield from _in_words(page)
    if page.verdicts:
        yield _table(page.verdicts)


def _in_words(page: Contents) -> Iterator[str]:
    for finding in page.findings:
        yield (
            _paragraph(finding.sentence) if finding.sentence else f"**{escaped(finding.headline)}**"
        )


def _sentences(page: Contents) -> Iterator[str]:
    if page.overview:
        yield from _in_words(page)
    yield from map(_paragraph, (page.lead, *page.sentences))


def _tables(page: Contents) -> Iterator[str]:
    yield from map(_table, page.results)
    yield from (_table(table) for table in page.circumstances if table.title == "What differs")


def _diagnostics(page: Contents) -> Iterator[str]:
    lines = [
        f"- **{escaped(f'{runs}: ' * bool(runs) + each.title)}.** {escaped(each.sentence)}"
        for each, runs in page.diagnostics
    ]
    if lines:
        yield "\n".join(lines)


def _table(table: Table) -> str:
    """Return a table whose title heads the first column, with the other columns aligned right."""
    aligned = "|".join([":--", *("--:" for _ in table.columns[1:])])
    rows = [(table.title, *table.columns[1:]), *table.rows]
    first, *others = (f"| {' | '.join(map(_cell, row))} |" for row in rows)
    return "\n".join([first, f"|{aligned}|", *others])


def _paragraph(text: str) -> str:
    line = escaped(text)
    return _JOINER + line if _BLOCK.match(line) else line


def _cell(text: str) -> str:
    return "<br>".join(map(escaped, text.split("\n"))) or " "


def escaped(text: str) -> str:
    """Return text as one line that GitHub shows literally: no markup, HTML, links or mentions."""
    line = _JOINER.join(_LINKED.split(" ".join(text.split())))
    return _MARKUP.sub(r"\\\1", line).translate(_ENTITIES)

"""Text that comes from outside is shown as it is: no link, no formula, no markup, on any page."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from db import baselines, imported, runs
from pages.widgets import result_tabs
from pages.widgets.view import code
from tests.pages.conftest import Visit
from tests.stored import store

NASTY = (
    "[go](https://evil.example) https://evil.example www.evil.example $x^2$ **b** `c` <b>d</b> "
    ":material/home: :red[e] me@evil.example ![f](https://evil.example/f.png)"
)
LIVE = (  # what a browser would make something of
    "](https://evil",
    "https://evil",
    "www.evil",
    "$x",
    "**b**",
    "`c`",
    "<b>",
    ":material/home:",
    ":red[",
    "me@evil",
)
REQUEST = {"repeat": 0, "index": 0, "status": "ok", "sent_s": 0.0, "e2e_s": 1.0}
FAILED = {**REQUEST, "index": 1, "status": "failed", "error_class": NASTY[:40], "error": NASTY}


def file(*requests: Any) -> bytes:
    source = {
        "tool": NASTY[:40],
        "version": NASTY,
        "stated": {"ok": 1, NASTY[:80]: 2},
        "definitions": {"ok": NASTY, NASTY[:80]: NASTY},
        "facts": {NASTY[:60]: NASTY},
        "unread": [NASTY[:80]],
        "known": ["backend", "model"],
    }
    run = {
        "name": NASTY,
        "status": "done",
        "note": NASTY,
        "tags": [NASTY[:50]],
        "source": source,
        "environment": {"engine": {"name": NASTY}, "host": NASTY},
        "config": {"backend": "import", "model": NASTY},
    }
    document = {"schema": "paceline/run/2", "run": run, "requests": requests, "summary": {"ok": 1}}
    return json.dumps(document).encode()


def texts(at: AppTest) -> list[str]:
    """Every text of the page that is read as markdown: bodies, labels, helps, cells of tables."""
    texts_found: list[str] = []
    for element in at.main:
        walk(element, texts_found)
    return texts_found


def walk(element: Any, texts_found: list[str]) -> None:
    proto = getattr(element, "proto", None)
    if getattr(element, "type", "") in (
        "text",
        "text_area",
        "text_input",
        "arrow_data_frame",
        "html",
    ):
        return
    if getattr(element, "type", "") in ("arrow_table", "table"):
        texts_found += [str(cell) for row in element.value.values.tolist() for cell in row]
        texts_found += [str(column) for column in element.value.columns]
    for name in ("body", "label", "help", "text"):
        if isinstance(text := getattr(proto, name, None), str):
            texts_found.append(text)
    for child in getattr(element, "children", {}).values():
        walk(child, texts_found)


@pytest.mark.long
@pytest.mark.parametrize("view", [{}, {"view": "share"}])
@pytest.mark.parametrize("requests", [(), (REQUEST, FAILED)])
def test_untrusted_text_is_never_shown_as_markup(
    visit: Visit, database: Engine, view: dict[str, str], requests: Any
) -> None:
    ids = [
        imported.import_file(database, file(*requests), f"{NASTY}.json", again=True)[0]
        for _ in range(2)
    ]
    [run] = [runs.load(database, ids[0])]
    baselines.save(database, "tag", run.tags[0], run.id)
    for page, parameters in [
        *(("result", {"run": str(ids[0]), "tab": tab}) for tab in result_tabs.LABELS),
        ("compare", {"runs": ",".join(map(str, ids))}),
        ("history", {}),
    ]:
        if page == "history" and view:
            continue
        shown = texts(visit(page, **parameters, **view))
        assert page == "history" or any("evil" in text for text in shown), "the page shows none"
        for text in shown:
            # what is escaped is no markup, and what is kept apart no address
            read = re.sub(r"\\.", "", text.replace(":primary[]", "∅"))
            for live in LIVE:
                assert live not in read, f"{page}: {live} in {text}"


def test_untrusted_text_cannot_close_a_code_span() -> None:
    assert code("http://a/`[go](https://evil.example)`\nb") == (
        "`http://a/'[go](https://evil.example)' b`"
    )
    assert code(" ") == ""


def test_names_are_not_html_in_the_history(visit: Visit, database: Engine) -> None:
    """Rows of History are HTML of our own: what people write is text in them."""
    evil = '<img src=x onerror="alert(1)">" <b>'
    store(database, name="name", tags=["<i>t</i>"], note=evil, model="<m>")
    [row] = [e.proto.body for e in visit("history").get("html") if "onerror" in e.proto.body]
    assert set(re.findall(r"<(\w+)", row)) == {"div"}
    assert escape(evil) in row

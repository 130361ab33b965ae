"""Pages without a browser: Streamlit's own test harness runs the same scripts in this process."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from typing import Any

import pytest
import streamlit as st
from sqlalchemy import Engine
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.testing.v1 import AppTest

from pages import widgets
from services.ask.backends import BACKENDS
from services.servers import check_backend
from tests.conftest import ROOT

Visit = Callable[..., AppTest]

# A widget first imported while a test replaces a function would keep the replacement afterwards.
for each in pkgutil.iter_modules(widgets.__path__, "pages.widgets."):
    importlib.import_module(each.name)


@pytest.fixture(autouse=True)
def no_search_for_components(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit's harness looks through all installed packages in every run, for nothing here: nine
    tenths of the time that a page takes."""
    monkeypatch.setattr(BidiComponentManager, "discover_and_register_components", _nothing)


@pytest.fixture(autouse=True)
def time_to_list_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """A form gives up on a server after a moment, which a busy machine may take for anything."""
    monkeypatch.setattr(check_backend, "LIST_S", 30.0)


def _nothing(*_: object, **__: object) -> None:
    pass


@pytest.fixture
def visit(database: Engine, monkeypatch: pytest.MonkeyPatch) -> Visit:
    """Open a page by its name, with the parameters of its URL, where no key and no address is set
    in the environment."""
    for backend in BACKENDS.values():
        for name in filter(None, (backend.url_env, backend.key_env, backend.model_env)):
            monkeypatch.delenv(name, raising=False)
    st.cache_data.clear()

    def open_page(page: str, /, **parameters: str) -> AppTest:
        at = AppTest.from_file(ROOT / "pages" / "_frame.py", default_timeout=120)
        at.switch_page(f"{page}.py")
        for name, text in parameters.items():
            at.query_params[name] = text
        return sound(at.run())

    return open_page


def sound(at: AppTest) -> AppTest:
    """The page has something on it, and no exception."""
    assert not at.exception, at.exception[0].value
    assert at.title or at.warning or at.error
    return at


def opened_panel(at: AppTest, page: str, label: str) -> AppTest:
    """Choose what opens below the buttons from the "…" menu of a page."""
    at.menu_button(key=f"more-{page}").click(label)
    return sound(at.run())


def deletion(*run_ids: int) -> AppTest:
    """Return what confirms the deletion of runs, on a page of its own."""

    def page(*chosen: int) -> None:
        from pages.widgets.edit import confirm_deletion

        confirm_deletion(chosen)

    return AppTest.from_function(page, args=run_ids).run()


def text_of(at: AppTest) -> str:
    """Return every text of the page, without markdown's backslashes and no-break spaces."""
    parts: list[Any] = [*at.title, *at.warning, *at.error, *at.info, *at.success, *at.caption]
    texts = " ".join(str(part.value) for part in (*parts, *at.markdown)).replace("\xa0", " ")
    return _text(texts)


def complaints(at: AppTest) -> str:
    """Return every warning and error of the page."""
    texts = " ".join(str(part.value) for part in (*at.warning, *at.error))
    return _text(texts)


def controls(at: AppTest) -> list[str]:
    """The kinds of everything that a person can set or press, downloads aside."""
    kinds = (
        "button",
        "selectbox",
        "text_input",
        "text_area",
        "number_input",
        "multiselect",
        "toggle",
        "button_group",
        "file_uploader",
        "download_button",
        "page_link",
        "popover",
        "form",
    )
    return [kind for kind in kinds if len(at.get(kind))]


def link_of(at: AppTest) -> dict[str, str]:
    """What the page's URL says."""
    parameters = dict(at.query_params)
    return {name: text if isinstance(text, str) else text[-1] for name, text in parameters.items()}


def listed_runs(at: AppTest) -> list[dict[str, str]]:
    """The rows of History: the text of each cell by its label, and of the link by Name and Page."""
    bodies = [element.proto.body for element in at.get("html")]
    cells = [_cells(body) for body in bodies if body.startswith('<div class="run">')]
    links = [
        link.proto for link in at.get("page_link") if link.proto.query_string.startswith("run=")
    ]
    names = (
        {"Page": f"{link.page}?{link.query_string}", "Name": _text(link.label)} for link in links
    )
    return [name | row for name, row in zip(names, cells, strict=True)]


def _cells(html: str) -> dict[str, str]:
    cells = re.findall(r'<span class="label">(.*?)</span>(.*?)</div>', html)
    return {label: re.sub(r"<[^>]*>", " ", cell).strip() for label, cell in cells}


def _text(markdown: str) -> str:
    """Markdown without its backslashes, and without what only keeps a range on one line."""
    return re.sub(r"\\(.)", r"\1", markdown.replace(":primary[]", "").replace("\u2060–\u2060", "–"))

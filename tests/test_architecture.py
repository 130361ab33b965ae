"""Imports follow the arrows: doors → jobs → db → services, and nothing points back."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("services", "db", "jobs", "pages", "api", "cli", "app")
DOORS = {"pages", "api", "cli", "app"}
MAY_IMPORT = {
    "services": {"services"},
    "db": {"db", "services"},
    "jobs": {"jobs", "db", "services"},
    "pages": {"pages", "jobs", "db", "services"},
    "api": {"jobs", "db", "services"},
    "cli": {"jobs", "db", "services"},
    "app": {"api", "jobs", "db", "services"},
}
PURE = (  # no sockets, no clock, no environment; randomness only from a seed
    "config", "modes", "workloads", "metrics", "statistics", "summary", "compare", "checks",
    "trial", "turn",
)  # fmt: skip
WORLD = {"socket", "time", "os", "subprocess", "asyncio", "httpx", "requests", "secrets"}


def files(room: str) -> list[Path]:
    folder = ROOT / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [ROOT / f"{room}.py"]


def imported(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    names = {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    return names | {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_where_its_arrows_point(room: str) -> None:
    assert files(room), f"{room} is gone: change the table above"
    for file in files(room):
        own = {name.split(".")[0] for name in imported(file)} & set(ROOMS)
        assert own <= MAY_IMPORT[room], f"{file.relative_to(ROOT)} imports against the arrow"


def test_streamlit_is_only_in_the_browsers_door() -> None:
    for room in ("services", "db", "jobs", "api", "cli"):
        for file in files(room):
            assert not any(name.startswith("streamlit") for name in imported(file)), file


def test_pages_hold_no_sql_and_no_threads() -> None:
    for file in files("pages"):
        found = {name.split(".")[0] for name in imported(file)}
        assert not found & {"sqlalchemy", "threading", "subprocess", "numpy"}, file


@pytest.mark.parametrize("name", PURE)
def test_what_computes_does_not_touch_the_world(name: str) -> None:
    place = ROOT / "services"
    file = place / f"{name}.py"
    for part in [file] if file.exists() else sorted((place / name).rglob("*.py")):
        assert not {found.split(".")[0] for found in imported(part)} & WORLD, part

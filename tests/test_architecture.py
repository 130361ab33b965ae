"""Imports follow the arrows, and what computes does not touch the world.

Outside: doors → jobs → db → services. Inside of services: report → studies → analysis → ask → base,
and load → servers → wire → ask. Nothing points back; load and analysis never import each other.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOUSE = ("services", "db", "jobs", "pages", "api", "cli", "app", "web")
MAY_IMPORT = {
    "services": {"services"},
    "db": {"db", "services"},
    "jobs": {"jobs", "db", "services"},
    "pages": {"pages", "jobs", "db", "services"},
    "api": {"api", "jobs", "db", "services"},
    "cli": {"cli", "jobs", "db", "services"},
    "app": {"web", "api", "jobs", "db", "services"},
    "web": {"web", "db", "services"},
}
ROOMS = {  # of services, and which rooms each may import
    "base": set(),
    "ask": {"base"},
    "wire": {"ask", "base"},
    "servers": {"wire", "ask", "base"},
    "load": {"servers", "wire", "ask", "base"},
    "analysis": {"ask", "base"},
    "studies": {"analysis", "ask", "base", "servers"},
    "report": {"studies", "analysis", "ask", "base", "servers"},
}
# What studies and report may know of servers: how engines and backends are called and described.
OF_SERVERS = ("services.servers.engines", "services.servers.probe")
PURE = ("ask", "analysis", "studies", "report")  # rooms: no sockets, no clock, no environment
NOT_PURE = {  # files of those rooms, and what of the world each of them touches
    "ask/backends/trust.py": {"os", "ssl"},  # certificates are files
    "report/imports/isolated.py": {"os", "psutil", "resource", "subprocess", "threading", "time"},
}
WORLD = {
    "asyncio",
    "httpx",
    "os",
    "psutil",
    "requests",
    "resource",
    "secrets",
    "select",
    "shutil",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "uuid",
}


def files(part: str) -> list[Path]:
    folder = ROOT / part
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [ROOT / f"{part}.py"]


@cache
def imported(file: Path) -> frozenset[str]:
    """The modules that a file imports, `from a import b` as `a.b`."""
    tree = ast.parse(file.read_text())
    names = {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    return frozenset(names) | {
        f"{n.module}.{alias.name}"
        for n in ast.walk(tree)
        if isinstance(n, ast.ImportFrom) and n.module
        for alias in n.names
    }


def exported(tree: ast.Module) -> set[str]:
    """The names in a module's `__all__`."""
    return {
        name
        for n in tree.body
        if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"
        for name in ast.literal_eval(n.value)
    }


def bound(tree: ast.Module) -> set[str]:
    """The names that the statements of a module bind."""
    names = set[str]()
    for n in tree.body:
        if isinstance(n, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in n.names}
        elif isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(n.name)
        elif isinstance(n, ast.Assign | ast.AnnAssign):
            names |= {
                x.id
                for x in ast.walk(n)
                if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)
            }
    return names


@pytest.mark.parametrize("part", HOUSE)
def test_a_module_exports_only_names_that_it_has(part: str) -> None:
    for file in files(part):
        tree = ast.parse(file.read_text())
        assert exported(tree) <= bound(tree), file


@pytest.mark.parametrize("part", HOUSE)
def test_a_package_imports_only_what_the_table_allows(part: str) -> None:
    assert files(part), f"{part} is gone: change the table above"
    for file in files(part):
        own = {name.split(".")[0] for name in imported(file)} & set(HOUSE)
        assert own <= MAY_IMPORT[part], f"{file.relative_to(ROOT)} imports against the arrow"


def test_every_file_of_services_is_in_a_known_folder() -> None:
    inside = {file.relative_to(ROOT / "services").parts[0] for file in files("services")}
    assert inside == {*ROOMS, "__init__.py"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_folder_of_services_imports_only_what_the_table_allows(room: str) -> None:
    for file in files(f"services/{room}"):
        for name in imported(file):
            other = name.split(".")[1] if name.startswith("services.") else room
            if other not in ROOMS or other == room:  # services.VERSION is everybody's
                continue
            assert other in ROOMS[room], f"{file.relative_to(ROOT)} imports {name}"
            if other == "servers" and room in PURE:
                assert name.startswith(OF_SERVERS), f"{file.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("room", ROOMS)
def test_every_folder_of_services_has_a_docstring(room: str) -> None:
    tree = ast.parse((ROOT / "services" / room / "__init__.py").read_text())
    assert len((ast.get_docstring(tree) or "").splitlines()) >= 3, "what comes in, what goes out"


def test_streamlit_is_imported_only_for_pages() -> None:
    for part in ("services", "db", "jobs", "api", "cli"):
        for file in files(part):
            assert not any(name.startswith("streamlit") for name in imported(file)), file


def test_pages_hold_no_sql_and_no_threads() -> None:
    for file in files("pages"):
        found = {name.split(".")[0] for name in imported(file)}
        assert not found & {"sqlalchemy", "threading", "subprocess", "numpy"}, file


def test_pages_show_errors_in_one_way() -> None:
    for file in files("pages"):
        assert "plain(str(error))" not in file.read_text(), f"{file}: call show_error"


@pytest.mark.parametrize("room", PURE)
def test_pure_folders_do_no_io(room: str) -> None:
    for file in files(f"services/{room}"):
        touched = {found.split(".")[0] for found in imported(file)} & WORLD
        allowed = NOT_PURE.get(str(file.relative_to(ROOT / "services")), set())
        assert touched == allowed, file

"""What documentation and docstrings name is there: files, folders, headings, tables."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOCS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
LEFT_OUT = ("data", "shared")  # what runs leave behind, and what is not of this repository
FILES = [
    str(file.relative_to(ROOT))
    for part in ROOT.iterdir()
    if part.is_file() or not (part.name.startswith(".") or part.name in LEFT_OUT)
    for file in (part, *part.rglob("*"))
    if file.is_file() and file.parent.name != "__pycache__"
]
FOLDERS = {str(folder) for name in FILES for folder in Path(name).parents}
TOP = {name.split("/")[0] for name in FILES if "/" in name}
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.*-]*|[\w-]+\.py)`")
ENTRY = re.compile(r"^\| [^|]+ \| `([\w/.]+\.py)` \| `(\w+)` \|$", re.MULTILINE)
MADE = ("data/",)  # when Paceline runs
MODULE = re.compile(r"(?<![\w./*{-])([\w/]+\.py)\b(?![/:]\w)")
OTHERS = ("services/report/imports/", "services/servers/engines/cpu/", "tests/data/")
CODE = [  # but for what names files of other programs
    ROOT / name for name in FILES if name.endswith(".py") and not name.startswith(OTHERS)
]


def exists(path: str, beside: str = "") -> bool:
    """Whether a file or a folder of the repository, or of the folder `beside`, is called so."""
    names = [path.rstrip("/"), f"{beside}/{path}".rstrip("/")]
    return any(
        name in FOLDERS or name in FILES or ("*" in name and any(ROOT.glob(name))) for name in names
    )


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.name)
def test_every_path_in_the_documentation_exists(file: Path) -> None:
    named = [path for path in PATH.findall(file.read_text()) if path.split("/")[0] in TOP]
    assert [path for path in named if not exists(path) and not path.startswith(MADE)] == []


def anchor(heading: str) -> str:
    """How GitHub calls a heading in a link."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.name)
def test_every_link_of_the_documentation_leads_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", file.read_text()):
        path, _, heading = target.partition("#")
        to = (file.parent / path).resolve() if path else file
        assert to.exists(), target
        headings = re.findall(r"^#+ (.*)$", to.read_text(), re.MULTILINE) if heading else []
        assert not heading or heading in map(anchor, headings), target


def test_the_tree_in_the_readme_is_the_real_one() -> None:
    (tree,) = re.findall(r"```\n(app\.py .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    rows = [re.split(r"\s{2,}", line.strip())[0] for line in tree.splitlines()]
    inside = {line.split()[0] for line in tree.splitlines() if line.startswith("  ")}
    for name in (name for row in rows for name in row.split()):
        assert exists(name, "services" if name in inside else ""), name
    top = {name.split("/")[0] for name in FILES if re.match(r"\w+/.*\.py$", name)}
    assert top <= {name.rstrip("/") for row in rows for name in row.split()}
    rooms = {name.split("/")[1] for name in FILES if re.match(r"services/\w+/", name)}
    assert {name.rstrip("/") for name in inside} == rooms


@pytest.mark.parametrize(("file", "name"), ENTRY.findall((ROOT / "CONTRIBUTING.md").read_text()))
def test_every_table_named_in_contributing_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    defined = [n.name for n in tree.body if isinstance(n, ast.ClassDef)]
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        defined += [target.id for target in targets if isinstance(target, ast.Name)]
    assert name in defined


def test_contributing_names_its_tables() -> None:
    assert len(ENTRY.findall((ROOT / "CONTRIBUTING.md").read_text())) >= 15


def bullets() -> list[str]:
    """What CONTRIBUTING.md says of the additions that need more than an entry in a table."""
    _, text = (ROOT / "CONTRIBUTING.md").read_text().split("Some additions need a little more:")
    return re.findall(r"^- .*(?:\n  .*)*", text.split("\n## ")[0], re.MULTILINE)


@pytest.mark.parametrize("bullet", bullets(), ids=lambda bullet: bullet.split("**")[1])
def test_every_name_in_contributing_is_in_a_file_beside_it(bullet: str) -> None:
    files = [ROOT / path for path in PATH.findall(bullet) if (ROOT / path).suffix == ".py"]
    code = "".join(file.read_text() for file in files)
    tables = (ROOT / "CONTRIBUTING.md").read_text().split("Some additions")[0]
    for name in re.findall(r"`(_?[A-Z][A-Z_]+)`", bullet):
        assert re.search(rf"^{name}\b", code, re.MULTILINE) or f"`{name}` |" in tables, name


@pytest.mark.long
def test_every_module_that_a_docstring_or_a_comment_names_exists() -> None:
    gone = {
        f"{file.relative_to(ROOT)}: {path}"
        for file in CODE
        for path in MODULE.findall(prose(file.read_text()))
        if not near(path, file)
    }
    assert gone == set()


def prose(code: str) -> str:
    """The docstrings and the comments of a module."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = [ast.get_docstring(n) for n in ast.walk(ast.parse(code)) if isinstance(n, documented)]
    comments = re.findall(r"(?:^|  )#.*", code, re.MULTILINE)
    return "\n".join([*filter(None, texts), *comments])


def near(path: str, file: Path) -> bool:
    """Whether a module is named from the root, from `services`, or from a folder above the file."""
    above = [folder.relative_to(ROOT) for folder in file.parents if folder.is_relative_to(ROOT)]
    return any(exists(path, str(folder)) for folder in (*above, Path("services")))


SHOWS = re.compile(r"(pages|services)/.*\.py$")  # where the words of pages are written
NO_LABELS = ("CPU", "Guerrilla Capacity Planning")  # set in italics, too


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.name)
def test_labels_named_in_the_documentation_are_on_a_page(file: Path) -> None:
    shown = (
        "".join((ROOT / name).read_text() for name in FILES if SHOWS.match(name))
        .lower()
        .replace('" ', '"')
    )
    text = re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL)
    named = re.findall(r"(?<!\*)\*([A-Z][^*\n]{1,40})\*(?!\*)", text)
    labels = [label.removesuffix(" …") for name in named for label in name.split(" → ")]
    missing = [label for label in labels if f'"{label}'.lower() not in shown]
    assert set(missing) <= set(NO_LABELS)

"""A virtual environment for each peer, made by this command and kept until its pins change.

`peers/NAME.txt` is installed with what it depends on, `peers/NAME.alone.txt` without: the client of
an engine needs little of what the engine needs. Where packages come from is pip's business and can
be said in its environment variables (PIP_INDEX_URL, PIP_FIND_LINKS, …).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = Path(__file__).resolve().parent / "peers"
HOME = ROOT / ".venv-bench"
LIMIT_S = 1800.0


class NotInstalled(RuntimeError):
    """The peer cannot be measured; the message says why."""


def python_of(name: str) -> str:
    """Return the interpreter of a peer's environment, which is created if it is not as pinned.

    Raises:
        NotInstalled: pip failed.
    """
    folder, pins = HOME / name, _pins(name)
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if stamp.is_file() and stamp.read_text() == pins:
        return str(python)
    print(f"installing {name} …", file=sys.stderr, end=" ", flush=True)
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(folder)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for file, flags in _files(name):
        _run([*pip, *flags, "-r", str(file)])
    stamp.write_text(pins)
    size = sum(file.lstat().st_size for file in folder.rglob("*")) / 2**20
    print(f"{time.monotonic() - began:.0f} s, {size:,.0f} MB", file=sys.stderr)
    return str(python)


def version(name: str) -> str:
    """Return the pinned version: that of the first package in the last file."""
    pinned = re.search(r"^[\w-]+(?:\[\w+\])?==(\S+)", _files(name)[-1][0].read_text(), re.MULTILINE)
    return pinned[1] if pinned else ""


def _files(name: str) -> list[tuple[Path, list[str]]]:
    alone = PEERS / f"{name}.alone.txt"
    files: list[tuple[Path, list[str]]] = [(PEERS / f"{name}.txt", [])]
    return [*files, (alone, ["--no-deps"])] if alone.is_file() else files


def _pins(name: str) -> str:
    return "".join(file.read_text() for file, _ in _files(name))


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"not within {LIMIT_S:.0f} s") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no word why"]
        message = next((line for line in lines if line.startswith("ERROR")), lines[-1])
        raise NotInstalled(re.sub(r"\w+://\S+", "…", message.removeprefix("ERROR: "))[:120])

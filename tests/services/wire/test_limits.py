"""How many open files, ports and new connections this machine allows."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.wire import limits
from services.wire.limits import MachineLimit


@pytest.fixture
def files() -> Iterator[int]:
    """The hard limit of open files; the soft one is put back at the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_limit_of_open_files_is_raised_to_what_is_needed(files: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, files))
    limits.allow_files(1000)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (1000, files)


def test_more_connections_than_open_files_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    with pytest.raises(
        MachineLimit, match="lets a process open 4,096 files, and the run needs 4,097"
    ):
        limits.allow_files(4097)


def test_more_connections_than_ports_are_reported(tmp_path: Path) -> None:
    (tmp_path / "range").write_text("32768\t32867\n")
    limits.allow_ports(100, tmp_path / "range")
    with pytest.raises(
        MachineLimit, match="has 100 ports for outgoing connections, and the run nee"
    ):
        limits.allow_ports(101, tmp_path / "range")


@pytest.mark.parametrize(("backlog", "expected"), [("4096", 256), ("128", 64), ("1", 1)])
def test_connections_are_opened_no_faster_than_a_listener_takes_them(
    tmp_path: Path, backlog: str, expected: int
) -> None:
    (tmp_path / "somaxconn").write_text(backlog)
    assert limits.connects_at_once(tmp_path / "somaxconn") == expected


def test_unknown_system_limits_fall_back_to_a_default(tmp_path: Path) -> None:
    limits.allow_ports(10**6, tmp_path / "none")
    assert limits.connects_at_once(tmp_path / "none") == 64

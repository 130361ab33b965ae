"""A log that is followed while it is written."""

from __future__ import annotations

from pathlib import Path

from services.servers.engines import lines_after
from services.servers.engines.logfile import LogFile


def test_each_line_is_read_once_and_only_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    assert lines_after(file, 0) == ([], 0)
    with LogFile(file) as log:
        log.write(b"one\ntw")
        lines, at = lines_after(file, 0)
        assert (lines, at) == (["one"], 4)
        assert lines_after(file, at) == ([], 4)
        log.write(b"o\n\xff\n")
    assert lines_after(file, at) == (["two", "\ufffd"], 10)


def test_a_log_that_was_cut_is_read_from_its_beginning(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(b"one\n")
    assert lines_after(file, 400) == (["one"], 4)

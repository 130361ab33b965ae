"""What stands in .env, however it was saved."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.base.settings import InvalidSettings, environment, load, without_file

NAME = "PACELINE_OF_THIS_TEST"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(NAME, "")
    monkeypatch.delenv(NAME)  # what is loaded is taken away again
    return tmp_path / ".env"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_settings_file_with_or_without_a_byte_order_mark_is_read(
    file: Path, encoding: str
) -> None:
    file.write_text(f"{NAME}=Grüße\n", encoding=encoding)
    load(file)
    assert os.environ[NAME] == "Grüße"


def test_the_environment_overrides_the_settings_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(file)
    monkeypatch.setenv(NAME, "mine")
    file.write_text(f"{NAME}=its\n")
    load(file)
    assert os.environ[NAME] == "mine"


def test_a_changed_settings_file_is_read_again(file: Path) -> None:
    file.write_text(f"{NAME}=one\n")
    load(file)
    file.write_text(f"{NAME}=two\n")
    assert environment(file)[NAME] == os.environ[NAME] == "two"
    assert NAME not in without_file(), "a process that is started reads the file itself"
    file.write_text("")
    assert NAME not in environment(file)
    assert NAME not in os.environ


def test_a_variable_set_in_the_environment_outlasts_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(f"{NAME}=its\n")
    load(file)
    monkeypatch.setenv(NAME, "mine")
    assert environment(file)[NAME] == without_file()[NAME] == "mine"
    file.write_text("")
    assert environment(file)[NAME] == "mine"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("A=1\nKEY=topsecret-ü\n".encode("latin-1"), "is not UTF-8 text in line 2. Save it"),
        ("KEY=topsecret\n".encode("utf-16"), "is not UTF-8 text in line 1. Save it"),
        (b"KEY=topsecret\0\n", "contains a NUL character. Save it"),
    ],
)
def test_binary_content_is_refused_and_not_repeated(file: Path, data: bytes, message: str) -> None:
    file.write_bytes(data)
    with pytest.raises(InvalidSettings, match=message) as problem:
        load(file)
    assert str(file) in str(problem.value)
    assert "topsecret" not in str(problem.value)

"""A machine without a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.mark.long
def test_without_chromium_the_browsers_tests_fail_and_say_how_to_install_it(tmp_path: Path) -> None:
    env = {**os.environ, "PATH": str(tmp_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)}
    of_one_page = ["tests/browser/test_looks.py", "-x", "-p", "no:cacheprovider"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *of_one_page],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 1, ended.stdout
    assert "Install it with `apt-get install chromium`" in ended.stdout
    assert "skipped" not in ended.stdout

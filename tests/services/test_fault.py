"""An error that nobody thought of ends a run with a sentence, without its own words."""

from __future__ import annotations

import logging
import subprocess
import sys

import orjson
import pytest

from services.engines.within import ROOT
from services.fault import fault
from services.redact import redact

SECRET = "sk-very-secret-000000"


def test_a_fault_is_named_without_its_own_words(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        try:
            redact(SECRET, [SECRET], limit=SECRET)  # type: ignore[arg-type]
        except TypeError as error:
            said = fault(error)
    assert said.startswith("Paceline itself has a fault: TypeError in services/redact.py, line ")
    assert "\n" not in said and SECRET not in said + caplog.text
    assert "TypeError" in caplog.text and "Traceback" not in caplog.text


@pytest.mark.parametrize("line", [b"{\n", b'{"config": 7}\n', b'{"first": "x"}\n', b"\n"])
def test_a_worker_that_meets_one_says_so_in_its_last_message(line: bytes) -> None:
    worker = subprocess.run(
        [sys.executable, "-m", "services.worker"], input=line, capture_output=True, cwd=ROOT
    )
    last = orjson.loads(worker.stdout.splitlines()[-1])
    assert (worker.returncode, last["type"], last["cancelled"]) == (0, "end", False)
    assert "has a fault" in last["problem"] and "Traceback" not in worker.stderr.decode()

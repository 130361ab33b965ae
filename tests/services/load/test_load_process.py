"""A load process does not outlive the worker that started it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from services.ask.backends import target
from services.ask.config import parse
from services.load.protocol import Begin, Job, PlayRepeat, Ready, decode, encode
from tests.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.long
@pytest.mark.parametrize("begins", [False, True])
def test_a_load_process_ends_with_its_standard_input(begins: bool) -> None:
    values = {"backend": "url", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    config = parse({**values, "mode": "batch", "requests": 2})
    with subprocess.Popen(
        [sys.executable, "-m", "services.load.load_process"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin and process.stdout
        try:
            process.stdin.write(encode(Job(config, target(config, {}), "n", 0)))
            process.stdin.write(encode(PlayRepeat(0)))
            process.stdin.flush()
            while not isinstance(decode(process.stdout.readline()), Ready):
                pass
            if begins:
                process.stdin.write(encode(Begin(0)))
            process.stdin.close()
            assert process.wait(10) == 0
        finally:
            process.kill()

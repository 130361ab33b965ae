"""What a process logs, without keys, whatever wrote it: as JSON, one object a line."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from sqlalchemy import Engine

from services.base import logs
from tests.conftest import ROOT

START = """
import logging, os, sys, threading
from services.base import logs
logs.setup("supervisor", os.environ)
"""
KEY = "sk-hush-hush-0123456789"


def logged(code: str, log: str = "json", start: str = START) -> tuple[list[Any], str]:
    """Run a program; return its log's lines."""
    ended = subprocess.run(
        [sys.executable, "-c", start + code],
        cwd=ROOT,
        env={**os.environ, "PACELINE_LOG": log, "MY_API_KEY": "not-like-one-but-secret"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = ended.stderr.splitlines()
    return ([json.loads(line) for line in lines] if log == "json" else lines), ended.stderr


def test_a_json_line_has_time_level_process_and_run() -> None:
    (first, second, third), _ = logged(
        "log = logging.getLogger('paceline.jobs')\n"
        "log.info('run %s: begins', 12); log.warning('engine 3: gone'); log.info('two\\nlines')"
    )
    assert first["time"].endswith("Z") and "T" in first["time"]
    assert {name: first[name] for name in first if name != "time"} == {
        "level": "info",
        "process": "supervisor",
        "run": 12,
        "message": "run 12: begins",
    }
    assert (second["engine"], second["level"]) == (3, "warning")
    assert "run" not in third and "two" in third["message"]


@pytest.mark.parametrize(
    "code",
    [
        f"logging.getLogger('x').warning('with %s', '{KEY}')",
        "logging.getLogger('x').warning('with not-like-one-but-secret')",
        f"print('with {KEY}', file=sys.stderr)",
        f"raise ValueError('{KEY} and the prompt')",
        f"t = threading.Thread(target=lambda: int('{KEY}')); t.start(); t.join()",
        f"sys.exit('with {KEY}')",
        f"try: int('{KEY}')\nexcept ValueError: logging.exception('caught')",
    ],
)
def test_no_key_is_logged_and_every_line_is_an_object(code: str) -> None:
    lines, text = logged(code)
    assert len(lines) == 1, text
    assert lines[0]["message"] and "hush" not in text and "secret" not in text
    assert "prompt" not in text


def test_lines_are_plain_text_by_default() -> None:
    (line,), _ = logged("logging.getLogger('paceline.jobs').info('run 1: begins')", "")
    assert line.endswith(" run 1: begins")


@pytest.mark.parametrize(
    "code",
    [
        f"logging.getLogger('x').warning('with %s', '{KEY}')",
        "logging.getLogger('x').warning('with not-like-one-but-secret')",
        f"try: int('{KEY}')\nexcept ValueError: logging.exception('caught')",
        "import asyncio\nasync def fails(): raise ValueError('not-like-one-but-secret')\n"
        "async def main(): asyncio.create_task(fails()); await asyncio.sleep(0.01)\n"
        "asyncio.run(main())",
    ],
)
def test_no_key_is_in_a_plain_line_either(code: str) -> None:
    lines, text = logged(code, "")
    assert lines and "hush" not in text and "secret" not in text
    assert "Traceback" not in text


UVICORN = """
from threading import Thread
import time, httpx, uvicorn
from web import logs
logs.setup()
from api import api
from db.columns import Key
api.add_api_route('/hush', lambda: Key().process_bind_param('hush', None))
server = uvicorn.Server(uvicorn.Config(api, port=0, log_level='error'))
thread = Thread(target=server.run)
thread.start()
while not server.started: time.sleep(0.01)
port = server.servers[0].sockets[0].getsockname()[1]
print(httpx.get(f'http://127.0.0.1:{port}/hush').text)
server.should_exit = True
thread.join()
"""


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("log", ["json", ""])
def test_an_unexpected_error_of_the_api_is_logged_by_type_and_place(
    database: Engine, log: str
) -> None:
    _, text = logged(UVICORN, log, start="")
    assert "Exception in ASGI application: TypeError in db/columns.py, line " in text
    assert "hush" not in text and "Traceback" not in text


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(("log", "config"), [("json", "log_config=None"), ("", "log_level='info'")])
def test_the_address_of_a_request_is_logged_without_tokens_and_query(
    database: Engine, log: str, config: str
) -> None:
    asked = UVICORN.replace("log_level='error'", config).replace("}/hush'", "}/share/hush?a=hush'")
    _, text = logged("", log, start=f"import os; os.dup2(2, 1){asked}".replace("print(", "("))
    assert "GET /share/… HTTP/1.1" in text and "404" in text
    assert "hush" not in text


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("/share/abc-DEF", "/share/…"),
        ("/api/shares/abc-DEF", "/api/shares/…"),
        ("/api/shares?runs=1,2", "/api/shares"),
        ("/oauth2callback?code=1&state=2", "/oauth2callback"),
        ("/_stcore/upload_file/session/file", "/_stcore/upload_file/…"),
        ("/api/runs/12/requests.csv", "/api/runs/12/requests.csv"),
        ("127.0.0.1:5000", "127.0.0.1:5000"),
    ],
)
def test_only_the_secret_part_of_an_address_is_cut(address: str, kept: str) -> None:
    record = logging.LogRecord("uvicorn.access", 20, "", 1, "%s %d", (address, 200), None)
    assert logs.without_parameters(record)
    assert record.getMessage() == f"{kept} 200"


def test_the_place_of_an_error_is_in_code_of_paceline_wherever_that_is() -> None:
    lines, _ = logged("from db.columns import Key\nKey().process_bind_param('hush', None)")
    assert re.fullmatch(r"TypeError in db/columns\.py, line \d+", lines[0]["message"])

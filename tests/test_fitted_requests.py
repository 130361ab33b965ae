"""A server that wants its requests just so, from the command line and over the API to the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

import jobs
from api.bodies import config_of
from api.runs import NewRun
from db import runs
from tests.conftest import ROOT, finished
from tests.picky import Body, Picky, Refusal, serving


def refuses(body: Body, headers: dict[str, str]) -> Refusal:
    if headers.get("api-key") != "azure-secret-77":
        return 401, {"error": {"message": f"Access denied for {headers.get('api-key')}"}}
    if "temperature" in body:
        return 422, {"status": 422, "message": "Invalid params: temperature must be > 0"}
    return None


def typed(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "cli.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.mark.long
@pytest.mark.usefixtures("database")
def test_the_command_line_takes_the_flag_and_stores_no_secret(tmp_path: Path) -> None:
    with serving(Picky(refuses)) as picky:
        env = {"PACELINE_URL": picky.url, "PACELINE_URL_API_KEY": "azure-secret-77"}
        whom = ("--model", "m", "--header", "api-key: $PACELINE_URL_API_KEY")
        tested = typed("backends", "url", "--test", *whom, **env)
        assert "Leave temperature out: --omit temperature" in tested.stdout
        few = ("run", "--backend", "url", "--requests", "1", "--warmup", "0", *whom)
        refused = typed(*few, **env)
        assert refused.returncode == 1
        assert "Leave temperature out: --omit temperature" in refused.stdout
        fitted = typed(*few, "--omit", "temperature", "--json", **env)
        assert fitted.returncode == 0, fitted.stdout + fitted.stderr
        config = json.loads(fitted.stdout)["run"]["config"]
        assert config["headers"] == {"api-key": "$PACELINE_URL_API_KEY"}
        assert config["omit"] == ["temperature"]
        other = typed(*few, "--base-url", "http://127.0.0.1:9", **env)
        assert other.returncode == 2
        assert "PACELINE_URL_API_KEY is not sent to 127.0.0.1:9" in other.stderr
    output = "".join(result.stdout + result.stderr for result in (tested, refused, fitted, other))
    assert "azure-secret" not in output
    contents = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert contents and not any(b"azure-secret" in each for each in contents)


def test_the_server_gets_what_the_api_received(database: Engine) -> None:
    def wants(body: Body, headers: dict[str, str]) -> Refusal:
        fits = body.get("min_tokens") == 3 and headers.get("X-Route") == "a"
        fits = fits and not {"temperature", "stream_options"} & set(body)
        return None if fits and body.get("max_completion_tokens") == 9 else (400, {"error": "no"})

    with serving(Picky(wants, paths=("/v1/completions",))) as picky:
        values = {
            "backend": "url",
            "base_url": f"{picky.url}/v1/completions?tenant=b",
            "model": "m",
            "requests": 2,
            "warmup": 0,
            "pause_s": 0,
            "max_tokens": 9,
            "omit": ["temperature", "stream_options"],
            "extra_body": {"min_tokens": 3},
            "max_tokens_field": "max_completion_tokens",
            "headers": {"X-Route": "a"},
        }
        run_id = jobs.submit(database, config_of(NewRun(**values)))
        run = finished(database, run_id)
        assert (run.status, run.error) == ("done", None)
        assert {m.status for m in runs.measurements(database, run_id)} == {"ok"}
        assert {path for path, _, _ in picky.asked} == {"/v1/completions?tenant=b"}

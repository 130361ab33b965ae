"""Read an untrusted file in a subprocess with limited memory and time: even a small file may expand
to gigabytes. The process gets the name and the bytes on stdin, writes JSON to stdout, and has no
keys in its environment."""

from __future__ import annotations

import gc
import logging
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any

import orjson
import psutil

from services.ask.config import RunConfig
from services.ask.measurement import Measurement, Repeat, Sample
from services.base.fault import place_of
from services.base.root import ROOT
from services.report import imports
from services.report.imports.imported import Imported, InvalidImport

MAX_MEMORY = 4 * 2**30  # bytes; a file of 256 MB and 30 million values takes about 3 GiB
MAX_CPU_S, MAX_S, POLL_S = 120, 300.0, 0.5
ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
FEW_THREADS = {"OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
MOMENTS = ("started_at", "ended_at", "token_times_removed_at")  # of a run
TOO_MUCH = "It needs more memory than Paceline allows for one file: split it."
TOO_LONG = "It takes too long to read: split it."
log = logging.getLogger("paceline.imports")
_LOCK = Lock()  # one file at a time, to bound the memory


def read(data: bytes, filename: str) -> list[Imported]:
    """Return the runs in a file, as `imports.read` does, within limits of memory and time.

    Raises:
        InvalidImport: as there, or if reading takes too much memory or time.
    """
    with _LOCK:
        answer = _read_in_subprocess(filename.encode("utf-8", "replace") + b"\0" + data, filename)
    if "error" in answer:
        raise InvalidImport(answer["error"])
    return [_from_dict(run) for run in answer["runs"]]


def _read_in_subprocess(request: bytes, filename: str) -> dict[str, Any]:
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "services.report.imports.isolated",
            str(MAX_MEMORY),
            str(MAX_CPU_S),
        ],
        cwd=ROOT,
        env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ} | FEW_THREADS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a library's words may quote the file
    ) as process:
        reasons: list[str] = []
        done = Event()
        watch = Thread(target=_watch, args=(process, done, reasons), daemon=True)
        watch.start()
        try:
            stdout, _ = process.communicate(request)
        finally:
            done.set()
            process.kill()
            watch.join()
    name = imports.name_of(filename)
    if process.returncode == 0:
        answer: dict[str, Any] = orjson.loads(stdout)
        if "fault" not in answer:
            return answer
    elif reasons or process.returncode < 0:  # killed by a signal, from a limit or the OOM killer
        return {"error": f"{name}: {reasons[0] if reasons else TOO_MUCH}"}
    else:
        answer = {"fault": f"the process that reads it ended with {process.returncode}"}
    log.error("A file was not read: %s", answer["fault"])
    return {"error": f"{name}: Paceline failed to read it; its log says why."}


def _watch(process: subprocess.Popen[bytes], done: Event, reasons: list[str]) -> None:
    """Kill a process that exceeds a limit, which not every system enforces, and append the
    reason."""
    end = monotonic() + MAX_S
    while not done.wait(POLL_S):
        if reason := _exceeded_limit(process.pid) or (TOO_LONG if monotonic() > end else ""):
            reasons.append(reason)
            process.kill()
            return


def _exceeded_limit(pid: int) -> str:
    """Return a message about the limit that a process exceeds; "" if it exceeds none."""
    try:
        process = psutil.Process(pid)
        used = process.cpu_times()
        if used.user + used.system > MAX_CPU_S:
            return TOO_LONG
        return TOO_MUCH if process.memory_info().rss > MAX_MEMORY else ""
    except psutil.Error:  # the process has ended
        return ""


def _to_dict(run: Imported) -> dict[str, Any]:
    return {
        "config": run.config.model_dump(mode="json"),
        "name": run.name,
        **{name: getattr(run, name) for name in MOMENTS},
        "measurements": run.measurements,
        "source": run.source,
        "repeats": [asdict(repeat) for repeat in run.repeats],
        "status": run.status,
        "environment": run.environment,
        "tags": run.tags,
        "note": run.note,
        "calibration": run.calibration,
        "samples": [asdict(sample) for sample in run.samples],
        "error": run.error,
    }


def _from_dict(data: dict[str, Any]) -> Imported:
    config = RunConfig.model_validate(data["config"])
    measurements = (
        Measurement(**{**row, "token_times": tuple(row["token_times"])})
        for row in data.pop("measurements")
    )
    repeats = (
        Repeat(**{**row, "began_at": datetime.fromisoformat(row["began_at"])})
        for row in data["repeats"]
    )
    return Imported(
        **{
            **data,
            "config": config,
            **{name: data[name] and datetime.fromisoformat(data[name]) for name in MOMENTS},
            "measurements": tuple(measurements),
            "repeats": tuple(repeats),
            "tags": tuple(data["tags"]),
            "samples": tuple(Sample(**row) for row in data["samples"]),
        }
    )


def main(arguments: Sequence[str]) -> int:
    """Read the file on stdin within limits of memory (bytes) and CPU time (seconds)."""
    memory, seconds = map(int, arguments)
    with suppress(ValueError, OSError):  # macOS has no such limit; the parent process enforces it
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.disable()  # repeated scans of millions of live lists would be wasted
    name = b""
    try:
        name, _, data = sys.stdin.buffer.read().partition(b"\0")
        runs = imports.read(data, name.decode())
        del data
        answer = orjson.dumps({"runs": [_to_dict(run) for run in runs]})
    except InvalidImport as error:
        answer = orjson.dumps({"error": str(error)})
    except MemoryError:
        answer = orjson.dumps({"error": f"{imports.name_of(name.decode())}: {TOO_MUCH}"})
    except Exception as error:  # a bug, which the log shows without the file's words
        answer = orjson.dumps({"fault": place_of(error)})
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # skips freeing millions of objects one by one

"""A file is read in a process of its own, with little memory and time: what a file of a kilobyte
costs is known only when it is read. The process gets the name and the bytes on its standard input,
answers in JSON on its standard output, and knows no key."""

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
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any

import orjson
import psutil

from services.ask.config import RunConfig
from services.ask.measurement import Measurement, Repeat, Sample
from services.report import imports
from services.report.imports.imported import Imported, InvalidImport

ROOT = Path(__file__).resolve().parents[3]
MOST_MEMORY = 4 * 2**30  # bytes; a file of 256 MB and 30 million values takes about 3 GiB
MOST_CPU_S, MOST_S, LOOK_S = 120, 300.0, 0.5
KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
FEW_THREADS = {"OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
TOO_MUCH = "It needs more memory than Paceline allows for one file: split it."
TOO_LONG = "It takes too long to read: split it."
_ONE = Lock()  # so that ten files at once take no more memory than one


def read(data: bytes, filename: str) -> list[Imported]:
    """Return the runs that a file holds, as `imports.read` does, whatever the file costs to read.

    Raises:
        InvalidImport: likewise, or where it takes too much memory or time.
    """
    with _ONE:
        answer = _answer(filename.encode("utf-8", "replace") + b"\0" + data, filename)
    if "error" in answer:
        raise InvalidImport(answer["error"])
    return [_unpacked(one) for one in answer["runs"]]


def _answer(asked: bytes, filename: str) -> dict[str, Any]:
    with subprocess.Popen(
        [sys.executable, "-m", "services.report.imports.apart", str(MOST_MEMORY), str(MOST_CPU_S)],
        cwd=ROOT,
        env={name: os.environ[name] for name in KEPT if name in os.environ} | FEW_THREADS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        why: list[str] = []
        over = Event()
        watch = Thread(target=_watch, args=(process, over, why), daemon=True)
        watch.start()
        try:
            out, told = process.communicate(asked)
        finally:
            over.set()
            process.kill()
            watch.join()
    if process.returncode == 0:
        found: dict[str, Any] = orjson.loads(out)
        return found
    name = imports.name_of(filename)
    if why or process.returncode < 0:  # a signal: the limit of time, or the machine's own of memory
        return {"error": f"{name}: {why[0] if why else TOO_MUCH}"}
    logging.getLogger(__name__).error("A file was not read:\n%s", told.decode("utf-8", "replace"))
    return {"error": f"{name}: Paceline failed to read it; its log says why."}


def _watch(process: subprocess.Popen[bytes], over: Event, why: list[str]) -> None:
    """End a process that takes too much, which not every system sees to by itself, and say why."""
    end = monotonic() + MOST_S
    while not over.wait(LOOK_S):
        if found := _too_much(process.pid) or (TOO_LONG if monotonic() > end else ""):
            why.append(found)
            process.kill()
            return


def _too_much(pid: int) -> str:
    try:
        found = psutil.Process(pid)
        used = found.cpu_times()
        if used.user + used.system > MOST_CPU_S:
            return TOO_LONG
        return TOO_MUCH if found.memory_info().rss > MOST_MEMORY else ""
    except psutil.Error:  # it has ended
        return ""


def _packed(one: Imported) -> dict[str, Any]:
    return {
        "config": one.config.model_dump(mode="json"),
        "name": one.name,
        "started_at": one.started_at,
        "measurements": one.measurements,
        "source": one.source,
        "repeats": [asdict(repeat) for repeat in one.repeats],
        "status": one.status,
        "environment": one.environment,
        "tags": one.tags,
        "note": one.note,
        "calibration": one.calibration,
        "samples": [asdict(sample) for sample in one.samples],
    }


def _unpacked(found: dict[str, Any]) -> Imported:
    config = RunConfig.model_validate(found["config"])
    measurements = (
        Measurement(**{**row, "token_times": tuple(row["token_times"])})
        for row in found.pop("measurements")
    )
    repeats = (
        Repeat(**{**row, "began_at": datetime.fromisoformat(row["began_at"])})
        for row in found["repeats"]
    )
    return Imported(
        **{
            **found,
            "config": config,
            "started_at": found["started_at"] and datetime.fromisoformat(found["started_at"]),
            "measurements": tuple(measurements),
            "repeats": tuple(repeats),
            "tags": tuple(found["tags"]),
            "samples": tuple(Sample(**row) for row in found["samples"]),
        }
    )


def main(arguments: Sequence[str]) -> int:
    """Read the file on standard input within these limits of memory and processor time."""
    memory, seconds = map(int, arguments)
    with suppress(ValueError, OSError):  # macOS has no such limit; the parent looks
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.disable()  # it looks again and again at millions of lists that all stay
    name = b""
    try:
        name, _, data = sys.stdin.buffer.read().partition(b"\0")
        runs = imports.read(data, name.decode())
        del data
        answer = orjson.dumps({"runs": [_packed(run) for run in runs]})
    except InvalidImport as error:
        answer = orjson.dumps({"error": str(error)})
    except MemoryError:
        answer = orjson.dumps({"error": f"{imports.name_of(name.decode())}: {TOO_MUCH}"})
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # without giving a million objects back one by one

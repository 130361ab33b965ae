"""The engine that a run starts and stops itself: llama.cpp with the packaged model."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, NamedTuple

from services.ask import modes
from services.ask.config import RunConfig
from services.ask.workloads import longest_answer
from services.base.packaged_model import MODEL_NAME, model_path
from services.base.root import ROOT
from services.servers.engines.problem import EngineProblem

READY_S = 60.0
STOP_S = 2.0
MAX_SLOTS = 64  # concurrent sequences of the embedded engine
MAX_CONTEXT = 8192  # tokens the packaged model was trained for
CACHE_TOKENS = 65_536  # tokens of all slots together: 1.5 GiB of key-value cache
TEMPLATE_TOKENS = 96  # tokens for the chat template and the nonce


@dataclass(frozen=True, slots=True)
class Engine:
    """An entry of ENGINES. `command` raises EngineProblem if the model is not installed."""

    name: str
    label: str
    model: str
    command: Callable[[int, int, bool], list[str]]


class Started(NamedTuple):
    """The address and the process id of an engine."""

    base_url: str
    pid: int


@asynccontextmanager
async def start_embedded(
    name: str, slots: int = 1, context: int = 2048, cache: bool = False
) -> AsyncIterator[Started]:
    """Start engine `name`, yield its address, and stop it at the end. `cache`: prompts may reuse a
    prefix.

    Raises:
        EngineProblem: it is not installed, ended early, or was not ready within READY_S.
    """
    command = ENGINES[name].command(slots, context, cache)
    with TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,  # closing it, also by a kill, ends the engine
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # so that this process handles Ctrl-C in the terminal
        )
        try:
            address = await _address(process, ENGINES[name].label, log)
            yield Started(f"{address}/v1", process.pid)
        finally:
            await _stop(process)


def embedded_size(config: RunConfig, prompt_bytes: int) -> tuple[int, int]:
    """Return (slots, context in tokens) of an embedded engine for the run.

    A slot holds the longest prompt (at least two bytes per token, usually four) and the longest
    answer. Requests beyond the slots wait in the engine's queue.

    Raises:
        EngineProblem: one request is longer than the model's context.
    """
    context = prompt_bytes // 2 + longest_answer(config) + TEMPLATE_TOKENS
    if context > MAX_CONTEXT:
        raise EngineProblem(
            f"The embedded model has a context of {MAX_CONTEXT:,} tokens for prompt and answer; "
            f"this run could need {context:,}. Lower max tokens or shorten the prompts."
        )
    return max(1, min(modes.at_once(config), MAX_SLOTS, CACHE_TOKENS // context)), context


async def _address(process: asyncio.subprocess.Process, label: str, log: IO[bytes]) -> str:
    assert process.stdout
    try:
        line = await asyncio.wait_for(process.stdout.readline(), READY_S)
    except TimeoutError:
        raise EngineProblem(f"{label} was not ready within {READY_S:g} s.") from None
    if line.startswith(b"http://"):
        return line.decode().strip()
    code = await process.wait()
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").strip().splitlines()
    why = lines[-1] if lines else f"exit code {code}"
    raise EngineProblem(f"{label} could not be started: {why[:300]}")


async def _stop(process: asyncio.subprocess.Process) -> None:
    assert process.stdin
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _llamacpp(slots: int, context: int, cache: bool) -> list[str]:
    try:
        model_path()
    except FileNotFoundError as error:
        raise EngineProblem(str(error)) from None
    numbers = map(str, (slots, context, int(cache)))
    return [sys.executable, "-m", "services.servers.embedded", *numbers]


ENGINES: dict[str, Engine] = {
    "embedded": Engine("embedded", "llama.cpp", MODEL_NAME, _llamacpp),
}

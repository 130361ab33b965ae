"""Why an engine failed, read from its log: a sentence, and what to try."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from services.base.redact import redact, without_paths
from services.servers.engines.failures import COMMON, FAILURES, Failure

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# "(EngineCore pid=7) ERROR 11-21 16:00:00 [core.py:9] " and "[2026-11-21 16:00:00 TP0] "
LOGGER = re.compile(
    r"\(\w[\w :-]*pid=\d+[^)]*\)\s?|(?:DEBUG|INFO|WARNING|ERROR) [\d-]+ [\d:]+ \[[\w./]+:\d+\]\s?|"
    r"\[\d{4}-\d\d-\d\d [^\]]*\]\s?"
)
ERROR = re.compile(r"(?:\w+\.)*[A-Z]\w*(?:Error|Exception)\b(?=:|$)| +Value error, ")  # pydantic's
# An error that only tells that another process had one.
CONSEQUENCE = re.compile(
    r"(?i)root cause|initialization failed|EngineDeadError|CancelledError|child process|"
    r"EOFError|ConnectionResetError|BrokenPipeError|failed to start"
)
LOOK = "Look into its log."
KILLED = (
    "killed",
    "It was killed (SIGKILL).",
    "Somebody ended it, or the machine ran out of memory: then take a smaller model, fewer "
    "replicas or a shorter max model length, and look at what else runs.",
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why an engine failed. `kind` is "unknown" where no entry of the table fits: then `sentence`
    is the last telling line of its log."""

    kind: str
    sentence: str
    hint: str

    def __str__(self) -> str:
        return f"{self.sentence} {self.hint}"


def diagnose(engine: str, log: str, exit_code: int | None) -> Diagnosis:
    """Return why `engine` failed, by the end of its `log`. `exit_code` None: it still runs, or
    nobody knows; below 0: the signal that ended it, as `subprocess` has it."""
    text = "\n".join(_bare(line) for line in log.splitlines())
    for failure in FAILURES.get(engine, COMMON):
        if found := re.search(failure.pattern, text):
            return _filled(failure, found)
    if exit_code == -signal.SIGKILL:
        return Diagnosis(*KILLED)
    if said := telling(text):
        return Diagnosis("unknown", f"It said: {said}", LOOK)
    code = "" if exit_code is None else f" with exit code {exit_code}"
    return Diagnosis("unknown", f"It ended{code} and said nothing.", LOOK)


def telling(text: str) -> str:
    """Return the line that says most: the last error that is not the consequence of another, else
    the last line. Without folders and without keys."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if ERROR.match(line) and not CONSEQUENCE.search(line)]
    said = (errors or lines or [""])[-1].partition(" [type=")[0]
    return without_paths(redact(said.strip()))


def _filled(failure: Failure, found: re.Match[str]) -> Diagnosis:
    words = {name: without_paths(redact(value or "")) for name, value in found.groupdict().items()}
    sentence = failure.sentence.format(**words).strip()
    return Diagnosis(failure.kind, sentence, failure.hint.format(**words))


def _bare(line: str) -> str:
    """Return a line without colours and without what a logger puts in front of it."""
    line = COLOUR.sub("", line).rstrip()
    while found := LOGGER.match(line):
        line = line[found.end() :]
    return line

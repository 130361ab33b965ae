"""Why an engine failed, from its log: a sentence and a hint."""

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
# Errors that only report an error of another process.
CONSEQUENCE = re.compile(
    r"(?i)root cause|initialization failed|EngineDeadError|CancelledError|child process|"
    r"EOFError|ConnectionResetError|BrokenPipeError|failed to start"
)
SEE_LOG = "Check its log."
KILLED = (
    "killed",
    "It was killed (SIGKILL).",
    "Someone ended it, or the machine ran out of memory. In that case use a smaller model, fewer "
    "replicas or a shorter max model length, or close other programs.",
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why an engine failed. `kind` is "unknown" if no entry of the table matches; then `sentence`
    quotes the main line of the log."""

    kind: str
    sentence: str
    hint: str

    def __str__(self) -> str:
        return f"{self.sentence} {self.hint}"


def diagnose(engine: str, log: str, exit_code: int | None) -> Diagnosis:
    """Return why `engine` failed, from the end of its `log`. `exit_code` is None if it still runs
    or the code is unknown, and the negative number of a signal, as in `subprocess`."""
    text = "\n".join(_without_prefix(line) for line in log.splitlines())
    for failure in FAILURES.get(engine, COMMON):
        if match := re.search(failure.pattern, text):
            return _diagnosis(failure, match)
    if exit_code == -signal.SIGKILL:
        return Diagnosis(*KILLED)
    if message := main_line(text):
        return Diagnosis("unknown", f"Last message: {message}", SEE_LOG)
    code = "" if exit_code is None else f" with exit code {exit_code}"
    return Diagnosis("unknown", f"It exited{code} without a message.", SEE_LOG)


def main_line(text: str) -> str:
    """Return the most informative line, without folders and keys: the last error that is not the
    consequence of another, else the last line."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if ERROR.match(line) and not CONSEQUENCE.search(line)]
    last = (errors or lines or [""])[-1].partition(" [type=")[0]
    return without_paths(redact(last.strip()))


def _diagnosis(failure: Failure, match: re.Match[str]) -> Diagnosis:
    groups = {name: without_paths(redact(value or "")) for name, value in match.groupdict().items()}
    sentence = failure.sentence.format(**groups).strip()
    return Diagnosis(failure.kind, sentence, failure.hint.format(**groups))


def _without_prefix(line: str) -> str:
    """Return a line without colours and without the logger's prefix."""
    line = COLOUR.sub("", line).rstrip()
    while prefix := LOGGER.match(line):
        line = line[prefix.end() :]
    return line

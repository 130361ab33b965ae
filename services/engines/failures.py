"""Why an engine failed, read from its log: in a sentence, with what to try.

An engine's own entries are looked for before the common ones, and in the order in which they stand:
what names a cause stands before what only follows from one.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable
from dataclasses import dataclass

from services.redact import redact, without_paths


@dataclass(frozen=True, slots=True)
class Failure:
    """One kind. The named groups of `pattern` fill `sentence` and `hint`: "{heads}"."""

    kind: str
    pattern: str
    sentence: str
    hint: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why an engine failed. `kind` is "unknown" where no entry fits: then `sentence` is the last
    telling line of its log."""

    kind: str
    sentence: str
    hint: str

    def __str__(self) -> str:
        return f"{self.sentence} {self.hint}".strip()


def diagnose(engine: str, log: str, exit_code: int | None) -> Diagnosis:
    """Return why `engine` failed, by the end of its `log`. `exit_code` None: it still runs, or
    nobody knows; below 0: the signal that ended it, as `subprocess` has it."""
    for failure in (*OWN.get(engine, ()), *COMMON):
        if found := re.search(failure.pattern, log):
            return _filled(failure, found)
    if exit_code == -signal.SIGKILL:
        return Diagnosis(*KILLED)
    line = telling(log)
    if line:
        return Diagnosis("unknown", f"It said: {line}", LOOK)
    code = "" if exit_code is None else f" with exit code {exit_code}"
    return Diagnosis("unknown", f"It ended{code} and said nothing.", LOOK)


def telling(log: str) -> str:
    """Return the line of a log that says most: the last error that is not the consequence of
    another, else the last line. Without paths, keys and what the logger puts in front."""
    lines = [line for raw in log.splitlines() if (line := _bare(raw))]
    errors = [line for line in lines if ERROR.match(line) and not CONSEQUENCE.search(line)]
    said = (errors or lines or [""])[-1]
    return without_paths(redact(said))


def _filled(failure: Failure, found: re.Match[str]) -> Diagnosis:
    words = {name: without_paths(redact(value or "")) for name, value in found.groupdict().items()}
    return Diagnosis(failure.kind, failure.sentence.format(**words), failure.hint.format(**words))


def _bare(line: str) -> str:
    """Return a line without colours and without "(EngineCore pid=7) ERROR 11-21 16:00:00 [x.py:9]",
    as vLLM puts it in front, or "[2026-11-21 16:00:00 TP0]", as SGLang does."""
    return PREFIX.sub("", COLOUR.sub("", line)).strip()


COLOUR = re.compile(r"\x1b\[[0-9;]*m")
PREFIX = re.compile(
    r"^\s*(?:\([\w -]+pid=\d+\)\s*)?(?:(?:ERROR|WARNING|INFO) [\d-]+ [\d:]+ \[[\w./]+:\d+\]\s?)?"
    r"(?:\[[\d-]+ [\d:]+[^\]]*\]\s?)?"
)
ERROR = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt)\b(?:\s\[.*?\])?:?\s*\S?")
CONSEQUENCE = re.compile(
    r"(?i)see root cause|initialization failed|engine ?dead|cancelled|SystemExit|KeyboardInterrupt|"
    r"received sigquit from a child|child process|EOFError|ConnectionResetError|BrokenPipe"
)
LOOK = "Look into its log."
KILLED = (
    "killed",
    "It was killed (SIGKILL).",
    "Mostly the machine ran out of memory: take a smaller model, fewer replicas or a shorter max "
    "model length, and look at what else runs.",
)

LESS_MEMORY = (
    "Take a lower GPU memory share, a shorter max model length, fewer requests at once, a "
    "quantised model, or cut it over more GPUs (TP)."
)

COMMON = (
    Failure(
        "port",
        r"(?i)address already in use|Errno 98\b|EADDRINUSE|port (?P<port>\d+) is (?:already in use|"
        r"not available|taken)",
        "Its port is taken by another program.",
        "Stop that program, or take another port.",
    ),
    Failure(
        "gated",
        r"(?i)gated repo|access to model \S+ is restricted|cannot access gated",
        "The model is gated: its owner gives it only to those who accepted its terms.",
        "Accept them on the model's page at huggingface.co, and start Paceline with HF_TOKEN set.",
    ),
    Failure(
        "no model",
        r"(?i)is not a local folder and is not a valid model identifier|RepositoryNotFoundError|"
        r"Repository Not Found|Incorrect path_or_model_id|HFValidationError|"
        r"(?:invalid repository id or local directory)|does not appear to have a file named "
        r"config\.json|"
        r"can't load the configuration of",
        "There is no such model: neither a folder here nor a name at huggingface.co.",
        "Check how it is written. A folder must hold config.json, the weights and the tokenizer; "
        "a private model needs HF_TOKEN.",
    ),
    Failure(
        "offline",
        r"(?i)LocalEntryNotFoundError|OfflineModeIsEnabled|couldn't connect to "
        r"'?https://huggingface\.co|Cannot find the requested files in the (?:disk|local) cache",
        "The model is not on this machine, and huggingface.co cannot be reached.",
        "Download it first, or give the folder that holds it.",
    ),
    Failure(
        "too many devices",
        r"World size \((?P<wanted>\d+)\) is larger than the number of available GPUs "
        r"\((?P<found>\d+)\)",
        "It needs {wanted} GPUs, and here are {found}.",
        "Lower TP, PP or DP, or spread it over several nodes.",
    ),
    Failure(
        "too many devices",
        r"(?i)invalid device ordinal|not enough (?:allowed )?(?:gpus|numa nodes)|"
        r"number of available gpus|required number of gpus exceeds",
        "It asks for more devices than there are.",
        "Lower TP, PP or DP until TP · PP · DP is no more than the devices here.",
    ),
    Failure(
        "heads",
        r"(?i)(?:attention heads|num_attention_heads)\D{0,20}(?P<heads>\d+)\D{1,40}divisible by "
        r"(?:tensor parallel size|tp_size|tensor_parallel_size)\D{0,5}(?P<tp>\d+)",
        "The model's {heads} attention heads cannot be shared among TP {tp}.",
        "Choose a TP that divides {heads}.",
    ),
    Failure(
        "unequal memory",
        r"(?i)memory capacity is unbalanced",
        "The GPUs have unequal amounts of free memory.",
        "Another program holds some of one: see nvidia-smi, end it, or leave that GPU out with "
        "CUDA_VISIBLE_DEVICES.",
    ),
    Failure(
        "little free memory",
        r"(?i)Free memory on device \S+ \((?P<free>[\d.]+)/(?P<all>[\d.]+) GiB\) on startup is "
        r"less than desired GPU memory utilization",
        "Only {free} of {all} GiB of a GPU's memory are free, less than the share asked for.",
        "End what else uses that GPU (see nvidia-smi), or lower the GPU memory share.",
    ),
    Failure(
        "out of memory",
        r"(?i)CUDA out of memory|torch\.(?:cuda\.)?OutOfMemoryError|CUDA error: out of memory|"
        r"cudaErrorMemoryAllocation|HIP out of memory",
        "A GPU ran out of memory.",
        LESS_MEMORY,
    ),
    Failure(
        "out of memory",
        r"(?i)DefaultCPUAllocator: (?:can't|not enough)|(?m:^MemoryError)|Cannot allocate memory|"
        r"std::bad_alloc",
        "The machine ran out of memory.",
        "Take a smaller model, fewer replicas or a shorter max model length.",
    ),
    Failure(
        "NCCL",
        r"(?i)NCCL (?:error|WARN)|ncclUnhandled|ncclSystemError|ncclInternalError|ncclRemoteError|"
        r"ncclInvalidUsage|DistBackendError",
        "The GPUs could not talk to each other (NCCL).",
        "Start once with NCCL_DEBUG=INFO and read its log. In a container give it more shared "
        "memory (--shm-size=8g, --ipc=host); between machines name the network card in "
        "NCCL_SOCKET_IFNAME; without NVLink try NCCL_P2P_DISABLE=1.",
    ),
    Failure(
        "argument",
        r"(?m)error: (?P<what>(?:unrecognized arguments?|argument |ambiguous option|"
        r"invalid choice|one of the arguments).{0,200})$",
        "It does not take its arguments: {what}.",
        "Correct the further arguments; another version may spell them differently.",
    ),
    Failure(
        "driver",
        r"(?i)NVIDIA driver on your system is too old|no kernel image is available|"
        r"CUDA driver version is insufficient|Found no NVIDIA driver",
        "The GPU's driver does not fit this build of the engine.",
        "Update the NVIDIA driver, or install a build for its CUDA version.",
    ),
    Failure(
        "shared memory",
        r"(?i)No space left on device",
        "A disk, or the shared memory (/dev/shm), is full.",
        "Free some: df -h. In a container start it with --shm-size=8g or --ipc=host.",
    ),
)
VLLM: tuple[Failure, ...] = ()
SGLANG: tuple[Failure, ...] = ()
RAY: tuple[Failure, ...] = ()
OWN: dict[str, Iterable[Failure]] = {}

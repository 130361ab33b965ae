"""Why an engine failed is read from its log, and every failure says what to try."""
# ruff: noqa: E501 - the engines' own words, in lines as they write them

from __future__ import annotations

from pathlib import Path
from time import process_time

import pytest

from services.servers.engines import diagnose
from services.servers.engines.failures import FAILURES

LOGS = Path(__file__).parents[2] / "data" / "engines"  # of real starts that failed, the ends

REAL = [
    ("vllm_no_folder", "no model", "Model not found"),
    ("vllm_heads", "heads", "12 attention heads are not divisible by TP 8"),
    ("vllm_argument", "argument", "unrecognized arguments: --no-such-option 1"),
    ("vllm_step_too_short", "step too short", "8192 tokens does not fit a step of 256"),
    ("vllm_without_ray", "no Ray", "Ray is not installed"),
    ("vllm_no_model", "offline", "huggingface.co cannot be reached"),
    ("vllm_port_taken", "port", "in use by another program"),
    ("sglang_no_model", "offline", "huggingface.co cannot be reached"),
    ("sglang_port_taken", "port", "in use by another program"),
]


@pytest.mark.parametrize(("file", "kind", "text"), REAL)
def test_the_failure_in_a_real_log_is_diagnosed(file: str, kind: str, text: str) -> None:
    engine = file.partition("_")[0]
    diagnosis = diagnose(engine, (LOGS / f"{file}.log").read_text(), 1)
    assert diagnosis.kind == kind
    assert text in diagnosis.sentence and diagnosis.hint


# As vLLM, SGLang, torch, NCCL and huggingface_hub write them.
KNOWN = [
    (
        "vllm",
        "(EngineCore_0 pid=18) ERROR 09-03 11:03:37 [core.py:712] ValueError: Free memory on device "
        "(7.34/139.72 GiB) on startup is less than desired GPU memory utilization (0.9, 125.75 "
        "GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.",
        "little free memory",
        "Only 7.34 of 139.72 GiB of a GPU are free, which is less than the requested share of 0.9.",
    ),
    (
        "vllm",
        "ValueError: Free memory on device cuda:0 (19.77/22.05 GiB) on startup is less than desired "
        "GPU memory utilization (0.92, 20.29 GiB).",
        "little free memory",
        "Only 19.77 of 22.05 GiB",
    ),
    (
        "vllm",
        "ValueError: To serve at least one request with the model's max seq len (131072), (16.0 GiB "
        "KV cache is needed, which is larger than the available KV cache memory (9.61 GiB). Based "
        "on the available memory, the estimated maximum model length is 78720. Try increasing",
        "cache too small",
        "is too small for one request of 131072 tokens",
    ),
    (
        "vllm",
        "ValueError: No available memory for the cache blocks. Try increasing "
        "`gpu_memory_utilization` when initializing the engine.",
        "no room for a cache",
        "The weights leave no memory",
    ),
    (
        "vllm",
        "  Value error, World size (8) is larger than the number of available GPUs (2) in this node. "
        "If this is intentional and you are using:",
        "too many devices",
        "It needs 8 GPUs, but this machine has 2.",
    ),
    (
        "vllm",
        "AssertionError: local_world_size (16) must be less than or equal to the number of visible "
        "devices (8).",
        "too many devices",
        "more GPUs than this machine has",
    ),
    (
        "vllm",
        "AssertionError: Not enough allowed NUMA nodes to bind threads of 8 local CPUWorkers. "
        "Allowed NUMA nodes are [0].",
        "too many devices",
        "It has 8 ranks",
    ),
    (
        "vllm",
        "(EngineCore_DP0 pid=9)     assert self.intermediate_tensors is not None",
        "pipeline",
        "crashed at its first request",
    ),
    (
        "sglang",
        "[2026-03-09 14:40:47 TP4] Scheduler hit an exception: Traceback (most recent call last):\n"
        "RuntimeError: The memory capacity is unbalanced. Some GPUs may be occupied by other "
        "processes. pre_model_load_memory=41.2, local_gpu_memory=78.1",
        "unequal memory",
        "unequal amounts of free memory",
    ),
    (
        "sglang",
        "RuntimeError: Not enough memory. Please try to increase --mem-fraction-static. Current "
        "value: mem_fraction_static=0.1",
        "no room for a cache",
        "The weights leave no memory",
    ),
    (
        "sglang",
        "AssertionError: 12 is not divisible by 8",
        "heads",
        "12 heads or columns",
    ),
    (
        "sglang",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.96 GiB. GPU 0 has a total "
        "capacity of 44.39 GiB of which 1.21 GiB is free.",
        "out of memory",
        "A GPU ran out of memory.",
    ),
    (
        "sglang",
        "RuntimeError: [enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't "
        "allocate memory: you tried to allocate 68719476736 bytes.",
        "out of memory",
        "The machine ran out of memory.",
    ),
    (
        "vllm",
        "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:1970, unhandled "
        "system error (run with NCCL_DEBUG=INFO for details), NCCL version 2.20.5\n"
        "ncclSystemError: System call (e.g. socket, malloc) or external library call failed",
        "NCCL",
        "could not communicate",
    ),
    (
        "sglang",
        "torch.distributed.DistNetworkError: The client socket has timed out after 600000ms while "
        "trying to connect to (10.0.0.1, 29501).",
        "no meeting",
        "did not connect",
    ),
    (
        "vllm",
        "OSError: You are trying to access a gated repo.\nMake sure to have access to it at "
        "https://huggingface.co/mistralai/Mistral-7B-Instruct-v0.2.\n401 Client Error.",
        "gated",
        "The model is gated",
    ),
    (
        "sglang",
        "OSError: no-such/model is not a local folder and is not a valid model identifier listed on "
        "'https://huggingface.co/models'",
        "no model",
        "Model not found",
    ),
    (
        "sglang",
        "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't "
        "find them in the cached files.",
        "offline",
        "cannot be reached",
    ),
    (
        "sglang",
        "ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', 30000): "
        "address already in use",
        "port",
        "in use by another program",
    ),
    (
        "vllm",
        "ValueError: Model architectures ['FooForCausalLM'] are not supported for now.",
        "kind of model",
        "does not support this model architecture",
    ),
    (
        "vllm",
        "RuntimeError: CUDA error: invalid device ordinal",
        "too many devices",
        "more GPUs than this machine has",
    ),
    (
        "vllm",
        "RuntimeError: The NVIDIA driver on your system is too old (found version 12040).",
        "driver",
        "driver is not compatible",
    ),
    (
        "llamacpp",
        "ModuleNotFoundError: No module named 'xllamacpp'",
        "package",
        "package xllamacpp is not installed",
    ),
    ("ray", "OSError: [Errno 28] No space left on device", "disk full", "is full"),
]


@pytest.mark.parametrize(("engine", "log", "kind", "text"), KNOWN)
def test_a_known_message_is_diagnosed(engine: str, log: str, kind: str, text: str) -> None:
    diagnosis = diagnose(engine, log, 1)
    assert diagnosis.kind == kind
    assert text in diagnosis.sentence


def test_the_cause_is_named_and_not_what_follows_from_it() -> None:
    log = (
        "(Worker_TP1 pid=9) torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB.\n"
        "(EngineCore_DP0 pid=8) RuntimeError: NCCL error: unhandled system error\n"
        "(APIServer pid=7) RuntimeError: Engine core initialization failed. See root cause above."
    )
    assert diagnose("vllm", log, 1).kind == "out of memory"


def test_a_port_that_an_engine_avoids_itself_is_not_a_failure() -> None:
    log = (
        "INFO 11-21 16:00:00 [network_utils.py:248] Port 5000 is already in use, trying port 5001\n"
        "WARNING 11-21 16:00:00 [parallel.py:746] Address already in use. Retrying with a new port.\n"
        "ValueError: something else"
    )
    assert diagnose("vllm", log, 1).sentence == "Last message: ValueError: something else"


def test_a_warning_of_unequal_memory_is_not_a_failure() -> None:
    log = "[2026-11-21 16:00:00] The memory capacity is unbalanced. Some GPUs may be occupied"
    assert diagnose("sglang", log, 1).kind == "unknown"


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (
            "(EngineCore pid=7) ERROR 11-21 16:00:00 [core.py:9] Traceback (most recent call last):\n"
            '(EngineCore pid=7) ERROR 11-21 16:00:00 [core.py:9]   File "/x/core.py", line 1, in f\n'
            "(EngineCore pid=7) ERROR 11-21 16:00:00 [core.py:9] KeyError: 'no such layer'\n"
            "(APIServer pid=6) Traceback (most recent call last):\n"
            "(APIServer pid=6) RuntimeError: Engine core initialization failed. See root cause above.",
            "KeyError: 'no such layer'",
        ),
        (
            "\x1b[31m[2026-11-21 16:00:00 TP0] bad\x1b[0m\nTraceback (most recent call last):\n"
            "my.package.OwnError: a reason\n[2026-11-21 16:00:01] Received sigquit from a child "
            "process. It usually means the child failed.",
            "my.package.OwnError: a reason",
        ),
        (
            "pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
            "  Value error, this is not possible. [type=value_error, input_value=ArgsKwargs()]\n"
            "    For further information visit https://errors.pydantic.dev",
            "Value error, this is not possible.",
        ),
        ("starting\nserving\n\n", "serving"),
        (
            "RuntimeError: cannot read /home/me/secret/model.bin with sk-abcdefghijklmnop",
            "RuntimeError: cannot read …/model.bin with [removed]",
        ),
    ],
)
def test_an_unknown_failure_shows_the_last_informative_line(log: str, line: str) -> None:
    diagnosis = diagnose("vllm", log, 1)
    assert (diagnosis.kind, diagnosis.sentence) == ("unknown", f"Last message: {line}")


def test_an_end_without_a_log_is_explained_by_its_exit_code() -> None:
    assert diagnose("vllm", "", 3).sentence == "It exited with exit code 3 without a message."
    assert diagnose("vllm", "", None).sentence == "It exited without a message."
    killed = diagnose("vllm", "INFO: ready", -9)
    assert killed.kind == "killed" and "out of memory" in killed.hint
    assert str(killed).startswith("It was killed (SIGKILL). Someone")


@pytest.mark.parametrize("engine", FAILURES)
def test_every_failure_says_what_it_means_and_what_to_try(engine: str) -> None:
    for failure in FAILURES[engine]:
        assert failure.sentence.endswith((".", "}")) and failure.hint.endswith(".")


@pytest.mark.parametrize("engine", FAILURES)
@pytest.mark.parametrize("line", ["a" * 200_000, "1" * 200_000])
def test_a_very_long_line_is_read_quickly(engine: str, line: str) -> None:
    """20,000 characters took 1.4 s, and twice as many four times as long."""
    began = process_time()
    assert diagnose(engine, line, 1).kind == "unknown"
    assert process_time() - began < 10

"""How engines fail: a table of error messages, what each means and what to try.

The patterns match messages of vLLM 0.32 and 0.33, SGLang 0.5.23, torch 2.13, NCCL 2 and
huggingface_hub. Causes come before their consequences.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """One kind of failure. The named groups of `pattern` fill `sentence` and `hint`, such as
    "{heads}"; a group that did not match is ""."""

    kind: str
    pattern: str
    sentence: str
    hint: str


VLLM = (
    Failure(
        "too many devices",
        r"World size \((?P<wanted>\d+)\) is larger than the number of\s+available GPUs "
        r"\((?P<found>\d+)\)",
        "It needs {wanted} GPUs, but this machine has {found}.",
        "Lower TP or PP, or spread it over several nodes.",
    ),
    Failure(
        "too many devices",
        r"local_world_size \((?P<wanted>\d+)\) must be less than or equal to the number of visible "
        r"devices \((?P<found>\d+)\)|world_size \((?P<most>\d+)\) is less than than max local gpu",
        "It needs more GPUs than this machine has.",
        "Lower TP, PP or DP, or check CUDA_VISIBLE_DEVICES.",
    ),
    Failure(
        "too many devices",
        r"Not enough allowed NUMA nodes to bind threads of (?P<wanted>\d+) local CPUWorkers",
        "It has {wanted} ranks, but fewer cores to bind them to.",
        "Lower TP, PP or DP until TP · PP · DP is at most the number of cores.",
    ),
    Failure(
        "little free memory",
        r"Free memory on device\s?(?P<device>[\w:]*) \((?P<free>[\d.]+)/(?P<all>[\d.]+) GiB\) on "
        r"startup is less than desired GPU memory utilization \((?P<share>[\d.]+)",
        "Only {free} of {all} GiB of a GPU are free, which is less than the requested share of "
        "{share}.",
        "Stop other programs on that GPU (see nvidia-smi), or lower the GPU memory share.",
    ),
    Failure(
        "cache too small",
        r"max seq len \((?P<length>\d+)\)[^\n]{0,80}larger than the (?:available KV cache memory|"
        r"maximum number of tokens that can be stored in KV cache)(?:[^\n]{0,60}estimated maximum "
        r"model length is (?P<fits>\d+))?",
        "The memory left for the KV cache is too small for one request of {length} tokens.",
        "Lower max model length, raise the GPU memory share, or use more GPUs (TP).",
    ),
    Failure(
        "no room for a cache",
        r"No available memory for the cache blocks",
        "The weights leave no memory for the KV cache.",
        "Raise the GPU memory share, use a smaller or quantized model, or use more GPUs (TP).",
    ),
    Failure(
        "step too short",
        r"max_num_batched_tokens \((?P<step>\d+)\) is smaller than max_model_len "
        r"\((?P<length>\d+)\)",
        "Without chunked prefill a prompt of {length} tokens does not fit a step of {step}.",
        "Raise max batched tokens, lower max model length, or turn chunked prefill on.",
    ),
    Failure(
        "too long",
        r"User-specified max_model_len \((?P<length>\d+)\) is greater",
        "The model does not support a context of {length} tokens.",
        "Lower max model length.",
    ),
    Failure(
        "heads",
        r"attention heads \((?P<heads>\d+)\) must be divisible by tensor parallel size "
        r"\((?P<tp>\d+)\)",
        "The model's {heads} attention heads are not divisible by TP {tp}.",
        "Choose a TP that divides {heads}.",
    ),
    Failure(
        "no Ray",
        r"Failed to import Ray",
        "Ray is not installed in its environment.",
        "Install it there (pip install ray), or choose the mp executor.",
    ),
    Failure(
        "no Ray here",
        r"current platform \w+ does not support ray",
        "vLLM does not support Ray on a CPU.",
        "Choose the mp executor.",
    ),
    Failure(
        "pipeline",
        r"Pipeline parallelism is not supported for this model",
        "vLLM does not support pipeline parallelism for this model.",
        "Set PP to 1 and use TP.",
    ),
    Failure(
        "pipeline",
        r"assert self\.intermediate_tensors is not None",
        "The pipeline on a CPU crashed at its first request, because it did not warm up.",
        "Remove --enforce-eager from the extra arguments.",
    ),
)

SGLANG = (
    Failure(
        "unequal memory",
        r"Error: The memory capacity is unbalanced",
        "The GPUs have unequal amounts of free memory.",
        "Another program uses one of them (see nvidia-smi): stop it, or exclude that GPU with "
        "CUDA_VISIBLE_DEVICES. If the GPUs differ in size, start Paceline with "
        "SGLANG_ENABLE_TP_MEMORY_INBALANCE_CHECK=false.",
    ),
    Failure(
        "no room for a cache",
        r"Not enough memory\. Please try to increase --mem-fraction-static",
        "The weights leave no memory for the KV cache.",
        "Raise the GPU memory share, use a smaller or quantized model, or use more GPUs (TP).",
    ),
    Failure(
        "too long",
        r"context_length \((?P<length>\d+)\) is greater than the derived context_length "
        r"\((?P<most>\d+)\)\.[^\n]*SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN",
        "The model supports at most {most} tokens, not {length}.",
        "Lower max model length.",
    ),
    Failure(
        "port",
        r"Port is already in use\. dist_init_port=|port at \d+ is not available in",
        "A port that it needs is in use by another program.",
        "Start it again: it will pick other ports. For several nodes, choose another "
        "--dist-init-addr.",
    ),
    Failure(
        "pipeline",
        r"'PPMissingLayer' object has no attribute",
        "SGLang does not support pipeline parallelism for models with tied embeddings.",
        "Set PP to 1 and use TP.",
    ),
)

RAY = (
    Failure(
        "too many devices",
        r"(?i)No available node types can fulfill resource request|cannot be scheduled right now|"
        r"Insufficient resources",
        "Ray has fewer cores or GPUs than the replicas need.",
        "Lower DP to at most the number of devices.",
    ),
)

COMMON = (
    Failure(
        "gated",
        r"(?i)gated repo|Access to model \S+ is restricted|Repo model \S+ is gated",
        "The model is gated: its terms must be accepted before it can be downloaded.",
        "Accept them on the model's page at huggingface.co, then start Paceline with HF_TOKEN set.",
    ),
    Failure(
        "offline",
        r"LocalEntryNotFoundError|OfflineModeIsEnabled|couldn't connect to 'https://huggingface\.co|"
        r"Cannot find the requested files in the (?:disk|local) cache|"
        r"Failed to resolve 'huggingface\.co'",
        "The model is not on this machine, and huggingface.co cannot be reached.",
        "Check its name, download it first, or give the path of its folder.",
    ),
    Failure(
        "no model",
        r"is not a local folder and is not a valid model identifier|RepositoryNotFoundError|"
        r"Repository Not Found for url|Incorrect path_or_model_id|HFValidationError|"
        r"Invalid repository ID or local directory|does not appear to have a file named config|"
        r"Can't load the configuration of|Repo id must be in the form",
        "Model not found, neither as a folder nor at huggingface.co.",
        "Check its spelling. A folder must contain config.json, the weights and the tokenizer; "
        "a private model needs HF_TOKEN.",
    ),
    Failure(
        "no weights",
        r"Cannot find any model weights|No such file or directory: \S*\.safetensors|"
        r"SafetensorError|Error while deserializing header",
        "The model's weights are missing or damaged.",
        "Download them again, or start with random weights (dummy).",
    ),
    Failure(
        "kind of model",
        r"Model architectures \[(?P<kind>[^\]]+)\] (?:are|is) not supported|"
        r"does not recognize this architecture",
        "The engine does not support this model architecture. {kind}",
        "Use a newer version of the engine, or another model.",
    ),
    Failure(
        "quantisation",
        r"Unknown quantization method|quantization is currently not supported|"
        r"The quantization method \S+ is not supported for the current GPU|"
        r"Quantization method specified in the model config \S+ does not match",
        "The model, the engine or the GPU does not support this quantization.",
        "Leave it empty to use the quantization in the model's config.",
    ),
    Failure(
        "chat template",
        r"chat template is not (?:set|defined)|no chat template|default chat template is no longer",
        "The model has no chat template.",
        "Use its instruct version, or add --chat-template to the extra arguments.",
    ),
    Failure(
        "too many devices",
        r"CUDA error: invalid device ordinal|cudaErrorInvalidDevice",
        "It needs more GPUs than this machine has.",
        "Lower TP, PP or DP, or check CUDA_VISIBLE_DEVICES.",
    ),
    Failure(
        "heads",
        r"AssertionError: (?P<heads>\d+) is not divisible by (?P<tp>\d+)",
        "The model's {heads} heads or columns are not divisible by {tp} ranks.",
        "Choose a TP that divides the model's attention heads.",
    ),
    Failure(
        "out of memory",
        r"CUDA out of memory|torch\.(?:cuda\.)?OutOfMemoryError|CUDA error: out of memory|"
        r"cudaErrorMemoryAllocation|HIP out of memory",
        "A GPU ran out of memory.",
        "Stop other programs on it (see nvidia-smi). Otherwise lower the GPU memory share, max "
        "sequences or max model length, or use a quantized model or more GPUs (TP).",
    ),
    Failure(
        "out of memory",
        r"DefaultCPUAllocator: (?:can't|not enough)|(?m:^MemoryError\b)|Cannot allocate memory|"
        r"std::bad_alloc",
        "The machine ran out of memory.",
        "Use a smaller model, fewer replicas or a shorter max model length.",
    ),
    Failure(
        "NCCL",
        r"NCCL error|ncclUnhandledCudaError|ncclSystemError|ncclInternalError|ncclRemoteError|"
        r"ncclInvalidUsage|NCCL WARN (?:Cuda failure|Error)|Watchdog caught collective operation "
        r"timeout",
        "The GPUs could not communicate (NCCL).",
        "Start it with NCCL_DEBUG=INFO and read its log. In a container, give it more shared "
        "memory (--shm-size=8g or --ipc=host); between machines, set NCCL_SOCKET_IFNAME to the "
        "network interface; try NCCL_P2P_DISABLE=1.",
    ),
    Failure(
        "no meeting",
        r"DistNetworkError|(?i:timed out after \d+ seconds waiting for clients)|"
        r"TCPStore[^\n]*(?:timeout|timed out)|DistStoreError",
        "The nodes did not connect in time.",
        "Start every node's command, and check that they can reach the head's address and port.",
    ),
    Failure(
        "driver",
        r"NVIDIA driver on your system is too old|no kernel image is available|"
        r"CUDA driver version is insufficient|Found no NVIDIA driver",
        "The GPU driver is not compatible with this build of the engine.",
        "Update the NVIDIA driver, or install a build for its CUDA version.",
    ),
    Failure(
        "port",
        r"\[Errno 98\]|EADDRINUSE|[Aa]ddress already in use(?!\. Retrying)",
        "A port that it needs is in use by another program.",
        "Stop that program, or choose another port.",
    ),
    Failure(
        "argument",
        r"(?m)error: (?P<what>(?:unrecognized arguments|argument |ambiguous option|expected one)"
        r".{0,200})$",
        "It does not accept its arguments: {what}.",
        "Correct the extra arguments; other versions may spell them differently.",
    ),
    Failure(
        "package",
        r"(?:ModuleNotFoundError: No module named|No package metadata was "
        r"found for) '?(?P<package>[\w.]+)'?",
        "The package {package} is not installed in its environment.",
        "Reinstall the engine: make engines-cpu, or its requirements file.",
    ),
    Failure(
        "disk full",
        r"No space left on device",
        "A disk, or the shared memory (/dev/shm), is full.",
        "Free some space (see df -h). In a container, use --shm-size=8g or --ipc=host.",
    ),
)

FAILURES: dict[str, tuple[Failure, ...]] = {
    "vllm": (*VLLM, *COMMON),
    "sglang": (*SGLANG, *COMMON),
    "ray": (*RAY, *COMMON),
    "llamacpp": COMMON,
}

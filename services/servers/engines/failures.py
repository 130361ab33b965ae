"""How engines fail: one table, with what each failure means and what to try.

The patterns are the engines' own words: vLLM 0.32 and 0.33, SGLang 0.5.23, torch 2.13, NCCL 2 and
huggingface_hub. What names a cause stands before what only follows from one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """One kind. The named groups of `pattern` fill `sentence` and `hint`: "{heads}". A group that
    took no part is empty."""

    kind: str
    pattern: str
    sentence: str
    hint: str


VLLM = (
    Failure(
        "too many devices",
        r"World size \((?P<wanted>\d+)\) is larger than the number of\s+available GPUs "
        r"\((?P<found>\d+)\)",
        "It needs {wanted} GPUs, and here are {found}.",
        "Lower TP or PP, or spread it over several nodes.",
    ),
    Failure(
        "too many devices",
        r"local_world_size \((?P<wanted>\d+)\) must be less than or equal to the number of visible "
        r"devices \((?P<found>\d+)\)|world_size \((?P<most>\d+)\) is less than than max local gpu",
        "It asks for more GPUs than there are.",
        "Lower TP, PP or DP, or look at CUDA_VISIBLE_DEVICES.",
    ),
    Failure(
        "too many devices",
        r"Not enough allowed NUMA nodes to bind threads of (?P<wanted>\d+) local CPUWorkers",
        "It has {wanted} ranks and fewer cores that it may bind them to.",
        "Lower TP, PP or DP until TP · PP · DP is no more than the cores here.",
    ),
    Failure(
        "little free memory",
        r"Free memory on device\s?(?P<device>[\w:]*) \((?P<free>[\d.]+)/(?P<all>[\d.]+) GiB\) on "
        r"startup is less than desired GPU memory utilization \((?P<share>[\d.]+)",
        "Only {free} of {all} GiB of a GPU are free, less than the share of {share} asked for.",
        "End what else uses that GPU (see nvidia-smi), or lower the GPU memory share.",
    ),
    Failure(
        "cache too small",
        r"max seq len \((?P<length>\d+)\)[^\n]{0,80}larger than the (?:available KV cache memory|"
        r"maximum number of tokens that can be stored in KV cache)(?:[^\n]{0,60}estimated maximum "
        r"model length is (?P<fits>\d+))?",
        "The memory that is left for the key-value cache does not hold one request of {length} "
        "tokens.",
        "Lower max model length, raise the GPU memory share, or cut it over more GPUs (TP).",
    ),
    Failure(
        "no room for a cache",
        r"No available memory for the cache blocks",
        "The weights leave no memory for the key-value cache.",
        "Raise the GPU memory share, take a smaller or a quantised model, or cut it over more "
        "GPUs (TP).",
    ),
    Failure(
        "step too short",
        r"max_num_batched_tokens \((?P<step>\d+)\) is smaller than max_model_len "
        r"\((?P<length>\d+)\)",
        "Without chunked prefill a prompt of {length} tokens does not fit a step of {step}.",
        "Raise max batched tokens, lower max model length, or switch chunked prefill on.",
    ),
    Failure(
        "too long",
        r"User-specified max_model_len \((?P<length>\d+)\) is greater",
        "The model was not made for {length} tokens.",
        "Lower max model length.",
    ),
    Failure(
        "heads",
        r"attention heads \((?P<heads>\d+)\) must be divisible by tensor parallel size "
        r"\((?P<tp>\d+)\)",
        "The model's {heads} attention heads cannot be shared among TP {tp}.",
        "Choose a TP that divides {heads}.",
    ),
    Failure(
        "no Ray",
        r"Failed to import Ray",
        "Its environment lacks Ray.",
        "Install it there (pip install ray), or choose the executor mp.",
    ),
    Failure(
        "no Ray here",
        r"current platform \w+ does not support ray",
        "On a CPU vLLM does not work with Ray.",
        "Choose the executor mp.",
    ),
    Failure(
        "pipeline",
        r"Pipeline parallelism is not supported for this model",
        "vLLM cannot cut this model into stages.",
        "Set PP to 1 and use TP.",
    ),
    Failure(
        "pipeline",
        r"assert self\.intermediate_tensors is not None",
        "A pipeline on a CPU died at its first request, because it did not warm up.",
        "Leave --enforce-eager out of the further arguments.",
    ),
)

SGLANG = (
    Failure(
        "unequal memory",
        r"Error: The memory capacity is unbalanced",
        "The GPUs have unequal amounts of free memory.",
        "Another program holds some of one: see nvidia-smi, end it, or leave that GPU out with "
        "CUDA_VISIBLE_DEVICES. Where the GPUs differ in size, start Paceline with "
        "SGLANG_ENABLE_TP_MEMORY_INBALANCE_CHECK=false.",
    ),
    Failure(
        "no room for a cache",
        r"Not enough memory\. Please try to increase --mem-fraction-static",
        "The weights leave no memory for the key-value cache.",
        "Raise the GPU memory share, take a smaller or a quantised model, or cut it over more "
        "GPUs (TP).",
    ),
    Failure(
        "too long",
        r"context_length \((?P<length>\d+)\) is greater than the derived context_length "
        r"\((?P<most>\d+)\)\.[^\n]*SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN",
        "The model was made for {most} tokens, not for {length}.",
        "Lower max model length.",
    ),
    Failure(
        "port",
        r"Port is already in use\. dist_init_port=|port at \d+ is not available in",
        "A port that it needs is taken by another program.",
        "Start it again: it looks for other ports. For several nodes choose another "
        "--dist-init-addr.",
    ),
    Failure(
        "pipeline",
        r"'PPMissingLayer' object has no attribute",
        "SGLang cannot cut a model with tied embeddings into stages.",
        "Set PP to 1 and use TP.",
    ),
)

RAY = (
    Failure(
        "too many devices",
        r"(?i)No available node types can fulfill resource request|cannot be scheduled right now|"
        r"Insufficient resources",
        "Ray has fewer cores or GPUs than the replicas ask for.",
        "Lower DP until it is no more than the devices here.",
    ),
)

COMMON = (
    Failure(
        "gated",
        r"(?i)gated repo|Access to model \S+ is restricted|Repo model \S+ is gated",
        "The model is gated: its owner gives it only to those who accepted its terms.",
        "Accept them on the model's page at huggingface.co, and start Paceline with HF_TOKEN set.",
    ),
    Failure(
        "offline",
        r"LocalEntryNotFoundError|OfflineModeIsEnabled|couldn't connect to 'https://huggingface\.co|"
        r"Cannot find the requested files in the (?:disk|local) cache|"
        r"Failed to resolve 'huggingface\.co'",
        "The model is not on this machine, and huggingface.co cannot be reached.",
        "Check its name, download it first, or give the folder that holds it.",
    ),
    Failure(
        "no model",
        r"is not a local folder and is not a valid model identifier|RepositoryNotFoundError|"
        r"Repository Not Found for url|Incorrect path_or_model_id|HFValidationError|"
        r"Invalid repository ID or local directory|does not appear to have a file named config|"
        r"Can't load the configuration of|Repo id must be in the form",
        "There is no such model: neither a folder here nor a name at huggingface.co.",
        "Check how it is written. A folder must hold config.json, the weights and the tokenizer; "
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
        "The engine does not know this kind of model. {kind}",
        "Take a newer version of the engine, or another model.",
    ),
    Failure(
        "quantisation",
        r"Unknown quantization method|quantization is currently not supported|"
        r"The quantization method \S+ is not supported for the current GPU|"
        r"Quantization method specified in the model config \S+ does not match",
        "This quantisation does not go with the model, the engine or the GPU.",
        "Leave it empty: the model says itself how it is quantised.",
    ),
    Failure(
        "chat template",
        r"chat template is not (?:set|defined)|no chat template|default chat template is no longer",
        "The model has no chat template, so it is no chat model.",
        "Take its instruct version, or give --chat-template among the further arguments.",
    ),
    Failure(
        "too many devices",
        r"CUDA error: invalid device ordinal|cudaErrorInvalidDevice",
        "It asks for more GPUs than there are.",
        "Lower TP, PP or DP, or look at CUDA_VISIBLE_DEVICES.",
    ),
    Failure(
        "heads",
        r"AssertionError: (?P<heads>\d+) is not divisible by (?P<tp>\d+)",
        "{heads} heads or columns of the model cannot be shared among {tp} ranks.",
        "Choose a TP that divides the model's attention heads.",
    ),
    Failure(
        "out of memory",
        r"CUDA out of memory|torch\.(?:cuda\.)?OutOfMemoryError|CUDA error: out of memory|"
        r"cudaErrorMemoryAllocation|HIP out of memory",
        "A GPU ran out of memory.",
        "End what else uses it (see nvidia-smi). Else a lower GPU memory share, fewer requests at "
        "once, a shorter max model length, a quantised model, or more GPUs (TP).",
    ),
    Failure(
        "out of memory",
        r"DefaultCPUAllocator: (?:can't|not enough)|(?m:^MemoryError\b)|Cannot allocate memory|"
        r"std::bad_alloc",
        "The machine ran out of memory.",
        "Take a smaller model, fewer replicas or a shorter max model length.",
    ),
    Failure(
        "NCCL",
        r"NCCL error|ncclUnhandledCudaError|ncclSystemError|ncclInternalError|ncclRemoteError|"
        r"ncclInvalidUsage|NCCL WARN (?:Cuda failure|Error)|Watchdog caught collective operation "
        r"timeout",
        "The GPUs could not talk to each other (NCCL).",
        "Start once with NCCL_DEBUG=INFO and read its log. In a container give it more shared "
        "memory (--shm-size=8g or --ipc=host); between machines name the network card in "
        "NCCL_SOCKET_IFNAME; try NCCL_P2P_DISABLE=1.",
    ),
    Failure(
        "no meeting",
        r"DistNetworkError|(?i:timed out after \d+ seconds waiting for clients)|"
        r"TCPStore[^\n]*(?:timeout|timed out)|DistStoreError",
        "The nodes did not meet in time.",
        "Start the command of every node, and see that they reach the head's address and port.",
    ),
    Failure(
        "driver",
        r"NVIDIA driver on your system is too old|no kernel image is available|"
        r"CUDA driver version is insufficient|Found no NVIDIA driver",
        "The GPU's driver does not fit this build of the engine.",
        "Update the NVIDIA driver, or install a build for its CUDA version.",
    ),
    Failure(
        "port",
        r"\[Errno 98\]|EADDRINUSE|[Aa]ddress already in use(?!\. Retrying)",
        "A port that it needs is taken by another program.",
        "Stop that program, or take another port.",
    ),
    Failure(
        "argument",
        r"(?m)error: (?P<what>(?:unrecognized arguments|argument |ambiguous option|expected one)"
        r".{0,200})$",
        "It does not take its arguments: {what}.",
        "Correct the further arguments; another version may spell them differently.",
    ),
    Failure(
        "package",
        r"(?:ModuleNotFoundError: No module named|No package metadata was "
        r"found for) '?(?P<package>[\w.]+)'?",
        "Its environment lacks the package {package}.",
        "Install the engine anew: make engines-cpu, or its requirements file.",
    ),
    Failure(
        "disk full",
        r"No space left on device",
        "A disk, or the shared memory (/dev/shm), is full.",
        "Free some: df -h. In a container start it with --shm-size=8g or --ipc=host.",
    ),
)

FAILURES: dict[str, tuple[Failure, ...]] = {
    "vllm": (*VLLM, *COMMON),
    "sglang": (*SGLANG, *COMMON),
    "ray": (*RAY, *COMMON),
    "llamacpp": COMMON,
}

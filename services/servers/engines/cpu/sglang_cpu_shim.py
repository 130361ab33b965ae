"""Lets the registry's CUDA build of SGLang start with `--device cpu` and a CPU build of torch.

Copied into the environment with a one-line .pth file that imports it, so that the processes which
SGLang spawns have it too. Two imports are replaced:

- torchvision is a CUDA build as well: its C++ part does not load, and `import torchvision` then
  ends with "operator torchvision::nms does not exist". Declaring the two operators is enough,
  because a text model never calls them.
- sgl_kernel wants libcuda.so.1. Without Intel's AMX, SGLang takes the branch of plain torch in
  every layer of a dense model, so its names need only exist. A real sgl_kernel comes first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn


class DeclareOperators(MetaPathFinder):
    """Declares torchvision's operators just before torchvision is first imported."""

    declared: Any = None  # torch forgets them when this object goes

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> None:
        if name != "torchvision":
            return
        sys.meta_path.remove(self)
        import torch

        DeclareOperators.declared = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            self.declared.define(f"{operator}(Tensor a, Tensor b, float threshold) -> Tensor")


class NoKernels(MetaPathFinder, Loader):
    """Finds `sgl_kernel` with any name in it; calling one raises an error that it is missing."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: object = None
    ) -> ModuleSpec | None:
        if name == "sgl_kernel.scalar_type":  # SGLang falls back to its own
            return None
        ours = name == "sgl_kernel" or name.startswith("sgl_kernel.")
        return ModuleSpec(name, self, is_package=True) if ours else None

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__getattr__"] = lambda name: _missing(f"{module.__name__}.{name}")


def _missing(name: str) -> Callable[..., NoReturn]:
    if name.rpartition(".")[2].startswith("__"):
        raise AttributeError(name)

    def kernel(*_: object, **__: object) -> NoReturn:
        raise NotImplementedError(f"{name}: SGLang has no such kernel for a CPU")

    return kernel


sys.meta_path.insert(0, DeclareOperators())
sys.meta_path.append(NoKernels())

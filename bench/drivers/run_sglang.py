"""`python -m sglang.bench_serving`, also beside a torch without CUDA.

SGLang imports torchvision, whose registry build wants CUDA and without it fails for want of two
operators. Declared, they are enough: a client of text never calls them.
"""

from __future__ import annotations

import runpy
from contextlib import suppress

import torch

library = torch.library.Library("torchvision", "FRAGMENT")
for operator in ("nms", "qnms"):
    with suppress(RuntimeError):  # a working torchvision has already declared it
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

if __name__ == "__main__":
    runpy.run_module("sglang.benchmark.serving", run_name="__main__", alter_sys=True)

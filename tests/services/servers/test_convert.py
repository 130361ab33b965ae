"""The converter's parts, by hand; its whole is proved by the engines that load what it writes
(tests/engines)."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from services.servers.engines.cpu import convert

FACTS = {
    "llama.attention.head_count": 9,
    "llama.attention.head_count_kv": 3,
    "llama.embedding_length": 18,
    "llama.block_count": 1,
}


@pytest.mark.parametrize(
    ("value", "bits"),
    [
        (1.0, 0x3F80),
        (-2.0, 0xC000),
        (1 + 2**-8, 0x3F80),  # half-way: the even neighbour is below
        (1 + 3 * 2**-8, 0x3F82),  # half-way: the even neighbour is above
        (1 + 2**-8 + 2**-20, 0x3F81),
    ],
)
def test_bfloat16_is_rounded_to_the_nearest_and_ties_to_even(value: float, bits: int) -> None:
    assert convert.to_bfloat16(np.array([value], np.float32)) == struct.pack("<H", bits)


def test_rotary_rows_come_back_from_llama_cpps_order() -> None:
    heads, size = 3, 8
    ours = np.arange(heads * size * 2, dtype=np.float32).reshape(heads * size, 2)
    theirs = ours.reshape(heads, 2, size // 2, 2).swapaxes(1, 2).reshape(ours.shape)
    assert not np.array_equal(theirs, ours)
    assert np.array_equal(convert.unpermuted(theirs, heads), ours)


def test_heads_grow_until_four_devices_can_share_them_and_keep_their_ratio() -> None:
    assert convert.heads(FACTS) == (12, 4)


def test_an_added_head_adds_nothing_to_the_output() -> None:
    weights = convert.weights(FACTS, _tensor, own_output=False)
    project = weights["model.layers.0.self_attn.o_proj.weight"]
    attended = np.random.default_rng(1).normal(size=24)  # 12 heads of 2, the last 3 of them added
    assert project.shape == (18, 24)
    assert np.allclose(project @ attended, _tensor("blk.0.attn_output.weight") @ attended[:18])


def test_the_output_layer_is_a_copy_where_the_file_shares_it() -> None:
    shared = convert.weights(FACTS, _tensor, own_output=False)
    assert shared["lm_head.weight"] is shared["model.embed_tokens.weight"]
    assert not np.array_equal(
        convert.weights(FACTS, _tensor, own_output=True)["lm_head.weight"],
        shared["model.embed_tokens.weight"],
    )


def test_a_written_file_says_where_each_tensor_is(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    convert.write_safetensors(
        file, {"a": np.ones((2, 3), np.float32), "b": np.zeros(1, np.float32)}
    )
    data = file.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    assert header["b"] == {"dtype": "BF16", "shape": [1], "data_offsets": [12, 14]}
    assert data[8 + length :] == struct.pack("<7H", *[0x3F80] * 6, 0)
    assert length % 8 == 0


def _tensor(name: str) -> convert.Array:
    rows = {"attn_k": 6, "attn_v": 6}.get(name.split(".")[-2], 18)
    return np.random.default_rng(len(name)).normal(size=(rows, 18)).astype(np.float32)

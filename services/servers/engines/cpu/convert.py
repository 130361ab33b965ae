"""The packaged model as vLLM and SGLang read it: a GGUF file becomes a Hugging Face folder.

Run by an engine's interpreter, as it needs `gguf`: `python convert.py FILE.gguf FOLDER`. Without
torch, transformers or network, in seconds. Weights become bfloat16. Two things differ from the
file, and neither changes what the model computes:

- Attention heads of zeros are added until the key-value heads divide by HEADS_FOR: 9 heads with 3
  for keys and values cannot be split by tensor parallelism. A head whose columns in the output
  projection are zero adds exactly nothing.
- The output layer, which the file shares with the token embedding, is a copy of it. Pipeline
  parallelism puts one on the first stage and the other on the last, and SGLang fails if it is
  shared.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
HEADS_FOR = 4  # TP 1, 2 and 4
CONTROL = 3  # GGUF's token type of <|im_start|> and its like


def convert(file: Path, folder: Path) -> None:
    """Write `folder` from a GGUF file of a llama-like model with a byte-level BPE tokenizer.

    config.json comes last: it is there only when everything else is.

    Raises:
        ValueError: another architecture or tokenizer; the sentence names it.
    """
    facts, tensor, names = read(file)
    for key, wanted in (("general.architecture", "llama"), ("tokenizer.ggml.model", "gpt2")):
        if facts[key] != wanted:
            raise ValueError(f"{file.name} says {key} {facts[key]!r}; only {wanted!r} is converted")
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(
        folder / "model.safetensors", weights(facts, tensor, "output.weight" in names)
    )
    _dump(folder / "tokenizer.json", tokenizer(facts))
    _dump(folder / "tokenizer_config.json", tokenizer_config(facts))
    _dump(folder / "generation_config.json", _special_ids(facts))
    _dump(folder / "config.json", model_config(facts))


def read(file: Path) -> tuple[dict[str, Any], Callable[[str], Array], set[str]]:
    """Return the file's metadata, a function from a tensor's name to its values, and the names of
    its tensors."""
    from gguf import GGUFReader
    from gguf.quants import dequantize

    reader = GGUFReader(str(file))
    tensors = {tensor.name: tensor for tensor in reader.tensors}

    def values(name: str) -> Array:
        tensor = tensors[name]
        return np.asarray(dequantize(tensor.data, tensor.tensor_type), np.float32)

    return {key: field.contents() for key, field in reader.fields.items()}, values, set(tensors)


def heads(facts: Mapping[str, Any]) -> tuple[int, int]:
    """Return (query heads, key-value heads) after padding; their ratio stays."""
    queries, shared = (
        facts["llama.attention.head_count"],
        facts["llama.attention.head_count_kv"],
    )
    padded = -(-shared // HEADS_FOR) * HEADS_FOR
    return padded * (queries // shared), padded


def head_size(facts: Mapping[str, Any]) -> int:
    """Return the values of one head."""
    shared = facts["llama.embedding_length"] // facts["llama.attention.head_count"]
    return int(facts.get("llama.attention.key_length") or shared)


def weights(
    facts: Mapping[str, Any], tensor: Callable[[str], Array], own_output: bool
) -> dict[str, Array]:
    """Return every weight by its Hugging Face name. `own_output`: whether the file has an output
    layer."""
    embedding = tensor("token_embd.weight")
    named = {"model.embed_tokens.weight": embedding}
    for layer in range(facts["llama.block_count"]):
        named |= _layer(facts, tensor, f"blk.{layer}.", f"model.layers.{layer}.")
    named["model.norm.weight"] = tensor("output_norm.weight")
    named["lm_head.weight"] = tensor("output.weight") if own_output else embedding
    return named


SAME = {  # weights that the file stores as Hugging Face does
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def _layer(
    facts: Mapping[str, Any], tensor: Callable[[str], Array], here: str, there: str
) -> dict[str, Array]:
    queries, shared = facts["llama.attention.head_count"], facts["llama.attention.head_count_kv"]
    rows, shared_rows = (count * head_size(facts) for count in heads(facts))

    def part(name: str) -> Array:
        return tensor(f"{here}{name}.weight")

    attention = {
        "q_proj": padded(unpermuted(part("attn_q"), queries), rows),
        "k_proj": padded(unpermuted(part("attn_k"), shared), shared_rows),
        "v_proj": padded(part("attn_v"), shared_rows),
        "o_proj": padded(part("attn_output").T, rows).T,
    }
    same = {f"{there}{theirs}.weight": part(ours) for ours, theirs in SAME.items()}
    return same | {f"{there}self_attn.{name}.weight": w for name, w in attention.items()}


def padded(weight: Array, rows: int) -> Array:
    """Return `weight` with zero rows appended, `rows` rows in total."""
    return np.pad(weight, ((0, rows - len(weight)), (0, 0)))


def unpermuted(weight: Array, head_count: int) -> Array:
    """Undo llama.cpp's reordering of the rotary rows of q_proj and k_proj: it pairs neighbours,
    Hugging Face halves (`LlamaModel.permute` in llama.cpp's convert_hf_to_gguf.py)."""
    half = len(weight) // head_count // 2
    return weight.reshape(head_count, half, 2, -1).swapaxes(1, 2).reshape(weight.shape)


def to_bfloat16(values: Array) -> bytes:
    """Return bfloat16 bytes: the upper half of each float32, rounded to nearest, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype("<u2").tobytes()


def write_safetensors(file: Path, tensors: Mapping[str, Array]) -> None:
    """Write bfloat16 tensors: length of the header, the header as JSON, the values end to end."""
    header, end = {}, 0
    for name, values in tensors.items():
        begin, end = end, end + 2 * values.size
        header[name] = {"dtype": "BF16", "shape": values.shape, "data_offsets": [begin, end]}
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for values in tensors.values():
            out.write(to_bfloat16(values))


def model_config(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return config.json."""
    queries, shared = heads(facts)
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": facts["llama.embedding_length"],
        "intermediate_size": facts["llama.feed_forward_length"],
        "num_hidden_layers": facts["llama.block_count"],
        "num_attention_heads": queries,
        "num_key_value_heads": shared,
        "head_dim": head_size(facts),
        "max_position_embeddings": facts["llama.context_length"],
        "rms_norm_eps": round(facts["llama.attention.layer_norm_rms_epsilon"], 9),
        "rope_theta": facts.get("llama.rope.freq_base", 10_000.0),
        "tie_word_embeddings": False,
        "vocab_size": len(facts["tokenizer.ggml.tokens"]),
        "torch_dtype": "bfloat16",
        **_special_ids(facts),
    }


def tokenizer(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return tokenizer.json: GPT-2's byte-level BPE, for SmolLM with each digit on its own."""
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    digits = {"type": "Digits", "individual_digits": True}
    apart = [digits] if facts.get("tokenizer.ggml.pre") == "smollm" else []
    tokens, kinds = facts["tokenizer.ggml.tokens"], facts["tokenizer.ggml.token_type"]
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": number, "content": token, "special": True, **plain}
            for number, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
            if kind == CONTROL
        ],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*apart, level]},
        "decoder": level,
        "model": {
            "type": "BPE",
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": [merge.split(" ", 1) for merge in facts["tokenizer.ggml.merges"]],
        },
    }


def tokenizer_config(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return tokenizer_config.json, with the file's own chat template."""
    tokens, ids = facts["tokenizer.ggml.tokens"], _special_ids(facts)
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": facts["llama.context_length"],
        "clean_up_tokenization_spaces": False,
        "chat_template": facts["tokenizer.chat_template"],
        **{name.removesuffix("_id"): tokens[number] for name, number in ids.items()},
    }


def _special_ids(facts: Mapping[str, Any]) -> dict[str, int]:
    end = facts["tokenizer.ggml.eos_token_id"]
    return {
        "bos_token_id": facts["tokenizer.ggml.bos_token_id"],
        "eos_token_id": end,
        "pad_token_id": facts.get("tokenizer.ggml.padding_token_id", end),
    }


def _dump(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))

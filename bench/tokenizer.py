"""A tokenizer for tools that insist on one: a word is a token. The cheapest there can be."""

from __future__ import annotations

import json
from pathlib import Path

TEMPLATE = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
SPECIAL = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}


def write(folder: Path) -> Path:
    """Write the files that Hugging Face's loaders look for; return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2}
    files = {
        "config.json": {"model_type": "llama", "architectures": ["LlamaForCausalLM"]},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "unk_token": "<unk>",
            "bos_token": "<s>",
            "eos_token": "</s>",
            "model_max_length": 1_000_000,
            "chat_template": TEMPLATE,
        },
        "tokenizer.json": {
            "version": "1.0",
            "added_tokens": [
                {"id": number, "content": word, "special": True, **SPECIAL}
                for word, number in vocabulary.items()
            ],
            "pre_tokenizer": {"type": "WhitespaceSplit"},
            "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"},
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    return folder

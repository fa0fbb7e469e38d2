"""Makes the demo model trainable: SmolLM2-135M-Instruct from a GGUF file to a folder in Hugging Face layout.

Owns the one mend that this file needs: transformers rebuilds its tokenizer with the right ids and the wrong
trimmings (an end token that starts a turn, no pad token, byte fallback). Refuses to know where the file came
from.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from trainers.digest import sha256_of_file
from trainers.errors import AcademyError, ErrorCode

GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
PARAMETERS = 134_515_008
END_OF_TURN = "<|im_end|>"

#: Strings whose ids were read off llama.cpp: a tokenizer that disagrees is not the model's.
KNOWN_IDS: dict[str, tuple[int, ...]] = {
    "<|im_start|>user\nHi<|im_end|>\n": (1, 4093, 198, 26843, 2, 198),
    " don't 漢字 🚀": (1326, 982, 17097, 137, 112, 36518, 15107, 244, 218),
    "a1b22c333": (81, 33, 82, 34, 34, 83, 35, 35, 35),
}

Progress = Callable[[int, int, str], None]


def convert(gguf_file: Path, folder: Path, progress: Progress) -> None:
    """Write config, weights (fp32 safetensors) and a mended tokenizer into `folder`, which must not exist.

    Raises:
        AcademyError: `model_damaged` when the file or the outcome is not the demo model.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging as transformers_logging

    progress(0, 4, "checking")
    if sha256_of_file(gguf_file) != GGUF_SHA256:
        raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(gguf_file), detail="sha256")
    transformers_logging.disable_progress_bar()
    progress(1, 4, "reading weights")
    model = AutoModelForCausalLM.from_pretrained(
        gguf_file.parent,
        gguf_file=gguf_file.name,
        dtype="float32",
        quantization_config=GgufConfig(dequantize=True),
    )
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if parameters != PARAMETERS:
        raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(gguf_file), detail=f"{parameters} parameters")
    progress(2, 4, "reading tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(gguf_file.parent, gguf_file=gguf_file.name)
    progress(3, 4, "writing")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _mend_tokenizer(folder)
    _check_tokenizer(folder)
    progress(4, 4, "done")


def _mend_tokenizer(folder: Path) -> None:
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text("utf-8"))
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    tokenizer["model"].update(byte_fallback=False, fuse_unk=False, unk_token=None)
    tokenizer["normalizer"] = None
    tokenizer["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level],
    }
    tokenizer["decoder"] = {**byte_level, "add_prefix_space": True}
    tokenizer["post_processor"] = None
    path.write_text(json.dumps(tokenizer, ensure_ascii=False), "utf-8")
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|im_start|>",
        "eos_token": END_OF_TURN,
        "pad_token": END_OF_TURN,
        "unk_token": "<|endoftext|>",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 8192,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")


def _check_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for text, ids in KNOWN_IDS.items():
        found = tuple(tokenizer.encode(text, add_special_tokens=False).ids)
        if found != ids:
            raise AcademyError(ErrorCode.MODEL_DAMAGED, path=str(folder), detail=f"tokenizer: {text!r}")

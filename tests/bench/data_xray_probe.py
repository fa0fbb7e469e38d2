"""One measurement of the X-ray in its own process: `python -m tests.bench.data_xray_probe NAME FOLDER N`.

Prints one JSON object on its last line.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from tests.bench.rows_made import conversations, write_bench_model

Told = dict[str, Any]

PAGE_ROWS = 50
JUMPS = 1000
LENGTH = 1024


def prepare(folder: Path, rows: int) -> Told:
    """Make the model and the rows."""
    write_bench_model(folder / "model")
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as lines:
        for number, turns in enumerate(conversations(rows), start=1):
            row = {"id": number, "source": {"file": "made", "row": number}, "messages": turns}
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    return {"rows": rows}


def ours(folder: Path, number: int) -> Told:
    """From the file to ids and trained positions on the disk."""
    from trainers.xray import scan

    out = folder / f"out-{number}"
    request = {
        "model": str(folder / "model"),
        "files": [str(folder / "rows.jsonl")],
        "max_length": LENGTH,
        "out": str(out),
        "keep_tokens": True,
        "workers": 2,
    }
    begun = time.perf_counter()
    scan(request, lambda *_: None)
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "sha256": hashlib.sha256((out / "tokens.bin").read_bytes()).hexdigest()}


def trl(folder: Path, number: int) -> Told:
    """What TRL's trainer does to a dataset before it trains, on two processes, nothing cached."""
    import datasets
    import trl as library
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    datasets.disable_progress_bars()
    rows = [json.loads(line)["messages"] for line in (folder / "rows.jsonl").open(encoding="utf-8")]
    dataset = datasets.Dataset.from_dict({"messages": rows})
    tokenizer = AutoTokenizer.from_pretrained(str(folder / "model"))
    settings = SFTConfig(
        output_dir=str(folder / "trl"),
        max_length=LENGTH,
        dataset_num_proc=2,
        report_to=[],
        use_cpu=True,
        bf16=False,
    )
    begun = time.perf_counter()
    trainer = SFTTrainer(_tiny_model(), args=settings, train_dataset=dataset, processing_class=tokenizer)
    seconds = time.perf_counter() - begun
    prepared: Any = trainer.train_dataset
    digest = hashlib.sha256()
    for row in prepared:
        digest.update(array("I", row["input_ids"]).tobytes())
    return {"seconds": seconds, "sha256": digest.hexdigest(), "name": f"TRL {library.__version__}"}


def _tiny_model() -> Any:
    """The trainer asks for a model; a layer of a few numbers costs it nothing."""
    from transformers import LlamaConfig, LlamaForCausalLM

    model: Any = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=16_384, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
        )
    )
    return model


def browse(folder: Path, rows: int) -> Told:
    """Open rows that nobody looked at yet, with an index beside them as an import leaves it."""
    from academy_desktop.core.datasets.browse import Rows, read_index

    data = folder / "set-1"
    data.mkdir(parents=True)
    _write_many(data / "train.jsonl", rows)
    (data / "eval.jsonl").touch()
    begun = time.perf_counter()
    index = read_index(data / "train.jsonl", folder / "cache")
    index_s = time.perf_counter() - begun
    (data / "train.idx").write_bytes(index.tobytes())
    (data / "eval.idx").touch()
    del index
    process = psutil.Process()
    before = process.memory_info().rss
    begun = time.perf_counter()
    opened = Rows(data, folder / "unused")
    opened.page(0, PAGE_ROWS)
    page_s = time.perf_counter() - begun
    chance, jumps = random.Random(7), []
    for _ in range(JUMPS):
        start = chance.randrange(rows)
        begun = time.perf_counter()
        page = opened.page(start, PAGE_ROWS)
        jumps.append(time.perf_counter() - begun)
        assert page[0].id == start + 1
    growth = process.memory_info().rss - before
    return {"page_s": page_s, "jumps_s": jumps, "growth_bytes": growth, "index_s": index_s}


def _write_many(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8", buffering=1 << 20) as lines:
        for number in range(1, rows + 1):
            lines.write(
                f'{{"id":{number},"source":{{"file":"made","row":{number}}},"messages":['
                f'{{"role":"user","content":"Question {number} of many?"}},'
                f'{{"role":"assistant","content":"Answer {number}{"." * (number % 5)}"}}]}}\n'
            )


NAMES: dict[str, Callable[[Path, int], Told]] = {
    "prepare": prepare, "ours": ours, "trl": trl, "browse": browse,
}  # fmt: skip


def main(arguments: list[str]) -> Iterator[str]:
    """Measure what is named."""
    name, folder, number = arguments
    yield json.dumps(NAMES[name](Path(folder), int(number)))


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in main(sys.argv[1:]))

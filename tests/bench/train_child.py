"""One training run in a process of its own, ours or TRL's, and what it took; or one loss in fp32.

`python -m tests.bench.train_child REQUEST`: the last line of the output is the answer, as JSON. Refuses to
know what is compared.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from trainers.choice import Choice, choose
from trainers.device import bf16_gain, look, usable_cores
from trainers.engines.protocol import Plan, StepReport
from trainers.recipe import DatasetRef, Hardware, Lora, ModelRef, Training, TrainRecipe
from trainers.rows import IGNORED, Example

RANK, ALPHA, RATE, SEED = 16, 32, 2e-4, 7
ROWS_PER_STEP = 8


def main(request: Mapping[str, Any]) -> dict[str, Any]:
    """Do what is asked: `what` is ours, trl or loss."""
    torch.set_num_threads(usable_cores())
    work: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {"ours": ours, "trl": trl, "loss": loss}
    return work[request["what"]](request)


def ours(request: Mapping[str, Any]) -> dict[str, Any]:
    """Train with the engine for processors."""
    from trainers.engines.cpu.engine import CpuEngine

    rows = examples(request)
    steps = [list(range(at, min(at + ROWS_PER_STEP, len(rows)))) for at in range(0, len(rows), ROWS_PER_STEP)]
    choice = own_choice(numba=request["compiled"])
    engine = CpuEngine(Plan(recipe_of(request), choice, rows, steps, 0, None))
    ends, losses = [time.time()], list[float]()

    def after(report: StepReport) -> bool:
        ends.append(time.time())
        losses.append(report.loss)
        return True

    engine.train(after)
    Path(request["out"]).mkdir(parents=True, exist_ok=True)
    engine.save_adapter(Path(request["out"]))
    return took(ends, losses) | {"precision": choice.precision, "kernels": choice.kernels}


def own_choice(*, numba: bool) -> Choice:
    """Return what the engine would take here, with or without Numba."""
    from dataclasses import replace

    machine = replace(look(), bf16_gain=bf16_gain())
    return choose(Hardware(engine="cpu"), replace(machine, numba=machine.numba and numba))


def trl(request: Mapping[str, Any]) -> dict[str, Any]:
    """Train with TRL's SFTTrainer; `options` are SFTConfig's, `dtype` the weights' number format."""
    from datasets import Dataset
    from peft import LoraConfig, PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    ends, losses = list[float](), list[float]()

    class Watch(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            ends.append(time.time())

        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.time())

        def on_log(self, *_: Any, **said: Any) -> None:
            losses.extend(float(said["logs"][name]) for name in ("loss",) if name in said["logs"])

    class InOrder(SFTTrainer):
        def _get_train_sampler(self, dataset: Any = None) -> Any:
            if self.args.train_sampling_strategy == "group_by_length":
                return super()._get_train_sampler(dataset)
            assert isinstance(self.train_dataset, Dataset)
            return torch.utils.data.SequentialSampler(self.train_dataset)

    config = SFTConfig(
        output_dir=str(Path(request["out"]).with_suffix(".scratch")),
        num_train_epochs=1, learning_rate=RATE, lr_scheduler_type="constant", weight_decay=0.0,
        max_grad_norm=1.0, warmup_steps=0, logging_steps=1, save_strategy="no", report_to="none",
        use_cpu=True, max_length=request["length"], disable_tqdm=True, seed=SEED,
        **request["options"],
    )  # fmt: skip
    rows = examples(request)
    torch.manual_seed(SEED)
    trainer = InOrder(
        model=AutoModelForCausalLM.from_pretrained(request["model"], dtype=request["dtype"]),
        args=config,
        train_dataset=Dataset.from_list(
            [{"input_ids": list(one.ids), "labels": list(one.labels)} for one in rows]
        ),
        processing_class=AutoTokenizer.from_pretrained(request["model"]),
        peft_config=LoraConfig(
            r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, task_type="CAUSAL_LM",
            target_modules=list(Lora().layers()),
        ),
        callbacks=[Watch()],
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    assert isinstance(trainer.model, PeftModel)
    trainer.model.save_pretrained(request["out"])
    return took(ends, losses)


def loss(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mean loss of an adapter over rows, computed in fp32 by transformers and PEFT."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(request["model"], dtype=torch.float32)
    model = PeftModel.from_pretrained(base, request["out"]).eval()
    total, tokens = 0.0, 0
    with torch.no_grad():
        for one in examples(request):
            logits = model(input_ids=torch.tensor([one.ids])).logits[0, :-1]
            targets = torch.tensor(one.labels[1:])
            total += float(cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum"))
            tokens += one.supervised_tokens
    return {"loss": total / tokens, "tokens": tokens}


def examples(request: Mapping[str, Any]) -> tuple[Example, ...]:
    """Read the rows that the parent rendered."""
    rows = json.loads(Path(request["rows"]).read_text("utf-8"))
    return tuple(Example(tuple(ids), tuple(labels)) for ids, labels in rows)


def recipe_of(request: Mapping[str, Any]) -> TrainRecipe:
    """Return the recipe that TRL's options above say too."""
    return TrainRecipe(
        model=ModelRef(id="m", path=request["model"]),
        dataset=DatasetRef(id="d", path=".", sha256="0" * 64),
        lora=Lora(rank=RANK, alpha=ALPHA, dropout=0.0),
        training=Training(
            learning_rate=RATE, lr_scheduler_type="constant", weight_decay=0.0, max_grad_norm=1.0,
            warmup_steps=0, seed=SEED,
        ),
        hardware=Hardware(engine="cpu"),
    )  # fmt: skip


def took(ends: list[float], losses: list[float]) -> dict[str, Any]:
    """Return seconds of training, the time of the first step's end, peak memory, losses."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "seconds": ends[-1] - ends[0],
        "first_step_at": ends[1],
        "peak_bytes": int(status["VmHWM"].split()[0]) * 1024,
        "losses": losses,
    }


if __name__ == "__main__":
    answer = main(json.loads(sys.argv[1]))
    sys.stdout.write("\n" + json.dumps(answer) + "\n")

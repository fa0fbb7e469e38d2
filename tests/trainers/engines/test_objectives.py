"""Each method's loss and gradient against TRL's own trainer, on the same batch and the same adapter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from tests.trainers.tiny_model import CAPITALS, Tiny
from trainers.engines.objectives import Dpo, Kto, Objective, Orpo, Tally
from trainers.recipe import Preference
from trainers.rendering import Renderer
from trainers.rows import IGNORED, Example, render_rows

PAD = 0
ROWS = [
    (country, f"{city}, of course!", f"I do not know {country} well enough." if place % 2 else "No.")
    for place, (country, city) in enumerate(list(CAPITALS.items())[:4])
]
LORA = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
#: What every TRL trainer is told: nothing on disk, no reports, one batch.
PLAIN: dict[str, Any] = {
    "per_device_train_batch_size": len(ROWS),
    "report_to": "none",
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "disable_tqdm": True,
    "max_length": 128,
    "beta": 0.3,
}


def adapted(tiny: Tiny) -> PeftModel:
    """The tiny model with an adapter that says something already."""
    base = AutoModelForCausalLM.from_pretrained(tiny.model, dtype=torch.float32)
    model = get_peft_model(base, LORA)
    assert isinstance(model, PeftModel)
    say_something(model)
    return model


def say_something(model: torch.nn.Module) -> None:
    """Fill an adapter with numbers that are always the same."""
    chance = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.05, generator=chance)


def split_of(tiny: Tiny, answer: str, country: str) -> tuple[str, str]:
    """Prompt and answer as texts, cut where the assistant begins."""
    renderer = Renderer.load(tiny.model)
    asked = [{"role": "user", "content": f"Capital of {country}?"}]
    prompt = renderer.prompt(asked).text
    whole = renderer.text([*asked, {"role": "assistant", "content": answer}])
    assert whole.startswith(prompt)
    # TRL writes the end of the answer itself.
    return prompt, whole.removeprefix(prompt).removesuffix("<|im_end|>\n")


def pairs(tiny: Tiny, tmp_path: Path) -> tuple[Example, ...]:
    path = tmp_path / "pairs.jsonl"
    rows = [
        {
            "id": number,
            "messages": [{"role": "user", "content": f"Capital of {country}?"}],
            "chosen": [{"role": "assistant", "content": better}],
            "rejected": [{"role": "assistant", "content": worse}],
        }
        for number, (country, better, worse) in enumerate(ROWS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return render_rows(Renderer.load(tiny.model), path, 128, method="dpo").examples


def judged(tiny: Tiny, tmp_path: Path) -> tuple[Example, ...]:
    path = tmp_path / "judged.jsonl"
    rows = [
        {
            "id": number,
            "messages": [
                {"role": "user", "content": f"Capital of {country}?"},
                {"role": "assistant", "content": better if number % 2 else worse},
            ],
            "label": bool(number % 2),
        }
        for number, (country, better, worse) in enumerate(ROWS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return render_rows(Renderer.load(tiny.model), path, 128, method="kto").examples


def without_line_end(example: Example) -> Example:
    """The same, up to the last token that is learned."""
    end = max(place for place, label in enumerate(example.labels) if label != IGNORED) + 1
    rejected = None if example.rejected is None else without_line_end(example.rejected)
    return replace(example, ids=example.ids[:end], labels=example.labels[:end], rejected=rejected)


def ours(model: PeftModel, objective: Objective, examples: tuple[Example, ...]) -> tuple[float, Tally]:
    batch = objective.batch(examples)
    total, tally = objective.loss(model, batch)
    loss = total / objective.count(batch)
    loss.backward()
    return float(loss.detach()), tally


def gradients(model: PeftModel) -> dict[str, torch.Tensor]:
    found = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    model.zero_grad()
    assert found
    return found


def same(found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> bool:
    assert found.keys() == expected.keys()
    return all(torch.allclose(found[name], expected[name], rtol=1e-3, atol=1e-5) for name in found)


def trl(kind: Any, tiny: Tiny, arguments: Any, rows: Dataset) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of a trainer of TRL's, whose adapter is made ours."""
    trainer = kind(
        model=AutoModelForCausalLM.from_pretrained(tiny.model, dtype=torch.float32),
        args=arguments,
        train_dataset=rows,
        processing_class=AutoTokenizer.from_pretrained(tiny.model),
        peft_config=LORA,
    )
    say_something(trainer.model)
    trainer.model.train()
    batch = trainer.data_collator([trainer.train_dataset[place] for place in range(len(ROWS))])
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    return float(loss.detach()), gradients(trainer.model)


def pair_texts(tiny: Tiny) -> Dataset:
    rows = []
    for country, better, worse in ROWS:
        prompt, chosen = split_of(tiny, better, country)
        rows.append({"prompt": prompt, "chosen": chosen, "rejected": split_of(tiny, worse, country)[1]})
    return Dataset.from_list(rows)


@pytest.mark.parametrize("loss_type", ["sigmoid", "hinge", "ipo"])
def test_dpo_is_trl_s(tiny: Tiny, tmp_path: Path, loss_type: Any) -> None:
    model = adapted(tiny)
    objective = Dpo(PAD, Preference(beta=0.3, loss_type=loss_type))
    loss, tally = ours(model, objective, pairs(tiny, tmp_path))
    found = gradients(model)
    arguments = DPOConfig(output_dir=str(tmp_path / "trl"), loss_type=[loss_type], **PLAIN)
    expected, slopes = trl(DPOTrainer, tiny, arguments, pair_texts(tiny))
    assert loss == pytest.approx(expected, rel=1e-4)
    assert same(found, slopes)
    assert tally.pairs == len(ROWS)


def test_orpo_is_trl_s(tiny: Tiny, tmp_path: Path) -> None:
    model = adapted(tiny)
    # The template writes a line's end behind the answer, which TRL's rows do not have.
    rows = tuple(without_line_end(one) for one in pairs(tiny, tmp_path))
    loss, _ = ours(model, Orpo(PAD, Preference(beta=0.3)), rows)
    found = gradients(model)
    arguments = ORPOConfig(output_dir=str(tmp_path / "trl"), remove_unused_columns=False, **PLAIN)
    expected, slopes = trl(ORPOTrainer, tiny, arguments, pair_texts(tiny))
    assert loss == pytest.approx(expected, rel=1e-4)
    assert same(found, slopes)


def test_kto_is_trl_s(tiny: Tiny, tmp_path: Path) -> None:
    model = adapted(tiny)
    preference = Preference(beta=0.3, desirable_weight=1.5, undesirable_weight=0.5)
    loss, tally = ours(model, Kto(PAD, preference, 128), judged(tiny, tmp_path))
    found = gradients(model)
    rows = []
    for number, (country, better, worse) in enumerate(ROWS):
        prompt, completion = split_of(tiny, better if number % 2 else worse, country)
        rows.append({"prompt": prompt, "completion": completion, "label": bool(number % 2)})
    arguments = KTOConfig(
        output_dir=str(tmp_path / "trl"), desirable_weight=1.5, undesirable_weight=0.5, **PLAIN
    )
    expected, slopes = trl(KTOTrainer, tiny, arguments, Dataset.from_list(rows))
    assert loss == pytest.approx(expected, rel=1e-4)
    assert same(found, slopes)
    assert (tally.chosen_rows, tally.rejected_rows) == (2, 2)

"""A real model that is small enough for tests: two layers, a tokenizer of its own, rows, and run directories.

The base is taught a few rows for a moment, so that its answers are of its own making and not a tie between
tokens; everything is in Hugging Face layout, as a user's folder would be.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from tokenizers.trainers import BpeTrainer
from transformers import LlamaConfig, LlamaForCausalLM

from academy_desktop.core.recipe_yaml import dump_recipe
from trainers.events import AnyEvent, Payload, parse_line
from trainers.layout import Command, CommandName, RunDir, write_atomically, write_record
from trainers.recipe import (
    CertifyRecipe,
    Checkpoints,
    DatasetRef,
    EvaluateRecipe,
    Evaluation,
    ExportRecipe,
    Hardware,
    Lora,
    ModelRef,
    Samples,
    Training,
    TrainRecipe,
)
from trainers.rendering import Renderer

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

#: Rows of the embedding; the tokenizer has fewer tokens, as in most models.
VOCABULARY = 448

CAPITALS = {
    "France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Greece": "Athens", "Norway": "Oslo",
    "Japan": "Tokyo", "Egypt": "Cairo", "Peru": "Lima", "Cuba": "Havana", "Kenya": "Nairobi",
    "Poland": "Warsaw", "Austria": "Vienna",
}  # fmt: skip

torch.set_num_threads(1)  # as the runs: threads that wait for each other starve on a busy machine

Row = dict[str, Any]
P = TypeVar("P", bound=Payload)

#: The files of a dataset that hold rows, in the order in which they are hashed.
PARTS = ("train", "eval")


@dataclass(frozen=True)
class Tiny:
    """A base model and a dataset in folders."""

    model: Path
    dataset: Path

    @property
    def model_ref(self) -> ModelRef:
        return ModelRef(id=self.model.name, path=str(self.model))

    @property
    def dataset_ref(self) -> DatasetRef:
        digest = hashlib.sha256(b"".join((self.dataset / f"{part}.jsonl").read_bytes() for part in PARTS))
        return DatasetRef(id=self.dataset.name, path=str(self.dataset), sha256=digest.hexdigest())


def conversation(asked: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]


def rows(pairs: Iterable[tuple[str, str]]) -> list[Row]:
    return [
        {"id": number, "source": {"file": "made.jsonl", "row": number}, "messages": conversation(*pair)}
        for number, pair in enumerate(pairs, start=1)
    ]


#: What the base knows, and what a run teaches it: another way to answer the same kind of question.
KNOWN = rows(
    [(f"Capital of {country}", f"{city}.") for country, city in CAPITALS.items()]
    + [(f"Praise {city}", f"{city}, of course!") for city in CAPITALS.values()]
)
LEARNED = rows(
    [(f"What is the capital of {country}?", f"{city}, of course!") for country, city in CAPITALS.items()]
    + [(f"Capital of {country}?", f"{city}, of course!") for country, city in CAPITALS.items()]
)
HELD_OUT = rows((f"The capital of {country}?", f"{city}, of course!") for country, city in CAPITALS.items())


def write_tokenizer(folder: Path, *, pre_tokenizer: pre_tokenizers.PreTokenizer | None = None) -> None:
    """A byte-level BPE tokenizer whose end of text is the end of a turn."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer or pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY - 8,
        show_progress=False,
        special_tokens=[AddedToken(text, special=True) for text in SPECIALS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    said = [turn["content"] for row in (*KNOWN, *LEARNED, *HELD_OUT) for turn in row["messages"]]
    tokenizer.train_from_iterator([*said, "user\nassistant\nsystem\n"] * 2, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": 512,
        "chat_template": CHATML,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), "utf-8")


def write_model(folder: Path, *, tied: bool = True, lessons: int = 120, **config: Any) -> Path:
    """A Llama of two layers with grouped keys and values, taught `KNOWN` for some steps."""
    folder.mkdir(parents=True)
    write_tokenizer(folder)
    torch.manual_seed(11)
    settings: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 256,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "tie_word_embeddings": tied,
        "rms_norm_eps": 1e-5,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    model = LlamaForCausalLM(LlamaConfig(**(settings | config)))
    _teach(model, Renderer.load(folder), lessons)
    model.save_pretrained(folder)
    return folder


def _teach(model: LlamaForCausalLM, renderer: Renderer, steps: int) -> None:
    rendered = [renderer.render(row["messages"]) for row in KNOWN]
    width = max(len(row.ids) for row in rendered)
    ids = torch.tensor([row.ids + [0] * (width - len(row.ids)) for row in rendered])
    labels = torch.tensor([row.ids + [-100] * (width - len(row.ids)) for row in rendered])
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(steps):
        model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def write_dataset(folder: Path, train: list[Row] = LEARNED, held_out: list[Row] = HELD_OUT) -> Path:
    """A dataset's folder (PROTOCOL.md, "Datasets")."""
    folder.mkdir(parents=True)
    parts = dict(zip(PARTS, (train, held_out), strict=True))
    for part, content in parts.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content)
        (folder / f"{part}.jsonl").write_text(lines, "utf-8")
    (folder / "dropped.jsonl").touch()
    manifest = {
        "v": 1,
        "id": folder.name,
        "name": folder.name,
        "created_at": 0.0,
        "sha256": Tiny(folder, folder).dataset_ref.sha256,
        "format": "messages",
        "sources": [],
        "mapping": {},
        "profile": "balanced",
        "seed": 1,
        "eval_fraction": 0.1,
        "rows_in": len(train) + len(held_out),
        "rows_kept": len(train) + len(held_out),
        "dropped": {},
        "train_rows": len(train),
        "eval_rows": len(held_out),
        "parents": [],
    }
    (folder / "dataset.json").write_text(json.dumps(manifest, indent=1), "utf-8")
    return folder


def train_recipe(tiny: Tiny, **sections: dict[str, Any]) -> TrainRecipe:
    """A short run on one thread; `sections` overrides settings, as `training={"num_epochs": 2}`."""

    def of(name: str, **defaults: Any) -> dict[str, Any]:
        return defaults | sections.get(name, {})

    return TrainRecipe(
        name="tiny",
        model=tiny.model_ref,
        dataset=tiny.dataset_ref,
        lora=Lora(**of("lora", rank=8, alpha=16)),
        training=Training(
            **of("training", learning_rate=2e-3, num_epochs=1, batch_size=4, gradient_accumulation_steps=1)
        ),
        evaluation=Evaluation(**of("evaluation", forgetting=None)),
        samples=Samples(**of("samples", count=0)),
        checkpoints=Checkpoints(**of("checkpoints")),
        hardware=Hardware(**of("hardware", engine="peft", device="cpu", threads=1)),
    )


def write_run(folder: Path, recipe: TrainRecipe | ExportRecipe | CertifyRecipe | EvaluateRecipe) -> RunDir:
    """A run directory as the app leaves it for the trainer."""
    run = RunDir(folder)
    run.commands.mkdir(parents=True)
    write_atomically(run.recipe, dump_recipe(recipe))
    return run


def order(run: RunDir, name: CommandName, attempt: int = 1) -> None:
    """A command, as the app writes it."""
    command_id = f"{name}-{attempt}"
    write_record(
        run.commands / f"{command_id}.json",
        Command(id=command_id, attempt=attempt, command=name, created_at=0.0),
    )


def events(run: RunDir) -> list[AnyEvent]:
    """All that the trainers said, in order."""
    return [parse_line(line) for line in run.events.read_bytes().splitlines()]


def payloads(run: RunDir, kind: type[P]) -> list[P]:
    """All that the trainers said of one kind."""
    return [event.payload for event in events(run) if isinstance(event.payload, kind)]


def teach_run(folder: Path, tiny: Tiny) -> RunDir:
    """A run that was really trained, to where it answers as it was taught."""
    from trainers.__main__ import work
    from trainers.session import run_job

    run = write_run(folder, train_recipe(tiny, training={"num_epochs": 5}, evaluation={"max_rows": 0}))
    assert run_job(run.path, 1, work) == 0
    return run

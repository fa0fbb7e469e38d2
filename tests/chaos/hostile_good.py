"""One good thing of each kind, small and made in moments, that hostile trials damage: all below one folder.

Owns what is made and where it lies. Refuses to know damage.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
from gguf import GGUFWriter
from safetensors.numpy import save_file

from academy_desktop.core.datasets.library import Library
from academy_desktop.core.estimate.calibration import FORMULAS
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.recipe_yaml import dump_recipe
from tests.academy_desktop.core.models.made_models import write_model
from tests.chaos.driving import fake_jobs, train_recipe
from trainers import checkpoint
from trainers.digest import sha256_of_file
from trainers.exporting.record import ExportRecord
from trainers.layout import RunDir, write_record

#: Of the run that is damaged; the library, the model and the rest have fixed names too.
MODEL, DATASET_NAME = "model", "rows"
ROWS = [
    {"messages": [{"role": "user", "content": f"Say {n}"}, {"role": "assistant", "content": f"{n}!"}]}
    for n in range(12)
]


class Good:
    """A data directory `data` with a finished run and all that belongs to it, and what a user may bring.

    Attributes:
        root: holds `data`, `brought` and nothing else.
        run: the run directory.
        held: what a case keeps open until everything is made anew.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "data"
        self.brought = root / "brought"
        self.brought.mkdir(parents=True)
        self.held: list[sqlite3.Connection] = []
        jobs = fake_jobs(self.data, steps=6, step_s=0.0, save_every=2)
        job = jobs.queue(train_recipe(), name="good")
        jobs.wait(job)
        self.run = RunDir(Path(jobs.get(job).run_dir))
        self._fill_run(jobs, job)
        self._fill_data_directory()
        self._bring()
        jobs.list()

    def _fill_run(self, jobs: Jobs, job: str) -> None:
        jobs.relabel(job, notes="a note", tags=["one", "two"])
        write_adapter(self.run.adapter)
        self.run.exports.mkdir()
        export = self.run.exports / "gguf-f16.gguf"
        write_gguf(export)
        digest = sha256_of_file(export)
        record = ExportRecord(
            format="gguf",
            quant="f16",
            size_bytes=export.stat().st_size,
            sha256=digest,
            base="none",
            adapter_sha256=digest,
        )
        write_record(export.with_name(f"{export.name}.json"), record)
        golden = Path(__file__).parents[1] / "trainers" / "golden"
        shutil.copy(golden / "certificate.json", export.with_name(f"{export.name}.certificate.json"))
        shutil.copy(golden / "evaluation.json", self.run.evaluation)
        write_checkpoint(self.run.checkpoints, 7)

    def _fill_data_directory(self) -> None:
        write_model(self.data / "models" / MODEL)
        rows = self.root / "rows.jsonl"
        rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
        self.dataset = (
            Library(self.data / "datasets").import_files([rows], DATASET_NAME, eval_fraction=0.2).id
        )
        rows.unlink()
        (self.data / "models" / "registry.json").write_text(
            json.dumps({"v": 1, "paths": [str(self.brought / "model")]})
        )
        (self.data / "settings.json").write_text(json.dumps({"v": 1, "theme": "dark", "window": "AdnQywAD"}))
        connection = {
            "v": 1,
            "name": "shed",
            "url": "http://127.0.0.1:9/",
            "models_dir": None,
            "activations": [],
        }
        (self.data / "connections.json").write_text(json.dumps({"v": 1, "connections": [connection]}))
        observation = {
            "job": self.run.job, "engine": "cpu", "device": "cpu", "precision": "fp32", "nf4": False,
            "threads": 2, "fixed_bytes": 1e8, "activation_bytes": 1e8, "peak_bytes": 5e8,
            "flops_per_s": 1e9,
        }  # fmt: skip
        (self.data / "calibration.json").write_text(
            json.dumps({"v": 1, "formulas": FORMULAS, "runs": [observation]})
        )

    def _bring(self) -> None:
        write_model(self.brought / "model")
        write_gguf(self.brought / "model.gguf")
        dump = dump_recipe(train_recipe())
        (self.brought / "recipe.yaml").write_bytes(dump)


def write_adapter(folder: Path) -> None:
    """A LoRA adapter in PEFT layout, of one matrix."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "bias": "none", "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(config), "utf-8")
    name = "base_model.model.model.layers.0.self_attn.q_proj"
    tensors = {
        f"{name}.lora_A.weight": np.ones((4, 8), np.float32),
        f"{name}.lora_B.weight": np.ones((8, 4), np.float32),
    }
    save_file(tensors, folder / "adapter_model.safetensors")


def write_checkpoint(checkpoints: Path, step: int) -> None:
    """A checkpoint of the kind that an engine writes."""

    def write(folder: Path) -> None:
        write_adapter(folder)
        save_file({"0.exp_avg": np.zeros(32, np.float32)}, folder / "optimizer.safetensors")
        (folder / "state.json").write_text(json.dumps({"v": 1, "step": step, "random": {}}), "utf-8")

    checkpoint.save(checkpoints, step, write, lambda: None)


def write_gguf(path: Path) -> None:
    """A GGUF file with keys of each kind and two tensors."""
    writer = GGUFWriter(path, "llama")
    writer.add_name("good")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_token_list(["a", "b", "c"])
    writer.add_token_scores([0.0, 1.0, 2.0])
    writer.add_chat_template("{{ messages[0].content }}")
    writer.add_tensor("token_embd.weight", np.ones((3, 32), np.float32))
    writer.add_tensor("output_norm.weight", np.ones(32, np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

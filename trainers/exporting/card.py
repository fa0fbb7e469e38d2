"""The model card beside an export: what it is, what it was made from, how good it is, who says so.

Owns the card's text, in the form that model hubs read. Nothing of this machine stands in it: no paths, no
names of users. Refuses to measure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainers.events import Evaluated, Step, parse_line
from trainers.exporting.certificate import Certificate
from trainers.exporting.parent import Parent
from trainers.exporting.record import ExportRecord
from trainers.layout import RunDir

_LICENSE_LINE = re.compile(r"^license:\s*['\"]?([\w.+-]+)", re.MULTILINE)
_LICENSE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md")
_USES = {
    "gguf": "The whole model in one GGUF file, for llama.cpp, Ollama and LM Studio.",
    "lora-gguf": "The adapter alone as a GGUF file: loaded on top of the base model's file.",
    "merged": "The whole model as a folder, for transformers and vLLM.",
    "adapter": "The adapter alone in PEFT's layout: it needs the base model beside it.",
}


def model_card(parent: Parent, name: str, record: ExportRecord, verdict: Certificate | None) -> str:
    """Return the card of the export `name`; `verdict` is its certificate once there is one."""
    license_name = license_of(parent.model_dir)
    head = ["---", f"base_model: {record.base}", f"license: {license_name or 'unknown'}", "---", ""]
    body = [
        f"# {name}",
        "",
        _USES[record.format],
        "",
        *_section("Origin", _origin(parent, record, license_name)),
        *_section("Recipe", _recipe(parent)),
        *_section("Scores", _scores(parent.run)),
        *_section("Certificate", _proof(verdict)),
    ]
    return "\n".join([*head, *body]).rstrip() + "\n"


def license_of(model_dir: Path) -> str:
    """Return the licence that a model's folder names, or nothing."""
    try:
        head = (model_dir / "README.md").read_text("utf-8").split("---")
    except (OSError, ValueError):
        head = []
    found = _LICENSE_LINE.search(head[1]) if len(head) > 2 else None
    if found:
        return found[1]
    for file in _LICENSE_FILES:
        try:
            lines = (model_dir / file).read_text("utf-8").splitlines()
        except (OSError, ValueError):
            continue
        return next((line.strip() for line in lines if line.strip()), "")
    return ""


def _section(title: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    yield from (f"## {title}", "", "| | |", "|---|---|")
    yield from (f"| {_cell(key)} | {_cell(value)} |" for key, value in rows)
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _origin(parent: Parent, record: ExportRecord, license_name: str) -> list[tuple[str, str]]:
    weighed = ", with an importance matrix from the training rows" if record.importance else ""
    return [
        ("Base model", record.base),
        ("Licence of the base model", license_name or "not stated in its folder"),
        ("Dataset", parent.dataset_id),
        ("Dataset's SHA-256", parent.recipe.dataset.sha256),
        ("Format", f"{record.format} {record.quant}".strip() + weighed),
        ("Bytes", str(record.size_bytes)),
        ("SHA-256", record.sha256),
        ("Adapter's SHA-256", record.adapter_sha256),
    ]


def _recipe(parent: Parent) -> list[tuple[str, str]]:
    recipe = parent.recipe
    sections: dict[str, Any] = {"method": recipe.method}
    for name in ("lora", "training"):
        section: dict[str, Any] = json.loads(getattr(recipe, name).model_dump_json())
        sections |= {f"{name}.{key}": value for key, value in section.items()}
    return [(key, value if isinstance(value, str) else json.dumps(value)) for key, value in sections.items()]


def _scores(run: RunDir) -> list[tuple[str, str]]:
    """Return the losses that the run ended with."""
    last: dict[str, float] = {}
    try:
        lines = run.events.read_bytes().splitlines()
    except OSError:
        lines = []
    for line in lines:
        payload = parse_line(line).payload
        if isinstance(payload, Step | Evaluated):
            last[payload.event_type] = payload.loss
    said = {Step.event_type: "Loss of the last step", Evaluated.event_type: "Loss on held-out rows"}
    return [(said[kind], f"{loss:.4f} nats per token") for kind, loss in last.items()] or [("Scores", "none")]


def _proof(verdict: Certificate | None) -> list[tuple[str, str]]:
    if verdict is None:
        return [("Compared with the trained model", "not yet")]
    rows = [
        ("Behaves like the trained model", "yes" if verdict.passed else "no"),
        ("Held-out rows compared", str(verdict.rows)),
    ]
    figures = {
        "Same next token": verdict.top1_agreement,
        "Mean divergence, nats per token": verdict.mean_kl,
        "Perplexity": verdict.perplexity,
        "Perplexity of the trained model": verdict.reference_perplexity,
        "Answers that end by themselves": verdict.eos_rate,
        "Same greedy answers": verdict.greedy_equal,
    }
    return rows + [(name, f"{value:.4g}") for name, value in figures.items() if value is not None]

"""The finished training job that an export, a proof or an evaluation starts from.

Owns where its parts lie and reads its held-out rows. Refuses to know what is made from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from trainers.digest import sha256_of_file
from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.base_model import require_same_base
from trainers.layout import RunDir
from trainers.recipe import TrainRecipe
from trainers.recipe_file import read_train_recipe
from trainers.rows import read_rows

Message = Mapping[str, str]
#: A text that is shorter may be one token, after which nothing is expected.
LEAST_CHARACTERS = 24
#: Of a text so much is given at most: it may be a whole book, and words without spaces between them.
MOST_CHARACTERS, MOST_WORD = 1500, 100


@dataclass(frozen=True)
class HeldOutRow:
    """One row that was not learned from: what is asked, and the answer that is expected.

    Of a plain text, which has no `messages`, the first half is given and the rest expected.
    """

    id: int
    messages: tuple[Message, ...]
    text: str = ""

    @property
    def opening(self) -> str:
        """The first half of a text, or the beginning of a long one, up to the end of a word."""
        middle = min(len(self.text) // 2, MOST_CHARACTERS)
        end = self.text.find(" ", middle, middle + MOST_WORD)
        return self.text[: middle if end < 0 else end]

    @property
    def prompt(self) -> tuple[Message, ...]:
        """The conversation up to the last answer."""
        return self.messages[:-1]

    @property
    def expected(self) -> str:
        """The last answer, or how a text goes on."""
        return self.text[len(self.opening) :] if self.text else self.messages[-1]["content"]

    @property
    def question(self) -> str:
        """What the user said last, or how a text begins."""
        if self.text:
            return self.opening
        return next((turn["content"] for turn in reversed(self.prompt) if turn["role"] == "user"), "")


@dataclass(frozen=True)
class Parent:
    """A training job with an adapter."""

    job: str
    run: RunDir
    base_id: str
    model_dir: Path
    dataset_id: str
    dataset_dir: Path
    recipe: TrainRecipe

    @classmethod
    def open(cls, job: str, folder: Path) -> Parent:
        """Read the job's recipe and make sure that adapter and base model are there.

        Raises:
            AcademyError: `job_without_adapter`, `file_not_found`, `base_changed`, `model_damaged`, or as
                `read_train_recipe`.
        """
        recipe = read_train_recipe(folder)
        run = RunDir(folder)
        if not (run.adapter / "adapter_config.json").is_file():
            raise AcademyError(ErrorCode.JOB_WITHOUT_ADAPTER, job=job)
        config = Path(recipe.model.path) / "config.json"
        if not config.is_file():
            raise AcademyError(ErrorCode.FILE_NOT_FOUND, path=str(config))
        model, dataset = recipe.model, recipe.dataset
        require_same_base(Path(model.path), model.sha256)
        return cls(job, run, model.id, Path(model.path), dataset.id, Path(dataset.path), recipe)

    @property
    def adapter(self) -> Path:
        """The folder of the trained adapter."""
        return self.run.adapter

    def adapter_sha256(self) -> str:
        """Hash of the adapter's weights."""
        return sha256_of_file(self.adapter / "adapter_model.safetensors")

    def system_prompt(self) -> str:
        """Return the system prompt that every row of the training data begins with, or nothing.

        Raises:
            AcademyError: `dataset_damaged`.
        """
        path = self.dataset_dir / "train.jsonl"
        found: set[str] = set()
        for line, raw in enumerate(read_rows(path) if path.is_file() else (), start=1):
            try:
                if "text" in raw:
                    return ""
                first = raw["messages"][0]
                found.add(str(first["content"]) if first["role"] == "system" else "")
            except (KeyError, TypeError, IndexError) as error:
                raise AcademyError(ErrorCode.DATASET_DAMAGED, path=str(path), line=line) from error
            if len(found) > 1:
                return ""
        return next(iter(found), "")

    def held_out_rows(self, limit: int) -> list[HeldOutRow]:
        """Return the first `limit` held-out rows that end in an answer, or are texts of some length.

        Raises:
            AcademyError: `dataset_damaged` or `no_held_out_rows`.
        """
        path = self.dataset_dir / "eval.jsonl"
        found = (_answered(path, line, raw) for line, raw in enumerate(read_rows(path), start=1))
        rows = list(islice((row for row in found if row is not None), limit))
        if not rows:
            raise AcademyError(ErrorCode.NO_HELD_OUT_ROWS, dataset=self.dataset_id)
        return rows


def _answered(path: Path, line: int, raw: Mapping[str, Any]) -> HeldOutRow | None:
    """Return the row up to its last answer, or None when it has none; a text that is long enough to go on."""
    try:
        if "text" in raw:
            row = HeldOutRow(int(raw.get("id", line)), (), str(raw["text"]))
            return row if len(row.text.strip()) >= LEAST_CHARACTERS else None
        said = [*raw["messages"], *raw.get("chosen", ())]
        turns = [{"role": str(turn["role"]), "content": str(turn["content"])} for turn in said]
        row_id = int(raw.get("id", line))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AcademyError(ErrorCode.DATASET_DAMAGED, path=str(path), line=line) from error
    while turns and turns[-1]["role"] != "assistant":
        turns.pop()
    return HeldOutRow(row_id, tuple(turns)) if turns else None

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from tokenizers.processors import TemplateProcessing

from tests.trainers.test_rendering import CHATML, byte_level, renderer
from trainers.errors import AcademyError, ErrorCode
from trainers.rendering import Message
from trainers.rows import IGNORED, Example, Rendered, read_rows, render_rows


def talk(question: str, answer: str) -> list[Message]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def write(path: Path, conversations: Sequence[Sequence[Message]]) -> Path:
    rows = [
        {"id": n, "source": {"file": "f", "row": n}, "messages": one}
        for n, one in enumerate(conversations, start=1)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_the_first_position_is_never_learned() -> None:
    assert Example((5, 6, 7), (5, IGNORED, 7)).supervised_tokens == 1
    assert Example((5,), (5,)).supervised_tokens == 0
    assert Example((), ()).supervised_tokens == 0


def test_rows_are_read_in_order_up_to_a_limit(tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl", [talk(f"q{n}", "a") for n in range(5)])
    assert [row["id"] for row in read_rows(path)] == [1, 2, 3, 4, 5]
    assert [row["id"] for row in read_rows(path, 2)] == [1, 2]
    assert list(read_rows(path, 0)) == []


def test_a_line_beyond_the_limit_is_not_looked_at(tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl", [talk("q", "a")])
    path.write_bytes(path.read_bytes() + b"{torn")
    assert len(list(read_rows(path, 1))) == 1
    with pytest.raises(AcademyError) as caught:
        list(read_rows(path))
    assert caught.value.code is ErrorCode.DATASET_DAMAGED
    assert caught.value.facts == {"path": str(path), "line": 2}


def test_missing_rows_are_a_damaged_dataset(tmp_path: Path) -> None:
    with pytest.raises(AcademyError) as caught:
        list(read_rows(tmp_path / "train.jsonl"))
    assert caught.value.code is ErrorCode.DATASET_DAMAGED
    assert caught.value.facts["detail"] == "missing"


@pytest.mark.parametrize(
    "row",
    [
        {"text": "Once upon a time."},
        {"messages": talk("q", "a")[:1], "chosen": talk("q", "a")[1:], "rejected": talk("q", "b")[1:]},
        {"messages": talk("q", "a"), "label": False},
    ],
)
def test_rows_of_another_kind_are_not_trained_by_halves(tmp_path: Path, row: dict[str, object]) -> None:
    path = write(tmp_path / "train.jsonl", [talk("q", "a")])
    with path.open("a") as out:
        out.write(json.dumps({"id": 2, **row}) + "\n")
    with pytest.raises(AcademyError) as caught:
        render_rows(renderer(CHATML, eos="<|im_end|>"), path, 256)
    assert caught.value.code is ErrorCode.DATASET_KIND
    assert caught.value.facts == {"path": str(path), "line": 2}


def test_rows_are_rendered_by_the_one_renderer(tmp_path: Path) -> None:
    conversations = [talk("Why?", "Because."), talk("And now?", "Now it is 🗼.")]
    ours = renderer(CHATML, eos="<|im_end|>")
    rendered = render_rows(ours, write(tmp_path / "train.jsonl", conversations), 1000)
    for example, conversation in zip(rendered.examples, conversations, strict=True):
        one = ours.render(conversation, 1000)
        assert (list(example.ids), list(example.labels)) == (one.ids, one.labels)
    assert (rendered.truncated, rendered.unsupervised) == (0, 0)
    assert rendered.supervised_tokens == sum(one.supervised_tokens for one in rendered.examples) > 0


def test_rows_that_are_cut_or_teach_nothing_are_counted(tmp_path: Path) -> None:
    long = talk("x" * 400, "never reached")
    cut = talk("q", "y " * 400)
    silent: list[Message] = [{"role": "user", "content": "alone"}]
    path = write(tmp_path / "train.jsonl", [talk("q", "a"), long, cut, silent])
    rendered = render_rows(renderer(CHATML, eos="<|im_end|>"), path, 64)
    assert len(rendered.examples) == 2
    assert (rendered.truncated, rendered.unsupervised) == (2, 2)
    assert all(len(example.ids) == len(example.labels) <= 64 for example in rendered.examples)


def test_progress_is_told_row_by_row(tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl", [talk("q", "a")] * 4)
    told: list[int] = []
    render_rows(renderer(CHATML, eos="<|im_end|>"), path, 64, limit=3, progress=told.append)
    assert told == [1, 2, 3]


def test_no_rows_are_no_tokens(tmp_path: Path) -> None:
    (tmp_path / "eval.jsonl").touch()
    rendered = render_rows(renderer(CHATML), tmp_path / "eval.jsonl", 64)
    assert rendered == Rendered((), 0, 0)
    assert rendered.supervised_tokens == 0


@pytest.mark.parametrize("begun", [False, True])
def test_plain_texts_begin_as_the_tokenizer_begins_them(tmp_path: Path, begun: bool) -> None:
    """Llama 3 and Gemma saw every text of their training behind a begin token."""
    tokenizer = byte_level()
    if begun:
        begin = ("<s>", tokenizer.token_to_id("<s>"))
        tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[begin])
    made = renderer(CHATML, tokenizer=tokenizer)
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in ("one", "two")), "utf-8")
    [block] = render_rows(made, path, 256, method="pretrain").examples
    start = "<s>" if begun else ""
    assert made.decode(block.ids, skip_special=False) == f"{start}one</s>{start}two</s>"

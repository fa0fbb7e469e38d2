from __future__ import annotations

import json
from array import array
from pathlib import Path
from typing import Any

import pytest

from tests.trainers.defective import BARE, CHATML, MAX_LENGTH, SEEDS, seeded, write_model, write_rows
from tests.trainers.test_rendering import FORGETFUL, GEMMA, GENERATION, LLAMA3, MISTRAL
from trainers import xray
from trainers.errors import AcademyError, ErrorCode
from trainers.recipe import Method
from trainers.rendering import IGNORED, Renderer
from trainers.rendering.defects import DefectCode
from trainers.rows import render_rows

PHI = (
    "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '</s>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)


def no_progress(_done: int, _total: int, _detail: str) -> None:
    """Tell nobody."""


def scan(tmp_path: Path, model: Path, file: Path, **more: Any) -> dict[str, Any]:
    request = {
        "model": str(model),
        "files": [str(file)],
        "max_length": MAX_LENGTH,
        "out": str(tmp_path / "out"),
    }
    return xray.scan(request | more, no_progress)


def problems(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "out" / "defects.jsonl").read_text().splitlines()]


def numbers(path: Path) -> list[int]:
    return array("I", path.read_bytes()).tolist()


@pytest.mark.parametrize("template", [CHATML, LLAMA3, GEMMA, MISTRAL, PHI, GENERATION, FORGETFUL, BARE])
def test_what_is_seen_is_what_is_trained_token_by_token(tmp_path: Path, template: str) -> None:
    talks = [turns for turns, _ in seeded(BARE, 40, 0)]
    model, file = write_model(tmp_path / "model", template), write_rows(tmp_path / "train.jsonl", talks)
    scan(tmp_path, model, file, keep_tokens=True, max_length=10_000)
    trained = render_rows(Renderer.load(model), file, 10_000).examples
    assert numbers(tmp_path / "out" / "tokens.bin") == [token for row in trained for token in row.ids]
    mask = [int(label != IGNORED) for row in trained for label in row.labels]
    assert list((tmp_path / "out" / "trained.bin").read_bytes()) == mask
    assert numbers(tmp_path / "out" / "lengths.bin") == [len(row.ids) for row in trained]


@pytest.mark.parametrize("template", list(SEEDS))
def test_every_seeded_defect_is_found_and_no_clean_row_is_blamed(tmp_path: Path, template: str) -> None:
    made = list(seeded(template, 480, 4))
    scan(
        tmp_path,
        write_model(tmp_path / "model", template),
        write_rows(tmp_path / "r", (one for one, _ in made)),
    )
    found = {(one["row"], one["code"]) for one in problems(tmp_path)}
    assert {(row, code.value) for row, (_, code) in enumerate(made) if code} <= found
    assert {row for row, _ in found} == {row for row, (_, code) in enumerate(made) if code}


@pytest.mark.parametrize("template", list(SEEDS))
def test_a_clean_set_has_no_defect(tmp_path: Path, template: str) -> None:
    file = write_rows(tmp_path / "r", (one for one, _ in seeded(template, 300, 0)))
    found = scan(tmp_path, write_model(tmp_path / "model", template), file)
    assert (found["rows"], found["failed"], found["defects"]) == (300, 0, {})


def test_every_kind_of_defect_has_a_seed() -> None:
    assert {code for _, kinds in SEEDS.values() for code in kinds} == set(DefectCode)


def test_workers_find_what_one_process_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xray, "SHARE_BYTES", 5000)
    monkeypatch.setattr(xray, "WORTH_WORKERS_BYTES", 1)
    model = write_model(tmp_path / "model", CHATML)
    file = write_rows(tmp_path / "r", (one for one, _ in seeded(CHATML, 200, 5)))
    told: list[tuple[int, int]] = []
    request = {"model": str(model), "files": [str(file)] * 2, "max_length": MAX_LENGTH, "keep_tokens": True}
    several = xray.scan(
        {**request, "out": str(tmp_path / "several"), "workers": 2},
        lambda done, total, _: told.append((done, total)),
    )
    assert several == xray.scan({**request, "out": str(tmp_path / "one"), "workers": 1}, no_progress)
    for name in ("lengths.bin", "defects.jsonl", "tokens.bin", "trained.bin"):
        assert (tmp_path / "several" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    assert told[-1] == (2 * file.stat().st_size, 2 * file.stat().st_size)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_broken_line_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    monkeypatch.setattr(xray, "WORTH_WORKERS_BYTES", 1)
    file = tmp_path / "r"
    file.write_text('{"id": 1, "messages": []}\n{torn\n')
    with pytest.raises(AcademyError) as caught:
        scan(tmp_path, write_model(tmp_path / "model", CHATML), file, workers=workers)
    assert caught.value.code is ErrorCode.DATASET_DAMAGED
    assert caught.value.facts == {"path": str(file), "detail": "byte 26"}


def test_nothing_to_look_at(tmp_path: Path) -> None:
    file = tmp_path / "r"
    file.touch()
    assert scan(tmp_path, write_model(tmp_path / "model", CHATML), file)["rows"] == 0


def test_tools_reach_the_template(tmp_path: Path) -> None:
    template = "{% for tool in tools or [] %}{{ tool.name }} {% endfor %}" + CHATML
    model = write_model(tmp_path / "model", template)
    tools = [{"name": "look_up"}]
    renderer = Renderer.load(model)
    assert renderer.render([{"role": "user", "content": "x"}], tools=tools).text.startswith("look_up ")


def test_calls_that_the_template_writes_are_no_defect(tmp_path: Path) -> None:
    template = CHATML.replace(
        "{{ message.content }}",
        "{{ message.content }}{% for c in message.tool_calls %}{{ c | tojson }}{% endfor %}",
    )
    made = [one for one, code in seeded(CHATML, 32, 1) if code is DefectCode.TOOL_CALLS_NOT_RENDERED]
    file = write_rows(tmp_path / "r", made)
    assert scan(tmp_path, write_model(tmp_path / "model", template), file)["defects"] == {}


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps({"id": n, **row}) + "\n" for n, row in enumerate(rows, 1)), "utf-8")
    return path


def test_plain_text_is_no_damaged_conversation(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", CHATML)
    texts = ("Bread and a lamp.", "It is naÃ¯ve.", "An <|im_end|> in it", "river " * 900, " ")
    file = lines(tmp_path / "train.jsonl", *({"text": text} for text in texts))
    found = scan(tmp_path, model, file)
    assert [(one["row"], one["code"]) for one in problems(tmp_path)] == [
        (1, "mojibake"),
        (2, "special_token_in_text"),
        (4, "empty_turn"),
    ]
    renderer = Renderer.load(model)
    lengths = [len(renderer.encode(text)) for text in texts]
    assert numbers(tmp_path / "out" / "lengths.bin") == lengths
    assert (found["failed"], found["texts"]) == (0, len(texts))  # the long one is parted, and loses nothing


def test_both_answers_of_a_pair_are_looked_at(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", CHATML)
    ask = [{"role": "user", "content": "Where is the garden?"}]

    def pair(better: str, worse: str) -> dict[str, Any]:
        said = [[{"role": "assistant", "content": text}] for text in (better, worse)]
        return {"messages": ask, "chosen": said[0], "rejected": said[1]}

    sound, long = "By the river.", "bridge " * 500
    file = lines(
        tmp_path / "train.jsonl",
        pair(sound, "Nowhere."),
        pair("naÃ¯ve", sound),
        pair(sound, "naÃ¯ve"),
        pair("It is naÃ¯ve", "So naÃ¯ve"),
        pair(sound, long),
    )
    found = scan(tmp_path, model, file)
    told = [(one["row"], one["code"], one["facts"].get("answer")) for one in problems(tmp_path)]
    assert told == [
        (1, "mojibake", "better"),
        (2, "mojibake", "worse"),
        (3, "mojibake", None),
        (4, "answer_truncated", "worse"),
    ]
    renderer = Renderer.load(model)
    both = [
        [renderer.render([*ask, {"role": "assistant", "content": text}]) for text in pair]
        for pair in ((sound, "Nowhere."), ("naÃ¯ve", sound))
    ]
    lengths = numbers(tmp_path / "out" / "lengths.bin")
    assert lengths[:2] == [max(len(one.ids) for one in pair) for pair in both]
    assert sum(rows for _, rows in found["firsts"]) == 5


def test_a_text_or_an_answer_that_is_none_is_damage(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", CHATML)
    rows: list[dict[str, Any]] = [{"text": 3}, {"messages": [], "chosen": [], "rejected": [3]}]
    for row in [*rows, {"messages": [], "chosen": []}]:
        with pytest.raises(AcademyError) as caught:
            scan(tmp_path, model, lines(tmp_path / "train.jsonl", row))
        assert caught.value.code is ErrorCode.DATASET_DAMAGED


@pytest.mark.parametrize("kind", ["pair", "judged"])
def test_what_was_said_before_a_judged_answer_is_not_learned(tmp_path: Path, kind: str) -> None:
    model = write_model(tmp_path / "model", CHATML)
    before = [
        {"role": "user", "content": "Where is the garden?"},
        {"role": "assistant", "content": "Behind the house. " * 40},
        {"role": "user", "content": "And the lamp?"},
    ]
    answer = [{"role": "assistant", "content": "On the table."}]
    row: dict[str, Any] = {"messages": before, "chosen": answer, "rejected": [answer[0] | {"content": "No."}]}
    if kind == "judged":
        row = {"messages": [*before, *answer], "label": True}
    file = lines(tmp_path / "train.jsonl", row)
    scan(tmp_path, model, file, keep_tokens=True)
    method: Method = "kto" if kind == "judged" else "dpo"
    renderer = Renderer.load(model)
    example = render_rows(renderer, file, 10_000, method=method).examples[0]
    trained = [label != IGNORED for label in example.labels]
    assert [bool(one) for one in (tmp_path / "out" / "trained.bin").read_bytes()][: len(trained)] == trained
    said = renderer.decode([one for one in example.labels if one != IGNORED], skip_special=False)
    assert said.strip() == "On the table.<|im_end|>"
    cut = trained.index(True)
    scan(tmp_path, model, file, max_length=cut)
    assert "nothing_supervised" in {one["code"] for one in problems(tmp_path)}
    assert not render_rows(renderer, file, cut, method=method).examples

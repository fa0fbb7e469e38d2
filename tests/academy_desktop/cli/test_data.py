from __future__ import annotations

import json
from pathlib import Path

from tests.academy_desktop.cli.conftest import Academy
from tests.academy_desktop.made_data import LESSONS
from tests.venom_server.server import VenomServer
from tests.venom_server.state import VenomState


def test_an_import_counts_what_it_kept_and_why_not_the_rest(academy: Academy, rows_file: Path) -> None:
    said = academy("data", "import", rows_file, "--name", "Capitals", "--eval", "0.25", "--json").json
    assert said["format"] == "alpaca"
    assert (said["rows_in"], said["rows_kept"]) == (14, 12)
    assert said["dropped"] == {"duplicate": 1, "empty_answer": 1}
    assert said["train_rows"] + said["eval_rows"] == 12
    assert said["eval_rows"] == 3
    assert len(said["sha256"]) == 64
    assert said["seconds"] >= 0


def test_an_import_for_people_says_the_same_in_words(academy: Academy, rows_file: Path) -> None:
    said = academy("data", "import", rows_file, "--name", "Capitals")
    assert said.code == 0
    assert "1 dropped: The answer is empty" in said.out


def test_a_mapping_names_the_columns(academy: Academy, tmp_path: Path) -> None:
    file = tmp_path / "odd.csv"
    file.write_text("frage,reply\nCapital of A?,A City\nCapital of B?,B City\n")
    refused = academy("data", "import", file, "--name", "odd", "--json")
    assert refused.json["error"]["code"] == "form_unknown"
    said = academy(
        "data",
        "import",
        file,
        "--name",
        "odd",
        "--map",
        "prompt=frage",
        "--map",
        "completion=reply",
        "--json",
    )
    assert said.json["rows_kept"] == 2
    wrong = academy("data", "import", file, "--name", "odd", "--map", "prompt", "--json")
    assert wrong.json["error"]["code"] == "mapping_invalid"


def test_a_peek_shows_the_form_the_columns_and_the_first_rows(academy: Academy, tmp_path: Path) -> None:
    file = tmp_path / "odd.csv"
    file.write_text("instruction,input,output\nSay it,loudly,Yes!\nSay it again,,\n")
    said = academy("data", "peek", file, "--map", "input=", "--json").json
    assert (said["format"], said["confidence"]) == ("alpaca", 1.0)
    assert said["columns"] == ["instruction", "input", "output"]
    assert said["mapping"] == {"instruction": "instruction", "output": "output"}
    assert said["rows"][0]["content"]["messages"][0]["content"] == "Say it"
    assert (said["rows"][1]["reason"], said["dropped"]) == ("empty_answer", {"empty_answer": 1})
    text = academy("data", "peek", file).out
    assert "Form: Instructions (certain, 100% of the first 2 rows)" in text
    assert "assistant: Yes!" in text
    assert "1 dropped: The answer is empty" in text
    assert academy("data", "list", "--json").json == {"datasets": []}


def test_a_peek_at_an_unknown_form_names_the_columns(academy: Academy, tmp_path: Path) -> None:
    file = tmp_path / "odd.csv"
    file.write_text("frage,reply\nCapital of A?,A City\n")
    said = academy("data", "peek", file, "--json").json
    assert (said["format"], said["columns"], said["rows"]) == (None, ["frage", "reply"], [])
    assert "--map" in academy("data", "peek", file).out


def test_another_encoding_is_named_and_then_taken(academy: Academy, tmp_path: Path) -> None:
    file = tmp_path / "colours.csv"
    file.write_bytes("question,answer\nGras?,grün\n".encode("windows-1252"))
    refused = academy("data", "import", file, "--name", "colours", "--json").json["error"]
    assert (refused["code"], refused["facts"]["line"]) == ("file_encoding", 2)
    assert "--encoding windows-1252" in refused["next_step"]
    said = academy(
        "data", "import", file, "--name", "colours", "--encoding", "windows-1252", "--eval", "0", "--json"
    ).json
    assert (said["rows_kept"], said["dropped"]) == (1, {})


def test_a_pair_is_previewed_with_both_answers(academy: Academy, tmp_path: Path, tiny_model: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"prompt": "Why?", "chosen": "Because.", "rejected": "No."}\n')
    academy("data", "import", file, "--name", "pairs", "--eval", "0")
    shown = academy("data", "preview", "pairs", "--model", tiny_model, "--json").json
    assert "Because." in shown["text"]
    assert "No." in shown["rejected"]["text"]
    text = academy("data", "preview", "pairs", "--model", tiny_model).out
    assert "⟦No.<|im_end|>⟧" in text


def test_an_unknown_format_is_wrong_usage(academy: Academy, rows_file: Path) -> None:
    said = academy("data", "import", rows_file, "--name", "x", "--format", "sharegtp")
    assert said.code == 2


def test_list_and_show_name_what_is_there(academy: Academy, rows_file: Path) -> None:
    assert academy("data", "list", "--json").json == {"datasets": []}
    made = academy("data", "import", rows_file, "--name", "Capitals", "--json").json["dataset"]
    assert [one["dataset"] for one in academy("data", "list", "--json").json["datasets"]] == [made]
    assert academy("data", "show", "capitals", "--json").json["dataset"] == made
    assert academy("data", "show", "kapitals", "--json").json["error"]["code"] == "dataset_unknown"


def test_preview_marks_what_is_trained(academy: Academy, rows_file: Path, tiny_model: Path) -> None:
    academy("data", "import", rows_file, "--name", "Capitals")
    shown = academy("data", "preview", "Capitals", "--model", tiny_model, "--row", "3", "--json").json
    trained = [shown["text"][span["start"] : span["end"]] for span in shown["spans"] if span["trained"]]
    assert trained == ["C City<|im_end|>"]
    assert "".join(shown["text"][span["start"] : span["end"]] for span in shown["spans"]) == shown["text"]


def test_preview_needs_no_more_than_a_tokenizer(
    academy: Academy, rows_file: Path, tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tokenizer only"
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((tiny_model / name).read_bytes())
    academy("data", "import", rows_file, "--name", "Capitals")
    assert academy("data", "preview", "Capitals", "--model", folder, "--json").code == 0


def test_audit_goes_over_all_rows(academy: Academy, tmp_path: Path, tiny_model: Path) -> None:
    file = tmp_path / "long.jsonl"
    rows = [
        {"instruction": "Say it", "output": "yes"},
        {"instruction": "Say " + "much " * 400, "output": "no"},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    academy("data", "import", file, "--name", "long")
    said = academy("data", "audit", "long", "--model", tiny_model, "--max-length", "256", "--json").json
    assert (said["rows"], said["truncated"], said["zero_label"]) == (2, 1, 1)
    assert {problem["code"] for problem in said["problems"]} == {"answer_truncated", "nothing_supervised"}
    assert {problem["row"] for problem in said["problems"]} == {2}
    assert said["supervised_tokens"] > 0


def test_stats_count_the_tokens_that_training_would_see(
    academy: Academy, rows_file: Path, tiny_model: Path
) -> None:
    academy("data", "import", rows_file, "--name", "Capitals")
    said = academy("data", "stats", "Capitals", "--model", tiny_model, "--json").json
    assert said["count"] == 12
    tokens = said["tokens"]
    assert 0 < tokens["p50"] <= tokens["p95"] <= tokens["max"]
    assert sum(tokens["histogram"].values()) == 12


def test_rows_are_left_out_mixed_and_written_out(academy: Academy, rows_file: Path, tmp_path: Path) -> None:
    made = academy("data", "import", rows_file, "--name", "Capitals", "--json").json
    less = academy("data", "edit", made["dataset"], "--exclude", "1,3-4", "--name", "Less", "--json").json
    assert (less["rows_kept"], less["excluded_rows"]) == (made["rows_kept"] - 3, 3)
    assert less["parents"] == [made["dataset"]]
    turns = [{"role": "user", "content": "A?"}, {"role": "assistant", "content": "B."}]
    change = f"2={json.dumps({'messages': turns})}"
    other = academy("data", "edit", made["dataset"], "--set", change, "--name", "Other", "--json").json
    assert other["edited_rows"] == 1
    mix = academy(
        "data", "mix", f"{less['dataset']}=1", f"{other['dataset']}=2", "--name", "Mix", "--json"
    ).json
    assert mix["train_rows"] == less["train_rows"] + 2 * other["train_rows"]
    out = tmp_path / "out.jsonl"
    said = academy("data", "export", made["dataset"], "--format", "messages", "--out", out, "--json").json
    assert said["rows"] == made["rows_kept"] == len(out.read_text().splitlines())
    wrong = academy("data", "edit", made["dataset"], "--exclude", "x", "--json")
    assert wrong.json["error"]["code"] == "mapping_invalid"


def test_lessons_come_from_a_venom(academy: Academy, tmp_path: Path) -> None:
    state = VenomState(tmp_path / "venom", tmp_path / "venom" / "models", lessons=LESSONS)
    with VenomServer(state) as server:
        assert academy("venom", "add", "home", server.url).code == 0
        said = academy("data", "import-venom", "home", "--name", "Lessons", "--limit", "11", "--json").json
        odd = academy(
            "data", "import-venom", "home", "--name", "Odd", "--limit", "7", "--tag", "odd", "--json"
        ).json
    assert (said["format"], said["rows_in"], said["rows_kept"]) == ("lesson", 11, 5)
    assert said["dropped"] == {"not_successful": 6}
    assert (odd["rows_in"], odd["rows_kept"]) == (7, 7)

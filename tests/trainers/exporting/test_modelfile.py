from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trainers.exporting import go_template
from tests.trainers.exporting.making import export, refusal
from tests.trainers.exporting.tokenizers_made import SPECIALS, change, write_tokenizer_of
from tests.trainers.tiny_model import CHATML, HELD_OUT, LEARNED, Tiny, train_recipe, write_dataset, write_run
from trainers.errors import ErrorCode
from trainers.events import Payload, Warned
from trainers.exporting.modelfile import FAMILIES, Modelfile, make_modelfile, render
from trainers.layout import RunDir
from trainers.rendering import Message, Renderer

LLAMA3 = (
    "{% for message in messages %}{% if loop.first %}{{ bos_token }}{% endif %}<|start_header_id|>"
    "{{ message.role }}<|end_header_id|>\n\n{{ message.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
OWN_SYSTEM = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are kind.<|im_end|>\n{% endif %}" + CHATML
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tokenizer_of(tmp_path, "smollm")
    return tmp_path


def test_chatml_is_known_with_its_stop_tokens(folder: Path) -> None:
    made = make_modelfile(folder, adds_bos=False)
    assert (made.family, made.system) == ("ChatML", "")
    assert made.text("x.gguf") == (
        "FROM ./x.gguf\n"
        'TEMPLATE """{{ range .Messages }}{{ if eq .Role "system" }}<|im_start|>system\n'
        "{{ .Content }}<|im_end|>\n"
        '{{ else if eq .Role "user" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n'
        '{{ else if eq .Role "assistant" }}<|im_start|>assistant\n{{ .Content }}<|im_end|>\n'
        '{{ end }}{{ end }}<|im_start|>assistant\n"""\n'
        'PARAMETER stop "<|im_end|>"\n'
    )


def test_llama_3_writes_the_begin_token_where_llama_cpp_does_not(folder: Path) -> None:
    change(folder, "tokenizer_config.json", chat_template=LLAMA3, bos_token="<|endoftext|>")
    made = make_modelfile(folder, adds_bos=False)
    assert made.family == "Llama 3"
    assert made.template.startswith("<|endoftext|>{{ range")
    assert make_modelfile(folder, adds_bos=True).template.startswith("{{ range")


@pytest.mark.parametrize(
    ("kind", "family"), [("none", "Gemma"), ("phi3", "Phi-3"), ("first", "Mistral"), ("prepend", "Mistral")]
)
def test_each_family_is_known_by_what_it_says(tmp_path: Path, kind: str, family: str) -> None:
    write_tokenizer_of(tmp_path, kind)
    made = make_modelfile(tmp_path, adds_bos=False)
    assert made.family == family
    renderer = Renderer.load(tmp_path)
    talk = [*HELD_OUT[0]["messages"], *HELD_OUT[1]["messages"][:1]]
    assert renderer.encode(render(made.template, talk)) == renderer.prompt(talk).ids


#: Tokenizer, chat template (None: its own), whether llama.cpp adds the begin token, whether space is kept.
TRIED: tuple[tuple[str, str | None, bool, bool], ...] = (
    ("smollm", None, False, True),
    ("smollm", OWN_SYSTEM, False, True),
    ("smollm", LLAMA3, False, False),
    ("smollm", LLAMA3, True, False),
    ("none", None, False, False),
    ("phi3", None, False, True),
    ("first", None, False, True),
    ("prepend", None, False, True),
)
PIECES = (
    "What", " is", "2 + 2", "?", "\n", "\n\n", "  ", "\t", "naïve", "漢字", "🙂", "ﷺ", "<|im_end|>",
    "{{ .Content }}", "{% if x %}", '"""', "'", "\\", "[INST]", "</s>", "\u200b", "e\u0301",
    "1000000", "{{ end }}",
)  # fmt: skip
CONVERSATIONS = 250


def conversations(has_system: bool, keeps_space: bool, seed: int) -> Iterator[list[Message]]:
    """Talks of up to nine turns with contents of every sort, up to where an answer begins."""
    chance = random.Random(seed)
    for _ in range(CONVERSATIONS):
        roles = ["user", "assistant"] * chance.randint(0, 4) + ["user"]
        roles = ["system"] * (has_system and chance.random() < 0.4) + roles
        contents = ["".join(chance.choices(PIECES, k=chance.randint(1, 12))) for _ in roles]
        yield [
            {"role": role, "content": text if keeps_space else text.strip() or "x"}
            for role, text in zip(roles, contents, strict=True)
        ]


def asked_of_ollama(made: Modelfile, talk: list[Message]) -> list[Message]:
    """What Ollama gives its template: the Modelfile's system prompt goes first where the talk has none."""
    is_given = not made.system or talk[0]["role"] == "system"
    return talk if is_given else [{"role": "system", "content": made.system}, *talk]


@pytest.mark.parametrize("case", TRIED, ids=str)
def test_ollama_makes_the_same_tokens_of_every_conversation(
    tmp_path: Path, case: tuple[str, str | None, bool, bool]
) -> None:
    kind, template, adds_bos, keeps_space = case
    write_tokenizer_of(tmp_path, kind)
    if template is not None:
        change(tmp_path, "tokenizer_config.json", chat_template=template, bos_token="<|endoftext|>")
    made = make_modelfile(tmp_path, adds_bos)
    renderer = Renderer.load(tmp_path)
    begin = renderer.special_tokens["bos_token"] if adds_bos else ""
    has_system = '"system"' in made.template
    for talk in conversations(has_system, keeps_space, seed=41):
        given = [{"Role": turn["role"], "Content": turn["content"]} for turn in asked_of_ollama(made, talk)]
        said = go_template.render(made.template, {"Messages": given})
        assert renderer.encode(begin + said) == renderer.prompt(talk).ids


@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")
def test_go_reads_the_templates_as_the_test_does(tmp_path: Path) -> None:
    templates = [turns.template(begin) for turns in FAMILIES for begin in ("", "<s>")]
    talks = list(conversations(has_system=True, keeps_space=True, seed=42))[:100]
    cases = [(template, talk) for template in templates for talk in talks]
    said = go_template.render_by_go(tmp_path, cases)
    for (template, talk), text in zip(cases, said, strict=True):
        given = [{"Role": turn["role"], "Content": turn["content"]} for turn in talk]
        assert go_template.render(template, {"Messages": given}) == text
        assert render(template, talk) == text


def parsed(text: str) -> dict[str, list[str]]:
    """Read a Modelfile as Ollama does: no escapes, three quotes hold lines, a value ends with its quotes."""
    found: dict[str, list[str]] = {}
    lines = iter(text.splitlines(keepends=True))
    for line in lines:
        command, _, value = line.partition(" ")
        if command == "PARAMETER":
            command, _, value = value.partition(" ")
        opener = '"""' if value.startswith('"""') else '"' if value.startswith('"') else ""
        while opener and not (value.strip().endswith(opener) and len(value.strip()) >= 2 * len(opener)):
            value += next(lines)
        value = value.strip()
        found.setdefault(command, []).append(value[len(opener) : len(value) - len(opener)])
    return found


@pytest.mark.parametrize(
    "system", ["Be brief.", 'Say "yes"', 'In """three""" quotes', "Two\nlines", "C:\\new"]
)
def test_ollama_reads_the_modelfile_as_it_was_meant(folder: Path, system: str) -> None:
    made = make_modelfile(folder, adds_bos=False, system=system)
    assert parsed(made.text("x.gguf")) == {
        "FROM": ["./x.gguf"], "TEMPLATE": [made.template], "stop": ["<|im_end|>"], "SYSTEM": [system],
    }  # fmt: skip


def test_a_system_prompt_that_a_modelfile_cannot_hold_gets_none(folder: Path) -> None:
    with refusal(ErrorCode.TEMPLATE_UNKNOWN):
        make_modelfile(folder, adds_bos=False, system='Write """\nlike this.')


def test_every_family_is_tried_by_a_test() -> None:
    tried = {"ChatML", "Llama 3", "Gemma", "Phi-3", "Mistral"}
    assert {one.name for one in FAMILIES} == tried
    assert set(SPECIALS) == {"prepend", "first", "none", "phi3"}


def test_the_template_s_own_system_prompt_is_kept(folder: Path) -> None:
    change(folder, "tokenizer_config.json", chat_template=OWN_SYSTEM)
    made = make_modelfile(folder, adds_bos=False)
    assert made.system == "You are kind."
    assert 'SYSTEM """You are kind."""' in made.text("x.gguf")
    assert make_modelfile(folder, adds_bos=False, system="Be brief.").system == "Be brief."


@pytest.mark.parametrize(
    "template",
    [
        CHATML.replace("\n{{ message.content }}", " {{ message.content }}"),
        CHATML.replace("<|im_end|>\n", "<|im_end|>"),
        "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant: ",
        CHATML + "{{ raise_exception('no') }}",
        CHATML.replace("{{ message.content }}", "{{ message.content | upper }}"),
    ],
)
def test_a_template_that_is_almost_known_gets_no_modelfile(folder: Path, template: str) -> None:
    change(folder, "tokenizer_config.json", chat_template=template)
    with refusal(ErrorCode.TEMPLATE_UNKNOWN) as facts:
        make_modelfile(folder, adds_bos=False)
    assert facts["known"] == "ChatML, Llama 3, Gemma, Phi-3, Mistral"


def test_a_begin_token_that_training_never_saw_gets_no_modelfile(folder: Path) -> None:
    with refusal(ErrorCode.TEMPLATE_UNKNOWN):
        make_modelfile(folder, adds_bos=True)


def test_an_export_has_its_modelfile_and_card_beside_it(parent: RunDir, tiny: Tiny) -> None:
    said: list[Payload] = []
    [path] = export(parent, ("gguf", "q8_0"), emit=said.append)
    assert not [one for one in said if isinstance(one, Warned)]
    text = path.with_name("gguf-q8_0.gguf.Modelfile").read_text("utf-8")
    assert text.startswith("FROM ./gguf-q8_0.gguf\n")
    card = path.with_name("gguf-q8_0.gguf.README.md").read_text("utf-8")
    record = json.loads(path.with_name("gguf-q8_0.gguf.json").read_text("utf-8"))
    for said_there in (record["sha256"], record["adapter_sha256"], tiny.dataset_ref.sha256, "lora.rank | 8"):
        assert said_there in card
    assert str(tiny.model.parent) not in card


def test_an_unknown_template_is_told_and_the_file_is_made(parent: RunDir, tiny: Tiny, tmp_path: Path) -> None:
    model = Path(shutil.copytree(tiny.model, tmp_path / "other"))
    change(model, "tokenizer_config.json", chat_template=CHATML.replace("\n{{ m", " {{ m"))
    shutil.rmtree(parent.commands)
    write_run(parent.path, train_recipe(Tiny(model, tiny.dataset)))
    said: list[Payload] = []
    [path] = export(parent, ("gguf", "f16"), emit=said.append)
    assert [one.code for one in said if isinstance(one, Warned)] == ["template_unknown"]
    assert path.is_file()
    assert not path.with_name("gguf-f16.gguf.Modelfile").exists()


def test_a_system_prompt_that_all_rows_share_goes_along(parent: RunDir, tiny: Tiny, tmp_path: Path) -> None:
    system = {"role": "system", "content": "Name the city."}
    rows = [row | {"messages": [system, *row["messages"]]} for row in LEARNED]
    dataset = write_dataset(tmp_path / "with-system", rows, HELD_OUT)
    shutil.rmtree(parent.commands)
    write_run(parent.path, train_recipe(Tiny(tiny.model, dataset)))
    [path] = export(parent, ("gguf", "f16"))
    text = path.with_name("gguf-f16.gguf.Modelfile").read_text("utf-8")
    assert text.endswith('SYSTEM """Name the city."""\n')

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.trainers.exporting.making import export, refusal
from tests.trainers.exporting.tokenizers_made import SPECIALS, change, write_tokenizer_of
from tests.trainers.tiny_model import CHATML, HELD_OUT, LEARNED, Tiny, train_recipe, write_dataset, write_run
from trainers.errors import ErrorCode
from trainers.events import Payload, Warned
from trainers.exporting.modelfile import FAMILIES, make_modelfile, render
from trainers.layout import RunDir
from trainers.rendering import Renderer

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

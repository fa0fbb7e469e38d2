from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer

from trainers.errors import AcademyError, ErrorCode
from trainers.rendering import IGNORED, ChatTemplate, Message, Note, Rendered, Renderer, render_template

CHATML = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor -%}
{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

LLAMA3 = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim"
    " + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)

GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)

MISTRAL = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + eos_token }}"
    "{% else %}{% continue %}{% endif %}{% endfor %}"
)

GENERATION = (
    "{% for message in messages %}{% if message.role == 'assistant' %}<|im_start|>assistant\n"
    "{% generation %}{{ message.content }}<|im_end|>{% endgeneration %}\n"
    "{% else %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

#: Keeps the thoughts of the last answer only, as reasoning models do.
FORGETFUL = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.role == 'assistant' and not loop.last %}{{ message.content.split('</think>')[-1] }}"
    "{% else %}{{ message.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

TOOLS = "{{ messages | tojson }}{{ strftime_now('%Y') | length }}{% if tools %}tools{% endif %}"

SPECIALS = (
    "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
    "<start_of_turn>", "<end_of_turn>", "<pad>",
)  # fmt: skip

TALK: tuple[Message, ...] = (
    {"role": "user", "content": "What is the capital of France?"},
    {"role": "assistant", "content": "Paris, naïvely: 🗼 – it's so!"},
    {"role": "user", "content": "And of Italy?\n"},
    {"role": "assistant", "content": "  Rome.\n\nThe end"},
)


def byte_level() -> Tokenizer:
    """A tiny byte-level BPE tokenizer in the manner of GPT-2, Llama 3 and Qwen."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    trainer = BpeTrainer(
        vocab_size=420,
        show_progress=False,
        special_tokens=[AddedToken(text, special=True) for text in SPECIALS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([message["content"] for message in TALK] * 4, trainer)
    return tokenizer


def sentence_piece() -> Tokenizer:
    """A tiny BPE tokenizer with byte fallback and an inserted first space, in the manner of Llama 2."""
    letters = {chr(code): 0 for code in range(33, 127)} | {"▁": 0, "\n": 0}
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIALS])
    return tokenizer


def renderer(template: str, *, eos: str = "</s>", tokenizer: Tokenizer | None = None) -> Renderer:
    return Renderer(tokenizer or byte_level(), template, {"bos_token": "<s>", "eos_token": eos})


def oracle(template: str, eos: str = "</s>") -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing it warns about what this machine lacks
        from transformers import PreTrainedTokenizerFast
    tokenizer_class: Any = PreTrainedTokenizerFast
    return tokenizer_class(
        tokenizer_object=byte_level(), bos_token="<s>", eos_token=eos, chat_template=template
    )


def trained_text(rendered: Rendered) -> list[str]:
    return [rendered.text[span.start : span.end] for span in rendered.spans]


def trained_ids(rendered: Rendered) -> list[int]:
    return [label for label in rendered.labels if label != IGNORED]


@pytest.mark.parametrize("template", [CHATML, LLAMA3, GEMMA, MISTRAL, GENERATION, FORGETFUL, TOOLS])
def test_text_and_ids_equal_those_of_transformers(template: str) -> None:
    ours, theirs = renderer(template), oracle(template)
    for messages in (TALK, TALK[:2], TALK[:3]):
        rendered = ours.render(messages)
        assert rendered.text == theirs.apply_chat_template(list(messages), tokenize=False)
        assert rendered.ids == theirs.apply_chat_template(list(messages))["input_ids"]
    prompt = ours.prompt(TALK[:3])
    assert prompt.text == theirs.apply_chat_template(
        list(TALK[:3]), tokenize=False, add_generation_prompt=True
    )
    assert prompt.ids == theirs.apply_chat_template(list(TALK[:3]), add_generation_prompt=True)["input_ids"]


def test_trained_tokens_equal_the_generation_markers_of_transformers() -> None:
    # No answer begins with white space: there transformers loses the turn when offsets are trimmed.
    talk = [*TALK[:3], {"role": "assistant", "content": "Rome.\n\nThe end"}]
    marked = oracle(GENERATION).apply_chat_template(talk, return_dict=True, return_assistant_tokens_mask=True)
    rendered = renderer(GENERATION, eos="<|im_end|>").render(talk)
    assert [int(label != IGNORED) for label in rendered.labels] == marked["assistant_masks"]


@pytest.mark.parametrize(
    ("template", "eos", "spans"),
    [
        (CHATML, "<|im_end|>", ["Paris, naïvely: 🗼 – it's so!<|im_end|>", "  Rome.\n\nThe end<|im_end|>"]),
        (LLAMA3, "<|eot_id|>", ["Paris, naïvely: 🗼 – it's so!<|eot_id|>", "Rome.\n\nThe end<|eot_id|>"]),
        (GEMMA, "</s>", ["Paris, naïvely: 🗼 – it's so!<end_of_turn>", "Rome.\n\nThe end<end_of_turn>"]),
        (MISTRAL, "</s>", [" Paris, naïvely: 🗼 – it's so!</s>", "   Rome.\n\nThe end</s>"]),
    ],
)
def test_each_answer_is_trained_with_its_end_of_turn_and_nothing_else(
    template: str, eos: str, spans: list[str]
) -> None:
    ours = renderer(template, eos=eos)
    rendered = ours.render(TALK)
    assert trained_text(rendered) == spans
    assert ours.decode(trained_ids(rendered), skip_special=False) == "".join(spans)
    assert rendered.notes == ()
    assert rendered.supervised_tokens == len(trained_ids(rendered)) > 0


def test_the_newline_before_an_answer_is_not_trained_though_its_offsets_are_trimmed() -> None:
    ours = renderer(CHATML, eos="<|im_end|>")
    rendered = ours.render(TALK[:2])
    first = next(index for index, label in enumerate(rendered.labels) if label != IGNORED)
    assert ours.decode([rendered.ids[first - 1]]) == "\n"
    assert rendered.ids[:first] == ours.prompt(TALK[:1]).ids


def test_a_character_split_over_tokens_is_trained_whole() -> None:
    ours = renderer(CHATML, eos="<|im_end|>", tokenizer=sentence_piece())
    rendered = ours.render(({"role": "user", "content": "é"}, {"role": "assistant", "content": "🗼é"}))
    assert rendered.supervised_tokens == len("🗼é".encode()) + 1
    assert ours.decode(trained_ids(rendered)) == "🗼é"


def test_only_the_turns_that_can_be_located_are_trained() -> None:
    talk: tuple[Message, ...] = (
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "<think>hm</think>b"},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "<think>ha</think>d"},
    )
    rendered = renderer(FORGETFUL, eos="<|im_end|>").render(talk)
    assert trained_text(rendered) == ["<think>ha</think>d<|im_end|>"]
    assert rendered.notes == (Note.TURN_NOT_LOCATED,)


def test_an_answer_that_the_template_wraps_is_trained_with_its_wrapping() -> None:
    template = CHATML.replace(
        "{{ message.content }}",
        "{% if message.role == 'assistant' %}<think>\n</think>{% endif %}{{ message.content }}",
    )
    rendered = renderer(template, eos="<|im_end|>").render(TALK[:2])
    assert trained_text(rendered) == ["<think>\n</think>Paris, naïvely: 🗼 – it's so!<|im_end|>"]


def test_a_template_without_end_of_turn_is_noted_and_trains_no_user_text() -> None:
    template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    rendered = renderer(template).render(TALK)
    assert trained_text(rendered) == ["Paris, naïvely: 🗼 – it's so!", "  Rome.\n\nThe end"]
    assert rendered.notes == (Note.MISSING_END_OF_TURN,)


def test_an_end_of_turn_token_inside_an_answer_does_not_end_it() -> None:
    talk: tuple[Message, ...] = (
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "say <|im_end|> twice"},
    )
    rendered = renderer(CHATML, eos="<|im_end|>").render(talk)
    assert trained_text(rendered) == ["say <|im_end|> twice<|im_end|>"]


def test_no_answer_means_nothing_trained() -> None:
    rendered = renderer(CHATML).render(TALK[:1])
    assert rendered.supervised_tokens == 0
    assert rendered.notes == (Note.NO_ASSISTANT_TURN,)


def test_the_end_of_turn_that_the_template_writes_is_found_though_eos_is_another() -> None:
    ours = renderer(CHATML, eos="</s>")
    tokenizer = byte_level()
    assert ours.end_of_turn_ids == {tokenizer.token_to_id("<|im_end|>"), tokenizer.token_to_id("</s>")}
    assert trained_text(ours.render(TALK))[0].endswith("!<|im_end|>")


def test_truncation_cuts_ids_and_labels_from_the_right() -> None:
    ours = renderer(CHATML, eos="<|im_end|>")
    whole = ours.render(TALK)
    cut = ours.render(TALK, max_length=20)
    assert (cut.ids, cut.labels, cut.offsets) == (whole.ids[:20], whole.labels[:20], whole.offsets[:20])
    assert cut.truncated
    assert cut.supervised_tokens < whole.supervised_tokens
    assert cut.text == whole.text
    assert not ours.render(TALK, max_length=len(whole.ids)).truncated


CONTENT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CONTENT, CONTENT), min_size=1, max_size=3))
def test_whatever_is_said_only_answers_are_trained(turns: Sequence[tuple[str, str]]) -> None:
    messages: list[Message] = []
    for asked, answered in turns:
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    rendered = RENDERER.render(messages)
    assert trained_text(rendered) == [f"{answered}<|im_end|>" for _, answered in turns]
    outside = [
        index
        for index, (start, _) in enumerate(rendered.offsets)
        if not any(span.start <= start < span.end for span in rendered.spans)
    ]
    assert all(rendered.labels[index] == IGNORED for index in outside)
    assert len(outside) + rendered.supervised_tokens == len(rendered.ids)


RENDERER = renderer(CHATML, eos="<|im_end|>")


def model_folder(folder: Path, **config: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    byte_level().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    return folder


def test_load_reads_template_and_special_tokens(tmp_path: Path) -> None:
    folder = model_folder(
        tmp_path, chat_template=CHATML, eos_token={"content": "<|im_end|>"}, pad_token="<pad>", bos_token=None
    )
    (folder / "special_tokens_map.json").write_text('{"bos_token": "<s>", "eos_token": "</s>"}', "utf-8")
    (folder / "generation_config.json").write_text('{"eos_token_id": [1, 6]}', "utf-8")
    ours = Renderer.load(folder)
    names = byte_level()
    assert ours.chat_template == CHATML
    assert ours.special_tokens == {"bos_token": "<s>", "eos_token": "<|im_end|>", "pad_token": "<pad>"}
    assert ours.eos_token_id == names.token_to_id("<|im_end|>")
    assert ours.pad_token_id == names.token_to_id("<pad>")
    assert ours.bos_token_id == names.token_to_id("<s>")
    assert ours.end_of_turn_ids == {1, 6, ours.eos_token_id}
    assert ours.vocabulary_size == names.get_vocab_size()
    assert ours.decode(ours.encode("naïve 🗼")) == "naïve 🗼"


def test_load_takes_the_default_of_named_templates(tmp_path: Path) -> None:
    named = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": CHATML}]
    assert Renderer.load(model_folder(tmp_path, chat_template=named)).chat_template == CHATML


def test_load_prefers_the_template_file(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, chat_template="old")
    (folder / "chat_template.jinja").write_text(LLAMA3, "utf-8")
    assert Renderer.load(folder).chat_template == LLAMA3


def test_pad_falls_back_to_eos(tmp_path: Path) -> None:
    ours = Renderer.load(model_folder(tmp_path, chat_template=CHATML, eos_token="</s>"))
    assert ours.pad_token_id == ours.eos_token_id


def refusal(folder: Path) -> AcademyError:
    with pytest.raises(AcademyError) as caught:
        Renderer.load(folder)
    return caught.value


def test_a_folder_without_tokenizer_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert (error.code, error.facts) == (ErrorCode.MODEL_WITHOUT_TOKENIZER, {"path": str(tmp_path)})


@pytest.mark.parametrize(
    "config", [{}, {"chat_template": None}, {"chat_template": " "}, {"chat_template": []}]
)
def test_a_model_without_chat_template_is_refused(tmp_path: Path, config: dict[str, object]) -> None:
    error = refusal(model_folder(tmp_path, **config))
    assert (error.code, error.facts) == (ErrorCode.MODEL_WITHOUT_CHAT_TEMPLATE, {"path": str(tmp_path)})


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00", '{"version": "1.0"}'])
def test_a_damaged_tokenizer_is_refused(tmp_path: Path, content: str) -> None:
    folder = model_folder(tmp_path, chat_template=CHATML)
    (folder / "tokenizer.json").write_text(content, "utf-8")
    assert refusal(folder).code is ErrorCode.MODEL_DAMAGED


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe"])
def test_a_damaged_configuration_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = model_folder(tmp_path)
    (folder / "tokenizer_config.json").write_bytes(content)
    assert refusal(folder).code is ErrorCode.MODEL_DAMAGED


@pytest.mark.parametrize(
    ("template", "detail"),
    [
        ("{{ raise_exception('System role not supported') }}", "System role not supported"),
        ("{{ messages[0].tool.name }}", "'dict object' has no attribute 'tool'"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ messages.append(1) }}", "access to attribute 'append' of 'list' object is unsafe."),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "access to attribute '__class__' of 'str' object"),
    ],
)
def test_a_template_that_fails_says_why(template: str, detail: str) -> None:
    with pytest.raises(AcademyError) as caught:
        render_template(template, TALK)
    assert caught.value.code is ErrorCode.TEMPLATE_FAILED
    assert detail in str(caught.value.facts["detail"])


def test_a_template_that_is_not_one_is_refused_at_once() -> None:
    with pytest.raises(AcademyError) as caught:
        ChatTemplate("{% for %}")
    assert caught.value.code is ErrorCode.TEMPLATE_FAILED


def test_a_bare_template_renders_with_the_tokens_given() -> None:
    text = render_template(MISTRAL, TALK[:1], special_tokens={"bos_token": "<s>"})
    assert text == "<s>[INST] What is the capital of France? [/INST]"

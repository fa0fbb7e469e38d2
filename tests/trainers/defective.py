"""Conversations with one known defect each, of every kind, and clean ones beside them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from tokenizers.trainers import BpeTrainer

from trainers.rendering.defects import DefectCode

Turns = list[dict[str, Any]]

SPECIALS = ("<s>", "</s>", "<|im_start|>", "<|im_end|>")

WORDS = (
    "bread", "river", "quiet", "lamp", "window", "seven", "blue", "garden", "letter", "slow", "bridge",
    "naïve", "Zoë", "“quoted”", "–", "CAFÉ", "São", "Ünal", "Привет", "日本", "🗼", "SÃO", "x < y", "it’s",
)  # fmt: skip
#: What may only be found in rows that are longer than this.
MAX_LENGTH = 400


def words(chance: random.Random, count: int = 6) -> str:
    """Some words, the strange ones among them as they are meant."""
    return " ".join(chance.choices(WORDS, k=count))


def clean(chance: random.Random) -> Turns:
    """A conversation that nothing is wrong with."""
    turns = [{"role": "system", "content": words(chance)}] if chance.random() < 0.4 else []
    for _ in range(chance.randint(1, 3)):
        turns.append({"role": "user", "content": words(chance)})
        turns.append({"role": "assistant", "content": words(chance)})
    return turns


def question(chance: random.Random) -> dict[str, Any]:
    return {"role": "user", "content": words(chance)}


def answer(chance: random.Random) -> dict[str, Any]:
    return {"role": "assistant", "content": words(chance)}


def _truncated(chance: random.Random) -> Turns:
    return [question(chance), {"role": "assistant", "content": words(chance, 400)}]


def _unsupervised(chance: random.Random) -> Turns:
    return [{"role": "user", "content": words(chance, 400)}, answer(chance)]


def _without_answer(chance: random.Random) -> Turns:
    return [question(chance)]


def _out_of_order(chance: random.Random) -> Turns:
    turns = clean(chance)
    at = chance.randrange(len(turns))
    return [*turns[: at + 1], dict(turns[at]), *turns[at + 1 :]]


def _empty(chance: random.Random) -> Turns:
    turns = clean(chance)
    turns[chance.randrange(len(turns))]["content"] = chance.choice(["", " ", "\n\t"])
    return turns


def _special(chance: random.Random) -> Turns:
    turns = clean(chance)
    turn = chance.choice(turns)
    turn["content"] = f"{turn['content']} {chance.choice(['<|im_start|>', '<|im_end|>'])} {words(chance)}"
    return turns


def garbled(text: str) -> str:
    """UTF-8 that somebody read as Windows-1252."""
    return "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in text.encode())


def _garbled(chance: random.Random) -> Turns:
    turns = clean(chance)
    letters = chance.choice(["naïve", "it’s", "Zoë", "“so”", "Привет", "日本", "🗼", "déjà", "–"])
    turn = chance.choice(turns)
    turn["content"] = f"{turn['content']} {garbled(letters)}"
    return turns


def _call(chance: random.Random) -> Turns:
    call = {"type": "function", "function": {"name": "look_up", "arguments": {"word": words(chance, 1)}}}
    return [
        question(chance),
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": words(chance)},
        answer(chance),
    ]


def _with_system(chance: random.Random) -> Turns:
    return [{"role": "system", "content": words(chance)}, question(chance), answer(chance)]


def _double_bos(chance: random.Random) -> Turns:
    return [{"role": "user", "content": "<s>" + words(chance)}, answer(chance)]


def _unended(chance: random.Random) -> Turns:
    return [question(chance), {"role": "assistant", "content": words(chance) + "…"}]


def _not_located(chance: random.Random) -> Turns:
    thought = {"role": "assistant", "content": f"<think>{words(chance)}</think>{words(chance)}"}
    return [question(chance), thought, question(chance), answer(chance)]


def _refused(chance: random.Random) -> Turns:
    return [{"role": "user", "content": words(chance) + " forbidden"}, answer(chance)]


CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
#: Knows no system turn, keeps only the last answer's thoughts, forgets an end of turn, is easily upset.
BARE = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}"
    "{% if 'forbidden' in m.content %}{{ raise_exception('not here') }}{% endif %}{{ m.content }} [A]"
    "{% elif m.role == 'assistant' %} {{ m.content if loop.last else m.content.split('</think>')[-1] }}"
    "{% if not m.content.endswith('…') %}{{ eos_token }}{% endif %}{% endif %}{% endfor %}"
)

#: Template → its end of turn, and the defects that a row can have by it.
SEEDS: dict[str, tuple[str, dict[DefectCode, Callable[[random.Random], Turns]]]] = {
    CHATML: (
        "<|im_end|>",
        {
            DefectCode.ANSWER_TRUNCATED: _truncated,
            DefectCode.NOTHING_SUPERVISED: _unsupervised,
            DefectCode.NO_ASSISTANT_TURN: _without_answer,
            DefectCode.ROLES_OUT_OF_ORDER: _out_of_order,
            DefectCode.EMPTY_TURN: _empty,
            DefectCode.SPECIAL_TOKEN_IN_TEXT: _special,
            DefectCode.MOJIBAKE: _garbled,
            DefectCode.TOOL_CALLS_NOT_RENDERED: _call,
        },
    ),
    BARE: (
        "</s>",
        {
            DefectCode.SYSTEM_SWALLOWED: _with_system,
            DefectCode.DOUBLE_BOS: _double_bos,
            DefectCode.MISSING_END_OF_TURN: _unended,
            DefectCode.TURN_NOT_LOCATED: _not_located,
            DefectCode.TEMPLATE_FAILED: _refused,
        },
    ),
}


def seeded(template: str, rows: int, every: int, seed: int = 1) -> Iterator[tuple[Turns, DefectCode | None]]:
    """Conversations of which each `every`-th has a defect, all kinds in turn; none of them where it is 0."""
    chance = random.Random(seed)
    kinds = list(SEEDS[template][1].items())
    for number in range(rows):
        if every and number % every == 0:
            code, make = kinds[number // every % len(kinds)]
            yield make(chance), code
        else:
            turns = clean(chance)
            yield (turns if template == CHATML or turns[0]["role"] == "user" else turns[1:]), None


def write_model(folder: Path, template: str) -> Path:
    """A folder with a tokenizer and a template, and no model."""
    folder.mkdir(parents=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=600,
        show_progress=False,
        special_tokens=[AddedToken(text, special=True) for text in SPECIALS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([" ".join(WORDS)] * 4, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"bos_token": "<s>", "eos_token": SEEDS[template][0] if template in SEEDS else "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    (folder / "chat_template.jinja").write_text(template, "utf-8")
    return folder


def write_rows(path: Path, conversations: Iterable[Turns]) -> Path:
    """A file of stored rows."""
    with path.open("w", encoding="utf-8") as lines:
        for number, turns in enumerate(conversations, start=1):
            row = {"id": number, "source": {"file": "made.jsonl", "row": number}, "messages": turns}
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path

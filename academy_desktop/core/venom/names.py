"""What Venom calls a base model.

Owns the names under which a server takes an adapter for a model: it compares them through a small table of
its own and otherwise letter by letter, so a name that is right elsewhere is often wrong there. Refuses to ask
the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from academy_desktop.core.models.inspection import slug
from academy_desktop.core.venom.answers import CHAT_PREFIX
from trainers.errors import AcademyError, ErrorCode

DEFAULT_RUNTIME: Final = "ollama"


@dataclass(frozen=True)
class Family:
    """One base model.

    Attributes:
        hub: its name on the Hugging Face hub; for those in Venom's table, a spelling that Venom takes.
        tag: its name in Ollama.
        spellings: further names that Venom takes for the same.
        in_table: whether Venom's table has it. Of others only the Ollama tag itself fits an Ollama model.
    """

    hub: str
    tag: str
    spellings: tuple[str, ...] = ()
    in_table: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that Venom takes for it."""
        return (self.hub, self.tag, *self.spellings)


FAMILIES: Final = (
    Family("google/gemma-2-2b-it", "gemma2:2b", ("gemma2:latest", "unsloth/gemma-2-2b-it", "gemma-2-2b-it")),
    Family("google/gemma-3-4b-it", "gemma3:4b", ("gemma3:latest", "gemma-3-4b-it")),
    Family("google/gemma-3-1b-it", "gemma3:1b", ("gemma-3-1b-it",)),
    Family(
        "microsoft/Phi-3-mini-4k-instruct",
        "phi3:mini",
        ("phi3:latest", "unsloth/Phi-3-mini-4k-instruct", "phi-3-mini-4k-instruct"),
    ),
    Family("unsloth/Llama-3.2-1B-Instruct", "llama3.2:1b", ("llama-3.2-1b-instruct",)),
    Family("unsloth/Llama-3.2-3B-Instruct", "llama3.2:3b", ("llama-3.2-3b-instruct",)),
    Family("Qwen/Qwen2.5-Coder-3B-Instruct", "qwen2.5-coder:3b"),
    Family("Qwen/Qwen2.5-Coder-7B-Instruct", "qwen2.5-coder:7b"),
    # Venom knows this one, but no Ollama name of it.
    Family("microsoft/Phi-3.5-mini-instruct", "phi3.5:3.8b", in_table=False),
    Family("HuggingFaceTB/SmolLM2-135M-Instruct", "smollm2:135m", in_table=False),
    Family("HuggingFaceTB/SmolLM2-360M-Instruct", "smollm2:360m", in_table=False),
    Family("HuggingFaceTB/SmolLM2-1.7B-Instruct", "smollm2:1.7b", in_table=False),
    Family("Qwen/Qwen2.5-0.5B-Instruct", "qwen2.5:0.5b", in_table=False),
    Family("Qwen/Qwen2.5-1.5B-Instruct", "qwen2.5:1.5b", in_table=False),
    Family("Qwen/Qwen2.5-3B-Instruct", "qwen2.5:3b", in_table=False),
    Family("Qwen/Qwen3-0.6B", "qwen3:0.6b", in_table=False),
    Family("Qwen/Qwen3-1.7B", "qwen3:1.7b", in_table=False),
)

#: Publishers whose copy of a model is the model itself; somebody else's of the same name may be tuned.
_PUBLISHERS = frozenset({"google", "microsoft", "meta-llama", "unsloth", "qwen", "huggingfacetb"})
#: The same weights in another storage.
_STORAGE = re.compile(r"(-unsloth)?-bnb-4bit$")
#: Six hex digits of a path at the end of a model's id here.
_ID_DIGITS = re.compile(r"-[0-9a-f]{6}$")


@dataclass(frozen=True)
class Naming:
    """What is told to the server: the adapter's base model, and the model of the runtime to add it to."""

    base_model: str
    model_id: str


def resolve(
    names: Sequence[str], runtime: str = DEFAULT_RUNTIME, model_id: str = "", server_has: Iterable[str] = ()
) -> Naming:
    """Return what Venom calls the base model.

    Args:
        names: what the model is called here, the surest first.
        runtime: the server's runtime.
        model_id: the model of the runtime, when the user has named it.
        server_has: models of the runtime, to be named when nothing fits.

    Raises:
        AcademyError: `venom_base_unknown`; `venom_base_mismatch` for a model that was made from an adapter.
    """
    if model_id.startswith(CHAT_PREFIX):
        raise AcademyError(ErrorCode.VENOM_BASE_MISMATCH, base=names[0], model=model_id)
    family = find_family(names)
    if family is None:
        if not model_id:
            known = ", ".join(server_has)
            raise AcademyError(ErrorCode.VENOM_BASE_UNKNOWN, model=names[0], known=known)
        return Naming(model_id, model_id)
    own = family.tag if runtime == DEFAULT_RUNTIME else family.hub
    if family.in_table:
        return Naming(family.hub, model_id or own)
    # A name of somebody's own for the model is believed; one that Venom knows as another model is not.
    base = model_id if model_id and not _is_in_table(model_id) else own
    return Naming(base, model_id or own)


def find_family(names: Sequence[str]) -> Family | None:
    """Return the model that one of the names means, or None."""
    for name in names:
        wanted = _STORAGE.sub("", name.lower())
        for family in FAMILIES:
            if slug(wanted) in _slugs(family) or slug(_ID_DIGITS.sub("", wanted)) in _slugs(family):
                return family
    return None


def _slugs(family: Family) -> frozenset[str]:
    """Everything that the model's name may have become, as words with hyphens."""
    stem = family.hub.partition("/")[2]
    published = (f"{publisher}/{stem}" for publisher in _PUBLISHERS)
    return frozenset(slug(name) for name in (stem, *published, *family.names))


def _is_in_table(name: str) -> bool:
    return any(name.lower() in map(str.lower, family.names) for family in FAMILIES if family.in_table)

"""A rehearsal in words: its stages, what went wrong, what was otherwise than in earnest, what to do now.

Owns the English originals, marked for translation. Refuses to know how a rehearsal is done and where it is
shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, Protocol

from academy_desktop.text.audits import DEFECT_NAMES
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Messages
from academy_desktop.text.templates import fill
from trainers.errors import ErrorCode, Fact

#: Stage → its title, and what happens in it.
STAGES: Final = {
    "rows": (N_("The rows"), N_("Every row is written as the model will see it, and checked.")),
    "model": (N_("A small model"), N_("It has the real tokenizer and chat template, and few layers.")),
    "training": (N_("Training"), N_("Some steps over a few rows, the longest among them.")),
    "exporting": (N_("Exports"), N_("What was learned becomes files: a LoRA and a whole model as GGUF.")),
    "proving": (N_("Proof"), N_("Each file must answer like the model that was trained.")),
    "answering": (N_("Answers"), N_("Base, trained model and file answer a few held-out rows.")),
}

#: What was found → a sentence; a code that is not here has its words in `errors` or among the warnings.
PROBLEMS: Final = {
    "defect": N_("{rows} of {of} rows: {name}."),
    "loss_not_falling": N_(
        "The loss did not fall: {first} at the beginning, {last} at the end. Look at the rows and the "
        "learning rate."
    ),
    "never_ends": N_(
        "None of the {rows} answers ended by itself. The rows may lack an end of turn, or need more steps."
    ),
    "certificate_failed": N_(
        "[{export} does|An export does] not behave like the trained model[: {checks}][ ({detail})]."
    ),
}

#: What was otherwise than in the recipe.
CHANGES: Final = {
    "device": N_("the processor instead of the graphics card"),
    "engine": N_("the engine that this processor has instead of {value}"),
    "precision": N_("another number format instead of {value}"),
    "quantization": N_("whole weights instead of 4 bit ({value})"),
    "optimizer": N_("the usual optimizer instead of {value}"),
    "batch_size": N_("{after} rows at once instead of {before}"),
    "batches": N_("{after} batches per step instead of {before}"),
    "learning_rate": N_("a learning rate of {after} instead of {before}, as a miniature needs it"),
}

#: Check of a certificate → in a few words.
CHECKS: Final = {
    "intact": N_("the file changed"),
    "same_adapter": N_("another adapter"),
    "tensors": N_("wrong weights"),
    "metadata": N_("wrong settings"),
    "loads": N_("it cannot be loaded"),
    "end_token": N_("the end token is another"),
    "prompt_tokens": N_("the chat template is lost"),
    "top1_agreement": N_("other next words"),
    "mean_kl": N_("other probabilities"),
    "max_kl": N_("other probabilities at one place"),
    "perplexity": N_("other perplexity"),
    "greedy_text": N_("other answers"),
    "end_of_turn": N_("answers do not end"),
}


class ProblemFacts(Protocol):
    """One thing that went wrong."""

    @property
    def code(self) -> str:
        """What, in a word."""
        ...

    @property
    def facts(self) -> Mapping[str, Fact]:
        """What the sentence needs."""
        ...


class SmallModelFacts(Protocol):
    """The model in the real one's place."""

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def kind(self) -> str:
        """`sibling` or `miniature`."""
        ...

    @property
    def parameters(self) -> int:
        """How large it is."""
        ...


class OutlookFacts(Protocol):
    """What the real run will need."""

    @property
    def fits(self) -> bool:
        """Whether it fits."""
        ...

    @property
    def memory_bytes(self) -> float:
        """How much memory."""
        ...

    @property
    def seconds(self) -> float:
        """How long."""
        ...


class RehearsalWords:
    """Words for rehearsals, in one language."""

    def __init__(self, gettext: Callable[[str], str], formats: Formats, messages: Messages) -> None:
        self._gettext = gettext
        self._formats = formats
        self._messages = messages

    def title(self, stage: str) -> str:
        """What a stage is called."""
        return self._gettext(STAGES[stage][0]) if stage in STAGES else stage

    def sentence(self, stage: str) -> str:
        """What happens in a stage."""
        return self._gettext(STAGES[stage][1]) if stage in STAGES else ""

    def problem(self, found: ProblemFacts) -> str:
        """What went wrong: a sentence, and what to do about it where that is known."""
        facts = dict(found.facts)
        if found.code == "defect":
            code = str(facts.get("defect", ""))
            facts["name"] = self._gettext(DEFECT_NAMES[code]) if code in DEFECT_NAMES else code
        if found.code == "loss_not_falling":
            facts |= {name: self._decimal(facts.get(name)) for name in ("first", "last")}
        if found.code == ErrorCode.CERTIFICATE_FAILED and facts.get("checks"):
            facts["checks"] = self._checks(str(facts["checks"]))
        if found.code in PROBLEMS:
            return fill(self._gettext(PROBLEMS[found.code]), self._messages.shown(facts))
        if found.code in set(ErrorCode):
            said = self._messages.describe(found.code, facts)
            return f"{said.sentence} {said.next_step}"
        return self._messages.warning(found.code, facts)

    def change(self, found: ProblemFacts) -> str:
        """What was otherwise than in the recipe, in a few words."""
        template = CHANGES.get(found.code)
        if template is None:
            return found.code
        facts = {name: self._plain(value) for name, value in found.facts.items()}
        return fill(self._gettext(template), facts)

    def small_model(self, found: SmallModelFacts) -> str:
        """What stood in the model's place."""
        said = N_("With {name}, a smaller model of the same make ({count} parameters).")
        if found.kind == "miniature":
            said = N_("With a miniature of the model ({count} parameters), made for this rehearsal.")
        return self._gettext(said).format(name=found.id, count=self._formats.integer(found.parameters))

    def changes(self, found: Sequence[ProblemFacts]) -> str:
        """All that was otherwise, in one sentence; nothing where all was as in the recipe."""
        if not found:
            return ""
        listed = "; ".join(self.change(one) for one in found)
        return self._gettext(N_("Otherwise than in earnest: {changes}.")).format(changes=listed)

    def verdict(self, *, ok: bool, problems: int) -> str:
        """How it went: a few words."""
        if not ok:
            return self._gettext(N_("The rehearsal found something to mend"))
        if problems:
            return self._gettext(N_("The rehearsal went well, with remarks"))
        return self._gettext(N_("The rehearsal went well"))

    def next_step(self, *, ok: bool) -> str:
        """What can be done now."""
        if ok:
            return self._gettext(N_("Rows, template, training, export and proof work: start the real run."))
        return self._gettext(N_("Mend what is named, and rehearse again; it takes a minute."))

    def outlook(self, found: OutlookFacts) -> str:
        """What the real run will need."""
        said = N_("The real run would take about {time} and {size} of memory.")
        if not found.fits:
            said = N_("The real run would take about {time} and {size} of memory: more than there is.")
        return self._gettext(said).format(
            time=self._formats.duration(found.seconds), size=self._formats.size(found.memory_bytes)
        )

    def _checks(self, listed: str) -> str:
        names = listed.split(", ")
        return ", ".join(self._gettext(CHECKS[name]) if name in CHECKS else name for name in names)

    def _decimal(self, value: Fact) -> str:
        return self._formats.decimal(value, 3) if isinstance(value, int | float) else str(value)

    def _plain(self, value: Fact) -> str:
        """A value as people write it in a recipe."""
        return format(Decimal(str(value)), "f") if isinstance(value, float) else str(value)

"""The demo's skill: everyday requests and the commands of Lar, a small invented household language.

Owns the language (`parse`, `Command`), the rule that scores an answer, and the generator of the rows, which
draws the same rows from the same seed on every machine. Refuses to know models, datasets and files.

A Lar command is a verb and its arguments, parted by spaces::

    lux kitchen +      a lamp on (+) or off (-)
    ventus attic -     a fan on or off
    vela office +      blinds up or down
    calor bedroom 21   degrees of a room
    sonus garden jazz  music in a room
    mora 12 min        a timer, in min or sec
    alba 7:30          an alarm
    eme 3 lemons       something for the shopping list
    dic Anna late      word to somebody
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, product

DEFAULT_SEED = 3407
TRAIN_ROWS = 200
EVAL_ROWS = 50

_ROOMS = (
    "kitchen", "bedroom", "bathroom", "hallway", "garage", "attic", "garden", "office", "cellar", "nursery",
    "pantry", "lounge", "studio", "balcony", "laundry", "porch", "terrace", "library", "gym", "barn",
)  # fmt: skip
_GENRES = ("jazz", "rock", "blues", "folk", "techno", "soul", "opera", "reggae")
_NAMES = ("Anna", "Peter", "Maria", "Tom", "Laura", "David", "Emma", "Paul")
_GOODS = ("lemons", "apples", "eggs", "onions", "candles", "carrots", "bananas", "potatoes")
_COUNTS = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8"}
_NEWS = {
    "I am late": "late",
    "I am at home": "home",
    "dinner is ready": "dinner",
    "I need help": "help",
    "the train is gone": "train",
    "it is raining": "rain",
}
_UNITS = {"minutes": "min", "seconds": "sec"}
_DEGREES = tuple(str(degrees) for degrees in range(15, 27))
_AMOUNTS = tuple(str(amount) for amount in range(2, 60))
_TIMES = tuple(f"{hour}:{minute:02d}" for hour in range(5, 24) for minute in range(0, 60, 5))
_OPENINGS = ("{}", "Please {}", "Could you {}", "Hey, {}")
_SWITCH = {"on": "+", "off": "-"}
_BLINDS = {"open": "+", "close": "-"}


def _same(words: Sequence[str]) -> dict[str, str]:
    return {word: word for word in words}


@dataclass(frozen=True)
class _Slot:
    """One argument: words of a request and what they are in Lar.

    The words of a `copied` slot (numbers, times) are carried over as they are: an unseen one is no surprise.
    """

    words: Mapping[str, str]
    copied: bool = False

    @property
    def values(self) -> frozenset[str]:
        return frozenset(value.casefold() for value in self.words.values())


@dataclass(frozen=True)
class _Intent:
    """One verb: its arguments in the order of the language, and phrasings that name them by position."""

    verb: str
    slots: tuple[_Slot, ...]
    phrasings: tuple[str, ...]


_ROOM = _Slot(_same(_ROOMS))

_INTENTS = (
    _Intent(
        "lux",
        (_ROOM, _Slot(_SWITCH)),
        ("turn {1} the lamp in the {0}", "switch {1} the light in the {0}", "turn the {0} light {1}",
         "switch the lamp in the {0} {1}"),
    ),
    _Intent(
        "ventus",
        (_ROOM, _Slot(_SWITCH)),
        ("turn {1} the fan in the {0}", "switch {1} the {0} fan", "turn the fan in the {0} {1}",
         "switch the {0} fan {1}"),
    ),
    _Intent(
        "vela",
        (_ROOM, _Slot(_BLINDS)),
        ("{1} the blinds in the {0}", "{1} the {0} blinds", "{1} the shutters in the {0}",
         "{1} the {0} shutters"),
    ),
    _Intent(
        "calor",
        (_ROOM, _Slot(_same(_DEGREES), copied=True)),
        ("set the {0} to {1} degrees", "heat the {0} to {1} degrees", "make it {1} degrees in the {0}",
         "bring the {0} to {1} degrees"),
    ),
    _Intent(
        "sonus",
        (_ROOM, _Slot(_same(_GENRES))),
        ("play {1} in the {0}", "put on some {1} in the {0}", "play some {1} music in the {0}",
         "start {1} music in the {0}"),
    ),
    _Intent(
        "mora",
        (_Slot(_same(_AMOUNTS), copied=True), _Slot(_UNITS)),
        ("set a timer for {0} {1}", "start a timer of {0} {1}", "count down {0} {1}", "time {0} {1}"),
    ),
    _Intent(
        "alba",
        (_Slot(_same(_TIMES), copied=True),),
        ("wake me at {0}", "set an alarm for {0}", "wake me up at {0}", "ring the alarm at {0}"),
    ),
    _Intent(
        "eme",
        (_Slot(_COUNTS), _Slot(_same(_GOODS))),
        ("put {0} {1} on the list", "add {0} {1} to the shopping list", "note that we need {0} {1}",
         "remind me to buy {0} {1}"),
    ),
    _Intent(
        "dic",
        (_Slot(_same(_NAMES)), _Slot(_NEWS)),
        ("tell {0} that {1}", "let {0} know that {1}", "write to {0} that {1}", "send {0} word that {1}"),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Command:
    """One command of Lar, in canonical form: lower case, arguments in order."""

    verb: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join((self.verb, *self.arguments))


def parse(text: str) -> Command | None:
    """Read one command; white space and letter case do not matter. None if `text` is anything else."""
    verb, *arguments = text.casefold().split() or [""]
    for intent in _INTENTS:
        if intent.verb == verb and len(arguments) == len(intent.slots):
            fits = all(word in slot.values for word, slot in zip(arguments, intent.slots, strict=True))
            return Command(verb, tuple(arguments)) if fits else None
    return None


def score(answer: str, expected: str) -> bool:
    """Whether `answer` is the command that was expected; `expected` must be a command.

    Raises:
        ValueError: `expected` is not a command.
    """
    wanted = parse(expected)
    if wanted is None:
        raise ValueError(f"not a command: {expected!r}")
    return parse(answer) == wanted


@dataclass(frozen=True, slots=True)
class Row:
    """A request and its command."""

    request: str
    command: str

    def as_alpaca(self) -> dict[str, str]:
        """The row in Alpaca form."""
        return {"instruction": self.request, "output": self.command}


@dataclass(frozen=True, slots=True)
class Samples:
    """Rows to learn from, and held-out rows whose requests and commands do not occur among them."""

    train: tuple[Row, ...]
    eval: tuple[Row, ...]


def generate(seed: int = DEFAULT_SEED, train_rows: int = TRAIN_ROWS, eval_rows: int = EVAL_ROWS) -> Samples:
    """Draw rows; equal arguments give equal rows on every machine.

    No command occurs twice. Every word that a held-out row needs occurs in the rows to learn from.

    Raises:
        ValueError: more rows are asked for than the language has, or fewer than one.
    """
    if min(train_rows, eval_rows) < 1:
        raise ValueError("at least one row of each kind")
    chance = random.Random(seed)
    drawers = [_Drawer(intent, chance) for intent in _INTENTS]
    train = _take(train_rows, (drawer.train() for drawer in drawers))
    held_out = _take(eval_rows, (drawer.held_out() for drawer in drawers))
    chance.shuffle(train)
    chance.shuffle(held_out)
    return Samples(tuple(train), tuple(held_out))


def _take(count: int, sources: Iterator[Iterator[Row]]) -> list[Row]:
    """Take `count` rows, one of each source in turn."""
    rows = list(islice(_in_turn(list(sources)), count))
    if len(rows) < count:
        raise ValueError(f"the language has only {len(rows)} rows of this kind, not {count}")
    return rows


def _in_turn(sources: list[Iterator[Row]]) -> Iterator[Row]:
    while sources:
        living = []
        for source in sources:
            row = next(source, None)
            if row is not None:
                living.append(source)
                yield row
        sources = living


@dataclass
class _Drawer:
    """Draws the rows of one intent without repeating a command."""

    intent: _Intent
    chance: random.Random
    _combinations: list[tuple[str, ...]] = field(init=False)
    _seen: Counter[tuple[int, str]] = field(init=False, default_factory=Counter)

    def __post_init__(self) -> None:
        self._combinations = list(product(*(sorted(slot.words) for slot in self.intent.slots)))
        self.chance.shuffle(self._combinations)
        phrasings = list(product(_OPENINGS, self.intent.phrasings))
        self.chance.shuffle(phrasings)
        self._phrasings = phrasings

    def train(self) -> Iterator[Row]:
        """Rows whose words are as evenly used as can be, so that each word is met early."""
        number = 0
        while self._combinations:
            words = min(self._combinations, key=self._use)
            self._combinations.remove(words)
            self._seen.update(enumerate(words))
            yield self._row(words, number)
            number += 1

    def held_out(self) -> Iterator[Row]:
        """Rows of the combinations that are left, as far as their words were met."""
        slots = self.intent.slots
        known = [
            words
            for words in self._combinations
            if all(slots[place].copied or self._seen[place, word] for place, word in enumerate(words))
        ]
        for number, words in enumerate(known):
            yield self._row(words, number)

    def _use(self, words: tuple[str, ...]) -> int:
        return sum(self._seen[place, word] ** 2 for place, word in enumerate(words))

    def _row(self, words: tuple[str, ...], number: int) -> Row:
        opening, phrasing = self._phrasings[number % len(self._phrasings)]
        request = opening.format(phrasing.format(*words))
        arguments = [slot.words[word] for slot, word in zip(self.intent.slots, words, strict=True)]
        mark = "?" if opening.startswith("Could") else "."
        return Row(request[0].upper() + request[1:] + mark, " ".join((self.intent.verb, *arguments)))


def as_json_lines(rows: Sequence[Row]) -> bytes:
    """The rows as a JSON Lines file in Alpaca form."""
    return b"".join(json.dumps(row.as_alpaca(), ensure_ascii=False).encode() + b"\n" for row in rows)

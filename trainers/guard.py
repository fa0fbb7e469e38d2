"""What a run does when its numbers break or its memory runs out: back to a checkpoint, with a changed recipe.

Owns the decisions and `adjusted.json`, which tells them to later attempts; and the names for a loss that runs
away or stands still, on which nobody acts. Refuses to know engines and torch.
"""

from __future__ import annotations

import statistics
import traceback
from collections import deque
from collections.abc import Callable

from pydantic import ValidationError

from trainers.errors import AcademyError, ErrorCode
from trainers.events import Warned
from trainers.files import read_regular
from trainers.layout import Adjusted, ExitRecord, Launch, RunDir, write_record
from trainers.recipe import TrainRecipe

#: What a rollback does to the learning rate.
RATE_FACTOR = 0.5
#: A run that is out of memory computes fewer rows at once this often.
MOST_MEMORY_RETRIES = 3
#: What our own engine computes at once after each lack of memory, as a share of the usual; last, row by row.
TOKENS_SHARES = (0.5, 0.25, 0.0)
#: Losses are compared as means over this many steps.
WINDOW = 20
#: A mean this many times the lowest one, and this many nats above it, runs away.
DIVERGED_TIMES, DIVERGED_NATS = 2.0, 1.0
#: A mean that came down by less than this share over so many steps stands still.
PLATEAU_SHARE, PLATEAU_STEPS = 0.01, 200


class Guard:
    """The decisions of one run, through all its attempts.

    Args:
        run: whose `adjusted.json` it keeps.
        recipe: as the user wants it.
        engine: what trains; the one for processors (`cpu`) has its own measure of what is computed at once.
        write: writes that file; a session's waits while the disk is full.
    """

    def __init__(
        self,
        run: RunDir,
        recipe: TrainRecipe,
        engine: str = "peft",
        write: Callable[[Callable[[], None]], None] = lambda write: write(),
    ) -> None:
        self._run = run
        self._asked = recipe
        self._engine = engine
        self._write = write
        self._adjusted = _read(run)

    @property
    def recipe(self) -> TrainRecipe:
        """The recipe as it is trained now: with the lowered rate, and with fewer rows at once."""
        training = self._asked.training
        rows = self._adjusted.batch_size or training.batch_size
        changed = {
            "learning_rate": training.learning_rate * self._adjusted.rate_factor,
            "batch_size": rows,
            "gradient_accumulation_steps": training.batch_size * training.gradient_accumulation_steps // rows,
        }
        return self._asked.model_copy(update={"training": training.model_copy(update=changed)})

    @property
    def tokens_share(self) -> float:
        """Of the tokens that the engine for processors usually computes at once; 0: row by row."""
        return self._adjusted.tokens_share

    @property
    def at_once(self) -> str:
        """What a lack of memory has made of what is computed at once; empty: nothing."""
        if self._engine == "cpu":
            return "" if self.tokens_share == 1.0 else f"{self.tokens_share:.0%} of the usual tokens"
        return "" if self._adjusted.batch_size is None else f"{self._adjusted.batch_size} rows"

    def mind_last_attempt(self, attempt: int) -> Warned | None:
        """Decide what follows when the attempt before this one was ended by a lack of memory.

        Raises:
            AcademyError: `out_of_memory` when the host tries again by itself and nothing is left to try.
        """
        earlier = [number for number in self._run.attempt_numbers() if number < attempt]
        if not earlier or not _was_out_of_memory(self._run, max(earlier)):
            return None
        try:
            return self.fewer_rows("")
        except AcademyError:
            if _retries(self._run, attempt):
                raise
            return None  # the user wants it, and may have made room

    def lower_rate(self, step: int, what: str) -> Warned:
        """Decide what follows a number that is not finite in `step`; returns what to tell.

        Raises:
            AcademyError: `nonfinite_loss` when the recipe allows no further rollback, or when no update had
                been taken, so that no rate is to blame.
        """
        most = self._asked.checkpoints.rollbacks
        tries = self._adjusted.rollbacks + 1
        if step == 1 or tries > most:
            raise AcademyError(ErrorCode.NONFINITE_LOSS, step=step, what=what)
        factor = self._adjusted.rate_factor * RATE_FACTOR
        self._keep(self._adjusted.model_copy(update={"rate_factor": factor, "rollbacks": tries}))
        rate = self.recipe.training.learning_rate
        return Warned(
            code="rate_lowered", facts={"step": step, "rate": f"{rate:.3g}", "tries": tries, "most": most}
        )

    def fewer_rows(self, detail: str) -> Warned:
        """Decide what follows a lack of memory: fewer rows at once and more batches, the same steps.

        Raises:
            AcademyError: `out_of_memory` when a single row is too much, or after the last retry.
        """
        tries = self._adjusted.memory_retries + 1
        if self._engine == "cpu":
            return self._fewer_tokens(tries, detail)
        training = self.recipe.training
        fewest = 2 if self._asked.method == "kto" else 1
        rows = next(
            (n for n in range(training.batch_size // 2, fewest - 1, -1) if training.batch_size % n == 0), None
        )
        if rows is None or tries > MOST_MEMORY_RETRIES:
            raise self._too_much(detail)
        if tries == MOST_MEMORY_RETRIES:
            rows = fewest if training.batch_size % fewest == 0 else rows
        self._keep(self._adjusted.model_copy(update={"batch_size": rows, "memory_retries": tries}))
        return Warned(
            code="fewer_rows_at_once",
            facts={"rows": rows, "batches": self.recipe.training.gradient_accumulation_steps},
        )

    def _fewer_tokens(self, tries: int, detail: str) -> Warned:
        if tries > MOST_MEMORY_RETRIES:
            raise self._too_much(detail)
        share = TOKENS_SHARES[tries - 1]
        self._keep(self._adjusted.model_copy(update={"tokens_share": share, "memory_retries": tries}))
        return Warned(code="fewer_rows_at_once", facts={"tries": tries, "most": MOST_MEMORY_RETRIES})

    def _too_much(self, detail: str) -> AcademyError:
        length = self._asked.training.max_seq_length
        return AcademyError(ErrorCode.OUT_OF_MEMORY, detail=detail, max_length=length)

    def _keep(self, adjusted: Adjusted) -> None:
        self._write(lambda: write_record(self._run.adjusted, adjusted))
        self._adjusted = adjusted


class LossWatch:
    """Names a loss that runs away and one that stands still, each once; acts on neither."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=WINDOW)
        self._lowest: float | None = None
        self._lower_at = 0
        self._seen = 0
        self._told: set[str] = set()

    def look(self, loss: float) -> Warned | None:
        """Take the loss of the next step; returns what to tell, if anything."""
        self._seen += 1
        self._recent.append(loss)
        if len(self._recent) < WINDOW:
            return None
        mean = statistics.fmean(self._recent)
        if self._lowest is None or mean < self._lowest * (1 - PLATEAU_SHARE):
            self._lowest, self._lower_at = mean, self._seen
            return None
        if mean > max(self._lowest * DIVERGED_TIMES, self._lowest + DIVERGED_NATS):
            return self._once("loss_diverging", {"loss": round(mean, 3), "lowest": round(self._lowest, 3)})
        if self._seen - self._lower_at >= PLATEAU_STEPS:
            return self._once("loss_plateau", {"loss": round(mean, 3), "steps": PLATEAU_STEPS})
        return None

    def _once(self, code: str, facts: dict[str, str | int | float | bool | None]) -> Warned | None:
        if code in self._told:
            return None
        self._told.add(code)
        return Warned(code=code, facts=facts)


def is_within_update(error: BaseException) -> bool:
    """Whether an error rose inside an optimizer's update, which may then have been taken in part."""
    frames = traceback.extract_tb(error.__traceback__)
    # our own engine takes the new values over (`refresh`) before it counts the step
    return any(
        frame.name == "refresh" or "torch/optim/" in frame.filename.replace("\\", "/") for frame in frames
    )


def _was_out_of_memory(run: RunDir, attempt: int) -> bool:
    try:
        return ExitRecord.model_validate_json(read_regular(run.attempt(attempt).exit)).out_of_memory
    except (OSError, ValidationError):
        return False


def _retries(run: RunDir, attempt: int) -> int:
    """How often the host has begun anew by itself, without the user."""
    try:
        return Launch.model_validate_json(read_regular(run.attempt(attempt).launch)).memory_retries
    except (OSError, ValidationError):
        return 0


def _read(run: RunDir) -> Adjusted:
    try:
        return Adjusted.model_validate_json(read_regular(run.adjusted))
    except (OSError, ValidationError):
        return Adjusted()

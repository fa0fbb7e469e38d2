"""An import from the choice of files to the finished dataset: what was chosen, how far it is, how it went.

Owns the one import that may be in progress. Refuses to know widgets and how rows are checked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from threading import Event
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from academy_desktop.core.datasets.importing import Cancelled, ImportOptions, Progress
from academy_desktop.core.datasets.manifest import DatasetManifest
from academy_desktop.core.datasets.near import NearDups
from academy_desktop.core.datasets.quality import FEW_ROWS, MIN_CHARACTERS, Profile
from academy_desktop.core.datasets.sniffing import ENDINGS as READ_ENDINGS
from academy_desktop.text.formats import Formats
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Description, Messages
from academy_desktop.viewmodels.background import as_academy, in_thread
from academy_desktop.viewmodels.import_preview import ImportPreview
from academy_desktop.viewmodels.supervisor import Supervisor
from trainers.errors import AcademyError, ErrorCode

#: Endings of the files that can be imported.
ENDINGS = (*(ending.removeprefix(".") for ending in READ_ENDINGS), "gz")

#: Shares of held-out rows on offer, and the usual one.
SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
USUAL_SHARE = 0.1
USUAL_SEED = ImportOptions().seed
LARGEST_SEED = 2**31 - 1

PROFILE_WORDS = {
    Profile.STRICT: N_("Strict"),
    Profile.BALANCED: N_("Balanced"),
    Profile.LENIENT: N_("Lenient"),
}


#: What can be done about a failure in the window, where the command line's way is another.
WINDOW_STEPS = {
    ErrorCode.FORM_UNKNOWN: N_("Choose the form below, and say which column is which."),
    ErrorCode.MAPPING_INVALID: N_("Choose the columns below; all files need to have the same."),
    ErrorCode.FILE_ENCODING: N_("Choose the encoding below, or save the file again as UTF-8."),
}

NEAR_WORDS = {
    NearDups.APART: (N_("Keep on one side"), N_("No row is held out that nearly repeats one to learn.")),
    NearDups.DROP: (N_("Keep only the first"), N_("Rows that nearly repeat an earlier one are dropped.")),
    NearDups.KEEP: (N_("Do not look for them"), N_("Quicker; nearly the same rows may be held out.")),
}


class ImportTarget(Protocol):
    """Takes files in; blocks, belongs into a thread."""

    def import_files(
        self,
        files: Sequence[Path],
        name: str,
        *,
        format: str = "auto",  # noqa: A002 - as in the library
        mapping: Mapping[str, str] | None = None,
        profile: str = "balanced",
        eval_fraction: float = 0.1,
        seed: int = 3407,
        near_dups: str = "apart",
        encoding: str = "auto",
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> DatasetManifest:
        """Make a dataset of files."""
        ...


class Stage(StrEnum):
    """Where an import stands."""

    NONE = "none"
    ASKING = "asking"
    IMPORTING = "importing"


@dataclass(frozen=True)
class Option:
    """One choice of the form: its value, its words, and what it means."""

    value: str
    words: str
    hint: str = ""


class DatasetImport(QObject):
    """Signals: `changed()`, `told(Description)`, `imported(DatasetManifest, whether it is new)`."""

    changed = Signal()
    told = Signal(object)
    imported = Signal(object, bool)

    def __init__(
        self,
        target: ImportTarget,
        messages: Messages,
        formats: Formats,
        translate: Callable[[str], str],
        supervisor: Supervisor,
        clock: Callable[[], float] = time.time,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._target = target
        self._messages = messages
        self._formats = formats
        self._gettext = translate
        self._supervisor = supervisor
        self._clock = clock
        self.preview = ImportPreview(messages, formats, translate, parent=self)
        self._stage = Stage.NONE
        self._files: tuple[Path, ...] = ()
        self._name = ""
        self._bytes = (0, 0)
        self._cancel = Event()

    @property
    def stage(self) -> Stage:
        """Where the import stands."""
        return self._stage

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the chosen files."""
        return tuple(file.name for file in self._files)

    @property
    def name(self) -> str:
        """A name for the dataset: the one that came with the files, else that of the first."""
        return self._name or (self._files[0].stem if self._files else "")

    @property
    def near_dups(self) -> tuple[Option, ...]:
        """What can become of rows that are nearly the same."""
        return tuple(
            Option(choice.value, self._gettext(words), self._gettext(hint))
            for choice, (words, hint) in NEAR_WORDS.items()
        )

    @property
    def shares(self) -> tuple[Option, ...]:
        """The shares of held-out rows on offer."""
        none = Option("0.0", self._gettext(N_("None")))
        return (none, *(Option(str(share), self._formats.percent(share)) for share in SHARES if share))

    @property
    def profiles(self) -> tuple[Option, ...]:
        """How strictly rows can be checked."""
        return tuple(Option(one.value, self._gettext(PROFILE_WORDS[one]), self._hint(one)) for one in Profile)

    @property
    def is_cancelling(self) -> bool:
        """Whether the import is about to be given up."""
        return self._stage is Stage.IMPORTING and self._cancel.is_set()

    @property
    def share_done(self) -> float:
        """How much of the files is read, 0 to 1."""
        done, total = self._bytes
        return min(done / total, 1.0) if total else 0.0

    @property
    def progress(self) -> str:
        """How far the import is, in bytes."""
        done, total = self._bytes
        if self.is_cancelling:
            return self._gettext(N_("Cancelling …"))
        if not total:
            return self._gettext(N_("Opening the files …"))
        if done >= total:
            return self._gettext(N_("Everything is read; writing the dataset …"))
        return self._say(
            N_("{done} of {total} read"), done=self._formats.size(done), total=self._formats.size(total)
        )

    def ask(self, files: Sequence[str], name: str = "") -> None:
        """Begin with these files, or add them to those of the form that is open; not during an import.

        `name`: what the dataset may be called, where the files' own names say nothing.
        """
        if self._stage is Stage.IMPORTING or not files:
            return
        known = self._files if self._stage is Stage.ASKING else ()
        self._files = tuple(dict.fromkeys((*known, *(Path(file) for file in files))))
        self._name = self._name if known else name
        self.preview.show(self._files)
        self._enter(Stage.ASKING)

    def leave(self) -> None:
        """Put the form away."""
        if self._stage is Stage.ASKING:
            self._clear()
            self._enter(Stage.NONE)

    def start(
        self,
        name: str,
        share: float,
        profile: str,
        near_dups: str = NearDups.APART,
        seed: int = USUAL_SEED,
    ) -> None:
        """Import the chosen files as the preview reads them; `share` of the rows, by `seed`, is held out."""
        if self._stage is not Stage.ASKING or not name.strip():
            return
        self.preview.choose_profile(profile)
        reading = self.preview.reading
        self._bytes = (0, 0)
        self._cancel = Event()
        work = partial(
            self._target.import_files,
            self._files,
            name.strip(),
            format=self.preview.form,
            mapping=reading.mapping,
            profile=profile,
            eval_fraction=share,
            seed=seed,
            near_dups=near_dups,
            encoding=reading.encoding.value,
            progress=self._note,
            cancelled=self._cancel.is_set,
        )
        self._enter(Stage.IMPORTING)
        self._supervisor.start(self._carry_out(work), "import")

    def cancel(self) -> None:
        """Give the import up: nothing of it is kept."""
        if self._stage is Stage.IMPORTING:
            self._cancel.set()
            self.changed.emit()

    async def _carry_out(self, work: Callable[[], DatasetManifest]) -> None:
        begun = self._clock()
        after = Stage.ASKING
        try:
            made = await in_thread(work, self._cancel, self.changed.emit)
        except Cancelled:
            pass  # the form is there again, as it was
        except (AcademyError, OSError) as error:
            self._tell(error)
        else:
            after = Stage.NONE
            self._clear()
            self.imported.emit(made, made.created_at >= begun)
        finally:
            self._enter(after)

    def _note(self, done: int, total: int) -> None:
        """Called in the thread: one assignment, which the next look sees."""
        self._bytes = (done, total)

    def _tell(self, failure: AcademyError | OSError) -> None:
        error = as_academy(failure)
        said = self._messages.describe(error.code, error.facts)
        step = WINDOW_STEPS.get(error.code)
        self.told.emit(Description(said.title, said.sentence, self._gettext(step)) if step else said)

    def _clear(self) -> None:
        self._files, self._name = (), ""
        self.preview.show(())

    def _enter(self, stage: Stage) -> None:
        self._stage = stage
        self.changed.emit()

    def _hint(self, profile: Profile) -> str:
        shortest = MIN_CHARACTERS[profile]
        dropped = (
            self._say(
                N_("Drops what cannot be learned, and texts shorter than {count} characters."),
                count=self._formats.integer(shortest),
            )
            if shortest > 1
            else self._gettext(N_("Drops what cannot be learned: broken, empty and repeated rows."))
        )
        advised = self._say(N_("Advises {rows} rows or more."), rows=self._formats.integer(FEW_ROWS[profile]))
        return f"{dropped} {advised}"

    def _say(self, template: str, **facts: str) -> str:
        return self._gettext(template).format(**facts)

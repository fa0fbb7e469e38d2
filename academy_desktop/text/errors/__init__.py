"""What each error code means for a person: title, sentence with the facts, next step.

Owns the table of all codes. Refuses to know where an error is shown and what raised it.
"""

from __future__ import annotations

from typing import Final

from academy_desktop.text.errors.error_text import ErrorText
from academy_desktop.text.errors.exports import EXPORTS
from academy_desktop.text.errors.files import FILES
from academy_desktop.text.errors.jobs import JOBS
from academy_desktop.text.errors.machine import MACHINE
from academy_desktop.text.errors.models import MODELS
from academy_desktop.text.errors.recipes import RECIPES
from academy_desktop.text.errors.venom import VENOM
from academy_desktop.text.errors.venom_push import VENOM_PUSH
from academy_desktop.text.marking import N_
from trainers.errors import ErrorCode

#: For a code that this version does not know.
UNKNOWN_CODE: Final = ErrorText(
    N_("Something went wrong"),
    N_("The program reported “{code}”, which this version has no words for[: {detail}]."),
    N_("Look into the log for more. If a newer version wrote this data, update Academy Desktop."),
)

#: Every error code's texts.
ERRORS: Final[dict[ErrorCode, ErrorText]] = {
    **MACHINE,
    **FILES,
    **MODELS,
    **RECIPES,
    **JOBS,
    **EXPORTS,
    **VENOM,
    **VENOM_PUSH,
}

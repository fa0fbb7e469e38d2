"""Files and datasets: what can fail there, in words.

Owns the English originals, marked for translation; `templates` says how facts enter them.
"""

from __future__ import annotations

from typing import Final

from academy_desktop.text.errors.error_text import ErrorText
from academy_desktop.text.marking import N_
from trainers.errors import ErrorCode

FILES: Final = {
    ErrorCode.FILE_NOT_FOUND: ErrorText(
        N_("The file is not there"),
        N_("[There is no file at {path}|The file was not found]."),
        N_("Check the spelling of the path, and whether the drive is connected."),
    ),
    ErrorCode.FILE_UNREADABLE: ErrorText(
        N_("The file cannot be read"),
        N_("The file[ {path}] could not be read[ at line {line}][: {detail}]."),
        N_("Check that you may read it, and that it is saved as UTF-8 text."),
    ),
    ErrorCode.FILE_EMPTY: ErrorText(
        N_("The file is empty"),
        N_("There is nothing in the file[ {path}]."),
        N_("Choose a file with at least one row."),
    ),
    ErrorCode.FILE_NOT_ITS_FORMAT: ErrorText(
        N_("The file is not what its name says"),
        N_(
            "[{path} should be {expected}, but its content is not"
            "|The file’s content does not fit its name]"
            "[; it looks like {found}][ (line {line})][: {detail}]."
        ),
        N_("Save it again in the format that its name says, or give it the right ending."),
    ),
    ErrorCode.FILE_ENCODING: ErrorText(
        N_("The file is in another encoding"),
        N_("[{path}|The file] is not saved as [{encoding}|said]: letters[ of line {line}] cannot be read."),
        N_(
            "Save it again as UTF-8, or say how it is saved: older Windows programs mostly write windows-1252"
            " (--encoding windows-1252)."
        ),
    ),
    ErrorCode.FORM_UNKNOWN: ErrorText(
        N_("No questions and answers found"),
        N_("The rows[ of {path}] have fields that fit none of the known forms[: {columns}][ ({detail})]."),
        N_("Say which column is which with --map, for example --map prompt=question --map answer=reply."),
    ),
    ErrorCode.MAPPING_INVALID: ErrorText(
        N_("The column mapping does not fit"),
        N_(
            "[{path} has no column “{column}”|The mapping does not fit][ (field “{field}”)]"
            "[: “{key}” is not {detail}][. Known are: {known}]."
        ),
        N_("Map the known fields to columns that the file has, as in --map question=ask."),
    ),
    ErrorCode.NOTHING_LEFT: ErrorText(
        N_("No row is left"),
        N_(
            "[All {rows_in} rows were dropped|Every row was dropped][: {dropped}], "
            "so there is nothing to learn from."
        ),
        N_("Look at the reasons above and mend the rows, or check the column mapping."),
    ),
    ErrorCode.DATASET_UNKNOWN: ErrorText(
        N_("There is no such dataset"),
        N_("[{matches} datasets are|No dataset here is] called[ “{dataset}”|so][. Nearest: {near}]."),
        N_("See all datasets with “academy data list”, and name one by its id."),
    ),
    ErrorCode.DATASET_KIND: ErrorText(
        N_("This dataset is of another kind"),
        N_(
            "The method[ {method}] cannot learn from these rows"
            "[: “{dataset}” holds rows of the kind “{kind}”]"
            "[; row {line} of {path} is of another kind]."
        ),
        N_("[Set method to {nearest}, or choose|Choose] a dataset that fits the method."),
    ),
    ErrorCode.DATASET_DAMAGED: ErrorText(
        N_("The dataset is damaged"),
        N_(
            "The files of the dataset[ “{dataset}”][ at {path}] are not as they were imported"
            "[ (line {line})][: {detail}]."
        ),
        N_("Import the dataset again from its source files."),
    ),
}

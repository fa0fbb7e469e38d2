"""What an audit of a dataset found in a row, in words.

Owns the English originals. A code that is not here is an error code and has its words in `errors`.
"""

from __future__ import annotations

from typing import Final

from academy_desktop.text.marking import N_

DEFECTS: Final = {
    "answer_truncated": N_(
        "The row[, with its {answer} answer,][ has {tokens} tokens and] is cut[ after {max_length}]:"
        "[ {lost_tokens} tokens of] its answers are lost."
    ),
    "nothing_supervised": N_("No token of this row[, with its {answer} answer,] would be trained."),
    "double_bos": N_("The text begins with two begin-of-text tokens; the model expects one."),
    "turn_not_located": N_("An answer could not be found in the rendered text, so it is not trained."),
    "missing_end_of_turn": N_("An answer does not end with the end-of-turn token: the model would ramble."),
    "no_assistant_turn": N_("The conversation has no answer, so there is nothing to learn."),
    "system_swallowed": N_("The model’s template leaves the system turn out[ or refuses it ({detail})]."),
    "roles_out_of_order": N_(
        "[Turn {turn} ({role})|A turn][ with the {answer} answer] is out of order:"
        " one speaks twice, or too early."
    ),
    "empty_turn": N_("[Turn {turn} ({role})|The text][ with the {answer} answer] is empty."),
    "tool_calls_not_rendered": N_("The model’s template cannot write the call of a tool[ ({detail})]."),
    "special_token_in_text": N_(
        "[Turn {turn} ({role})|The text][ with the {answer} answer] contains [{token}|a special token]:"
        " the model takes it for a mark of its own."
    ),
    "mojibake": N_(
        "[Turn {turn} ({role})|The text][ with the {answer} answer] has garbled letters:"
        " it was read in the wrong encoding."
    ),
    "template_failed": N_("The model’s template refuses the row[: {detail}]."),
}

#: The same in a few words, for a list with counts.
DEFECT_NAMES: Final = {
    "answer_truncated": N_("Answers cut off"),
    "nothing_supervised": N_("Nothing learned"),
    "double_bos": N_("Begins twice"),
    "turn_not_located": N_("Answer not found"),
    "missing_end_of_turn": N_("No end of turn"),
    "no_assistant_turn": N_("No answer"),
    "system_swallowed": N_("System turn left out"),
    "roles_out_of_order": N_("Turns out of order"),
    "empty_turn": N_("Empty turns"),
    "tool_calls_not_rendered": N_("Tool calls left out"),
    "special_token_in_text": N_("Special tokens in the text"),
    "mojibake": N_("Garbled letters"),
    "template_failed": N_("Refused by the template"),
}

#: What the mend of a defect does.
MENDS: Final = {
    "no_assistant_turn": N_("leaves the row out"),
    "system_swallowed": N_("puts the system turn in front of the first question"),
    "roles_out_of_order": N_("joins turns of one speaker and leaves out what still does not fit"),
    "empty_turn": N_("leaves the empty turn out, with its question or answer"),
    "tool_calls_not_rendered": N_("writes the call into the answer"),
    "special_token_in_text": N_("takes the special token out of the text"),
    "mojibake": N_("restores the letters that are not lost"),
    "answer_truncated": N_("A limit of {tokens} tokens holds every row."),
}

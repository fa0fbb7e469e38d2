"""What an audit of a dataset found in a row, in words.

Owns the English originals. A code that is not here is an error code and has its words in `errors`.
"""

from __future__ import annotations

from typing import Final

from academy_desktop.text.marking import N_

DEFECTS: Final = {
    "answer_truncated": N_(
        "The row is longer than[ {max_length} tokens| the limit]: its end is cut off and not learned."
    ),
    "nothing_supervised": N_("No token of this row would be trained."),
    "double_bos": N_("The text begins with two begin-of-text tokens; the model expects one."),
    "turn_not_located": N_("An answer could not be found in the rendered text, so it is not trained."),
    "missing_end_of_turn": N_("An answer does not end with the end-of-turn token: the model would ramble."),
    "no_assistant_turn": N_("The conversation has no answer, so there is nothing to learn."),
}

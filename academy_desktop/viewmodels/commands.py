"""The commands that the window offers to copy: what it cannot do itself, the command line does.

Owns how they are put together. Refuses to run them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Commands:
    """Commands for a terminal; `academy` is how the command line is called from where the user is."""

    academy: str = "academy"

    def demo(self) -> str:
        """Go the whole way once."""
        return f"{self.academy} demo"

    def import_rows(self) -> str:
        """Make a dataset of one's own rows."""
        return f"{self.academy} data import FILE --name mine"

    def doctor(self) -> str:
        """Look at this computer thoroughly."""
        return f"{self.academy} doctor"

    def export(self, job: str) -> str:
        """Take a trained model away as one file."""
        return f"{self.academy} export {job} --format gguf --quant q8_0 --out ."

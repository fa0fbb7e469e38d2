"""When runs have to wait although their device is free, in `<data>/considerate.json`.

Owns the file; the hosts read it, with or without a window. Refuses to judge: `trainers.host_rules` does. It
is no part of the settings, which only the window writes: the command line changes these rules as well.
"""

from __future__ import annotations

from pathlib import Path

from academy_desktop.core.reader import read_if_whole
from trainers.errors import AcademyError, ErrorCode
from trainers.layout import Considerate, write_record
from trainers.space import disk_full, is_full


class ConsiderateFile:
    """The rules of one data directory; every call may block."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Considerate:
        """The rules in force; without a usable file there are none.

        Raises:
            AcademyError: `protocol_newer`.
        """
        return read_if_whole(self.path, Considerate) or Considerate()

    def save(self, rules: Considerate) -> None:
        """Put these rules in force; each host sees them within seconds.

        Raises:
            AcademyError: `disk_full`, `data_dir_not_writable`.
        """
        folder = self.path.parent
        try:
            write_record(self.path, rules)
        except OSError as error:
            if is_full(error):
                raise disk_full(folder) from error
            detail = error.strerror or str(error)
            raise AcademyError(ErrorCode.DATA_DIR_NOT_WRITABLE, path=str(folder), detail=detail) from error

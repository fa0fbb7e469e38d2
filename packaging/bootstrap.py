"""The one way in: `python3 packaging/bootstrap.py run`, `cli`, `test` or `repair`.

Owns the check of the Python that runs it, in words that any Python can read: no annotations, no f-strings and
no imports beyond sys until the version is known to be right. All else is done by the package `academy_setup`
beside it.
"""

import sys

OLDEST = (3, 11)
FIRST_TOO_NEW = (3, 14)

if __name__ == "__main__":
    if not OLDEST <= sys.version_info[:2] < FIRST_TOO_NEW:
        sys.exit(
            "Academy Desktop needs Python 3.11, 3.12 or 3.13, and this is Python "
            + ".".join(map(str, sys.version_info[:2]))
            + ". Install one of them (https://www.python.org/downloads/) and start again with it, "
            "for example: python3.12 packaging/bootstrap.py run"
        )
    from academy_setup.main import main

    sys.exit(main(sys.argv[1:]))

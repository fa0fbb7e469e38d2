"""Files that mean harm: how long the slowest import takes, and how much memory the greediest.

Each is imported in a child process, with its start, and has to end in its named error or in counted rows.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.academy_desktop.core.datasets.hostile import CASES, MIB, import_in_child
from tests.bench.figure import Figure, Setting, alone

#: The bars: seconds, and bytes of memory of the child with its own children.
MOST_S, MOST_BYTES = 5.0, 512 * MIB
#: How large the large ones are in the short form.
SHORT_SCALE = 0.2


def measure(setting: Setting) -> Iterator[Figure]:
    """Yield the worst of all cases; each stands in the details."""
    seconds: dict[str, float] = {}
    peaks: dict[str, int] = {}
    wrong: dict[str, object] = {}
    for case in CASES:
        folder = setting.folder / case.name
        folder.mkdir()
        file = case.make(folder, SHORT_SCALE if setting.short else 1.0)
        outcome = import_in_child(folder, file, growing=case.growing)
        seconds[case.name] = round(outcome.seconds, 2)
        peaks[case.name] = outcome.peak_bytes
        if not case.holds(outcome.said):
            wrong[case.name] = dict(outcome.said)
        if file.is_file():
            file.unlink()
    samples = list(seconds.values())
    yield alone(
        "data.hostile",
        max(samples),
        "s",
        at_most=MOST_S,
        samples=samples,
        holds=not wrong,
        seconds=seconds,
        wrong=wrong,
    )
    mib = {name: round(peak / MIB) for name, peak in peaks.items()}
    yield alone(
        "data.hostile.memory", max(peaks.values()), "bytes", at_most=MOST_BYTES, holds=not wrong, mib=mib
    )

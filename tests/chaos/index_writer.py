"""Changes jobs and the index without end, and says each change that was acknowledged: `… ROOT SEED`.

A process of its own, to be killed in the middle of a write.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from tests.chaos.driving import fake_jobs


def main(root: Path, seed: int) -> None:
    """Rename, delete and bring back jobs at random; a line after each: what was done, to what."""
    chance = random.Random(seed)
    jobs = fake_jobs(root)
    names = [job.id for job in jobs.list()]
    number = 0
    while True:
        number += 1
        job = chance.choice(names)
        told = f"{seed}-{number}"
        sys.stdout.write(f"begin {job} {told}\n")
        sys.stdout.flush()
        jobs.relabel(job, name=told)
        if chance.random() < 0.3:
            jobs.delete(job)
            jobs.restore(job)
        if chance.random() < 0.1:
            jobs.rebuild_index()
        jobs.list()
        sys.stdout.write(f"done {job} {told}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

"""A watcher to be killed: queues a job, prints its id, then the number of each event as it follows."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.chaos.driving import fake_jobs, train_recipe


def main(root: str, steps: str, step_s: str) -> None:
    jobs = fake_jobs(Path(root), steps=int(steps), step_s=float(step_s))
    job = jobs.queue(train_recipe())
    _say(job)
    for event in jobs.follow(job):
        _say(str(event.seq))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The trainer: `python -P -m trainers RUN_DIR ATTEMPT`, started by the job host.

Reads the recipe and runs what its kind says. Heavy libraries are imported only once the session can report.
"""

from __future__ import annotations

import sys
from pathlib import Path

from trainers.events import Ended
from trainers.recipe import CertifyRecipe, EvaluateRecipe, ExportRecipe, TrainRecipe
from trainers.recipe_file import read_recipe
from trainers.session import Session, run_job


def work(session: Session) -> Ended:
    """Run the job of the session's run directory."""
    recipe = read_recipe(session.run_dir.recipe)
    run_dir = session.run_dir.path

    def cancelled() -> bool:
        session.poll()
        return session.stop_reason is not None

    match recipe:
        case TrainRecipe():
            from trainers.train import run_train

            return run_train(recipe, session)
        case ExportRecipe():
            from trainers.exporting.job import run_export

            run_export(recipe, run_dir, session.emit, cancelled)
        case CertifyRecipe():
            from trainers.exporting.certify import run_certify

            run_certify(recipe, run_dir, session.emit, cancelled)
        case EvaluateRecipe():
            from trainers.evaluate import run_evaluate

            run_evaluate(recipe, run_dir, session.emit, cancelled)
    if session.stop_reason:
        return Ended(state="stopped", reason=session.stop_reason)
    return Ended(state="succeeded")


def main(arguments: list[str]) -> int:
    """Run one attempt; returns the process's exit code."""
    run_dir, attempt = arguments
    return run_job(Path(run_dir), int(attempt), work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

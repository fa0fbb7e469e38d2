"""Everything that the window and the command line work with, built once and handed on.

Owns the wiring of `core`. Refuses to know screens, terminals and sentences.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from academy_desktop.core.datasets.audit import Auditor
from academy_desktop.core.datasets.inspection import Inspection
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.environment import Doctor, queue_device, trials_of
from academy_desktop.core.estimate.service import Estimates
from academy_desktop.core.exports import Exports
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.judge import Judge
from academy_desktop.core.models import Models
from academy_desktop.core.models.demo import DemoModel
from academy_desktop.core.paths import DataDir
from academy_desktop.core.recipes import Recipes
from academy_desktop.core.runtimes import Runtimes
from academy_desktop.core.tasks import Tasks
from academy_desktop.core.venom.service import Venom

#: Beside the packages in a checkout.
RESOURCES = Path(__file__).resolve().parents[2] / "resources"


@dataclass(frozen=True)
class Workshop:
    """The core's objects over one data directory."""

    data: DataDir
    python: Path
    offline: bool
    tasks: Tasks
    datasets: Library
    inspection: Inspection
    models: Models
    demo_model: DemoModel
    recipes: Recipes
    estimates: Estimates
    jobs: Jobs
    exports: Exports
    doctor: Doctor
    venom: Venom


def open_workshop(
    root: Path | None = None,
    offline: bool = False,
    models: Models | None = None,
    demo_model: DemoModel | None = None,
    jobs: Jobs | None = None,
) -> Workshop:
    """Open a data directory and build the core over it.

    Args:
        root: the data directory; by default the user's own.
        offline: never use the network.
        models: those of another data directory, for one that has none of its own.
        demo_model: as `models`.
        jobs: of this data directory, where somebody has built them already.

    Raises:
        AcademyError: as `DataDir.open`.
    """
    data = (DataDir(root.expanduser().resolve()) if root else DataDir.default()).open()
    # Not resolved: the link inside .venv is what makes it that environment's interpreter.
    python = Path(sys.executable)
    tasks = Tasks(python, Runtimes(data.runtimes))
    datasets = Library(data.datasets)
    models = models or Models(data)
    jobs = jobs or Jobs(data, python, queue_device)
    exports = Exports(jobs)
    estimates = Estimates(data)
    judge = Judge(estimates, trials_of(data, tasks))
    return Workshop(
        data=data,
        python=python,
        offline=offline,
        tasks=tasks,
        datasets=datasets,
        inspection=Inspection(datasets, Auditor(tasks, data.tmp / "xray")),
        models=models,
        demo_model=demo_model or DemoModel(data, models, tasks, python, offline),
        recipes=Recipes(RESOURCES / "recipes", datasets, models, judge),
        estimates=estimates,
        jobs=jobs,
        exports=exports,
        doctor=Doctor(data, tasks),
        venom=Venom(data, jobs, exports, models, offline),
    )

"""The pages beyond Home and Runs: each with its objects, built when the page is first shown.

Part of the window's composition root, and imported by `app` alone. What a page needs from the core is opened
once, in a thread, after the window is painted; whoever is quicker than that waits for it.
"""

from __future__ import annotations

import asyncio
import platform
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtWidgets import QWidget

from academy_desktop.core.history import EventTail
from academy_desktop.core.jobs import Jobs
from academy_desktop.core.paths import DataDir
from academy_desktop.core.settings import SettingsFile
from academy_desktop.text.language import Words
from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Description
from academy_desktop.viewmodels.event_hub import EventHub
from academy_desktop.viewmodels.job_table import JobTable
from academy_desktop.viewmodels.ports import CapacityFacts
from academy_desktop.viewmodels.settings import Examiner, Preferences, Surroundings, Voice
from academy_desktop.viewmodels.supervisor import Supervisor
from academy_desktop.views.look import Look
from academy_desktop.views.main_window import Page
from academy_desktop.views.theme_follower import ThemeFollower

if TYPE_CHECKING:  # the whole core and the heavier pages: brought when a page is first shown
    from academy_desktop.core.estimate.service import Estimates
    from academy_desktop.core.workshop import Workshop
    from academy_desktop.viewmodels.datasets import Datasets
    from academy_desktop.viewmodels.demo import Tour
    from academy_desktop.viewmodels.export import Exporting
    from academy_desktop.viewmodels.forecast import LiveForecast
    from academy_desktop.viewmodels.models import BaseModels
    from academy_desktop.viewmodels.readiness import Readiness
    from academy_desktop.viewmodels.rehearsal import Rehearsing
    from academy_desktop.viewmodels.train import Train
    from academy_desktop.viewmodels.trial import Trying
    from academy_desktop.viewmodels.venom import VenomServers
    from academy_desktop.viewmodels.venom_push import VenomPush

Work = Coroutine[Any, Any, object]


@dataclass(frozen=True)
class Hall:
    """What all rooms share: the look, the words, the loop's tasks, the jobs, and the way to a page.

    `go(page id, job id or "")` shows a page, at a job where one is named.
    """

    look: Look
    words: Words
    supervisor: Supervisor
    hub: EventHub
    table: JobTable
    tell: Callable[[Description], None]
    go: Callable[[str, str], None]


class Rooms:
    """The pages of one window over one data directory."""

    def __init__(
        self,
        hall: Hall,
        data: DataDir,
        jobs: Jobs,
        doctor: Examiner,
        presets: Path,
        *,
        offline: bool = False,
    ) -> None:
        """`presets`: the folder of recipe presets; `offline`: never use the network."""
        self._hall = hall
        self._data = data
        self._jobs = jobs
        self._offline = offline
        self._opening = threading.Lock()
        self._workshop: Workshop | None = None
        self._waiting: list[tuple[Callable[[], Work], str]] | None = []
        words = hall.words
        voice = Voice(words.messages, words.findings, words.formats, words.gettext)
        self.preferences = Preferences(
            SettingsFile(data.settings),
            doctor,
            Surroundings(data.root, Path(sys.executable), platform.python_version()),
            sorted(path.stem for path in presets.glob("*.yaml")),
            voice,
            hall.supervisor,
        )
        self.preferences.told.connect(hall.tell)
        self._follower = ThemeFollower(hall.look, self.preferences)
        self._begin(self.preferences.keep, "settings")

    @property
    def on_close(self) -> Literal["ask", "keep", "stop"]:
        """What becomes of runs in progress when the window closes."""
        return self.preferences.settings.on_close

    @property
    def is_sending(self) -> bool:
        """Whether an adapter is on its way to a server at this moment."""
        made = vars(self).get("venom_push")  # no page is made only to ask it
        return made is not None and made.is_busy

    def pages(self) -> Sequence[Page]:
        """The pages in the order of the way: rows, model, training, and what comes of it."""
        _ = self._hall.words.gettext
        return (
            Page("demo", _(N_("Guided demo")), "spark", self._make_demo),
            Page("datasets", _(N_("Datasets")), "datasets", self._make_datasets),
            Page("models", _(N_("Models")), "models", self._make_models),
            Page("train", _(N_("Train")), "train", self._make_train),
            Page("export", _(N_("Export")), "export", self._make_export),
            Page("venom", _(N_("Venom")), "venom", self._make_venom),
            Page("settings", _(N_("Settings")), "settings", self._make_settings),
        )

    def start(self) -> None:
        """Begin with what waited for the running loop, and open the core in a thread."""
        waiting, self._waiting = self._waiting or [], None
        for work, name in waiting:
            self._hall.supervisor.start(work(), name)
        self._hall.supervisor.start(self._open(), "workshop")

    async def _open(self) -> None:
        """Open the core in a thread; settle what a push left halfway on a server when the program died."""
        shop = await asyncio.to_thread(lambda: self.workshop)
        if await asyncio.to_thread(shop.venom.journal.unfinished):
            _ = self.venom_servers  # the first thing they do

    def prepare(self, page: str, job: str) -> None:
        """Make a page ready for a user who was sent there: with a job or dataset, or with the demo begun."""
        match page:
            case "train" if job:
                self.train.choose_dataset(job)
            case "demo":
                self.tour.start()
            case "export" if job:
                self.exporting.select(job)
            case "venom" if job:
                self.venom_push.show_push(job)

    @property
    def workshop(self) -> Workshop:
        """The core over the window's data and jobs; whoever comes second waits for the first."""
        from academy_desktop.core.workshop import open_workshop

        with self._opening:
            if self._workshop is None:
                self._workshop = open_workshop(self._data.root, self._offline, jobs=self._jobs)
            return self._workshop

    @cached_property
    def models(self) -> BaseModels:
        """Behind the Models page, and wherever a model is chosen."""
        from academy_desktop.viewmodels.models import BaseModels

        shop, hall = self.workshop, self._hall
        made = BaseModels(
            shop.models,
            shop.demo_model,
            hall.words.messages,
            hall.words.formats,
            hall.words.gettext,
            hall.supervisor,
        )
        made.told.connect(hall.tell)
        self._begin(made.follow, "models")
        return made

    @cached_property
    def datasets(self) -> Datasets:
        """Behind the Datasets page."""
        from academy_desktop.core.datasets.fetching import Fetcher
        from academy_desktop.viewmodels.datasets import Datasets

        shop, hall = self.workshop, self._hall
        made = Datasets(
            shop.datasets,
            shop.inspection,
            self.models,
            hall.words.findings,
            hall.words.messages,
            hall.words.formats,
            hall.words.gettext,
            hall.supervisor,
            fetcher=Fetcher(self._data.tmp / "fetched", shop.venom.connections.all, shop.venom.lessons),
        )
        made.told.connect(hall.tell)
        self._begin(made.follow, "datasets")
        self._begin(made.importing.preview.follow, "import preview")
        self._begin(made.preview.follow, "preview")
        self._begin(made.browser.follow, "rows")
        return made

    @cached_property
    def train(self) -> Train:
        """Behind the Train page."""
        from academy_desktop.viewmodels.train import Train
        from academy_desktop.viewmodels.train_sources import Sources

        shop, hall = self.workshop, self._hall
        made = Train(
            Sources(shop.datasets, shop.models, shop.recipes, shop.jobs),
            hall.words.messages,
            hall.words.formats,
            hall.words.gettext,
            hall.supervisor,
            lambda: self.preferences.preset,
        )
        made.told.connect(hall.tell)
        made.started.connect(lambda job: hall.go("runs", job))
        self._begin(made.follow, "train")
        self._begin(made.advice.follow, "advice")
        return made

    @cached_property
    def estimates(self) -> Estimates:
        """What runs will need, and what can be trained here."""
        return self.workshop.estimates

    def capacity(self) -> CapacityFacts:
        """How large a model can be trained here; blocks."""
        return self.estimates.capacity()

    @cached_property
    def forecast(self) -> LiveForecast:
        """On the Train page: what the run in the form will need."""
        from academy_desktop.text.estimates import EstimateWords
        from academy_desktop.viewmodels.forecast import LiveForecast

        words = self._hall.words
        made = LiveForecast(
            self.train, self.estimates, EstimateWords(words.gettext, words.formats), words.messages
        )
        self._begin(made.follow, "forecast")
        return made

    @cached_property
    def readiness(self) -> Readiness:
        """On the Train page: a trainer that has loaded its libraries before there is a run."""
        from academy_desktop.viewmodels.readiness import Readiness

        words = self._hall.words
        made = Readiness(
            self.workshop.jobs.ahead,
            lambda: self.forecast.engine if self.train.can_start else "",
            words.formats,
            words.gettext,
        )
        self._begin(made.follow, "readiness")
        return made

    @cached_property
    def rehearsing(self) -> Rehearsing:
        """On the Train page: the whole way once with a small model."""
        from academy_desktop.viewmodels.rehearsal import Rehearsing, WorkshopRehearsal

        hall = self._hall
        made = Rehearsing(
            self.train,
            WorkshopRehearsal(lambda: self.workshop),
            hall.words.messages,
            hall.words.formats,
            hall.words.gettext,
            hall.supervisor,
        )
        self.train.changed.connect(made.changed)  # what can be rehearsed hangs on the form
        made.told.connect(hall.tell)
        return made

    @cached_property
    def trying(self) -> Trying:
        """In the forecast: a few real steps."""
        from academy_desktop.viewmodels.trial import Trying, WorkshopTrial

        hall = self._hall
        made = Trying(
            self.train,
            WorkshopTrial(lambda: self.workshop),
            hall.words.messages,
            hall.words.formats,
            hall.words.gettext,
            hall.supervisor,
        )
        made.learned.connect(self.forecast.refresh)
        made.learned.connect(self.train.advice.again)
        self.train.changed.connect(made.changed)  # what can be tried hangs on the form
        return made

    @cached_property
    def exporting(self) -> Exporting:
        """Behind the Export page."""
        from academy_desktop.viewmodels.export import Exporting

        shop, hall = self.workshop, self._hall
        made = Exporting(
            shop.exports,
            shop.jobs,
            EventTail,
            hall.hub,
            hall.table,
            hall.words.messages,
            hall.words.formats,
            hall.words.gettext,
            hall.supervisor,
        )
        made.told.connect(hall.tell)
        return made

    @cached_property
    def venom_servers(self) -> VenomServers:
        """Behind the Venom page: the servers."""
        from academy_desktop.viewmodels.venom import VenomServers

        shop, hall = self.workshop, self._hall
        made = VenomServers(
            shop.venom, hall.words.messages, hall.words.formats, hall.words.gettext, hall.supervisor
        )
        made.told.connect(hall.tell)
        self._begin(made.follow, "venom")
        return made

    @cached_property
    def venom_push(self) -> VenomPush:
        """Behind the Venom page: what is sent there."""
        from academy_desktop.viewmodels.venom_choice import VenomChoice
        from academy_desktop.viewmodels.venom_push import VenomPush
        from academy_desktop.viewmodels.venom_runs import SendableRuns

        shop, hall = self.workshop, self._hall
        servers, translate = self.venom_servers, hall.words.gettext
        runs = SendableRuns(hall.hub, hall.words.formats, translate, hall.supervisor)
        made = VenomPush(
            shop.venom,
            servers,
            VenomChoice(shop.venom, servers, runs, translate, hall.supervisor),
            hall.words.messages,
            hall.words.formats,
            translate,
            hall.supervisor,
        )
        hall.hub.refresh()  # the runs that could be sent are known at once, and not with the next look
        return made

    @cached_property
    def tour(self) -> Tour:
        """The guided demo; its runs are the window's own, so that they can be watched and exported here."""
        from academy_desktop.viewmodels.demo import OwnDemo, Tour

        hall = self._hall
        return Tour(
            OwnDemo(lambda: self.workshop),
            hall.words.messages,
            hall.words.formats,
            hall.words.gettext,
            hall.supervisor,
        )

    def _begin(self, work: Callable[[], Work], name: str) -> None:
        """Start a task, once there is a loop to start it in."""
        if self._waiting is None:
            self._hall.supervisor.start(work(), name)
        else:
            self._waiting.append((work, name))

    def _make_demo(self) -> QWidget:
        from academy_desktop.views.demo import DemoView
        from academy_desktop.views.kit import column
        from academy_desktop.views.page import heading, one_column, scroller
        from academy_desktop.views.theme import GAP_L

        translate = self._hall.words.gettext
        view = DemoView(self._hall.look, self.tour, translate)
        view.wanted.connect(self._hall.go)
        lines = column(GAP_L)
        lines.addWidget(heading(translate(N_("Guided demo"))))
        lines.addWidget(view)
        lines.addStretch(1)
        return scroller(one_column(lines))

    def _make_datasets(self) -> QWidget:
        from academy_desktop.views.datasets import DatasetsPage

        page = DatasetsPage(self._hall.look, self.datasets, self._hall.words.gettext)
        page.wanted.connect(self._hall.go)
        return page

    def _make_models(self) -> QWidget:
        from academy_desktop.views.models import ModelsPage

        return ModelsPage(self._hall.look, self.models, self._hall.words.gettext)

    def _make_train(self) -> QWidget:
        from academy_desktop.views.train import TrainPage

        page = TrainPage(
            self._hall.look,
            self.train,
            self._hall.words.gettext,
            self.forecast,
            self.rehearsing,
            self.trying,
            self.readiness,
        )
        page.wanted.connect(self._hall.go)
        return page

    def _make_export(self) -> QWidget:
        from academy_desktop.views.export import ExportPage

        page = ExportPage(self._hall.look, self.exporting, self._hall.words.gettext)
        page.wanted.connect(self._hall.go)
        return page

    def _make_venom(self) -> QWidget:
        from academy_desktop.views.venom import VenomPage

        page = VenomPage(
            self._hall.look,
            self.venom_servers,
            self.venom_push,
            self._hall.words.gettext,
            lessons=lambda: self.datasets.fetch,
        )
        page.wanted.connect(self._hall.go)
        return page

    def _make_settings(self) -> QWidget:
        from academy_desktop.core.considerate import ConsiderateFile
        from academy_desktop.text.considerate import ConsiderateWords
        from academy_desktop.viewmodels.considerate import ConsiderateForm
        from academy_desktop.views.settings import SettingsPage

        hall = self._hall
        considerate = ConsiderateForm(
            ConsiderateFile(self._data.considerate),
            ConsiderateWords(hall.words.gettext, hall.words.formats),
            hall.words.messages,
            hall.words.gettext,
            hall.supervisor,
        )
        considerate.told.connect(hall.tell)
        self._begin(self.preferences.look, "settings' look")
        self._begin(considerate.look, "rules' look")
        return SettingsPage(hall.look, self.preferences, considerate, hall.words.gettext)

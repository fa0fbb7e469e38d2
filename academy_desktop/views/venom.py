"""The Venom page: the servers at the left; at the right how one stands, its adapters, and the way there.

Owns layout, the dialogs and the questions. Refuses to know how a server is asked.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QPushButton, QStackedLayout, QWidget
from typing_extensions import override

from academy_desktop.text.marking import N_
from academy_desktop.viewmodels.connection_form import ConnectionForm
from academy_desktop.viewmodels.venom import VenomServers
from academy_desktop.viewmodels.venom_push import VenomPush
from academy_desktop.views.connection_dialog import ConnectionDialog
from academy_desktop.views.kit import EmptyState, button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.page import CONTENT_WIDTH, heading, list_card, scroller, two_sides
from academy_desktop.views.question import Question
from academy_desktop.views.record_list import RecordList
from academy_desktop.views.theme import GAP, GAP_M, GAP_XL
from academy_desktop.views.venom_lessons import Fetching, LessonsCard
from academy_desktop.views.venom_push import SendCard
from academy_desktop.views.venom_server import AdaptersCard, ServerHead, StandingCard

#: Pages of the stack.
_READING, _NONE, _SOME = range(3)


class VenomPage(QWidget):
    """The page; without a connection it says what Venom is.

    `wanted(page id, "")` when the user goes there; `lessons` gives what fetches a server's lessons.
    """

    wanted = Signal(str, str)

    def __init__(
        self,
        look: Look,
        servers: VenomServers,
        push: VenomPush,
        translate: Callable[[str], str],
        lessons: Fetching = lambda: None,
    ) -> None:
        super().__init__()
        self.setObjectName("page")
        self._look = look
        self._servers = servers
        self._push = push
        self._gettext = translate
        self._adders: list[QPushButton] = []
        self._was_sending = False
        self.list = RecordList(look, servers.records, translate(N_("Connections")))
        self.head = ServerHead(look, servers, translate)
        self.standing = StandingCard(look, servers, translate)
        self.adapters = AdaptersCard(look, servers, translate)
        self.send = SendCard(look, push, translate)
        self.lessons = LessonsCard(look, servers, lessons, translate)
        self._waiting = label(translate(N_("Reading your connections …")), "muted")
        self._waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedLayout()
        for part in (self._waiting, self._empty(), self._full()):
            self._stack.addWidget(part)
        self.setLayout(self._stack)
        self._connect()
        self._draw()
        self._refresh()

    def show_push(self, job_id: str) -> None:
        """Have the form ready to send this run."""
        self._push.show_push(job_id)
        self._scroller.ensureWidgetVisible(self.send)

    def open_new(self) -> None:
        """Let the user add a connection."""
        self._open_form(self._servers.new_form())

    @override
    def showEvent(self, event: QShowEvent) -> None:
        """Qt: the page appears; connections that came meanwhile appear with it."""
        super().showEvent(event)
        self._servers.refresh()

    def _connect(self) -> None:
        self.list.opened.connect(self._servers.select)
        self.head.edit.clicked.connect(lambda: self._open_form(self._servers.edit_form()))
        self.head.remove.clicked.connect(self._ask_to_remove)
        self.adapters.back_wanted.connect(self._ask_to_go_back)
        self.adapters.use_wanted.connect(self._ask_to_use)
        self.adapters.removal_wanted.connect(self._ask_to_take_away)
        self.send.course.back_wanted.connect(self._ask_to_go_back)
        self.send.course.override_wanted.connect(self._ask_to_override)
        self.lessons.fetched.connect(lambda: self.wanted.emit("datasets", ""))
        self.send.form.train_wanted.connect(lambda: self.wanted.emit("train", ""))
        self._servers.changed.connect(self._refresh)
        self._push.changed.connect(self._refresh)
        self._look.changed.connect(self._draw)

    def _empty(self) -> QWidget:
        add = self._add_button(self._gettext(N_("Add a connection …")))
        lines = column(GAP_M)
        lines.addWidget(add, 0, Qt.AlignmentFlag.AlignHCenter)
        action = QWidget()
        action.setLayout(lines)
        return EmptyState(
            self._look,
            "venom",
            self._gettext(N_("No Venom connected yet")),
            self._gettext(
                N_(
                    "Venom is an assistant that runs on your own computer or server, and its chat can use "
                    "the adapters that you train here. You need its address, and the way to its models "
                    "folder: on this computer, on a drive that both share, or over SSH."
                )
            ),
            action,
        )

    def _full(self) -> QWidget:
        head = row(GAP)
        head.addWidget(heading(self._gettext(N_("Venom"))))
        head.addStretch(1)
        head.addWidget(self._add_button(self._gettext(N_("Add")), name=N_("Add a connection …")))
        left = column(GAP_M)
        left.addLayout(head)
        left.addWidget(list_card(self.list), 1)
        lines = column(GAP_M)
        for part in (self.head, self.standing, self.adapters, self.send, self.lessons):
            lines.addWidget(part)
        lines.addStretch(1)
        view = QWidget()
        view.setMaximumWidth(CONTENT_WIDTH)
        view.setLayout(lines)
        line = row(0)
        line.setContentsMargins(0, 0, GAP_XL, 0)
        line.addWidget(view, 1)
        inner = QWidget()
        inner.setObjectName("page")
        inner.setLayout(line)
        self._scroller = scroller(inner)
        return two_sides(left, self._scroller, right_margin=0)

    def _add_button(self, text: str, name: str = "") -> QPushButton:
        made = button(text, "primary")
        made.setIconSize(QSize(16 + GAP, 16))
        if name:
            made.setAccessibleName(self._gettext(name))
        made.clicked.connect(self.open_new)
        self._adders.append(made)
        return made

    def _draw(self) -> None:
        for adder in self._adders:
            adder.setIcon(self._look.icon("add", self._look.tokens.on_accent, gap=GAP))

    def _open_form(self, form: ConnectionForm) -> None:
        ConnectionDialog(self._look, form, self._gettext, self).open()

    def _ask_to_remove(self) -> None:
        shown, _ = self._servers.shown, self._gettext
        if shown is None:
            return
        question = Question(
            self._look,
            "venom",
            _(N_("Remove “{name}”?")).format(name=shown.name),
            _(
                N_(
                    "Academy Desktop forgets the address. Nothing changes on the server: its adapters stay, "
                    "and its chat goes on as it is."
                )
            ),
            _(N_("Remove")),
            _(N_("Keep it")),
            self,
        )
        question.accepted.connect(self._servers.remove)
        question.open()

    def _ask_to_go_back(self) -> None:
        _ = self._gettext
        question = Question(
            self._look,
            "previous",
            _(N_("Roll back?")),
            self._servers.back_question,
            _(N_("Roll back")),
            _(N_("Leave it")),
            self,
        )
        question.accepted.connect(self._go_back)
        question.open()

    def _ask_to_use(self, adapter: str) -> None:
        _ = self._gettext
        question = Question(
            self._look,
            "venom",
            _(N_("Use this adapter?")),
            _(N_("Venom’s chat will use {adapter}. You can roll back afterwards.")).format(adapter=adapter),
            _(N_("Use it")),
            _(N_("Leave it")),
            self,
        )
        question.accepted.connect(lambda: self._servers.put_to_use(adapter))
        question.open()

    def _ask_to_take_away(self, adapter: str) -> None:
        _ = self._gettext
        question = Question(
            self._look,
            "venom",
            _(N_("Remove the adapter from the server?")),
            _(
                N_("{adapter} is deleted from Venom’s models folder. The run on this computer keeps its own.")
            ).format(adapter=adapter),
            _(N_("Remove")),
            _(N_("Keep it")),
            self,
        )
        question.accepted.connect(lambda: self._servers.remove_adapter(adapter))
        question.open()

    def _ask_to_override(self) -> None:
        _ = self._gettext
        question = Question(
            self._look,
            "warning",
            _(N_("Send it without a proof?")),
            self._push.override_question,
            _(N_("Send it")),
            _(N_("Leave it")),
            self,
        )
        question.accepted.connect(self._push.override)
        question.open()

    def _go_back(self) -> None:
        self._push.put_away()
        self._servers.roll_back()

    def _refresh(self) -> None:
        servers = self._servers
        shown = servers.shown
        self.list.show_record(shown.name if shown else "")
        busy = self._push.is_busy or servers.is_going_back
        self.head.edit.setEnabled(not busy)
        self.head.remove.setEnabled(not busy)
        for way_back in (self.adapters.back, self.send.course.back):
            way_back.setEnabled(servers.can_go_back and not self._push.is_busy)
        if self._push.is_busy and self._push.is_here and not self._was_sending:
            QTimer.singleShot(0, self, lambda: self._scroller.ensureWidgetVisible(self.send))
        self._was_sending = self._push.is_busy
        if not servers.is_known:
            self._stack.setCurrentIndex(_READING)
        else:
            self._stack.setCurrentIndex(_SOME if servers.all else _NONE)

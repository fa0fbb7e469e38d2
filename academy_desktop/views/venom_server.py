"""One Venom server: its name and badge, what is in the way, what was found, its adapters.

Owns layout. Refuses to know how a server is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QFrame, QLineEdit, QProgressBar, QWidget

from academy_desktop.text.marking import N_
from academy_desktop.text.messages import Description
from academy_desktop.viewmodels.venom import VenomServers
from academy_desktop.viewmodels.venom_standing import AdapterLine
from academy_desktop.views.certificate import empty
from academy_desktop.views.facts import Pill, Remark
from academy_desktop.views.kit import Elided, button, column, label, row
from academy_desktop.views.look import Look
from academy_desktop.views.page import HEAD_HEIGHT
from academy_desktop.views.theme import GAP, GAP_L, GAP_M
from academy_desktop.views.venom_checklist import Checklist


class ServerHead(QWidget):
    """Name, badge, address, and what can be done with the connection."""

    def __init__(self, look: Look, servers: VenomServers, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._servers = servers
        self._gettext = translate
        self.title = Elided("title")
        self.title.setMinimumHeight(HEAD_HEIGHT)
        self.badge = Pill(look)
        self.address = Elided("muted")
        self.refresh = button(translate(N_("Refresh")), hint=translate(N_("Look at the server again")))
        self.edit = button(translate(N_("Edit")))
        self.remove = button(translate(N_("Remove")), "quiet")
        first = row(GAP_M)
        first.addWidget(self.title)
        first.addWidget(self.badge)
        first.addStretch(1)
        for part in (self.refresh, self.edit, self.remove):
            first.addWidget(part)
        lines = column(2)
        lines.addLayout(first)
        lines.addWidget(self.address)
        self.setLayout(lines)
        self.refresh.clicked.connect(servers.look)
        servers.changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        shown, standing = self._servers.shown, self._servers.standing
        looking = self._servers.is_looking
        self.title.setText(shown.name if shown else "")
        self.address.setText(self._servers.reached)
        if standing is None:
            self.badge.show_word(self._gettext(N_("Looking …")), "neutral")
        else:
            self.badge.show_word(standing.badge, standing.tone)
        text = self._gettext(N_("Looking …")) if looking else self._gettext(N_("Refresh"))
        self.refresh.setText(text)
        self.refresh.setAccessibleName(text)
        self.refresh.setEnabled(not looking)


class LoginBar(QWidget):
    """Asks for the password or passphrase of a login where nothing keeps it."""

    def __init__(self, servers: VenomServers, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._servers = servers
        name = translate(N_("Password or passphrase"))
        self.secret = QLineEdit()
        self.secret.setEchoMode(QLineEdit.EchoMode.Password)
        self.secret.setAccessibleName(name)
        self.secret.setAccessibleDescription(translate(N_("Kept until Academy Desktop ends.")))
        self.secret.setPlaceholderText(name)
        self.log_in = button(translate(N_("Log in")), "primary")
        line = row(GAP)
        line.addWidget(self.secret, 1)
        line.addWidget(self.log_in)
        self.setLayout(line)
        self.secret.returnPressed.connect(self._log_in)
        self.secret.textChanged.connect(self.refresh)
        self.log_in.clicked.connect(self._log_in)
        self.refresh()

    def refresh(self) -> None:
        """Show it where it is needed."""
        standing, is_looking = self._servers.standing, self._servers.is_looking
        self.setVisible(standing is not None and standing.needs_secret)
        self.log_in.setEnabled(bool(self.secret.text()) and not is_looking)

    def _log_in(self) -> None:
        if self.log_in.isEnabled():
            secret = self.secret.text()
            self.secret.clear()
            self._servers.log_in(secret)


class StandingCard(QFrame):
    """What is in the way, and below it what was found."""

    def __init__(self, look: Look, servers: VenomServers, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._look = look
        self._servers = servers
        self._troubles_shown: tuple[Description, ...] = ()
        self._waiting = label(translate(N_("Looking at the server …")), "muted")
        self._troubles = column(GAP_M)
        self._found = Checklist(look)
        self._divider = _divider()
        self.login = LoginBar(servers, translate)
        lines = column(GAP_M)
        lines.setContentsMargins(GAP_L, GAP_M, GAP_L, GAP_M)
        lines.addWidget(self._waiting)
        lines.addLayout(self._troubles)
        lines.addWidget(self.login)
        lines.addWidget(self._divider)
        lines.addWidget(self._found)
        self.setLayout(lines)
        servers.changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        standing = self._servers.standing
        self._waiting.setVisible(standing is None)
        troubles = standing.troubles if standing else ()
        lines = standing.lines if standing else ()
        if troubles != self._troubles_shown:
            self._troubles_shown = troubles
            empty(self._troubles)
            for trouble in troubles:
                remark = Remark(self._look, "warning", "warning")
                self._troubles.addWidget(remark)  # before it has words: they show it, as a window if alone
                remark.say(trouble.sentence, trouble.next_step)
        self._found.show_lines(lines)
        self._divider.setVisible(bool(troubles and lines))
        self.login.refresh()


class AdapterRow(QWidget):
    """One adapter on the server, and what can be done with it."""

    def __init__(
        self, look: Look, line: AdapterLine, servers: VenomServers, translate: Callable[[str], str]
    ) -> None:
        super().__init__()
        active = translate(N_("Active"))
        self._servers = servers
        use = N_("Go back to it") if line.was_active else N_("Use")
        self.use = button(translate(use), hint=translate(N_("Let Venom’s chat use this adapter")))
        self.take_away = button(translate(N_("Remove")), "quiet")
        self.use.setAccessibleName(f"{self.use.text()}: {line.name}")
        self.take_away.setAccessibleName(f"{self.take_away.text()}: {line.name}")
        self.use.setVisible(line.can_use)
        self.take_away.setVisible(line.can_remove)
        name, detail = Elided("body"), Elided("small")
        name.setText(line.name)
        detail.setText(line.detail)
        pills = [(line.verdict, line.tone)] if line.verdict else []
        if line.is_active:
            pills.append((active, "success"))
        first = row(GAP)
        first.addWidget(name)
        for word, tone in pills:
            pill = Pill(look)
            pill.show_word(word, tone)
            first.addWidget(pill)
        first.addStretch(1)
        texts = column(2)
        texts.addLayout(first)
        texts.addWidget(detail)
        whole = row(GAP_M)
        whole.addLayout(texts, 1)
        for part in (self.use, self.take_away):
            whole.addWidget(part)
        self.setLayout(whole)
        said = (line.name, line.detail, *(word for word, _ in pills))
        self.setAccessibleName(", ".join(text for text in said if text))
        servers.changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        for part in (self.use, self.take_away):
            part.setEnabled(self._servers.can_change)


class AdaptersCard(QFrame):
    """The adapters on the server, and the way back.

    Signals: `back_wanted()`, `use_wanted(adapter)`, `removal_wanted(adapter)` when the user asks for it.
    """

    back_wanted = Signal()
    use_wanted = Signal(str)
    removal_wanted = Signal(str)

    def __init__(self, look: Look, servers: VenomServers, translate: Callable[[str], str]) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._look = look
        self._servers = servers
        self._gettext = translate
        self._shown: tuple[AdapterLine, ...] = ()
        self.back = button(
            translate(N_("Roll back")), hint=translate(N_("Back to what the chat used before this adapter"))
        )
        self.back.setIconSize(QSize(16 + GAP, 16))
        self.back.clicked.connect(self.back_wanted)
        self.news = Remark(look, "check", "success")
        self._going = label("", "muted", wrap=True)
        self._bar = QProgressBar()
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(translate(N_("Going back")))
        self._rows = column(GAP_M)
        head = row(GAP_M)
        head.addWidget(label(translate(N_("Adapters on this server")), "heading"), 1)
        head.addWidget(self.back)
        lines = column(GAP_M)
        lines.setContentsMargins(GAP_L, GAP_M, GAP_M, GAP_M)
        lines.addLayout(head)
        for part in (self.news, self._going, self._bar):
            lines.addWidget(part)
        lines.addLayout(self._rows)
        self.setLayout(lines)
        servers.changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        servers, standing = self._servers, self._servers.standing
        found = standing.adapters if standing else ()
        has_way_back = bool(standing and standing.active_adapter)
        self.setVisible(bool(found or servers.news or servers.way_back))
        self.back.setVisible(has_way_back)
        self.news.say(servers.news)
        self._going.setText(servers.way_back)
        self._going.setVisible(bool(servers.way_back))
        self._bar.setVisible(bool(servers.way_back))
        if found != self._shown:
            self._shown = found
            empty(self._rows)
            for line in found:
                made = AdapterRow(self._look, line, servers, self._gettext)
                made.use.clicked.connect(partial(self.use_wanted.emit, line.name))
                made.take_away.clicked.connect(partial(self.removal_wanted.emit, line.name))
                self._rows.addWidget(made)


def _divider() -> QFrame:
    made = QFrame()
    made.setProperty("divider", True)
    made.setFixedHeight(1)
    return made

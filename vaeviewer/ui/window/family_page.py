"""The window "What you see": a page about the kind of model that is there, beside the main window."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QDialog, QTextBrowser, QVBoxLayout

from vaeviewer.backend.models.registry import AnyFamily
from vaeviewer.ui.window.main_window import MainWindow
from vaeviewer.ui.window.text_size import text_scale


class FamilyPage(QDialog):
    """Shows the page of the session's kind of model, also after another one is chosen. Stops nothing."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.setObjectName("familyPage")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("What you see")
        self.setModal(False)
        self.text = QTextBrowser()
        self.text.setAccessibleName("What you see")
        self.text.document().setDocumentMargin(14)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        room = window.screen().availableSize() * 0.9
        self.resize((QSize(560, 460) * text_scale()).boundedTo(room))
        self._session = window.session
        self._session.opened.connect(self._follow)
        self._follow()

    def _follow(self) -> None:
        self.text.setHtml(page_text(self._session.settings.family))


def show_family_page(window: MainWindow) -> None:
    """Show the page, the same window where it is open already."""
    shown = window.findChild(FamilyPage) or FamilyPage(window)
    shown.show()
    shown.raise_()
    shown.activateWindow()


def page_text(family: AnyFamily) -> str:
    """A family's page as rich text: what one sees, or at least what it is, the objective, and why."""
    page = family.page
    centred = "<table width='100%' cellpadding='8'><tr><td align='center'><big>{}</big></td></tr></table>"
    parts = [
        f"<h2>{escape(family.title)}</h2><p><i>{escape(family.source)}</i></p>",
        f"<p>{page.see or escape(family.sentence)}</p>",
        centred.format(page.objective) if page.objective else "",
        f"<p>{page.why}</p>" if page.why else "",
    ]
    return "".join(parts)

"""The page "What you see" of the kind of model that is there, by keys and from the settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from own_families import TwoPlayers
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDockWidget, QToolButton
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.models import registry
from vaeviewer.ui.window.family_page import FamilyPage, page_text
from vaeviewer.ui.window.main_window import MainWindow

pytestmark = pytest.mark.qt_log_ignore(
    "This plugin does not support", extend=True
)  # raise(), without a screen


@pytest.fixture
def window(qtbot: QtBot, make_window: Callable[[Settings], MainWindow], small: Settings) -> MainWindow:
    window = make_window(small)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    return window


def html(text: str) -> ElementTree.Element:
    """Its elements, all of them closed but line breaks."""
    return ElementTree.fromstring(f"<p>{text.replace('&nbsp;', ' ').replace('<br>', '<br/>')}</p>")


@pytest.mark.parametrize("key", registry.families())
def test_each_family_has_two_short_paragraphs_and_a_formula(key: str) -> None:
    page = registry.family(key).page
    for paragraph in (page.see, page.why):
        text = "".join(html(paragraph).itertext())
        assert 20 <= len(text.split()) <= 110
        assert text.endswith(".")
    assert "".join(html(page.objective).itertext())


@pytest.mark.parametrize("key", registry.families())
def test_a_formula_has_lines_of_its_own(qapp: QApplication, key: str) -> None:
    """As many as are written: at its first size the page has room for each, and none is broken anywhere."""
    document = QTextDocument()
    document.setDefaultFont(qapp.font())
    document.setDocumentMargin(14)
    document.setHtml(page_text(registry.family(key)))
    document.setTextWidth(560 - 20)  # less a scroll bar
    assert document.size().height() > 0  # it is laid out when that is asked
    table = document.rootFrame().childFrames()[0]
    block = table.firstCursorPosition().block()
    assert block.layout().lineCount() == 1 + registry.family(key).page.objective.count("<br>")


@pytest.mark.parametrize("key", registry.families())
def test_what_a_page_names_is_called_so_in_the_window(key: str) -> None:
    family = registry.family(key)
    named = set(re.findall("“(.*?)”", page_text(family)))
    assert named <= {name.capitalize() for name in family.presets} | {m.title for m in family.metrics}


def test_a_family_without_a_page_shows_what_it_is() -> None:
    family = TwoPlayers()
    assert family.sentence in page_text(family)
    assert "None" not in page_text(family)


def test_it_follows_the_kind_of_model(qtbot: QtBot, window: MainWindow) -> None:
    window.plane.setFocus()
    QTest.keyClick(window.plane, Qt.Key.Key_F1, Qt.KeyboardModifier.ControlModifier)
    (page,) = window.findChildren(FamilyPage)
    qtbot.waitUntil(page.isActiveWindow)
    assert not page.isModal()
    assert "Variational autoencoder" in page.text.toPlainText()
    window.session.use_settings(updated(window.session.settings, family="denoising"))
    qtbot.waitUntil(lambda: "Denoising autoencoder" in page.text.toPlainText(), timeout=30_000)
    assert "prior p(z)" not in page.text.toPlainText()
    QTest.keyClick(page.text, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not window.findChildren(FamilyPage))


def test_the_button_beside_the_kind_opens_it_by_keys(qtbot: QtBot, window: MainWindow) -> None:
    next(dock for dock in window.findChildren(QDockWidget) if dock.objectName() == "settings-dock").raise_()
    qtbot.waitUntil(window.form._family.isVisible)
    window.form._family.setFocus()
    QTest.keyClick(window.form._family, Qt.Key.Key_Tab)
    button = QApplication.focusWidget()
    assert isinstance(button, QToolButton)
    QTest.keyClick(button, Qt.Key.Key_Space)
    (page,) = window.findChildren(FamilyPage)
    qtbot.waitUntil(page.isActiveWindow)
    page.close()

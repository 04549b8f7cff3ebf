"""What is said above the plane: which message is shown, downloads beside it, and names from files in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from download_server import Server, noise_set, serving, write_noise
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFileDialog, QLabel, QMenu, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings
from vaeviewer.backend.data import CATALOG, CatalogEntry
from vaeviewer.session import data_loader
from vaeviewer.session.data_loader import Fetched
from vaeviewer.session.run_keeper import RunKeeper
from vaeviewer.session.states import Action, State
from vaeviewer.ui.data.image_sheet import ImageSheet
from vaeviewer.ui.widgets.plain_text import BREAK
from vaeviewer.ui.window import data_menu as data_menu_module
from vaeviewer.ui.window import message_bar
from vaeviewer.ui.window.main_window import MainWindow
from vaeviewer.ui.window.messages import Kind, Message, MessageQueue
from vaeviewer.ui.window.work_row import SHOWN_AFTER_MS, fetching_text

MakeWindow = Callable[..., MainWindow]


@pytest.fixture
def window(make_window: MakeWindow, small: Settings, monkeypatch: pytest.MonkeyPatch) -> MainWindow:
    monkeypatch.setattr(message_bar, "DEAF_S", 0.0)  # these clicks are meant for what they hit
    return make_window(small)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving(monkeypatch, noise_set()) as server:
        yield server


def buttons(window: MainWindow) -> dict[str, QPushButton]:
    return {b.text(): b for b in window.message.findChildren(QPushButton) if b.isVisible()}


def press(qtbot: QtBot, window: MainWindow, text: str) -> None:
    qtbot.mouseClick(buttons(window)[text], Qt.MouseButton.LeftButton)


def label(window: MainWindow, name: str = "messageText") -> QLabel:
    found = window.findChild(QLabel, name)
    assert found is not None
    return found


def data_menu(window: MainWindow) -> dict[str, QAction]:
    (menu,) = [action.menu() for action in window.menuBar().actions() if action.text() == "&Data"]
    return {action.text().replace("&", ""): action for action in menu.actions() if action.text()}


def chosen(window: MainWindow) -> list[str]:
    return [text for text, action in data_menu(window).items() if action.isChecked()]


def loading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name in ("data", "download")]


def train(qtbot: QtBot, window: MainWindow) -> None:
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED, timeout=30_000)


# Which message is shown


def keys_in_turn(queue: MessageQueue) -> list[str]:
    found = []
    while (message := queue.current) is not None:
        found.append(message.key)
        queue.remove(message.key)
    return found


def test_the_order_of_messages() -> None:
    queue = MessageQueue()
    came = [
        ("offer", Kind.OFFER),
        ("first", Kind.QUESTION),
        ("old problem", Kind.PROBLEM),
        ("note", Kind.NOTE),
        ("second", Kind.QUESTION),
        ("new problem", Kind.PROBLEM),
    ]
    for key, kind in came:
        queue.put(Message(key, kind, "words"))
    queue.put(Message("first", Kind.QUESTION, "other words"))
    assert queue.current is not None
    assert queue.current.sentence == "other words"
    assert len(queue) == 6
    queue.put(Message("old problem", Kind.PROBLEM, "it came again"))
    assert keys_in_turn(queue) == ["first", "second", "old problem", "new problem", "note", "offer"]
    for number in range(1000):
        queue.put(Message(str(number), Kind.PROBLEM, "again"))
    assert len(queue) < 100


def test_a_question_stays_until_it_is_answered(qtbot: QtBot, window: MainWindow) -> None:
    answered: list[str] = []
    message = window.message
    message.show_message("which one?", [("&One", lambda: answered.append("one"))], key="question")
    window.show_problem("something went wrong.")
    message.show_message("it is done.", key="done")
    message.work.begin("work", "Working…")
    qtbot.wait(2 * SHOWN_AFTER_MS)
    assert message.text == "Which one?"
    assert label(window, "messagesWaiting").text() == "2 more"
    assert label(window, "workText").isVisible()
    press(qtbot, window, "&One")
    assert answered == ["one"]
    assert message.text == "Something went wrong."
    press(qtbot, window, "Dis&miss")
    assert message.text == "It is done."
    assert not label(window, "messagesWaiting").isVisible()
    press(qtbot, window, "Dis&miss")
    assert message.text == "Working…"
    message.work.end("work")
    assert message.isHidden()


def test_a_double_click_answers_one_message(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_bar, "DEAF_S", 60.0)
    window.show_problem("the first.", key="first")
    window.show_problem("the second.", key="second")
    press(qtbot, window, "Dis&miss")
    press(qtbot, window, "Dis&miss")
    assert window.message.text == "The first."


def test_the_cpu_is_offered_only_where_it_helps(qtbot: QtBot, window: MainWindow) -> None:
    session = window.session
    session.problem.emit("Training stopped: CUDA is gone.", "", "failure", True)
    assert "Continue on the C&PU" in buttons(window)
    session.problem.emit("this folder cannot be read.", "", "data", False)
    assert window.message.text == "This folder cannot be read."
    assert "Continue on the C&PU" not in buttons(window)
    window.show_problem("nor this.")
    assert "Continue on the C&PU" not in buttons(window)
    press(qtbot, window, "Dis&miss")
    press(qtbot, window, "Dis&miss")
    assert "Continue on the C&PU" in buttons(window), "the offer is still there"
    session.request(Action.STEP)  # it goes on
    assert not window.message.text


# Downloads, and other work that takes long


def test_a_download_says_what_it_is_and_the_next_after_a_cancel_is_like_it(
    qtbot: QtBot, window: MainWindow, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_loader, "RATE_AFTER_S", 0.0)
    server.stall = True
    before = chosen(window)
    assert before == ["Bundled digits (MNIST 10k)"]
    for title in ("Fashion-MNIST", "MNIST"):
        data_menu(window)[title].trigger()
        qtbot.waitUntil(lambda title=title: f"Fetching {title}, 0.3 MB… 0.1 MB" in window.message.text)
        assert "left" in window.message.text
        assert "cancelled" not in window.message.text
        assert set(buttons(window)) == {"&Cancel", "H&ide"}
        press(qtbot, window, "&Cancel")
        assert not window.message.text, "at once, whatever the server does"
        qtbot.waitUntil(lambda: not loading_threads(), timeout=1_000)
        assert chosen(window) == before
    server.stall = False
    server.released.set()
    data_menu(window)["MNIST"].trigger()
    qtbot.waitUntil(
        lambda: window.session.dataset is not None and window.session.dataset.source.key == "mnist",
        timeout=20_000,
    )
    qtbot.waitUntil(lambda: not window.message.text)
    assert chosen(window) == ["MNIST"]


def test_a_download_overwrites_nothing_and_stays_away_when_put_away(
    qtbot: QtBot, window: MainWindow, server: Server
) -> None:
    train(qtbot, window)
    server.stall = True
    window.show_problem("something went wrong.")
    data_menu(window)["Fashion-MNIST"].trigger()
    work = label(window, "workText")
    qtbot.waitUntil(lambda: work.isVisible() and work.text().startswith("Fetching"))
    assert window.message.text == "Something went wrong."
    press(qtbot, window, "H&ide")
    assert window.message.text == "Something went wrong."
    press(qtbot, window, "Dis&miss")
    server.stall = False
    server.released.set()
    seen: list[bool] = []
    window.session.fetching.connect(lambda *_: seen.append(work.isVisible()))
    qtbot.waitUntil(lambda: window.message.key == "data", timeout=20_000)
    assert seen
    assert not any(seen)
    assert not work.isVisible()
    assert window.message.text.startswith("Loaded: Fashion-MNIST, 300 images")
    assert chosen(window) == ["Fashion-MNIST"]
    press(qtbot, window, "Dis&miss")
    assert chosen(window) == ["Bundled digits (MNIST 10k)"]


def test_what_cannot_be_fetched_may_lie_in_a_folder(
    qtbot: QtBot, window: MainWindow, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.status = 403
    data_menu(window)["Fashion-MNIST"].trigger()
    qtbot.waitUntil(lambda: "(the server answered 403)" in window.message.text)
    assert window.message.text.startswith("Fashion-MNIST could not be fetched")
    assert chosen(window) == ["Bundled digits (MNIST 10k)"]
    folder = write_noise(tmp_path / "noise")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    press(qtbot, window, "&Open a folder instead…")
    (sheet,) = window.findChildren(ImageSheet)
    (use,) = [b for b in sheet.findChildren(QPushButton) if b.text() == "&Use these images"]
    qtbot.waitUntil(use.isEnabled, timeout=20_000)
    qtbot.mouseClick(use, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(
        lambda: "noise" in str(window.session.dataset and window.session.dataset.name), timeout=20_000
    )
    qtbot.waitUntil(lambda: not window.message.text)


def test_the_catalogue_is_no_wall(
    make_window: MakeWindow, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry of a test's own included, which gets a letter without being told one."""
    own = CatalogEntry("bars", "Bars", "White bars.")
    monkeypatch.setattr(data_menu_module, "CATALOG", (*CATALOG, own))
    top = data_menu(make_window(small))
    assert "Bars" in top
    assert len(top) <= 8
    submenu = top["Digits and letters"].menu()
    assert isinstance(submenu, QMenu)
    entries = [action for action in (*top.values(), *submenu.actions()) if action.isCheckable()]
    notes = {entry.note for entry in (*CATALOG, own) if entry.key != "folder"}
    assert {action.toolTip() for action in entries} == notes
    for menu in (top.values(), submenu.actions()):
        letters = [text[text.index("&") + 1].lower() for action in menu if (text := action.text())]
        assert len(letters) == len(set(letters)), letters


def test_the_words_about_a_download() -> None:
    total = 30_878_645
    assert fetching_text("Fashion-MNIST", Fetched(0, total, None)) == "Fetching Fashion-MNIST, 31 MB…"
    assert fetching_text("Fashion-MNIST", Fetched(12_000_000, total, 19.7)) == (
        "Fetching Fashion-MNIST, 31 MB… 12 MB are here, about 20 s left"
    )
    assert "about 5 min left" in fetching_text("MNIST", Fetched(1, total, 300.0))


def test_opening_a_run_shows_itself(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, really_open = threading.Event(), RunKeeper.open

    def slow(self: RunKeeper, *arguments: object) -> object:
        goes_on.wait(30)
        return really_open(self, *arguments)

    monkeypatch.setattr(RunKeeper, "open", slow)
    assert SHOWN_AFTER_MS < 300
    window.session.open_run(tmp_path / "<i>lesson<i>")
    qtbot.waitUntil(lambda: window.message.text == "Opening <i>lesson<i>…")
    assert label(window, "workText").isVisible()
    assert set(buttons(window)) == {"H&ide"}
    goes_on.set()
    qtbot.waitUntil(lambda: "not a run folder" in window.message.text)
    qtbot.waitUntil(lambda: not label(window, "workText").isVisible())


def test_loading_data_shows_itself(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, really_load = threading.Event(), data_loader.load_dataset

    def slow(*arguments: object, **options: object) -> object:
        goes_on.wait(30)
        return really_load(*arguments, **options)

    monkeypatch.setattr(data_loader, "load_dataset", slow)
    folder = write_noise(tmp_path / "noise")
    window.session.load_data("folder", folder)
    qtbot.waitUntil(lambda: window.message.text == "Loading noise…")
    goes_on.set()
    qtbot.waitUntil(
        lambda: "noise" in str(window.session.dataset and window.session.dataset.name), timeout=20_000
    )
    qtbot.waitUntil(lambda: not window.message.text)


# Names from files

ODD = "<b>x</b> & <script>"
LONG = "n" * 110


@pytest.mark.parametrize("name", [ODD.replace("/", "∕"), LONG])
def test_a_name_is_shown_as_it_is_and_widens_nothing(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    window.resize(1000, 700)
    train(qtbot, window)
    qtbot.wait(50)
    width = window.width()
    folder = write_noise(tmp_path / name)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    data_menu(window)["Open folder…"].trigger()
    (sheet,) = window.findChildren(ImageSheet)
    (use,) = (b for b in sheet.findChildren(QPushButton) if b.text() == "&Use these images")
    qtbot.waitUntil(use.isEnabled, timeout=20_000)
    qtbot.mouseClick(use, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.message.key == "data", timeout=20_000)
    assert name in window.message.text
    shown = label(window).text().replace(BREAK, "")
    assert name in shown if len(name) < 60 else name[:30] in shown
    assert label(window).textFormat() is Qt.TextFormat.PlainText
    tip = label(window).toolTip()
    assert not tip or name in tip
    assert window.width() == width
    assert window.minimumSizeHint().width() <= 1000
    press(qtbot, window, "Start &anew")
    qtbot.waitUntil(
        lambda: name in str(window.session.dataset and window.session.dataset.name), timeout=20_000
    )
    qtbot.wait(50)
    window.session.save(tmp_path / "runs" / name)
    qtbot.waitUntil(lambda: window.session.saved_step == 0, timeout=20_000)
    window.session.open_run(tmp_path / "no run" / name)
    qtbot.waitUntil(lambda: "not a run folder" in window.message.text)
    qtbot.wait(50)
    assert window.width() == width
    assert window.minimumSizeHint().width() <= 1000
    for widget in window.findChildren(QWidget):
        # What Qt would read as markup stands in no tooltip and in no label.
        assert "<b>x" not in widget.toolTip()
        if isinstance(widget, QLabel) and "<b>x" in widget.text():
            assert widget.textFormat() is Qt.TextFormat.PlainText, widget.objectName()


def test_the_same_images_again_keep_their_mark(qtbot: QtBot, window: MainWindow) -> None:
    train(qtbot, window)
    entry = data_menu(window)["Bundled digits (MNIST 10k)"]
    for _ in range(2):  # the window's 600 of them at first, then all of them twice
        entry.trigger()
        qtbot.waitUntil(lambda: window.message.key == "data", timeout=20_000)
        with qtbot.waitSignal(window.session.work_ended, check_params_cb=lambda key: key == "preparing"):
            press(qtbot, window, "&Keep the trained model")
        assert chosen(window) == ["Bundled digits (MNIST 10k)"]


def test_a_sentence_begins_with_a_capital_but_a_symbol_stays(qtbot: QtBot) -> None:
    bar = message_bar.MessageBar()
    qtbot.addWidget(bar)
    for sentence, seen in (
        ("the rate is high.", "The rate is high."),
        ("β = 100 is much.", "β = 100 is much."),
    ):
        bar.show_message(sentence, key="same")
        assert bar.text == seen

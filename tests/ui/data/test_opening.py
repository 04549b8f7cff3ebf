"""Opening images in the real window: dialog, drop and command line lead to the sheet, and from there to training."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import awkward_pictures
import numpy as np
import pytest
import run_folders
from PIL import Image
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit, QListView, QPushButton, QWidget
from pytestqt.qtbot import QtBot
from small_images import write_idx_folder

from vaeviewer import app
from vaeviewer.backend.config import Settings
from vaeviewer.backend.data import DataSource, opening
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.session.states import Action, State
from vaeviewer.ui.curves.metric_plot import MetricPlot
from vaeviewer.ui.data.contact_sheet import ContactSheet
from vaeviewer.ui.data.image_sheet import ImageSheet
from vaeviewer.ui.plane.latent_canvas import LatentCanvas
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


def write_pictures(folder: Path, classes: int = 3, each: int = 12, side: int = 40) -> Path:
    """Colour pictures in folders "0", "1", …; each class has a level of its own."""
    rng = np.random.default_rng(0)
    for label in range(classes):
        (folder / str(label)).mkdir(parents=True)
        for row in range(each):
            levels = rng.integers(0, 60, (side, side + 8, 3)) + 60 * label
            Image.fromarray(levels.astype(np.uint8)).save(folder / str(label) / f"{row:02}.png")
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "pictures")


@pytest.fixture
def window(make_window: MakeWindow, small: Settings) -> MainWindow:
    return make_window(small)


def sheet_of(window: MainWindow) -> ImageSheet:
    (sheet,) = [s for s in window.findChildren(ImageSheet) if s.isVisible()]
    return sheet


def button(widget: QWidget, text: str) -> QPushButton:
    (found,) = [b for b in widget.findChildren(QPushButton) if b.text().replace("&", "") == text]
    return found


def wait_read(qtbot: QtBot, sheet: ImageSheet) -> None:
    qtbot.waitUntil(lambda: button(sheet, "Use these images").isEnabled(), timeout=20_000)


def use(qtbot: QtBot, window: MainWindow) -> None:
    sheet = sheet_of(window)
    wait_read(qtbot, sheet)
    qtbot.mouseClick(button(sheet, "Use these images"), Qt.MouseButton.LeftButton)


def drop(widget: QWidget, *paths: str | Path, text: str = "") -> None:
    """A real drag onto a widget and a drop there, as the window system sends them."""
    data = QMimeData()
    if paths:
        data.setUrls([QUrl(p) if isinstance(p, str) else QUrl.fromLocalFile(str(p)) for p in paths])
    if text:
        data.setText(text)
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    offered = copy | Qt.DropAction.MoveAction
    enter = QDragEnterEvent(QPoint(5, 5), offered, data, left, none)
    QApplication.sendEvent(widget, enter)
    assert enter.isAccepted()
    dropped = QDropEvent(QPointF(5, 5), offered, data, left, none, QEvent.Type.Drop)
    dropped.setDropAction(Qt.DropAction.MoveAction)
    QApplication.sendEvent(widget, dropped)
    assert dropped.dropAction() is copy, "after a move, a file manager would delete the files"


def menu_entry(window: MainWindow, text: str) -> QAction:
    (found,) = [a for a in window.findChildren(QAction) if a.text().replace("&", "") == text]
    return found


def text_of(widget: QWidget, name: str) -> str:
    return widget.findChild(QWidget, name).text().replace("​", "")  # type: ignore[attr-defined]


def test_by_dialog_from_the_menu_to_a_trained_model(
    qtbot: QtBot, window: MainWindow, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def choose(_parent: QWidget, _title: str, place: str) -> str:
        asked.append(place)
        return str(pictures)

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", choose)
    menu_entry(window, "Open folder…").trigger()
    sheet = sheet_of(window)
    wait_read(qtbot, sheet)
    assert sheet.focusWidget() is button(sheet, "Use these images"), "one key is enough"
    assert "36 images of 40 × 48 pixels in colour, 3 classes" in text_of(sheet, "sheetFacts")
    assert "32 to train on, 4 held out" in text_of(sheet, "sheetFacts")
    assert window.session.dataset is not None
    assert window.session.dataset.image_shape == (28, 28), "nothing is exchanged before one says so"
    use(qtbot, window)
    qtbot.waitUntil(lambda: window.session.dataset.image_shape == (40, 48, 3), timeout=20_000)
    qtbot.waitUntil(lambda: window.session.state is State.READY)
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED, timeout=30_000)
    assert not window.findChildren(ImageSheet)
    menu_entry(window, "Open folder…").trigger()
    assert asked[1] == str(pictures), "the dialog begins where one was"
    QTest.keyClick(sheet_of(window), Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not window.findChildren(ImageSheet))
    assert window.session.dataset.image_shape == (40, 48, 3)


def test_a_file_by_dialog(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "some.npz"
    np.savez(file, images=np.random.default_rng(0).integers(0, 256, (30, 9, 17), dtype=np.uint8))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    menu_entry(window, "Open file…").trigger()
    wait_read(qtbot, sheet_of(window))
    assert "no labels" in text_of(sheet_of(window), "sheetFacts")
    np.savez(file, images=np.zeros((30, 9, 17), np.uint8), labels=np.arange(30) % 2)
    menu_entry(window, "Open file…").trigger()
    use(qtbot, window)
    qtbot.waitUntil(lambda: window.session.dataset.image_shape == (9, 17), timeout=20_000)


@pytest.mark.parametrize("onto", [LatentCanvas, MetricPlot, MainWindow])
def test_a_drop_opens_the_sheet_wherever_it_falls(
    qtbot: QtBot, window: MainWindow, pictures: Path, onto: type[QWidget]
) -> None:
    target = window if onto is MainWindow else window.findChildren(onto)[0]
    drop(getattr(target, "viewport", lambda: target)(), pictures)
    wait_read(qtbot, sheet_of(window))
    other = write_pictures(pictures.parent / "other", classes=2)
    drop(sheet_of(window), other)
    wait_read(qtbot, sheet_of(window))
    assert "24 images" in text_of(sheet_of(window), "sheetFacts")
    use(qtbot, window)
    qtbot.waitUntil(lambda: "other" in window.session.dataset.name, timeout=20_000)


def test_what_is_no_folder_or_file_gets_one_sentence(window: MainWindow, pictures: Path) -> None:
    drop(window, pictures, pictures / "0")
    assert "one folder or file at a time" in window.message.text
    drop(window, "https://example.org/cat.png")
    assert "no folder or file of this computer" in window.message.text
    drop(window, text="some words")
    assert "no folder or file of this computer" in window.message.text
    assert not window.findChildren(ImageSheet)


def test_a_run_is_told_from_images_by_what_is_in_it(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, small: Settings, pictures: Path
) -> None:
    trainer = Trainer(write_idx_folder(tmp_path / "idx", train=100), small)
    trainer.step()
    trainer.finish_block()
    run_folders.save(trainer, tmp_path / "run")
    drop(window, tmp_path / "run")
    qtbot.waitUntil(lambda: window.session.folder == tmp_path / "run", timeout=20_000)
    (pictures / "manifest.json").write_text('{"name": "my web page"}')
    drop(window, pictures)
    wait_read(qtbot, sheet_of(window))


def test_a_model_that_was_trained_is_asked_about_first(
    qtbot: QtBot, window: MainWindow, pictures: Path
) -> None:
    window.session.request(Action.STEP)
    qtbot.waitUntil(lambda: window.session.snapshot is not None and window.session.snapshot.step == 1)
    drop(window, pictures)
    use(qtbot, window)
    qtbot.waitUntil(lambda: "another size" in window.message.text)
    qtbot.mouseClick(button(window.message, "Start anew"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.session.dataset.image_shape == (40, 48, 3), timeout=20_000)


def test_choices_are_read_at_once_and_belong_to_the_run(
    qtbot: QtBot, window: MainWindow, pictures: Path, tmp_path: Path
) -> None:
    drop(window, pictures)
    sheet = sheet_of(window)
    wait_read(qtbot, sheet)
    size = sheet.form.editor("size")
    assert isinstance(size, QLineEdit)
    assert size.placeholderText() == "Automatic: 40x48"
    size.setFocus()
    QTest.keyClicks(size, "5")
    QTest.keyClick(size, Qt.Key.Key_Return)
    assert "Size must be HEIGHTxWIDTH" in text_of(sheet, "readingProblem")
    QTest.keyClick(size, Qt.Key.Key_Backspace)
    QTest.keyClicks(size, "16x24")
    QTest.keyClick(size, Qt.Key.Key_Return)
    assert sheet.isVisible(), "Enter takes the field, and uses nothing"
    assert not text_of(sheet, "readingProblem")
    QTest.keyClick(sheet.form.editor("channels"), Qt.Key.Key_G)
    qtbot.waitUntil(lambda: "16 × 24 pixels in grey" in text_of(sheet, "sheetFacts"), timeout=20_000)
    use(qtbot, window)
    qtbot.waitUntil(lambda: window.session.dataset.image_shape == (16, 24), timeout=20_000)
    qtbot.waitUntil(lambda: window.session.state is State.READY)
    window.session.request(Action.STEP)
    qtbot.waitUntil(lambda: window.session.state is State.PAUSED)
    window.session.save(tmp_path / "run")
    qtbot.waitUntil(lambda: window.session.folder == tmp_path / "run")
    source: DataSource = load_run(tmp_path / "run").data.source
    assert source.path == str(pictures)
    assert source.reading is not None
    assert (source.reading.size, source.reading.channels) == ((16, 24), "grey")
    # Opened again, it finds its images without a sheet; moved, it is told where they are and reads them alike.
    window.session.open_run(tmp_path / "run")
    qtbot.waitUntil(lambda: window.session.state is State.PAUSED, timeout=20_000)
    assert not window.findChildren(ImageSheet)
    pictures.rename(tmp_path / "moved")
    window.session.open_run(tmp_path / "run")
    qtbot.waitUntil(lambda: "pictures" in window.message.text, timeout=20_000)
    window.session.open_run(tmp_path / "run", tmp_path / "moved")
    qtbot.waitUntil(lambda: window.session.dataset.source.path == str(tmp_path / "moved"), timeout=20_000)
    assert window.session.dataset.image_shape == (16, 24)


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Reading waits, after it has told of some progress, until this is set or it is cancelled."""
    goes_on, really_open = threading.Event(), opening.open_images

    def slow(path: Path, reading: object, *, progress: Callable, cancelled: Callable) -> object:
        progress(40, 100)
        while not goes_on.wait(0.01) and not cancelled():
            pass
        return really_open(path, reading, progress=progress, cancelled=cancelled)

    monkeypatch.setattr(opening, "open_images", slow)
    yield goes_on
    goes_on.set()


def test_reading_can_be_given_up_and_training_goes_on(
    qtbot: QtBot, window: MainWindow, pictures: Path, held_up: threading.Event
) -> None:
    drop(window, pictures)
    sheet = sheet_of(window)
    qtbot.waitUntil(lambda: any("40 %" in w.text() for w in sheet.findChildren(type(sheet._doing))))
    assert not button(sheet, "Use these images").isEnabled()
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: window.session.state is State.FINISHED, timeout=30_000)
    held_up.set()
    wait_read(qtbot, sheet)
    held_up.clear()
    box = sheet.form.editor("fit")
    QTest.keyClick(box, Qt.Key.Key_P)
    assert not button(sheet, "Use these images").isEnabled()
    qtbot.mouseClick(button(sheet, "Stop reading"), Qt.MouseButton.LeftButton)
    assert button(sheet, "Use these images").isEnabled()
    assert sheet.form.reading.fit == "crop"
    QTest.keyClick(box, Qt.Key.Key_P)
    QTest.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()
    assert window.session.dataset.image_shape == (28, 28)


def test_the_newest_choice_wins(
    qtbot: QtBot, window: MainWindow, pictures: Path, held_up: threading.Event
) -> None:
    drop(window, pictures)
    sheet = sheet_of(window)
    for key in (Qt.Key.Key_G, Qt.Key.Key_C, Qt.Key.Key_G):
        QTest.keyClick(sheet.form.editor("channels"), key)
    held_up.set()
    wait_read(qtbot, sheet)
    assert "in grey" in text_of(sheet, "sheetFacts")


def test_a_hostile_folder_is_listed_to_copy_and_to_save(
    qtbot: QtBot, window: MainWindow, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = awkward_pictures.write_awkward(pictures / "0")
    drop(window, pictures)
    sheet = sheet_of(window)
    wait_read(qtbot, sheet)
    assert "36 images" in text_of(sheet, "sheetFacts")
    listed = sheet.findChild(QListView, "skippedFiles")
    assert listed.model().rowCount() == len(expected)
    qtbot.mouseClick(button(sheet, "Copy"), Qt.MouseButton.LeftButton)
    copied = QGuiApplication.clipboard().text()
    file = tmp_path / "list.txt"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), ""))
    qtbot.mouseClick(button(sheet, "Save…"), Qt.MouseButton.LeftButton)
    assert file.read_text("utf-8") == copied
    for name, reason in expected.items():
        (line,) = [line for line in copied.splitlines() if line.startswith(f"0/{name} ")]
        assert reason in line
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "none" / "x"), ""))
    qtbot.mouseClick(button(sheet, "Save…"), Qt.MouseButton.LeftButton)
    assert "could not be written" in text_of(sheet, "skippedSaid")


def test_a_folder_that_vanishes_is_a_sentence_and_another_one_can_be_tried(
    qtbot: QtBot, window: MainWindow, pictures: Path, held_up: threading.Event
) -> None:
    drop(window, pictures)
    shutil.rmtree(pictures)
    held_up.set()
    sheet = sheet_of(window)
    # Of a long path the middle is left out.
    qtbot.waitUntil(lambda: f"/{pictures.name}" in text_of(sheet, "sheetSentence"), timeout=20_000)
    assert not button(sheet, "Use these images").isEnabled()
    write_pictures(pictures)
    drop(sheet, pictures)
    use(qtbot, window)
    qtbot.waitUntil(lambda: window.session.dataset.image_shape == (40, 48, 3), timeout=20_000)


def test_what_cannot_be_read_may_be_with_another_choice(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    file = tmp_path / "heights.npy"
    np.save(file, np.linspace(900, 5000, 20 * 10 * 10, dtype=np.float32).reshape(20, 10, 10))
    drop(window, file)
    sheet = sheet_of(window)
    qtbot.waitUntil(lambda: "fit no range" in text_of(sheet, "sheetSentence"), timeout=20_000)
    QTest.keyClick(sheet.form.editor("levels"), Qt.Key.Key_S)
    wait_read(qtbot, sheet)
    assert not sheet.findChild(QWidget, "sheetSentence").isVisible()


def test_a_thousand_classes_scroll_and_only_what_is_seen_is_drawn(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    file = tmp_path / "many.npz"
    np.savez(file, images=rng.integers(0, 256, (4000, 16, 16), dtype=np.uint8), labels=np.arange(4000) % 1000)
    drop(window, file)
    sheet = sheet_of(window)
    wait_read(qtbot, sheet)
    rows: ContactSheet = sheet.images
    seen = rows.rows_seen
    assert seen.start == 0
    assert len(seen) < 20
    rows.setFocus()
    QTest.keyClick(rows, Qt.Key.Key_End)
    assert rows.rows_seen.stop == 1000
    assert rows.text_at(QPoint(20, rows.viewport().height() - 10)).startswith("999: 4 images")


@pytest.fixture
def started(qtbot: QtBot, pictures: Path) -> Iterator[MainWindow]:
    window = app.create_main_window(images=pictures)
    window.show()
    yield window
    window.close()
    window.deleteLater()


@pytest.mark.slow
def test_from_the_command_line(qtbot: QtBot, started: MainWindow) -> None:
    qtbot.waitUntil(lambda: bool(started.findChildren(ImageSheet)))
    use(qtbot, started)
    qtbot.waitUntil(lambda: started.session.state is State.READY, timeout=30_000)
    assert started.session.dataset is not None
    assert started.session.dataset.image_shape == (40, 48, 3)


@pytest.mark.slow
def test_from_the_command_line_and_not_wanted(qtbot: QtBot, started: MainWindow) -> None:
    qtbot.waitUntil(lambda: bool(started.findChildren(ImageSheet)))
    QTest.keyClick(sheet_of(started), Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: started.session.state is State.READY, timeout=30_000)
    assert started.session.dataset is not None
    assert started.session.dataset.source.key == "mnist-10k"


def test_the_mouse_says_of_which_file_an_image_is(qtbot: QtBot, window: MainWindow, pictures: Path) -> None:
    drop(window, pictures)
    sheet = sheet_of(window)
    wait_read(qtbot, sheet)
    view = sheet.images
    found = {
        view.text_at(QPoint(x, y)) for x in range(0, view.width(), 8) for y in range(0, view.height(), 8)
    }
    assert {"0: 12 images", "1: 12 images", "2: 12 images"} < found
    files = found - {"", "0: 12 images", "1: 12 images", "2: 12 images"}
    assert len(files) > 15
    assert all((pictures / file).is_file() for file in files)

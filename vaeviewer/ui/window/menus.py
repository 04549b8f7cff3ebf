"""The menus and what their entries do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QImage, QKeySequence
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from vaeviewer import __version__, log, paths
from vaeviewer.session.messages import OPENING, Opened
from vaeviewer.session.states import BUTTONS, Action, State
from vaeviewer.ui.plane.latent_backdrop import IMAGES
from vaeviewer.ui.runs.recent_menu import RecentMenu
from vaeviewer.ui.widgets.pictures import to_qimage
from vaeviewer.ui.window.data_menu import DataMenu
from vaeviewer.ui.window.family_page import show_family_page
from vaeviewer.ui.window.key_list import show_key_list
from vaeviewer.ui.window.main_window import MainWindow
from vaeviewer.ui.window.panel_help import explain_focused
from vaeviewer.ui.window.text_dialog import TextDialog


class Menus(QObject):
    """Builds the menu bar of a main window and keeps its entries true to the session's state."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._build_file()
        data = self._menu("&Data")
        DataMenu(data, window)
        window.doctor.images_wanted.connect(lambda: window.menuBar().setActiveAction(data.menuAction()))
        self._build_view()
        self._build_training()
        self._build_help()
        session = window.session
        session.state_changed.connect(self.show_state)
        session.opened.connect(self._on_opened)
        window.run_status.elsewhere_wanted.connect(self._save_run_as)
        window.decoded.save_wanted.connect(self._save_image)
        window.form.page_wanted.connect(lambda: show_family_page(window))
        session.data_missing.connect(self._ask_for_data)
        self.show_state(session.state)

    def show_state(self, state: State) -> None:
        """Enable what ``state`` allows."""
        buttons = BUTTONS[state]
        self._train.setEnabled(buttons.train is not None)
        self._step.setEnabled(buttons.step is not None)
        self._stop.setEnabled(buttons.stop is not None)
        self._reset.setEnabled(buttons.reset is not None)
        loaded = state is not State.LOADING
        for action in (self._new, self._save, self._save_as, self._export):
            action.setEnabled(loaded)

    def _on_opened(self, opened: Opened) -> None:
        posterior = opened.snapshot.posterior
        self._sample.setEnabled(posterior is not None and posterior.log_variance is not None)

    def _build_file(self) -> None:
        menu = self._menu("&File")
        keys = QKeySequence.StandardKey
        self._new = self._add(menu, "&New run with these settings", self._window.session.new_run, keys.New)
        self._new.setToolTip(
            "New weights from the seed, and a folder of its own; the run so far stays on disk"
        )
        self._add(menu, "&Open run…", self._open_run, keys.Open)
        menu.addMenu(RecentMenu(menu, self._window.recent_runs, self._window.session))
        menu.addSeparator()
        self._save = self._add(menu, "&Save run", self._save_run, keys.Save)
        self._save_as = self._add(menu, "Save run &as…", self._save_run_as, keys.SaveAs)
        menu.addSeparator()
        self._export = self._add(menu, "&Export manifold…", self._export_manifold, "Ctrl+E")
        menu.addSeparator()
        self._add(menu, "&Quit", self._window.close, "Ctrl+Q")

    def _build_view(self) -> None:
        window = self._window
        menu = self._menu("&View")
        self._add(menu, "&Fit the plane, or the curves", self._fit, "F")
        images = self._add(menu, "Decoded images &behind the points", self._toggle_images, "U")
        images.setCheckable(True)
        # A map may have taken their place.
        menu.aboutToShow.connect(lambda: images.setChecked(window.view.behind == IMAGES))
        self._sample = sample = self._add(menu, "One &sample of each posterior", lambda: None)
        sample.setToolTip("Draw one sample of each q(z|x) in place of its mean.")
        sample.setCheckable(True)
        sample.toggled.connect(lambda on: window.set_view(points="sample" if on else "mean"))
        labels = self._add(menu, "Class &names in the plane", lambda: None)
        labels.setCheckable(True)
        labels.setChecked(True)
        labels.toggled.connect(window.plane.set_class_labels)
        menu.addAction(window.decoded.type_action)
        menu.addSeparator()
        # The second is what keyboards have where "+" needs Shift.
        self._add(menu, "Text &larger", lambda: window.text_size.step(1), "Ctrl++", "Ctrl+=")
        self._add(menu, "Text sm&aller", lambda: window.text_size.step(-1), "Ctrl+-")
        self._add(menu, "Text as lar&ge as usual", window.text_size.reset, "Ctrl+0")
        self._add(menu, "Lecture &hall: full screen", window.lecture_hall.toggle, "F11")
        menu.addSeparator()
        wanted = QMenu("Sho&w the mathematics", menu)
        wanted.setObjectName("onDemand")
        for dock in window.docks:
            (wanted if dock.property("onDemand") else menu).addAction(dock.toggleViewAction())
        if wanted.actions():
            menu.addMenu(wanted)
        self._add(menu, "&Restore the layout", window.reset_layout)

    def _build_training(self) -> None:
        request = self._window.session.request
        menu = self._menu("&Training")
        # Space itself belongs to the window's shortcut, which leaves it to a field that has the focus.
        controls = self._window.controls
        self._train = self._add(menu, f"&{controls.train_text}", controls.press_train)
        controls.train_text_changed.connect(lambda text: self._train.setText(f"&{text}"))
        self._step = self._add(menu, "One st&ep", lambda: request(Action.STEP), ".")
        self._stop = self._add(menu, "St&op", lambda: request(Action.STOP), "Ctrl+.")
        self._reset = self._add(menu, "Re&set", lambda: request(Action.RESET), "Ctrl+R")

    def _build_help(self) -> None:
        message = self._window.message
        menu = self._menu("&Help")
        self._add(menu, "&Keyboard and mouse", lambda: show_key_list(self._window), "F1")
        self._add(menu, "E&xplain this panel", lambda: explain_focused(self._window), "Shift+F1")
        self._add(
            menu, "&What you see with this kind of model", lambda: show_family_page(self._window), "Ctrl+F1"
        )
        self._add(menu, "Show &log", self._show_log)
        self._add(
            menu,
            "&About vaeviewer",
            lambda: message.show_message(
                f"vaeviewer {__version__}: an explorer for the latent spaces of variational autoencoders "
                "(Kingma & Welling 2013). Bundled digits: MNIST by Yann LeCun and Corinna Cortes, CC BY-SA 3.0.",
                key="about",
            ),
        )

    def _menu(self, title: str) -> QMenu:
        return self._window.menuBar().addMenu(title)

    def _add(
        self,
        menu: QMenu,
        text: str,
        action: Callable[[], object],
        *shortcuts: QKeySequence.StandardKey | str,
    ) -> QAction:
        entry = QAction(text, self._window)
        entry.triggered.connect(lambda _checked=False: action())
        entry.setShortcuts([QKeySequence(keys) for keys in shortcuts])
        menu.addAction(entry)
        self._window.addAction(entry)  # so that its keys work without the menu bar, too
        return entry

    # What entries do

    def _open_run(self) -> None:
        start = paths.nearest_folder(paths.runs_dir())
        folder = QFileDialog.getExistingDirectory(self._window, "Open run", str(start))
        if folder:
            self._window.opening.open(Path(folder))

    def _save_run(self) -> None:
        session = self._window.session
        if session.read_only:
            self._save_run_as()
        else:
            session.save(session.folder or paths.new_run_folder())

    def _save_run_as(self) -> None:
        start = paths.nearest_folder(paths.runs_dir()) / paths.new_run_folder().name
        folder, _ = QFileDialog.getSaveFileName(self._window, "Save run as a new folder", str(start))
        if folder:
            self._window.session.save(Path(folder))

    def _export_manifold(self) -> None:
        lay_out = self._window.manifold.layout_of_images()
        if lay_out is None:
            self._window.show_problem("there is no manifold yet; open the Manifold panel first.")
            return
        self._window.exports.ask(lambda: to_qimage(lay_out()), "Export manifold", "manifold.png")

    def _save_image(self, image: QImage) -> None:
        self._window.exports.ask(lambda: image, "Save image", "decoded.png")

    def _fit(self) -> None:
        """Show everything again in the curves, if they have the focus, else in the plane."""
        focus = self._window.focusWidget()
        if focus is not None and self._window.elbo_terms.isAncestorOf(focus):
            self._window.elbo_terms.reset_view()
        else:
            self._window.plane.fit()

    def _toggle_images(self) -> None:
        self._window.set_view(behind="" if self._window.view.behind == IMAGES else IMAGES)

    def _show_log(self) -> None:
        TextDialog(self._window, "Log", log.tail(), log.log_file()).show()

    def _ask_for_data(self, run: Path, sentence: str) -> None:
        answers = [
            ("&Find the images…", lambda: self._find_data(run, QFileDialog.getExistingDirectory)),
            (
                "Find their fi&le…",
                lambda: self._find_data(run, lambda *a: QFileDialog.getOpenFileName(*a)[0]),
            ),
        ]
        self._window.message.show_message(sentence, answers, key=OPENING)

    def _find_data(self, run: Path, ask: Callable[[QWidget, str], str]) -> None:
        found = ask(self._window, f"The images of {run.name}")
        if found:
            self._window.session.open_run(run, Path(found))

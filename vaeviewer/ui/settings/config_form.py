"""The settings form: its editors, labels, help and bounds all come from the fields of the settings."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from pydantic.fields import FieldInfo
from PySide6.QtCore import QEvent, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from vaeviewer.backend.config import (
    Settings,
    fields,
    of_family,
    presets,
    suited,
    updated,
    value_of,
    value_problem,
)
from vaeviewer.backend.models.fields import marked
from vaeviewer.backend.models.interface import ImageSpec
from vaeviewer.ui.settings.family_box import FamilyBox
from vaeviewer.ui.settings.live_settings import rate_text
from vaeviewer.ui.settings.number_fields import (
    NumberField,
    ignore_wheel_unless_focused,
)
from vaeviewer.ui.settings.setting_row import SettingRow
from vaeviewer.ui.settings.without_effect import without_effect
from vaeviewer.ui.widgets.labels import LiveLabel, tint
from vaeviewer.ui.widgets.theme import theme_of

GROUP_TITLES = {"model": "Model", "train": "Training", "compute": "Computing"}

_CUSTOM = "Custom"


class ConfigForm(QScrollArea):
    """Editors for all settings, with a chooser of presets on top; those that few need are folded away.

    Signals:
        settings_changed: The new :class:`Settings` after an edit by the user; only ever valid ones.
        page_wanted: The page about the kind of model is to be shown.
    """

    settings_changed = Signal(object)
    page_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("configForm")
        self._settings = Settings()
        self._before_families = self._settings  # as last set, but for the kind of model
        self._image: ImageSpec | None = None
        self._shown_family = ""
        self._run_reason: str | None = None
        self._rows: dict[str, SettingRow] = {}
        self._put_away: dict[str, dict[str, SettingRow]] = {}
        self._fixed_notes: list[QLabel] = []
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.setInterval(0)
        self._rate_now = LiveLabel()
        self._rate_now.setObjectName("rateNow")
        self._rate_now.hide()
        self._family = FamilyBox()
        self._family.activated.connect(self._family_chosen)
        self._sentence = QLabel()
        self._sentence.setObjectName("familySentence")
        self._sentence.setWordWrap(True)
        self._sentence.setTextFormat(Qt.TextFormat.PlainText)
        self._page = QToolButton()
        self._page.setObjectName("pageButton")
        self._page.setText("?")
        self._page.setAccessibleName("What you see with this kind of model")
        self._page.setToolTip("What you see with this kind of model, and its objective (Ctrl+F1)")
        self._page.clicked.connect(self.page_wanted)
        self._preset = _chooser("presetBox", "Preset", self._preset_chosen)
        self._preset.setPlaceholderText(_CUSTOM)  # shown where no preset fits; nothing to choose
        self._advanced = self._build_fold()

        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(self._build_page())
        self._settling.timeout.connect(self._form.update)
        self.set_settings(self._settings)
        self._apply_theme()

    def _build_page(self) -> QWidget:
        """All rows but those of the model, which :meth:`_show_family` makes for each family."""
        page = QWidget()
        self._form = layout = QFormLayout(page)
        layout.setContentsMargins(8, 10, 8, 10)
        layout.setHorizontalSpacing(6)
        layout.setVerticalSpacing(6)
        layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        layout.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        layout.addRow(_heading("Kind"))
        self._kind = QWidget()  # as wide as there is room: its names are long
        row = QHBoxLayout(self._kind)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._family, 1)
        row.addWidget(self._page)
        layout.addRow(self._kind)
        layout.addRow(self._sentence)
        layout.addRow("Preset", self._preset)
        lasting = [(group, name, info) for group, name, info in fields(self._settings) if group != "model"]
        for group, title in GROUP_TITLES.items():
            plain = [(name, info) for g, name, info in lasting if g == group and not marked(info, "advanced")]
            if plain or group == "model":
                layout.addRow(_heading(title))
                layout.addRow(self._fixed_note())
            for name, info in plain:
                self._add_row(layout.rowCount(), group, name, info)
        layout.addRow(self._advanced)
        layout.addRow(self._fixed_note())
        for group, name, info in lasting:
            if marked(info, "advanced"):
                self._add_row(layout.rowCount(), group, name, info)
        self._add_rate_now()
        return page

    def _show_family(self) -> None:
        """Make the rows of the model's own settings, in place of those of another family."""
        before, self._shown_family = self._shown_family, self._settings.model.family
        # Put away rather than destroyed: Qt may still have events for what was just being typed in.
        put_away = self._put_away.setdefault(before, {})
        for name in [name for name, row in self._rows.items() if row.group == "model"]:
            gone = put_away[name] = self._rows.pop(name)
            gone.editor.widget.blockSignals(True)  # what was being typed there is of the family before
            gone.editor.widget.setObjectName(f"{before} {name}")
            if gone.editor.widget.hasFocus():
                self._family.setFocus(Qt.FocusReason.OtherFocusReason)
            self._form.setRowVisible(gone.field, False)
        kept = self._put_away.pop(self._shown_family, {})
        for name, row in kept.items():
            self._rows[name] = row
            row.editor.widget.blockSignals(False)
            row.editor.widget.setObjectName(name)
            self._form.setRowVisible(row.field, self.advanced_open or not row.advanced)
        after: dict[bool, QWidget] = {
            False: self._fixed_notes[0],
            True: self._fixed_notes[-1],
        }  # by: advanced?
        for group, name, info in fields(self._settings):
            if group == "model" and not kept:
                advanced = marked(info, "advanced")
                self._add_row(self._row_of(after[advanced]) + 1, group, name, info)
                self._form.setRowVisible(self._rows[name].field, self.advanced_open or not advanced)
                after[advanced] = self._rows[name].field
        self._order_tabs()
        with QSignalBlocker(self._preset):
            self._preset.clear()
            about = self._settings.family.presets
            for name in presets(self._shown_family):
                self._preset.addItem(name.capitalize(), name)
                if name in about:
                    self._preset.setItemData(
                        self._preset.count() - 1, about[name].sentence, Qt.ItemDataRole.ToolTipRole
                    )
        with QSignalBlocker(self._family):
            self._family.setCurrentIndex(self._family.findData(self._shown_family))
        self._sentence.setText(self._settings.family.sentence)
        self._sentence.setToolTip(self._settings.family.source)
        self._apply_theme()

    def _order_tabs(self) -> None:
        """Tab goes downwards, whenever a row was made."""
        stops: list[tuple[QWidget, QWidget]] = [(row.field, row.editor.widget) for row in self._rows.values()]
        stops += [(widget, widget) for widget in (self._preset, self._advanced)]
        stops += [(self._kind, self._family), (self._kind, self._page)]
        stops.sort(key=lambda stop: self._row_of(stop[0]))
        for (_, before), (_, after) in pairwise(stops):
            QWidget.setTabOrder(before, after)

    def _row_of(self, widget: QWidget) -> int:
        place: tuple[int, object] = self._form.getWidgetPosition(widget)  # type: ignore[assignment]
        return place[0]

    def settings(self) -> Settings:
        """The newest valid settings; a field marked as invalid counts with its last valid value."""
        return self._settings

    def set_settings(self, settings: Settings) -> None:
        """Show ``settings`` in all fields, without a signal."""
        if settings != self._settings:
            self._before_families = settings
        self._settings = settings
        if settings.model.family != self._shown_family:
            self._show_family()
        for name, row in self._rows.items():
            with QSignalBlocker(row.editor.widget):
                row.editor.write(value_of(settings, name))
            row.mark("")
        self._refresh()

    def set_image(self, image: ImageSpec) -> None:
        """Let defaults be those that suit images of this size, and so what is at its default, without a signal."""
        before, self._image = self._image, image
        kept = suited(self._before_families, image, before)
        self.set_settings(suited(self._settings, image, before))
        self._before_families = kept

    def set_run_active(self, active: bool, reason: str) -> None:
        """Hold the fields that a run fixes, or free them.

        Args:
            active: Whether a run has begun and was not reset.
            reason: One sentence, shown above them, such as ``"Greyed settings are fixed: Reset first."``.
        """
        self._run_reason = reason if active else None
        self._refresh()

    def set_learning_rate(self, rate: float) -> None:
        """Say which learning rate is in force, where the schedule makes it another one than the field shows."""
        text = rate_text(rate, self._settings.train.learning_rate)
        self._rate_now.setText(text)
        if self._rate_now.isHidden() == bool(text):
            self._rate_now.setVisible(bool(text))

    @property
    def advanced_open(self) -> bool:
        """Whether the settings that few need are unfolded."""
        return self._advanced.isChecked()

    def set_advanced_open(self, opened: bool) -> None:
        """Fold the settings that few need away, or unfold them."""
        self._advanced.setChecked(opened)
        self._advanced.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        for row in self._rows.values():
            if row.advanced:
                self._form.setRowVisible(row.field, opened)
        self._refresh()

    def editor(self, name: str) -> QWidget:
        """The input widget of the setting ``name`` of either group."""
        return self._rows[name].editor.widget

    def error_text(self, name: str) -> str:
        """The sentence below the field ``name``; empty where it is valid."""
        return self._rows[name].error.text()

    def changeEvent(self, event: QEvent) -> None:
        """Take over the colours of a new scheme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._apply_theme()

    def _build_fold(self) -> QToolButton:
        button = QToolButton()
        button.setObjectName("advancedButton")
        button.setText("Advanced")
        button.setToolTip("Settings that few need: how it computes, samples per image, the Gaussian's scale")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setCheckable(True)
        button.setAutoRaise(True)
        button.setFont(_bold(button))
        button.toggled.connect(self.set_advanced_open)
        return button

    def _fixed_note(self) -> QLabel:
        """Room above a group for why its settings are greyed."""
        note = QLabel()
        note.setWordWrap(True)
        note.hide()
        self._fixed_notes.append(note)
        return note

    def _add_rate_now(self) -> None:
        self._rows["learning_rate"].column.insertWidget(1, self._rate_now)
        self._rate_now.setToolTip("The learning rate of the next step, to which the schedule has scaled it")

    def _add_row(self, place: int, group: str, name: str, info: FieldInfo) -> None:
        row = self._rows[name] = SettingRow(group, name, info, theme_of(self.palette()))
        self._form.insertRow(place, row.label, row.field)
        if row.advanced:
            self._form.setRowVisible(row.field, self.advanced_open)
        row.editor.on_commit(lambda: self._commit(name))
        if isinstance(row.editor.widget, NumberField):
            row.editor.widget.refused.connect(row.mark)

    def _commit(self, name: str) -> None:
        row = self._rows[name]
        problem = value_problem(row.info, row.editor.read())
        row.mark(problem)
        if problem:
            return
        settings = updated(self._settings, **{name: row.editor.read()})
        changed = settings != self._settings
        if changed:
            self._settings = self._before_families = settings
        with QSignalBlocker(row.editor.widget):
            row.editor.write(value_of(settings, name))  # the text as we would write it
        if changed:
            self._refresh()
            self.settings_changed.emit(settings)

    def _preset_chosen(self, index: int) -> None:
        preset = presets(self._shown_family, self._image)[self._preset.itemData(index)]
        # It says what is learned and how, not what computes it.
        self._take(preset.model_copy(update={"compute": self._settings.compute}))

    def _family_chosen(self, index: int) -> None:
        key = self._family.itemData(index)
        if key != self._shown_family:
            # What both have stays as it is set, also where the ones passed by on the way have it not.
            before = self._before_families
            self._take(of_family(before, key, self._image))
            self._before_families = before

    def _take(self, settings: Settings) -> None:
        if settings != self._settings:
            self.set_settings(settings)
            self.settings_changed.emit(settings)

    def _refresh(self) -> None:
        """Enable what may be edited now, say why for the rest, and name the preset that fits."""
        folded = len(self._fixed_notes) - 1
        for i, note in enumerate(self._fixed_notes):
            opened = i < folded or self.advanced_open
            note.setText(self._run_reason or "")
            note.setVisible(opened and self._run_reason is not None)
        for name, row in self._rows.items():
            reason = self._why_fixed(name)
            row.editor.widget.setEnabled(not reason)
            row.label.setEnabled(not reason)
            text = f"{row.info.description} {reason}" if reason else row.info.description or ""
            row.editor.widget.setToolTip(text)
            row.note.setText("" if reason == self._run_reason else reason)  # which stands above the group
            row.note.setVisible(bool(row.note.text()))
            row.label.setToolTip(text)
        found = presets(self._shown_family, self._image)
        names = [name for name, preset in found.items() if _learns_alike(preset, self._settings)]
        self._preset.setCurrentIndex(self._preset.findData(names[0]) if names else -1)
        self._preset.setEnabled(self._run_reason is None)
        about = self._preset.currentData(Qt.ItemDataRole.ToolTipRole)
        self._preset.setToolTip(self._run_reason or about or "All settings at once, to start from.")
        self._family.setEnabled(self._run_reason is None)
        self._family.setToolTip(self._run_reason or f"Which kind of model: {self._settings.family.source}")
        self._settling.start()  # Qt lays a note out before it knows its lines, and cuts the text above: once more then

    def _why_fixed(self, name: str) -> str:
        if self._run_reason is not None and not self._rows[name].live:
            return self._run_reason
        return without_effect(name, self._settings)

    def _apply_theme(self) -> None:
        for label in (
            self._sentence,
            *self._fixed_notes,
            self._rate_now,
        ):
            tint(label, theme_of(self.palette()).muted)
        for row in self._rows.values():
            row.set_theme(theme_of(self.palette()))


def _learns_alike(preset: Settings, settings: Settings) -> bool:
    """Whether two differ at most in what computes, of which a preset says nothing."""
    return (preset.model, preset.train) == (settings.model, settings.train)


def _chooser(name: str, title: str, chosen: Callable[[int], None]) -> QComboBox:
    chooser = QComboBox()
    chooser.setObjectName(name)
    chooser.setAccessibleName(title)
    chooser.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    chooser.setMinimumContentsLength(6)
    chooser.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    ignore_wheel_unless_focused(chooser)
    chooser.activated.connect(chosen)
    return chooser


def _heading(title: str) -> QLabel:
    label = QLabel(title)
    label.setFont(_bold(label))
    label.setContentsMargins(0, 8, 0, 0)
    return label


def _bold(widget: QWidget) -> QFont:
    font = widget.font()
    font.setBold(True)
    return font

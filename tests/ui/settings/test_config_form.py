from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QSpinBox,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import ComputeConfig, Settings, TrainConfig, fields, presets, updated, value_of
from vaeviewer.backend.models.families.vae import VaeConfig
from vaeviewer.backend.models.interface import ImageSpec
from vaeviewer.ui.settings.config_form import ConfigForm
from vaeviewer.ui.settings.number_fields import ScientificSpinBox, next_rung, number_text
from vaeviewer.ui.widgets.theme import DARK, LIGHT, build_palette

ALL_FIELDS = [name for _, name, _ in fields(Settings())]
LIVE_FIELDS = ["epochs", "learning_rate", "beta"]
ADVANCED_FIELDS = [
    *("conv_channels", "dense", "normalisation", "residual_blocks"),
    *("gaussian_variance", "gaussian_scale", "samples"),
    *("device", "precision", "engine", "threads"),
]
REASON = "Fixed during a run: Reset first."

positive = st.floats(1e-12, 10.0)
any_settings = st.builds(
    Settings,
    model=st.builds(
        VaeConfig,
        latent_dim=st.integers(1, 256),
        network=st.sampled_from(["mlp", "conv"]),
        conv_channels=st.integers(1, 256),
        dense=st.integers(0, 8192),
        normalisation=st.sampled_from(["none", "batch", "group"]),
        residual_blocks=st.integers(0, 8),
        hidden=st.lists(st.integers(1, 8192), min_size=1, max_size=8).map(tuple),
        activation=st.sampled_from(["tanh", "relu", "silu"]),
        likelihood=st.sampled_from(["bernoulli", "gaussian"]),
        gaussian_variance=st.sampled_from(["fixed", "learned"]),
        gaussian_scale=st.floats(0.01, 10.0),
        beta=st.just(0.0) | st.floats(1e-300, 1000.0),
        samples=st.integers(1, 100),
    ),
    train=st.builds(
        TrainConfig,
        epochs=st.integers(1, 100_000),
        batch_size=st.integers(1, 65_536),
        learning_rate=positive,
        schedule=st.sampled_from(["cosine", "constant"]),
        optimizer=st.sampled_from(["adam", "sgd", "adagrad"]),
        protocol=st.sampled_from(["grey", "dynamic", "threshold"]),
        seed=st.integers(0, 2**32 - 1),
    ),
    compute=st.builds(
        ComputeConfig,
        device=st.sampled_from(["auto", "cpu", "cuda", "mps"]),
        precision=st.sampled_from(["auto", "float32", "bfloat16"]),
        engine=st.sampled_from(["auto", "eager", "captured", "compiled", "fused"]),
        threads=st.integers(0, 1024),
    ),
)


@pytest.fixture
def form(qtbot: QtBot) -> ConfigForm:
    widget = ConfigForm()
    qtbot.addWidget(widget)
    widget.resize(260, 700)
    with qtbot.waitActive(widget):
        widget.show()
        widget.activateWindow()
    return widget


def heard(form: ConfigForm) -> list[Settings]:
    said: list[Settings] = []
    form.settings_changed.connect(said.append)
    return said


def type_into(widget: QWidget, text: str) -> None:
    widget.setFocus()
    assert isinstance(widget, QLineEdit | QAbstractSpinBox)
    widget.selectAll()
    QTest.keyClicks(widget, text)
    QTest.keyClick(widget, Qt.Key.Key_Return)


def preset_box(form: ConfigForm) -> QComboBox:
    box = form.findChild(QComboBox, "presetBox")
    assert box is not None
    return box


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=any_settings)
def test_settings_come_back_from_the_editors_as_they_were(form: ConfigForm, values: Settings) -> None:
    said = heard(form)
    form.set_settings(values)
    assert form.settings() == values
    assert not said
    for name in ALL_FIELDS:  # each editor by itself gives back its value exactly
        assert form._rows[name].editor.read() == tuple_of_text(value_of(values, name))


def tuple_of_text(value: Any) -> Any:
    return tuple(map(str, value)) if isinstance(value, tuple) else value


@pytest.mark.parametrize("name", ALL_FIELDS)
def test_every_field_has_an_editor_with_its_label_and_help(form: ConfigForm, name: str) -> None:
    info = next(info for _, field, info in fields(Settings()) if field == name)
    assert form.editor(name).accessibleName() == info.title
    assert form.editor(name).toolTip().startswith(info.description or "?")


def test_bounds_come_from_the_fields(form: ConfigForm) -> None:
    epochs = form.editor("epochs")
    assert isinstance(epochs, QSpinBox)
    assert (epochs.minimum(), epochs.maximum()) == (1, 100_000)
    beta = form.editor("beta")
    assert isinstance(beta, ScientificSpinBox)
    assert (beta.minimum(), beta.maximum()) == (0.0, 1000.0)


def test_an_edit_is_told_once(form: ConfigForm) -> None:
    said = heard(form)
    type_into(form.editor("epochs"), "7")
    form.editor("beta").setFocus()
    assert said == [updated(Settings(), epochs=7)]
    assert form.settings() == said[0]


@pytest.mark.parametrize("text", ["2e-4", "0.0002", "0,0002"])
def test_a_learning_rate_is_read_in_any_notation(form: ConfigForm, text: str) -> None:
    said = heard(form)
    type_into(form.editor("learning_rate"), text)
    assert [s.train.learning_rate for s in said] == [2e-4]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("learning_rate", "0", "Learning rate must be more than 0, but is 0"),
        ("learning_rate", "", "Learning rate must be a number"),
        ("learning_rate", "1e", "Learning rate must be a number, but is '1e'"),
        ("learning_rate", "99", "Learning rate must be at most 10, but is 99"),
        ("learning_rate", "-0,5", "Learning rate must be more than 0, but is -0.5"),
        ("beta", "1e4", "β must be at most 1000, but is 10000.0"),
        ("epochs", "0", "Epochs must be at least 1, but is 0"),
        ("epochs", "-3", "Epochs must be at least 1, but is -3"),
        ("epochs", "100001", "Epochs must be at most 100000, but is 100001"),
        ("epochs", "99999999999", "Epochs must be at most 100000, but is 99999999999"),
        ("batch_size", "", "Batch size must be a whole number"),
        ("seed", "4294967296", "Seed must be at most 4294967295, but is 4294967296"),
    ],
)
def test_a_number_that_cannot_be_used_stays_with_the_reason_until_it_is_left(
    form: ConfigForm, name: str, text: str, sentence: str
) -> None:
    said = heard(form)
    editor = form.editor(name)
    assert isinstance(editor, QAbstractSpinBox)
    before = editor.text()
    editor.setFocus()
    editor.selectAll()
    QTest.keyClick(editor, Qt.Key.Key_Delete)
    QTest.keyClicks(editor, text)
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert editor.text() == text
    assert form.error_text(name) == f"{sentence}."
    assert form._rows[name].error.isVisible()
    form.editor("hidden").setFocus()
    assert editor.text() == before
    assert form.error_text(name) == f"{sentence}; it stays {before}."
    assert not said
    type_into(editor, "3")
    assert form.error_text(name) == ""
    assert len(said) == 1


def test_too_large_a_number_is_refused_as_it_is_typed(form: ConfigForm) -> None:
    editor = form.editor("epochs")
    editor.setFocus()
    for text, refused in (("100000", False), ("1", True), ("\b", False)):
        QTest.keyClick(editor, Qt.Key.Key_Backspace) if text == "\b" else QTest.keyClicks(editor, text)
        if text == "100000":
            editor.selectAll()
            QTest.keyClicks(editor, text)
        assert bool(form.error_text("epochs")) == refused


@pytest.mark.parametrize("name", ADVANCED_FIELDS)
def test_advanced_settings_are_folded_until_the_group_is_opened(form: ConfigForm, name: str) -> None:
    form.set_settings(updated(Settings(), likelihood="gaussian"))
    fold = form.findChild(QToolButton, "advancedButton")
    assert fold is not None
    editor, label = form.editor(name), form._rows[name].label
    assert not editor.isVisible()
    assert not label.isVisible()
    QTest.mouseClick(fold, Qt.MouseButton.LeftButton)
    assert form.advanced_open
    assert editor.isVisible()
    assert label.isVisible()
    fold.setFocus()
    QTest.keyClick(fold, Qt.Key.Key_Space)
    assert not editor.isVisible()


def test_greyed_settings_say_why_where_they_stand(form: ConfigForm) -> None:
    def shown() -> list[str]:
        return [label.text() for label in form.findChildren(QLabel) if label.isVisible()]

    form.set_advanced_open(True)
    assert shown().count("Only the Gaussian likelihood has it.") == 2
    form.set_run_active(True, REASON)
    assert shown().count(REASON) == 3, "above each of the groups"
    form.set_advanced_open(False)
    assert shown().count(REASON) == 2
    form.set_run_active(False, REASON)
    assert REASON not in shown()


def test_the_learning_rate_in_force_stands_under_its_field(form: ConfigForm) -> None:
    label = form.findChild(QLabel, "rateNow")
    assert label is not None
    form.set_learning_rate(3e-3)
    assert not label.isVisible()
    form.set_learning_rate(0.00214159)
    assert label.isVisible()
    assert label.text() == "now 0.00214"
    editor = form.editor("learning_rate")
    assert label.mapTo(form, QPoint()).y() >= editor.mapTo(form, QPoint(0, editor.height())).y()


@pytest.mark.parametrize("text", ["512, abc", "0", "9999", "", "1,1,1,1,1,1,1,1,1", "2.5", "-3"])
def test_invalid_hidden_layers_are_marked_and_not_told(form: ConfigForm, text: str) -> None:
    said = heard(form)
    line = form.editor("hidden")
    assert isinstance(line, QLineEdit)
    line.clear()
    type_into(line, text)
    assert not said
    assert form.settings() == Settings()
    assert form.error_text("hidden").endswith(".")
    assert line.palette().color(line.foregroundRole()).name() in (LIGHT.warning, DARK.warning)
    type_into(line, "500 400")
    assert form.error_text("hidden") == ""
    assert line.text() == "500, 400"
    assert [s.model.hidden for s in said] == [(500, 400)]


def test_new_settings_clear_a_mark(form: ConfigForm) -> None:
    type_into(form.editor("hidden"), "none")
    form.set_settings(Settings())
    assert form.error_text("hidden") == ""


@pytest.mark.parametrize("name", ALL_FIELDS)
def test_a_run_fixes_all_but_the_live_fields(form: ConfigForm, name: str) -> None:
    network = "mlp" if name == "hidden" else "conv"
    form.set_settings(updated(Settings(), likelihood="gaussian", network=network))
    form.set_run_active(True, REASON)
    live = name in LIVE_FIELDS
    assert form.editor(name).isEnabled() == live
    assert (REASON in form.editor(name).toolTip()) == (not live)
    assert not preset_box(form).isEnabled()
    form.set_run_active(False, REASON)
    assert form.editor(name).isEnabled()
    assert REASON not in form.editor(name).toolTip()
    assert preset_box(form).isEnabled()


def test_the_gaussian_fields_wait_for_their_likelihood(form: ConfigForm) -> None:
    assert not form.editor("gaussian_scale").isEnabled()
    box = form.editor("likelihood")
    assert isinstance(box, QComboBox)
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Down)
    assert form.settings().model.likelihood == "gaussian"
    assert form.editor("gaussian_scale").isEnabled()


def test_presets_say_nothing_about_what_computes(form: ConfigForm) -> None:
    form.set_settings(updated(presets()["paper"], engine="eager", threads=1))
    box = preset_box(form)
    assert box.currentData() == "paper"
    box.activated.emit(box.findData("default"))
    assert form.settings() == updated(Settings(), engine="eager", threads=1)
    assert box.currentData() == "default"


def test_presets_are_offered_and_an_edit_makes_them_custom(form: ConfigForm) -> None:
    said = heard(form)
    box = preset_box(form)
    assert box.currentText() == "Default"
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Down)
    assert said == [presets()["paper"]]
    assert form.settings() == presets()["paper"]
    type_into(form.editor("batch_size"), "64")
    assert box.currentIndex() == -1
    assert box.placeholderText() == "Custom"
    form.set_settings(Settings())
    assert box.currentText() == "Default"


def test_zero_threads_read_automatic(form: ConfigForm) -> None:
    threads = form.editor("threads")
    assert isinstance(threads, QSpinBox)
    assert threads.text() == "Automatic"


@pytest.mark.parametrize("name", ["epochs", "learning_rate", "schedule", "seed"])
def test_the_wheel_scrolls_past_a_field_without_the_focus(form: ConfigForm, name: str) -> None:
    form.editor("hidden").setFocus()
    said = heard(form)
    assert not turn_wheel(form.editor(name))
    assert not said
    assert not form.editor(name).hasFocus()
    form.editor(name).setFocus()
    assert turn_wheel(form.editor(name))
    assert len(said) == (0 if name == "seed" else 1), "the seed is already at its lower end"


def turn_wheel(widget: QWidget) -> bool:
    """Turn the wheel over ``widget``; whether it took the event rather than left it to its parents."""
    middle = QPointF(widget.rect().center())
    event = QWheelEvent(
        middle,
        QPointF(widget.mapToGlobal(middle.toPoint())),
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


@pytest.mark.parametrize("name", ALL_FIELDS)
def test_a_narrow_dock_clips_nothing(form: ConfigForm, name: str) -> None:
    form.set_advanced_open(True)
    QTest.qWait(0)
    row = form._rows[name]
    assert form.horizontalScrollBar().maximum() == 0
    for widget in (row.label, row.editor.widget):
        assert widget.width() >= widget.minimumSizeHint().width()
        right = widget.mapTo(form, QPoint(widget.width(), 0)).x()
        assert right <= form.viewport().width()


def test_marks_follow_the_scheme(form: ConfigForm) -> None:
    type_into(form.editor("hidden"), "none")
    line = form.editor("hidden")
    for theme in (DARK, LIGHT):
        form.setPalette(build_palette(theme))
        assert line.palette().color(line.foregroundRole()).name() == theme.warning


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.002, "0.002"), (1e-5, "1e-5"), (2e-5, "2e-5"), (20.0, "20"), (0.0, "0"), (1e22, "1e22")],
)
def test_numbers_are_written_short(value: float, text: str) -> None:
    assert number_text(value) == text


@given(st.floats(1e-300, 1e300))
def test_numbers_read_back_exactly(value: float) -> None:
    assert float(number_text(value)) == value


@given(st.floats(1e-9, 1e6))
def test_steps_climb_the_ladder(value: float) -> None:
    up, down = next_rung(value, up=True), next_rung(value, up=False)
    assert down < value < up
    for rung in (up, down):
        assert number_text(rung).strip("0.").split("e")[0] in ("1", "2", "5")


def test_steps_of_a_learning_rate_never_reach_zero(qtbot: QtBot) -> None:
    box = ScientificSpinBox(0.0, 10.0, above_minimum=True, smallest_step=1e-6)
    qtbot.addWidget(box)
    box.setValue(0.002)
    seen = []
    for _ in range(12):
        box.stepBy(-1)
        seen.append(box.text())
    assert seen[:4] == ["0.001", "0.0005", "0.0002", "0.0001"]
    assert seen[-1] == "1e-6"
    box.setValue(5.0)
    box.stepBy(3)
    assert box.value() == 10.0


def test_steps_of_a_weight_reach_zero_and_come_back(qtbot: QtBot) -> None:
    box = ScientificSpinBox(0.0, 1000.0, smallest_step=0.01)
    qtbot.addWidget(box)
    box.setValue(0.02)
    box.stepBy(-2)
    assert box.value() == 0.0
    box.stepBy(1)
    assert box.value() == 0.01


def test_the_default_is_that_of_the_images(form: ConfigForm) -> None:
    large, small = ImageSpec(256, 256), ImageSpec(28, 28)
    said = heard(form)
    form.set_image(large)
    assert value_of(form.settings(), "hidden") == (64, 64, 64)
    assert preset_box(form).currentText() == "Default"
    type_into(form.editor("latent_dim"), "5")
    preset_box(form).setCurrentIndex(0)
    preset_box(form).activated.emit(0)
    assert said[-1] == presets("vae", large)["default"]
    go_to(family_box(form), "sparse")
    assert value_of(said[-1], "hidden") == (), "the default of that kind"
    go_to(family_box(form), "vae")
    assert said[-1] == presets("vae", large)["default"]
    type_into(form.editor("hidden"), "512, 256, 128")
    assert value_of(said[-1], "hidden") == (512, 256, 128), "what is typed is taken"
    assert preset_box(form).currentText() == ""
    go_to(family_box(form), "iwae")
    assert value_of(said[-1], "hidden") == (512, 256, 128), "and stays"
    go_to(family_box(form), "vae")
    form.set_image(ImageSpec(128, 128))
    assert value_of(form.settings(), "hidden") == (512, 256, 128), "and stays"
    form.set_image(small)
    assert preset_box(form).currentText() == "Default"


def test_other_images_leave_alone_what_was_set_in_a_kind_of_model_passed_by(form: ConfigForm) -> None:
    large = ImageSpec(256, 256)
    form.set_image(ImageSpec(28, 28))
    said = heard(form)
    type_into(form.editor("beta"), "3")
    go_to(family_box(form), "autoencoder")
    form.set_image(large)
    assert value_of(form.settings(), "hidden") == (64, 64, 64)
    go_to(family_box(form), "vae")
    assert said[-1] == updated(presets("vae", large)["default"], beta=3.0)


def family_box(form: ConfigForm) -> QComboBox:
    box = form.findChild(QComboBox, "familyBox")
    assert box is not None
    return box


def go_to(box: QComboBox, key: str) -> None:
    """Choose a family by the arrow keys, one after the other."""
    way = Qt.Key.Key_Down if box.findData(key) > box.currentIndex() else Qt.Key.Key_Up
    while box.currentData() != key:
        before = box.currentIndex()
        QTest.keyClick(box, way)
        assert box.currentIndex() != before
        assert box.currentData(), "a heading was chosen"


def tab_stops(form: ConfigForm) -> list[str]:
    """Names of what Tab comes to, from the chooser of families on, once around."""
    start = family_box(form)
    start.setFocus()
    found = []
    for _ in range(60):
        focus = QApplication.focusWidget()
        if focus is not form:  # the room that scrolls
            found.append(focus.objectName())
        QTest.keyClick(focus, Qt.Key.Key_Tab)
        if QApplication.focusWidget() is start:
            break
    return found


def test_another_family_brings_its_own_settings(form: ConfigForm) -> None:
    said = heard(form)
    type_into(form.editor("batch_size"), "64")
    type_into(form.editor("hidden"), "300")
    box = family_box(form)
    box.setFocus()
    go_to(box, "denoising")
    assert box.hasFocus(), "the arrow key goes on"
    settings = said[-1]
    assert (
        settings == form.settings() == updated(presets("denoising")["default"], batch_size=64, hidden=(300,))
    )
    assert list(form._rows) != ALL_FIELDS
    assert {name for _, name, _ in fields(settings)} == form._rows.keys()
    assert [preset_box(form).itemData(i) for i in range(preset_box(form).count())] == list(
        presets("denoising")
    )
    sentence = form.findChild(QLabel, "familySentence")
    assert sentence is not None
    assert sentence.text() == settings.family.sentence
    type_into(form.editor("noise_level"), "0.25")
    assert form.settings().model.noise_level == 0.25  # type: ignore[attr-defined]
    box.setFocus()
    go_to(box, "vae")
    assert form.settings() == updated(Settings(), batch_size=64, hidden=(300,))
    QTest.qWait(0)
    assert form.editor("beta").isVisible()


def test_a_note_that_appears_cuts_no_text_above_it(form: ConfigForm) -> None:
    form.resize(270, 420)
    QTest.qWait(0)
    form.set_settings(updated(form.settings(), family="denoising"))
    QTest.qWait(0)
    form.set_settings(updated(form.settings(), network="conv"))
    note = form._rows["hidden"].note
    for _ in range(3):
        QTest.qWait(0)
    assert note.isVisible()
    for label in form.findChildren(QLabel):
        if label.isVisible() and label.wordWrap():
            assert label.height() >= label.heightForWidth(label.width()), label.text()


@pytest.mark.parametrize("opened", [False, True])
def test_tab_goes_downwards_in_every_family(form: ConfigForm, opened: bool) -> None:
    form.set_advanced_open(opened)
    for key in ("vae", "denoising", "vae"):
        form.set_settings(
            updated(form.settings(), family=key, likelihood="gaussian")
            if key == "vae"
            else presets(key)["default"]
        )
        QTest.qWait(0)
        stops = tab_stops(form)
        heights = [form.findChild(QWidget, name).mapTo(form.widget(), QPoint()).y() for name in stops]
        assert heights == sorted(heights)
        editable = {
            name
            for name, row in form._rows.items()
            if row.editor.widget.isEnabled() and (opened or not row.advanced)
        }
        assert {*stops} == {"familyBox", "pageButton", "presetBox", "advancedButton", *editable}
        for name, row in form._rows.items():
            assert row.editor.widget.isVisible() == (opened or not row.advanced), name


def test_what_is_typed_into_a_setting_that_goes_is_not_taken(form: ConfigForm) -> None:
    said = heard(form)
    beta = form.editor("beta")
    assert isinstance(beta, QAbstractSpinBox)
    beta.setFocus()
    beta.selectAll()
    QTest.keyClicks(beta, "7")
    form.set_settings(presets("denoising")["default"])  # as when a run is opened
    assert QApplication.focusWidget() is family_box(form)
    assert not said
    assert form.settings() == presets("denoising")["default"]


def test_a_run_fixes_the_family(form: ConfigForm) -> None:
    form.set_settings(presets("denoising")["default"])
    form.set_run_active(True, REASON)
    assert not family_box(form).isEnabled()
    assert family_box(form).toolTip() == REASON
    assert {name for name in form._rows if form.editor(name).isEnabled()} == {
        *("epochs", "learning_rate", "noise_level")
    }
    form.set_run_active(False, REASON)
    assert family_box(form).isEnabled()

"""The editor of a setting in the form, by the type of its field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from PySide6.QtWidgets import QComboBox, QLineEdit, QSizePolicy, QSpinBox, QWidget

from vaeviewer.ui.settings.number_fields import (
    ignore_wheel_unless_focused,
    number_field,
    number_value,
    set_number,
)

CHOICE_TEXT: Mapping[Any, str] = {
    "mlp": "Fully connected",
    "conv": "Convolutional",
    "tanh": "tanh",
    "relu": "ReLU",
    "silu": "SiLU",
    "sgd": "SGD",
    "kl": "KL",
    "l1": "L1",
    "M1+M2": "M1+M2",
    "grey": "Grey levels",
    "dynamic": "Dynamically binarised",
    "threshold": "Thresholded",
    "auto": "Automatic",
    "cpu": "CPU",
    "cuda": "CUDA",
    "mps": "MPS",
    "float32": "float32",
    "bfloat16": "bfloat16",
    True: "Yes",
    False: "No",
}
"""How a choice is written where its capitalised value would not do."""


@dataclass(frozen=True)
class Editor:
    """An input widget with one way to read and to write it; ``on_commit`` takes who is told of user edits."""

    widget: QWidget
    read: Callable[[], Any]
    write: Callable[[Any], None]
    on_commit: Callable[[Callable[[], None]], object]


def build_editor(name: str, info: FieldInfo, texts: Mapping[Any, str] = CHOICE_TEXT) -> Editor:
    """The editor that fits the type of a field; ``texts`` has how its choices are written."""
    if get_origin(info.annotation) is Literal:
        return _choice_editor(get_args(info.annotation), texts)
    if info.annotation is bool:
        return _choice_editor((True, False), texts)
    if get_origin(info.annotation) is tuple:
        return _list_editor()
    return _number_editor(name, info)


def _choice_editor(choices: tuple[Any, ...], texts: Mapping[Any, str]) -> Editor:
    box = QComboBox()
    # The longest choice may be cut in a narrow dock; opened, the list shows it whole.
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(6)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    for choice in choices:
        box.addItem(texts.get(choice, str(choice).capitalize()), choice)
    ignore_wheel_unless_focused(box)
    return Editor(
        box,
        read=box.currentData,
        write=lambda value: box.setCurrentIndex(box.findData(value)),
        on_commit=box.currentIndexChanged.connect,
    )


def _list_editor() -> Editor:
    line = QLineEdit()
    line.setMinimumWidth(60)
    return Editor(
        line,
        # Left as text: the settings themselves say what is wrong with a part that is no whole number.
        read=lambda: tuple(part for part in re.split(r"[\s,;]+", line.text()) if part),
        write=lambda value: line.setText(", ".join(map(str, value))),
        on_commit=line.editingFinished.connect,
    )


def _number_editor(name: str, info: FieldInfo) -> Editor:
    box = number_field(info)
    if name == "threads" and isinstance(box, QSpinBox):
        box.setSpecialValueText("Automatic")
    return Editor(
        box,
        read=lambda: number_value(box, info),
        write=lambda value: set_number(box, value),
        on_commit=box.valueChanged.connect,
    )

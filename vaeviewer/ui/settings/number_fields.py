"""Number fields whose bounds come from a setting: whole numbers, and floats that span decades."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from pydantic.fields import FieldInfo
from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal, SignalInstance
from PySide6.QtGui import QKeyEvent, QValidator
from PySide6.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QSpinBox, QWidget

from vaeviewer.backend.config import value_problem

_UNFINISHED_NUMBER = re.compile(r"-?\d*[.,]?\d*(e[+-]?\d{0,3})?", re.IGNORECASE)
_UNFINISHED_WHOLE = re.compile(r"-?\d{0,20}")
_QT_INT_MAX = 2**31 - 1


def number_text(value: float) -> str:
    """The shortest text that reads back as exactly ``value``: ``"0.002"``, ``"1e-5"``, ``"20"``."""
    text = repr(float(value)).removesuffix(".0")
    return re.sub(r"e([+-])0+(?=\d)", r"e\1", text).replace("e+", "e")


def next_rung(value: float, up: bool) -> float:
    """The next number above or below a positive ``value`` on the ladder …, 0.1, 0.2, 0.5, 1, 2, 5, …."""
    exponent = math.floor(math.log10(value))
    # Read from text, as 2 * 10**-5 is 2.0000000000000002e-05.
    rungs = [float(f"{m}e{e}") for e in range(exponent - 1, exponent + 2) for m in (1, 2, 5)]
    if up:
        return min(rung for rung in rungs if rung > value * (1 + 1e-9))
    return max(rung for rung in rungs if rung < value * (1 - 1e-9))


class _SaysWhy:
    """What both kinds of number field do with a text that is no value: keep it and say what is wrong.

    The text stays until it is corrected or the field is left, upon which the last value is back. Mixed into a
    ``QSpinBox`` or ``QDoubleSpinBox`` with a signal ``refused``, which takes the sentence; an empty one is all right.
    """

    if TYPE_CHECKING:  # what both kinds of spin box have
        refused: SignalInstance
        lineEdit: Any  # noqa: N815
        valueChanged: Any  # noqa: N815
        hasAcceptableInput: Any  # noqa: N815
        textFromValue: Any  # noqa: N815
        text: Any
        value: Any
        setValue: Any  # noqa: N815
        maximum: Any

    setting: FieldInfo | None = None
    _told = False

    def explain(self, setting: FieldInfo) -> None:
        """Say what is wrong in the words of the setting."""
        self.setting = setting
        self.lineEdit().textEdited.connect(self._edited)
        self.valueChanged.connect(lambda _: self._tell(""))

    def problem(self) -> str:
        """What is wrong with the text on screen, as a sentence; empty where it is a value."""
        if self.setting is None or self.hasAcceptableInput():
            return ""
        return value_problem(self.setting, _read(self.text())).replace(", but is ''", "")

    def take_back(self) -> None:
        """Show the last value again, as nobody wants the text that was typed."""
        self.setValue(self.value())
        self._tell("")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter on a text that is no value says why, and changes nothing."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.problem():
            self._tell(self.problem())
            return
        super().keyPressEvent(event)  # type: ignore[misc]

    def fixup(self, text: str, /) -> str:
        """Called before a text that is no value gives way to the last value: say that, too."""
        problem = self.problem()
        if problem:
            value = self.textFromValue(self.value())
            self._tell(f"{problem.removesuffix('.')}; it stays {value}.")
        return text

    def _edited(self) -> None:
        """Say at once what more digits would not mend; all else may yet become a value."""
        value = _read(self.text())
        too_large = isinstance(value, int | float) and value > self.maximum()
        self._tell(self.problem() if too_large or self._told else "")

    def _tell(self, sentence: str) -> None:
        if sentence or self._told:
            self._told = bool(sentence)
            self.refused.emit(sentence)


def _read(text: str) -> int | float | str:
    """The number a text stands for, or the text."""
    text = text.strip().replace(",", ".")
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


class WholeSpinBox(_SaysWhy, QSpinBox):
    """A field of whole numbers in which also one out of bounds can be typed, to be told why not.

    Signals:
        refused: A sentence on why the text is no value, or an empty one.
    """

    refused = Signal(str)

    def validate(self, text: str, pos: int) -> tuple[QValidator.State, str, int]:
        """Acceptable is a whole number within the bounds; any other one may be typed."""
        return _state_of_whole(self, text), text, pos


class LargeWholeSpinBox(_SaysWhy, QDoubleSpinBox):
    """As :class:`WholeSpinBox`, for numbers beyond its 2**31 - 1; a double holds those of 32 bits exactly."""

    refused = Signal(str)

    def validate(self, text: str, pos: int) -> tuple[QValidator.State, str, int]:
        """Acceptable is a whole number within the bounds; any other one may be typed."""
        return _state_of_whole(self, text), text, pos


def _state_of_whole(box: QSpinBox | QDoubleSpinBox, text: str) -> QValidator.State:
    stripped = text.strip()
    if stripped == box.specialValueText() != "":
        return QValidator.State.Acceptable
    if not _UNFINISHED_WHOLE.fullmatch(stripped):
        return QValidator.State.Invalid
    try:
        within = box.minimum() <= int(stripped) <= box.maximum()
    except ValueError:
        within = False
    return QValidator.State.Acceptable if within else QValidator.State.Intermediate


class ScientificSpinBox(_SaysWhy, QDoubleSpinBox):
    """A float field for settings that span decades: shows ``0.002`` or ``1e-5`` and steps by 1, 2, 5.

    It holds every float from 1e-300 on exactly. A value changes on Enter, on a step or when the focus
    leaves; upon that a text that is no number within the bounds goes back to the last value.

    Args:
        minimum: Smallest value.
        maximum: Largest value.
        above_minimum: Whether ``minimum`` itself is excluded, as zero is for a learning rate.
        smallest_step: The lowest rung of the ladder; below it a step goes to ``minimum`` or nowhere.
        parent: The parent widget.

    Signals:
        refused: A sentence on why the text is no value, or an empty one.
    """

    refused = Signal(str)

    def __init__(
        self,
        minimum: float = 0.0,
        maximum: float = 1000.0,
        *,
        above_minimum: bool = False,
        smallest_step: float = 1e-6,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._above_minimum = above_minimum
        self._smallest_step = smallest_step
        self.setDecimals(323)  # the most Qt takes, so that it rounds nothing away
        self.setRange(minimum, maximum)
        self.setKeyboardTracking(False)

    def textFromValue(self, value: float) -> str:
        """The shortest exact text."""
        return number_text(value)

    def valueFromText(self, text: str) -> float:
        """Reads a decimal point or comma whatever the system's language."""
        return float(text.strip().replace(",", "."))

    def validate(self, text: str, pos: int) -> tuple[QValidator.State, str, int]:
        """Acceptable is a number within the bounds; what could become one may be typed on."""
        stripped = text.strip()
        if not _UNFINISHED_NUMBER.fullmatch(stripped):
            return QValidator.State.Invalid, text, pos
        try:
            value = self.valueFromText(stripped)
        except ValueError:
            return QValidator.State.Intermediate, text, pos
        within = self.minimum() <= value <= self.maximum()
        excluded = self._above_minimum and value <= self.minimum()
        state = QValidator.State.Acceptable if within and not excluded else QValidator.State.Intermediate
        return state, text, pos

    def stepBy(self, steps: int) -> None:
        """Climb ``steps`` rungs of the 1, 2, 5 ladder."""
        self.interpretText()
        value = self.value()
        for _ in range(abs(steps)):
            value = self._stepped(value, up=steps > 0)
        self.setValue(value)
        self.selectAll()

    def sizeHint(self) -> QSize:
        """Wide enough for ``0.00025``, as the bounds alone say little about what is typed."""
        hint = super().sizeHint()
        metrics = self.fontMetrics()
        spare = metrics.horizontalAdvance("0.00025") - metrics.horizontalAdvance(number_text(self.maximum()))
        return QSize(hint.width() + max(0, spare), hint.height())

    def minimumSizeHint(self) -> QSize:
        """The same as :meth:`sizeHint`: a clipped number is a wrong number."""
        return self.sizeHint()

    def _stepped(self, value: float, *, up: bool) -> float:
        if up:
            return self._smallest_step if value < self._smallest_step else next_rung(value, up=True)
        if value <= self._smallest_step:
            return value if self._above_minimum else self.minimum()
        return max(next_rung(value, up=False), self._smallest_step)


def field_bounds(info: FieldInfo) -> tuple[float, float, bool]:
    """``(minimum, maximum, above_minimum)`` from the constraints of a pydantic field."""
    low, high, exclusive = 0.0, float(_QT_INT_MAX), False
    for constraint in info.metadata:
        low = getattr(constraint, "ge", low)
        high = getattr(constraint, "le", high)
        if hasattr(constraint, "gt"):
            low, exclusive = constraint.gt, True
    return low, high, exclusive


NumberField = WholeSpinBox | LargeWholeSpinBox | ScientificSpinBox


def number_field(info: FieldInfo) -> NumberField:
    """An empty editor for an ``int`` or ``float`` setting, with the bounds of its field.

    Its value changes on Enter, on a step, or when the focus leaves, never while somebody types.
    """
    low, high, exclusive = field_bounds(info)
    box: NumberField
    if info.annotation is float:
        # From zero upwards, 0.01 is a fair first step of a weight; a rate above zero may be far smaller.
        first = 1e-6 if exclusive else max(low, 0.01)
        box = ScientificSpinBox(low, high, above_minimum=exclusive, smallest_step=first)
    elif high > _QT_INT_MAX:
        box = LargeWholeSpinBox()
        box.setDecimals(0)
        box.setRange(low, high)
    else:
        box = WholeSpinBox()
        box.setRange(int(low), int(high))
        box.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
    box.setKeyboardTracking(False)
    box.explain(info)
    ignore_wheel_unless_focused(box)
    return box


def number_value(box: QSpinBox | QDoubleSpinBox, info: FieldInfo) -> int | float:
    """The value of a box made by :func:`number_field`, in the type of its field."""
    return float(box.value()) if info.annotation is float else int(box.value())


def set_number(box: QSpinBox | QDoubleSpinBox, value: Any) -> None:
    """Show ``value`` in a box made by :func:`number_field`."""
    if isinstance(box, QSpinBox):
        box.setValue(int(value))
    else:
        box.setValue(float(value))


class _WheelFilter(QObject):
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()  # so that the scroll area around it scrolls
            return True
        return False


def ignore_wheel_unless_focused(widget: QWidget) -> None:
    """Let the wheel scroll past ``widget`` unless it has the focus, which the wheel never gives it."""
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    widget.installEventFilter(_WheelFilter(widget))

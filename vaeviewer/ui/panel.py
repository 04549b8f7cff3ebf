"""What a panel is: a widget, where it lies, how often it is drawn, and what a family must be able to do for it.

A new panel is one file with its widget and one entry in ``window/panels.py``. Its dock, its entry in the View menu, its
"?", its redraws and its place in a remembered layout derive from that entry.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from PySide6.QtWidgets import QWidget

from vaeviewer.analysis.generated import Generated
from vaeviewer.analysis.ledger import Ledger
from vaeviewer.analysis.prior import PriorShape
from vaeviewer.backend.config import Settings
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.registry import AnyFamily
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.backend.training.history import History
from vaeviewer.backend.training.records import Change
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.image_ledger import ImageLedger
from vaeviewer.session.past_models import PastModels
from vaeviewer.session.view_state import ViewState

W = TypeVar("W", bound=QWidget)

Place = Literal["centre", "left", "right", "bottom"]
Capability = Literal["encodes", "has_density", "uses_labels", "generates"]

EACH_SNAPSHOT = 0.0
"""A cadence: drawn with each new snapshot, before all other panels."""

NEVER = math.inf
"""A cadence: nothing in the panel follows training."""

CAPABILITY_TEXTS: dict[Capability, str] = {
    "encodes": "an encoder, which gives images a place in the latent plane",
    "has_density": "a likelihood p(x|z), which says how probable an image is",
    "uses_labels": "networks that see the class of an image",
    "generates": "a prior p(z) whose codes decode to images",
}


@dataclass(frozen=True)
class Frame:
    """What every panel draws: the model at one step, its data, and what the user chose to look at.

    Attributes:
        snapshot: The newest model, or ``None`` before there is one.
        dataset: Its images.
        view: The user's choices.
        history: The metrics of the run, or ``None`` before there are any.
        timeline: Changes of settings during the run.
        prior: How the prior lies in the plane, where it is not N(0, I) and as soon as that is known.
        generated: Images drawn from the prior, likewise, where there is no encoder.
        ledger: The numbers of each image, once somebody has asked for them; of the model at that time.
    """

    snapshot: Snapshot | None
    dataset: ImageDataset | None
    view: ViewState
    history: History | None
    timeline: tuple[Change, ...]
    prior: PriorShape | None = None
    generated: Generated | None = None
    ledger: Ledger | None = None


class Host(Protocol):
    """What the window offers a panel.

    Attributes:
        decoder: Answers what takes longer than a frame, on a thread of its own.
        past: Models of earlier steps.
        ledger: Computes the numbers of each image when it is asked to.
    """

    decoder: GridDecoder
    past: PastModels
    ledger: ImageLedger

    def frame(self) -> Frame:
        """What there is to draw now."""

    def set_view(self, **changes: Any) -> None:
        """Change the ViewState and draw what depends on it, now."""

    def widget(self, kind: type[W]) -> W:
        """The widget of this class that another panel made."""


@dataclass(frozen=True)
class Explanation:
    """What a panel shows, as rich text: a sentence each on what one sees, what to try, and the formula."""

    see: str
    attempt: str
    formula: str


Explain = Callable[[AnyFamily], Explanation]


@dataclass(frozen=True)
class Panel(Generic[W]):
    """One panel of the window.

    Attributes:
        key: Its name in the program, such as ``"manifold"``.
        title: What a user reads above it. The name under which its dock is remembered derives from it.
        place: Where it lies at first.
        make: Makes the widget and connects what the user does in it.
        update_frame: Draws a frame; cheap where nothing has changed, and nothing at all while the widget is hidden.
        cadence: Time between two redraws while training runs, seconds, on average.
        needs: What a family must be capable of; where it is not, a sentence stands in the panel's place.
        letter: Of its title, to press in the View menu; no other entry has it there.
        explanation: What its "?" says of a kind of model; without one it has no "?".
        behind: Key of the panel of the same side behind which it lies at first, as a tab.
        from_dimensions: It is shown at first for models with so many latent dimensions; the View menu always has it.
        without_encoder: It is shown at first for families that have none; likewise.
        on_demand: It is hidden, and not even made, until somebody wants it. The View menu has those together, in a menu
            of their own, where letters are free again.
        follow_handle: Draws a move of the handle, or a stroke in an image of the user's own, at once and within the
            mouse event.
    """

    key: str
    title: str
    place: Place
    make: Callable[[Host], W]
    update_frame: Callable[[W, Frame], None]
    cadence: float = NEVER
    needs: tuple[Capability, ...] = ()
    letter: str = ""
    explanation: Explain | None = None
    behind: str = ""
    from_dimensions: int = 1
    without_encoder: bool = False
    on_demand: bool = False
    follow_handle: Callable[[W, Frame], None] | None = None

    def why_not(self, family: AnyFamily) -> str:
        """The sentence that stands in its place for a family without what it needs; else an empty text."""
        for need in self.needs:
            if not getattr(family.capabilities, need):
                return (
                    f"{self.title}: this needs {CAPABILITY_TEXTS[need]}. The model “{family.title}” has none."
                )
        return ""

    def fits(self, settings: Settings) -> bool:
        """Whether it is shown at first for such a model."""
        if self.on_demand:
            return False
        lacks = not settings.family.capabilities.encodes
        return self.from_dimensions <= settings.model.latent_dim and (lacks or not self.without_encoder)

    def menu_text(self, title: str) -> str:
        """A title it has now, with the letter to press marked."""
        at = title.lower().find(self.letter.lower()) if self.letter else -1
        return title if at < 0 else f"{title[:at]}&{title[at:]}"

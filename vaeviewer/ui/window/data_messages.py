"""What is said above the plane of images and runs that are being loaded, and what is asked once they are there."""

from __future__ import annotations

from PySide6.QtCore import QObject

from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.session.data_loader import Fetched
from vaeviewer.session.messages import DATA
from vaeviewer.session.session import Session
from vaeviewer.ui.window.message_bar import MessageBar
from vaeviewer.ui.window.work_row import fetching_text


class DataMessages(QObject):
    """Shows what the session's loading has come to.

    Args:
        session: What loads, and takes the answers.
        message: Where it is said; this becomes its child.
    """

    def __init__(self, session: Session, message: MessageBar) -> None:
        super().__init__(message)
        self._session, self._message = session, message
        session.data_arrived.connect(self._offer_to_keep_model)
        session.work_began.connect(self._on_work_began)
        session.fetching.connect(self._on_fetching)
        session.work_ended.connect(message.work.end)

    def _offer_to_keep_model(self, dataset: ImageDataset) -> None:
        session, use = self._session, self._session.use_data
        tied = session.settings.family.capabilities.per_image
        same_size = session.dataset is not None and dataset.image_shape == session.dataset.image_shape
        answers = [("Start &anew", lambda: use(dataset, keep_model=False))]
        if same_size and not tied:
            answers.insert(0, ("&Keep the trained model", lambda: use(dataset, keep_model=True)))
        self._message.show_message(
            _loaded_text(dataset, session.dataset, tied=tied),
            answers,
            key=DATA,
            closing=("Dis&miss", session.data_declined.emit),
        )

    def _on_work_began(self, key: str, sentence: str, can_cancel: bool) -> None:
        self._message.take_back(key)  # what was said of the same work before
        self._message.work.begin(key, sentence, self._session.cancel_loading if can_cancel else None)

    def _on_fetching(self, title: str, fetched: Fetched) -> None:
        self._message.work.advance(DATA, fetching_text(title, fetched), fetched.done, fetched.total)


def _loaded_text(loaded: ImageDataset, present: ImageDataset | None, *, tied: bool) -> str:
    """What to ask when images have come while a trained model is there, perhaps one tied to its own images."""
    if tied:
        return (
            f"Loaded: {loaded.name}. The model has a place of its own for each image it was trained on, so these "
            "need a new one."
        )
    if present is None or loaded.image_shape == present.image_shape:
        return f"Loaded: {loaded.name}. Look at them with the model you trained, or start a new one?"
    return (
        f"Loaded: {loaded.name}. These images have another size ({loaded.image}, not {present.image}), "
        "so they need a new model."
    )

"""Decodes away from the thread that draws: large batches, and whatever a Snapshot of the slower kind is asked."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal, Slot

from vaeviewer.backend.chunks import parts
from vaeviewer.backend.snapshot import Snapshot, as_grey_levels

log = logging.getLogger(__name__)

CHUNK_ROWS = 64
"""Rows decoded at a time: a newer request or the end is noticed in between, and training gets the GIL."""

SLOW_CHUNK_ROWS = 16
"""The same where torch decodes, as a drag waits for the end of a chunk."""


Job = Callable[[Snapshot], Any]
"""What to ask a Snapshot. It may run on another thread, so it touches nothing else."""

LongJob = Callable[[Snapshot], Iterator[Any]]
"""What takes seconds to ask a Snapshot: does a little between two of its answers, ``None`` where it has none yet."""

Deliver = Callable[[Any], object]
"""Takes the answer, on the thread that draws."""

Ask = Callable[[str, Snapshot, Job, Deliver], None]
"""As :meth:`GridDecoder.ask`."""


def at_once(_kind: str, snapshot: Snapshot, job: Job, deliver: Deliver) -> None:
    """An :data:`Ask` that asks here and now, whatever kind the Snapshot is of."""
    deliver(job(snapshot))


_OVER = object()


@dataclass(frozen=True, eq=False)
class _Request:
    kind: str
    snapshot: Snapshot
    z: NDArray[np.float32]  # (n, latent_dim)
    tag: object
    run: int
    job: Job | None = None
    steps: Iterator[Any] | None = None  # of a long job
    y: int | None = None


class GridDecoder(QObject):
    """Decodes on one thread of its own; of each kind of request, the latest wins.

    A waiting request is replaced by a newer one of its kind and never computed. One that is being computed
    gives way to a newer one too, but not twice in a row: else requests that arrive faster than they can be
    computed would never show anything.

    The thread starts with the first request and ends with `close`, which the owner must call.

    Signals:
        decoded: ``(kind, images, tag)``: the mean images' grey levels, uint8, ``(n, height, width)``, in colour with
            ``3`` behind it, and the tag of the request.
        failed: ``(kind, sentence)`` of a request that could not be answered; later ones still are.
        forgotten: What was decoded so far is of another run.

    All are emitted on the thread this object lives on, and never after `close`.
    """

    decoded = Signal(str, object, object)
    failed = Signal(str, str)
    forgotten = Signal()
    _ready = Signal(object, object)
    _broke = Signal(object, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._changed = threading.Condition()
        self._waiting: dict[str, _Request] = {}
        self._gave_way: set[str] = set()  # kinds whose last computation was cut short
        self._long: dict[str, _Request] = {}  # those asked at length that are wanted still
        self._given_up: list[_Request] = []  # those that are not, whose steps the thread has yet to end
        self._serving = False
        self._run = 0  # counts the calls of forget()
        self._closed = False
        self._one_core = False
        self._thread: threading.Thread | None = None
        # Slots of this object, queued: whatever is connected to the public signals runs on its thread, plain
        # functions included.
        self._ready.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self._broke.connect(self._report, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        """Whether something that was asked is not answered yet; the last answers may still be on their way."""
        with self._changed:
            return self._serving or bool(self._waiting)

    def request(
        self, kind: str, snapshot: Snapshot, z: NDArray[np.float32], tag: object = None, y: int | None = None
    ) -> None:
        """Ask for the mean images at ``z`` in place of what was asked for under the same ``kind``.

        Args:
            kind: What it is for, such as ``"manifold"``.
            snapshot: The model.
            z: Codes, ``(n, latent_dim)``. The array must not change later.
            tag: Comes back with the images.
            y: Class of all of them, for models that see it.
        """
        self._queue(_Request(kind, snapshot, z, tag, self._run, y=y))

    def ask(self, kind: str, snapshot: Snapshot, job: Job, deliver: Deliver) -> None:
        """Ask a Snapshot something: now if it answers instantly, else on the decoder's thread, where the latest wins.

        Args:
            kind: What it is for; in place of what was asked for under the same ``kind``.
            snapshot: The model.
            job: Asks it.
            deliver: Called with the answer on the thread this object lives on, unless a later one comes first.
        """
        if snapshot.instant:
            with self._changed:
                self._waiting.pop(kind, None)
            deliver(job(snapshot))
        else:
            self._queue(_Request(kind, snapshot, np.empty((0, 2), np.float32), deliver, self._run, job))

    def ask_at_length(self, kind: str, snapshot: Snapshot, job: LongJob, deliver: Deliver) -> None:
        """Ask something that takes seconds, always on the decoder's thread; all else is served in between.

        Args:
            kind: What it is for; what was asked for before under the same ``kind`` is given up.
            snapshot: The model.
            job: Asks it.
            deliver: Called with each answer but ``None``, on the thread this object lives on.
        """
        request = _Request(
            kind, snapshot, np.empty((0, 2), np.float32), deliver, self._run, steps=job(snapshot)
        )
        with self._changed:
            self._give_up(kind)
            self._long[kind] = request
        self._queue(request)

    def drop(self, kind: str) -> None:
        """Give up what was asked for at length."""
        with self._changed:
            self._give_up(kind)
            self._waiting.pop(kind, None)

    def _give_up(self, *kinds: str) -> None:
        for kind in kinds:
            if (request := self._long.pop(kind, None)) is not None:
                self._given_up.append(request)
        self._changed.notify()

    def _queue(self, request: _Request) -> None:
        with self._changed:
            if self._closed:
                return
            self._waiting[request.kind] = request
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="grid-decoder", daemon=True)
                self._thread.start()
            self._changed.notify()

    def forget(self) -> None:
        """Drop all requests, and what is still computed or delivered for them: they are of another run."""
        with self._changed:
            self._give_up(*self._long)
            self._waiting.clear()
            self._run += 1
        self.forgotten.emit()

    def close(self, timeout_s: float = 2.0) -> bool:
        """Drop all requests and end the thread, waiting for it at most ``timeout_s`` seconds.

        May be called at any time and again. Returns whether the thread has ended.
        """
        with self._changed:
            self._closed = True
            self._give_up(*self._long)
            self._waiting.clear()
            thread = self._thread
        if thread is None:
            return True
        thread.join(timeout_s)
        return not thread.is_alive()

    def _work(self) -> None:
        with np.errstate(all="ignore"):  # of a model that explodes: who asks looks at the answer
            while self._serve_one():
                pass
            self._end_given_up()

    def _serve_one(self) -> bool:
        """Wait for a request and compute it; False when closed. Between requests no Snapshot is held."""
        self._end_given_up()
        with self._changed:
            while not self._waiting and not self._closed and not self._given_up:
                self._changed.wait()
            if self._closed:
                return False
            if not self._waiting:
                return True
            request = self._waiting.pop(next(iter(self._waiting)))
            self._serving = True
        self._serve(request)
        with self._changed:
            self._serving = False
        return True

    def _end_given_up(self) -> None:
        """End their steps here and now, threads of their own included, whoever may still know them."""
        with self._changed:
            over, self._given_up = self._given_up, []
        for request in over:
            close = getattr(request.steps, "close", None)  # of a generator
            if close is not None:
                close()

    def _serve(self, request: _Request) -> None:
        try:
            images = self._answer(request)
        except Exception as error:
            log.exception("the decoder's thread could not answer: %s", request.kind)
            reason = str(error) or type(error).__name__
            message = f"The {request.kind} could not be decoded: {reason}"
            with self._changed:
                # Posting under the lock: once close() has returned, this object may be destroyed.
                if not self._closed:
                    self._broke.emit(request, message)
            return
        with self._changed:
            if images is not None and not self._closed:
                self._ready.emit(request, images)

    def _serve_others(self) -> None:
        """Answer what was asked meanwhile, such as what a drag asks, and do one step of each long job."""
        with self._changed:
            kinds = [kind for kind, request in self._waiting.items() if request.job or request.steps]
        for kind in kinds:
            with self._changed:
                request = None if self._closed else self._waiting.pop(kind, None)
            if request is not None:
                self._serve(request)

    def _advance(self, request: _Request) -> Any:
        """Do the next little of a long job, and line it up again behind what else is waiting."""
        assert request.steps is not None, "it is one"
        answer = next(request.steps, _OVER)
        with self._changed:
            wanted = self._long.get(request.kind) is request
            if wanted and answer is not _OVER:
                self._waiting.setdefault(request.kind, request)
        return answer if wanted and answer is not _OVER else None

    def _answer(self, request: _Request) -> Any:
        by_torch = request.steps is not None or not getattr(request.snapshot, "instant", True)
        if by_torch and not self._one_core:
            import torch

            torch.set_num_threads(
                1
            )  # before this thread's first operation: all other cores belong to training
            self._one_core = True
        if request.steps is not None:
            return self._advance(request)
        return self._decode(request) if request.job is None else request.job(request.snapshot)

    def _decode(self, request: _Request) -> NDArray[np.uint8] | None:
        """The images, or ``None`` when they are no longer wanted. Rounded here: the thread that draws has no time."""
        snapshot = request.snapshot
        z = request.z
        images = np.empty((len(z), *snapshot.image_shape), np.uint8)
        for part in parts(len(z), CHUNK_ROWS if getattr(snapshot, "instant", True) else SLOW_CHUNK_ROWS):
            if part.start:
                self._serve_others()
            if self._gives_way(request):
                return None
            images[part] = as_grey_levels(snapshot.decode(z[part], request.y))
        self._gave_way.discard(request.kind)
        return images

    def _gives_way(self, request: _Request) -> bool:
        kind = request.kind
        with self._changed:
            if self._closed or request.run != self._run:
                return True
            if kind not in self._waiting or kind in self._gave_way:
                return False
        self._gave_way.add(kind)
        return True

    @Slot(object, object)
    def _deliver(self, request: _Request, answer: Any) -> None:
        if not self._is_wanted(request):
            return
        if request.job is None and request.steps is None:
            self.decoded.emit(request.kind, answer, request.tag)
        else:
            assert callable(request.tag), "who asked takes the answer"
            request.tag(answer)

    @Slot(object, str)
    def _report(self, request: _Request, message: str) -> None:
        if self._is_wanted(request):
            if request.steps is not None:
                self.drop(request.kind)
            self.failed.emit(request.kind, message)

    def _is_wanted(self, request: _Request) -> bool:
        if self._closed or request.run != self._run:
            return False
        return request.steps is None or self._long.get(request.kind) is request

"""A lens that is held against the quadrature of ``evidence.py``, which a sharp peak between two codes does not escape.

A lens is in haste: it looks for the posterior at codes 0.25 apart. Where a decoder folds its plane, or explodes, peaks
are far narrower than that, and the highest one may lie between them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from vaeviewer.analysis.evidence import joint, prior_box
from vaeviewer.analysis.lens import NOWHERE, Asked, Lens, Search, image_of, lens
from vaeviewer.analysis.quadrature import Array, At, Box, Integrals, Rows, integrate
from vaeviewer.backend.snapshot import Snapshot

MISSED = 0.02
"""Nats by which log p(x) may be more than the lens has found before it looks again, where p(z|x) is highest."""


@dataclass(eq=False)
class _Highest:
    """Where a function was largest."""

    value: float = -np.inf
    code: tuple[float, float] = (0.0, 0.0)

    def watch(self, at: At) -> At:
        """The same function, of one image; its values stay finite."""

        def watched(z: Array) -> Callable[[Rows], Array]:
            of_rows = at(z)

            def logs(rows: Rows) -> Array:
                found = of_rows(rows)
                found = np.where(np.isfinite(found), found, np.float32(NOWHERE))
                place = int(found[0].argmax())
                if found[0, place] > self.value:
                    self.value, self.code = float(found[0, place]), (float(z[place, 0]), float(z[place, 1]))
                return found

            return logs

        return watched


def checked_lens(snapshot: Snapshot, asked: Asked, search: Search) -> Iterator[Lens | None]:
    """As :func:`lens`, and when that is over log p(x) as the ledger has it; where it is more, all of it once more.

    Raises:
        NoDensityError: As there.
    """
    known: Lens | None = None
    for found in lens(snapshot, asked, search):
        known = found or known
        yield found
    if known is None or known.log_px is None:
        return
    highest, image, box = _Highest(), image_of(snapshot, asked), prior_box(snapshot)
    far = np.abs(known.modes).max() + 1.0
    box = Box(np.minimum(box.low, -far), np.maximum(box.high, far))
    whole: Integrals | None = None
    for step in integrate(highest.watch(joint(snapshot, image[None], asked.y)), 1, box):
        if isinstance(step, Integrals):
            whole = step
        else:
            yield None
    assert whole is not None, "it comes last"
    log_px, error = float(whole.log_value[0]), float(whole.change[0])
    if log_px - known.log_px <= MISSED:
        yield replace(known, log_px=log_px, error=error)
        return
    for found in lens(snapshot, replace(asked, image=image, near=highest.code), search):
        yield None if found is None or found.log_px is None else replace(found, log_px=log_px, error=error)

"""pyqtgraph, imported without CUDA's Python bindings.

It looks for them, on behalf of a widget that is not used here, and they come with every torch that can use a GPU: some
fifty milliseconds at each start, before the window is on screen.
"""

from __future__ import annotations

import sys

_BINDINGS = "cuda.bindings"
_hidden = _BINDINGS not in sys.modules
if _hidden:
    sys.modules[_BINDINGS] = None  # type: ignore[assignment]  # so that an import of it fails
try:
    import pyqtgraph as pg
    from pyqtgraph.functions import arrayToQPolygonF
finally:
    if _hidden:
        del sys.modules[_BINDINGS]

__all__ = ["arrayToQPolygonF", "pg"]

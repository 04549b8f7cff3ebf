from __future__ import annotations

import numpy as np

from vaeviewer.ui.images.selected_image import posterior_text


def test_the_posterior_of_many_dimensions_in_words() -> None:
    loc, scale = np.array([0.4567, -1.634, 9.0, 9.0]), np.array([0.05, 0.07, 1.0, 1.0])
    assert posterior_text(loc, scale) == "q(z|x)\nz₁ = 0.46 ±\u00a00.05\nz₂ = −1.63 ±\u00a00.07\nand 2 more"
    assert posterior_text(loc[:1], scale[:1]) == "q(z|x)\nz₁ = 0.46 ±\u00a00.05"

"""Draws many points into one image: what the latent plane shows. Knows nothing of Qt.

Work is done on pixels rather than on points. Each point leaves a count and a key in the pixel it falls into; counts are
then summed over a small disc, which gives the density, and keys are maximised over the same disc, which puts the disc
with the highest key on top. A million points so cost little more than ten thousand.

``point_raster`` keeps what is drawn again and again, and ``scene`` is one drawing of it. ``passes`` draws it with
NumPy; ``compiled`` draws the same pixels several times as fast with ``kernels``, once a compiler has made them.
"""

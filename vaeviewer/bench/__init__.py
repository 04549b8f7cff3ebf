"""``vaeviewer bench``: how fast the program is on this machine, measured with the real window and real training.

Each part is measured in a fresh process of its own (``python -m vaeviewer.bench PART``), so that no part meets
the thread pools, caches or memory of another; what is compared is measured in one process, alternating.
"""

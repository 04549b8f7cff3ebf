"""Ahead-of-time compiled kernels for what NumPy and torch take many passes for: object files, cached and loaded.

A package that wants some has a module ``kernels``, in the part of Python that Numba compiles, made of ``memory``.
``compiler`` turns that into an object file in a process of its own; ``object_code`` has it done, keeps the file for the
next start and loads it. Where there is no compiler, or before it is done, everything works without, more slowly.
"""

WORDS = 24
"""Length of a kernel's argument block, an int64 array."""

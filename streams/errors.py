"""The error every room raises when a person has to mend something.

Owns: the one exception type that the command line turns into a single sentence.
Must never: wrap a defect of ours; those keep their traceback.
"""

from __future__ import annotations


class TocsinError(Exception):
    """A fault a person can mend: its text names the thing, the place and the mend, in one sentence."""


class FencedError(TocsinError):
    """Another process owns the partition now; the only safe answer is to leave (exit status 70)."""

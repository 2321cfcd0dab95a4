"""How exactly scores by windows must be those of whole passes on this machine.

The CPU's matrix product works in blocks whose size depends on its caches. Where a block ends inside a slice, the pixels
left over are added in another order: seen on AMD EPYC (Zen 3), not on Intel's Xeon. No window can then have the bits
that a whole pass has.
"""

import functools
import pathlib

import numpy as np

NEARLY = 2e-3
"""How far scores may be apart then, relative to each; those of 1e-4 beside others of 1e4 differ by up to 1.2e-3."""


@functools.cache
def in_one_order() -> bool:
    """Intel's are known to; others are not asked, for no few shapes could tell."""
    info = pathlib.Path("/proc/cpuinfo")
    return info.is_file() and "GenuineIntel" in info.read_text()


def assert_same_scores(found, expected):
    """To the bit where convolutions allow it, else nearly."""
    if in_one_order():
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=NEARLY)

"""What the tests share. Without numpy only those run that need none; the summary counts the others as skipped."""
import unittest

import qnt

try:
    import numpy as np
except ImportError:
    np = None

needs_numpy = unittest.skipUnless(np, "numpy is not installed")


def fixed(context, scale, zero=0, **keys):
    """A quantizer with the parameters given."""
    q = qnt.Quantizer(context, "fixed", **keys)
    q.scale = scale
    if np is not None and np.any(zero) or zero:
        q.zero = zero
    return q


class Case(unittest.TestCase):
    threads = 1

    def setUp(self):
        self.context = qnt.Context(threads=self.threads)


class WithoutNumpy(Case):
    """What must work where there is none."""

    def setUp(self):
        super().setUp()
        numpy, qnt.tensor.numpy = qnt.tensor.numpy, None
        self.addCleanup(lambda: setattr(qnt.tensor, "numpy", numpy))

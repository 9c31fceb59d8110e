"""Runs all tests: python3 examples/python/tests, with QNT_LIBRARY=/path/libqnt.so.1 to name the library.

Arguments are names of single ones: test_layer, or test_layer.Layers.test_blob.
"""
import os
import sys
import unittest

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.dirname(here)]
names = sys.argv[1:] or sorted(name[:-3] for name in os.listdir(here) if name.startswith("test_"))
result = unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromNames(names))
bad, skipped = len(result.failures) + len(result.errors), len(result.skipped)
print("%d passed, %d failed, %d skipped" % (result.testsRun - bad - skipped, bad, skipped))
sys.exit(bad != 0 or result.testsRun == 0)

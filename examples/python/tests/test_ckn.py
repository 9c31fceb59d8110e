"""Kernel maps against numpy."""
import qnt
from case import Case, needs_numpy, np


@needs_numpy
class KernelMaps(Case):
    threads = 2

    def setUp(self):
        super().setUp()
        self.random = np.random.default_rng(5)
        self.images = self.random.normal(size=(20, 9, 8, 2)).astype("f4")

    def test_learn_run_save(self):
        for keys in ({}, dict(anchor_bits=4, patch_bits=4), dict(literal=True, sigma=0.7)):
            learned = qnt.KernelMap(self.context, 2, 3, 6, pad=1, subsample=2, seed=1, **keys)
            y = learned.fit(self.images, 200)(self.images)
            self.assertEqual(y.shape, (20, 5, 4, 6))
            blob = learned.save()
            self.assertEqual(qnt.blob_probe(self.context, blob), ("kernel map", 1, len(blob)))
            loaded = qnt.KernelMap.load(self.context, blob)
            np.testing.assert_array_equal(loaded(self.images), y)
            np.testing.assert_array_equal(loaded.anchors, learned.anchors)
            self.assertEqual(loaded.spec, learned.spec)
            again = qnt.KernelMap(self.context, 2, 3, 6, pad=1, subsample=2, seed=1, **keys)
            if not keys.get("anchor_bits"):
                again.anchors = learned.anchors
                np.testing.assert_allclose(again(self.images), y, rtol=1e-4, atol=1e-5)

    def test_gradients(self):
        layer = qnt.KernelMap(self.context, 2, 3, 4)
        layer.anchors = self.random.normal(size=(4, 18)).astype("f4")
        dy = self.random.normal(size=layer(self.images).shape).astype("f4")
        dx, danchors, dsigma = layer.backward(self.images, dy)
        self.assertEqual((dx.shape, danchors.shape), (self.images.shape, (4, 18)))
        step = np.float32(1e-2)
        moved = [(layer(self.images + sign * step * dx / np.abs(dx).max()) * dy).sum()
                 for sign in (1, -1)]
        slope = (dx.astype("f8") ** 2).sum() / np.abs(dx).max()
        self.assertAlmostEqual((moved[0] - moved[1]) / (2 * step) / slope, 1, delta=0.02)
        self.assertTrue(np.isfinite(dsigma))

    def test_images_of_other_channels(self):
        layer = qnt.KernelMap(self.context, channels=2, kernel=2, filters=3)
        for shape in ((4, 4, 5), (4, 4, 1), (4, 8)):
            with self.assertRaisesRegex(ValueError, r"float32 \[height\]\[width\]\[2\]"):
                layer.fit(np.ones((3,) + shape, np.float32), 9)
        with self.assertRaisesRegex(ValueError, "float32"):
            layer.fit(np.ones((3, 4, 4, 2)), 9)

    def test_reader_that_raises(self):
        layer = qnt.KernelMap(self.context, 2, 3, 4)
        with self.assertRaises(ValueError):
            layer.fit(list(self.images[:3]) + [self.images[3, 1:]], 100)

    def test_kernel(self):
        """K(a, b) = |a| |b| exp((<a, b> / |a| |b| - 1) / sigma^2)."""
        layer = qnt.KernelMap(self.context, 2, 3, 4, sigma=0.7)
        a, b = self.random.normal(size=(2, 18)).astype("f4")
        norms = np.linalg.norm(a.astype("f8")) * np.linalg.norm(b.astype("f8"))
        want = norms * np.exp((a.astype("f8") @ b / norms - 1) / layer.spec["sigma"] ** 2)
        self.assertAlmostEqual(layer.kernel(a, b) / want, 1, 9)
        with self.assertRaises(qnt.Error):
            layer.kernel(a, b[:-1])
        with self.assertRaisesRegex(qnt.Error, "sigma"):
            qnt.KernelMap(self.context, 2, 3, 4, literal=True).kernel(a, b)

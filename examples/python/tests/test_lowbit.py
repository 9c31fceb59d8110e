"""Packed digits against the 8-bit convolution of the same codes."""
import qnt
from case import Case, needs_numpy, np


@needs_numpy
class PackedDigits(Case):
    """Against the 8-bit convolution of the same codes."""

    threads = 2

    def setUp(self):
        super().setUp()
        random = np.random.default_rng(6)
        self.x = random.integers(0, 4, (2, 6, 7, 8), dtype="u1")
        self.w = random.integers(0, 4, (10, 3, 3, 4), dtype="u1")
        self.scale = random.choice([-0.25, 0.0, 0.125, 0.5], 10).astype("f4")
        self.shift = random.normal(size=10).astype("f4")
        self.groups = dict(groups=2, group_shift=1)
        self.sums = qnt.conv_s8(self.context, self.x, 2 * self.w.view("i1") - 3, pad=1, **self.groups)
        self.pixels = qnt.pack_pixels(self.context, self.x, 2, pad=1)

    def test_sums_and_thresholds(self):
        taps, sums = qnt.pack_taps(self.context, self.w, 2), np.empty_like(self.sums)
        qnt.conv_lowbit(self.context, self.pixels, taps, sums, 4, **self.groups)
        np.testing.assert_array_equal(sums, self.sums)
        limits = np.sort(np.random.default_rng(1).integers(-40, 40, (10, 3), dtype="i4"), axis=1)
        codes = (sums[..., None] >= limits).sum(-1).astype("u1")
        packed = np.empty((2, 6, 7, 2, 2), "u1")
        qnt.conv_lowbit(self.context, self.pixels, taps, packed, 4, thresholds=limits, **self.groups)
        np.testing.assert_array_equal(packed, qnt.pack_pixels(self.context, codes, 2))

    def test_layer(self):
        q = qnt.Quantizer(self.context, method="fixed", bits=2)
        q.scale = [1.0]
        identity = np.random.default_rng(2).normal(size=self.sums.shape).astype("f4")
        layer = qnt.LowbitLayer(self.context, self.w, self.scale, self.shift, q, flags=qnt.RELU_LAST,
                                pad=(1, 0), **self.groups)
        y = np.maximum(self.sums.astype("f4") * self.scale + self.shift + identity, 0)
        floats = np.empty_like(identity)
        packed = layer(self.pixels, identity, floats)
        np.testing.assert_array_equal(floats, y)
        codes = q.encode(y, packed=False)
        np.testing.assert_array_equal(packed, qnt.pack_pixels(self.context, codes, 2, pad=(1, 0)))
        blob = layer.save()
        self.assertEqual(qnt.blob_probe(self.context, blob), ("lowbit layer", 1, len(blob)))
        for data, borrow in ((blob, False), (qnt.aligned(blob), True)):
            loaded = qnt.LowbitLayer.load(self.context, data, borrow)
            np.testing.assert_array_equal(loaded(self.pixels, identity, floats), packed)
            self.assertEqual(loaded.save(), blob)
        self.assertIsNone(layer(self.pixels, floats=floats, packed=None))

    def test_functions(self):
        def digit(channel, total):
            y = np.float32(total) * self.scale[channel] + self.shift[channel]
            return int(np.clip(np.rint(y), 0, 3))

        found = qnt.find_thresholds(self.context, digit, 10, -108 * 9, 108 * 9)
        np.testing.assert_array_equal(found[1], self.scale < 0)
        layer = qnt.LowbitLayer(self.context, self.w, thresholds=found, **self.groups)
        codes = np.array([digit(i % 10, s) for i, s in enumerate(self.sums.ravel())], "u1")
        np.testing.assert_array_equal(layer(self.pixels), qnt.pack_pixels(
            self.context, codes.reshape(self.sums.shape), 2))
        with self.assertRaises(ZeroDivisionError):
            qnt.find_thresholds(self.context, lambda channel, total: 1 // (3 - total), 1, -3, 3)
        with self.assertRaisesRegex(qnt.Error, "not monotone"):
            qnt.find_thresholds(self.context, lambda channel, total: int(total == 3), 1, -5, 5)

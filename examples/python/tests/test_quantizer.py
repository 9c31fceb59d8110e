"""Quantizers against numpy."""
import contextlib
import io
import textwrap

import qnt
from case import Case, fixed, needs_numpy, np


@needs_numpy
class Quantizers(Case):
    def setUp(self):
        super().setUp()
        self.random = np.random.default_rng(1)

    def test_program_in_the_documentation(self):
        code = [line for line in qnt.__doc__.splitlines() if line.startswith("    ")]
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            names = {}
            np.random.seed(1)
            exec(textwrap.dedent("\n".join(code)), names)
        self.assertEqual((names["y"].shape, names["y"].dtype), ((4, 16), np.float32))
        want = names["x"] @ names["weight"].T
        self.assertLess(np.abs(names["y"] - want).mean(), 0.2 * np.abs(want).mean())
        self.assertIn("[", printed.getvalue())

    def test_no_copies(self):
        x = self.random.normal(size=(3, 4)).astype("f4")
        tensor = qnt.Tensor.of(x.T)
        self.assertEqual(tensor.struct.data, x.ctypes.data)
        self.assertEqual(tensor.struct.strides[:2], [1, 4])
        self.assertEqual(qnt.Tensor.of(x[:, ::-1]).struct.strides[:2], [4, -1])

    def test_dlpack(self):
        class Exporter:  # what torch looks like from here: no buffer, only __dlpack__
            def __init__(self, array):
                self.array = array

            def __dlpack__(self):
                return self.array.__dlpack__()

        x = self.random.normal(size=(3, 4)).astype("f4")
        q = fixed(self.context, 0.1, signed=True)
        np.testing.assert_array_equal(q.encode(Exporter(x)), q.encode(x))

    def test_dlpack_of_pictures(self):
        """Addresses of pixels go to the library without the rest of the Tensor."""
        class Exporter:
            def __init__(self, array, device, offset):
                self.array, self.device, self.offset = array, device, offset

            def __dlpack__(self):
                capsule = self.array.__dlpack__()
                tensor = qnt.capi.qnt_tensor.from_address(qnt.tensor._capsule_pointer(capsule, b"dltensor"))
                tensor.device_type, tensor.byte_offset = self.device, self.offset
                return capsule

        pixels = self.random.integers(0, 256, (16, 16), "u1")
        picture = qnt.Picture(self.context, Exporter(pixels[:8], 1, 128)).quantize([1] * 64)
        np.testing.assert_allclose(picture.decode().astype(int), pixels[8:].astype(int), atol=1)
        with self.assertRaisesRegex(qnt.Error, "device_type"):
            qnt.Picture(self.context, Exporter(pixels, 2, 0))
        with self.assertRaisesRegex(qnt.Error, "device_type"):
            picture.decode(Exporter(pixels[:8], 2, 0))
        with self.assertRaisesRegex(qnt.Error, "device_type"):
            qnt.psnr(self.context, pixels, Exporter(pixels, 2, 0))
        blocks = np.zeros((2, 8, 8), "f4")
        with self.assertRaisesRegex(qnt.Error, "device_type"):
            qnt.dct_forward(self.context, Exporter(blocks, 2, 0))

    def test_formula(self):
        x = (self.random.normal(size=(5, 7)) * 30).astype("f4")
        q = fixed(self.context, 0.37, 3, signed=True)
        scale = np.float32(0.37)
        want = np.clip(np.rint(x / scale) + 3, -128, 127).astype("i1")
        np.testing.assert_array_equal(q.encode(x), want)
        np.testing.assert_array_equal(q.encode(x.T), want.T)
        np.testing.assert_array_equal(q.decode(want), (want.astype("f4") - 3) * scale)

    def test_float16(self):
        x = self.random.normal(size=100).astype("f2")
        q = fixed(self.context, 0.03, signed=True)
        np.testing.assert_array_equal(q.encode(x), q.encode(x.astype("f4")))

    def test_per_axis_and_block(self):
        x = self.random.normal(size=(4, 64)).astype("f4")
        q = fixed(self.context, [0.1, 0.2, 0.3, 0.4], axis=0, signed=True)
        want = np.rint(x / np.array([0.1, 0.2, 0.3, 0.4], "f4")[:, None])
        np.testing.assert_array_equal(q.encode(x), want)
        q = fixed(self.context, np.arange(1, 9) / 8, axis=1, block=32, signed=True)
        want = np.rint(x.reshape(4, 2, 32) / (np.arange(1, 9, dtype="f4") / 8).reshape(4, 2, 1))
        np.testing.assert_array_equal(q.encode(x), want.reshape(4, 64))

    def test_numbers_of_any_shape(self):
        for scales in ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]], "f4"), (1, 2, 3, 4)):
            q = qnt.Quantizer(self.context, "fixed", axis=1, block=2)
            q.scale = scales
            self.assertEqual(list(q.scale), [1, 2, 3, 4])
        for wrong in ("1", ["1"], [None]):
            with self.assertRaises(TypeError):
                q.scale = wrong

    def test_unknown_words(self):
        for words, why in ((dict(method="mee"), "method is 'mee', expected fixed, minmax, "),
                           (dict(scheme="affin"), "scheme is 'affin', expected affine, points, ")):
            with self.assertRaisesRegex(ValueError, why):
                qnt.Quantizer(self.context, **words)

    def test_fits(self):
        x = self.random.normal(size=(8, 300)).astype("f4")
        worst = {}
        for method in ("minmax", "percentile", "entropy", "analytic", "mse"):
            q = qnt.Quantizer(self.context, method, 4, signed=True, symmetric=True)
            q.observe(x).fit()
            found = q.measure(x)
            self.assertAlmostEqual(found.mse, float(np.mean((x - q.apply(x)).astype("f8") ** 2)), 9)
            worst[method] = found.mse
        self.assertEqual(min(worst, key=worst.get), "mse")

    def test_codebooks(self):
        x = self.random.normal(size=(8, 300)).astype("f4")
        for method, more in (("kmeans", {"bits": 3}), ("nf4", {}), ("fp4", {}), ("teq", {"signed": True}),
                             ("bases", {"points": 3}), ("multipoint", {"bits": 2, "points": 2})):
            q = qnt.Quantizer(self.context, method, axis=0, **more).observe(x).fit()
            y = q.apply(x)
            np.testing.assert_array_equal(q.decode(q.encode(x)), y)
            self.assertLess(float(np.mean((x - y) ** 2)), 0.06)
            self.assertLessEqual(len(np.unique(y[0])), 16)
        q = qnt.Quantizer(self.context, "levels", bits=2)
        q.levels = [-1, 0, 2]
        np.testing.assert_array_equal(q.levels, [-1, 0, 2, 2])
        q.scale = 0.5
        np.testing.assert_array_equal(q.apply(np.array([-3, -0.2, 0.6, 9], "f4")), [-0.5, 0, 1, 1])
        q.scale = np.float32(0.25)
        self.assertEqual(q.scale, [0.25])
        q = qnt.Quantizer(self.context, "levels", bits=2, thresholds=True)
        q.levels, q.scale, q.thresholds = [-3, 0, 1, 7], 1, [-1, 0.5, 4]
        x = np.array([-2, -0.5, 0.6, 5], "f4")
        np.testing.assert_array_equal(q.encode(x, packed=False), [0, 1, 2, 3])
        np.testing.assert_array_equal(q.apply(x), [-3, 0, 1, 7])
        a, b = (qnt.Quantizer(self.context, "teq", bits=4, signed=True).observe(v) for v in (x, 3 * x))
        a.fit_pair(b)
        self.assertEqual(a.base[0], b.base[0])

    def test_certificate(self):
        x = self.random.normal(size=500).astype("f4")
        q = qnt.Quantizer(self.context, "mse", 3, signed=True, symmetric=True).observe(x).fit()
        self.assertLessEqual(q.bound[0], q.error[0])
        self.assertGreaterEqual(q.bound[0], q.error[0] * (1 - 1e-6))
        self.assertAlmostEqual(q.error[0] / x.size, q.measure(x).mse, 9)

    def test_importance(self):
        x = self.random.normal(size=(2, 200)).astype("f4")
        h = np.zeros((2, 200), "f4")
        h[:, :3] = 1
        q = qnt.Quantizer(self.context, "mse", 4, signed=True, symmetric=True).observe(x, h).fit()
        p = qnt.Quantizer(self.context, "mse", 4, signed=True, symmetric=True).observe(x).fit()
        self.assertLessEqual(q.measure(x, h).mse, p.measure(x, h).mse)

    def test_progress_cancels(self):
        calls = []
        context = qnt.Context(progress=lambda done, total: calls.append((done, total)) or True)
        q = qnt.Quantizer(context, "mse", 4)
        with self.assertRaises(qnt.Cancelled):
            q.observe(np.ones(10000, "f4"))
            q.fit()
        self.assertTrue(calls)

    def test_progress_that_raises(self):
        def progress(done, total):
            raise KeyError("mine")
        q = qnt.Quantizer(qnt.Context(progress=progress), "mse", 4)
        with self.assertRaises(KeyError):
            q.observe(np.ones(10000, "f4"))
            q.fit()

    def test_blob(self):
        x = self.random.normal(size=(6, 50)).astype("f4")
        q = qnt.Quantizer(self.context, "minmax", 5, axis=0).observe(x).fit()
        blob = q.save()
        self.assertEqual(qnt.blob_probe(self.context, blob), ("quantizer", 1, len(blob)))
        again = qnt.Quantizer.load(self.context, blob)
        np.testing.assert_array_equal(again.encode(x, packed=False), q.encode(x, packed=False))
        with self.assertRaises(qnt.Error) as caught:
            qnt.Quantizer.load(self.context, blob[:-1])
        self.assertEqual(caught.exception.status, qnt.E_FORMAT)


@needs_numpy
class ExponentSearch(Case):
    """teq_search against the published loop, written out."""

    def setUp(self):
        super().setUp()
        random = np.random.default_rng(7)
        self.weights = [random.laplace(size=900), random.normal(size=900), random.uniform(-1, 1, 900)]
        self.weights = [w.astype("f4") for w in self.weights]
        self.inputs = [np.abs(x).astype("f4") for x in random.laplace(size=(3, 900))]
        self.inputs[1] = None

    def observed(self, bits=6):
        def one(x, signed):
            return None if x is None else qnt.Quantizer(self.context, "teq", bits, signed=signed).observe(x)

        return [one(w, True) for w in self.weights], [one(x, False) for x in self.inputs]

    def errors(self, bits):
        """Relative mean absolute errors of each layer's weights and inputs."""
        found = []
        for w, x, qw, qx in zip(self.weights, self.inputs, *self.observed(bits)):
            qw.fit() if x is None else qw.fit_pair(qx)
            found.append((qw.measure(w).rmae, 0 if x is None else qx.measure(x).rmae))
        return found

    def test_search(self):
        table, seen = {bits: self.errors(bits) for bits in range(3, 8)}, []

        def loss(weights, inputs):
            bits = [q.spec["bits"] for q in weights]
            self.assertEqual([q and q.spec["bits"] for q in inputs], [bits[0], None, bits[2]])
            seen.append((bits, weights[0]))
            return 0.002 * (21 - sum(bits))

        weights, inputs = self.observed()
        found = qnt.teq_search(self.context, weights, inputs, loss, ratio=1.5)
        accepted, threshold = None, 0.0
        while True:
            bits = [min([b for b in table if table[b][i][0] <= threshold and table[b][i][1] <= 1.5 * threshold],
                        default=7) for i in range(3)]
            if 0.002 * (21 - sum(bits)) > 0.01:
                break
            accepted, threshold = bits, threshold + 0.01
        self.assertEqual([q.spec["bits"] for q in weights], accepted)
        self.assertEqual([q and q.spec["bits"] for q in inputs], [accepted[0], None, accepted[2]])
        self.assertEqual(found.calls, len(seen))
        self.assertAlmostEqual(found.loss, 0.002 * (21 - sum(accepted)), 12)
        self.assertAlmostEqual(found.bits, np.mean(accepted), 12)
        self.assertEqual(weights[0].base, inputs[0].base)
        kept = next(q for bits, q in seen if bits == accepted)  # those of the callback may be kept
        np.testing.assert_array_equal(kept.apply(self.weights[0]), weights[0].apply(self.weights[0]))

    def test_extremes(self):
        for lost, bits, inputs in ((0, 4, True), (-1, 4, False), (1, 6, True)):
            weights, others = self.observed()
            found = qnt.teq_search(self.context, weights, others if inputs else None,
                                   lambda w, x: lost if (x is not None) == inputs else None, 4, 6, step=0.5)
            self.assertEqual((found.bits, found.loss), (bits, lost))
            self.assertEqual([q.spec["bits"] for q in weights], [bits] * 3)

    def test_refusals_change_nothing(self):
        def in_use(weights, inputs):
            own_weights[0].spec

        for loss, error, why in ((lambda weights, inputs: 1 // 0, ZeroDivisionError, "zero"),
                                 (lambda weights, inputs: np.nan, qnt.Error, "not a number"),
                                 (lambda weights, inputs: None, TypeError, ""),
                                 (in_use, RuntimeError, "in use by another call")):
            own_weights, inputs = self.observed()
            with self.assertRaisesRegex(error, why):
                qnt.teq_search(self.context, own_weights, inputs, loss)
            for q in own_weights:
                self.assertEqual(q.spec["bits"], 6)
                with self.assertRaisesRegex(qnt.Error, "STATE"):
                    q.base
        with self.assertRaisesRegex(ValueError, "1 inputs of 3 layers"):
            qnt.teq_search(self.context, own_weights, inputs[:1], lambda w, x: 0)
        with self.assertRaises(qnt.Error):
            qnt.teq_search(self.context, own_weights[:1] * 2, None, lambda w, x: 0)
        with self.assertRaises(qnt.Error):
            qnt.teq_search(self.context, [None], None, lambda w, x: 0)
        with self.assertRaises(qnt.Error):
            qnt.teq_search(self.context, [], None, lambda w, x: 0)
        with self.assertRaises(TypeError):
            qnt.teq_search(self.context, own_weights[:2] + [self.context], None, lambda w, x: 0)

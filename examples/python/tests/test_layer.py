"""Layers against numpy."""
import threading

import qnt
from case import Case, needs_numpy, np


@needs_numpy
class Layers(Case):
    threads = 2

    def setUp(self):
        super().setUp()
        self.random = np.random.default_rng(3)
        self.weight = self.random.normal(size=(10, 32)).astype("f4")
        self.bias = self.random.normal(size=10).astype("f4")
        self.x = self.random.normal(size=(6, 32)).astype("f4")
        self.weight_q = qnt.Quantizer(self.context, "minmax", 8, signed=True, symmetric=True, axis=0)
        self.weight_q.observe(self.weight).fit()
        self.input_q = qnt.Quantizer(self.context, "minmax").observe(self.x).fit()

    def layer(self, **keys):
        keys.setdefault("input_q", self.input_q)
        return qnt.Layer(self.context, self.weight, self.weight_q, bias=self.bias, **keys)

    def test_static(self):
        want = self.input_q.apply(self.x) @ self.weight_q.apply(self.weight).T + self.bias
        np.testing.assert_allclose(self.layer()(self.x), want, atol=1e-4)
        got = self.layer(activation="relu")(self.x)
        np.testing.assert_allclose(got, np.maximum(want, 0), atol=1e-4)

    def test_codes_in_and_out(self):
        layer = self.layer()
        y = layer(self.x)
        np.testing.assert_array_equal(layer(self.input_q.encode(self.x)), y)
        output_q = qnt.Quantizer(self.context, "minmax").observe(y).fit()
        codes = self.layer(output_q=output_q)(self.x)
        self.assertEqual(codes.dtype, np.uint8)
        np.testing.assert_array_equal(codes, output_q.encode(y))

    def test_weight_only(self):
        want = self.x @ self.weight_q.apply(self.weight).T + self.bias
        np.testing.assert_allclose(self.layer(input_q=None)(self.x), want, atol=1e-4)

    def test_dynamic(self):
        dynamic = qnt.Quantizer(self.context, "minmax", signed=True, symmetric=True, dynamic=True)
        want = self.x @ self.weight.T + self.bias
        np.testing.assert_allclose(self.layer(input_q=dynamic)(self.x), want, atol=0.25)

    def test_own_memory(self):
        layer = self.layer()
        y, workspace = np.empty((6, 10), "f4"), bytearray(layer.workspace(self.x))
        self.assertIs(layer.run(self.x, y, workspace), y)
        np.testing.assert_array_equal(y, layer(self.x))
        self.assertEqual(layer.view(self.x), ((6, 10), "float32"))
        if len(workspace):
            with self.assertRaises(qnt.Error) as caught:
                layer.run(self.x, y, bytearray(len(workspace) - 1))
            self.assertEqual(caught.exception.status, qnt.E_SPACE)
        with self.assertRaisesRegex(TypeError, "a writable and compact array"):
            layer.run(self.x, y, np.empty(2 * len(workspace) + 2, "u1")[::-2])
        y.flags.writeable = False  # though __dlpack__ might not mind
        with self.assertRaisesRegex(TypeError, "a writable array is needed"):
            layer.run(self.x, y)

    def test_accumulate(self):
        y = np.ones((6, 10), "f4")
        self.layer(accumulate=True).run(self.x, y)
        np.testing.assert_allclose(y, self.layer()(self.x) + 1, atol=1e-5)

    def test_conv_layouts(self):
        w = self.random.normal(size=(8, 3, 3, 4)).astype("f4")
        x = self.random.normal(size=(2, 6, 6, 4)).astype("f4")
        q = qnt.Quantizer(self.context, signed=True, symmetric=True, axis=0).observe(w).fit()
        p = qnt.Quantizer(self.context).observe(x).fit()
        nhwc = qnt.Layer(self.context, w, q, input_q=p, kind="conv", pad=1, stride=2)
        nchw = qnt.Layer(self.context, np.moveaxis(w, 3, 1), q, input_q=p, kind="conv", pad=1,
                         stride=2, layout="nchw")
        y = nhwc(x)
        self.assertEqual(y.shape, (2, 3, 3, 8))
        np.testing.assert_array_equal(np.moveaxis(nchw(np.moveaxis(x, 3, 1)), 1, 3), y)

    def test_dense_refuses_geometry(self):
        for keys in (dict(pad=1), dict(stride=2), dict(dilation=2), dict(groups=2), dict(layout="nchw")):
            with self.assertRaisesRegex(qnt.Error, "QNT_DENSE, which has no"):
                self.layer(**keys)

    def test_blob(self):
        layer = self.layer()
        blob, y = layer.save(), layer(self.x)
        self.assertEqual(qnt.blob_probe(self.context, blob), ("layer", 1, len(blob)))
        np.testing.assert_array_equal(qnt.Layer.load(self.context, blob)(self.x), y)
        memory = qnt.aligned(blob)
        borrowed = qnt.Layer.load(self.context, memory, borrow=True)
        np.testing.assert_array_equal(borrowed(self.x), y)
        self.assertEqual(borrowed.save(), blob)
        with self.assertRaises(BufferError):
            memory.release()
        del borrowed
        memory.release()

    def test_many_threads(self):
        layer = self.layer()
        want, wrong = layer(self.x), []

        def work():
            for _ in range(50):
                if not np.array_equal(layer(self.x), want):
                    wrong.append(1)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

"""Bit for bit against ONNX Runtime. Its models are written by hand: a protobuf needs no package."""
import unittest

import qnt
from case import Case, fixed, np

try:
    import onnxruntime
except ImportError:
    onnxruntime = None


@unittest.skipUnless(np and onnxruntime, "onnxruntime is not installed")
class Onnx(Case):
    """Bit for bit against ONNX Runtime. Its models are written by hand: a protobuf needs no package."""

    def setUp(self):
        super().setUp()
        self.random = np.random.default_rng(4)

    @staticmethod
    def model(op, inputs, outputs, opset=21, **attributes):
        def varint(n):
            n &= (1 << 64) - 1
            out = b""
            while n > 127:
                out += bytes([n & 127 | 128])
                n >>= 7
            return out + bytes([n])

        def field(number, value):
            if isinstance(value, int):
                return varint(number << 3) + varint(value)
            data = value.encode() if isinstance(value, str) else value
            return varint(number << 3 | 2) + varint(len(data)) + data

        def value_info(name, kind, rank):
            dims = b"".join(field(1, field(2, "d%s%d" % (name, i))) for i in range(rank))
            return field(1, name) + field(2, field(1, field(1, kind) + field(2, dims)))

        node = b"".join(field(1, name) for name, _, _ in inputs)
        node += b"".join(field(2, name) for name, _, _ in outputs) + field(4, op)
        for name, number in attributes.items():
            node += field(5, field(1, name) + field(3, number) + field(20, 2))
        graph = field(1, node) + field(2, "g")
        graph += b"".join(field(11, value_info(*i)) for i in inputs)
        graph += b"".join(field(12, value_info(*o)) for o in outputs)
        return field(1, 10) + field(7, graph) + field(8, field(2, opset))

    def run_onnx(self, op, arrays, kinds, outputs, **attributes):
        inputs = [("i%d" % i, kind, a.ndim) for i, (a, kind) in enumerate(zip(arrays, kinds))]
        session = onnxruntime.InferenceSession(self.model(op, inputs, outputs, **attributes),
                                               providers=["CPUExecutionProvider"])
        return session.run(None, {name: a for (name, _, _), a in zip(inputs, arrays)})

    FLOAT, UINT8, INT8, UINT16, INT16 = 1, 2, 3, 4, 5

    def test_quantize_linear(self):
        x = (self.random.normal(size=(6, 70)) * 20).astype("f4")
        x[0, :8] = [np.inf, -np.inf, 0.25, 0.75, -0.25, -0.75, 1e30, -1e30]
        for name, kind in (("u1", self.UINT8), ("i1", self.INT8), ("u2", self.UINT16),
                           ("i2", self.INT16)):
            dtype = np.dtype(name)
            keys = {"signed": dtype.kind == "i", "bits": 8 * dtype.itemsize}
            zero = 7 if dtype.kind == "u" else -3
            want, = self.run_onnx("QuantizeLinear",
                                  [x, np.array(0.5, "f4"), np.array(zero, dtype)],
                                  [self.FLOAT, self.FLOAT, kind], [("y", kind, 2)])
            q = fixed(self.context, 0.5, zero, **keys)
            np.testing.assert_array_equal(q.encode(x), want)
            back, = self.run_onnx("DequantizeLinear",
                                  [want, np.array(0.5, "f4"), np.array(zero, dtype)],
                                  [kind, self.FLOAT, kind], [("y", self.FLOAT, 2)])
            np.testing.assert_array_equal(q.decode(want), back)

    def test_per_axis(self):
        x = (self.random.normal(size=(5, 6, 7)) * 20).astype("f4")
        scale = self.random.uniform(0.05, 2, 6).astype("f4")
        zero = self.random.integers(0, 255, 6, "u1")
        want, = self.run_onnx("QuantizeLinear", [x, scale, zero],
                              [self.FLOAT, self.FLOAT, self.UINT8], [("y", self.UINT8, 3)], axis=1)
        np.testing.assert_array_equal(fixed(self.context, scale, zero, axis=1).encode(x), want)

    def test_per_block(self):
        x = (self.random.normal(size=(4, 64)) * 20).astype("f4")
        scale = self.random.uniform(0.05, 2, (4, 2)).astype("f4")
        zero = self.random.integers(0, 255, (4, 2), "u1")
        want, = self.run_onnx("QuantizeLinear", [x, scale, zero],
                              [self.FLOAT, self.FLOAT, self.UINT8], [("y", self.UINT8, 2)], axis=1,
                              block_size=32)
        q = fixed(self.context, scale.ravel(), zero.ravel(), axis=1, block=32)
        np.testing.assert_array_equal(q.encode(x), want)

    def test_dynamic(self):
        outputs = [("y", self.UINT8, 1), ("s", self.FLOAT, 0), ("z", self.UINT8, 0)]
        for shift in (0.0, 3.0, -3.0):
            x = (self.random.normal(size=200) + shift).astype("f4")
            y, scale, zero = self.run_onnx("DynamicQuantizeLinear", [x], [self.FLOAT], outputs)
            q = qnt.Quantizer(self.context, "minmax").observe(x).fit()
            self.assertEqual(np.float32(q.scale[0]), scale)
            self.assertEqual(int(q.zero[0]), int(zero))
            np.testing.assert_array_equal(q.encode(x), y)

"""Tests of the Python binding, and of the library against numpy and ONNX Runtime.

    python3 -m unittest -v test_qnt        (or: QNT_LIBRARY=/path/libqnt.so.1 python3 test_qnt.py)

Without numpy only the tests that need none run; the summary counts the others as skipped.
"""
import array
import gc
import os
import struct
import subprocess
import sys
import threading
import unittest
import weakref

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import qnt  # noqa: E402

try:
    import numpy as np
except ImportError:
    np = None
try:
    import onnxruntime
except ImportError:
    onnxruntime = None

needs_numpy = unittest.skipUnless(np, "numpy is not installed")
needs_onnxruntime = unittest.skipUnless(np and onnxruntime, "onnxruntime is not installed")


def fixed(context, scale, zero=0, **keys):
    q = qnt.Quantizer(context, "fixed", **keys)
    q.scale = scale
    if np is not None and np.any(zero) or zero:
        q.zero = zero
    return q


class Plain(unittest.TestCase):
    """What must work without numpy."""

    def setUp(self):
        self.context = qnt.Context()
        self.numpy, qnt.numpy = qnt.numpy, None
        self.addCleanup(lambda: setattr(qnt, "numpy", self.numpy))

    def test_version_and_cpu(self):
        self.assertRegex(qnt.version(), r"^1\.\d+\.\d+$")
        self.assertEqual(self.context.cpu, qnt.cpu_detect())
        self.assertEqual(qnt.cpu_names(0), ["c"])
        self.context.cpu = 0
        self.assertEqual(self.context.cpu, 0)
        self.assertEqual(qnt.Context(cpu=0).cpu, 0)

    def test_encode_array(self):
        x = array.array("f", [-1.0, 0.0, 0.24, 0.26, 5.0])
        q = fixed(self.context, 0.5, signed=True, bits=3)
        self.assertEqual(q.encode(x).tolist(), [-2, 0, 0, 1, 3])
        codes = q.encode(x)
        self.assertEqual(codes.dtype, "int3")
        self.assertEqual(len(bytes(codes.memory)), 2)
        self.assertEqual(q.decode(codes).tolist(), [-1.0, 0.0, 0.0, 0.5, 1.5])
        self.assertEqual(q.encode(x, packed=False).dtype, "int8")
        q.apply(x, out=x)
        self.assertEqual(x.tolist(), [-1.0, 0.0, 0.0, 0.5, 1.5])

    def test_any_buffer(self):
        raw = struct.pack("<6f", 0, 1, 2, 3, 4, 5)
        grid = memoryview(raw).cast("f", (2, 3))
        q = fixed(self.context, 1.0)
        self.assertEqual(q.encode(grid).tolist(), [[0, 1, 2], [3, 4, 5]])
        self.assertEqual(q.encode(memoryview(array.array("f", range(6)))[::2]).tolist(), [0, 2, 4])

    def test_bfloat16(self):
        words = array.array("H", [0x3F80, 0xC000])  # 1, -2
        x = qnt.Tensor(words, (2,), "bfloat16")
        self.assertEqual(fixed(self.context, 1.0, signed=True).encode(x).tolist(), [1, -2])

    def test_errors_carry_the_reason(self):
        with self.assertRaises(qnt.Error) as caught:
            qnt.Quantizer(self.context, bits=9)
        self.assertEqual(caught.exception.name, "QNT_E_INVALID")
        self.assertEqual(caught.exception.status, qnt.E_INVALID)
        self.assertIn("9", caught.exception.reason)
        with self.assertRaises(qnt.Error) as caught:
            qnt.Quantizer(self.context).encode(array.array("f", [1]))
        self.assertEqual(caught.exception.status, qnt.E_STATE)
        with self.assertRaises(qnt.Error) as caught:
            fixed(self.context, 1.0).apply(b"bytes")
        self.assertEqual(caught.exception.status, qnt.E_DTYPE)
        with self.assertRaises(TypeError):
            fixed(self.context, 1.0).apply("text")
        with self.assertRaises(TypeError):
            fixed(self.context, 1.0).apply(array.array("f", [1]), out=b"\0\0\0\0")
        with self.assertRaises(ValueError):
            qnt.Tensor(bytearray(2), (5,), "int4")

    def test_log_belongs_to_its_context(self):
        heard = []
        one = qnt.Context(log=lambda level, text: heard.append((level, text)))
        with self.assertRaises(qnt.Error):
            qnt.Quantizer(one, bits=99)
        with self.assertRaises(qnt.Error):
            qnt.Quantizer(self.context, bits=99)
        self.assertEqual(len(heard), 1)
        self.assertEqual(heard[0][0], qnt.LOG_ERROR)

    def test_log_that_raises(self):
        def log(level, text):
            raise KeyError(text)
        with self.assertRaises(KeyError):
            qnt.Quantizer(qnt.Context(log=log), bits=99)

    def test_nothing_lives_too_long(self):
        gc.disable()
        try:
            context = qnt.Context(log=print)
            gone = weakref.ref(context)
            del context
            self.assertIsNone(gone())
            x = array.array("f", [1])
            fixed(self.context, 1.0).encode(x)
            x.append(2)  # BufferError if an export is still held
        finally:
            gc.enable()

    def test_close(self):
        with qnt.Quantizer(self.context) as q:
            pass
        with self.assertRaises(ValueError):
            q.spec
        q.close()

    def test_closed_while_in_use(self):
        """By callbacks: what a call uses is freed when the call has ended."""
        things = []

        def close_all(*_):
            for thing in things:
                thing.close()
            return False

        context = qnt.Context(progress=close_all, threads=2)
        q = qnt.Quantizer(context, bits=4)
        things += [q, context.pool, context]
        q.observe(array.array("f", range(100)))
        for thing in things:
            self.assertIsNone(thing._handle)
            with self.assertRaisesRegex(ValueError, "closed"):
                thing.handle

    def test_changed_while_in_use(self):
        """Neither by callbacks nor by other threads; what changes nothing may run at once."""
        x, seen = array.array("f", range(100)), []

        def ask(*_):
            for use in (q.fit, lambda: q.scale, lambda: setattr(q, "bins", 100), lambda: context.use(None)):
                with self.assertRaisesRegex(RuntimeError, "in use by another call"):
                    use()
            thread = threading.Thread(target=lambda: seen.append(other.encode(x, packed=False).tolist()))
            thread.start()
            thread.join()
            return False

        other = fixed(self.context, 1.0)
        context = qnt.Context(progress=ask)
        q = qnt.Quantizer(context, bits=4)
        q.observe(x).fit()
        self.assertGreater(len(seen), 0)
        self.assertEqual(seen[0], list(range(100)))
        self.assertAlmostEqual(q.scale[0], 99 / 15, places=5)

    def test_outlives_its_context(self):
        q = fixed(self.context, 0.25)
        self.context.close()
        q.close()

    def test_spec(self):
        spec = qnt.Quantizer(self.context, "percentile", 4, axis=1, block=32, seed=7).spec
        self.assertEqual((spec["bits"], spec["grain"], spec["block"], spec["seed"]), (4, 2, 32, 7))

    def test_tensor_size(self):
        self.assertEqual(qnt.Tensor(bytearray(7), (2, 7), "uint4").bytes(self.context), 7)
        qnt.Tensor(bytearray(7), (2, 7), "uint4").check(self.context)

    def test_pool(self):
        pool = qnt.Pool(self.context, 2)
        a, b = qnt.Context(threads=pool), qnt.Context(threads=3)
        x = array.array("f", range(1000))
        want = fixed(self.context, 4.0).encode(x).tolist()
        self.assertEqual(fixed(a, 4.0).encode(x).tolist(), want)
        self.assertEqual(fixed(b, 4.0).encode(x).tolist(), want)
        a.use(None)
        self.assertEqual(fixed(a, 4.0).encode(x).tolist(), want)

    def test_pool_that_is_closed(self):
        x, pool = array.array("f", [0.5]), qnt.Pool(self.context, 2)
        self.context.use(pool)
        q = fixed(self.context, 0.5)
        pool.close()
        with self.assertRaisesRegex(ValueError, "this Pool is closed"):
            q.encode(x)
        with self.assertRaisesRegex(ValueError, "this Pool is closed"):
            qnt.Context(threads=pool)
        self.context.use(None)
        self.assertEqual(q.encode(x).tolist(), [1])

    def test_results_go_where_they_may(self):
        x, q = array.array("f", [0.5] * 8), fixed(self.context, 0.5, bits=4)
        for constant in (bytes(4), memoryview(bytearray(4)).toreadonly()):
            with self.assertRaisesRegex(TypeError, "a writable Tensor is needed"):
                q.encode(x, out=qnt.Tensor(constant, (8,), "uint4"))
        memory = bytearray(4)
        q.encode(x, out=qnt.Tensor(memory, (8,), "uint4"))
        self.assertEqual(memory, b"\x11" * 4)

    def test_strides_stay_inside(self):
        memory = bytearray(16)
        self.assertEqual(qnt.Tensor(memory, (4, 4), "int8", strides=(n for n in (4, 1))).bytes(self.context), 16)
        far = (lambda: [1000, 1], lambda: iter([1000, 1]), lambda: map(int, "91"))
        for strides in far:
            with self.assertRaisesRegex(ValueError, "16 bytes cannot hold"):
                qnt.Tensor(memory, (4, 4), "int8", strides=strides())
        for strides in ([], [1], [4, 1, 1]):
            with self.assertRaisesRegex(ValueError, "strides of 2 axes"):
                qnt.Tensor(memory, (4, 4), "int8", strides=strides)
        with self.assertRaises(OverflowError):
            qnt.Tensor(memory, (2**64 + 4,), "int8", strides=[0])

    def test_rows_behind_pointers(self):
        """Memory that strides cannot describe; Python's own tests have such arrays."""
        try:
            import _testbuffer
        except ImportError:
            self.skipTest("no _testbuffer")
        rows = _testbuffer.ndarray([1.0] * 12, shape=[3, 4], format="f", flags=_testbuffer.ND_PIL)
        with self.assertRaisesRegex(TypeError, "a strided array is needed"):
            qnt.Quantizer(self.context).observe(rows)

    def test_bytes_have_no_gaps(self):
        blob = fixed(self.context, 0.5).save()
        spread = bytearray(2 * len(blob))
        spread[::2] = blob
        for gaps in (memoryview(spread)[::2], memoryview(bytearray(reversed(blob)))[::-1]):
            self.assertEqual(bytes(gaps), blob)
            for load in (lambda: qnt.Quantizer.load(self.context, gaps), lambda: qnt.Layer.load(self.context, gaps),
                         lambda: qnt.KernelMap.load(self.context, gaps), lambda: qnt.blob_probe(self.context, gaps),
                         lambda: qnt.Tensor(gaps, (len(blob),), "uint8")):
                with self.assertRaisesRegex(TypeError, "a compact array is needed"):
                    load()
        self.assertEqual(qnt.blob_probe(self.context, memoryview(blob))[0], "quantizer")

    def test_threads_have_their_own_reason(self):
        seen = {}

        def fail(bits):
            for _ in range(50):
                try:
                    qnt.Quantizer(self.context, bits=bits)
                except qnt.Error as error:
                    seen.setdefault(bits, set()).add(str(bits) in error.reason)
        threads = [threading.Thread(target=fail, args=(bits,)) for bits in (77, 88, 99)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(seen, {77: {True}, 88: {True}, 99: {True}})


@needs_numpy
class Quantizers(unittest.TestCase):
    def setUp(self):
        self.context = qnt.Context()
        self.random = np.random.default_rng(1)

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
                tensor = qnt._Tensor.from_address(qnt._capsule_pointer(capsule, b"dltensor"))
                tensor.device_type, tensor.byte_offset = self.device, self.offset
                return capsule

        pixels = self.random.integers(0, 256, (16, 16), "u1")
        picture = qnt.Picture(self.context, Exporter(pixels[:8], 1, 128)).quantize([1] * 64)
        np.testing.assert_allclose(picture.decode().astype(int), pixels[8:].astype(int), atol=1)
        with self.assertRaisesRegex(qnt.Error, "device_type"):
            qnt.Picture(self.context, Exporter(pixels, 2, 0))
        with self.assertRaisesRegex(qnt.Error, "device_type"):
            picture.decode(Exporter(pixels[:8], 2, 0))

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
class Kernels(unittest.TestCase):
    def setUp(self):
        self.context = qnt.Context(threads=2)
        self.random = np.random.default_rng(2)

    def codes(self, *shape, low=-128, high=127, dtype="i1"):
        return self.random.integers(low, high, shape, dtype, True)

    def test_gemm(self):
        a, b = self.codes(5, 67), self.codes(9, 67)
        zero = self.codes(9).astype("i4")
        got = qnt.gemm_s8(self.context, a, b, a_zero=3, b_zero=zero)
        want = (a.astype("i8") - 3) @ (b.astype("i8") - zero[:, None]).T
        np.testing.assert_array_equal(got, want)

    def test_gemm_of_packed_codes(self):
        a, x = self.codes(3, 40), self.codes(6, 40, low=-8, high=7)
        q = fixed(self.context, 1.0, bits=4, signed=True)
        packed = q.encode(x.astype("f4"))
        got = qnt.gemm_s8(self.context, a, packed)
        np.testing.assert_array_equal(got, a.astype("i8") @ x.astype("i8").T)

    def test_gemm_of_levels(self):
        a, b = self.codes(5, 67, low=0, high=255, dtype="u1"), self.codes(9, 67, low=0, high=255, dtype="u1")
        narrow, wide = self.codes(256), self.codes(256, low=-4095, high=4095, dtype="i2")
        got = qnt.gemm_table(self.context, a, narrow, b, wide)
        np.testing.assert_array_equal(got, narrow[a].astype("i8") @ wide[b].astype("i8").T)

    def test_bit_planes(self):
        a, b = self.codes(5, 130, low=0, high=255, dtype="u1"), self.codes(20, 130, low=0, high=3, dtype="u1")
        raw = np.packbits((b[..., None] >> np.arange(2) & 1).reshape(-1), bitorder="little")
        planes = qnt.pack_bits(self.context, qnt.Tensor(raw.tobytes(), (20, 130), "uint2"))
        self.assertEqual(tuple(planes.shape), (2, 2, 5, 128))
        coef = self.codes(20, 2).astype("f4") / 64
        signs = [2 * (b.astype("i8") >> p & 1) - 1 for p in range(2)]
        want = sum(coef[:, p] * (a.astype("i8") @ signs[p].T) for p in range(2))
        got = qnt.gemm_bits(self.context, a, planes, 20, coef)
        np.testing.assert_allclose(got, want, 1e-5, 1e-2)
        a_coef = np.float32([0.25, 0.5, 1, 2, 4, 8, 16, 32])
        numbers = sum(a_coef[j] * (2 * (a.astype("i8") >> j & 1) - 1) for j in range(8))
        want = sum(coef[:, p] * (numbers @ signs[p].T) for p in range(2))
        got = qnt.gemm_bits(self.context, a, planes, 20, coef, a_coef)
        np.testing.assert_allclose(got, want, 1e-4, 1e-2)
        one = qnt.pack_bits(self.context, qnt.Tensor(np.packbits(b & 1, bitorder="little").tobytes(),
                                                     (20, 130), "uint1"))
        got = qnt.gemm_bits(self.context, a, one, 20)
        np.testing.assert_array_equal(got, a.astype("i8") @ signs[0].T)
        with self.assertRaisesRegex(qnt.Error, "b_coef"):
            qnt.gemm_bits(self.context, a, planes, 20, a_coef=a_coef)

    def test_points_by_output(self):
        weight = np.random.default_rng(3).normal(size=(16, 24)).astype("f4")
        inputs = np.random.default_rng(4).normal(size=(50, 24)).astype("f4")
        q = qnt.Quantizer(self.context, scheme="points", method="multipoint", bits=2, points=2, axis=0)
        q.extra = 5
        q.observe(weight).observe_inputs(inputs[:20]).observe_inputs(inputs[20:]).fit()
        count = np.array(q.get("count"))
        self.assertEqual(count.sum(), 16 + 5)
        np.testing.assert_array_equal(q.get("stored"), 2 * count)
        np.testing.assert_array_equal(q.get("overhead"), 32 + 32 * count + 2)
        with self.assertRaisesRegex(qnt.Error, "24 were observed"):
            q.observe_inputs(inputs[:, 1:])

    def test_exponential_codes(self):
        a, b = self.codes(3, 67, low=0, high=255, dtype="u1"), self.codes(4, 67, low=0, high=255, dtype="u1")

        def decode(codes, alpha, beta):
            field, sign = codes & 127, np.where(codes >> 7, -1.0, 1.0)
            return np.where(field, sign * (alpha * 1.02 ** (field - 1.0) + beta), 0.0)

        got = qnt.gemm_exp(self.context, a, b, 7, 1.02, 0.5, 0.25, 2.0)
        np.testing.assert_allclose(got, decode(a, 0.5, 0.25) @ decode(b, 2.0, 0.0).T, 1e-6, 1e-9)
        counts = qnt.dot_exp(self.context, a[0], b[0], 7)
        both = (a[0] & 127 > 0) & (b[0] & 127 > 0)
        self.assertEqual(counts[-1], (both * np.where((a[0] ^ b[0]) >> 7, -1, 1)).sum())
        self.assertEqual(counts[:253].sum(), counts[-1])

    def test_conv(self):
        x, w = self.codes(2, 6, 5, 4), self.codes(6, 3, 3, 2)
        got = qnt.conv_s8(self.context, x, w, x_zero=-5, groups=2, stride=(2, 1), pad=1)
        padded = np.zeros((2, 8, 7, 4), "i8")
        padded[:, 1:-1, 1:-1] = x.astype("i8") + 5
        want = np.zeros((2, 3, 5, 6), "i8")
        for i in range(3):
            for j in range(5):
                patch = padded[:, 2 * i:2 * i + 3, j:j + 3]
                for o in range(6):
                    g = o // 3
                    want[:, i, j, o] = (patch[..., 2 * g:2 * g + 2] * w[o]).sum((1, 2, 3))
        np.testing.assert_array_equal(got, want)
        plain = qnt.conv_s8(self.context, x, w, groups=2)
        np.testing.assert_array_equal(qnt.conv_s8(self.context, x, w, groups=2, stride=0, dilation=0), plain)

    def test_shuffle(self):
        x = self.codes(3, 8)
        got = qnt.shuffle_cyclic(self.context, x, 1, 4, 1)
        np.testing.assert_array_equal(got, np.roll(x.reshape(3, 4, 2), -1, 1).reshape(3, 8))

    def test_requantize(self):
        acc = self.random.integers(-10000, 10000, (4, 6), "i4")
        scale, bias = np.array([0.01], "f4"), np.arange(6, dtype="i4")
        got = qnt.requantize(self.context, acc, scale, bias, zero=3)
        want = np.clip(np.rint((acc + bias).astype("f4") * scale) + 3, -128, 127)
        np.testing.assert_array_equal(got, want)


@needs_numpy
class Layers(unittest.TestCase):
    def setUp(self):
        self.context = qnt.Context(threads=2)
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

    def test_blob(self):
        layer = self.layer()
        blob, y = layer.save(), layer(self.x)
        self.assertEqual(qnt.blob_probe(self.context, blob), ("layer", 1, len(blob)))
        np.testing.assert_array_equal(qnt.Layer.load(self.context, blob)(self.x), y)
        borrowed = qnt.Layer.load(self.context, qnt.aligned(blob), borrow=True)
        gc.collect()
        np.testing.assert_array_equal(borrowed(self.x), y)
        self.assertEqual(borrowed.save(), blob)

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


@needs_numpy
class PackedDigits(unittest.TestCase):
    """Against the 8-bit convolution of the same codes."""

    def setUp(self):
        self.context = qnt.Context(threads=2)
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


class KernelMaps(unittest.TestCase):
    def setUp(self):
        self.context = qnt.Context(threads=2)
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


@needs_onnxruntime
class Onnx(unittest.TestCase):
    """Bit for bit against ONNX Runtime. Its models are written by hand: a protobuf needs no package."""

    def setUp(self):
        self.context = qnt.Context()
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


class Tables(unittest.TestCase):
    """Without numpy, too."""

    def setUp(self):
        self.context = qnt.Context()

    def test_picture(self):
        """The size frozen in test/unit/qtable_image.c; steps of 1 give the pixels back."""
        side, high = 37, 21
        def remainder(a, b):  # as in C
            return a % b if a >= 0 else -(-a % b)
        rows = bytes((128 + remainder(x * 5 - y * 3, 90) + x * y * 7 % 23) % 256
                     for y in range(high) for x in range(side))
        picture = qnt.Picture(self.context, memoryview(rows).cast("B", (high, side)))
        with self.assertRaisesRegex(qnt.Error, "has not been quantized"):
            picture.size()
        table = qnt.standard_table(self.context, 50)
        self.assertEqual(table[:3] + table[-1:], [16, 11, 10, 99])
        size = picture.quantize(table).size()
        self.assertEqual((size.file, size.header, picture.size(optimal=True).file), (457, 330, 302))
        decoded = picture.quantize([1] * 64).decode()
        decoded = [pixel for row in decoded.tolist() for pixel in row]
        self.assertLessEqual(max(abs(a - b) for a, b in zip(decoded, rows)), 1)
        with self.assertRaisesRegex(qnt.Error, "step 5 is 0"):
            picture.quantize([1] * 5 + [0] + [1] * 58)
        with self.assertRaises(ValueError):
            picture.quantize([1] * 63)
        with self.assertRaises(ValueError):
            qnt.Picture(self.context, rows)
        spread = memoryview(bytearray(2 * len(rows))).cast("B", (2 * high, side))[::2]
        words = memoryview(bytearray(2 * len(rows))).cast("H", (high, side))
        for out in (spread, words):
            with self.assertRaisesRegex(ValueError, "compact uint8"):
                picture.decode(out)
        self.assertEqual(qnt.table_text(self.context, table).split()[:2], ["16", "11"])

    def test_search(self):
        def measure(table):
            rate = sum(table) / 640
            return rate, -rate - sum((step - 30) ** 2 for step in table) / 64000
        search = qnt.TableSearch(self.context, seed=3)
        for _ in range(60):
            search.tell(*measure(search.ask()[0]))
        self.assertEqual(len(search.trials()), 60)
        low, high = search.box(2, 8, 0.5)
        self.assertTrue(all(a <= b for a, b in zip(low, high)))
        bounded = qnt.TableSearch(self.context, "bandit", window=(1, 9), curve=search.curve(), low=low,
                                  high=high, start=10)
        for _ in range(40):
            table = bounded.ask()[0]
            self.assertTrue(all(a <= step <= b for a, step, b in zip(low, table, high)))
            bounded.tell(*measure(table))
        best = bounded.best()
        self.assertEqual((best.rate, best.utility), measure(best.tables[0]))
        with self.assertRaisesRegex(qnt.Error, "none of 0 trials"):
            qnt.TableSearch(self.context).best()
        with self.assertRaisesRegex(qnt.Error, "nothing has been asked"):
            search.tell(1, 1)


class Training(unittest.TestCase):
    def setUp(self):
        self.context = qnt.Context()

    @unittest.skipIf(np is None, "numpy is not installed")
    def test_learns_and_exports(self):
        random = np.random.default_rng(3)
        x = random.normal(size=(8, 40)).astype("f4")
        for method in ("lsq", "pact", "dorefa", "interval", "n2uq", "staircase", "rq", "srq", "balanced"):
            trainer = qnt.Trainer(self.context, method, bits=3, axis=0, seed=7).start(x)
            trainer.hard = 1
            y = trainer.forward(x)
            np.testing.assert_array_equal(trainer.export(x).apply(x), y)
            dx, dtheta = trainer.backward(x, y - x)
            self.assertEqual(dx.shape, x.shape)
            self.assertEqual(len(dtheta), len(trainer.theta))
        trainer = qnt.Trainer(self.context, "lsq", bits=3, axis=0).start(x)
        trainer.theta = trainer.theta * 2
        first = ((trainer.forward(x) - x) ** 2).mean()
        for step in range(200):
            trainer.step = step
            _, dtheta = trainer.backward(x, trainer.forward(x) - x)
            trainer.theta = trainer.theta - 0.02 * dtheta
        self.assertLess(((trainer.forward(x) - x) ** 2).mean(), 0.8 * first)
        with self.assertRaisesRegex(qnt.Error, "go back"):
            trainer.step = 3

    @unittest.skipIf(np is None, "numpy is not installed")
    def test_values_of_signs(self):
        x = np.maximum(np.random.default_rng(4).normal(size=400), 0).astype("f4")
        for method in ("alq", "lq"):
            trainer = qnt.Trainer(self.context, method, bits=2, weights=False).start(x)
            first = trainer.theta
            trainer.refit(2 * x, 0.5)
            self.assertTrue((trainer.theta > first).all())
            y = trainer.forward(x)
            self.assertLessEqual(len(set(y)), 4)
            np.testing.assert_array_equal(trainer.export().apply(x), y)
        with self.assertRaisesRegex(qnt.Error, "gradients"):
            qnt.Trainer(self.context, "lsq").start(x).refit(x)

    @unittest.skipIf(np is None, "numpy is not installed")
    def test_bases(self):
        random = np.random.default_rng(5)
        layers = [qnt.Bases(self.context, random.normal(size=(6, 30)).astype("f4"), bases=3) for _ in range(2)]
        goal = random.normal(size=(6, 30)).astype("f4")
        first = ((layers[0].weights() - goal) ** 2).mean()
        for step in range(100):
            for layer in layers:
                layer.step("bases", 0.2, layer.weights() - goal)
        self.assertLess(((layers[0].weights() - goal) ** 2).mean(), 0.7 * first)
        qnt.prune(layers, 2)
        self.assertLessEqual(qnt.mean_bits(layers), 2)
        w = layers[0].weights()
        np.testing.assert_array_equal(layers[0].export().apply(w), w)
        other = qnt.Bases(self.context, goal, bases=3)
        other.state = layers[0].state
        np.testing.assert_array_equal(other.weights(), w)
        self.assertEqual(other.bits, layers[0].bits)
        with self.assertRaisesRegex(qnt.Error, "count"):
            other.state = layers[0].state[1:]

    def test_torch(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "train_torch.py")
        done = subprocess.run([sys.executable, script], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        if "skipped" in done.stdout:
            self.skipTest(done.stdout.strip())


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=1).result
    bad = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    print("%d passed, %d failed, %d skipped" % (result.testsRun - bad - skipped, bad, skipped))
    sys.exit(bad != 0)

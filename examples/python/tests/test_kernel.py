"""Stateless kernels against numpy."""
import qnt
from case import Case, fixed, needs_numpy, np


@needs_numpy
class Kernels(Case):
    threads = 2

    def setUp(self):
        super().setUp()
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
        for bits in (-1, 0, 8, 2**31 - 1):
            with self.assertRaisesRegex(qnt.Error, "bits"):
                qnt.dot_exp(self.context, a[0], b[0], bits)
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

    def test_conv_of_shifted_groups(self):
        x, w = self.codes(2, 6, 5, 6), self.codes(9, 3, 3, 2)
        shuffled = qnt.shuffle_cyclic(self.context, x, 3, 3, 1)
        np.testing.assert_array_equal(qnt.conv_s8(self.context, x, w, groups=3, group_shift=1),
                                      qnt.conv_s8(self.context, shuffled, w, groups=3))

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

"""Memory of every kind that can be described, and what is refused."""
import array
import struct

import qnt
from case import WithoutNumpy, fixed


class Tensors(WithoutNumpy):
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

    def test_lists_of_packed_codes(self):
        """Against bits counted one by one."""
        for bits in range(1, 9):
            memory = bytes(i * 37 % 256 for i in range((21 * bits + 7) // 8))
            flat = [byte >> i & 1 for byte in memory for i in range(8)]
            want = [sum(flat[n * bits + i] << i for i in range(bits)) for n in range(21)]
            self.assertEqual(qnt.Tensor(memory, (21,), "uint%d" % bits).tolist(), want)
            want = [code - 2**bits * (code >> bits - 1) for code in want]
            want = [want[:7], want[7:14], want[14:]]
            self.assertEqual(qnt.Tensor(memory, (3, 7), "int%d" % bits).tolist(), want)
        words = array.array("i", [-2**31, -1, 0, 5, 2**31 - 1])
        self.assertEqual(qnt.Tensor(words, (5,), "int32").tolist(), words.tolist())

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

    def test_spec(self):
        spec = qnt.Quantizer(self.context, "percentile", 4, axis=1, block=32, seed=7).spec
        self.assertEqual((spec["bits"], spec["grain"], spec["block"], spec["seed"]), (4, 2, 32, 7))

    def test_tensor_size(self):
        self.assertEqual(qnt.Tensor(bytearray(7), (2, 7), "uint4").bytes(self.context), 7)
        qnt.Tensor(bytearray(7), (2, 7), "uint4").check(self.context)

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
        with self.assertRaises(TypeError):
            qnt.Tensor(memory, (2.5,), "int8")
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

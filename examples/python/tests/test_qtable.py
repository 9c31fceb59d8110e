"""Pictures, tables and searches."""
import gc
import math
import weakref

import qnt
from case import Case, WithoutNumpy, needs_numpy, np


class Tables(Case):
    """Without numpy, too."""

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
        rows_of_others = (memoryview(bytearray(2 * len(rows))).cast("H", (high, side)), bytearray(2 * len(rows)),
                          memoryview(bytearray(2 * len(rows))).cast("B", (high, 2 * side)))
        for out in rows_of_others:
            with self.assertRaisesRegex(ValueError, "out must"):
                picture.decode(out)
        with self.assertRaisesRegex(TypeError, "writable"):
            picture.decode(memoryview(rows).cast("B", (high, side)))
        self.assertEqual(qnt.table_text(self.context, table).split()[:2], ["16", "11"])

    def test_gaps_between_rows(self):
        """Every other row of a picture, read and written in place."""
        memory = bytearray(i * 7919 % 251 for i in range(18 * 12))
        grid = memoryview(memory).cast("B", (18, 12))
        picture = qnt.Picture(self.context, grid[::2]).quantize([1] * 64)
        rows = bytes(grid[::2])
        same = qnt.Picture(self.context, memoryview(rows).cast("B", (9, 12))).quantize([1] * 64)
        self.assertEqual(picture.size(), same.size())
        before = bytes(grid[1::2])
        picture.decode(out=grid[::2])
        self.assertEqual(bytes(grid[1::2]), before)
        self.assertEqual(grid[::2].tolist(), same.decode().tolist())
        for backwards in (grid[::-1], qnt.Tensor(memory, (9, 12), "uint8", strides=(11, 1))):
            with self.assertRaisesRegex(ValueError, "rows one after another"):
                qnt.Picture(self.context, backwards)
        with self.assertRaisesRegex(ValueError, "rows without gaps"):
            qnt.Picture(self.context, qnt.Tensor(memory, (9, 6), "uint8", strides=(12, 2)))

    def test_psnr(self):
        a, b = bytes(range(60)), bytearray(range(60))
        b[7], b[30] = 10, 0
        grids = [memoryview(each).cast("B", shape) for each in (a, b) for shape in ((5, 12), (5, 4, 3))]
        for pair in (grids[::2], grids[1::2]):
            self.assertAlmostEqual(qnt.psnr(self.context, *pair), 10 * math.log10(255**2 / (909 / 60)), 12)
        self.assertEqual(qnt.psnr(self.context, grids[0], grids[0]), math.inf)
        self.assertEqual(qnt.psnr(self.context, grids[0][:1], grids[2][1:2]),
                         qnt.psnr(self.context, grids[0][:1], memoryview(bytes(b[12:24])).cast("B", (1, 12))))
        self.assertEqual(qnt.psnr(self.context, grids[0][:1][::-1], grids[2][:1]),
                         qnt.psnr(self.context, grids[0][:1], grids[2][:1]))
        for bad in (grids[0][:2], grids[1], memoryview(bytes(240)).cast("f", (5, 12)), grids[0][::-1]):
            with self.assertRaises(ValueError):
                qnt.psnr(self.context, grids[0], bad)
        with self.assertRaisesRegex(qnt.Error, "at least 1 x 1"):
            qnt.psnr(self.context, grids[0][:0], grids[2][:0])

    def test_levels_outlive_their_picture(self):
        picture = qnt.Picture(self.context, memoryview(bytes(range(192))).cast("B", (8, 24))).quantize([2] * 64)
        owned = weakref.ref(picture._owned)
        levels = picture.levels()
        first = levels.tolist()
        with self.assertRaises(AttributeError):
            picture.shape = (80, 24)  # by which results get their memory
        picture.close()
        with self.assertRaisesRegex(ValueError, "closed"):
            picture.levels()
        del picture
        gc.collect()
        self.assertIsNotNone(owned())
        self.assertEqual(levels.tolist(), first)
        del levels
        gc.collect()
        self.assertIsNone(owned())

    @needs_numpy
    def test_levels(self):
        pixels = np.random.default_rng(3).integers(0, 256, (16, 24, 3), "u1")
        for halved, shape in ((True, (1, 2)), (False, (2, 3))):
            picture = qnt.Picture(self.context, pixels, halved).quantize([8] * 64)
            self.assertEqual(picture.levels(0).shape, (2, 4 if halved else 3, 8, 8))
            self.assertEqual(picture.levels(1).shape, shape + (8, 8))
            with self.assertRaisesRegex(qnt.Error, "component is 3"):
                picture.levels(3)
        grey = pixels[:, :, 1].copy()
        picture = qnt.Picture(self.context, grey, exact=False).quantize(range(1, 65))
        blocks = grey.reshape(2, 8, 3, 8).swapaxes(1, 2).astype("f4") - 128
        coefficients = qnt.dct_forward(self.context, blocks.copy())
        steps = np.arange(1, 65).reshape(8, 8)
        want = np.sign(coefficients) * np.floor(np.abs(coefficients) / steps + 0.5)
        levels = picture.levels()
        self.assertEqual(levels.dtype, np.int16)
        self.assertLess(np.abs(levels - want).sum(), 3)  # where a last bit decides
        picture.quantize([64] * 64)
        self.assertLess(np.abs(levels).max(), 65)
        coded = picture.size().entropy
        levels[...] = 0
        self.assertLess(picture.size().entropy, coded)
        np.testing.assert_array_equal(picture.decode(), 128)
        levels[1, 2, 0, 0] = 2**15 - 1  # beyond baseline files
        with self.assertRaises(qnt.Error):
            picture.size()

    @needs_numpy
    def test_transform(self):
        u, x = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
        basis = np.cos((2 * x + 1) * u * np.pi / 16) * np.where(u, 0.5, 8 ** -0.5)
        pixels = np.random.default_rng(4).uniform(-128, 127, (3, 2, 8, 8)).astype("f4")
        got = qnt.dct_forward(self.context, pixels)
        np.testing.assert_allclose(got, basis @ pixels.astype("f8") @ basis.T, atol=2e-4)
        back = qnt.dct_inverse(self.context, got)
        np.testing.assert_allclose(back, pixels, atol=2e-4)
        gap = memoryview(got[:2].tobytes()).cast("f", (4, 8, 8))[::4]
        np.testing.assert_array_equal(qnt.dct_inverse(self.context, gap), back[0, :1])  # the only one has no gaps
        np.testing.assert_array_equal(qnt.dct_inverse(self.context, got, out=got), back)
        self.assertEqual(qnt.dct_forward(self.context, np.zeros((0, 8, 8), "f4")).shape, (0, 8, 8))

    def test_blocks_that_are_none(self):
        memory = bytearray(4 * 64 * 3)
        good = qnt.Tensor(memory, (2, 8, 8), "float32")
        words, row = memoryview(memory).cast("f"), memoryview(memory).cast("f", (3, 64))
        odd = qnt.Tensor(memoryview(memory)[2:-2], (2, 8, 8), "float32")
        for bad in (words, row, odd, memoryview(memory).cast("i", (3, 8, 8)),
                    memoryview(memory).cast("f", (3, 8, 8))[::2],
                    qnt.Tensor(memory, (2, 8, 8), "float32", strides=(64, 1, 8))):
            with self.assertRaisesRegex(ValueError, "blocks must be"):
                qnt.dct_forward(self.context, bad)
            with self.assertRaisesRegex(ValueError, "blocks must be"):
                qnt.dct_inverse(self.context, good, out=bad)
        shifted = qnt.Tensor(memoryview(memory)[256:], (2, 8, 8), "float32")
        for bad in (shifted, qnt.Tensor(bytearray(256), (8, 8), "float32")):
            with self.assertRaisesRegex(ValueError, "out must be"):
                qnt.dct_forward(self.context, good, out=bad)
        with self.assertRaisesRegex(TypeError, "writable"):
            qnt.dct_forward(self.context, good, out=memoryview(bytes(512)).cast("f", (2, 8, 8)))


def measure(tables):
    rate = sum(tables[0]) / 640
    return rate, -rate - sum((step - 30) ** 2 for step in tables[0]) / 64000


class Searches(WithoutNumpy):
    def test_search(self):
        search = qnt.TableSearch(self.context, seed=3)
        for _ in range(60):
            search.tell(*measure(search.ask()))
        self.assertEqual(len(search.trials()), 60)
        self.assertEqual(qnt.TableSearch(self.context, seed=3).run(measure, 60).trials(), search.trials())
        low, high = search.box(2, 8, 0.5)
        self.assertTrue(all(a <= b for a, b in zip(low, high)))
        bounded = qnt.TableSearch(self.context, "bandit", window=(1, 9), curve=search.curve(), low=low,
                                  high=high, start=10)

        def bounded_measure(tables):
            self.assertTrue(all(a <= step <= b for a, step, b in zip(low, tables[0], high)))
            return measure(tables)

        best = bounded.run(bounded_measure, 40).best()
        self.assertEqual((best.rate, best.utility), measure(best.tables))
        with self.assertRaisesRegex(qnt.Error, "none of 0 trials"):
            qnt.TableSearch(self.context).best()
        with self.assertRaisesRegex(qnt.Error, "call qnt_search_ask first"):
            search.tell(1, 1)
        three = qnt.TableSearch(self.context, tables=3, seed=3).run(measure, 5).trials()
        self.assertEqual({len(trial.tables) for trial in three}, {3})

    def test_what_measure_may_do(self):
        def after(calls, what):
            def call(tables):
                seen.append(tables)
                return what() if len(seen) > calls else measure(tables)
            return call

        def log(level, text):
            raise KeyError("of the log")

        for answer, error, why in ((lambda: 1 // 0, ZeroDivisionError, "by zero"),
                                   (lambda: (1, math.nan), qnt.Error, "finite"),
                                   (lambda: (-1, 1), qnt.Error, "rate"),
                                   (lambda: 1.0, TypeError, "unpack"), (lambda: None, TypeError, "unpack"),
                                   (lambda: ("1", 1), TypeError, ""), (lambda: (1, 2, 3), ValueError, "unpack"),
                                   (lambda: search.trials(), RuntimeError, "in use by another call"),
                                   (lambda: qnt.standard_table(self.context, 0), qnt.Error, "quality")):
            search, seen = qnt.TableSearch(self.context, seed=5), []
            with self.assertRaisesRegex(error, why):
                search.run(after(3, answer), 10)
            self.assertEqual([len(seen), len(search.trials())], [4, 3])
            search.run(measure, 1)
            self.assertEqual(search.trials()[3].tables, seen[3])  # asked again
        stopped = qnt.Context(progress=lambda done, total: done == 2)
        search = qnt.TableSearch(stopped)
        with self.assertRaises(qnt.Cancelled):
            search.run(measure, 9)
        self.assertEqual(len(search.trials()), 2)
        with self.assertRaisesRegex(KeyError, "of the log"):
            qnt.TableSearch(qnt.Context(log=log)).run(lambda tables: (1, math.inf), 1)
        for budget in (-1, 2**64):
            with self.assertRaises(OverflowError):
                search.run(measure, budget)
        with self.assertRaisesRegex(qnt.Error, "budget is 0"):
            search.run(measure, 0)

    def test_what_measure_does_inside(self):
        """Calls within a call: each has its own reason and its own exceptions."""
        def inside(tables):
            with self.assertRaisesRegex(qnt.Error, "quality is 0"):
                qnt.standard_table(self.context, 0)
            inner = qnt.TableSearch(self.context, seed=1).run(measure, 3)
            return inner.trials()[-1].rate, 0

        with self.assertRaisesRegex(qnt.Error, "budget is 0"):
            qnt.TableSearch(self.context).run(inside, 0)
        self.assertEqual(len(qnt.TableSearch(self.context).run(inside, 2).trials()), 2)

    def trials(self, count=80):
        return qnt.TableSearch(self.context, seed=6).run(measure, count).trials()

    def front(self, trials):
        def beats(a, b):
            return a.rate >= b.rate and a.utility >= b.utility and a[:2] != b[:2]

        return sorted((b for b in trials if not any(beats(a, b) for a in trials)), key=lambda trial: -trial.rate)

    def test_front_and_box(self):
        trials = self.trials()
        front = self.front(trials)
        self.assertGreater(len(front), 3)
        self.assertEqual(qnt.search_front(self.context, trials), front)
        self.assertEqual(qnt.search_front(self.context, []), [])
        window = front[-1].rate, front[0].rate  # without its ends
        tables = [trial.tables[0] for trial in front[1:-1]]
        tables += [[table[8 * x + y] for y in range(8) for x in range(8)] for table in tables]
        low, high = qnt.search_box(self.context, trials, *window, 0)
        self.assertEqual(low, [min(steps) for steps in zip(*tables)])
        self.assertEqual(high, [max(steps) for steps in zip(*tables)])
        with self.assertRaisesRegex(qnt.Error, "spread"):
            qnt.search_box(self.context, trials, *window, -1)

    @needs_numpy
    def test_curve(self):
        trials = self.trials()
        rates, utilities = np.array([trial[:2] for trial in self.front(trials)]).T
        np.testing.assert_allclose(qnt.search_curve(self.context, trials), np.polyfit(rates, utilities, 2)[::-1],
                                   rtol=1e-6)

    def test_score(self):
        trials, seen = self.trials(5), []

        def anew(tables):
            seen.append(tables)
            return len(seen), -len(seen)

        scored = qnt.search_score(self.context, trials, anew)
        self.assertEqual([trial.tables for trial in scored], [trial.tables for trial in trials])
        self.assertEqual([trial[:2] for trial in scored], [(i, -i) for i in range(1, 6)])
        self.assertEqual(seen, [trial.tables for trial in trials])
        with self.assertRaises(ZeroDivisionError):
            qnt.search_score(self.context, trials, lambda tables: 1 // 0)
        three = [trial._replace(tables=trial.tables + [[1] * 64, [2] * 64]) for trial in trials]
        scored = qnt.search_score(self.context, three, lambda tables: (tables[2][0], len(tables)))
        self.assertEqual([trial[:2] for trial in scored], [(2, 3)] * 5)
        for bad in (trials[:1] + three[:1], [trials[0]._replace(tables=[])],
                    [trials[0]._replace(tables=[[1] * 63])], [trials[0]._replace(tables=[[1] * 64] * 2)]):
            with self.assertRaises(ValueError):
                qnt.search_score(self.context, bad, anew)
        for steps, error in (([0] * 64, qnt.Error), ([2**16] * 64, OverflowError), ([1.5] * 64, TypeError)):
            with self.assertRaises(error):
                qnt.search_score(self.context, [trials[0]._replace(tables=[steps])], anew)

"""Contexts, errors, pools, and who owns what while it is used."""
import array
import gc
import threading
import weakref

import qnt
from case import WithoutNumpy, fixed


class Contexts(WithoutNumpy):
    def test_version_and_cpu(self):
        self.assertRegex(qnt.version(), r"^1\.\d+\.\d+$")
        self.assertEqual(self.context.cpu, qnt.cpu_detect())
        self.assertEqual(qnt.cpu_names(0), ["c"])
        self.context.cpu = 0
        self.assertEqual(self.context.cpu, 0)
        self.assertEqual(qnt.Context(cpu=0).cpu, 0)

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
        """By callbacks: what a call uses is freed when the call has ended, not before."""
        things, owned = [], []

        def close_all(*_):
            for thing in things:
                thing.close()
            gc.collect()
            return None in [each() for each in owned]

        context = qnt.Context(progress=close_all, threads=2)
        q = qnt.Quantizer(context, bits=4)
        things += [q, context.pool, context]
        owned += [weakref.ref(thing._owned) for thing in things]
        q.observe(array.array("f", range(100)))  # Cancelled if something had gone
        self.assertEqual([each() for each in owned], [None] * 3)
        for thing in things:
            with self.assertRaisesRegex(ValueError, "closed"):
                thing._open()

    def test_closed_by_a_call_that_fails(self):
        """An exception keeps the frames that it came through, but not what they used."""
        context = qnt.Context(progress=lambda *_: q.close() or True)
        q = qnt.Quantizer(context, bits=4)
        owned = weakref.ref(q._owned)
        with self.assertRaises(qnt.Cancelled) as caught:
            try:
                q.observe(array.array("f", range(100)))
            except qnt.Cancelled:
                self.assertIsNone(owned())
                raise
        self.assertIsNotNone(caught.exception)

    def test_calls_within_calls(self):
        """A log that uses the library: each call keeps its own reason, and what its callbacks raised."""
        inner, context = [], qnt.Context(log=lambda level, text: inner.append(qnt.standard_table(context, 50)))
        with self.assertRaisesRegex(qnt.Error, "quality is 0"):
            qnt.standard_table(context, 0)
        with self.assertRaises(ZeroDivisionError):
            qnt.find_thresholds(context, lambda channel, total: 1 // 0, 1, 0, 9)
        self.assertEqual(len(inner), 2)

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

    def test_pool(self):
        pool = qnt.Pool(self.context, 2)
        self.assertEqual(pool.threads, 2)
        with self.assertRaises(AttributeError):
            pool.threads = 9
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

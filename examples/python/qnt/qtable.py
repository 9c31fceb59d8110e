"""Quantization tables of pictures, and searches for them (include/qnt/qtable.h).

A table is a sequence of 64 steps, row-major. Pictures are uint8 [height, width] or [height, width, 3] whose rows
have no gaps; there may be some between rows.
"""
import collections
import ctypes
from ctypes import POINTER, byref, c_double, c_int16, c_size_t

from .capi import lib, qnt_image_bytes, qnt_image_spec, qnt_qtable, qnt_search_spec, qnt_trial, qnt_trial_fn
from .constants import DCT_FLOAT, DCT_INTEGER, FLOAT, HUFFMAN_OPTIMAL, HUFFMAN_STANDARD, QTABLE_CHROMA, QTABLE_LUMA
from .constants import SAMPLING_420, SAMPLING_444, SEARCHES, UINT
from .context import Handle
from .tensor import Tensor, compact, destination, elements, wrapped


# ---- tables ----

def _to_tables(tables):
    """One table or several as an array of C structs."""
    tables = list(tables)
    if tables and hasattr(tables[0], "__index__") and not hasattr(tables[0], "__len__"):
        tables = [tables]
    if any(len(table) != 64 for table in tables):
        raise ValueError("a table has 64 steps from 1 to 255")
    return (qnt_qtable * len(tables))(*[qnt_qtable(step=table) for table in tables])


def _from_tables(tables, count):
    return [list(tables[i].step) for i in range(count)]


def standard_table(context, quality, chroma=False):
    """An example table of ITU-T T.81 at a quality from 1 to 100."""
    table = qnt_qtable()
    context.call("qtable_standard", QTABLE_CHROMA if chroma else QTABLE_LUMA, quality, byref(table))
    return list(table.step)


def table_text(context, *tables):
    """What `cjpeg -qtables` reads."""
    array, length = _to_tables(tables), c_size_t()
    context.call("qtable_text", array, len(array), None, 0, byref(length))
    text = ctypes.create_string_buffer(length.value + 1)
    context.call("qtable_text", array, len(array), text, length.value + 1, byref(length))
    return text.value.decode()


# ---- blocks ----

def _blocks(context, array):
    """Addresses of the 8x8 blocks of a compact float32 array [..., 8, 8]."""
    array.check(context)  # what follows takes addresses only
    if array.dtype != "float32" or array.shape[-2:] != (8, 8) or not array.is_compact or array.address % 4:
        raise ValueError("blocks must be compact float32 [..., 8, 8]")
    return range(array.address, array.address + 4 * elements(array.shape), 256)


def _transformed(context, function, blocks, out):
    blocks = Tensor.of(blocks)
    from_blocks = _blocks(context, blocks)
    result, to = destination(out, blocks.shape, FLOAT, 32)
    to_blocks = _blocks(context, to)
    if len(to_blocks) != len(from_blocks) or from_blocks and 0 < abs(to_blocks[0] - from_blocks[0]) < (
            256 * len(from_blocks)):
        raise ValueError("out must be blocks itself, or as many elsewhere")
    for block, to_block in zip(from_blocks, to_blocks):
        function(block, to_block)
    return result


def dct_forward(context, pixels, out=None):
    """The orthonormal cosine transform of blocks [..., 8, 8], as JPEG scales it; out may be pixels."""
    return _transformed(context, lib.qnt_dct_forward, pixels, out)


def dct_inverse(context, coefficients, out=None):
    """The inverse of dct_forward()."""
    return _transformed(context, lib.qnt_dct_inverse, coefficients, out)


# ---- pictures ----

PictureSize = collections.namedtuple("PictureSize", "file header entropy stuffed bits")


def _rows(context, pixels, what="pixels"):
    """(bytes of a row, from one row to the next) of a picture."""
    pixels.check(context)  # what follows takes addresses only
    shape, strides = pixels.shape, pixels.strides
    if pixels.dtype != "uint8" or len(shape) not in (2, 3) or shape[2:] not in ((), (1,), (3,)):
        raise ValueError("%s must be uint8 [height, width] or [height, width, 3]" % what)
    row, packed = elements(shape[1:]), compact(shape)
    if any(n > 1 and a != b for n, a, b in zip(shape[1:], strides[1:], packed[1:])):
        raise ValueError("%s must have rows without gaps" % what)
    if shape[0] < 2:
        return row, row
    if strides[0] < row:
        raise ValueError("%s must have rows one after another" % what)
    return row, strides[0]


def psnr(context, a, b):
    """Peak signal-to-noise ratio of two pictures in decibels; infinite if they are equal."""
    a, b, found = Tensor.of(a), Tensor.of(b), c_double()
    (row, a_stride), (_, b_stride) = _rows(context, a, "a"), _rows(context, b, "b")
    if a.shape != b.shape:
        raise ValueError("pictures of shapes %s and %s" % (a.shape, b.shape))
    context.call("psnr", a.address, a_stride, b.address, b_stride, row, a.shape[0], byref(found))
    return found.value


class Picture(Handle):
    """Pixels as transform coefficients.

    halved  True: colour differences at half the resolution (4:2:0), as encoders do.
    exact   True: the integer transform of encoders, so that sizes are theirs; False: float32

        p = Picture(context, pixels)
        p.quantize(table)                        # or one for Y and one for both others, or three
        p.size().file                            # bytes of the baseline JPEG file
        psnr(context, pixels, p.decode())
    """

    _kind = "image"

    def __init__(self, context, pixels, halved=True, exact=True):
        pixels = Tensor.of(pixels)
        _, stride = _rows(context, pixels)
        self._shape = tuple(pixels.shape)
        spec = qnt_image_spec(width=self._shape[1], height=self._shape[0], components=(self._shape + (1,))[2],
                              sampling=SAMPLING_420 if halved else SAMPLING_444,
                              transform=DCT_INTEGER if exact else DCT_FLOAT)
        self._make(context, "image_create", byref(spec))
        self._call("image_read", pixels.address, stride)

    @property
    def shape(self):
        return self._shape

    def quantize(self, *tables):
        """One table for all components, two for Y and both others, or three."""
        array = _to_tables(tables)
        self._call("image_quantize", array, len(array))
        return self

    def levels(self, component=0):
        """int16 [high, wide, 8, 8]: the levels of grey or Y (0), Cb (1), Cr (2), where they are.

        What is changed in them is what size() counts and decode() sees, and quantize() changes them. They stay
        when the picture is closed.
        """
        address, wide, high = POINTER(c_int16)(), c_size_t(), c_size_t()
        owned = self._open()
        self._call("image_levels", component, byref(address), byref(wide), byref(high))
        shape = (high.value, wide.value, 8, 8)
        memory = (c_int16 * elements(shape)).from_address(ctypes.addressof(address.contents))
        memory.owned = owned  # its picture
        return wrapped(memory, shape, "int16")

    def size(self, optimal=False):
        """Bytes of the file, with the example Huffman codes or with optimal ones."""
        size = qnt_image_bytes()
        self._call("image_size", HUFFMAN_OPTIMAL if optimal else HUFFMAN_STANDARD, byref(size))
        return PictureSize(*(getattr(size, name) for name in PictureSize._fields))

    def decode(self, out=None):
        """Pixels of the quantized picture."""
        result, y = destination(out, self._shape, UINT, 8)
        _, stride = _rows(self.context, y, "out")
        if tuple(y.shape) != self._shape:
            raise ValueError("out must have the picture's shape %s" % (self._shape,))
        self._call("image_write", y.address, stride)
        return result


# ---- searches ----

Trial = collections.namedtuple("Trial", "rate utility tables")


def _to_trials(trials):
    """An array of C structs, and the tables of a trial, which is 1 or 3."""
    trials = list(trials)
    array = (qnt_trial * len(trials))()
    counts = {len(trial.tables) for trial in trials} or {1}
    if len(counts) > 1 or not counts <= {1, 3}:
        raise ValueError("trials must have one table each, or three")
    count = counts.pop()
    for to, trial in zip(array, trials):
        to.rate, to.utility, tables = trial.rate, trial.utility, _to_tables(trial.tables)
        for i in range(3):
            to.table[i] = tables[i % count]
    return array, count


def _from_trial(trial, count):
    return Trial(trial.rate, trial.utility, _from_tables(trial.table, count))


def _trial_fn(context, measure):
    """measure(tables) -> (rate, utility) for C."""
    def call(_user, tables, count, rate, utility):
        rate[0], utility[0] = measure(_from_tables(tables, count))
        return 0

    return context.callback(qnt_trial_fn, call, 1)


def search_front(context, trials):
    """The trials that no other one beats in rate or utility without losing in the other, by falling rate."""
    trials = list(trials)
    array, _ = _to_trials(trials)
    places, count = (c_size_t * len(trials))(), c_size_t()
    context.call("search_front", array, len(trials), places, byref(count))
    return [trials[i] for i in places[:count.value]]


def search_curve(context, trials):
    """The reference curve through the front of trials: three coefficients."""
    array, _ = _to_trials(trials)
    curve = (c_double * 3)()
    context.call("search_curve", array, len(array), curve)
    return list(curve)


def search_box(context, trials, rate_low, rate_high, spread):
    """Lower and upper corner of a box around the front of trials in a window of rates, without its ends."""
    array, _ = _to_trials(trials)
    low, high = qnt_qtable(), qnt_qtable()
    context.call("search_box", array, len(array), rate_low, rate_high, spread, byref(low), byref(high))
    return list(low.step), list(high.step)


def search_score(context, trials, measure):
    """The trials measured anew by measure(tables) -> (rate, utility), on data that no search has used."""
    array, count = _to_trials(trials)
    context.call("search_score", array, len(array), count, _trial_fn(context, measure), None)
    return [_from_trial(trial, count) for trial in array]


class TableSearch(Handle):
    """Proposes tables and is told what they achieved: sorted, bounded, bayes, bandit.

        search = TableSearch(context, "sorted", seed=1)
        search.run(measure, 1000)                # measure(tables) -> rate, utility: larger is better
        low, high = search.box(21, 23, 0.5)
        search = TableSearch(context, "bandit", window=(21, 23), curve=search.curve(), low=low, high=high)
        search.run(measure, 500)
        best, = search_score(context, [search.best()], measure_on_other_data)
    """

    _kind = "search"

    def __init__(self, context, method="sorted", tables=1, seed=0, start=0, scale=(0, 0), window=(0, 0),
                 curve=(0, 0, 0), low=None, high=None):
        (scale_low, scale_high), (rate_low, rate_high) = scale, window
        spec = qnt_search_spec(method=SEARCHES[method], tables=tables, start=start, seed=seed, scale_low=scale_low,
                               scale_high=scale_high, rate_low=rate_low, rate_high=rate_high, curve=curve,
                               low=None if low is None else _to_tables([low]),
                               high=None if high is None else _to_tables([high]))
        self._make(context, "search_create", byref(spec))
        self._tables = tables or 1

    def ask(self):
        """The tables to try next: a list of one or three."""
        array = (qnt_qtable * self._tables)()
        self._call("search_ask", array)
        return _from_tables(array, self._tables)

    def tell(self, rate, utility):
        """What they achieved."""
        self._call("search_tell", rate, utility)

    def run(self, measure, budget):
        """Asks, measures and tells, `budget` times: measure(tables) -> (rate, utility). If that raises, or progress
        cancels, the trials until then are kept."""
        self._call("search_run", budget, _trial_fn(self.context, measure), None)
        return self

    def trials(self):
        """All trials in order."""
        count = c_size_t()
        self._call("search_trials", None, 0, byref(count))
        trials = (qnt_trial * count.value)()
        self._call("search_trials", trials, count.value, byref(count))
        return [_from_trial(trial, self._tables) for trial in trials]

    def curve(self):
        """search_curve() of all trials."""
        return search_curve(self.context, self.trials())

    def box(self, rate_low, rate_high, spread):
        """search_box() of all trials."""
        return search_box(self.context, self.trials(), rate_low, rate_high, spread)

    def best(self):
        """The trial in the window that is furthest above the curve; an Error if there is none."""
        trial = qnt_trial()
        self._call("search_best", byref(trial))
        return _from_trial(trial, self._tables)

"""Quantizers: what codes mean and how their parameters are found (include/qnt/quantizer.h)."""
import collections
from ctypes import byref, c_char, c_size_t

from .blob import load, save
from .capi import qnt_error, qnt_spec, qnt_teq_loss_fn, qnt_teq_spec
from .constants import DYNAMIC, FLOAT, LITERAL, METHODS, NARROW, PARAMETERS, PER_AXIS, PER_BLOCK, PER_TENSOR
from .constants import REAL_OFFSET, SCHEMES, SIGNED, SYMMETRIC, THRESHOLDS
from .context import Handle
from .tensor import Tensor, described, destination, optional, pointer, read_doubles, to_doubles


ErrorMeasures = collections.namedtuple(
    "ErrorMeasures", "count mse sqnr_db rmae cosine largest bits clipped")


class Quantizer(Handle):
    """What codes mean (scheme) and how their parameters are found (method).

    method  affine: fixed, minmax, percentile, entropy, analytic, mse; points: bases, multipoint; exp: teq;
            table: kmeans, lloyd, nf4, fp4, pot, apot, levels
    bits    1 to 8, or 16; of one point, of the exponent; 0: the scheme's default
    scheme  affine, points, exp, table; None: that of the method
    points  of the scheme points: at most so many
    axis    one group per index along this axis; with block=n, one per n elements along it
    signed, symmetric, narrow, dynamic, literal, real_offset, thresholds: the flags of qnt_spec

    Parameters are attributes: q.scale, q.zero, q.offset, q.low, q.high, q.percentile, q.bins, ...;
    those that the header marks "set" can be assigned a number, or one for each group in a list or array of
    any shape. Of method fixed set the scale first: it decides how many groups there are.

        q = Quantizer(context, method="fixed")
        q.scale, q.zero = 0.1, 128
    """

    _kind = "quantizer"

    def __init__(self, context, method="minmax", bits=0, scheme=None, signed=False,
                 symmetric=False, narrow=False, dynamic=False, literal=False, real_offset=False,
                 thresholds=False, axis=None, block=0, seed=0, points=0):
        number = METHODS[method]
        scheme = scheme or ("affine" if number < 7 else "points" if number < 9 else
                            "exp" if number == 9 else "table")
        flags = (signed * SIGNED | symmetric * SYMMETRIC | narrow * NARROW | dynamic * DYNAMIC |
                 literal * LITERAL | real_offset * REAL_OFFSET | thresholds * THRESHOLDS)
        grain = PER_TENSOR if axis is None else PER_BLOCK if block else PER_AXIS
        spec = qnt_spec(scheme=SCHEMES[scheme], method=number, bits=bits, flags=flags, grain=grain, axis=axis or 0,
                        points=points, block=block, seed=seed)
        self._make(context, "quantizer_create", byref(spec))

    @property
    def spec(self):
        """What this was made of, as a dict, defaults filled in."""
        spec = qnt_spec()
        self._call("quantizer_spec", byref(spec))
        return {name: getattr(spec, name) for name, _ in spec._fields_ if name != "size"}

    def observe(self, x, importance=None):
        """Gathers statistics of one batch; `importance` weighs its elements."""
        x, importance = Tensor.of(x), optional(importance)
        self._call("quantizer_observe", pointer(x), pointer(importance))
        return self

    def observe_inputs(self, inputs):
        """Lets points be placed by the error of a layer's outputs: [..., K] inputs of one batch."""
        inputs = Tensor.of(inputs)
        self._call("quantizer_observe_inputs", pointer(inputs))
        return self

    def fit(self):
        """Chooses the parameters from what was observed."""
        self._call("quantizer_fit")
        return self

    def fit_pair(self, other):
        """Fits two quantizers of method teq with one base."""
        self._call("quantizer_fit_pair", other)
        return self

    def get(self, parameter):
        """All values of a parameter: a list, or a float64 array with numpy."""
        return read_doubles(self, "quantizer_get", PARAMETERS.get(parameter, parameter))

    def set(self, parameter, values):
        """Sets a parameter: one value for all groups, or one for each."""
        values = to_doubles(values)
        self._call("quantizer_set", PARAMETERS.get(parameter, parameter), values, len(values))

    def __getattr__(self, name):
        if name not in PARAMETERS:
            raise AttributeError(name)
        return self.get(name)

    def __setattr__(self, name, value):
        if name in PARAMETERS:
            self.set(name, value)
        else:
            super().__setattr__(name, value)

    def encode(self, x, out=None, packed=True):
        """Codes of x: packed below 8 bits, or one per byte with packed=False."""
        x = Tensor.of(x)
        shape, code, bits = described(self.context, "quantizer_view", self, pointer(x))
        result, codes = destination(out, shape, code, bits if packed else max(bits, 8))
        self._call("quantizer_encode", pointer(x), pointer(codes))
        return result

    def decode(self, codes, out=None):
        """Floats of codes."""
        codes = Tensor.of(codes)
        result, y = destination(out, codes.shape, FLOAT, 32)
        self._call("quantizer_decode", pointer(codes), pointer(y))
        return result

    def apply(self, x, out=None):
        """decode(encode(x)); out may be x."""
        x = Tensor.of(x)
        result, y = destination(out, x.shape, FLOAT, 32)
        self._call("quantizer_apply", pointer(x), pointer(y))
        return result

    def measure(self, x, importance=None):
        """What quantizing x costs, as ErrorMeasures."""
        x, importance = Tensor.of(x), optional(importance)
        found = qnt_error()
        self._call("quantizer_error", pointer(x), pointer(importance), byref(found))
        return ErrorMeasures(*(getattr(found, name) for name in ErrorMeasures._fields))

    def save(self):
        """The blob: bytes."""
        return save(self)

    @classmethod
    def load(cls, context, data):
        """A quantizer from a blob."""
        return load(cls, context, data)


def _copy(context, quantizer):
    """A Quantizer like that of a pointer, which it may outlive."""
    length = c_size_t()
    context.call("quantizer_save", quantizer, None, 0, byref(length))
    data = (c_char * length.value)()
    context.call("quantizer_save", quantizer, data, length.value, byref(length))
    return Quantizer.load(context, data)


TeqResult = collections.namedtuple("TeqResult", "threshold loss bits calls")


def teq_search(context, weights, inputs, loss, least_bits=0, most_bits=0, step=0.0, ratio=0.0, bound=0.0):
    """Gives the layers of a network the fewest bits of exponents within a loss that is measured (DNA-TEQ).

    weights  Quantizers of method teq that have observed, one for each layer; fitted in the end
    inputs   the same of the layers' inputs, with None where these are not exponential; or None
    loss     called as loss(weights, inputs) with fitted Quantizers of its own: the share of accuracy that
             the network loses with them

    0 stands for what was published: 3 to 7 bits, steps of 0.01, ratio 1, bound 0.01.
    """
    weights, inputs = list(weights), None if inputs is None else list(inputs)
    if inputs is not None and len(inputs) != len(weights):
        raise ValueError("%d inputs of %d layers" % (len(inputs), len(weights)))

    def copies(pointers):  # the library's own are gone after this call
        return [_copy(context, pointers[i]) if pointers[i] else None for i in range(len(weights))]

    def measure(_user, trial_weights, trial_inputs, lost):
        lost[0] = loss(copies(trial_weights), copies(trial_inputs) if trial_inputs else None)
        return 0

    spec = qnt_teq_spec(least_bits=least_bits, most_bits=most_bits, step=step, ratio=ratio, bound=bound)
    context.call("teq_search", weights, inputs, len(weights), byref(spec),
                 context.callback(qnt_teq_loss_fn, measure, 1), None)
    return TeqResult(*(getattr(spec, name) for name in TeqResult._fields))

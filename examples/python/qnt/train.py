"""Quantizers that learn, and weights as sums of bases of signs (include/qnt/train.h)."""
from ctypes import byref, c_double, c_size_t

from .capi import qnt_spec
from .constants import ALQ_MODES, FLOAT, LITERAL, METHODS, PER_AXIS, PER_BLOCK, PER_TENSOR, SCHEMES, SIGNED
from .constants import TRAINING
from .context import Handle
from .quantizer import Quantizer
from .tensor import Tensor, destination, from_doubles, optional, pointer, read_doubles, to_doubles


class Trainer(Handle):
    """A quantizer that learns: lsq, lsqplus, pact, dorefa, ewgs, n2uq, staircase, interval, rq, srq, balanced;
    alq and lq (activations only), whose numbers follow the batches: refit(x) before forward(x).

    weights  True for weights, False for activations from 0 up
    axis     one group per index along it; None: one for the tensor

        t = Trainer(context, "lsq", bits=4, weights=True, axis=0).start(w)
        y = t.forward(w)
        dw, dtheta = t.backward(w, dy)
        t.theta = optimizer.step(t.theta, dtheta)
        q = t.export(w)                          # an ordinary Quantizer

    theta, step, epoch, temperature, hard, delta, keep, anneal, penalty and levels are attributes.
    """

    _kind = "trainer"

    def __init__(self, context, method="lsq", bits=4, weights=True, literal=False, axis=None, block=0, seed=0):
        number = METHODS[method]
        affine = method in ("lsq", "lsqplus", "pact", "rq", "srq") or (method == "dorefa" and not weights)
        grain = PER_TENSOR if axis is None else PER_BLOCK if block else PER_AXIS
        spec = qnt_spec(scheme=SCHEMES["affine" if affine else "table"], method=number, bits=bits,
                        flags=weights * SIGNED | literal * LITERAL, grain=grain, axis=axis or 0, block=block,
                        seed=seed)
        self._make(context, "trainer_create", byref(spec))

    def start(self, x):
        """First numbers from data."""
        self._call("trainer_start", pointer(Tensor.of(x)))
        return self

    def get(self, parameter):
        """All values of a parameter: a list, or a float64 array with numpy."""
        return read_doubles(self, "trainer_get", TRAINING[parameter])

    def set(self, parameter, values):
        """Sets a parameter."""
        values = to_doubles(values)
        self._call("trainer_set", TRAINING[parameter], values, len(values))

    def __getattr__(self, name):
        if name not in TRAINING:
            raise AttributeError(name)
        return self.get(name)

    def __setattr__(self, name, value):
        if name in TRAINING:
            self.set(name, value)
        else:
            super().__setattr__(name, value)

    def refit(self, x, share=0.1):
        """Moves the numbers of alq and lq towards what a batch asks for."""
        self._call("trainer_refit", pointer(Tensor.of(x)), share)
        return self

    def forward(self, x, out=None):
        """What the network computes with instead of x."""
        x = Tensor.of(x)
        result, y = destination(out, x.shape, FLOAT, 32)
        self._call("trainer_forward", pointer(x), pointer(y))
        return result

    def backward(self, x, dy, out=None):
        """Gradients by x and by theta."""
        x, dy, count = Tensor.of(x), Tensor.of(dy), c_size_t()
        result, dx = destination(out, x.shape, FLOAT, 32)
        self._call("trainer_get", TRAINING["theta"], None, 0, byref(count))
        theta = (c_double * count.value)()
        self._call("trainer_backward", pointer(x), pointer(dy), pointer(dx), theta, count.value)
        return result, from_doubles(theta)

    def export(self, x=None):
        """The quantizer that was learned; methods whose thresholds depend on the weights need them."""
        return Quantizer._made(self.context, "trainer_export", self, pointer(optional(x)))


class Bases(Handle):
    """Weights as sums of bases of signs, trained with the loss (ALQ); the weights live in here.

    bases  how many each group has at first, 1 to 8
    axis   0: one group for each output; None: one for the tensor; with block: groups along the last axis

        layers = [Bases(context, w, bases=4) for w in weights]
        layer.step("bases", rate, dw)            # or "gather", "coordinates", "straight"
        prune(layers, bits=1.5)                  # the loss decides where
        w = layer.weights()
        q = layer.export()                       # an ordinary Quantizer
    """

    _kind = "alq"

    def __init__(self, context, w, bases=2, axis=0, block=0):
        w = Tensor.of(w)
        grain = PER_TENSOR if axis is None else PER_BLOCK if block else PER_AXIS
        spec = qnt_spec(scheme=SCHEMES["points"], method=METHODS["alq"], bits=1, grain=grain,
                        axis=-1 if block else 0, points=bases, block=block)
        self._make(context, "alq_create", byref(spec), pointer(w))
        self.shape = w.shape

    def weights(self, out=None):
        """The sums of the bases."""
        result, w = destination(out, self.shape, FLOAT, 32)
        self._call("alq_weights", pointer(w))
        return result

    def step(self, mode, rate, dw):
        """Updates the moments by the loss's gradient, and moves what `mode` says."""
        self._call("alq_step", ALQ_MODES[mode], rate, pointer(Tensor.of(dw)))
        return self

    @property
    def bits(self):
        """Mean bases of a weight."""
        return mean_bits([self])

    @property
    def state(self):
        """All that steps change: a list, or a float64 array with numpy. May be set."""
        return read_doubles(self, "alq_get_state")

    @state.setter
    def state(self, values):
        values = to_doubles(values)
        self._call("alq_set_state", values, len(values))

    def export(self):
        """The quantizer whose codes of weights() decode to the same."""
        return Quantizer._made(self.context, "alq_export", self)


def prune(layers, bits, most=2**64 - 1):
    """Removes the coordinates of several Bases that cost least, down to so many mean bits, `most` at once."""
    layers[0].context.call("alq_prune", list(layers), len(layers), most, bits)


def mean_bits(layers):
    """Mean bases of a weight over several Bases."""
    bits = c_double()
    layers[0].context.call("alq_bits", list(layers), len(layers), byref(bits))
    return bits.value

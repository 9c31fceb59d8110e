"""Prepared layers (include/qnt/layer.h)."""
from ctypes import byref, c_size_t

from .blob import load, save
from .capi import qnt_layer_spec
from .constants import ACCUMULATE, ACTIVATIONS, KINDS, LAYOUTS
from .context import Handle
from .kernel import geometry
from .tensor import Held, Tensor, described, new_array, optional, pointer, type_name


class Layer(Handle):
    """Prepared weights: made once, run often, by any number of threads at once.

    weight      floats [N,K] or [O,kh,kw,C/groups] (nchw: [O,C/groups,kh,kw]), or codes of weight_q
    weight_q    a fitted Quantizer
    input_q     format of the input; None: float input and decoded weights
    output_q    format of the output; None: float32
    kind        dense, or conv, which has layout, groups, group_shift, stride, dilation, pad
    activation  linear, relu, or clamp between low and high
    accumulate  run(x, out=y) adds to y
    """

    _kind = "layer"

    def __init__(self, context, weight, weight_q, bias=None, input_q=None, output_q=None,
                 kind="dense", layout="nhwc", activation="linear", low=0.0, high=0.0, groups=1,
                 group_shift=0, stride=1, dilation=1, pad=0, accumulate=False):
        spec = qnt_layer_spec(kind=KINDS[kind], layout=LAYOUTS[layout], activation=ACTIVATIONS[activation],
                              flags=ACCUMULATE if accumulate else 0, low=low, high=high)
        geometry(spec, groups, group_shift, stride, dilation, pad)
        weight, bias = Tensor.of(weight), optional(bias)
        self._make(context, "layer_create", byref(spec), pointer(weight), weight_q, pointer(bias), input_q,
                   output_q)

    def view(self, x):
        """Shape and type of the result for x, e.g. ((8, 10), "float32")."""
        x = Tensor.of(x)
        shape, code, bits = described(self.context, "layer_view", self, pointer(x))
        return shape, type_name(code, bits)

    def workspace(self, x):
        """Bytes of workspace for x."""
        x, size = Tensor.of(x), c_size_t()
        self._call("layer_workspace", pointer(x), byref(size))
        return size.value

    def run(self, x, out=None, workspace=None):
        """The result for x. Pass out and a bytearray as workspace to run without new memory."""
        x = Tensor.of(x)
        if out is None:
            out, y = new_array(*described(self.context, "layer_view", self, pointer(x)))
        else:
            y = Tensor.of(out, writable=True)
        if workspace is None:
            workspace = bytearray(self.workspace(x))
        held = Held(workspace, True, as_bytes=True)
        self._call("layer_run", pointer(x), pointer(y), held.view.buf, held.view.len)
        return out

    __call__ = run

    def save(self):
        """The blob: bytes."""
        return save(self)

    @classmethod
    def load(cls, context, data, borrow=False):
        """A layer from a blob. With borrow it keeps pointing into data, which must be aligned to 64
        bytes (a memory-mapped file is, and aligned() makes such memory) and must not change."""
        return load(cls, context, data, borrow)

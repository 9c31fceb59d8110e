"""Convolutions of packed 2-bit digits (include/qnt/lowbit.h)."""
from ctypes import byref, c_size_t

from .blob import save
from .capi import qnt_conv, qnt_digit_fn, qnt_lowbit, qnt_lowbit_spec
from .constants import INT, UINT
from .context import Handle
from .kernel import border, geometry
from .layer import Layer
from .tensor import Held, Tensor, described, new_array, optional, pointer


def pack_pixels(context, codes, groups=1, pad=0):
    """Codes 0 to 3 [B,H,W,C] as packed pixels, three digits a byte, with a border of zeros."""
    codes, sides = Tensor.of(codes), qnt_lowbit(pad=border(pad)).pad
    shape, _, _ = described(context, "pack_pixels_view", pointer(codes), groups, sides)
    out, pixels = new_array(shape, UINT, 8)
    context.call("pack_pixels", pointer(codes), groups, sides, pointer(pixels))
    return out


def pack_taps(context, codes, groups=1):
    """Codes 0 to 3 [O,kh,kw,C/groups] as packed weights for conv_lowbit()."""
    codes = Tensor.of(codes)
    shape, _, _ = described(context, "pack_taps_view", pointer(codes), groups)
    out, taps = new_array(shape, UINT, 8)
    context.call("pack_taps", pointer(codes), groups, pointer(taps))
    return out


def conv_lowbit(context, pixels, taps, out, channels, step=2, zero=-3, groups=1, group_shift=0, stride=1,
                dilation=1, thresholds=None, pad=0):
    """Sums of r (step q + zero) into out: int32 [B,OH,OW,O], or with thresholds packed pixels with a
    border. channels are those of one group."""
    conv = geometry(qnt_conv(), groups, group_shift, stride, dilation)
    low = qnt_lowbit(step=step, zero=zero, channels=channels, pad=border(pad))
    pixels, taps, thresholds = Tensor.of(pixels), Tensor.of(taps), optional(thresholds)
    context.call("conv_lowbit", byref(conv), byref(low), pointer(pixels), pointer(taps),
                 pointer(thresholds), pointer(Tensor.of(out, writable=True)))
    return out


def find_thresholds(context, digit, outputs, low, high):
    """(int32 [O,3], uint8 [O] falling) that say the same as digit(channel, sum) for sums low to high."""
    out, thresholds = new_array((outputs, 3), INT, 32)
    falling, falls = new_array((outputs,), UINT, 8)
    ask = context.callback(qnt_digit_fn, lambda _user, channel, total: int(digit(channel, total)), -1)
    context.call("find_thresholds", ask, None, low, high, pointer(thresholds), pointer(falls))
    return out, falling


class LowbitLayer(Handle):
    """A prepared convolution of packed digits (include/qnt/lowbit.h).

    weight      codes 0 to 3 [O,kh,kw,C/groups], each standing for step * code + zero
    scale       [O] or [1], and shift: y = sum * scale + shift, then flags RELU_FIRST, RELU_LAST, TRANSPOSE
    output_q    gives the next layer's digits; None: floats only
    thresholds  (thresholds, falling) as find_thresholds() returns them, instead of scale, shift, output_q
    groups      with group_shift, stride, dilation; out_groups and pad (a border) of the packed result
    """

    _kind = "lowbit_layer"

    def __init__(self, context, weight, scale=None, shift=None, output_q=None, thresholds=None, step=2,
                 zero=-3, flags=0, groups=1, group_shift=0, stride=1, dilation=1, out_groups=0, pad=0):
        spec = qnt_lowbit_spec(step=step, zero=zero, flags=flags, groups=out_groups, pad=border(pad))
        conv, weight = geometry(qnt_conv(), groups, group_shift, stride, dilation), Tensor.of(weight)
        if thresholds is None:
            scale, shift = optional(scale), optional(shift)
            self._make(context, "lowbit_layer_create", byref(conv), byref(spec), pointer(weight), pointer(scale),
                       pointer(shift), output_q)
        else:
            rows, falling = Tensor.of(thresholds[0]), optional(thresholds[1])
            self._make(context, "lowbit_layer_of_thresholds", byref(conv), byref(spec), pointer(weight),
                       pointer(rows), pointer(falling))

    load = classmethod(Layer.load.__func__)

    def run(self, pixels, identity=None, floats=None, packed=True, workspace=None):
        """Packed digits, in new memory or in `packed`; None: not wanted. floats [B,OH,OW,O] receives y;
        identity is what is added."""
        pixels, identity, size = Tensor.of(pixels), optional(identity), c_size_t()
        y = None if floats is None else Tensor.of(floats, writable=True)
        if packed is True:
            packed, digits = new_array(*described(self.context, "lowbit_layer_view", self,
                                                pointer(pixels)))
        else:
            digits = None if packed is None else Tensor.of(packed, writable=True)
        self._call("lowbit_layer_workspace", pointer(pixels), byref(size))
        held = Held(bytearray(size.value) if workspace is None else workspace, True, as_bytes=True)
        self._call("lowbit_layer_run", pointer(pixels), pointer(identity), pointer(y), pointer(digits),
                   held.view.buf, held.view.len)
        return packed

    __call__ = run

    def save(self):
        """The blob: bytes."""
        return save(self)

"""Stateless kernels on codes (include/qnt/kernel.h)."""
from ctypes import byref

from .blob import aligned
from .capi import qnt_conv, qnt_exp
from .constants import FLOAT, INT
from .tensor import Tensor, described, destination, elements, optional, parse_type, pointer


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def border(pad):
    """Four sides of one number, (vertical, horizontal), or four."""
    pad = _pair(pad)
    return pad + pad if len(pad) == 2 else pad


def geometry(spec, groups, group_shift, stride, dilation, pad=0):
    """Fills in what specs of convolutions have in common."""
    spec.groups, spec.group_shift = groups, group_shift
    spec.stride, spec.dilation, spec.pad = _pair(stride), _pair(dilation), border(pad)
    return spec


def gemm_s8(context, a, b, a_zero=0, b_zero=None, out=None):
    """int32 [M,N]: sum over k of (a[m,k] - a_zero) (b[n,k] - b_zero[n])."""
    a, b, b_zero = Tensor.of(a), Tensor.of(b), optional(b_zero)
    shape = (a.shape[0] if a.shape else 0, b.shape[0] if b.shape else 0)
    result, c = destination(out, shape, INT, 32)
    context.call("gemm_s8", pointer(a), a_zero, pointer(b), pointer(b_zero), pointer(c))
    return result


def gemm_table(context, a, a_table, b, b_table, out=None):
    """int32 [M,N]: sum over k of a_table[a[m,k]] b_table[b[n,k]]; tables of int8 or int16."""
    a, a_table, b, b_table = Tensor.of(a), Tensor.of(a_table), Tensor.of(b), Tensor.of(b_table)
    shape = (a.shape[0] if a.shape else 0, b.shape[0] if b.shape else 0)
    result, c = destination(out, shape, INT, 32)
    context.call("gemm_table", pointer(a), pointer(a_table), pointer(b), pointer(b_table),
                 pointer(c))
    return result


def pack_bits(context, codes):
    """Bit planes of unsigned codes [N,K], the second operand of gemm_bits()."""
    codes = Tensor.of(codes)
    shape, _, _ = described(context, "pack_bits_view", pointer(codes))
    planes = Tensor(aligned(bytes(elements(shape))), shape, "uint8", writable=True)
    context.call("pack_bits", pointer(codes), pointer(planes))
    return planes


def gemm_bits(context, a, planes, n, b_coef=None, a_coef=None, out=None):
    """[M,n]: sum over planes i of b_coef[n,i] <signs of plane i, a[m]>; int32 without coefficients.

    a is numbers, or with a_coef signs: bit j of a code counts a_coef[j] or -a_coef[j].
    """
    a, planes, a_coef, b_coef = Tensor.of(a), Tensor.of(planes), optional(a_coef), optional(b_coef)
    whole = a_coef is None and b_coef is None
    shape = (a.shape[0] if a.shape else 0, n)
    result, c = destination(out, shape, INT if whole else FLOAT, 32)
    context.call("gemm_bits", pointer(a), pointer(a_coef), pointer(planes), pointer(b_coef),
                 pointer(c))
    return result


def gemm_exp(context, a, b, exponent_bits, base, a_alpha=1.0, a_beta=0.0, b_alpha=1.0, b_beta=0.0,
             out=None):
    """float32 [M,N] of exponential codes, by counting exponent sums."""
    a, b = Tensor.of(a), Tensor.of(b)
    a_exp = qnt_exp(exponent_bits=exponent_bits, base=base, alpha=a_alpha, beta=a_beta)
    b_exp = qnt_exp(exponent_bits=exponent_bits, base=base, alpha=b_alpha, beta=b_beta)
    shape = (a.shape[0] if a.shape else 0, b.shape[0] if b.shape else 0)
    result, c = destination(out, shape, FLOAT, 32)
    context.call("gemm_exp", pointer(a), byref(a_exp), pointer(b), byref(b_exp), pointer(c))
    return result


def dot_exp(context, a, b, exponent_bits, out=None):
    """int32 [4 L], L = 2^exponent_bits - 1: signed counts of exponent sums of two vectors of codes."""
    a, b = Tensor.of(a), Tensor.of(b)
    levels = 2 ** exponent_bits - 1 if 0 < exponent_bits < 8 else 0  # what is beyond is refused
    result, counts = destination(out, (4 * levels,), INT, 32)
    context.call("dot_exp", exponent_bits, pointer(a), pointer(b), pointer(counts))
    return result


def conv_s8(context, x, w, x_zero=0, groups=1, group_shift=0, stride=1, dilation=1, pad=0, out=None):
    """int32 [B,OH,OW,O] of x [B,H,W,C] and w [O,kh,kw,C/groups]."""
    x, w = Tensor.of(x), Tensor.of(w)
    conv = geometry(qnt_conv(), groups, group_shift, stride, dilation, pad)
    shape = ()
    if len(x.shape) == 4 and len(w.shape) == 4:
        span = [(w.shape[1 + i] - 1) * max(1, conv.dilation[i]) + 1 for i in (0, 1)]
        high = [x.shape[1 + i] + conv.pad[i] + conv.pad[i + 2] for i in (0, 1)]
        size = [max(0, (high[i] - span[i]) // max(1, conv.stride[i]) + 1) for i in (0, 1)]
        shape = (x.shape[0], size[0], size[1], w.shape[0])
    result, y = destination(out, shape, INT, 32)
    context.call("conv_s8", byref(conv), pointer(x), x_zero, pointer(w), pointer(y))
    return result


def shuffle_cyclic(context, x, axis, groups, shift, out=None):
    """Rotates groups of channels along axis."""
    x = Tensor.of(x)
    result, y = destination(out, x.shape, x.struct.dtype_code, x.struct.dtype_bits)
    context.call("shuffle_cyclic", pointer(x), axis, groups, shift, pointer(y))
    return result


def requantize(context, acc, scale, bias=None, zero=0, low=-128, high=127, dtype="int8", out=None):
    """Codes: clamp(round(float(acc + bias) * scale) + zero, low, high)."""
    acc, scale, bias = Tensor.of(acc), Tensor.of(scale), optional(bias)
    result, y = destination(out, acc.shape, *parse_type(dtype))
    context.call("requantize", pointer(acc), pointer(bias), pointer(scale), zero, low, high,
                 pointer(y))
    return result

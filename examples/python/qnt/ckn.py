"""Kernel maps (include/qnt/ckn.h)."""
import ctypes
from ctypes import byref, c_double, c_size_t

from .blob import load, save
from .capi import qnt_ckn_data, qnt_ckn_image_fn, qnt_ckn_spec
from .constants import FLOAT, LITERAL
from .context import Handle
from .tensor import Held, Tensor, described, destination, new_array, pointer


class KernelMap(Handle):
    """A kernel-map layer: anchors learned from images without labels (include/qnt/ckn.h).

    context      memory, threads and reasons
    channels     of the images; kernel is the side of a patch, filters the number of anchors
    pad          zeros on every side; subsample: pooling keeps every so-manieth place
    anchor_bits  1 to 8 or 32, and patch_bits likewise; one bit wants centre
    literal      the expansion of 2014: anchors with weights instead of a projection
    """

    _kind = "ckn"

    def __init__(self, context, channels, kernel, filters, pad=0, subsample=1, anchor_bits=32,
                 patch_bits=32, centre=False, sigma=0.0, regulariser=0.0, seed=0, literal=False):
        spec = qnt_ckn_spec(channels=channels, kernel=kernel, pad=pad, filters=filters, subsample=subsample,
                            anchor_bits=anchor_bits, patch_bits=patch_bits, centre=centre, sigma=sigma,
                            regulariser=regulariser, seed=seed, flags=literal * LITERAL)
        self._make(context, "ckn_create", byref(spec))

    @property
    def spec(self):
        """The request with its defaults filled in, and the sigma that was found."""
        spec = qnt_ckn_spec()
        self._call("ckn_describe", byref(spec))
        return {name: getattr(spec, name) for name, _ in spec._fields_
                if name not in ("size", "reserved", "reserved2")}

    def _anchors(self):
        s = self.spec
        return new_array((s["filters"], s["kernel"] ** 2 * s["channels"] + bool(s["flags"] & LITERAL)),
                      FLOAT, 32)

    def workspace(self, x):
        """Bytes of workspace for x."""
        x, size = Tensor.of(x), c_size_t()
        self._call("ckn_workspace", pointer(x), byref(size))
        return size.value

    def fit(self, images, patches, rounds=0):
        """Learns from images[i], float32 [height][width][channels] each; returns self."""
        first, channels = memoryview(images[0]), self.spec["channels"]
        if first.format != "f" or first.ndim != 3 or first.shape[2] != channels:
            raise ValueError("images must be float32 [height][width][%d]" % channels)

        def read(_user, index, to):
            image = memoryview(images[index])
            if image.format != "f" or image.shape != first.shape:
                raise ValueError("images[%d] is no float32 image of the first one's shape" % index)
            ctypes.memmove(to, image.tobytes(), image.nbytes)
            return 0

        data = qnt_ckn_data(height=first.shape[0], width=first.shape[1], rounds=rounds, images=len(images),
                            patches=patches, read=self.context.callback(qnt_ckn_image_fn, read, 1))
        self._call("ckn_fit", byref(data))
        return self

    @property
    def anchors(self):
        """As they are kept, [filters][elements of a patch]; literal ones end with their weight."""
        out, tensor = self._anchors()
        self._call("ckn_get", pointer(tensor))
        return out

    @anchors.setter
    def anchors(self, values):
        self._call("ckn_set", pointer(Tensor.of(values)))

    def run(self, x, out=None, workspace=None):
        """The map of images [batch][height][width][channels]."""
        x = Tensor.of(x)
        out, y = destination(out, *described(self.context, "ckn_view", self, pointer(x)))
        held = Held(bytearray(self.workspace(x)) if workspace is None else workspace, True, as_bytes=True)
        self._call("ckn_run", pointer(x), pointer(y), held.view.buf, held.view.len)
        return out

    __call__ = run

    def backward(self, x, dy):
        """Gradients of a loss by x, anchors and sigma, from that by the result."""
        x, dsigma = Tensor.of(x), c_double()
        dx, x_view = new_array(x.shape, FLOAT, 32)
        danchors, anchor_view = self._anchors()
        self._call("ckn_backward", pointer(x), pointer(Tensor.of(dy)), pointer(x_view),
                   pointer(anchor_view), byref(dsigma))
        return dx, danchors, dsigma.value

    def kernel(self, a, b):
        """The kernel itself, K(a, b) of two patches of kernel^2 * channels floats; needs no anchors, but sigma."""
        value = c_double()
        self._call("ckn_kernel", pointer(Tensor.of(a)), pointer(Tensor.of(b)), byref(value))
        return value.value

    def save(self):
        """The blob: bytes."""
        return save(self)

    @classmethod
    def load(cls, context, data):
        """A kernel map from a blob."""
        return load(cls, context, data)

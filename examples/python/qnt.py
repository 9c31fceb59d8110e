"""libqnt for Python: low-bit quantization on your own arrays, through ctypes, without copies.

    import numpy as np, qnt

    context = qnt.Context(threads=2)
    q = qnt.Quantizer(context, method="mse", bits=4, signed=True, axis=0)
    q.observe(weight)
    q.fit()
    codes = q.encode(weight)          # packed, 4 bits each
    print(q.scale, q.measure(weight).sqnr_db)

    layer = qnt.Layer(context, weight, q, bias=bias, input_q=activations)
    y = layer(x)                      # float32

Wherever an array is expected, anything with the buffer protocol will do (numpy arrays, array.array,
memoryview, bytes), anything with __dlpack__ (torch, jax), or a Tensor that describes memory of other
types: packed codes, bfloat16. Strides are honoured and nothing is copied. numpy is optional: with it
results are numpy arrays wherever numpy has the type; without it, and for packed codes, they are Tensors.

Every failure raises Error with the status and the library's own sentence about what was wrong.
Objects may be shared between threads: calls that change nothing run at once; one that changes an object
raises RuntimeError while another uses it. What is closed while in use is freed when the last call ends.

The library is found through $QNT_LIBRARY, the system's search path, or lib/ of the source tree.
"""
import collections
import ctypes
import ctypes.util
import os
import threading
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t
from ctypes import c_uint8, c_uint16, c_uint32, c_uint64, c_void_p

try:
    import numpy
except ImportError:  # results are Tensors then
    numpy = None

# ---- constants: names as in the headers, without QNT_ ----

OK = 0
STATUSES = {
    -1: "E_INVALID", -2: "E_SHAPE", -3: "E_DTYPE", -4: "E_UNSUPPORTED", -5: "E_STATE",
    -6: "E_NOMEM", -7: "E_SPACE", -8: "E_FORMAT", -9: "E_VERSION", -10: "E_CANCELLED",
    -11: "E_DEVICE", -12: "E_PARALLEL",
}
globals().update({name: status for status, name in STATUSES.items()})

LOG_NONE, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG = range(5)
CPU_AVX2, CPU_AVX512VNNI, CPU_AVX512VBMI, CPU_AVXVNNI = 0x1, 0x2, 0x4, 0x8
CPU_NEON, CPU_NEONDOT = 0x10000, 0x20000
MAX_NDIM = 8
INT, UINT, FLOAT, BFLOAT = 0, 1, 2, 4

SCHEMES = {"affine": 0, "points": 1, "exp": 2, "table": 3}
METHODS = {
    "fixed": 0, "minmax": 1, "percentile": 2, "entropy": 3, "analytic": 4, "mse": 5, "bases": 7,
    "balanced": 6, "multipoint": 8, "teq": 9, "kmeans": 10, "lloyd": 11, "nf4": 12, "fp4": 13, "pot": 14, "apot": 15,
    "levels": 16, "lsq": 32, "lsqplus": 33, "pact": 34, "dorefa": 35, "ewgs": 36, "n2uq": 37,
    "staircase": 38, "interval": 39, "rq": 40, "srq": 41, "alq": 42, "lq": 43,
}
SIGNED, SYMMETRIC, NARROW, DYNAMIC, LITERAL, REAL_OFFSET = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
PER_TENSOR, PER_AXIS, PER_BLOCK = range(3)

PARAMETERS = {
    "scale": 1, "zero": 2, "offset": 3, "low": 4, "high": 5, "coef": 6, "count": 7, "base": 8, "alpha": 9,
    "beta": 10, "levels": 11, "thresholds": 12,
    "percentile": 16, "distribution": 17, "samples": 18, "bins": 19, "nodes": 20, "budget": 21,
    "tolerance": 22, "rounds": 23, "extra": 24,
    "error": 32, "bound": 33, "visited": 34, "observed": 35, "min": 36, "max": 37, "stored": 38,
    "overhead": 39,
}

TRAINING = {"levels": 11, "theta": 64, "step": 65, "epoch": 66, "temperature": 67, "hard": 68, "delta": 69,
            "keep": 70, "anneal": 71, "penalty": 72}

KINDS = {"dense": 0, "conv": 1}
LAYOUTS = {"nhwc": 0, "nchw": 1}
SEARCHES = {"sorted": 0, "bounded": 1, "bayes": 2, "bandit": 3}
ACTIVATIONS = {"linear": 0, "relu": 1, "clamp": 2}
ACCUMULATE, BORROW = 0x1, 0x2
RELU_FIRST, RELU_LAST, TRANSPOSE = 0x1, 0x2, 0x4
BLOBS = {1: "quantizer", 2: "layer", 3: "kernel map", 4: "lowbit layer"}


# ---- the C side ----

class _Tensor(ctypes.Structure):  # layout of DLTensor
    _fields_ = [
        ("data", c_void_p), ("device_type", c_int32), ("device_id", c_int32), ("ndim", c_int32),
        ("dtype_code", c_uint8), ("dtype_bits", c_uint8), ("dtype_lanes", c_uint16),
        ("shape", POINTER(c_int64)), ("strides", POINTER(c_int64)), ("byte_offset", c_uint64),
    ]


class _Spec(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("scheme", c_int32), ("method", c_int32), ("bits", c_int32),
        ("flags", c_int32), ("grain", c_int32), ("axis", c_int32), ("points", c_int32),
        ("block", c_int64), ("seed", c_uint64),
    ]


class _ErrorStruct(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("reserved", c_uint32), ("count", c_uint64)] + [
        (name, c_double)
        for name in ("mse", "sqnr_db", "rmae", "cosine", "largest", "bits", "clipped")
    ]


class _Conv(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("groups", c_int32), ("group_shift", c_int32), ("stride", c_int32 * 2),
        ("dilation", c_int32 * 2), ("pad", c_int32 * 4), ("reserved", c_int32),
    ]


class _Lowbit(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("step", c_int32), ("zero", c_int32), ("channels", c_int32),
        ("pad", c_int32 * 4),
    ]


class _LowbitSpec(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("step", c_int32), ("zero", c_int32), ("flags", c_int32),
        ("groups", c_int32), ("pad", c_int32 * 4), ("reserved", c_int32),
    ]


class _Exp(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("exponent_bits", c_int32), ("base", c_double), ("alpha", c_double),
        ("beta", c_double),
    ]


class _LayerSpec(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("kind", c_int32), ("layout", c_int32), ("activation", c_int32),
        ("flags", c_int32), ("low", c_float), ("high", c_float), ("groups", c_int32),
        ("group_shift", c_int32), ("stride", c_int32 * 2), ("dilation", c_int32 * 2),
        ("pad", c_int32 * 4), ("reserved", c_int32),
    ]


class _QTable(ctypes.Structure):
    _fields_ = [("step", c_uint16 * 64)]


class _ImageSpec(ctypes.Structure):
    _fields_ = [("size", c_uint32)] + [
        (name, c_int32) for name in ("width", "height", "components", "sampling", "transform")
    ]


class _ImageBytes(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("reserved", c_uint32)] + [
        (name, c_uint64) for name in ("file", "header", "entropy", "stuffed", "bits")
    ]


class _SearchSpec(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("method", c_int32), ("tables", c_int32), ("start", c_int32),
        ("seed", c_uint64), ("scale_low", c_double), ("scale_high", c_double), ("rate_low", c_double),
        ("rate_high", c_double), ("curve", c_double * 3), ("low", POINTER(_QTable)),
        ("high", POINTER(_QTable)),
    ]


class _Trial(ctypes.Structure):
    _fields_ = [("rate", c_double), ("utility", c_double), ("table", _QTable * 3)]


class _MapSpec(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("channels", c_int32), ("kernel", c_int32), ("pad", c_int32),
        ("filters", c_int32), ("subsample", c_int32), ("anchor_bits", c_int32),
        ("patch_bits", c_int32), ("centre", c_int32), ("sigma", c_float),
        ("regulariser", c_float), ("reserved", c_int32), ("seed", c_uint64), ("flags", c_int32),
        ("reserved2", c_int32),
    ]


_IMAGE_FN = ctypes.CFUNCTYPE(c_int32, c_void_p, c_uint64, c_void_p)


class _MapData(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("height", c_int32), ("width", c_int32), ("rounds", c_int32),
        ("images", c_uint64), ("patches", c_uint64), ("read", _IMAGE_FN), ("user", c_void_p),
    ]


_DIGIT_FN = ctypes.CFUNCTYPE(c_int32, c_void_p, c_int64, c_int32)
_LOG_FN = ctypes.CFUNCTYPE(None, c_void_p, c_int32, c_char_p)
_PROGRESS_FN = ctypes.CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint64)

_H, _T, _S = c_void_p, POINTER(_Tensor), POINTER(c_size_t)  # handle, tensor, size
_Q, _D = POINTER(_QTable), POINTER(c_double)

# Functions that return a status; all but the first of context.h take the context first.
_STATUS_FUNCTIONS = {
    "context_create": [c_void_p, c_void_p, c_void_p, POINTER(_H)],
    "context_set_parallel": [_H, c_void_p, c_void_p, c_size_t],
    "context_set_log": [_H, _LOG_FN, c_void_p, c_int32],
    "context_set_progress": [_H, _PROGRESS_FN, c_void_p],
    "context_set_cpu": [_H, c_uint64],
    "tensor_check": [_H, _T],
    "tensor_bytes": [_H, _T, POINTER(c_uint64)],
    "quantizer_create": [_H, POINTER(_Spec), POINTER(_H)],
    "quantizer_spec": [_H, _H, POINTER(_Spec)],
    "quantizer_observe": [_H, _H, _T, _T],
    "quantizer_observe_inputs": [_H, _H, _T],
    "quantizer_fit": [_H, _H],
    "quantizer_fit_pair": [_H, _H, _H],
    "quantizer_get": [_H, _H, c_int32, POINTER(c_double), c_size_t, _S],
    "quantizer_set": [_H, _H, c_int32, POINTER(c_double), c_size_t],
    "quantizer_view": [_H, _H, _T, _T],
    "quantizer_encode": [_H, _H, _T, _T],
    "quantizer_decode": [_H, _H, _T, _T],
    "quantizer_apply": [_H, _H, _T, _T],
    "quantizer_error": [_H, _H, _T, _T, POINTER(_ErrorStruct)],
    "quantizer_save": [_H, _H, c_void_p, c_size_t, _S],
    "quantizer_load": [_H, c_void_p, c_size_t, POINTER(_H)],
    "layer_create": [_H, POINTER(_LayerSpec), _T, _H, _T, _H, _H, POINTER(_H)],
    "layer_view": [_H, _H, _T, _T],
    "layer_workspace": [_H, _H, _T, _S],
    "layer_run": [_H, _H, _T, _T, c_void_p, c_size_t],
    "layer_save": [_H, _H, c_void_p, c_size_t, _S],
    "layer_load": [_H, c_void_p, c_size_t, c_int32, POINTER(_H)],
    "pack_pixels_view": [_H, _T, c_int32, POINTER(c_int32), _T],
    "pack_pixels": [_H, _T, c_int32, POINTER(c_int32), _T],
    "pack_taps_view": [_H, _T, c_int32, _T],
    "pack_taps": [_H, _T, c_int32, _T],
    "conv_lowbit": [_H, POINTER(_Conv), POINTER(_Lowbit), _T, _T, _T, _T],
    "find_thresholds": [_H, _DIGIT_FN, c_void_p, c_int32, c_int32, _T, _T],
    "lowbit_layer_create": [_H, POINTER(_Conv), POINTER(_LowbitSpec), _T, _T, _T, _H, POINTER(_H)],
    "lowbit_layer_of_thresholds": [_H, POINTER(_Conv), POINTER(_LowbitSpec), _T, _T, _T, POINTER(_H)],
    "lowbit_layer_view": [_H, _H, _T, _T],
    "lowbit_layer_workspace": [_H, _H, _T, _S],
    "lowbit_layer_run": [_H, _H, _T, _T, _T, _T, c_void_p, c_size_t],
    "lowbit_layer_save": [_H, _H, c_void_p, c_size_t, _S],
    "lowbit_layer_load": [_H, c_void_p, c_size_t, c_int32, POINTER(_H)],
    "ckn_create": [_H, POINTER(_MapSpec), POINTER(_H)],
    "ckn_describe": [_H, _H, POINTER(_MapSpec)],
    "ckn_fit": [_H, _H, POINTER(_MapData)],
    "ckn_set": [_H, _H, _T],
    "ckn_get": [_H, _H, _T],
    "ckn_view": [_H, _H, _T, _T],
    "ckn_workspace": [_H, _H, _T, _S],
    "ckn_run": [_H, _H, _T, _T, c_void_p, c_size_t],
    "ckn_backward": [_H, _H, _T, _T, _T, _T, POINTER(c_double)],
    "ckn_save": [_H, _H, c_void_p, c_size_t, _S],
    "ckn_load": [_H, c_void_p, c_size_t, POINTER(_H)],
    "trainer_create": [_H, POINTER(_Spec), POINTER(_H)],
    "trainer_start": [_H, _H, _T],
    "trainer_get": [_H, _H, c_int32, POINTER(c_double), c_size_t, _S],
    "trainer_set": [_H, _H, c_int32, POINTER(c_double), c_size_t],
    "trainer_forward": [_H, _H, _T, _T],
    "trainer_backward": [_H, _H, _T, _T, _T, POINTER(c_double), c_size_t],
    "trainer_refit": [_H, _H, _T, c_double],
    "trainer_export": [_H, _H, _T, POINTER(_H)],
    "alq_create": [_H, POINTER(_Spec), _T, POINTER(_H)],
    "alq_weights": [_H, _H, _T],
    "alq_step": [_H, _H, c_int32, c_double, _T],
    "alq_prune": [_H, POINTER(_H), c_size_t, c_uint64, c_double],
    "alq_bits": [_H, POINTER(_H), c_size_t, POINTER(c_double)],
    "alq_get_state": [_H, _H, POINTER(c_double), c_size_t, _S],
    "alq_set_state": [_H, _H, POINTER(c_double), c_size_t],
    "alq_export": [_H, _H, POINTER(_H)],
    "gemm_s8": [_H, _T, c_int32, _T, _T, _T],
    "gemm_table": [_H, _T, _T, _T, _T, _T],
    "pack_bits_view": [_H, _T, _T],
    "pack_bits": [_H, _T, _T],
    "gemm_bits": [_H, _T, _T, _T, _T, _T],
    "gemm_exp": [_H, _T, POINTER(_Exp), _T, POINTER(_Exp), _T],
    "dot_exp": [_H, c_int32, _T, _T, _T],
    "conv_s8": [_H, POINTER(_Conv), _T, c_int32, _T, _T],
    "shuffle_cyclic": [_H, _T, c_int32, c_int32, c_int32, _T],
    "requantize": [_H, _T, _T, _T, c_int32, c_int32, c_int32, _T],
    "blob_probe": [_H, c_void_p, c_size_t, POINTER(c_int32), POINTER(c_uint32), _S],
    "pool_create": [_H, c_size_t, POINTER(_H)],
    "qtable_standard": [_H, c_int32, c_int32, _Q],
    "qtable_text": [_H, _Q, c_size_t, c_char_p, c_size_t, _S],
    "image_create": [_H, POINTER(_ImageSpec), POINTER(_H)],
    "image_read": [_H, _H, c_void_p, c_size_t],
    "image_quantize": [_H, _H, _Q, c_size_t],
    "image_size": [_H, _H, c_int32, POINTER(_ImageBytes)],
    "image_write": [_H, _H, c_void_p, c_size_t],
    "search_create": [_H, POINTER(_SearchSpec), POINTER(_H)],
    "search_ask": [_H, _H, _Q],
    "search_tell": [_H, _H, c_double, c_double],
    "search_trials": [_H, _H, POINTER(_Trial), c_size_t, _S],
    "search_best": [_H, _H, POINTER(_Trial)],
    "search_curve": [_H, POINTER(_Trial), c_size_t, _D],
    "search_box": [_H, POINTER(_Trial), c_size_t, c_double, c_double, c_double, _Q, _Q],
}
_OTHER_FUNCTIONS = {
    "version": (c_uint32, []),
    "version_string": (c_char_p, []),
    "status_name": (c_char_p, [c_int32]),
    "status_text": (c_char_p, [c_int32]),
    "cpu_detect": (c_uint64, []),
    "cpu_name": (c_char_p, [c_uint64]),
    "context_cpu": (c_uint64, [_H]),
    "context_destroy": (None, [_H]),
    "quantizer_destroy": (None, [_H]),
    "layer_destroy": (None, [_H]),
    "lowbit_layer_destroy": (None, [_H]),
    "ckn_destroy": (None, [_H]),
    "trainer_destroy": (None, [_H]),
    "alq_destroy": (None, [_H]),
    "image_destroy": (None, [_H]),
    "search_destroy": (None, [_H]),
    "pool_destroy": (None, [_H]),
    "pool_run": (c_int32, [_H, c_void_p, c_void_p, c_size_t]),
}


def _load():
    tree = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lib")
    names = [os.environ.get("QNT_LIBRARY"), ctypes.util.find_library("qnt"), "libqnt.so.1",
             os.path.join(tree, "libqnt.so.1")]
    for name in filter(None, names):
        try:
            library = ctypes.CDLL(name)
            break
        except OSError:
            continue
    else:
        raise ImportError("libqnt.so.1 not found; set QNT_LIBRARY to its path")
    for name, arguments in _STATUS_FUNCTIONS.items():
        function = getattr(library, "qnt_" + name)
        function.restype, function.argtypes = c_int32, arguments
    for name, (result, arguments) in _OTHER_FUNCTIONS.items():
        function = getattr(library, "qnt_" + name)
        function.restype, function.argtypes = result, arguments
    if library.qnt_version() >> 16 != 1:
        raise ImportError("libqnt 1 is needed, found " + library.qnt_version_string().decode())
    return library


_lib = _load()


def version():
    """Version of the library, e.g. "1.0.0"."""
    return _lib.qnt_version_string().decode()


def cpu_detect():
    """CPU features of this machine, an OR of CPU_ bits."""
    return _lib.qnt_cpu_detect()


def cpu_names(features):
    """Names of CPU features, e.g. ["avx2", "avx512vnni"]; ["c"] for none."""
    bits = [1 << i for i in range(64) if features >> i & 1] or [0]
    return [_lib.qnt_cpu_name(bit).decode() for bit in bits]


class Error(Exception):
    """A call failed. `status` is a negative E_ number, `name` its name, `reason` the library's words."""

    def __init__(self, status, reason):
        self.status = status
        self.name = _lib.qnt_status_name(status).decode()
        self.reason = reason or _lib.qnt_status_text(status).decode()
        super().__init__("%s: %s" % (self.name, self.reason))


class Cancelled(Error):
    """The progress callback returned a true value."""


class OutOfMemory(Error, MemoryError):
    """The library's allocator gave no memory."""


_ERRORS = {-10: Cancelled, -6: OutOfMemory}


# ---- contexts ----

class _Hooks:
    """What the C callbacks reach. Apart from Context, so that no cycle keeps a context alive."""

    def __init__(self, log, log_level, progress):
        self.said = threading.local()  # the last error's reason, and an exception of a callback
        self.log, self.log_level, self.progress = log, log_level, progress
        self.log_fn = _LOG_FN(self.hear)
        self.progress_fn = _PROGRESS_FN(self.ask) if progress else _PROGRESS_FN()

    def hear(self, _user, level, message):
        try:
            text = message.decode("utf-8", "replace")
            if level == LOG_ERROR:
                self.said.reason = text
            if self.log and level <= self.log_level:
                self.log(level, text)
        except BaseException as problem:  # must not travel through C
            self.said.problem = problem

    def ask(self, _user, done, total):
        try:
            return 1 if self.progress(done, total) else 0
        except BaseException as problem:
            self.said.problem = problem
            return 1


# Functions that change the object they are called for, or those, besides context_set_...; no other call may
# use it meanwhile.
_CHANGES = {
    "quantizer_observe", "quantizer_observe_inputs", "quantizer_fit", "quantizer_fit_pair", "quantizer_set",
    "trainer_start", "trainer_set", "trainer_refit", "alq_step", "alq_prune", "alq_set_state", "ckn_fit",
    "ckn_set", "image_read", "image_quantize", "search_ask", "search_tell",
}
_uses_lock = threading.RLock()  # the collector may close handles while it is held


class _Handle:
    """Owns a C handle; close() or the end of a with block frees it early, or as soon as the calls end that
    use it. A call that changes it takes it alone: another one raises RuntimeError meanwhile, in callbacks,
    too."""

    _destroy = None
    _uses = 0  # calls; -1: one that changes it
    _closed = False

    def __init__(self, handle):
        self._handle = handle

    @property
    def handle(self):
        if self._closed or not self._handle:
            raise ValueError("this %s is closed" % type(self).__name__)
        return self._handle

    def _take(self, alone):
        with _uses_lock:
            handle = self.handle
            if self._uses < 0 or alone and self._uses:
                raise RuntimeError("this %s is in use by another call" % type(self).__name__)
            self._uses = -1 if alone else self._uses + 1
            return handle

    def _leave(self):
        with _uses_lock:
            self._uses = max(self._uses - 1, 0)
            if self._closed and not self._uses:
                self._free()

    def _free(self):
        handle, self._handle = getattr(self, "_handle", None), None
        if handle:
            getattr(_lib, self._destroy)(handle)

    def close(self):
        """Frees the C object; using it afterwards raises ValueError."""
        with _uses_lock:
            self._closed = True
            if not self._uses:
                self._free()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        if _lib is not None:
            self.close()


class _Taken:
    """Handles that a call uses, or changes, until it ends."""

    def __init__(self):
        self.all = []

    def take(self, owner, alone):
        """The C handle of one, or an array of those of a list."""
        if isinstance(owner, list):
            return (c_void_p * len(owner))(*[self.take(each, alone) for each in owner])
        if any(owner is each for each in self.all):
            return owner.handle
        handle = owner._take(alone)
        self.all.append(owner)
        return handle

    def leave(self):
        for owner in self.all:
            owner._leave()


class Context(_Handle):
    """What the library knows about its host: threads, log, progress, CPU level.

    threads   size of a pool of its own, or a Pool to share; 1: serial. Results do not depend on it.
    log       called as log(level, text) for messages up to log_level.
    progress  called as progress(done, total) by observe and fit; a true result cancels them.
    cpu       CPU_ bits to restrict kernels to; 0 is portable C. Results do not depend on it.
    """

    _destroy = "qnt_context_destroy"

    def __init__(self, threads=1, log=None, log_level=LOG_WARN, progress=None, cpu=None):
        handle = c_void_p()
        status = _lib.qnt_context_create(None, None, None, byref(handle))
        if status != OK:
            raise _ERRORS.get(status, Error)(status, None)
        super().__init__(handle)
        self.pool = None
        self._hooks = _Hooks(log, log_level, progress)
        self.call("context_set_log", self._hooks.log_fn, None, max(LOG_ERROR, log_level))
        self.call("context_set_progress", self._hooks.progress_fn, None)
        if cpu is not None:
            self.cpu = cpu
        if isinstance(threads, Pool) or threads > 1:
            self.use(threads if isinstance(threads, Pool) else Pool(self, threads))

    def call(self, name, *arguments):
        """Calls qnt_<name>(context, ...); raises Error with the reason. For the classes below, whose objects,
        or lists of them, stand for their handles."""
        said, taken, alone = self._hooks.said, _Taken(), name in _CHANGES
        try:
            context = taken.take(self, name.startswith("context_set"))
            if self.pool is not None:
                taken.take(self.pool, False)  # ValueError: a closed pool has no threads to run on
            arguments = [taken.take(a, alone) if isinstance(a, (_Handle, list)) else a for a in arguments]
            said.reason = said.problem = None
            status = getattr(_lib, "qnt_" + name)(context, *arguments)
        finally:
            taken.leave()
        if said.problem is not None:
            raise said.problem
        if status != OK:
            raise _ERRORS.get(status, Error)(status, said.reason)

    def use(self, pool):
        """Runs on the threads of a Pool from now on, or serially with None."""
        hook = (None, None, 1)
        if pool is not None:
            hook = (ctypes.cast(_lib.qnt_pool_run, c_void_p), pool, pool.threads)
        self.pool = None  # the one until now may be closed
        self.call("context_set_parallel", *hook)
        self.pool = pool

    @property
    def cpu(self):
        """CPU features in use; may be set to a subset."""
        return _lib.qnt_context_cpu(self.handle)

    @cpu.setter
    def cpu(self, features):
        self.call("context_set_cpu", features)


class Pool(_Handle):
    """Sleeping threads that several contexts may share. They run C only and never need the GIL."""

    _destroy = "qnt_pool_destroy"

    def __init__(self, context, threads):
        handle = c_void_p()
        context.call("pool_create", threads, byref(handle))
        super().__init__(handle)
        self.threads = threads


# ---- tensors ----

class _Buffer(ctypes.Structure):  # Py_buffer
    _fields_ = [
        ("buf", c_void_p), ("obj", c_void_p), ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t), ("readonly", ctypes.c_int), ("ndim", ctypes.c_int),
        ("format", c_char_p), ("shape", POINTER(ctypes.c_ssize_t)),
        ("strides", POINTER(ctypes.c_ssize_t)), ("suboffsets", POINTER(ctypes.c_ssize_t)),
        ("internal", c_void_p),
    ]


_get_buffer = ctypes.pythonapi.PyObject_GetBuffer
_get_buffer.restype, _get_buffer.argtypes = ctypes.c_int, [ctypes.py_object, c_void_p, ctypes.c_int]
_release_buffer = ctypes.pythonapi.PyBuffer_Release
_release_buffer.restype, _release_buffer.argtypes = None, [c_void_p]
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = c_void_p
_capsule_pointer.argtypes = [ctypes.py_object, c_char_p]
_WRITABLE, _RECORDS = 0x1, 0x1C  # PyBUF_WRITABLE, PyBUF_RECORDS_RO: no pointers to rows; 0: bytes without gaps

_KINDS = {"f": FLOAT, "e": FLOAT, "b": INT, "h": INT, "i": INT, "l": INT, "q": INT,
          "B": UINT, "H": UINT, "I": UINT, "L": UINT, "Q": UINT, "c": UINT}


class _Unfit(TypeError):
    """A buffer, but a read-only one, or one with gaps."""


class _Held:
    """A buffer of another object, held until this one goes. As bytes it has no gaps, nor a last one first."""

    def __init__(self, source, writable, as_bytes=False):
        self.view = _Buffer()
        self.open = False
        flags = (0 if as_bytes else _RECORDS) | (_WRITABLE if writable else 0)
        try:
            _get_buffer(source.memory if isinstance(source, Tensor) else source, byref(self.view), flags)
        except (BufferError, ValueError) as problem:
            kind = " and ".join(["writable"] * writable + ["compact"] * as_bytes) or "strided"
            raise _Unfit("a %s array is needed: %s" % (kind, problem)) from None
        self.open = True

    def __del__(self):
        if self.open:
            _release_buffer(byref(self.view))


class Tensor:
    """Describes memory to the library. Made from arrays on the fly; by hand for other types:

        Tensor(buffer, (64, 128), "int4")            packed codes
        Tensor(array_of_uint16, (64, 128), "bfloat16")

    Types: float32, float16, bfloat16, int1 to int8, int16, int32, uint1 to uint8, uint16. `strides`
    count elements; None is compact. The memory stays alive as long as the Tensor; results go only to
    memory that can be written.
    """

    def __init__(self, memory, shape, dtype, strides=None, writable=False):
        shape = _int64s(shape)
        strides = None if strides is None else _int64s(strides)
        if strides is not None and len(strides) != len(shape):
            raise ValueError("%d strides of %d axes" % (len(strides), len(shape)))
        code, bits = _parse_type(dtype)
        self._held = _Held(memory, writable, as_bytes=True)
        self.memory = memory
        view = self._held.view
        self._describe(view.buf, code, bits, shape, strides)
        last = 1
        if all(shape):
            steps = _compact(shape) if strides is None else strides
            if min(steps, default=0) < 0:
                raise ValueError("negative strides: pass the array itself")
            last = 1 + sum((n - 1) * s for n, s in zip(shape, steps))
            if (last * bits + 7) // 8 > view.len:
                raise ValueError("%d bytes cannot hold %s %s" % (view.len, dtype, shape))

    @classmethod
    def of(cls, source, writable=False):
        """The Tensor of an array, or source itself if it is one."""
        if isinstance(source, Tensor):
            if writable and isinstance(source._held, _Held) and source._held.view.readonly:
                raise TypeError("a writable Tensor is needed")
            return source
        self = cls.__new__(cls)
        try:
            held = _Held(source, writable)
        except _Unfit:
            raise
        except TypeError:
            if not hasattr(source, "__dlpack__"):
                raise
            return self._from_dlpack(source)
        view = held.view
        self._held, self.memory = held, source
        form = (view.format or b"B").decode().lstrip("@=<|")
        if form not in _KINDS:
            raise TypeError("elements of format %r cannot be described" % form)
        shape = view.shape[:view.ndim]
        steps = view.strides[:view.ndim] if view.strides else None
        if steps is not None and any(s % view.itemsize for s in steps):
            raise ValueError("strides are no multiples of the element size")
        strides = steps and [s // view.itemsize for s in steps]
        self._describe(view.buf, _KINDS[form], 8 * view.itemsize, shape, strides)
        return self

    def _from_dlpack(self, source):
        capsule = source.__dlpack__()
        self._held = self.memory = capsule  # its destructor frees the export
        managed = _capsule_pointer(capsule, b"dltensor")
        self.struct = _Tensor.from_buffer_copy(_Tensor.from_address(managed))
        return self

    def _describe(self, address, code, bits, shape, strides):
        n = len(shape)
        self._shape = (c_int64 * MAX_NDIM)(*shape) if n <= MAX_NDIM else (c_int64 * n)(*shape)
        self._strides = (c_int64 * len(self._shape))(*(_compact(shape) if strides is None
                                                       else strides))
        self.struct = _Tensor(address, 1, 0, n, code, bits, 1, self._shape, self._strides, 0)

    @property
    def address(self):
        """Of the first element; see check() before it is used."""
        return self.struct.data and self.struct.data + self.struct.byte_offset

    @property
    def shape(self):
        return tuple(self.struct.shape[:self.struct.ndim])

    @property
    def is_compact(self):
        steps = self.struct.strides and self.struct.strides[:self.struct.ndim]
        return not steps or steps == _compact(self.shape)

    @property
    def dtype(self):
        """Name of the element type, e.g. "uint4"."""
        return _type_name(self.struct.dtype_code, self.struct.dtype_bits)

    def check(self, context):
        """Raises Error if the library would not accept this as a tensor."""
        context.call("tensor_check", byref(self.struct))

    def bytes(self, context):
        """Bytes from the first to the last element that the view can touch."""
        size = c_uint64()
        context.call("tensor_bytes", byref(self.struct), byref(size))
        return size.value

    def tolist(self):
        """Nested lists of numbers; for compact tensors that the library returned."""
        code, bits = self.struct.dtype_code, self.struct.dtype_bits
        flat = _unpack(bytes(memoryview(self.memory).cast("B")), code, bits, self.shape)
        for n in reversed(self.shape[1:]):
            flat = [flat[i:i + n] for i in range(0, len(flat), n)] if n else []
        return flat if self.shape else flat[0]

    def __repr__(self):
        return "Tensor(%s, %s)" % (self.dtype, self.shape)


def _int64s(values):
    """Read once, as values may be an iterator; what C would see as other numbers is refused."""
    values = tuple(int(n) for n in values)
    if any(c_int64(n).value != n for n in values):
        raise OverflowError("a shape or strides beyond 64 bits: %r" % (values,))
    return values


def _compact(shape):
    strides, step = [], 1
    for n in reversed(shape):
        strides.insert(0, step)
        step *= max(n, 1)
    return strides


def _count(shape):
    count = 1
    for n in shape:
        count *= n
    return count


def _parse_type(name):
    kind = name.rstrip("0123456789")
    bits = int(name[len(kind):] or 0)
    if kind not in _TYPE_CODES or not 1 <= bits <= 32:
        raise ValueError("unknown element type %r" % name)
    return _TYPE_CODES[kind], bits


_TYPE_CODES = {"int": INT, "uint": UINT, "float": FLOAT, "bfloat": BFLOAT}


def _type_name(code, bits):
    names = {value: key for key, value in _TYPE_CODES.items()}
    return "%s%d" % (names.get(code, "type%d_" % code), bits)


def _unpack(raw, code, bits, shape):
    count = _count(shape)
    if (code, bits) in ((FLOAT, 32), (FLOAT, 16)):
        return memoryview(raw).cast("f" if bits == 32 else "e").tolist()[:count]
    number = int.from_bytes(raw, "little")
    values = [number >> i * bits & (1 << bits) - 1 for i in range(count)]
    if code == INT:
        values = [v - (v >> bits - 1 << bits) for v in values]
    return values


def _pointer(tensor):
    return None if tensor is None else byref(tensor.struct)


def _optional(source):
    return None if source is None else Tensor.of(source)


def _empty(shape, code, bits):
    """New memory for a result: (what the caller gets, its Tensor)."""
    name = _type_name(code, bits)
    if numpy is not None and name in ("float32", "float16", "int8", "uint8", "int16", "uint16",
                                      "int32"):
        array = numpy.empty(shape, name)
        return array, Tensor.of(array, writable=True)
    memory = bytearray((_count(shape) * bits + 7) // 8)
    tensor = Tensor(memory, shape, name, writable=True)
    return tensor, tensor


def _result(out, shape, code, bits):
    if out is None:
        return _empty(shape, code, bits)
    return out, Tensor.of(out, writable=True)


def _described(context, name, *arguments):
    """Calls a view function: (shape, code, bits) of the result."""
    shape, strides = (c_int64 * MAX_NDIM)(), (c_int64 * MAX_NDIM)()
    view = _Tensor(shape=shape, strides=strides)
    context.call(name, *arguments, byref(view))
    return tuple(shape[:view.ndim]), view.dtype_code, view.dtype_bits


# ---- quantizers ----

ErrorMeasures = collections.namedtuple(
    "ErrorMeasures", "count mse sqnr_db rmae cosine largest bits clipped")


class Quantizer(_Handle):
    """What codes mean (scheme) and how their parameters are found (method).

    method  affine: fixed, minmax, percentile, entropy, analytic, mse; points: bases, multipoint; exp: teq;
            table: kmeans, lloyd, nf4, fp4, pot, apot, levels
    bits    1 to 8, or 16; of one point, of the exponent; 0: the scheme's default
    scheme  affine, points, exp, table; None: that of the method
    points  of the scheme points: at most so many
    axis    one group per index along this axis; with block=n, one per n elements along it
    signed, symmetric, narrow, dynamic, literal, real_offset: the flags of qnt_spec

    Parameters are attributes: q.scale, q.zero, q.offset, q.low, q.high, q.percentile, q.bins, ...;
    those that the header marks "set" can be assigned a number or a sequence:

        q = Quantizer(context, method="fixed")
        q.scale, q.zero = 0.1, 128
    """

    _destroy = "qnt_quantizer_destroy"

    def __init__(self, context, method="minmax", bits=0, scheme=None, signed=False,
                 symmetric=False, narrow=False, dynamic=False, literal=False, real_offset=False,
                 axis=None, block=0, seed=0, points=0):
        number = METHODS[method]
        scheme = scheme or ("affine" if number < 7 else "points" if number < 9 else
                            "exp" if number == 9 else "table")
        flags = (signed * SIGNED | symmetric * SYMMETRIC | narrow * NARROW | dynamic * DYNAMIC |
                 literal * LITERAL | real_offset * REAL_OFFSET)
        grain = PER_TENSOR if axis is None else PER_BLOCK if block else PER_AXIS
        spec = _Spec(ctypes.sizeof(_Spec), SCHEMES[scheme], number, bits, flags, grain, axis or 0,
                     points, block, seed)
        handle = c_void_p()
        context.call("quantizer_create", byref(spec), byref(handle))
        super().__init__(handle)
        self.context = context

    def _call(self, name, *arguments):
        self.context.call(name, self, *arguments)

    @property
    def spec(self):
        """What this was made of, as a dict, defaults filled in."""
        spec = _Spec(size=ctypes.sizeof(_Spec))
        self._call("quantizer_spec", byref(spec))
        return {name: getattr(spec, name) for name, _ in _Spec._fields_ if name != "size"}

    def observe(self, x, importance=None):
        """Gathers statistics of one batch; `importance` weighs its elements."""
        x, importance = Tensor.of(x), _optional(importance)
        self._call("quantizer_observe", _pointer(x), _pointer(importance))
        return self

    def observe_inputs(self, inputs):
        """Lets points be placed by the error of a layer's outputs: [..., K] inputs of one batch."""
        inputs = Tensor.of(inputs)
        self._call("quantizer_observe_inputs", _pointer(inputs))
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
        number, count = PARAMETERS.get(parameter, parameter), c_size_t()
        self._call("quantizer_get", number, None, 0, byref(count))
        values = (c_double * count.value)()
        self._call("quantizer_get", number, values, count.value, byref(count))
        return numpy.array(values) if numpy is not None else list(values)

    def set(self, parameter, values):
        """Sets a parameter: one value for all groups, or one for each."""
        values = [values] if isinstance(values, (int, float)) else list(values)
        array = (c_double * len(values))(*values)
        self._call("quantizer_set", PARAMETERS.get(parameter, parameter), array, len(values))

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
        shape, code, bits = _described(self.context, "quantizer_view", self, _pointer(x))
        result, codes = _result(out, shape, code, bits if packed else max(bits, 8))
        self._call("quantizer_encode", _pointer(x), _pointer(codes))
        return result

    def decode(self, codes, out=None):
        """Floats of codes."""
        codes = Tensor.of(codes)
        result, y = _result(out, codes.shape, FLOAT, 32)
        self._call("quantizer_decode", _pointer(codes), _pointer(y))
        return result

    def apply(self, x, out=None):
        """decode(encode(x)); out may be x."""
        x = Tensor.of(x)
        result, y = _result(out, x.shape, FLOAT, 32)
        self._call("quantizer_apply", _pointer(x), _pointer(y))
        return result

    def measure(self, x, importance=None):
        """What quantizing x costs, as ErrorMeasures."""
        x, importance = Tensor.of(x), _optional(importance)
        found = _ErrorStruct(size=ctypes.sizeof(_ErrorStruct))
        self._call("quantizer_error", _pointer(x), _pointer(importance), byref(found))
        return ErrorMeasures(*(getattr(found, name) for name in ErrorMeasures._fields))

    def save(self):
        """The blob: bytes."""
        return _save(self, "quantizer_save")

    @classmethod
    def load(cls, context, data):
        """A quantizer from a blob."""
        held, handle = _Held(data, False, as_bytes=True), c_void_p()
        context.call("quantizer_load", held.view.buf, held.view.len, byref(handle))
        self = cls.__new__(cls)
        _Handle.__init__(self, handle)
        self.context = context
        return self


class Trainer(_Handle):
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

    _destroy = "qnt_trainer_destroy"

    def __init__(self, context, method="lsq", bits=4, weights=True, literal=False, axis=None, block=0, seed=0):
        number = METHODS[method]
        affine = method in ("lsq", "lsqplus", "pact", "rq", "srq") or (method == "dorefa" and not weights)
        grain = PER_TENSOR if axis is None else PER_BLOCK if block else PER_AXIS
        spec = _Spec(ctypes.sizeof(_Spec), SCHEMES["affine" if affine else "table"], number, bits,
                     weights * SIGNED | literal * LITERAL, grain, axis or 0, 0, block, seed)
        handle = c_void_p()
        context.call("trainer_create", byref(spec), byref(handle))
        super().__init__(handle)
        self.context = context

    def _call(self, name, *arguments):
        self.context.call(name, self, *arguments)

    def start(self, x):
        """First numbers from data."""
        self._call("trainer_start", _pointer(Tensor.of(x)))
        return self

    def get(self, parameter):
        """All values of a parameter: a list, or a float64 array with numpy."""
        number, count = TRAINING[parameter], c_size_t()
        self._call("trainer_get", number, None, 0, byref(count))
        values = (c_double * count.value)()
        self._call("trainer_get", number, values, count.value, byref(count))
        return numpy.array(values) if numpy is not None else list(values)

    def set(self, parameter, values):
        """Sets a parameter."""
        values = [values] if isinstance(values, (int, float)) else list(values)
        self._call("trainer_set", TRAINING[parameter], (c_double * len(values))(*values), len(values))

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
        self._call("trainer_refit", _pointer(Tensor.of(x)), share)
        return self

    def forward(self, x, out=None):
        """What the network computes with instead of x."""
        x = Tensor.of(x)
        result, y = _result(out, x.shape, FLOAT, 32)
        self._call("trainer_forward", _pointer(x), _pointer(y))
        return result

    def backward(self, x, dy, out=None):
        """Gradients by x and by theta."""
        x, dy, count = Tensor.of(x), Tensor.of(dy), c_size_t()
        result, dx = _result(out, x.shape, FLOAT, 32)
        self._call("trainer_get", TRAINING["theta"], None, 0, byref(count))
        theta = (c_double * count.value)()
        self._call("trainer_backward", _pointer(x), _pointer(dy), _pointer(dx), theta, count.value)
        return result, numpy.array(theta) if numpy is not None else list(theta)

    def export(self, x=None):
        """The quantizer that was learned; methods whose thresholds depend on the weights need them."""
        handle = c_void_p()
        self._call("trainer_export", _pointer(_optional(x)), byref(handle))
        return _exported(self.context, handle)


def _exported(context, handle):
    quantizer = Quantizer.__new__(Quantizer)
    _Handle.__init__(quantizer, handle)
    quantizer.context = context
    return quantizer


class Bases(_Handle):
    """Weights as sums of bases of signs, trained with the loss (ALQ); the weights live in here.

    bases  how many each group has at first, 1 to 8
    axis   0: one group for each output; None: one for the tensor; with block: groups along the last axis

        layers = [Bases(context, w, bases=4) for w in weights]
        layer.step("bases", rate, dw)            # or "gather", "coordinates", "straight"
        prune(layers, bits=1.5)                  # the loss decides where
        w = layer.weights()
        q = layer.export()                       # an ordinary Quantizer
    """

    _destroy = "qnt_alq_destroy"
    MODES = ("gather", "bases", "coordinates", "straight")

    def __init__(self, context, w, bases=2, axis=0, block=0):
        w = Tensor.of(w)
        grain = PER_TENSOR if axis is None else PER_BLOCK if block else PER_AXIS
        spec = _Spec(ctypes.sizeof(_Spec), SCHEMES["points"], METHODS["alq"], 1, 0, grain, -1 if block else 0,
                     bases, block, 0)
        handle = c_void_p()
        context.call("alq_create", byref(spec), _pointer(w), byref(handle))
        super().__init__(handle)
        self.context, self.shape = context, w.shape

    def _call(self, name, *arguments):
        self.context.call(name, self, *arguments)

    def weights(self, out=None):
        """The sums of the bases."""
        result, w = _result(out, self.shape, FLOAT, 32)
        self._call("alq_weights", _pointer(w))
        return result

    def step(self, mode, rate, dw):
        """Updates the moments by the loss's gradient, and moves what `mode` says."""
        self._call("alq_step", self.MODES.index(mode), rate, _pointer(Tensor.of(dw)))
        return self

    @property
    def bits(self):
        """Mean bases of a weight."""
        return mean_bits([self])

    @property
    def state(self):
        """All that steps change: a list, or a float64 array with numpy. May be set."""
        count = c_size_t()
        self._call("alq_get_state", None, 0, byref(count))
        values = (c_double * count.value)()
        self._call("alq_get_state", values, count.value, byref(count))
        return numpy.array(values) if numpy is not None else list(values)

    @state.setter
    def state(self, values):
        self._call("alq_set_state", (c_double * len(values))(*values), len(values))

    def export(self):
        """The quantizer whose codes of weights() decode to the same."""
        handle = c_void_p()
        self._call("alq_export", byref(handle))
        return _exported(self.context, handle)


def prune(layers, bits, most=2**64 - 1):
    """Removes the coordinates of several Bases that cost least, down to so many mean bits, `most` at once."""
    layers[0].context.call("alq_prune", list(layers), len(layers), most, bits)


def mean_bits(layers):
    """Mean bases of a weight over several Bases."""
    bits = c_double()
    layers[0].context.call("alq_bits", list(layers), len(layers), byref(bits))
    return bits.value


def _save(thing, name):
    length = c_size_t()
    thing._call(name, None, 0, byref(length))
    data = bytearray(length.value)
    address = (ctypes.c_char * len(data)).from_buffer(data)
    thing._call(name, ctypes.addressof(address), len(data), byref(length))
    return bytes(data)


# ---- layers ----

class Layer(_Handle):
    """Prepared weights: made once, run often, by any number of threads at once.

    weight      floats [N,K] or [O,kh,kw,C/groups] (nchw: [O,C/groups,kh,kw]), or codes of weight_q
    weight_q    a fitted Quantizer
    input_q     format of the input; None: float input and decoded weights
    output_q    format of the output; None: float32
    kind        dense or conv, with layout, groups, group_shift, stride, dilation, pad
    activation  linear, relu, or clamp between low and high
    accumulate  run(x, out=y) adds to y
    """

    _destroy = "qnt_layer_destroy"

    def __init__(self, context, weight, weight_q, bias=None, input_q=None, output_q=None,
                 kind="dense", layout="nhwc", activation="linear", low=0.0, high=0.0, groups=1,
                 group_shift=0, stride=1, dilation=1, pad=0, accumulate=False):
        spec = _LayerSpec(ctypes.sizeof(_LayerSpec), KINDS[kind], LAYOUTS[layout],
                          ACTIVATIONS[activation], ACCUMULATE if accumulate else 0, low, high)
        if kind == "conv":
            _geometry(spec, groups, group_shift, stride, dilation, pad)
        weight, bias, handle = Tensor.of(weight), _optional(bias), c_void_p()
        context.call("layer_create", byref(spec), _pointer(weight), weight_q, _pointer(bias),
                     input_q, output_q, byref(handle))
        super().__init__(handle)
        self.context, self._borrowed = context, None

    _call = Quantizer._call

    def view(self, x):
        """Shape and type of the result for x, e.g. ((8, 10), "float32")."""
        x = Tensor.of(x)
        shape, code, bits = _described(self.context, "layer_view", self, _pointer(x))
        return shape, _type_name(code, bits)

    def workspace(self, x):
        """Bytes of workspace for x."""
        x, size = Tensor.of(x), c_size_t()
        self._call("layer_workspace", _pointer(x), byref(size))
        return size.value

    def run(self, x, out=None, workspace=None):
        """The result for x. Pass out and a bytearray as workspace to run without new memory."""
        x = Tensor.of(x)
        if out is None:
            out, y = _empty(*_described(self.context, "layer_view", self, _pointer(x)))
        else:
            y = Tensor.of(out, writable=True)
        if workspace is None:
            workspace = bytearray(self.workspace(x))
        held = _Held(workspace, True, as_bytes=True)
        self._call("layer_run", _pointer(x), _pointer(y), held.view.buf, held.view.len)
        return out

    __call__ = run

    def save(self):
        """The blob: bytes."""
        return _save(self, "layer_save")

    _load = "layer_load"

    @classmethod
    def load(cls, context, data, borrow=False):
        """A layer from a blob. With borrow it keeps pointing into data, which must be aligned to 64
        bytes (a memory-mapped file is, and aligned() makes such memory) and must not change."""
        held, handle = _Held(data, False, as_bytes=True), c_void_p()
        context.call(cls._load, held.view.buf, held.view.len, BORROW if borrow else 0, byref(handle))
        self = cls.__new__(cls)
        _Handle.__init__(self, handle)
        self.context, self._borrowed = context, held if borrow else None
        return self


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def _geometry(spec, groups, group_shift, stride, dilation, pad):
    pad = _pair(pad)
    spec.groups, spec.group_shift = groups, group_shift
    spec.stride, spec.dilation = _pair(stride), _pair(dilation)
    spec.pad = pad + pad if len(pad) == 2 else pad


def _border(pad):
    pad = _pair(pad)
    return (c_int32 * 4)(*(pad + pad if len(pad) == 2 else pad))


def aligned(data):
    """A copy of bytes in memory aligned to 64 bytes, for Layer.load(borrow=True)."""
    memory = bytearray(len(data) + 64)
    start = -ctypes.addressof(ctypes.c_char.from_buffer(memory)) % 64
    view = memoryview(memory)[start:start + len(data)]
    view[:] = data
    return view


# ---- packed digits ----

def pack_pixels(context, codes, groups=1, pad=0):
    """Codes 0 to 3 [B,H,W,C] as packed pixels, three digits a byte, with a border of zeros."""
    codes, border = Tensor.of(codes), _border(pad)
    shape, _, _ = _described(context, "pack_pixels_view", _pointer(codes), groups, border)
    out, pixels = _empty(shape, UINT, 8)
    context.call("pack_pixels", _pointer(codes), groups, border, _pointer(pixels))
    return out


def pack_taps(context, codes, groups=1):
    """Codes 0 to 3 [O,kh,kw,C/groups] as packed weights for conv_lowbit()."""
    codes = Tensor.of(codes)
    shape, _, _ = _described(context, "pack_taps_view", _pointer(codes), groups)
    out, taps = _empty(shape, UINT, 8)
    context.call("pack_taps", _pointer(codes), groups, _pointer(taps))
    return out


def conv_lowbit(context, pixels, taps, out, channels, step=2, zero=-3, groups=1, group_shift=0, stride=1,
                dilation=1, thresholds=None, pad=0):
    """Sums of r (step q + zero) into out: int32 [B,OH,OW,O], or with thresholds packed pixels with a
    border. channels are those of one group."""
    conv, low = _Conv(ctypes.sizeof(_Conv)), _Lowbit(ctypes.sizeof(_Lowbit), step, zero, channels, _border(pad))
    _geometry(conv, groups, group_shift, stride, dilation, 0)
    pixels, taps, thresholds = Tensor.of(pixels), Tensor.of(taps), _optional(thresholds)
    context.call("conv_lowbit", byref(conv), byref(low), _pointer(pixels), _pointer(taps),
                 _pointer(thresholds), _pointer(Tensor.of(out, writable=True)))
    return out


def find_thresholds(context, digit, outputs, low, high):
    """(int32 [O,3], uint8 [O] falling) that say the same as digit(channel, sum) for sums low to high."""
    problems = []

    def ask(_user, channel, total):
        try:
            return int(digit(channel, total))
        except BaseException as problem:  # must not travel through C
            problems.append(problem)
            return -1

    out, thresholds = _empty((outputs, 3), INT, 32)
    falling, falls = _empty((outputs,), UINT, 8)
    try:
        context.call("find_thresholds", _DIGIT_FN(ask), None, low, high, _pointer(thresholds), _pointer(falls))
    except Error:
        if problems:
            raise problems[0]
        raise
    return out, falling


class LowbitLayer(_Handle):
    """A prepared convolution of packed digits (include/qnt/lowbit.h).

    weight      codes 0 to 3 [O,kh,kw,C/groups], each standing for step * code + zero
    scale       [O] or [1], and shift: y = sum * scale + shift, then flags RELU_FIRST, RELU_LAST, TRANSPOSE
    output_q    gives the next layer's digits; None: floats only
    thresholds  (thresholds, falling) as find_thresholds() returns them, instead of scale, shift, output_q
    groups      with group_shift, stride, dilation; out_groups and pad (a border) of the packed result
    """

    _destroy = "qnt_lowbit_layer_destroy"

    def __init__(self, context, weight, scale=None, shift=None, output_q=None, thresholds=None, step=2,
                 zero=-3, flags=0, groups=1, group_shift=0, stride=1, dilation=1, out_groups=0, pad=0):
        spec = _LowbitSpec(ctypes.sizeof(_LowbitSpec), step, zero, flags, out_groups, _border(pad), 0)
        conv, weight, handle = _Conv(ctypes.sizeof(_Conv)), Tensor.of(weight), c_void_p()
        _geometry(conv, groups, group_shift, stride, dilation, 0)
        if thresholds is None:
            scale, shift = _optional(scale), _optional(shift)
            context.call("lowbit_layer_create", byref(conv), byref(spec), _pointer(weight), _pointer(scale),
                         _pointer(shift), output_q, byref(handle))
        else:
            rows, falling = Tensor.of(thresholds[0]), _optional(thresholds[1])
            context.call("lowbit_layer_of_thresholds", byref(conv), byref(spec), _pointer(weight),
                         _pointer(rows), _pointer(falling), byref(handle))
        super().__init__(handle)
        self.context, self._borrowed = context, None

    _call = Quantizer._call
    _load = "lowbit_layer_load"
    load = classmethod(Layer.load.__func__)

    def run(self, pixels, identity=None, floats=None, packed=True, workspace=None):
        """Packed digits, in new memory or in `packed`; None: not wanted. floats [B,OH,OW,O] receives y;
        identity is what is added."""
        pixels, identity, size = Tensor.of(pixels), _optional(identity), c_size_t()
        y = None if floats is None else Tensor.of(floats, writable=True)
        if packed is True:
            packed, digits = _empty(*_described(self.context, "lowbit_layer_view", self,
                                                _pointer(pixels)))
        else:
            digits = None if packed is None else Tensor.of(packed, writable=True)
        self._call("lowbit_layer_workspace", _pointer(pixels), byref(size))
        held = _Held(bytearray(size.value) if workspace is None else workspace, True, as_bytes=True)
        self._call("lowbit_layer_run", _pointer(pixels), _pointer(identity), _pointer(y), _pointer(digits),
                   held.view.buf, held.view.len)
        return packed

    __call__ = run

    def save(self):
        """The blob: bytes."""
        return _save(self, "lowbit_layer_save")


# ---- kernel maps ----

class KernelMap(_Handle):
    """A kernel-map layer: anchors learned from images without labels (include/qnt/ckn.h).

    context      memory, threads and reasons
    channels     of the images; kernel is the side of a patch, filters the number of anchors
    pad          zeros on every side; subsample: pooling keeps every so-manieth place
    anchor_bits  1 to 8 or 32, and patch_bits likewise; one bit wants centre
    literal      the expansion of 2014: anchors with weights instead of a projection
    """

    _destroy = "qnt_ckn_destroy"

    def __init__(self, context, channels, kernel, filters, pad=0, subsample=1, anchor_bits=32,
                 patch_bits=32, centre=False, sigma=0.0, regulariser=0.0, seed=0, literal=False):
        spec = _MapSpec(ctypes.sizeof(_MapSpec), channels, kernel, pad, filters, subsample,
                        anchor_bits, patch_bits, centre, sigma, regulariser, 0, seed,
                        literal * LITERAL, 0)
        handle = c_void_p()
        context.call("ckn_create", byref(spec), byref(handle))
        super().__init__(handle)
        self.context = context

    _call = Quantizer._call

    @property
    def spec(self):
        """The request with its defaults filled in, and the sigma that was found."""
        spec = _MapSpec(ctypes.sizeof(_MapSpec))
        self._call("ckn_describe", byref(spec))
        return {name: getattr(spec, name) for name, _ in spec._fields_
                if name not in ("size", "reserved", "reserved2")}

    def _anchors(self):
        s = self.spec
        return _empty((s["filters"], s["kernel"] ** 2 * s["channels"] + bool(s["flags"] & LITERAL)),
                      FLOAT, 32)

    def workspace(self, x):
        """Bytes of workspace for x."""
        x, size = Tensor.of(x), c_size_t()
        self._call("ckn_workspace", _pointer(x), byref(size))
        return size.value

    def fit(self, images, patches, rounds=0):
        """Learns from images[i], float32 [height][width][channels] each; returns self."""
        first, problems, channels = memoryview(images[0]), [], self.spec["channels"]
        if first.format != "f" or first.ndim != 3 or first.shape[2] != channels:
            raise ValueError("images must be float32 [height][width][%d]" % channels)

        def read(_user, index, to):
            try:
                image = memoryview(images[index])
                if image.format != "f" or image.shape != first.shape:
                    raise ValueError("images[%d] is no float32 image of the first one's shape" % index)
                ctypes.memmove(to, image.tobytes(), image.nbytes)
                return 0
            except BaseException as problem:  # must not travel through C
                problems.append(problem)
                return 1

        data = _MapData(ctypes.sizeof(_MapData), first.shape[0], first.shape[1], rounds, len(images),
                        patches, _IMAGE_FN(read), None)
        try:
            self._call("ckn_fit", byref(data))
        except Cancelled:
            if problems:
                raise problems[0]
            raise
        return self

    @property
    def anchors(self):
        """As they are kept, [filters][elements of a patch]; literal ones end with their weight."""
        out, tensor = self._anchors()
        self._call("ckn_get", _pointer(tensor))
        return out

    @anchors.setter
    def anchors(self, values):
        self._call("ckn_set", _pointer(Tensor.of(values)))

    def run(self, x, out=None, workspace=None):
        """The map of images [batch][height][width][channels]."""
        x = Tensor.of(x)
        out, y = _result(out, *_described(self.context, "ckn_view", self, _pointer(x)))
        held = _Held(bytearray(self.workspace(x)) if workspace is None else workspace, True, as_bytes=True)
        self._call("ckn_run", _pointer(x), _pointer(y), held.view.buf, held.view.len)
        return out

    __call__ = run

    def backward(self, x, dy):
        """Gradients of a loss by x, anchors and sigma, from that by the result."""
        x, dsigma = Tensor.of(x), c_double()
        dx, x_view = _empty(x.shape, FLOAT, 32)
        danchors, anchor_view = self._anchors()
        self._call("ckn_backward", _pointer(x), _pointer(Tensor.of(dy)), _pointer(x_view),
                   _pointer(anchor_view), byref(dsigma))
        return dx, danchors, dsigma.value

    def save(self):
        """The blob: bytes."""
        return _save(self, "ckn_save")

    @classmethod
    def load(cls, context, data):
        """A kernel map from a blob."""
        held, handle = _Held(data, False, as_bytes=True), c_void_p()
        context.call("ckn_load", held.view.buf, held.view.len, byref(handle))
        self = cls.__new__(cls)
        _Handle.__init__(self, handle)
        self.context = context
        return self


# ---- kernels ----

def gemm_s8(context, a, b, a_zero=0, b_zero=None, out=None):
    """int32 [M,N]: sum over k of (a[m,k] - a_zero) (b[n,k] - b_zero[n])."""
    a, b, b_zero = Tensor.of(a), Tensor.of(b), _optional(b_zero)
    shape = (a.shape[0] if a.shape else 0, b.shape[0] if b.shape else 0)
    result, c = _result(out, shape, INT, 32)
    context.call("gemm_s8", _pointer(a), a_zero, _pointer(b), _pointer(b_zero), _pointer(c))
    return result


def gemm_table(context, a, a_table, b, b_table, out=None):
    """int32 [M,N]: sum over k of a_table[a[m,k]] b_table[b[n,k]]; tables of int8 or int16."""
    a, a_table, b, b_table = Tensor.of(a), Tensor.of(a_table), Tensor.of(b), Tensor.of(b_table)
    shape = (a.shape[0] if a.shape else 0, b.shape[0] if b.shape else 0)
    result, c = _result(out, shape, INT, 32)
    context.call("gemm_table", _pointer(a), _pointer(a_table), _pointer(b), _pointer(b_table),
                 _pointer(c))
    return result


def pack_bits(context, codes):
    """Bit planes of unsigned codes [N,K], the second operand of gemm_bits()."""
    codes = Tensor.of(codes)
    shape, _, _ = _described(context, "pack_bits_view", _pointer(codes))
    planes = Tensor(aligned(bytes(_count(shape))), shape, "uint8", writable=True)
    context.call("pack_bits", _pointer(codes), _pointer(planes))
    return planes


def gemm_bits(context, a, planes, n, b_coef=None, a_coef=None, out=None):
    """[M,n]: sum over planes i of b_coef[n,i] <signs of plane i, a[m]>; int32 without coefficients.

    a is numbers, or with a_coef signs: bit j of a code counts a_coef[j] or -a_coef[j].
    """
    a, planes, a_coef, b_coef = Tensor.of(a), Tensor.of(planes), _optional(a_coef), _optional(b_coef)
    whole = a_coef is None and b_coef is None
    shape = (a.shape[0] if a.shape else 0, n)
    result, c = _result(out, shape, INT if whole else FLOAT, 32)
    context.call("gemm_bits", _pointer(a), _pointer(a_coef), _pointer(planes), _pointer(b_coef),
                 _pointer(c))
    return result


def gemm_exp(context, a, b, exponent_bits, base, a_alpha=1.0, a_beta=0.0, b_alpha=1.0, b_beta=0.0,
             out=None):
    """float32 [M,N] of exponential codes, by counting exponent sums."""
    a, b = Tensor.of(a), Tensor.of(b)
    a_exp = _Exp(ctypes.sizeof(_Exp), exponent_bits, base, a_alpha, a_beta)
    b_exp = _Exp(ctypes.sizeof(_Exp), exponent_bits, base, b_alpha, b_beta)
    shape = (a.shape[0] if a.shape else 0, b.shape[0] if b.shape else 0)
    result, c = _result(out, shape, FLOAT, 32)
    context.call("gemm_exp", _pointer(a), byref(a_exp), _pointer(b), byref(b_exp), _pointer(c))
    return result


def dot_exp(context, a, b, exponent_bits, out=None):
    """int32 [4 L], L = 2^exponent_bits - 1: signed counts of exponent sums of two vectors of codes."""
    a, b = Tensor.of(a), Tensor.of(b)
    result, counts = _result(out, (4 * (2 ** exponent_bits - 1),), INT, 32)
    context.call("dot_exp", exponent_bits, _pointer(a), _pointer(b), _pointer(counts))
    return result


def conv_s8(context, x, w, x_zero=0, groups=1, group_shift=0, stride=1, dilation=1, pad=0, out=None):
    """int32 [B,OH,OW,O] of x [B,H,W,C] and w [O,kh,kw,C/groups]."""
    x, w = Tensor.of(x), Tensor.of(w)
    conv = _Conv(ctypes.sizeof(_Conv))
    _geometry(conv, groups, group_shift, stride, dilation, pad)
    shape = ()
    if len(x.shape) == 4 and len(w.shape) == 4:
        span = [(w.shape[1 + i] - 1) * max(1, conv.dilation[i]) + 1 for i in (0, 1)]
        high = [x.shape[1 + i] + conv.pad[i] + conv.pad[i + 2] for i in (0, 1)]
        size = [max(0, (high[i] - span[i]) // max(1, conv.stride[i]) + 1) for i in (0, 1)]
        shape = (x.shape[0], size[0], size[1], w.shape[0])
    result, y = _result(out, shape, INT, 32)
    context.call("conv_s8", byref(conv), _pointer(x), x_zero, _pointer(w), _pointer(y))
    return result


def shuffle_cyclic(context, x, axis, groups, shift, out=None):
    """Rotates groups of channels along axis."""
    x = Tensor.of(x)
    result, y = _result(out, x.shape, x.struct.dtype_code, x.struct.dtype_bits)
    context.call("shuffle_cyclic", _pointer(x), axis, groups, shift, _pointer(y))
    return result


def requantize(context, acc, scale, bias=None, zero=0, low=-128, high=127, dtype="int8", out=None):
    """Codes: clamp(round(float(acc + bias) * scale) + zero, low, high)."""
    acc, scale, bias = Tensor.of(acc), Tensor.of(scale), _optional(bias)
    result, y = _result(out, acc.shape, *_parse_type(dtype))
    context.call("requantize", _pointer(acc), _pointer(bias), _pointer(scale), zero, low, high,
                 _pointer(y))
    return result


def blob_probe(context, data):
    """(kind, version, length) of the blob at the beginning of data; kind is a name of BLOBS."""
    held = _Held(data, False, as_bytes=True)
    kind, number, length = c_int32(), c_uint32(), c_size_t()
    context.call("blob_probe", held.view.buf, held.view.len, byref(kind), byref(number), byref(length))
    return BLOBS.get(kind.value, kind.value), number.value, length.value


# ---- quantization tables of pictures: a table is 64 steps, row-major ----

def _tables(tables):
    """One table or several as an array of C structs."""
    if tables and isinstance(tables[0], int):
        tables = [tables]
    if any(len(table) != 64 or not all(0 <= step < 65536 for step in table) for table in tables):
        raise ValueError("a table has 64 steps from 1 to 255")
    return (_QTable * len(tables))(*[_QTable((c_uint16 * 64)(*table)) for table in tables])


def standard_table(context, quality, chroma=False):
    """An example table of ITU-T T.81 at a quality from 1 to 100."""
    table = _QTable()
    context.call("qtable_standard", int(chroma), quality, byref(table))
    return list(table.step)


def table_text(context, *tables):
    """What `cjpeg -qtables` reads."""
    array, length = _tables(list(tables)), c_size_t()
    context.call("qtable_text", array, len(array), None, 0, byref(length))
    text = ctypes.create_string_buffer(length.value + 1)
    context.call("qtable_text", array, len(array), text, length.value + 1, byref(length))
    return text.value.decode()


PictureSize = collections.namedtuple("PictureSize", "file header entropy stuffed bits")
Trial = collections.namedtuple("Trial", "rate utility tables")


def _are_pixels(context, tensor):
    tensor.check(context)  # what follows takes addresses only
    return tensor.dtype == "uint8" and tensor.is_compact


class Picture(_Handle):
    """Pixels as transform coefficients: uint8 [height, width] grey or [height, width, 3] RGB, compact.

    halved  True: colour differences at half the resolution (4:2:0), as encoders do.

        p = Picture(context, pixels)
        p.quantize(table)                        # or one for Y and one for both others, or three
        p.size().file                            # bytes of the baseline JPEG file
        p.decode()                               # pixels
    """

    _destroy = "qnt_image_destroy"

    def __init__(self, context, pixels, halved=True, exact=True):
        pixels = Tensor.of(pixels)
        shape = tuple(pixels.shape)
        if len(shape) not in (2, 3) or not _are_pixels(context, pixels):
            raise ValueError("pixels must be compact uint8 [height, width] or [height, width, 3]")
        spec = _ImageSpec(ctypes.sizeof(_ImageSpec), shape[1], shape[0], shape[2] if len(shape) > 2 else 1,
                          not halved, not exact)
        handle = c_void_p()
        context.call("image_create", byref(spec), byref(handle))
        super().__init__(handle)
        self.context, self.shape = context, shape
        self._row = shape[1] * spec.components
        context.call("image_read", self, pixels.address, self._row)

    def quantize(self, *tables):
        """One table for all components, two for Y and both others, or three."""
        array = _tables(list(tables))
        self.context.call("image_quantize", self, array, len(array))
        return self

    def size(self, optimal=False):
        """Bytes of the file, with the example Huffman codes or with optimal ones."""
        size = _ImageBytes(ctypes.sizeof(_ImageBytes))
        self.context.call("image_size", self, int(optimal), byref(size))
        return PictureSize(*(getattr(size, name) for name in PictureSize._fields))

    def decode(self, out=None):
        """Pixels of the quantized picture."""
        result, y = _result(out, self.shape, UINT, 8)
        if tuple(y.shape) != self.shape or not _are_pixels(self.context, y):
            raise ValueError("out must be compact uint8 of the picture's shape")
        self.context.call("image_write", self, y.address, self._row)
        return result


class TableSearch(_Handle):
    """Proposes tables and is told what they achieved: sorted, bounded, bayes, bandit.

        search = TableSearch(context, "sorted", seed=1)
        for _ in range(1000):
            search.tell(*measure(search.ask()))  # rate and utility: larger is better
        low, high = search.box(21, 23, 0.5)
        search = TableSearch(context, "bandit", window=(21, 23), curve=search.curve(), low=low, high=high)
    """

    _destroy = "qnt_search_destroy"

    def __init__(self, context, method="sorted", tables=1, seed=0, start=0, scale=(0, 0), window=(0, 0),
                 curve=(0, 0, 0), low=None, high=None):
        corner = lambda table: _tables([table]) if table is not None else None  # noqa: E731
        spec = _SearchSpec(ctypes.sizeof(_SearchSpec), SEARCHES[method], tables, start, seed, *scale,
                           *window, (c_double * 3)(*curve), corner(low), corner(high))
        handle = c_void_p()
        context.call("search_create", byref(spec), byref(handle))
        super().__init__(handle)
        self.context, self.count = context, tables

    def _call(self, name, *arguments):
        self.context.call(name, self, *arguments)

    def ask(self):
        """The tables to try next: a list of one or three."""
        array = (_QTable * self.count)()
        self._call("search_ask", array)
        return [list(table.step) for table in array]

    def tell(self, rate, utility):
        """What they achieved."""
        self._call("search_tell", rate, utility)

    def _trials(self):
        count = c_size_t()
        self._call("search_trials", None, 0, byref(count))
        trials = (_Trial * count.value)()
        self._call("search_trials", trials, count.value, byref(count))
        return trials

    def _trial(self, trial):
        return Trial(trial.rate, trial.utility, [list(trial.table[i].step) for i in range(self.count)])

    def trials(self):
        """All trials in order."""
        return [self._trial(trial) for trial in self._trials()]

    def best(self):
        """The trial in the window that is furthest above the curve; an Error if there is none."""
        trial = _Trial()
        self._call("search_best", byref(trial))
        return self._trial(trial)

    def curve(self):
        """The reference curve through the front of the trials: three coefficients."""
        trials, curve = self._trials(), (c_double * 3)()
        self.context.call("search_curve", trials, len(trials), curve)
        return list(curve)

    def box(self, rate_low, rate_high, spread):
        """Lower and upper corner of a box around the front in a window of rates."""
        trials, low, high = self._trials(), _QTable(), _QTable()
        self.context.call("search_box", trials, len(trials), rate_low, rate_high, spread, byref(low),
                          byref(high))
        return list(low.step), list(high.step)

"""The C side: the structs and prototypes of the headers, under their names, and the library itself.

tests/test_capi.py compares all of it with the headers. What a C compiler would warn about is refused: pointers to
another kind of object, and numbers that do not fit.
"""
import ctypes
import operator
import os
import re
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_double, c_float, c_int16, c_int32, c_int64, c_size_t
from ctypes import c_uint8, c_uint16, c_uint32, c_uint64, c_void_p


# ---- structs ----

class _Struct(ctypes.Structure):
    """`size` is filled in; a number that C would see as another one is refused."""

    def __init__(self, **values):
        if self._fields_[0] == ("size", c_uint32):
            self.size = ctypes.sizeof(self)
        for name, value in values.items():
            setattr(self, name, value)

    def __setattr__(self, name, value):
        member = getattr(self, name)
        if isinstance(member, ctypes.Array):
            value = [_whole(each) for each in value]
            if len(value) != len(member):
                raise ValueError("%s takes %d numbers, not %d" % (name, len(member), len(value)))
            member[:] = value
            kept = member[:]
        else:
            super().__setattr__(name, _whole(value))
            kept = getattr(self, name) if isinstance(member, int) else value
        if kept != value:
            raise OverflowError("%s cannot be %r" % (name, value))


def _whole(value):
    """Integers of any kind, numpy's too, as Python's own."""
    return operator.index(value) if hasattr(value, "__index__") else value


def _size(*fields):
    return [("size", c_uint32), *fields]


class qnt_tensor(ctypes.Structure):  # the layout of DLTensor
    _fields_ = [
        ("data", c_void_p), ("device_type", c_int32), ("device_id", c_int32), ("ndim", c_int32),
        ("dtype_code", c_uint8), ("dtype_bits", c_uint8), ("dtype_lanes", c_uint16),
        ("shape", POINTER(c_int64)), ("strides", POINTER(c_int64)), ("byte_offset", c_uint64),
    ]


class qnt_spec(_Struct):
    _fields_ = _size(
        ("scheme", c_int32), ("method", c_int32), ("bits", c_int32), ("flags", c_int32), ("grain", c_int32),
        ("axis", c_int32), ("points", c_int32), ("block", c_int64), ("seed", c_uint64))


class qnt_error(_Struct):
    _fields_ = _size(
        ("reserved", c_uint32), ("count", c_uint64), ("mse", c_double), ("sqnr_db", c_double),
        ("rmae", c_double), ("cosine", c_double), ("largest", c_double), ("bits", c_double),
        ("clipped", c_double))


class qnt_teq_spec(_Struct):
    _fields_ = _size(
        ("least_bits", c_int32), ("most_bits", c_int32), ("reserved", c_int32), ("step", c_double),
        ("ratio", c_double), ("bound", c_double), ("threshold", c_double), ("loss", c_double),
        ("bits", c_double), ("calls", c_uint64))


class qnt_conv(_Struct):
    _fields_ = _size(
        ("groups", c_int32), ("group_shift", c_int32), ("stride", c_int32 * 2), ("dilation", c_int32 * 2),
        ("pad", c_int32 * 4), ("reserved", c_int32))


class qnt_lowbit(_Struct):
    _fields_ = _size(("step", c_int32), ("zero", c_int32), ("channels", c_int32), ("pad", c_int32 * 4))


class qnt_exp(_Struct):
    _fields_ = _size(("exponent_bits", c_int32), ("base", c_double), ("alpha", c_double), ("beta", c_double))


class qnt_layer_spec(_Struct):
    _fields_ = _size(
        ("kind", c_int32), ("layout", c_int32), ("activation", c_int32), ("flags", c_int32), ("low", c_float),
        ("high", c_float), ("groups", c_int32), ("group_shift", c_int32), ("stride", c_int32 * 2),
        ("dilation", c_int32 * 2), ("pad", c_int32 * 4), ("reserved", c_int32))


class qnt_lowbit_spec(_Struct):
    _fields_ = _size(
        ("step", c_int32), ("zero", c_int32), ("flags", c_int32), ("groups", c_int32), ("pad", c_int32 * 4),
        ("reserved", c_int32))


class qnt_ckn_spec(_Struct):
    _fields_ = _size(
        ("channels", c_int32), ("kernel", c_int32), ("pad", c_int32), ("filters", c_int32),
        ("subsample", c_int32), ("anchor_bits", c_int32), ("patch_bits", c_int32), ("centre", c_int32),
        ("sigma", c_float), ("regulariser", c_float), ("reserved", c_int32), ("seed", c_uint64),
        ("flags", c_int32), ("reserved2", c_int32))


qnt_ckn_image_fn = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_void_p)


class qnt_ckn_data(_Struct):
    _fields_ = _size(
        ("height", c_int32), ("width", c_int32), ("rounds", c_int32), ("images", c_uint64),
        ("patches", c_uint64), ("read", qnt_ckn_image_fn), ("user", c_void_p))


class qnt_qtable(_Struct):
    _fields_ = [("step", c_uint16 * 64)]


class qnt_image_spec(_Struct):
    _fields_ = _size(
        ("width", c_int32), ("height", c_int32), ("components", c_int32), ("sampling", c_int32),
        ("transform", c_int32))


class qnt_image_bytes(_Struct):
    _fields_ = _size(
        ("reserved", c_uint32), ("file", c_uint64), ("header", c_uint64), ("entropy", c_uint64),
        ("stuffed", c_uint64), ("bits", c_uint64))


class qnt_search_spec(_Struct):
    _fields_ = _size(
        ("method", c_int32), ("tables", c_int32), ("start", c_int32), ("seed", c_uint64),
        ("scale_low", c_double), ("scale_high", c_double), ("rate_low", c_double), ("rate_high", c_double),
        ("curve", c_double * 3), ("low", POINTER(qnt_qtable)), ("high", POINTER(qnt_qtable)))


class qnt_trial(ctypes.Structure):
    _fields_ = [("rate", c_double), ("utility", c_double), ("table", qnt_qtable * 3)]


# ---- objects of the library ----

OBJECTS = ("context", "pool", "quantizer", "trainer", "alq", "layer", "lowbit_layer", "ckn", "image", "search")
globals().update({"qnt_" + name: type("qnt_" + name, (ctypes.Structure,), {}) for name in OBJECTS})


# ---- functions ----

qnt_log_fn = CFUNCTYPE(None, c_void_p, c_int32, c_char_p)
qnt_progress_fn = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint64)
qnt_digit_fn = CFUNCTYPE(c_int32, c_void_p, c_int64, c_int32)
qnt_teq_loss_fn = CFUNCTYPE(c_int32, c_void_p, POINTER(POINTER(qnt_quantizer)),
                            POINTER(POINTER(qnt_quantizer)), POINTER(c_double))
qnt_trial_fn = CFUNCTYPE(c_int32, c_void_p, POINTER(qnt_qtable), c_size_t, POINTER(c_double),
                         POINTER(c_double))
# The allocator and the threads are the library's own: these are NULL, or pass from C to C.
qnt_alloc_fn = qnt_free_fn = qnt_task_fn = qnt_parallel_fn = c_void_p

# The prototypes of the headers, in their order, without const and the names of arguments.
PROTOTYPES = """
uint32_t qnt_version()
char* qnt_version_string()
char* qnt_status_name(qnt_status)
char* qnt_status_text(qnt_status)
qnt_status qnt_context_create(qnt_alloc_fn, qnt_free_fn, void*, qnt_context**)
void qnt_context_destroy(qnt_context*)
qnt_status qnt_context_set_parallel(qnt_context*, qnt_parallel_fn, void*, size_t)
qnt_status qnt_context_set_log(qnt_context*, qnt_log_fn, void*, int32_t)
qnt_status qnt_context_set_progress(qnt_context*, qnt_progress_fn, void*)
qnt_status qnt_context_set_cpu(qnt_context*, uint64_t)
uint64_t qnt_context_cpu(qnt_context*)
uint64_t qnt_cpu_detect()
char* qnt_cpu_name(uint64_t)
qnt_status qnt_tensor_check(qnt_context*, qnt_tensor*)
qnt_status qnt_tensor_bytes(qnt_context*, qnt_tensor*, uint64_t*)
qnt_status qnt_pool_create(qnt_context*, size_t, qnt_pool**)
void qnt_pool_destroy(qnt_pool*)
int32_t qnt_pool_run(void*, qnt_task_fn, void*, size_t)
qnt_status qnt_quantizer_create(qnt_context*, qnt_spec*, qnt_quantizer**)
void qnt_quantizer_destroy(qnt_quantizer*)
qnt_status qnt_quantizer_spec(qnt_context*, qnt_quantizer*, qnt_spec*)
qnt_status qnt_quantizer_observe(qnt_context*, qnt_quantizer*, qnt_tensor*, qnt_tensor*)
qnt_status qnt_quantizer_observe_inputs(qnt_context*, qnt_quantizer*, qnt_tensor*)
qnt_status qnt_quantizer_fit(qnt_context*, qnt_quantizer*)
qnt_status qnt_quantizer_fit_pair(qnt_context*, qnt_quantizer*, qnt_quantizer*)
qnt_status qnt_teq_search(qnt_context*, qnt_quantizer**, qnt_quantizer**, size_t, qnt_teq_spec*, qnt_teq_loss_fn,
    void*)
qnt_status qnt_quantizer_get(qnt_context*, qnt_quantizer*, int32_t, double*, size_t, size_t*)
qnt_status qnt_quantizer_set(qnt_context*, qnt_quantizer*, int32_t, double*, size_t)
qnt_status qnt_quantizer_view(qnt_context*, qnt_quantizer*, qnt_tensor*, qnt_tensor*)
qnt_status qnt_quantizer_encode(qnt_context*, qnt_quantizer*, qnt_tensor*, qnt_tensor*)
qnt_status qnt_quantizer_decode(qnt_context*, qnt_quantizer*, qnt_tensor*, qnt_tensor*)
qnt_status qnt_quantizer_apply(qnt_context*, qnt_quantizer*, qnt_tensor*, qnt_tensor*)
qnt_status qnt_quantizer_error(qnt_context*, qnt_quantizer*, qnt_tensor*, qnt_tensor*, qnt_error*)
qnt_status qnt_gemm_s8(qnt_context*, qnt_tensor*, int32_t, qnt_tensor*, qnt_tensor*, qnt_tensor*)
qnt_status qnt_conv_s8(qnt_context*, qnt_conv*, qnt_tensor*, int32_t, qnt_tensor*, qnt_tensor*)
qnt_status qnt_pack_pixels_view(qnt_context*, qnt_tensor*, int32_t, int32_t*, qnt_tensor*)
qnt_status qnt_pack_pixels(qnt_context*, qnt_tensor*, int32_t, int32_t*, qnt_tensor*)
qnt_status qnt_pack_taps_view(qnt_context*, qnt_tensor*, int32_t, qnt_tensor*)
qnt_status qnt_pack_taps(qnt_context*, qnt_tensor*, int32_t, qnt_tensor*)
qnt_status qnt_conv_lowbit(qnt_context*, qnt_conv*, qnt_lowbit*, qnt_tensor*, qnt_tensor*, qnt_tensor*, qnt_tensor*)
qnt_status qnt_pack_bits_view(qnt_context*, qnt_tensor*, qnt_tensor*)
qnt_status qnt_pack_bits(qnt_context*, qnt_tensor*, qnt_tensor*)
qnt_status qnt_gemm_bits(qnt_context*, qnt_tensor*, qnt_tensor*, qnt_tensor*, qnt_tensor*, qnt_tensor*)
qnt_status qnt_shuffle_cyclic(qnt_context*, qnt_tensor*, int32_t, int32_t, int32_t, qnt_tensor*)
qnt_status qnt_requantize(qnt_context*, qnt_tensor*, qnt_tensor*, qnt_tensor*, int32_t, int32_t, int32_t,
    qnt_tensor*)
qnt_status qnt_dot_exp(qnt_context*, int32_t, qnt_tensor*, qnt_tensor*, qnt_tensor*)
qnt_status qnt_gemm_exp(qnt_context*, qnt_tensor*, qnt_exp*, qnt_tensor*, qnt_exp*, qnt_tensor*)
qnt_status qnt_gemm_table(qnt_context*, qnt_tensor*, qnt_tensor*, qnt_tensor*, qnt_tensor*, qnt_tensor*)
qnt_status qnt_layer_create(qnt_context*, qnt_layer_spec*, qnt_tensor*, qnt_quantizer*, qnt_tensor*, qnt_quantizer*,
    qnt_quantizer*, qnt_layer**)
void qnt_layer_destroy(qnt_layer*)
qnt_status qnt_layer_view(qnt_context*, qnt_layer*, qnt_tensor*, qnt_tensor*)
qnt_status qnt_layer_workspace(qnt_context*, qnt_layer*, qnt_tensor*, size_t*)
qnt_status qnt_layer_run(qnt_context*, qnt_layer*, qnt_tensor*, qnt_tensor*, void*, size_t)
qnt_status qnt_find_thresholds(qnt_context*, qnt_digit_fn, void*, int32_t, int32_t, qnt_tensor*, qnt_tensor*)
qnt_status qnt_lowbit_layer_create(qnt_context*, qnt_conv*, qnt_lowbit_spec*, qnt_tensor*, qnt_tensor*, qnt_tensor*,
    qnt_quantizer*, qnt_lowbit_layer**)
qnt_status qnt_lowbit_layer_of_thresholds(qnt_context*, qnt_conv*, qnt_lowbit_spec*, qnt_tensor*, qnt_tensor*,
    qnt_tensor*, qnt_lowbit_layer**)
void qnt_lowbit_layer_destroy(qnt_lowbit_layer*)
qnt_status qnt_lowbit_layer_view(qnt_context*, qnt_lowbit_layer*, qnt_tensor*, qnt_tensor*)
qnt_status qnt_lowbit_layer_workspace(qnt_context*, qnt_lowbit_layer*, qnt_tensor*, size_t*)
qnt_status qnt_lowbit_layer_run(qnt_context*, qnt_lowbit_layer*, qnt_tensor*, qnt_tensor*, qnt_tensor*, qnt_tensor*,
    void*, size_t)
qnt_status qnt_ckn_create(qnt_context*, qnt_ckn_spec*, qnt_ckn**)
void qnt_ckn_destroy(qnt_ckn*)
qnt_status qnt_ckn_describe(qnt_context*, qnt_ckn*, qnt_ckn_spec*)
qnt_status qnt_ckn_fit(qnt_context*, qnt_ckn*, qnt_ckn_data*)
qnt_status qnt_ckn_set(qnt_context*, qnt_ckn*, qnt_tensor*)
qnt_status qnt_ckn_get(qnt_context*, qnt_ckn*, qnt_tensor*)
qnt_status qnt_ckn_view(qnt_context*, qnt_ckn*, qnt_tensor*, qnt_tensor*)
qnt_status qnt_ckn_workspace(qnt_context*, qnt_ckn*, qnt_tensor*, size_t*)
qnt_status qnt_ckn_run(qnt_context*, qnt_ckn*, qnt_tensor*, qnt_tensor*, void*, size_t)
qnt_status qnt_ckn_backward(qnt_context*, qnt_ckn*, qnt_tensor*, qnt_tensor*, qnt_tensor*, qnt_tensor*, double*)
qnt_status qnt_ckn_kernel(qnt_context*, qnt_ckn*, qnt_tensor*, qnt_tensor*, double*)
qnt_status qnt_trainer_create(qnt_context*, qnt_spec*, qnt_trainer**)
void qnt_trainer_destroy(qnt_trainer*)
qnt_status qnt_trainer_start(qnt_context*, qnt_trainer*, qnt_tensor*)
qnt_status qnt_trainer_get(qnt_context*, qnt_trainer*, int32_t, double*, size_t, size_t*)
qnt_status qnt_trainer_set(qnt_context*, qnt_trainer*, int32_t, double*, size_t)
qnt_status qnt_trainer_forward(qnt_context*, qnt_trainer*, qnt_tensor*, qnt_tensor*)
qnt_status qnt_trainer_backward(qnt_context*, qnt_trainer*, qnt_tensor*, qnt_tensor*, qnt_tensor*, double*, size_t)
qnt_status qnt_trainer_refit(qnt_context*, qnt_trainer*, qnt_tensor*, double)
qnt_status qnt_trainer_export(qnt_context*, qnt_trainer*, qnt_tensor*, qnt_quantizer**)
qnt_status qnt_alq_create(qnt_context*, qnt_spec*, qnt_tensor*, qnt_alq**)
void qnt_alq_destroy(qnt_alq*)
qnt_status qnt_alq_weights(qnt_context*, qnt_alq*, qnt_tensor*)
qnt_status qnt_alq_step(qnt_context*, qnt_alq*, int32_t, double, qnt_tensor*)
qnt_status qnt_alq_prune(qnt_context*, qnt_alq**, size_t, uint64_t, double)
qnt_status qnt_alq_bits(qnt_context*, qnt_alq**, size_t, double*)
qnt_status qnt_alq_get_state(qnt_context*, qnt_alq*, double*, size_t, size_t*)
qnt_status qnt_alq_set_state(qnt_context*, qnt_alq*, double*, size_t)
qnt_status qnt_alq_export(qnt_context*, qnt_alq*, qnt_quantizer**)
qnt_status qnt_qtable_standard(qnt_context*, int32_t, int32_t, qnt_qtable*)
qnt_status qnt_qtable_text(qnt_context*, qnt_qtable*, size_t, char*, size_t, size_t*)
void qnt_dct_forward(float*, float*)
void qnt_dct_inverse(float*, float*)
qnt_status qnt_image_create(qnt_context*, qnt_image_spec*, qnt_image**)
void qnt_image_destroy(qnt_image*)
qnt_status qnt_image_read(qnt_context*, qnt_image*, uint8_t*, size_t)
qnt_status qnt_image_quantize(qnt_context*, qnt_image*, qnt_qtable*, size_t)
qnt_status qnt_image_levels(qnt_context*, qnt_image*, int32_t, int16_t**, size_t*, size_t*)
qnt_status qnt_image_size(qnt_context*, qnt_image*, int32_t, qnt_image_bytes*)
qnt_status qnt_image_write(qnt_context*, qnt_image*, uint8_t*, size_t)
qnt_status qnt_psnr(qnt_context*, uint8_t*, size_t, uint8_t*, size_t, size_t, size_t, double*)
qnt_status qnt_search_create(qnt_context*, qnt_search_spec*, qnt_search**)
void qnt_search_destroy(qnt_search*)
qnt_status qnt_search_ask(qnt_context*, qnt_search*, qnt_qtable*)
qnt_status qnt_search_tell(qnt_context*, qnt_search*, double, double)
qnt_status qnt_search_run(qnt_context*, qnt_search*, uint64_t, qnt_trial_fn, void*)
qnt_status qnt_search_trials(qnt_context*, qnt_search*, qnt_trial*, size_t, size_t*)
qnt_status qnt_search_best(qnt_context*, qnt_search*, qnt_trial*)
qnt_status qnt_search_front(qnt_context*, qnt_trial*, size_t, size_t*, size_t*)
qnt_status qnt_search_curve(qnt_context*, qnt_trial*, size_t, double*)
qnt_status qnt_search_box(qnt_context*, qnt_trial*, size_t, double, double, double, qnt_qtable*, qnt_qtable*)
qnt_status qnt_search_score(qnt_context*, qnt_trial*, size_t, size_t, qnt_trial_fn, void*)
qnt_status qnt_blob_probe(qnt_context*, void*, size_t, int32_t*, uint32_t*, size_t*)
qnt_status qnt_quantizer_save(qnt_context*, qnt_quantizer*, void*, size_t, size_t*)
qnt_status qnt_quantizer_load(qnt_context*, void*, size_t, qnt_quantizer**)
qnt_status qnt_layer_save(qnt_context*, qnt_layer*, void*, size_t, size_t*)
qnt_status qnt_layer_load(qnt_context*, void*, size_t, int32_t, qnt_layer**)
qnt_status qnt_ckn_save(qnt_context*, qnt_ckn*, void*, size_t, size_t*)
qnt_status qnt_ckn_load(qnt_context*, void*, size_t, qnt_ckn**)
qnt_status qnt_lowbit_layer_save(qnt_context*, qnt_lowbit_layer*, void*, size_t, size_t*)
qnt_status qnt_lowbit_layer_load(qnt_context*, void*, size_t, int32_t, qnt_lowbit_layer**)
"""

_NUMBERS = {"int16_t": c_int16, "int32_t": c_int32, "int64_t": c_int64, "uint32_t": c_uint32, "uint64_t": c_uint64,
            "size_t": c_size_t, "double": c_double, "qnt_status": c_int32}
_INTEGERS = (c_int32, c_uint32, c_uint64, c_size_t)


def _type(text):
    """The ctypes type of a type in C; elements of the caller's arrays are addresses."""
    if text == "char*":
        return c_char_p
    if text in ("void*", "float*", "uint8_t*"):
        return c_void_p
    if text.endswith("*"):
        return POINTER(_type(text[:-1]))
    return None if text == "void" else _NUMBERS[text] if text in _NUMBERS else globals()[text]


def fitting(function, arguments):
    """The arguments as the function's types; integers beyond these are refused, not wrapped."""
    for kind, value in zip(function.argtypes, arguments):
        if kind in _INTEGERS:
            value = operator.index(value)
            if kind(value).value != value:
                raise OverflowError("%s cannot be given %d" % (function.__name__, value))
        yield value


def _load():
    tree = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "lib")
    for name in filter(None, [os.environ.get("QNT_LIBRARY"), "libqnt.so.1", os.path.join(tree, "libqnt.so.1")]):
        try:
            library = ctypes.CDLL(name)
            break
        except OSError:
            continue
    else:
        raise ImportError("libqnt.so.1 not found; set QNT_LIBRARY to its path")
    library.qnt_version.restype = c_uint32
    if library.qnt_version() >> 16 != 1:
        raise ImportError("libqnt 1 is needed, found version %#x" % library.qnt_version())
    for result, name, arguments in re.findall(r"(\S+) (\w+)\((.*?)\)", PROTOTYPES, re.DOTALL):
        function = getattr(library, name)
        function.restype = _type(result)
        function.argtypes = [_type(argument) for argument in re.findall(r"[^\s,]+", arguments)]
    return library


lib = _load()

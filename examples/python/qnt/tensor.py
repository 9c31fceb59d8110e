"""Memory as the library sees it: anything with the buffer protocol, with __dlpack__, or a Tensor made by hand."""
import ctypes
import operator
from ctypes import POINTER, byref, c_char_p, c_double, c_int64, c_size_t, c_uint64, c_void_p
from numbers import Real

try:
    import numpy
except ImportError:  # results are Tensors then
    numpy = None

from .capi import qnt_tensor
from .constants import BFLOAT, FLOAT, INT, MAX_NDIM, UINT


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


class Held:
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
        code, bits = parse_type(dtype)
        self._held = Held(memory, writable, as_bytes=True)
        self.memory = memory
        view = self._held.view
        self._describe(view.buf, code, bits, shape, strides)
        last = 1
        if all(shape):
            steps = compact(shape) if strides is None else strides
            if min(steps, default=0) < 0:
                raise ValueError("negative strides: pass the array itself")
            last = 1 + sum((n - 1) * s for n, s in zip(shape, steps))
            if (last * bits + 7) // 8 > view.len:
                raise ValueError("%d bytes cannot hold %s %s" % (view.len, dtype, shape))

    @classmethod
    def of(cls, source, writable=False):
        """The Tensor of an array, or source itself if it is one."""
        if isinstance(source, Tensor):
            if writable and isinstance(source._held, Held) and source._held.view.readonly:
                raise TypeError("a writable Tensor is needed")
            return source
        self = cls.__new__(cls)
        try:
            held = Held(source, writable)
        except _Unfit:
            raise
        except TypeError:
            if not hasattr(source, "__dlpack__"):
                raise TypeError("an array is expected (numpy, array.array, torch, ...) or a Tensor, not %s"
                                % type(source).__name__) from None
            return self._from_dlpack(source)
        view = held.view
        self._held, self.memory = held, source
        form = (view.format or b"B").decode().lstrip("@=<|")
        if form not in _KINDS:
            raise TypeError("elements of format %r cannot be described; convert them to one of %s, e.g. with "
                            ".astype('f4')" % (form, " ".join(_KINDS)))
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
        self.struct = qnt_tensor.from_buffer_copy(qnt_tensor.from_address(managed))
        return self

    def _describe(self, address, code, bits, shape, strides):
        n = len(shape)
        self._shape = (c_int64 * MAX_NDIM)(*shape) if n <= MAX_NDIM else (c_int64 * n)(*shape)
        self._strides = (c_int64 * len(self._shape))(*(compact(shape) if strides is None
                                                       else strides))
        self.struct = qnt_tensor(address, 1, 0, n, code, bits, 1, self._shape, self._strides, 0)

    @property
    def address(self):
        """Of the first element; see check() before it is used."""
        return self.struct.data + self.struct.byte_offset if self.struct.data else 0

    @property
    def shape(self):
        return tuple(self.struct.shape[:self.struct.ndim])

    @property
    def strides(self):
        """In elements."""
        steps = self.struct.strides
        return tuple(steps[:self.struct.ndim] if steps else compact(self.shape))

    @property
    def is_compact(self):
        steps = zip(self.shape, self.strides, compact(self.shape))
        return all(n == 1 or step == want for n, step, want in steps)

    @property
    def dtype(self):
        """Name of the element type, e.g. "uint4"."""
        return type_name(self.struct.dtype_code, self.struct.dtype_bits)

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
    values = tuple(operator.index(n) for n in values)
    if any(c_int64(n).value != n for n in values):
        raise OverflowError("a shape or strides beyond 64 bits: %r" % (values,))
    return values


def compact(shape):
    """Strides without gaps."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.insert(0, step)
        step *= max(n, 1)
    return strides


def elements(shape):
    """How many a shape has."""
    count = 1
    for n in shape:
        count *= n
    return count


def parse_type(name):
    kind = name.rstrip("0123456789")
    bits = int(name[len(kind):] or 0)
    if kind not in _TYPE_CODES or not 1 <= bits <= 32:
        raise ValueError("unknown element type %r" % name)
    return _TYPE_CODES[kind], bits


_TYPE_CODES = {"int": INT, "uint": UINT, "float": FLOAT, "bfloat": BFLOAT}


def type_name(code, bits):
    names = {value: key for key, value in _TYPE_CODES.items()}
    return "%s%d" % (names.get(code, "type%d_" % code), bits)


def _unpack(raw, code, bits, shape):
    count = elements(shape)
    if (code, bits) in ((FLOAT, 32), (FLOAT, 16)):
        return memoryview(raw).cast("f" if bits == 32 else "e").tolist()[:count]
    values = []
    for i in range(0, len(raw), bits):  # that many bytes hold eight codes
        eight = int.from_bytes(raw[i:i + bits], "little")
        values += [eight >> j * bits & (1 << bits) - 1 for j in range(8)]
    if code == INT:
        values = [v - (v >> bits - 1 << bits) for v in values]
    return values[:count]


def pointer(tensor):
    """What a function takes for a Tensor, or NULL."""
    return None if tensor is None else byref(tensor.struct)


def optional(source):
    """The Tensor of an array that may be absent."""
    return None if source is None else Tensor.of(source)


def new_array(shape, code, bits):
    """New memory for a result: (what the caller gets, its Tensor)."""
    name = type_name(code, bits)
    if numpy is not None and name in ("float32", "float16", "int8", "uint8", "int16", "uint16",
                                      "int32"):
        array = numpy.empty(shape, name)
        return array, Tensor.of(array, writable=True)
    memory = bytearray((elements(shape) * bits + 7) // 8)
    tensor = Tensor(memory, shape, name, writable=True)
    return tensor, tensor


def wrapped(memory, shape, name):
    """Memory of the library as a result; it lives as long."""
    if numpy is not None:
        return numpy.frombuffer(memory, name).reshape(shape)
    return Tensor(memory, shape, name, writable=True)


def destination(out, shape, code, bits):
    """The caller's memory for a result, or new memory, likewise."""
    if out is None:
        return new_array(shape, code, bits)
    return out, Tensor.of(out, writable=True)


def described(context, name, *arguments):
    """Calls a view function: (shape, code, bits) of the result."""
    shape, strides = (c_int64 * MAX_NDIM)(), (c_int64 * MAX_NDIM)()
    view = qnt_tensor(shape=shape, strides=strides)
    context.call(name, *arguments, byref(view))
    return tuple(shape[:view.ndim]), view.dtype_code, view.dtype_bits


def read_doubles(owner, name, *which):
    """All numbers that a function reads: a list, or a float64 array with numpy."""
    count = c_size_t()
    owner._call(name, *which, None, 0, byref(count))
    values = (c_double * count.value)()
    owner._call(name, *which, values, count.value, byref(count))
    return from_doubles(values)


def from_doubles(values):
    """The same of a C array."""
    return numpy.array(values) if numpy is not None else list(values)


def _numbers(values):
    """Those of a number, or of a sequence of any depth, in their order."""
    if isinstance(values, str):
        raise TypeError("numbers are expected, not %r" % values)
    if isinstance(values, Real):
        yield values
    elif hasattr(values, "ravel"):
        yield from values.ravel().tolist()
    else:
        for value in values:
            yield from _numbers(value)


def to_doubles(values):
    """A C array of one number, or of a sequence or array of them, whatever its shape."""
    values = list(_numbers(values))
    return (c_double * len(values))(*values)

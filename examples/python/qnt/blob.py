"""Blobs: saving, loading, and memory to load from (include/qnt/io.h)."""
import ctypes
from ctypes import byref, c_int32, c_size_t, c_uint32

from .constants import BLOBS, BORROW
from .tensor import Held


def save(owner):
    """The blob of an object: bytes."""
    name, length = owner._kind + "_save", c_size_t()
    owner._call(name, None, 0, byref(length))
    data = bytearray(length.value)
    owner._call(name, (ctypes.c_char * len(data)).from_buffer(data), len(data), byref(length))
    return bytes(data)


def load(cls, context, data, borrow=None):
    """An object of a class from a blob; kinds that can borrow are told whether."""
    held = Held(data, False, as_bytes=True)
    flags = [] if borrow is None else [BORROW if borrow else 0]
    loaded = cls._made(context, cls._kind + "_load", held.view.buf, held.view.len, *flags)
    loaded._borrowed = held if borrow else None
    return loaded


def aligned(data):
    """A copy of bytes in memory aligned to 64 bytes, for Layer.load(borrow=True)."""
    memory = bytearray(len(data) + 64)
    start = -ctypes.addressof(ctypes.c_char.from_buffer(memory)) % 64
    view = memoryview(memory)[start:start + len(data)]
    view[:] = data
    return view


def blob_probe(context, data):
    """(kind, version, length) of the blob at the beginning of data; kind is a name of BLOBS."""
    held = Held(data, False, as_bytes=True)
    kind, number, length = c_int32(), c_uint32(), c_size_t()
    context.call("blob_probe", held.view.buf, held.view.len, byref(kind), byref(number), byref(length))
    return BLOBS.get(kind.value, kind.value), number.value, length.value

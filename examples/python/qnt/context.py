"""Contexts, pools, errors; and who owns the objects of the library while they are used."""
import ctypes
import threading

from . import capi
from .capi import lib
from .constants import LOG_ERROR, LOG_WARN, OK


def version():
    """Version of the library, e.g. "1.0.0"."""
    return lib.qnt_version_string().decode()


def cpu_detect():
    """CPU features of this machine, an OR of CPU_ bits."""
    return lib.qnt_cpu_detect()


def cpu_names(features):
    """Names of CPU features, e.g. ["avx2", "avx512vnni"]; ["c"] for none."""
    bits = [1 << i for i in range(64) if features >> i & 1] or [0]
    return [lib.qnt_cpu_name(bit).decode() for bit in bits]


class Error(Exception):
    """A call failed. `status` is a negative E_ number, `name` its name, `reason` the library's words."""

    def __init__(self, status, reason):
        self.status = status
        self.name = lib.qnt_status_name(status).decode()
        self.reason = reason or lib.qnt_status_text(status).decode()
        super().__init__("%s: %s" % (self.name, self.reason))


class Cancelled(Error):
    """The progress callback returned a true value."""


class OutOfMemory(Error, MemoryError):
    """The library's allocator gave no memory."""


_ERRORS = {-10: Cancelled, -6: OutOfMemory}


# ---- objects of the library ----

# Functions that change the object they are called for, or those, besides context_set_...; no other call may
# use it meanwhile.
_CHANGES = {
    "quantizer_observe", "quantizer_observe_inputs", "quantizer_fit", "quantizer_fit_pair", "quantizer_set",
    "teq_search", "trainer_start", "trainer_set", "trainer_refit", "alq_step", "alq_prune", "alq_set_state",
    "ckn_fit", "ckn_set", "image_read", "image_quantize", "image_levels", "search_ask", "search_tell",
    "search_run",
}
_uses_lock = threading.RLock()


class _Owned:
    """Frees an object when the last reference goes: of its Handle, of a call, of memory inside it."""

    def __init__(self, pointer, kind):
        self.pointer, self.destroy = pointer, getattr(lib, "qnt_%s_destroy" % kind)

    def __del__(self):
        self.destroy(self.pointer)


class Handle:
    """Owns an object of the library; close() or the end of a with block frees it early, or as soon as the calls
    end that use it. A call that changes it takes it alone: another one raises RuntimeError meanwhile, in
    callbacks, too."""

    _kind = None  # between qnt_ and _destroy
    _owned = None
    _uses = 0  # calls; -1: one that changes it

    def _make(self, context, name, *arguments):
        """Owns what qnt_<name>(context, ..., &object) makes."""
        pointer = ctypes.POINTER(getattr(capi, "qnt_" + self._kind))()
        context.call(name, *arguments, ctypes.byref(pointer))
        self._owned, self.context = _Owned(pointer, self._kind), context

    @classmethod
    def _made(cls, *arguments):
        self = cls.__new__(cls)
        self._make(*arguments)
        return self

    def _call(self, name, *arguments):
        self.context.call(name, self, *arguments)

    def _open(self):
        owned = self._owned
        if owned is None:
            raise ValueError("this %s is closed" % type(self).__name__)
        return owned

    def _take(self, alone):
        with _uses_lock:
            owned = self._open()
            if self._uses < 0 or alone and self._uses:
                raise RuntimeError("this %s is in use by another call" % type(self).__name__)
            self._uses = -1 if alone else self._uses + 1
            return owned

    def _leave(self):
        with _uses_lock:
            self._uses = max(self._uses - 1, 0)

    def close(self):
        """Frees the C object; using it afterwards raises ValueError."""
        self._owned = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _Taken:
    """Handles that a call uses, or changes, until it ends."""

    def __init__(self):
        self.all = {}

    def take(self, owner, alone, kind=None):
        """The C object of one; an array for C of those of a list, with NULL for None."""
        if isinstance(owner, list):
            pointers = [None if each is None else self.take(each, alone) for each in owner]
            return (kind._type_ * len(owner))(*pointers)
        if not isinstance(owner, Handle):
            return owner
        if id(owner) not in self.all:
            self.all[id(owner)] = owner, owner._take(alone)
        return self.all[id(owner)][1].pointer

    def leave(self):
        for owner, _ in self.all.values():
            owner._leave()
        self.all.clear()  # what was closed meanwhile is freed now


# ---- contexts ----

class _Said(threading.local):
    """Of the call that a thread is in: the last error's reason, and what a callback raised."""

    reason = problem = None


class _Hooks:
    """What the C callbacks reach. Apart from Context, so that no cycle keeps a context alive."""

    def __init__(self, log, log_level, progress):
        self.said = _Said()
        self.log, self.log_level, self.progress = log, log_level, progress
        self.log_fn = capi.qnt_log_fn(self.hear)
        self.progress_fn = capi.qnt_progress_fn(self.ask) if progress else capi.qnt_progress_fn()

    def guarded(self, function, failed, *arguments):
        """What function returns; exceptions must not travel through C, so the first is kept for call()."""
        try:
            return function(*arguments)
        except BaseException as problem:
            if self.said.problem is None:
                self.said.problem = problem
            return failed

    def hear(self, _user, level, message):
        def say():
            text = message.decode("utf-8", "replace")
            if level == LOG_ERROR:
                self.said.reason = text
            if self.log and level <= self.log_level:
                self.log(level, text)

        self.guarded(say, None)

    def ask(self, _user, done, total):
        return self.guarded(lambda: bool(self.progress(done, total)), 1)


class Context(Handle):
    """What the library knows about its host: threads, log, progress, CPU level.

    threads   size of a pool of its own, or a Pool to share; 1: serial. Results do not depend on it.
    log       called as log(level, text) for messages up to log_level.
    progress  called as progress(done, total) by observe, fit and searches; a true result cancels them.
    cpu       CPU_ bits to restrict kernels to; 0 is portable C. Results do not depend on it.
    """

    _kind = "context"

    def __init__(self, threads=1, log=None, log_level=LOG_WARN, progress=None, cpu=None):
        pointer = ctypes.POINTER(capi.qnt_context)()
        status = lib.qnt_context_create(None, None, None, ctypes.byref(pointer))
        if status != OK:
            raise _ERRORS.get(status, Error)(status, None)
        self._owned, self.pool = _Owned(pointer, self._kind), None
        self._hooks = _Hooks(log, log_level, progress)
        self.call("context_set_log", self._hooks.log_fn, None, max(LOG_ERROR, log_level))
        self.call("context_set_progress", self._hooks.progress_fn, None)
        if cpu is not None:
            self.cpu = cpu
        if isinstance(threads, Pool) or threads > 1:
            self.use(threads if isinstance(threads, Pool) else Pool(self, threads))

    def call(self, name, *arguments):
        """Calls qnt_<name>(context, ...); raises what a callback raised, or Error with the reason. For the
        classes of this package, whose objects, or lists of them, stand for their handles."""
        function, said, taken, alone = getattr(lib, "qnt_" + name), self._hooks.said, _Taken(), name in _CHANGES
        outer, said.reason, said.problem = (said.reason, said.problem), None, None  # of a call that called back
        try:
            context = taken.take(self, name.startswith("context_set"))
            if self.pool is not None:
                taken.take(self.pool, False)  # ValueError: a closed pool has no threads to run on
            given = [taken.take(a, alone, kind) for a, kind in zip(arguments, function.argtypes[1:])]
            status = function(*capi.fitting(function, [context] + given))
            reason, problem = said.reason, said.problem
        except ctypes.ArgumentError as unfit:  # what a C compiler would warn about
            raise TypeError("qnt_%s: %s" % (name, unfit)) from None
        finally:
            said.reason, said.problem = outer
            taken.leave()
        if problem is not None:
            try:
                raise problem
            finally:
                del problem  # which holds this frame
        if status != OK:
            raise _ERRORS.get(status, Error)(status, reason)

    def callback(self, kind, function, failed):
        """function for C, as a `kind`; when it raises, C gets `failed`, and call() raises the same."""
        guarded = self._hooks.guarded
        return kind(lambda *arguments: guarded(function, failed, *arguments))

    def use(self, pool):
        """Runs on the threads of a Pool from now on, or serially with None."""
        hook = (None, None, 1)
        if pool is not None:
            hook = (ctypes.cast(lib.qnt_pool_run, ctypes.c_void_p), pool, pool.threads)
        self.pool = None  # the one until now may be closed
        self.call("context_set_parallel", *hook)
        self.pool = pool

    @property
    def cpu(self):
        """CPU features in use; may be set to a subset."""
        return lib.qnt_context_cpu(self._open().pointer)

    @cpu.setter
    def cpu(self, features):
        self.call("context_set_cpu", features)


class Pool(Handle):
    """Sleeping threads that several contexts may share. They run C only and never need the GIL."""

    _kind = "pool"

    def __init__(self, context, threads):
        self._make(context, "pool_create", threads)
        self._threads = threads

    @property
    def threads(self):
        """Workers in all, the caller's thread included."""
        return self._threads

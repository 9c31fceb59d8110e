//! Contexts, pools and errors.

use crate::{sys, Result};
use std::any::Any;
use std::cell::RefCell;
use std::ffi::CStr;
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::ptr;
use std::sync::Arc;
use std::{error, fmt};

fn text(static_string: *const c_char) -> &'static str {
    // Safety: the library returns static, ASCII, NUL-terminated strings.
    unsafe { CStr::from_ptr(static_string) }.to_str().unwrap_or("?")
}

/// A failed call: the status and the library's sentence about what was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    status: sys::qnt_status,
    reason: String,
}

impl Error {
    pub(crate) fn new(name: &str, reason: String) -> Error {
        let status = (-12..0).find(|&s| status_name(s) == name).unwrap_or(-1);
        Error { status, reason }
    }

    /// The number, e.g. -2.
    pub fn status(&self) -> i32 {
        self.status
    }

    /// The name, e.g. "QNT_E_SHAPE".
    pub fn name(&self) -> &'static str {
        status_name(self.status)
    }

    /// What was found and what was expected.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

fn status_name(status: sys::qnt_status) -> &'static str {
    text(unsafe { sys::qnt_status_name(status) })
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.reason)
    }
}

impl error::Error for Error {}

/// How detailed a log message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The reason of an error.
    Error = 1,
    /// Legal but doubtful input.
    Warn,
    /// Choices made.
    Info,
    /// For those who work on the library.
    Debug,
}

/// Bits of [`cpu_detect`] and [`Context::set_cpu`].
pub mod cpu {
    /// AVX2 with F16C and POPCNT.
    pub const AVX2: u64 = 0x1;
    /// AVX-512 F, BW, DQ, VL and VNNI.
    pub const AVX512VNNI: u64 = 0x2;
    /// The same with VBMI, VBMI2, BITALG and VPOPCNTDQ.
    pub const AVX512VBMI: u64 = 0x4;
    /// AVX2 as above and AVX-VNNI.
    pub const AVXVNNI: u64 = 0x8;
    /// AArch64 Advanced SIMD.
    pub const NEON: u64 = 0x10000;
    /// AArch64 dot product.
    pub const NEONDOT: u64 = 0x20000;
}

/// Version of the library, e.g. "1.0.0".
pub fn version() -> &'static str {
    text(unsafe { sys::qnt_version_string() })
}

/// The same as a number: 0x10000 for 1.0.0.
pub fn version_number() -> u32 {
    unsafe { sys::qnt_version() }
}

/// CPU features of this machine.
pub fn cpu_detect() -> u64 {
    unsafe { sys::qnt_cpu_detect() }
}

/// Name of one CPU feature; "c" for 0.
pub fn cpu_name(feature: u64) -> &'static str {
    text(unsafe { sys::qnt_cpu_name(feature) })
}

thread_local! {
    /// The reason of the last error that happened on this thread. A call that fails reports its reason
    /// on the thread that made it, before it returns.
    static REASON: RefCell<String> = RefCell::new(String::new());
}

type Log = Box<dyn Fn(Level, &str) + Send + Sync>;
type Progress = Box<dyn Fn(u64, u64) -> bool + Send + Sync>;

/// What the C callbacks reach; boxed, so that its address stays.
struct Hooks {
    log: Option<Log>,
    level: Level,
    progress: Option<Progress>,
}

extern "C" fn hear(user: *mut c_void, level: i32, message: *const c_char) {
    // Safety: user is the Hooks of a living context; the message lives as long as this call.
    let (hooks, message) = unsafe { (&*(user as *const Hooks), CStr::from_ptr(message)) };
    let message = message.to_string_lossy();
    let level = match level {
        1 => Level::Error,
        2 => Level::Warn,
        3 => Level::Info,
        _ => Level::Debug,
    };
    if level == Level::Error {
        let _ = REASON.try_with(|reason| *reason.borrow_mut() = message.to_string());
    }
    if let (Some(log), true) = (&hooks.log, level <= hooks.level) {
        let _ = catch_unwind(AssertUnwindSafe(|| log(level, &message))); // must not cross C
    }
}

extern "C" fn ask(user: *mut c_void, done: u64, total: u64) -> i32 {
    // Safety: as above.
    let hooks = unsafe { &*(user as *const Hooks) };
    let stop = hooks.progress.as_ref().map_or(false, |progress| {
        catch_unwind(AssertUnwindSafe(|| progress(done, total))).unwrap_or(true)
    });
    stop as i32
}

/// A closure that C calls back. A panic must not cross C: the first one is kept, and goes on in `finish`.
pub(crate) struct Callback<F> {
    closure: F,
    panic: Option<Box<dyn Any + Send>>,
}

impl<F> Callback<F> {
    pub(crate) fn new(closure: F) -> Callback<F> {
        Callback { closure, panic: None }
    }

    /// What C passes on.
    pub(crate) fn user(&mut self) -> *mut c_void {
        self as *mut Callback<F> as *mut c_void
    }

    /// What `call` makes of the closure, or `failed` after a panic.
    ///
    /// # Safety
    /// `user` is that of a `Callback<F>` which nothing else uses during the call in progress.
    pub(crate) unsafe fn call<T>(user: *mut c_void, failed: T, call: impl FnOnce(&mut F) -> T) -> T {
        let this = &mut *(user as *mut Callback<F>);
        if this.panic.is_some() {
            return failed;
        }
        match catch_unwind(AssertUnwindSafe(|| call(&mut this.closure))) {
            Ok(result) => result,
            Err(panic) => {
                this.panic = Some(panic);
                failed
            }
        }
    }

    /// What the call came to, if the closure did not panic.
    pub(crate) fn finish<T>(self, result: T) -> T {
        match self.panic {
            Some(panic) => resume_unwind(panic),
            None => result,
        }
    }
}

/// What the library knows about its host: threads, log, progress, CPU level.
///
/// Setting hooks needs `&mut`; everything else shares it. Results never depend on it.
pub struct Context {
    handle: *mut sys::qnt_context,
    hooks: Box<Hooks>,
    pool: Option<Arc<Pool>>,
}

// Safety: the C context is immutable behind &, and every call on it is allowed from any thread.
unsafe impl Send for Context {}
unsafe impl Sync for Context {}

impl Context {
    /// A serial, silent context with the best CPU level of this machine.
    pub fn new() -> Result<Context> {
        let mut handle = ptr::null_mut();
        let status = unsafe { sys::qnt_context_create(None, None, ptr::null_mut(), &mut handle) };
        if status != sys::QNT_OK {
            let reason = text(unsafe { sys::qnt_status_text(status) }).to_string();
            return Err(Error { status, reason });
        }
        let hooks = Box::new(Hooks { log: None, level: Level::Error, progress: None });
        let mut context = Context { handle, hooks, pool: None };
        context.set_log(Level::Error, |_, _| ())?;
        Ok(context)
    }

    /// A context with a pool of its own.
    pub fn with_threads(threads: usize) -> Result<Context> {
        let mut context = Context::new()?;
        let pool = Pool::new(&context, threads)?;
        context.set_pool(Some(Arc::new(pool)))?;
        Ok(context)
    }

    pub(crate) fn handle(&self) -> *const sys::qnt_context {
        self.handle
    }

    /// Turns a status into a result with its reason. `call` must report to this context.
    pub(crate) fn check(&self, call: impl FnOnce() -> sys::qnt_status) -> Result<()> {
        REASON.with(|reason| reason.borrow_mut().clear());
        let status = call();
        if status == sys::QNT_OK {
            return Ok(());
        }
        let mut reason = REASON.with(|reason| reason.borrow().clone());
        if reason.is_empty() {
            reason = text(unsafe { sys::qnt_status_text(status) }).to_string();
        }
        Err(Error { status, reason })
    }

    /// Lends the threads of a pool to the library; `None` is serial.
    pub fn set_pool(&mut self, pool: Option<Arc<Pool>>) -> Result<()> {
        let handle = self.handle;
        self.check(|| unsafe {
            match &pool {
                None => sys::qnt_context_set_parallel(handle, None, ptr::null_mut(), 1),
                Some(p) => sys::qnt_context_set_parallel(
                    handle, Some(sys::qnt_pool_run), p.handle as *mut c_void, p.threads,
                ),
            }
        })?;
        self.pool = pool;
        Ok(())
    }

    /// The pool in use.
    pub fn pool(&self) -> Option<&Arc<Pool>> {
        self.pool.as_ref()
    }

    /// Hears messages up to a level. Any thread that uses the context may call it.
    pub fn set_log<F>(&mut self, level: Level, log: F) -> Result<()>
    where
        F: Fn(Level, &str) + Send + Sync + 'static,
    {
        self.hooks.log = Some(Box::new(log));
        self.hooks.level = level;
        let (handle, user) = (self.handle, &*self.hooks as *const Hooks as *mut c_void);
        self.check(|| unsafe { sys::qnt_context_set_log(handle, Some(hear), user, level as i32) })
    }

    /// Is told how far observe and fit have come; `true` cancels them.
    pub fn set_progress<F>(&mut self, progress: F) -> Result<()>
    where
        F: Fn(u64, u64) -> bool + Send + Sync + 'static,
    {
        self.hooks.progress = Some(Box::new(progress));
        let (handle, user) = (self.handle, &*self.hooks as *const Hooks as *mut c_void);
        self.check(|| unsafe { sys::qnt_context_set_progress(handle, Some(ask), user) })
    }

    /// Restricts the CPU features to use; 0 is portable C.
    pub fn set_cpu(&mut self, features: u64) -> Result<()> {
        let handle = self.handle;
        self.check(|| unsafe { sys::qnt_context_set_cpu(handle, features) })
    }

    /// CPU features in use.
    pub fn cpu(&self) -> u64 {
        unsafe { sys::qnt_context_cpu(self.handle) }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        unsafe { sys::qnt_context_destroy(self.handle) }
    }
}

/// Sleeping threads that several contexts may share.
pub struct Pool {
    handle: *mut sys::qnt_pool,
    threads: usize,
}

// Safety: qnt_pool_run may be called from any thread, several at once.
unsafe impl Send for Pool {}
unsafe impl Sync for Pool {}

impl Pool {
    /// Starts `threads` - 1 threads; whoever makes a call is the last one.
    pub fn new(context: &Context, threads: usize) -> Result<Pool> {
        let mut handle = ptr::null_mut();
        context.check(|| unsafe { sys::qnt_pool_create(context.handle(), threads, &mut handle) })?;
        Ok(Pool { handle, threads })
    }

    /// Workers in all.
    pub fn threads(&self) -> usize {
        self.threads
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        unsafe { sys::qnt_pool_destroy(self.handle) }
    }
}

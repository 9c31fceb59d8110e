//! libqnt for Rust: low-bit quantization on your own slices, without copies.
//!
//! ```
//! use qnt::{Context, Method, Quantizer, Spec, View};
//!
//! let context = Context::new()?;
//! let weight = [0.5f32, -1.0, 0.25, 2.0];
//! let mut q = Quantizer::new(&context, &Spec { method: Method::MinMax, ..Spec::default() })?;
//! q.observe(&context, &View::new(&weight, &[4])?, None)?;
//! q.fit(&context)?;
//! let mut codes = [0u8; 4];
//! q.encode(&context, &View::new(&weight, &[4])?, &mut qnt::ViewMut::new(&mut codes, &[4])?)?;
//! assert_eq!(codes[3], 255);
//! # Ok::<(), qnt::Error>(())
//! ```
//!
//! A program of yours says `qnt = { path = ".../examples/rust" }`; the build asks pkg-config for libqnt.
//! `QNT_STATIC=1` puts the library into the program. Otherwise the loader must find `libqnt.so.1` when the
//! program runs: it knows the system's folders, and what is in `LD_LIBRARY_PATH`.
//!
//! The layer over [`sys`] adds what the type system can say: views borrow their slices, a layer that
//! points into a blob borrows the blob, fitting needs `&mut`, and what the C API allows to share
//! between threads is `Sync`. Every failure is an [`Error`] with the library's own sentence.

#![warn(missing_docs)]

mod context;
mod kernel;
mod layer;
mod lowbit;
mod map;
pub mod qtable;
mod quantizer;
#[allow(non_camel_case_types)]
pub mod sys;
mod tensor;
mod train;

pub use context::{cpu, cpu_detect, cpu_name, version, version_number, Context, Error, Level, Pool};
pub use kernel::{
    blob_probe, conv_s8, dot_exp, gemm_bits, gemm_exp, gemm_s8, gemm_table, requantize,
    shuffle_cyclic, Blob, Exponential, Geometry, Kind, Planes,
};
pub use layer::{Activation, Layer, LayerSpec, Layout, Operation};
pub use lowbit::{
    conv_lowbit, find_thresholds, pack_pixels, pack_taps, Affine, Digits, LowbitLayer, Packed,
};
pub use map::{KernelMap, MapData, MapSpec};
pub use quantizer::{param, Grain, Measures, Method, Quantizer, Scheme, Spec, TeqSpec};
pub use tensor::{Bf16, Element, View, ViewMut, F16};
pub use train::{Bases, Mode, TrainSpec, Trainer, Training};

/// What almost every function returns.
pub type Result<T> = std::result::Result<T, Error>;

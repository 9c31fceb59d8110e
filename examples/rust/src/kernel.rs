//! Kernels on codes, and blobs.

use crate::tensor::{described, pointer};
use crate::{sys, Context, Error, Result, View, ViewMut};
use std::mem::size_of;
use std::ops::Deref;
use std::os::raw::c_void;
use std::ptr;

/// Geometry of a convolution; the default is one group, stride 1, no padding.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Groups of channels.
    pub groups: i32,
    /// Output group g reads input group (g + shift) mod groups.
    pub group_shift: i32,
    /// Down and right.
    pub stride: [i32; 2],
    /// Down and right.
    pub dilation: [i32; 2],
    /// Top, left, bottom, right.
    pub pad: [i32; 4],
}

impl Default for Geometry {
    fn default() -> Self {
        Geometry { groups: 1, group_shift: 0, stride: [1; 2], dilation: [1; 2], pad: [0; 4] }
    }
}

impl Geometry {
    pub(crate) fn raw(&self) -> sys::qnt_conv {
        sys::qnt_conv {
            size: size_of::<sys::qnt_conv>() as u32,
            groups: self.groups,
            group_shift: self.group_shift,
            stride: self.stride,
            dilation: self.dilation,
            pad: self.pad,
            reserved: 0,
        }
    }
}

/// c[m,n] = sum over k of (a[m,k] - a_zero) (b[n,k] - b_zero[n]).
pub fn gemm_s8(context: &Context, a: &View, a_zero: i32, b: &View, b_zero: Option<&View>,
               c: &mut ViewMut) -> Result<()> {
    let (a, b, mut c) = (a.0.raw(), b.0.raw(), c.0.raw());
    let b_zero = b_zero.map(|view| view.0.raw());
    context.check(|| unsafe {
        sys::qnt_gemm_s8(context.handle(), &a, a_zero, &b, pointer(&b_zero), &mut c)
    })
}

/// c[m,n] = sum over k of a_table[a[m,k]] b_table[b[n,k]]; tables of int8 or int16.
pub fn gemm_table(context: &Context, a: &View, a_table: &View, b: &View, b_table: &View,
                  c: &mut ViewMut) -> Result<()> {
    let (a, a_table, b, b_table) = (a.0.raw(), a_table.0.raw(), b.0.raw(), b_table.0.raw());
    let mut c = c.0.raw();
    context.check(|| unsafe {
        sys::qnt_gemm_table(context.handle(), &a, &a_table, &b, &b_table, &mut c)
    })
}

/// Bit planes of codes, the second operand of [`gemm_bits`].
#[derive(Clone, Debug)]
pub struct Planes {
    words: Vec<u64>, // aligned as the library wants it
    shape: Vec<usize>,
}

impl Planes {
    /// Takes unsigned codes [N,K] apart.
    pub fn pack(context: &Context, codes: &View) -> Result<Planes> {
        let codes = codes.0.raw();
        let (shape, _, _) = described(|planes| {
            context.check(|| unsafe { sys::qnt_pack_bits_view(context.handle(), &codes, planes) })
        })?;
        let mut words = vec![0u64; shape.iter().product::<usize>() / size_of::<u64>()];
        let bytes = unsafe {
            std::slice::from_raw_parts_mut(words.as_mut_ptr() as *mut u8, 8 * words.len())
        };
        let view = ViewMut::new(bytes, &shape)?;
        let mut planes = view.0.raw();
        context.check(|| unsafe { sys::qnt_pack_bits(context.handle(), &codes, &mut planes) })?;
        Ok(Planes { words, shape })
    }

    /// The bytes: the same on every CPU.
    pub fn bytes(&self) -> &[u8] {
        unsafe { std::slice::from_raw_parts(self.words.as_ptr() as *const u8, 8 * self.words.len()) }
    }
}

/// c[m,n] = sum over planes i of b_coef[n,i] <signs of plane i, a[m]>; c is int32 without
/// coefficients. With a_coef, bits of a are signs as well.
pub fn gemm_bits(context: &Context, a: &View, a_coef: Option<&View>, b: &Planes,
                 b_coef: Option<&View>, c: &mut ViewMut) -> Result<()> {
    let planes = View::new(b.bytes(), &b.shape)?;
    let (a, b, mut c) = (a.0.raw(), planes.0.raw(), c.0.raw());
    let (a_coef, b_coef) = (a_coef.map(|view| view.0.raw()), b_coef.map(|view| view.0.raw()));
    context.check(|| unsafe {
        sys::qnt_gemm_bits(context.handle(), &a, pointer(&a_coef), &b, pointer(&b_coef), &mut c)
    })
}

/// Meaning of exponential codes: sign (alpha base^(field - 1) + beta), field 0 is zero.
#[derive(Clone, Copy, Debug)]
pub struct Exponential {
    /// Bits of a field, 2 to 7.
    pub exponent_bits: i32,
    /// Above 1.
    pub base: f64,
    /// Above 0.
    pub alpha: f64,
    /// Any finite number.
    pub beta: f64,
}

impl Exponential {
    fn raw(&self) -> sys::qnt_exp {
        sys::qnt_exp {
            size: size_of::<sys::qnt_exp>() as u32,
            exponent_bits: self.exponent_bits,
            base: self.base,
            alpha: self.alpha,
            beta: self.beta,
        }
    }
}

/// Product of exponential codes by counting exponent sums; c is float32.
pub fn gemm_exp(context: &Context, a: &View, a_exp: &Exponential, b: &View, b_exp: &Exponential,
                c: &mut ViewMut) -> Result<()> {
    let (a, b, mut c) = (a.0.raw(), b.0.raw(), c.0.raw());
    context.check(|| unsafe {
        sys::qnt_gemm_exp(context.handle(), &a, &a_exp.raw(), &b, &b_exp.raw(), &mut c)
    })
}

/// Signed counts of exponent sums of two vectors of codes.
pub fn dot_exp(context: &Context, exponent_bits: i32, a: &View, b: &View,
               counts: &mut ViewMut) -> Result<()> {
    let (a, b, mut counts) = (a.0.raw(), b.0.raw(), counts.0.raw());
    context.check(|| unsafe {
        sys::qnt_dot_exp(context.handle(), exponent_bits, &a, &b, &mut counts)
    })
}

/// Grouped convolution in int32: x [B,H,W,C], w [O,kh,kw,C/groups], y [B,OH,OW,O].
pub fn conv_s8(context: &Context, geometry: &Geometry, x: &View, x_zero: i32, w: &View,
               y: &mut ViewMut) -> Result<()> {
    let conv = geometry.raw();
    let (x, w, mut y) = (x.0.raw(), w.0.raw(), y.0.raw());
    context.check(|| unsafe {
        sys::qnt_conv_s8(context.handle(), &conv, &x, x_zero, &w, &mut y)
    })
}

/// Rotates groups of channels along an axis.
pub fn shuffle_cyclic(context: &Context, x: &View, axis: i32, groups: i32, shift: i32,
                      y: &mut ViewMut) -> Result<()> {
    let (x, mut y) = (x.0.raw(), y.0.raw());
    context.check(|| unsafe {
        sys::qnt_shuffle_cyclic(context.handle(), &x, axis, groups, shift, &mut y)
    })
}

/// y = clamp(round(float(acc + bias[n]) scale[n]) + zero, range).
pub fn requantize(context: &Context, acc: &View, bias: Option<&View>, scale: &View, zero: i32,
                  range: std::ops::RangeInclusive<i32>, y: &mut ViewMut) -> Result<()> {
    let (acc, scale, mut y) = (acc.0.raw(), scale.0.raw(), y.0.raw());
    let bias = bias.map(|view| view.0.raw());
    context.check(|| unsafe {
        sys::qnt_requantize(context.handle(), &acc, pointer(&bias), &scale, zero, *range.start(),
                            *range.end(), &mut y)
    })
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// The bytes of a quantizer or layer, aligned so that a layer can borrow them.
#[derive(Clone)]
pub struct Blob {
    lines: Vec<Line>,
    length: usize,
}

impl Blob {
    fn zeroed(length: usize) -> Blob {
        Blob { lines: vec![Line([0; 64]); (length + 63) / 64], length }
    }

    fn as_mut_ptr(&mut self) -> *mut c_void {
        self.lines.as_mut_ptr() as *mut c_void
    }
}

impl From<&[u8]> for Blob {
    /// A copy that is aligned.
    fn from(bytes: &[u8]) -> Blob {
        let mut blob = Blob::zeroed(bytes.len());
        // Safety: the lines hold at least that many bytes.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), blob.as_mut_ptr() as *mut u8, bytes.len()) }
        blob
    }
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // Safety: the lines hold at least length bytes, all initialised.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr() as *const u8, self.length) }
    }
}

/// Asks for the length, then for the bytes.
pub(crate) fn save(
    context: &Context,
    call: impl Fn(*mut c_void, usize, *mut usize) -> sys::qnt_status,
) -> Result<Blob> {
    let mut length = 0;
    context.check(|| call(ptr::null_mut(), 0, &mut length))?;
    let mut blob = Blob::zeroed(length);
    context.check(|| call(blob.as_mut_ptr(), length, &mut length))?;
    Ok(blob)
}

/// What a blob holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A quantizer.
    Quantizer,
    /// A layer.
    Layer,
    /// A kernel map.
    Map,
    /// A layer of packed digits.
    LowbitLayer,
}

/// Kind, format version and length of the blob at the beginning of some bytes.
pub fn blob_probe(context: &Context, data: &[u8]) -> Result<(Kind, u32, usize)> {
    let (mut kind, mut version, mut length) = (0, 0, 0);
    context.check(|| unsafe {
        sys::qnt_blob_probe(context.handle(), data.as_ptr() as *const c_void, data.len(), &mut kind,
                            &mut version, &mut length)
    })?;
    match kind {
        1 => Ok((Kind::Quantizer, version, length)),
        2 => Ok((Kind::Layer, version, length)),
        3 => Ok((Kind::Map, version, length)),
        4 => Ok((Kind::LowbitLayer, version, length)),
        other => Err(Error::new("QNT_E_UNSUPPORTED", format!("blob of kind {}", other))),
    }
}

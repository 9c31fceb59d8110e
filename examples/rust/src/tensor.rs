//! Views of slices. A view proves once that its shape and strides stay inside its slice; the library
//! then needs no trust.

use crate::{sys, Context, Error, Result};
use std::marker::PhantomData;
use std::os::raw::c_void;

/// A float16 in its bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct F16(pub u16);

/// A bfloat16 in its bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bf16(pub u16);

mod sealed {
    pub trait Sealed {}
}

/// Element types that the library knows and that fill whole bytes.
pub trait Element: Copy + sealed::Sealed {
    #[doc(hidden)]
    const TYPE: (u8, u8);
}

macro_rules! elements {
    ($($rust:ty => $code:expr, $bits:expr;)*) => {$(
        impl sealed::Sealed for $rust {}
        impl Element for $rust {
            const TYPE: (u8, u8) = ($code, $bits);
        }
    )*};
}

elements! {
    f32 => sys::QNT_FLOAT, 32;
    F16 => sys::QNT_FLOAT, 16;
    Bf16 => sys::QNT_BFLOAT, 16;
    i8 => sys::QNT_INT, 8;
    u8 => sys::QNT_UINT, 8;
    i16 => sys::QNT_INT, 16;
    u16 => sys::QNT_UINT, 16;
    i32 => sys::QNT_INT, 32;
}

#[derive(Clone, Debug)]
pub(crate) struct Layout {
    data: *mut u8,
    code: u8,
    bits: u8,
    ndim: usize,
    shape: [i64; sys::QNT_MAX_NDIM],
    strides: [i64; sys::QNT_MAX_NDIM],
}

impl Layout {
    fn new(data: *mut u8, bytes: usize, (code, bits): (u8, u8), shape: &[usize],
           strides: Option<&[usize]>) -> Result<Layout> {
        let bad = |what: String| Err(Error::new("QNT_E_SHAPE", what));
        if shape.len() > sys::QNT_MAX_NDIM || strides.map_or(false, |s| s.len() != shape.len()) {
            return bad(format!("shape {:?} with strides {:?}", shape, strides));
        }
        let mut layout = Layout {
            data, code, bits, ndim: shape.len(), shape: [0; 8], strides: [0; 8],
        };
        let (mut compact, mut last) = (1u128, 0u128); // neither wraps
        for d in (0..shape.len()).rev() {
            let step = strides.map_or(compact, |s| s[d] as u128);
            if shape[d] > i64::MAX as usize || step > i64::MAX as u128 {
                return bad(format!("shape {:?} is too large", shape));
            }
            layout.shape[d] = shape[d] as i64;
            layout.strides[d] = step as i64;
            last = last.saturating_add(step * (shape[d].max(1) as u128 - 1));
            compact = (compact * shape[d].max(1) as u128).min(1 << 64);
        }
        let most = last.saturating_add(1).saturating_mul(bits as u128);
        let needed = if shape.contains(&0) { 0 } else { most };
        if needed > bytes as u128 * 8 {
            return bad(format!("{} bytes cannot hold {:?} with strides {:?}", bytes, shape, strides));
        }
        Ok(layout)
    }

    /// The C struct; it points into self and is good as long as self stays where it is.
    pub(crate) fn raw(&self) -> sys::qnt_tensor {
        sys::qnt_tensor {
            data: self.data as *mut c_void,
            device_type: 1,
            device_id: 0,
            ndim: self.ndim as i32,
            dtype_code: self.code,
            dtype_bits: self.bits,
            dtype_lanes: 1,
            shape: self.shape.as_ptr() as *mut i64,
            strides: self.strides.as_ptr() as *mut i64,
            byte_offset: 0,
        }
    }
}

/// A view to read from.
#[derive(Clone, Debug)]
pub struct View<'a>(pub(crate) Layout, PhantomData<&'a [u8]>);

/// A view to write to.
#[derive(Debug)]
pub struct ViewMut<'a>(pub(crate) Layout, PhantomData<&'a mut [u8]>);

// Safety: a View is a shared slice, a ViewMut an exclusive one, of plain numbers.
unsafe impl Send for View<'_> {}
unsafe impl Sync for View<'_> {}
unsafe impl Send for ViewMut<'_> {}
unsafe impl Sync for ViewMut<'_> {}

impl<'a> View<'a> {
    /// A compact row-major view.
    pub fn new<T: Element>(data: &'a [T], shape: &[usize]) -> Result<View<'a>> {
        View::make(data, shape, None)
    }

    /// A view with strides, in elements.
    pub fn strided<T: Element>(data: &'a [T], shape: &[usize], strides: &[usize])
        -> Result<View<'a>> {
        View::make(data, shape, Some(strides))
    }

    /// Packed codes of 1 to 8 bits.
    pub fn codes(data: &'a [u8], bits: u8, signed: bool, shape: &[usize]) -> Result<View<'a>> {
        let kind = (if signed { sys::QNT_INT } else { sys::QNT_UINT }, bits.clamp(1, 8));
        Layout::new(data.as_ptr() as *mut u8, data.len(), kind, shape, None)
            .map(|layout| View(layout, PhantomData))
    }

    fn make<T: Element>(data: &'a [T], shape: &[usize], strides: Option<&[usize]>)
        -> Result<View<'a>> {
        let bytes = std::mem::size_of_val(data);
        Layout::new(data.as_ptr() as *mut u8, bytes, T::TYPE, shape, strides)
            .map(|layout| View(layout, PhantomData))
    }

    /// Whether the library accepts this as a tensor.
    pub fn check(&self, context: &Context) -> Result<()> {
        let raw = self.0.raw();
        context.check(|| unsafe { sys::qnt_tensor_check(context.handle(), &raw) })
    }

    /// Bytes from the first to the last element that the view can touch.
    pub fn bytes(&self, context: &Context) -> Result<u64> {
        let mut bytes = 0;
        let raw = self.0.raw();
        context.check(|| unsafe { sys::qnt_tensor_bytes(context.handle(), &raw, &mut bytes) })?;
        Ok(bytes)
    }
}

impl<'a> ViewMut<'a> {
    /// A compact row-major view.
    pub fn new<T: Element>(data: &'a mut [T], shape: &[usize]) -> Result<ViewMut<'a>> {
        ViewMut::make(data, shape, None)
    }

    /// A view with strides, in elements. The library refuses strides that let elements meet.
    pub fn strided<T: Element>(data: &'a mut [T], shape: &[usize], strides: &[usize])
        -> Result<ViewMut<'a>> {
        ViewMut::make(data, shape, Some(strides))
    }

    /// Packed codes of 1 to 8 bits.
    pub fn codes(data: &'a mut [u8], bits: u8, signed: bool, shape: &[usize])
        -> Result<ViewMut<'a>> {
        let kind = (if signed { sys::QNT_INT } else { sys::QNT_UINT }, bits.clamp(1, 8));
        Layout::new(data.as_mut_ptr(), data.len(), kind, shape, None)
            .map(|layout| ViewMut(layout, PhantomData))
    }

    fn make<T: Element>(data: &'a mut [T], shape: &[usize], strides: Option<&[usize]>)
        -> Result<ViewMut<'a>> {
        let bytes = std::mem::size_of_val(data);
        Layout::new(data.as_mut_ptr() as *mut u8, bytes, T::TYPE, shape, strides)
            .map(|layout| ViewMut(layout, PhantomData))
    }
}

/// A pointer to the C struct, or NULL.
pub(crate) fn pointer(raw: &Option<sys::qnt_tensor>) -> *const sys::qnt_tensor {
    raw.as_ref().map_or(std::ptr::null(), |r| r)
}

/// Calls a view function and returns (shape, type code, bits) of the result.
pub(crate) fn described(
    call: impl FnOnce(*mut sys::qnt_tensor) -> Result<()>,
) -> Result<(Vec<usize>, u8, u8)> {
    let (mut shape, mut strides) = ([0i64; sys::QNT_MAX_NDIM], [0i64; sys::QNT_MAX_NDIM]);
    let mut raw = sys::qnt_tensor {
        data: std::ptr::null_mut(), device_type: 0, device_id: 0, ndim: 0, dtype_code: 0,
        dtype_bits: 0, dtype_lanes: 0, shape: shape.as_mut_ptr(), strides: strides.as_mut_ptr(),
        byte_offset: 0,
    };
    call(&mut raw)?;
    let shape = shape[..raw.ndim as usize].iter().map(|&n| n as usize).collect();
    Ok((shape, raw.dtype_code, raw.dtype_bits))
}

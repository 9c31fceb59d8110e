//! Convolutions of packed digits: codes 0 to 3, three in a byte.

use crate::context::Callback;
use crate::kernel::{save, Blob, Geometry};
use crate::tensor::{described, pointer};
use crate::{sys, Context, Quantizer, Result, View, ViewMut};
use std::marker::PhantomData;
use std::mem::size_of;
use std::os::raw::c_void;
use std::ptr;

/// Packed bytes with their shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Pixels: [B,H,W,groups,T]; taps: [groups,blocks,T,kh,kw,64].
    pub shape: Vec<usize>,
}

impl Packed {
    fn zeroed(shape: Vec<usize>) -> Packed {
        Packed { bytes: vec![0; shape.iter().product()], shape }
    }

    /// To read from.
    pub fn view(&self) -> Result<View<'_>> {
        View::new(&self.bytes, &self.shape)
    }

    /// To write to.
    pub fn view_mut(&mut self) -> Result<ViewMut<'_>> {
        ViewMut::new(&mut self.bytes, &self.shape)
    }
}

/// Codes 0 to 3 [B,H,W,C] as packed pixels, with a border of zeros: top, left, bottom, right.
pub fn pack_pixels(context: &Context, codes: &View, groups: i32, pad: [i32; 4]) -> Result<Packed> {
    let (codes, handle) = (codes.0.raw(), context.handle());
    let (shape, _, _) = described(|y| {
        context.check(|| unsafe {
            sys::qnt_pack_pixels_view(handle, &codes, groups, pad.as_ptr(), y)
        })
    })?;
    let mut packed = Packed::zeroed(shape);
    let view = packed.view_mut()?;
    let mut y = view.0.raw();
    context.check(|| unsafe {
        sys::qnt_pack_pixels(handle, &codes, groups, pad.as_ptr(), &mut y)
    })?;
    Ok(packed)
}

/// Codes 0 to 3 [O,kh,kw,C/groups] as packed weights of [`conv_lowbit`].
pub fn pack_taps(context: &Context, codes: &View, groups: i32) -> Result<Packed> {
    let (codes, handle) = (codes.0.raw(), context.handle());
    let (shape, _, _) = described(|y| {
        context.check(|| unsafe { sys::qnt_pack_taps_view(handle, &codes, groups, y) })
    })?;
    let mut packed = Packed::zeroed(shape);
    let view = packed.view_mut()?;
    let mut y = view.0.raw();
    context.check(|| unsafe { sys::qnt_pack_taps(handle, &codes, groups, &mut y) })?;
    Ok(packed)
}

/// What digits of weights stand for, and the form of a packed result.
#[derive(Clone, Copy, Debug)]
pub struct Digits {
    /// The weight of digit q is step q + zero.
    pub step: i32,
    /// See step.
    pub zero: i32,
    /// Border of a packed result: top, left, bottom, right.
    pub pad: [i32; 4],
    /// Groups of the packed result of a layer; 0: as the convolution.
    pub groups: i32,
}

impl Default for Digits {
    fn default() -> Self {
        Digits { step: 2, zero: -3, pad: [0; 4], groups: 0 }
    }
}

impl Digits {
    fn raw(&self, flags: i32) -> sys::qnt_lowbit_spec {
        sys::qnt_lowbit_spec {
            size: size_of::<sys::qnt_lowbit_spec>() as u32,
            step: self.step,
            zero: self.zero,
            flags,
            groups: self.groups,
            pad: self.pad,
            reserved: 0,
        }
    }
}

/// Sums of r (step q + zero), int32, or with thresholds packed pixels. channels are those of a group.
pub fn conv_lowbit(context: &Context, geometry: &Geometry, digits: &Digits, channels: i32,
                   pixels: &View, taps: &View, thresholds: Option<&View>, y: &mut ViewMut)
    -> Result<()> {
    let lowbit = sys::qnt_lowbit {
        size: size_of::<sys::qnt_lowbit>() as u32,
        step: digits.step,
        zero: digits.zero,
        channels,
        pad: digits.pad,
    };
    let (conv, pixels, taps) = (geometry.raw(), pixels.0.raw(), taps.0.raw());
    let (thresholds, mut y) = (thresholds.map(|view| view.0.raw()), y.0.raw());
    context.check(|| unsafe {
        sys::qnt_conv_lowbit(context.handle(), &conv, &lowbit, &pixels, &taps, pointer(&thresholds),
                             &mut y)
    })
}

extern "C" fn ask<F: FnMut(i64, i32) -> i32>(user: *mut c_void, channel: i64, sum: i32) -> i32 {
    // Safety: the Callback of find_thresholds, for the length of its call.
    unsafe { Callback::<F>::call(user, -1, |digit| digit(channel, sum)) }
}

/// Thresholds int32 [O,3], and [O] whether digits fall, that say the same as a function of channel and
/// sum, for sums from low to high.
pub fn find_thresholds<F: FnMut(i64, i32) -> i32>(context: &Context, outputs: usize, low: i32,
                                                  high: i32, digit: F)
    -> Result<(Vec<i32>, Vec<u8>)> {
    let (mut rows, mut falling) = (vec![0; 3 * outputs], vec![0u8; outputs]);
    let mut asked = Callback::new(digit);
    let (rows_view, falling_view) =
        (ViewMut::new(&mut rows, &[outputs, 3])?, ViewMut::new(&mut falling, &[outputs])?);
    let (mut r, mut f) = (rows_view.0.raw(), falling_view.0.raw());
    let status = context.check(|| unsafe {
        sys::qnt_find_thresholds(context.handle(), Some(ask::<F>), asked.user(), low, high, &mut r, &mut f)
    });
    asked.finish(status).map(|()| (rows, falling))
}

/// What a layer makes of a sum: y = sum scale[o] + shift[o].
#[derive(Clone, Copy)]
pub struct Affine<'a> {
    /// Floats [O] or [1].
    pub scale: &'a View<'a>,
    /// Floats [O] or [1].
    pub shift: Option<&'a View<'a>>,
    /// max(y, 0) before the identity is added.
    pub relu_first: bool,
    /// max(y, 0) after it.
    pub relu_last: bool,
    /// ShuffleNet's order of the result.
    pub transpose: bool,
    /// Gives the next layer's digits; `None`: floats only.
    pub output_q: Option<&'a Quantizer>,
}

/// A prepared convolution of packed digits. `'blob` as for [`crate::Layer`].
pub struct LowbitLayer<'blob> {
    handle: *mut sys::qnt_lowbit_layer,
    blob: PhantomData<&'blob [u8]>,
}

// Safety: a layer is immutable, and the C API lets any thread run it.
unsafe impl Send for LowbitLayer<'_> {}
unsafe impl Sync for LowbitLayer<'_> {}

impl LowbitLayer<'static> {
    /// From codes [O,kh,kw,C/groups] and what becomes of sums.
    pub fn new(context: &Context, geometry: &Geometry, digits: &Digits, weight: &View,
               affine: &Affine) -> Result<LowbitLayer<'static>> {
        let flags = affine.relu_first as i32 | (affine.relu_last as i32) << 1
            | (affine.transpose as i32) << 2;
        let (conv, spec, weight) = (geometry.raw(), digits.raw(flags), weight.0.raw());
        let (scale, shift) = (affine.scale.0.raw(), affine.shift.map(|view| view.0.raw()));
        let output_q = affine.output_q.map_or(ptr::null(), |q| q.handle());
        let mut handle = ptr::null_mut();
        context.check(|| unsafe {
            sys::qnt_lowbit_layer_create(context.handle(), &conv, &spec, &weight, &scale,
                                         pointer(&shift), output_q, &mut handle)
        })?;
        Ok(LowbitLayer { handle, blob: PhantomData })
    }

    /// From thresholds as [`find_thresholds`] gives them.
    pub fn of_thresholds(context: &Context, geometry: &Geometry, digits: &Digits, weight: &View,
                         thresholds: &View, falling: Option<&View>)
        -> Result<LowbitLayer<'static>> {
        let (conv, spec, weight) = (geometry.raw(), digits.raw(0), weight.0.raw());
        let (thresholds, falling) = (thresholds.0.raw(), falling.map(|view| view.0.raw()));
        let mut handle = ptr::null_mut();
        context.check(|| unsafe {
            sys::qnt_lowbit_layer_of_thresholds(context.handle(), &conv, &spec, &weight,
                                                &thresholds, pointer(&falling), &mut handle)
        })?;
        Ok(LowbitLayer { handle, blob: PhantomData })
    }

    /// From a copy of a blob, which may be hostile.
    pub fn load(context: &Context, blob: &[u8]) -> Result<LowbitLayer<'static>> {
        LowbitLayer::read(context, blob, 0)
    }
}

impl<'blob> LowbitLayer<'blob> {
    /// A layer that keeps pointing into the blob, which must be aligned to 64 bytes.
    pub fn borrow(context: &Context, blob: &'blob [u8]) -> Result<LowbitLayer<'blob>> {
        LowbitLayer::read(context, blob, sys::QNT_BORROW)
    }

    fn read<'a>(context: &Context, blob: &[u8], flags: i32) -> Result<LowbitLayer<'a>> {
        let mut handle = ptr::null_mut();
        context.check(|| unsafe {
            sys::qnt_lowbit_layer_load(context.handle(), blob.as_ptr() as *const c_void,
                                       blob.len(), flags, &mut handle)
        })?;
        Ok(LowbitLayer { handle, blob: PhantomData })
    }

    /// Room for the packed result.
    pub fn result(&self, context: &Context, pixels: &View) -> Result<Packed> {
        let raw = pixels.0.raw();
        let (shape, _, _) = described(|y| {
            context.check(|| unsafe {
                sys::qnt_lowbit_layer_view(context.handle(), self.handle, &raw, y)
            })
        })?;
        Ok(Packed::zeroed(shape))
    }

    /// Bytes of workspace for pixels like these.
    pub fn workspace(&self, context: &Context, pixels: &View) -> Result<usize> {
        let (raw, mut bytes) = (pixels.0.raw(), 0);
        context.check(|| unsafe {
            sys::qnt_lowbit_layer_workspace(context.handle(), self.handle, &raw, &mut bytes)
        })?;
        Ok(bytes)
    }

    /// Runs the layer; allocates nothing. y receives floats, packed digits.
    pub fn run(&self, context: &Context, pixels: &View, identity: Option<&View>,
               y: Option<&mut ViewMut>, packed: Option<&mut ViewMut>, workspace: &mut [u8])
        -> Result<()> {
        let (pixels, identity) = (pixels.0.raw(), identity.map(|view| view.0.raw()));
        let (mut y, mut packed) = (y.map(|view| view.0.raw()), packed.map(|view| view.0.raw()));
        let target = |raw: &mut Option<sys::qnt_tensor>| {
            raw.as_mut().map_or(ptr::null_mut(), |r| r as *mut sys::qnt_tensor)
        };
        let (y, packed) = (target(&mut y), target(&mut packed));
        context.check(|| unsafe {
            sys::qnt_lowbit_layer_run(context.handle(), self.handle, &pixels, pointer(&identity), y,
                                      packed, workspace.as_mut_ptr() as *mut c_void,
                                      workspace.len())
        })
    }

    /// The blob.
    pub fn save(&self, context: &Context) -> Result<Blob> {
        save(context, |data, capacity, length| unsafe {
            sys::qnt_lowbit_layer_save(context.handle(), self.handle, data, capacity, length)
        })
    }
}

impl Drop for LowbitLayer<'_> {
    fn drop(&mut self) {
        unsafe { sys::qnt_lowbit_layer_destroy(self.handle) }
    }
}

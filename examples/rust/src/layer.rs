//! Layers.

use crate::kernel::{save, Blob, Geometry};
use crate::tensor::{described, pointer};
use crate::{sys, Context, Quantizer, Result, View, ViewMut};
use std::marker::PhantomData;
use std::mem::size_of;
use std::os::raw::c_void;
use std::ptr;

/// Layout of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// x [B,H,W,C], weight [O,kh,kw,C/groups].
    Nhwc = 0,
    /// x [B,C,H,W], weight [O,C/groups,kh,kw].
    Nchw = 1,
}

/// What a layer computes.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// x [...,K], weight [N,K].
    Dense,
    /// Two-dimensional convolution.
    Conv(Layout, Geometry),
}

/// What happens to the sums.
#[derive(Clone, Copy, Debug)]
pub enum Activation {
    /// Nothing.
    Linear,
    /// max(y, 0).
    Relu,
    /// min(max(y, low), high).
    Clamp(f32, f32),
}

/// A request for a layer.
#[derive(Clone, Copy)]
pub struct LayerSpec<'a> {
    /// Dense or convolution.
    pub operation: Operation,
    /// What happens to the sums.
    pub activation: Activation,
    /// Add to y instead of replacing it.
    pub accumulate: bool,
    /// Floats `[N]`.
    pub bias: Option<&'a View<'a>>,
    /// Format of the input; `None`: float input and decoded weights.
    pub input_q: Option<&'a Quantizer>,
    /// Format of the output; `None`: floats.
    pub output_q: Option<&'a Quantizer>,
}

impl Default for LayerSpec<'_> {
    fn default() -> Self {
        LayerSpec {
            operation: Operation::Dense,
            activation: Activation::Linear,
            accumulate: false,
            bias: None,
            input_q: None,
            output_q: None,
        }
    }
}

impl LayerSpec<'_> {
    fn raw(&self) -> sys::qnt_layer_spec {
        let mut raw = sys::qnt_layer_spec {
            size: size_of::<sys::qnt_layer_spec>() as u32,
            flags: if self.accumulate { sys::QNT_ACCUMULATE } else { 0 },
            ..Default::default()
        };
        match self.activation {
            Activation::Linear => {}
            Activation::Relu => raw.activation = 1,
            Activation::Clamp(low, high) => {
                raw.activation = 2;
                raw.low = low;
                raw.high = high;
            }
        }
        if let Operation::Conv(layout, g) = self.operation {
            raw.kind = 1;
            raw.layout = layout as i32;
            raw.groups = g.groups;
            raw.group_shift = g.group_shift;
            raw.stride = g.stride;
            raw.dilation = g.dilation;
            raw.pad = g.pad;
        }
        raw
    }
}

/// Prepared weights: made once, run by any number of threads at once. `'blob` is the life of the bytes
/// that a borrowed layer points into; an owned layer is `Layer<'static>`.
pub struct Layer<'blob> {
    handle: *mut sys::qnt_layer,
    blob: PhantomData<&'blob [u8]>,
}

// Safety: a layer is immutable, and the C API lets any thread run it.
unsafe impl Send for Layer<'_> {}
unsafe impl Sync for Layer<'_> {}

impl Layer<'static> {
    /// Prepares a layer. Nothing of the arguments is kept.
    pub fn new(context: &Context, spec: &LayerSpec, weight: &View, weight_q: &Quantizer)
        -> Result<Layer<'static>> {
        let (raw, weight, bias) = (spec.raw(), weight.0.raw(), spec.bias.map(|view| view.0.raw()));
        let format = |q: Option<&Quantizer>| q.map_or(ptr::null(), |q| q.handle());
        let mut handle = ptr::null_mut();
        context.check(|| unsafe {
            sys::qnt_layer_create(context.handle(), &raw, &weight, weight_q.handle(),
                                  pointer(&bias), format(spec.input_q), format(spec.output_q),
                                  &mut handle)
        })?;
        Ok(Layer { handle, blob: PhantomData })
    }

    /// A layer from a copy of a blob, which may be hostile.
    pub fn load(context: &Context, blob: &[u8]) -> Result<Layer<'static>> {
        Layer::read(context, blob, 0).map(|handle| Layer { handle, blob: PhantomData })
    }
}

impl<'blob> Layer<'blob> {
    /// A layer that keeps pointing into the blob, which must be aligned to 64 bytes.
    pub fn borrow(context: &Context, blob: &'blob [u8]) -> Result<Layer<'blob>> {
        Layer::read(context, blob, sys::QNT_BORROW).map(|handle| Layer { handle, blob: PhantomData })
    }

    fn read(context: &Context, blob: &[u8], flags: i32) -> Result<*mut sys::qnt_layer> {
        let mut handle = ptr::null_mut();
        context.check(|| unsafe {
            sys::qnt_layer_load(context.handle(), blob.as_ptr() as *const c_void, blob.len(), flags,
                                &mut handle)
        })?;
        Ok(handle)
    }

    /// Shape of the result for x, and bits of one element (32: float).
    pub fn view(&self, context: &Context, x: &View) -> Result<(Vec<usize>, u8)> {
        let raw = x.0.raw();
        let (shape, _, bits) = described(|y| {
            context.check(|| unsafe {
                sys::qnt_layer_view(context.handle(), self.handle, &raw, y)
            })
        })?;
        Ok((shape, bits))
    }

    /// Bytes of workspace for inputs like x.
    pub fn workspace(&self, context: &Context, x: &View) -> Result<usize> {
        let (raw, mut bytes) = (x.0.raw(), 0);
        context.check(|| unsafe {
            sys::qnt_layer_workspace(context.handle(), self.handle, &raw, &mut bytes)
        })?;
        Ok(bytes)
    }

    /// Runs the layer; allocates nothing.
    pub fn run(&self, context: &Context, x: &View, y: &mut ViewMut, workspace: &mut [u8])
        -> Result<()> {
        let (x, mut y) = (x.0.raw(), y.0.raw());
        context.check(|| unsafe {
            sys::qnt_layer_run(context.handle(), self.handle, &x, &mut y,
                               workspace.as_mut_ptr() as *mut c_void, workspace.len())
        })
    }

    /// The blob.
    pub fn save(&self, context: &Context) -> Result<Blob> {
        save(context, |data, capacity, length| unsafe {
            sys::qnt_layer_save(context.handle(), self.handle, data, capacity, length)
        })
    }
}

impl Drop for Layer<'_> {
    fn drop(&mut self) {
        unsafe { sys::qnt_layer_destroy(self.handle) }
    }
}

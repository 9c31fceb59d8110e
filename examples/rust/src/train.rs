//! Quantizers that learn: from values and gradients to what layers run.

use crate::tensor::pointer;
use crate::{param, sys, Context, Grain, Quantizer, Result, Scheme, View, ViewMut};
use std::mem::size_of;
use std::ptr;

/// How a trainer quantizes and what it learns; `qnt/train.h` has the table.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Training {
    /// Learned step.
    #[default]
    Lsq = 32,
    /// Learned step and offset.
    LsqPlus = 33,
    Pact = 34,
    Dorefa = 35,
    Ewgs = 36,
    N2uq = 37,
    Staircase = 38,
    Interval = 39,
    Rq = 40,
    Srq = 41,
    /// Activations as a reference plus signs.
    Alq = 42,
    /// Activations as sums of bases of 0 and 1.
    Lq = 43,
    /// Bins of equal weight.
    Balanced = 6,
}

/// A request for a trainer.
#[derive(Clone, Copy, Debug, Default)]
pub struct TrainSpec {
    /// What is learned.
    pub training: Training,
    /// Bits of a code.
    pub bits: i32,
    /// Weights; without it activations.
    pub signed: bool,
    /// As published.
    pub literal: bool,
    /// Granularity.
    pub grain: Grain,
    /// Of noise.
    pub seed: u64,
}

impl TrainSpec {
    fn raw(&self) -> sys::qnt_spec {
        let affine = [Training::Lsq, Training::LsqPlus, Training::Pact, Training::Rq, Training::Srq];
        let points = [Training::Alq, Training::Lq];
        let scheme = if affine.contains(&self.training) {
            Scheme::Affine
        } else if points.contains(&self.training) {
            Scheme::Points
        } else {
            Scheme::Table
        };
        let (grain, axis, block) = self.grain.raw();
        sys::qnt_spec {
            size: size_of::<sys::qnt_spec>() as u32,
            scheme: scheme as i32,
            method: self.training as i32,
            bits: self.bits,
            flags: self.signed as i32 | if self.literal { sys::QNT_LITERAL } else { 0 },
            grain,
            axis,
            block,
            seed: self.seed,
            ..Default::default()
        }
    }
}

/// A quantizer that learns with a network.
pub struct Trainer {
    handle: *mut sys::qnt_trainer,
}

// Safety: as for quantizers: const functions may run at once, the others take &mut self.
unsafe impl Send for Trainer {}
unsafe impl Sync for Trainer {}

impl Trainer {
    /// Creates a trainer.
    pub fn new(context: &Context, spec: &TrainSpec) -> Result<Trainer> {
        let (mut handle, raw) = (ptr::null_mut(), spec.raw());
        context.check(|| unsafe { sys::qnt_trainer_create(context.handle(), &raw, &mut handle) })?;
        Ok(Trainer { handle })
    }

    /// Finds the first numbers from weights, or a batch of activations.
    pub fn start(&mut self, context: &Context, x: &View) -> Result<()> {
        let x = x.0.raw();
        context.check(|| unsafe { sys::qnt_trainer_start(context.handle(), self.handle, &x) })
    }

    /// All values of a parameter; [`param::THETA`] is what is learned.
    pub fn get(&self, context: &Context, param: i32) -> Result<Vec<f64>> {
        let mut count = 0;
        context.check(|| unsafe {
            sys::qnt_trainer_get(context.handle(), self.handle, param, ptr::null_mut(), 0, &mut count)
        })?;
        let mut values = vec![0.0; count];
        context.check(|| unsafe {
            sys::qnt_trainer_get(context.handle(), self.handle, param, values.as_mut_ptr(), count,
                                 &mut count)
        })?;
        Ok(values)
    }

    /// Sets a parameter.
    pub fn set(&mut self, context: &Context, param: i32, values: &[f64]) -> Result<()> {
        context.check(|| unsafe {
            sys::qnt_trainer_set(context.handle(), self.handle, param, values.as_ptr(), values.len())
        })
    }

    /// Quantized values at the present step.
    pub fn forward(&self, context: &Context, x: &View, y: &mut ViewMut) -> Result<()> {
        let (x, mut y) = (x.0.raw(), y.0.raw());
        context.check(|| unsafe {
            sys::qnt_trainer_forward(context.handle(), self.handle, &x, &mut y)
        })
    }

    /// The gradient by x into dx, and the one by what is learned.
    pub fn backward(&self, context: &Context, x: &View, dy: &View, dx: &mut ViewMut)
        -> Result<Vec<f64>> {
        let mut slope = vec![0.0; self.get(context, param::THETA)?.len()];
        let (x, dy, mut dx) = (x.0.raw(), dy.0.raw(), dx.0.raw());
        context.check(|| unsafe {
            sys::qnt_trainer_backward(context.handle(), self.handle, &x, &dy, &mut dx,
                                      slope.as_mut_ptr(), slope.len())
        })?;
        Ok(slope)
    }

    /// Moves numbers towards those that a batch asks for.
    pub fn refit(&mut self, context: &Context, x: &View, share: f64) -> Result<()> {
        let x = x.0.raw();
        context.check(|| unsafe { sys::qnt_trainer_refit(context.handle(), self.handle, &x, share) })
    }

    /// The quantizer that was learned; some methods need the weights.
    pub fn export(&self, context: &Context, x: Option<&View>) -> Result<Quantizer> {
        let (x, mut handle) = (x.map(|view| view.0.raw()), ptr::null_mut());
        context.check(|| unsafe {
            sys::qnt_trainer_export(context.handle(), self.handle, pointer(&x), &mut handle)
        })?;
        Ok(Quantizer::from_handle(handle))
    }
}

impl Drop for Trainer {
    fn drop(&mut self) {
        unsafe { sys::qnt_trainer_destroy(self.handle) }
    }
}

/// How a step of [`Bases`] changes weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Not at all: before pruning.
    Gather = 0,
    /// New signs, then coordinates refitted.
    Bases = 1,
    /// New coordinates, the signs stay.
    Coordinates = 2,
    /// As Bases, with a float copy of the weights: for the end.
    Straight = 3,
}

/// Weights as sums of signs that learn with the loss (ALQ).
pub struct Bases {
    handle: *mut sys::qnt_alq,
}

// Safety: const functions may run at once, the others take &mut self.
unsafe impl Send for Bases {}
unsafe impl Sync for Bases {}

impl Bases {
    /// Takes weights apart into at most so many bases for each group.
    pub fn new(context: &Context, w: &View, most: i32, grain: Grain) -> Result<Bases> {
        let (grain, axis, block) = grain.raw();
        let raw = sys::qnt_spec {
            size: size_of::<sys::qnt_spec>() as u32,
            scheme: Scheme::Points as i32,
            method: Training::Alq as i32,
            bits: 1,
            points: most,
            grain,
            axis,
            block,
            ..Default::default()
        };
        let (w, mut handle) = (w.0.raw(), ptr::null_mut());
        context.check(|| unsafe { sys::qnt_alq_create(context.handle(), &raw, &w, &mut handle) })?;
        Ok(Bases { handle })
    }

    /// The weights as they are now.
    pub fn weights(&self, context: &Context, w: &mut ViewMut) -> Result<()> {
        let mut w = w.0.raw();
        context.check(|| unsafe { sys::qnt_alq_weights(context.handle(), self.handle, &mut w) })
    }

    /// One step against the gradient by the weights.
    pub fn step(&mut self, context: &Context, mode: Mode, rate: f64, dw: &View) -> Result<()> {
        let dw = dw.0.raw();
        context.check(|| unsafe {
            sys::qnt_alq_step(context.handle(), self.handle, mode as i32, rate, &dw)
        })
    }

    /// Takes bases whose loss is least out of all layers, at most so many, down to so many bits.
    pub fn prune(context: &Context, layers: &mut [Bases], most: u64, bits: f64) -> Result<()> {
        let handles: Vec<_> = layers.iter().map(|layer| layer.handle).collect();
        context.check(|| unsafe {
            sys::qnt_alq_prune(context.handle(), handles.as_ptr(), handles.len(), most, bits)
        })
    }

    /// Mean bits of a weight of these layers.
    pub fn bits(context: &Context, layers: &[Bases]) -> Result<f64> {
        let handles: Vec<_> = layers.iter().map(|layer| layer.handle).collect();
        let mut bits = 0.0;
        context.check(|| unsafe {
            sys::qnt_alq_bits(context.handle(), handles.as_ptr(), handles.len(), &mut bits)
        })?;
        Ok(bits)
    }

    /// Everything that a training goes on from.
    pub fn state(&self, context: &Context) -> Result<Vec<f64>> {
        let mut count = 0;
        context.check(|| unsafe {
            sys::qnt_alq_get_state(context.handle(), self.handle, ptr::null_mut(), 0, &mut count)
        })?;
        let mut values = vec![0.0; count];
        context.check(|| unsafe {
            sys::qnt_alq_get_state(context.handle(), self.handle, values.as_mut_ptr(), count,
                                   &mut count)
        })?;
        Ok(values)
    }

    /// Goes on from a state.
    pub fn set_state(&mut self, context: &Context, values: &[f64]) -> Result<()> {
        context.check(|| unsafe {
            sys::qnt_alq_set_state(context.handle(), self.handle, values.as_ptr(), values.len())
        })
    }

    /// The quantizer that was learned.
    pub fn export(&self, context: &Context) -> Result<Quantizer> {
        let mut handle = ptr::null_mut();
        context.check(|| unsafe { sys::qnt_alq_export(context.handle(), self.handle, &mut handle) })?;
        Ok(Quantizer::from_handle(handle))
    }
}

impl Drop for Bases {
    fn drop(&mut self) {
        unsafe { sys::qnt_alq_destroy(self.handle) }
    }
}

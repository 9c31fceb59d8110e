//! Quantizers.

use crate::context::Callback;
use crate::kernel::{save, Blob};
use crate::tensor::{described, pointer};
use crate::{sys, Context, Error, Result, View, ViewMut};
use std::mem::{size_of, ManuallyDrop};
use std::os::raw::c_void;
use std::ptr;

/// How parameters are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Method {
    /// Set by the caller.
    #[default]
    Fixed = 0,
    /// From the smallest and largest value.
    MinMax = 1,
    /// From quantiles.
    Percentile = 2,
    /// Least Kullback-Leibler divergence of clipped histograms.
    Entropy = 3,
    /// Optimal clipping of a fitted density.
    Analytic = 4,
    /// Provably least weighted squared error.
    Mse = 5,
    /// Table: bins of equal weight.
    Balanced = 6,
    /// Points: bases of signs.
    Bases = 7,
    /// Points: low-bit integers.
    Multipoint = 8,
    /// Exponential: DNA-TEQ.
    Teq = 9,
    /// Table: levels of provably least weighted squared error.
    Kmeans = 10,
    /// Table: levels by Lloyd's iteration.
    Lloyd = 11,
    /// Table: normal quantiles.
    Nf4 = 12,
    /// Table: E2M1.
    Fp4 = 13,
    /// Table: powers of two.
    Pot = 14,
    /// Table: sums of powers of two.
    Apot = 15,
    /// Table: the caller's levels, set as `param::LEVELS`.
    Levels = 16,
}

/// What a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Scheme {
    /// scale * (code - zero).
    #[default]
    Affine = 0,
    /// scale * sum of coef[p] * digit p.
    Points = 1,
    /// +-(alpha * base^exponent + beta), or 0.
    Exp = 2,
    /// scale * level[code].
    Table = 3,
}

/// What shares one set of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Grain {
    /// Everything.
    #[default]
    Tensor,
    /// Each index along an axis; negative counts from the end.
    Axis(i32),
    /// Each so many elements along an axis.
    Block(i32, usize),
}

impl Grain {
    pub(crate) fn raw(&self) -> (i32, i32, i64) {
        match *self {
            Grain::Tensor => (0, 0, 0),
            Grain::Axis(axis) => (1, axis, 0),
            Grain::Block(axis, block) => (2, axis, block as i64),
        }
    }
}

/// A request for a quantizer; the default is 8 bits, unsigned, per tensor, set by the caller.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)] // the flags of qnt_spec, by name
pub struct Spec {
    /// What a code means.
    pub scheme: Scheme,
    /// How parameters are found.
    pub method: Method,
    /// Bits of one code, of one point, or of the exponent; 0 is the scheme's default.
    pub bits: i32,
    /// Of [`Scheme::Points`]: at most so many.
    pub points: i32,
    /// Granularity.
    pub grain: Grain,
    pub signed: bool,
    pub symmetric: bool,
    pub narrow: bool,
    pub dynamic: bool,
    pub literal: bool,
    pub real_offset: bool,
    pub thresholds: bool,
    /// Of stochastic methods.
    pub seed: u64,
}

impl Spec {
    fn raw(&self) -> sys::qnt_spec {
        let flags = [self.signed, self.symmetric, self.narrow, self.dynamic, self.literal,
                     self.real_offset, self.thresholds];
        let (grain, axis, block) = self.grain.raw();
        sys::qnt_spec {
            size: size_of::<sys::qnt_spec>() as u32,
            scheme: self.scheme as i32,
            method: self.method as i32,
            points: self.points,
            bits: self.bits,
            flags: flags.iter().enumerate().map(|(i, &on)| (on as i32) << i).sum(),
            grain,
            axis,
            block,
            seed: self.seed,
            ..Default::default()
        }
    }
}

/// Parameters of quantizers and trainers, for their `get` and `set`; the headers say what each means.
#[allow(missing_docs)]
pub mod param {
    pub const SCALE: i32 = 1;
    pub const ZERO: i32 = 2;
    pub const OFFSET: i32 = 3;
    pub const LOW: i32 = 4;
    pub const HIGH: i32 = 5;
    pub const COEF: i32 = 6;
    pub const COUNT: i32 = 7;
    pub const BASE: i32 = 8;
    pub const ALPHA: i32 = 9;
    pub const BETA: i32 = 10;
    pub const LEVELS: i32 = 11;
    pub const THRESHOLDS: i32 = 12;
    pub const PERCENTILE: i32 = 16;
    pub const DISTRIBUTION: i32 = 17;
    pub const SAMPLES: i32 = 18;
    pub const BINS: i32 = 19;
    pub const NODES: i32 = 20;
    pub const BUDGET: i32 = 21;
    pub const TOLERANCE: i32 = 22;
    pub const ROUNDS: i32 = 23;
    pub const EXTRA: i32 = 24;
    pub const ERROR: i32 = 32;
    pub const BOUND: i32 = 33;
    pub const VISITED: i32 = 34;
    pub const OBSERVED: i32 = 35;
    pub const MIN: i32 = 36;
    pub const MAX: i32 = 37;
    pub const STORED: i32 = 38;
    pub const OVERHEAD: i32 = 39;
    pub const THETA: i32 = 64;
    pub const STEP: i32 = 65;
    pub const EPOCH: i32 = 66;
    pub const TEMPERATURE: i32 = 67;
    pub const HARD: i32 = 68;
    pub const DELTA: i32 = 69;
    pub const KEEP: i32 = 70;
    pub const ANNEAL: i32 = 71;
    pub const PENALTY: i32 = 72;
}

/// What quantizing a tensor costs.
pub type Measures = sys::qnt_error;

/// How exponents' bits are shared out, and what was found: the C struct. The default is as published.
pub type TeqSpec = sys::qnt_teq_spec;

/// A closure that measures a network of so many layers.
struct Network<F> {
    layers: usize,
    loss: F,
}

extern "C" fn lose<F: FnMut(&[&Quantizer], &[Option<&Quantizer>]) -> Option<f64>>(
    user: *mut c_void, weights: *const *const sys::qnt_quantizer,
    inputs: *const *const sys::qnt_quantizer, loss: *mut f64,
) -> i32 {
    // The library's own, lent for this call: they must not be freed.
    let lent = |pointer: *const sys::qnt_quantizer| {
        ManuallyDrop::new(Quantizer { handle: pointer as *mut sys::qnt_quantizer })
    };
    // Safety: user is the Callback of the search in progress; arrays have a pointer for each layer.
    unsafe {
        Callback::<Network<F>>::call(user, 1, |network| {
            let places = 0..network.layers;
            let weights: Vec<_> = places.clone().map(|i| lent(*weights.add(i))).collect();
            let inputs: Vec<_> = places
                .filter(|_| !inputs.is_null())
                .map(|i| Some(*inputs.add(i)).filter(|q| !q.is_null()).map(lent))
                .collect();
            let weights: Vec<&Quantizer> = weights.iter().map(|q| &**q).collect();
            let inputs: Vec<Option<&Quantizer>> = inputs.iter().map(|q| q.as_deref()).collect();
            match (network.loss)(&weights, &inputs) {
                Some(lost) => {
                    *loss = lost;
                    0
                }
                None => 1,
            }
        })
    }
}

/// What codes mean and how their parameters are found.
pub struct Quantizer {
    handle: *mut sys::qnt_quantizer,
}

// Safety: const functions of one quantizer may run on any number of threads at once; the others take
// &mut self.
unsafe impl Send for Quantizer {}
unsafe impl Sync for Quantizer {}

impl Quantizer {
    /// Creates a quantizer.
    pub fn new(context: &Context, spec: &Spec) -> Result<Quantizer> {
        let (mut handle, raw) = (ptr::null_mut(), spec.raw());
        context.check(|| unsafe {
            sys::qnt_quantizer_create(context.handle(), &raw, &mut handle)
        })?;
        Ok(Quantizer { handle })
    }

    /// A quantizer with the parameters given: one scale and zero point, or one for each group.
    pub fn fixed(context: &Context, spec: &Spec, scale: &[f64], zero: &[f64]) -> Result<Quantizer> {
        let mut q = Quantizer::new(context, &Spec { method: Method::Fixed, ..*spec })?;
        q.set(context, param::SCALE, scale)?;
        q.set(context, param::ZERO, zero)?;
        Ok(q)
    }

    pub(crate) fn handle(&self) -> *const sys::qnt_quantizer {
        self.handle
    }

    pub(crate) fn from_handle(handle: *mut sys::qnt_quantizer) -> Quantizer {
        Quantizer { handle }
    }

    /// What this was made of, defaults filled in, as the C struct.
    pub fn spec(&self, context: &Context) -> Result<sys::qnt_spec> {
        let mut raw = sys::qnt_spec { size: size_of::<sys::qnt_spec>() as u32, ..Default::default() };
        context.check(|| unsafe {
            sys::qnt_quantizer_spec(context.handle(), self.handle, &mut raw)
        })?;
        Ok(raw)
    }

    /// Gathers statistics of one batch.
    pub fn observe(&mut self, context: &Context, x: &View, importance: Option<&View>) -> Result<()> {
        let (x, importance) = (x.0.raw(), importance.map(|view| view.0.raw()));
        context.check(|| unsafe {
            sys::qnt_quantizer_observe(context.handle(), self.handle, &x, pointer(&importance))
        })
    }

    /// Lets points be placed by the error of a layer's outputs: inputs of one batch, [..., K].
    pub fn observe_inputs(&mut self, context: &Context, inputs: &View) -> Result<()> {
        let inputs = inputs.0.raw();
        context.check(|| unsafe {
            sys::qnt_quantizer_observe_inputs(context.handle(), self.handle, &inputs)
        })
    }

    /// Chooses the parameters from what was observed.
    pub fn fit(&mut self, context: &Context) -> Result<()> {
        context.check(|| unsafe { sys::qnt_quantizer_fit(context.handle(), self.handle) })
    }

    /// Fits two quantizers of [`Method::Teq`] with one base.
    pub fn fit_pair(context: &Context, a: &mut Quantizer, b: &mut Quantizer) -> Result<()> {
        context.check(|| unsafe { sys::qnt_quantizer_fit_pair(context.handle(), a.handle, b.handle) })
    }

    /// Gives the layers of a network the fewest bits of exponents within a loss that is measured (DNA-TEQ).
    ///
    /// Quantizers are of [`Method::Teq`] and have observed; they are fitted in the end. `inputs` are none at all,
    /// or one for each layer whose inputs are exponential. `loss` is given fitted quantizers for the length of
    /// its call and tells the share of accuracy that the network loses with them; `None` stops the search.
    pub fn teq_search<F>(context: &Context, weights: &mut [&mut Quantizer], inputs: &mut [Option<&mut Quantizer>],
                         spec: &TeqSpec, loss: F) -> Result<TeqSpec>
    where
        F: FnMut(&[&Quantizer], &[Option<&Quantizer>]) -> Option<f64>,
    {
        if !inputs.is_empty() && inputs.len() != weights.len() {
            let reason = format!("{} inputs of {} layers", inputs.len(), weights.len());
            return Err(Error::new("QNT_E_SHAPE", reason));
        }
        let of_weights: Vec<_> = weights.iter().map(|q| q.handle).collect();
        let of_inputs: Vec<_> =
            inputs.iter().map(|q| q.as_ref().map_or(ptr::null_mut(), |q| q.handle)).collect();
        let mut raw = TeqSpec { size: size_of::<TeqSpec>() as u32, ..*spec };
        let mut loss = Callback::new(Network { layers: weights.len(), loss });
        let status = context.check(|| unsafe {
            let inputs = if of_inputs.is_empty() { ptr::null() } else { of_inputs.as_ptr() };
            sys::qnt_teq_search(context.handle(), of_weights.as_ptr(), inputs, of_weights.len(), &mut raw,
                                Some(lose::<F>), loss.user())
        });
        loss.finish(status)?;
        Ok(raw)
    }

    /// All values of a parameter.
    pub fn get(&self, context: &Context, param: i32) -> Result<Vec<f64>> {
        let mut count = 0;
        context.check(|| unsafe {
            sys::qnt_quantizer_get(context.handle(), self.handle, param, ptr::null_mut(), 0,
                                   &mut count)
        })?;
        let mut values = vec![0.0; count];
        context.check(|| unsafe {
            sys::qnt_quantizer_get(context.handle(), self.handle, param, values.as_mut_ptr(), count,
                                   &mut count)
        })?;
        Ok(values)
    }

    /// Sets a parameter: one value for all groups, or one for each.
    pub fn set(&mut self, context: &Context, param: i32, values: &[f64]) -> Result<()> {
        context.check(|| unsafe {
            sys::qnt_quantizer_set(context.handle(), self.handle, param, values.as_ptr(),
                                   values.len())
        })
    }

    /// Bytes of the packed codes of x.
    pub fn code_bytes(&self, context: &Context, x: &View) -> Result<usize> {
        let raw = x.0.raw();
        let (shape, _, bits) = described(|codes| {
            context.check(|| unsafe {
                sys::qnt_quantizer_view(context.handle(), self.handle, &raw, codes)
            })
        })?;
        Ok((shape.iter().product::<usize>() * bits as usize + 7) / 8)
    }

    /// Turns floats into codes, packed or one per byte.
    pub fn encode(&self, context: &Context, x: &View, codes: &mut ViewMut) -> Result<()> {
        let (x, mut codes) = (x.0.raw(), codes.0.raw());
        context.check(|| unsafe {
            sys::qnt_quantizer_encode(context.handle(), self.handle, &x, &mut codes)
        })
    }

    /// Turns codes into floats.
    pub fn decode(&self, context: &Context, codes: &View, y: &mut ViewMut) -> Result<()> {
        let (codes, mut y) = (codes.0.raw(), y.0.raw());
        context.check(|| unsafe {
            sys::qnt_quantizer_decode(context.handle(), self.handle, &codes, &mut y)
        })
    }

    /// decode(encode(x)) into y.
    pub fn apply(&self, context: &Context, x: &View, y: &mut ViewMut) -> Result<()> {
        let (x, mut y) = (x.0.raw(), y.0.raw());
        context.check(|| unsafe {
            sys::qnt_quantizer_apply(context.handle(), self.handle, &x, &mut y)
        })
    }

    /// decode(encode(x)) in place.
    pub fn apply_in_place(&self, context: &Context, x: &mut ViewMut) -> Result<()> {
        let mut raw = x.0.raw();
        let raw: *mut sys::qnt_tensor = &mut raw;
        context.check(|| unsafe {
            sys::qnt_quantizer_apply(context.handle(), self.handle, raw, raw)
        })
    }

    /// What quantizing x costs.
    pub fn measure(&self, context: &Context, x: &View, importance: Option<&View>)
        -> Result<Measures> {
        let (x, importance) = (x.0.raw(), importance.map(|view| view.0.raw()));
        let mut out = Measures { size: size_of::<Measures>() as u32, ..Default::default() };
        context.check(|| unsafe {
            sys::qnt_quantizer_error(context.handle(), self.handle, &x, pointer(&importance),
                                     &mut out)
        })?;
        Ok(out)
    }

    /// The blob.
    pub fn save(&self, context: &Context) -> Result<Blob> {
        save(context, |data, capacity, length| unsafe {
            sys::qnt_quantizer_save(context.handle(), self.handle, data, capacity, length)
        })
    }

    /// A quantizer from a blob, which may be hostile.
    pub fn load(context: &Context, blob: &[u8]) -> Result<Quantizer> {
        let mut handle = ptr::null_mut();
        context.check(|| unsafe {
            sys::qnt_quantizer_load(context.handle(), blob.as_ptr() as *const c_void, blob.len(),
                                    &mut handle)
        })?;
        Ok(Quantizer { handle })
    }
}

impl Drop for Quantizer {
    fn drop(&mut self) {
        unsafe { sys::qnt_quantizer_destroy(self.handle) }
    }
}

//! Kernel-map layers: features that nobody labelled (convolutional kernel networks).

use crate::context::Callback;
use crate::kernel::{save, Blob};
use crate::tensor::{described, pointer};
use crate::{sys, Context, Result, View, ViewMut};
use std::mem::size_of;
use std::os::raw::c_void;
use std::ptr;

/// A request for a map; what is 0 has the library's default.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct MapSpec {
    /// Of the input.
    pub channels: i32,
    /// Height and width of a patch.
    pub kernel: i32,
    /// Zeros on every side.
    pub pad: i32,
    /// Anchors.
    pub filters: i32,
    /// Pooling keeps every so-manieth place.
    pub subsample: i32,
    /// 1 to 8, or 32.
    pub anchor_bits: i32,
    /// 1 to 8, or 32.
    pub patch_bits: i32,
    /// The mean of a patch is taken away first.
    pub centre: bool,
    /// Width of the kernel.
    pub sigma: f32,
    /// Added to the roots of eigenvalues.
    pub regulariser: f32,
    /// Of places and first anchors.
    pub seed: u64,
    /// The expansion of 2014.
    pub literal: bool,
}

impl MapSpec {
    fn raw(&self) -> sys::qnt_ckn_spec {
        sys::qnt_ckn_spec {
            size: size_of::<sys::qnt_ckn_spec>() as u32,
            channels: self.channels,
            kernel: self.kernel,
            pad: self.pad,
            filters: self.filters,
            subsample: self.subsample,
            anchor_bits: self.anchor_bits,
            patch_bits: self.patch_bits,
            centre: self.centre as i32,
            sigma: self.sigma,
            regulariser: self.regulariser,
            seed: self.seed,
            flags: if self.literal { sys::QNT_LITERAL } else { 0 },
            ..Default::default()
        }
    }
}

/// What a map learns from: how many images of which size, and patches of all of them.
#[derive(Clone, Copy, Debug)]
pub struct MapData {
    /// Of the images.
    pub height: usize,
    /// Of the images.
    pub width: usize,
    /// How many there are.
    pub images: u64,
    /// How many to take from all of them.
    pub patches: u64,
    /// Of k-means, at most; 0 is 100.
    pub rounds: i32,
}

/// One kernel-map layer.
pub struct KernelMap {
    handle: *mut sys::qnt_ckn,
}

// Safety: reading needs &, changing &mut; the C API asks for no more.
unsafe impl Send for KernelMap {}
unsafe impl Sync for KernelMap {}

/// What the C callback reaches.
/// A closure that fills in an image of so many floats.
struct Reader<F> {
    floats: usize,
    read: F,
}

extern "C" fn read_image<F: FnMut(u64, &mut [f32]) -> bool>(user: *mut c_void, index: u64, image: *mut f32)
    -> i32 {
    // Safety: user is the Callback of the fit in progress; an image has as many floats as its Reader says.
    unsafe {
        Callback::<Reader<F>>::call(user, 1, |reader| {
            let image = std::slice::from_raw_parts_mut(image, reader.floats);
            image.fill(0.0); // what was there is none of the reader's business
            !(reader.read)(index, image) as i32
        })
    }
}

impl KernelMap {
    /// A map without anchors.
    pub fn new(context: &Context, spec: &MapSpec) -> Result<KernelMap> {
        let mut handle = ptr::null_mut();
        context.check(|| unsafe {
            sys::qnt_ckn_create(context.handle(), &spec.raw(), &mut handle)
        })?;
        Ok(KernelMap { handle })
    }

    /// A map from a blob.
    pub fn load(context: &Context, data: &[u8]) -> Result<KernelMap> {
        let mut handle = ptr::null_mut();
        context.check(|| unsafe {
            sys::qnt_ckn_load(context.handle(), data.as_ptr() as *const c_void, data.len(),
                              &mut handle)
        })?;
        Ok(KernelMap { handle })
    }

    /// The map as a blob.
    pub fn save(&self, context: &Context) -> Result<Blob> {
        save(context, |data, capacity, length| unsafe {
            sys::qnt_ckn_save(context.handle(), self.handle, data, capacity, length)
        })
    }

    /// The request with its defaults filled in, and sigma as it was found.
    pub fn describe(&self, context: &Context) -> Result<MapSpec> {
        let mut raw = MapSpec::default().raw();
        context.check(|| unsafe {
            sys::qnt_ckn_describe(context.handle(), self.handle, &mut raw)
        })?;
        Ok(MapSpec {
            channels: raw.channels,
            kernel: raw.kernel,
            pad: raw.pad,
            filters: raw.filters,
            subsample: raw.subsample,
            anchor_bits: raw.anchor_bits,
            patch_bits: raw.patch_bits,
            centre: raw.centre != 0,
            sigma: raw.sigma,
            regulariser: raw.regulariser,
            seed: raw.seed,
            literal: raw.flags & sys::QNT_LITERAL != 0,
        })
    }

    /// Learns anchors; `read(index, image)` fills in an image and says whether it could.
    pub fn fit<F: FnMut(u64, &mut [f32]) -> bool>(&mut self, context: &Context, data: &MapData, read: F)
        -> Result<()> {
        let channels = self.describe(context)?.channels.max(0) as usize;
        let most = i32::MAX as usize;
        let (height, width) = (data.height.min(most), data.width.min(most));
        let floats = height.saturating_mul(width).saturating_mul(channels);
        let mut reader = Callback::new(Reader { floats, read });
        let raw = sys::qnt_ckn_data {
            size: size_of::<sys::qnt_ckn_data>() as u32,
            height: height as i32,
            width: width as i32,
            rounds: data.rounds,
            images: data.images,
            patches: data.patches,
            read: Some(read_image::<F>),
            user: reader.user(),
        };
        let status = context.check(|| unsafe { sys::qnt_ckn_fit(context.handle(), self.handle, &raw) });
        reader.finish(status)
    }

    /// Sets anchors, `[filters, kernel * kernel * channels]`.
    pub fn set(&mut self, context: &Context, anchors: &View) -> Result<()> {
        let raw = anchors.0.raw();
        context.check(|| unsafe { sys::qnt_ckn_set(context.handle(), self.handle, &raw) })
    }

    /// The anchors as they are kept.
    pub fn get(&self, context: &Context, anchors: &mut ViewMut) -> Result<()> {
        let mut raw = anchors.0.raw();
        context.check(|| unsafe { sys::qnt_ckn_get(context.handle(), self.handle, &mut raw) })
    }

    /// Maps images `[B, H, W, channels]`; the values and their shape.
    pub fn run(&self, context: &Context, x: &View) -> Result<(Vec<f32>, Vec<usize>)> {
        let raw = x.0.raw();
        let (shape, _, _) = described(|y| {
            context.check(|| unsafe { sys::qnt_ckn_view(context.handle(), self.handle, &raw, y) })
        })?;
        let mut bytes = 0;
        context.check(|| unsafe {
            sys::qnt_ckn_workspace(context.handle(), self.handle, &raw, &mut bytes)
        })?;
        let mut values = vec![0f32; shape.iter().product()];
        let mut space = vec![0u8; bytes];
        let y = ViewMut::new(&mut values, &shape)?;
        let mut raw_y = y.0.raw();
        context.check(|| unsafe {
            sys::qnt_ckn_run(context.handle(), self.handle, &raw, &mut raw_y,
                             space.as_mut_ptr() as *mut c_void, bytes)
        })?;
        Ok((values, shape))
    }

    /// Derivatives of a loss by x, by the anchors, and by sigma, from those by the result.
    pub fn backward(&self, context: &Context, x: &View, dy: &View, dx: Option<&mut ViewMut>,
                    danchors: Option<&mut ViewMut>) -> Result<f64> {
        let (x, dy) = (x.0.raw(), dy.0.raw());
        let (dx, danchors) = (dx.map(|v| v.0.raw()), danchors.map(|v| v.0.raw()));
        let mut dsigma = 0.0;
        context.check(|| unsafe {
            sys::qnt_ckn_backward(context.handle(), self.handle, &x, &dy,
                                  pointer(&dx) as *mut sys::qnt_tensor,
                                  pointer(&danchors) as *mut sys::qnt_tensor, &mut dsigma)
        })?;
        Ok(dsigma)
    }

    /// The kernel of two patches, exactly.
    pub fn kernel(&self, context: &Context, a: &View, b: &View) -> Result<f64> {
        let (a, b, mut value) = (a.0.raw(), b.0.raw(), 0.0);
        context.check(|| unsafe {
            sys::qnt_ckn_kernel(context.handle(), self.handle, &a, &b, &mut value)
        })?;
        Ok(value)
    }
}

impl Drop for KernelMap {
    fn drop(&mut self) {
        unsafe { sys::qnt_ckn_destroy(self.handle) }
    }
}

//! Quantization tables of pictures: what a table does, what the file costs, searches for tables.

use crate::context::Callback;
use crate::{sys, Context, Error, Result};
use std::mem::size_of;
use std::os::raw::{c_char, c_void};
use std::ptr;

pub use crate::sys::qnt_qtable as Table;
pub use crate::sys::qnt_trial as Trial;

/// An example table of ITU-T T.81 at a quality from 1 to 100.
pub fn standard_table(context: &Context, chroma: bool, quality: i32) -> Result<Table> {
    let mut table = Table { step: [0; 64] };
    context.check(|| unsafe {
        sys::qnt_qtable_standard(context.handle(), chroma as i32, quality, &mut table)
    })?;
    Ok(table)
}

/// What `cjpeg -qtables` reads.
pub fn table_text(context: &Context, tables: &[Table]) -> Result<String> {
    let mut length = 0;
    let mut call = |text: *mut c_char, capacity| {
        context.check(|| unsafe {
            sys::qnt_qtable_text(context.handle(), tables.as_ptr(), tables.len(), text, capacity,
                                 &mut length)
        })?;
        Ok(length)
    };
    let mut text = vec![0u8; call(ptr::null_mut(), 0)? + 1];
    call(text.as_mut_ptr() as *mut c_char, text.len())?;
    text.pop();
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The orthonormal 8x8 cosine transform, as JPEG scales it; row-major, levels are not shifted.
pub fn dct_forward(pixels: &[f32; 64]) -> [f32; 64] {
    let mut coefficients = [0.0; 64];
    unsafe { sys::qnt_dct_forward(pixels.as_ptr(), coefficients.as_mut_ptr()) };
    coefficients
}

/// The inverse of [`dct_forward`].
pub fn dct_inverse(coefficients: &[f32; 64]) -> [f32; 64] {
    let mut pixels = [0.0; 64];
    unsafe { sys::qnt_dct_inverse(coefficients.as_ptr(), pixels.as_mut_ptr()) };
    pixels
}

/// Peak signal-to-noise ratio of two pictures of as many bytes, in decibels; infinite if they are equal.
pub fn psnr(context: &Context, a: &[u8], b: &[u8]) -> Result<f64> {
    if a.len() != b.len() {
        return Err(Error::new("QNT_E_SHAPE", format!("pictures of {} and {} bytes", a.len(), b.len())));
    }
    let (n, mut found) = (a.len(), 0.0);
    context.check(|| unsafe {
        sys::qnt_psnr(context.handle(), a.as_ptr(), n, b.as_ptr(), n, n, 1, &mut found)
    })?;
    Ok(found)
}

/// Resolution of the colour differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// Half in both directions, 4:2:0.
    Halved = 0,
    /// Full, 4:4:4.
    Full = 1,
}

/// Bytes of a baseline file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSize {
    /// All: header and entropy.
    pub file: u64,
    /// Markers, tables and codes.
    pub header: u64,
    /// Coded blocks, stuffing included.
    pub entropy: u64,
    /// Bits of the coded blocks.
    pub bits: u64,
}

/// A picture as transform coefficients.
pub struct Picture {
    handle: *mut sys::qnt_image,
    row: usize,
    height: usize,
}

// Safety: reading needs &, changing &mut; the C API asks for no more.
unsafe impl Send for Picture {}
unsafe impl Sync for Picture {}

impl Picture {
    /// Reads `pixels`, rows of width * components bytes: grey (1) or RGB (3).
    pub fn new(context: &Context, pixels: &[u8], width: usize, components: usize,
               sampling: Sampling) -> Result<Picture> {
        let row = width.saturating_mul(components).max(1);
        let height = pixels.len() / row;
        let spec = sys::qnt_image_spec {
            size: size_of::<sys::qnt_image_spec>() as u32,
            width: width.min(i32::MAX as usize) as i32,
            height: height.min(i32::MAX as usize) as i32,
            components: components.min(i32::MAX as usize) as i32,
            sampling: sampling as i32,
            transform: 0,
        };
        let mut handle = ptr::null_mut();
        context.check(|| unsafe { sys::qnt_image_create(context.handle(), &spec, &mut handle) })?;
        let picture = Picture { handle, row, height };
        context.check(|| unsafe {
            sys::qnt_image_read(context.handle(), picture.handle, pixels.as_ptr(), row)
        })?;
        Ok(picture)
    }

    /// One table for all components, two for Y and both others, or three.
    pub fn quantize(&mut self, context: &Context, tables: &[Table]) -> Result<()> {
        context.check(|| unsafe {
            sys::qnt_image_quantize(context.handle(), self.handle, tables.as_ptr(), tables.len())
        })
    }

    /// The levels of grey or Y (0), Cb (1), Cr (2): blocks in raster order, and how many make a row. What is
    /// changed in them is what [`Picture::size`] counts and [`Picture::decode`] sees.
    pub fn levels(&mut self, context: &Context, component: i32) -> Result<(&mut [[i16; 64]], usize)> {
        let (mut levels, mut wide, mut high) = (ptr::null_mut(), 0, 0);
        context.check(|| unsafe {
            sys::qnt_image_levels(context.handle(), self.handle, component, &mut levels, &mut wide, &mut high)
        })?;
        // Safety: the memory belongs to the image, which is borrowed as long as the slice.
        let blocks = unsafe { std::slice::from_raw_parts_mut(levels as *mut [i16; 64], wide * high) };
        Ok((blocks, wide))
    }

    /// Bytes of the file with the example Huffman codes, or with optimal ones.
    pub fn size(&self, context: &Context, optimal: bool) -> Result<FileSize> {
        let mut raw = sys::qnt_image_bytes {
            size: size_of::<sys::qnt_image_bytes>() as u32,
            ..Default::default()
        };
        context.check(|| unsafe {
            sys::qnt_image_size(context.handle(), self.handle, optimal as i32, &mut raw)
        })?;
        Ok(FileSize { file: raw.file, header: raw.header, entropy: raw.entropy, bits: raw.bits })
    }

    /// Pixels of the quantized picture.
    pub fn decode(&self, context: &Context) -> Result<Vec<u8>> {
        let mut pixels = vec![0; self.row * self.height];
        context.check(|| unsafe {
            sys::qnt_image_write(context.handle(), self.handle, pixels.as_mut_ptr(), self.row)
        })?;
        Ok(pixels)
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        unsafe { sys::qnt_image_destroy(self.handle) }
    }
}

/// How a search chooses the next table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Half-normal values that rise along the diagonal order.
    Sorted = 0,
    /// Uniform in a box.
    Bounded = 1,
    /// Gaussian process and expected improvement, in a box.
    Bayes = 2,
    /// Heuristics chosen by a bandit, in a box.
    Bandit = 3,
}

/// A request for a search; the default is the published sampling.
#[derive(Clone, Copy, Debug)]
pub struct SearchSpec<'a> {
    /// How the next table is chosen.
    pub strategy: Strategy,
    /// The same seed and answers give the same tables.
    pub seed: u64,
    /// Uniform trials before a model or bandit takes over; 0: as many as usual.
    pub start: i32,
    /// Range of the factor of sorted tables; both 0: 0.5 to 1.5.
    pub scale: (f64, f64),
    /// Target window of the rate; both 0: any.
    pub window: (f64, f64),
    /// Reference utility: curve[0] + curve[1] rate + curve[2] rate^2.
    pub curve: [f64; 3],
    /// Lower and upper corner of the box.
    pub corners: Option<(&'a Table, &'a Table)>,
}

impl Default for SearchSpec<'_> {
    fn default() -> Self {
        SearchSpec { strategy: Strategy::Sorted, seed: 0, start: 0, scale: (0.0, 0.0),
                     window: (0.0, 0.0), curve: [0.0; 3], corners: None }
    }
}

extern "C" fn measure_trial<F: FnMut(&Table) -> Option<(f64, f64)>>(
    user: *mut c_void, tables: *const Table, _count: usize, rate: *mut f64, utility: *mut f64,
) -> i32 {
    // Safety: user is the Callback of the call in progress; there is at least one table.
    unsafe {
        Callback::<F>::call(user, 1, |measure| match measure(&*tables) {
            Some(found) => {
                *rate = found.0;
                *utility = found.1;
                0
            }
            None => 1,
        })
    }
}

/// Proposes tables and is told what they achieved.
pub struct Search {
    handle: *mut sys::qnt_search,
}

// Safety: as for pictures.
unsafe impl Send for Search {}
unsafe impl Sync for Search {}

impl Search {
    /// Starts a search; the corners are copied.
    pub fn new(context: &Context, spec: &SearchSpec) -> Result<Search> {
        let corner = |table: Option<&Table>| table.map_or(ptr::null(), |table| table as *const Table);
        let raw = sys::qnt_search_spec {
            size: size_of::<sys::qnt_search_spec>() as u32,
            method: spec.strategy as i32,
            tables: 1,
            start: spec.start,
            seed: spec.seed,
            scale_low: spec.scale.0,
            scale_high: spec.scale.1,
            rate_low: spec.window.0,
            rate_high: spec.window.1,
            curve: spec.curve,
            low: corner(spec.corners.map(|corners| corners.0)),
            high: corner(spec.corners.map(|corners| corners.1)),
        };
        let mut handle = ptr::null_mut();
        context.check(|| unsafe { sys::qnt_search_create(context.handle(), &raw, &mut handle) })?;
        Ok(Search { handle })
    }

    /// The table to try next.
    pub fn ask(&mut self, context: &Context) -> Result<Table> {
        let mut table = Table { step: [0; 64] };
        context.check(|| unsafe { sys::qnt_search_ask(context.handle(), self.handle, &mut table) })?;
        Ok(table)
    }

    /// What it achieved; larger is better in both.
    pub fn tell(&mut self, context: &Context, rate: f64, utility: f64) -> Result<()> {
        context.check(|| unsafe {
            sys::qnt_search_tell(context.handle(), self.handle, rate, utility)
        })
    }

    /// Asks, measures and tells, `budget` times. `None` ends it with an error; trials until then are kept.
    pub fn run<F>(&mut self, context: &Context, budget: u64, measure: F) -> Result<()>
    where
        F: FnMut(&Table) -> Option<(f64, f64)>,
    {
        let mut measure = Callback::new(measure);
        let status = context.check(|| unsafe {
            sys::qnt_search_run(context.handle(), self.handle, budget, Some(measure_trial::<F>), measure.user())
        });
        measure.finish(status)
    }

    /// All trials in order.
    pub fn trials(&self, context: &Context) -> Result<Vec<Trial>> {
        let none = Trial { rate: 0.0, utility: 0.0, table: [Table { step: [0; 64] }; 3] };
        let mut count = 0;
        let mut trials = Vec::new();
        for _ in 0..2 {
            let out = if trials.is_empty() { ptr::null_mut() } else { trials.as_mut_ptr() };
            context.check(|| unsafe {
                sys::qnt_search_trials(context.handle(), self.handle, out, trials.len(), &mut count)
            })?;
            trials.resize(count, none);
        }
        Ok(trials)
    }

    /// The trial in the window that is furthest above the curve; an error if there is none.
    pub fn best(&self, context: &Context) -> Result<Trial> {
        let mut best = Trial { rate: 0.0, utility: 0.0, table: [Table { step: [0; 64] }; 3] };
        context.check(|| unsafe { sys::qnt_search_best(context.handle(), self.handle, &mut best) })?;
        Ok(best)
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        unsafe { sys::qnt_search_destroy(self.handle) }
    }
}

/// Places of the trials that no other one beats in rate or utility without losing in the other, by falling
/// rate.
pub fn search_front(context: &Context, trials: &[Trial]) -> Result<Vec<usize>> {
    let (mut front, mut count) = (vec![0; trials.len()], 0);
    context.check(|| unsafe {
        sys::qnt_search_front(context.handle(), trials.as_ptr(), trials.len(), front.as_mut_ptr(), &mut count)
    })?;
    front.truncate(count);
    Ok(front)
}

/// Measures trials of one table anew, on data that no search has used. `None` ends it with an error; the rest
/// of the trials are as they were.
pub fn search_score<F>(context: &Context, trials: &mut [Trial], measure: F) -> Result<()>
where
    F: FnMut(&Table) -> Option<(f64, f64)>,
{
    let mut measure = Callback::new(measure);
    let status = context.check(|| unsafe {
        sys::qnt_search_score(context.handle(), trials.as_mut_ptr(), trials.len(), 1, Some(measure_trial::<F>),
                              measure.user())
    });
    measure.finish(status)
}

/// The reference curve through the front of trials.
pub fn search_curve(context: &Context, trials: &[Trial]) -> Result<[f64; 3]> {
    let mut curve = [0.0; 3];
    context.check(|| unsafe {
        sys::qnt_search_curve(context.handle(), trials.as_ptr(), trials.len(), curve.as_mut_ptr())
    })?;
    Ok(curve)
}

/// Lower and upper corner of a box around the front of trials in a window of rates.
pub fn search_box(context: &Context, trials: &[Trial], window: (f64, f64), spread: f64)
    -> Result<(Table, Table)> {
    let mut low = Table { step: [0; 64] };
    let mut high = low;
    context.check(|| unsafe {
        sys::qnt_search_box(context.handle(), trials.as_ptr(), trials.len(), window.0, window.1,
                            spread, &mut low, &mut high)
    })?;
    Ok((low, high))
}

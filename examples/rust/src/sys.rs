//! The C API as it is. The safe layer above needs nothing else; use it for hooks it does not offer,
//! e.g. an allocator or the host's own threads.

#![allow(missing_docs)] // the headers document all of this

use std::marker::{PhantomData, PhantomPinned};
use std::os::raw::{c_char, c_void};

macro_rules! opaque {
    ($($name:ident)*) => {$(
        #[repr(C)]
        pub struct $name {
            _data: [u8; 0],
            _not_send: PhantomData<(*mut u8, PhantomPinned)>,
        }
    )*};
}

opaque!(qnt_context qnt_quantizer qnt_layer qnt_lowbit_layer qnt_pool qnt_image qnt_search qnt_ckn
        qnt_trainer qnt_alq);

pub type qnt_status = i32;
pub type qnt_alloc_fn = extern "C" fn(*mut c_void, usize, usize) -> *mut c_void;
pub type qnt_free_fn = extern "C" fn(*mut c_void, *mut c_void, usize);
pub type qnt_task_fn = extern "C" fn(*mut c_void, usize, usize);
pub type qnt_parallel_fn =
    unsafe extern "C" fn(*mut c_void, Option<qnt_task_fn>, *mut c_void, usize) -> i32;
pub type qnt_log_fn = extern "C" fn(*mut c_void, i32, *const c_char);
pub type qnt_progress_fn = extern "C" fn(*mut c_void, u64, u64) -> i32;
pub type qnt_digit_fn = extern "C" fn(*mut c_void, i64, i32) -> i32;
pub type qnt_trial_fn =
    extern "C" fn(*mut c_void, *const qnt_qtable, usize, *mut f64, *mut f64) -> i32;
pub type qnt_teq_loss_fn = extern "C" fn(
    *mut c_void, *const *const qnt_quantizer, *const *const qnt_quantizer, *mut f64,
) -> i32;

pub const QNT_OK: qnt_status = 0;
pub const QNT_MAX_NDIM: usize = 8;
pub const QNT_INT: u8 = 0;
pub const QNT_UINT: u8 = 1;
pub const QNT_FLOAT: u8 = 2;
pub const QNT_BFLOAT: u8 = 4;
pub const QNT_ACCUMULATE: i32 = 1;
pub const QNT_LITERAL: i32 = 0x10;
pub const QNT_BORROW: i32 = 2;

/// Layout of DLTensor.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct qnt_tensor {
    pub data: *mut c_void,
    pub device_type: i32,
    pub device_id: i32,
    pub ndim: i32,
    pub dtype_code: u8,
    pub dtype_bits: u8,
    pub dtype_lanes: u16,
    pub shape: *mut i64,
    pub strides: *mut i64,
    pub byte_offset: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct qnt_teq_spec {
    pub size: u32,
    pub least_bits: i32,
    pub most_bits: i32,
    pub reserved: i32,
    pub step: f64,
    pub ratio: f64,
    pub bound: f64,
    pub threshold: f64,
    pub loss: f64,
    pub bits: f64,
    pub calls: u64,
}

/// 64 steps, row-major.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct qnt_qtable {
    pub step: [u16; 64],
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct qnt_image_spec {
    pub size: u32,
    pub width: i32,
    pub height: i32,
    pub components: i32,
    pub sampling: i32,
    pub transform: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct qnt_image_bytes {
    pub size: u32,
    pub reserved: u32,
    pub file: u64,
    pub header: u64,
    pub entropy: u64,
    pub stuffed: u64,
    pub bits: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct qnt_search_spec {
    pub size: u32,
    pub method: i32,
    pub tables: i32,
    pub start: i32,
    pub seed: u64,
    pub scale_low: f64,
    pub scale_high: f64,
    pub rate_low: f64,
    pub rate_high: f64,
    pub curve: [f64; 3],
    pub low: *const qnt_qtable,
    pub high: *const qnt_qtable,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct qnt_ckn_spec {
    pub size: u32,
    pub channels: i32,
    pub kernel: i32,
    pub pad: i32,
    pub filters: i32,
    pub subsample: i32,
    pub anchor_bits: i32,
    pub patch_bits: i32,
    pub centre: i32,
    pub sigma: f32,
    pub regulariser: f32,
    pub reserved: i32,
    pub seed: u64,
    pub flags: i32,
    pub reserved2: i32,
}

pub type qnt_ckn_image_fn =
    Option<extern "C" fn(user: *mut c_void, index: u64, image: *mut f32) -> i32>;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct qnt_ckn_data {
    pub size: u32,
    pub height: i32,
    pub width: i32,
    pub rounds: i32,
    pub images: u64,
    pub patches: u64,
    pub read: qnt_ckn_image_fn,
    pub user: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct qnt_trial {
    pub rate: f64,
    pub utility: f64,
    pub table: [qnt_qtable; 3],
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct qnt_spec {
    pub size: u32,
    pub scheme: i32,
    pub method: i32,
    pub bits: i32,
    pub flags: i32,
    pub grain: i32,
    pub axis: i32,
    pub points: i32,
    pub block: i64,
    pub seed: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct qnt_error {
    pub size: u32,
    pub reserved: u32,
    pub count: u64,
    pub mse: f64,
    pub sqnr_db: f64,
    pub rmae: f64,
    pub cosine: f64,
    pub largest: f64,
    pub bits: f64,
    pub clipped: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct qnt_conv {
    pub size: u32,
    pub groups: i32,
    pub group_shift: i32,
    pub stride: [i32; 2],
    pub dilation: [i32; 2],
    pub pad: [i32; 4],
    pub reserved: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct qnt_lowbit {
    pub size: u32,
    pub step: i32,
    pub zero: i32,
    pub channels: i32,
    pub pad: [i32; 4],
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct qnt_lowbit_spec {
    pub size: u32,
    pub step: i32,
    pub zero: i32,
    pub flags: i32,
    pub groups: i32,
    pub pad: [i32; 4],
    pub reserved: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct qnt_exp {
    pub size: u32,
    pub exponent_bits: i32,
    pub base: f64,
    pub alpha: f64,
    pub beta: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct qnt_layer_spec {
    pub size: u32,
    pub kind: i32,
    pub layout: i32,
    pub activation: i32,
    pub flags: i32,
    pub low: f32,
    pub high: f32,
    pub groups: i32,
    pub group_shift: i32,
    pub stride: [i32; 2],
    pub dilation: [i32; 2],
    pub pad: [i32; 4],
    pub reserved: i32,
}

extern "C" {
    pub fn qnt_version() -> u32;
    pub fn qnt_version_string() -> *const c_char;
    pub fn qnt_status_name(status: qnt_status) -> *const c_char;
    pub fn qnt_status_text(status: qnt_status) -> *const c_char;

    pub fn qnt_context_create(
        alloc: Option<qnt_alloc_fn>, free: Option<qnt_free_fn>, user: *mut c_void,
        out: *mut *mut qnt_context,
    ) -> qnt_status;
    pub fn qnt_context_destroy(context: *mut qnt_context);
    pub fn qnt_context_set_parallel(
        context: *mut qnt_context, parallel: Option<qnt_parallel_fn>, user: *mut c_void,
        workers: usize,
    ) -> qnt_status;
    pub fn qnt_context_set_log(
        context: *mut qnt_context, log: Option<qnt_log_fn>, user: *mut c_void, level: i32,
    ) -> qnt_status;
    pub fn qnt_context_set_progress(
        context: *mut qnt_context, progress: Option<qnt_progress_fn>, user: *mut c_void,
    ) -> qnt_status;
    pub fn qnt_context_set_cpu(context: *mut qnt_context, features: u64) -> qnt_status;
    pub fn qnt_context_cpu(context: *const qnt_context) -> u64;
    pub fn qnt_cpu_detect() -> u64;
    pub fn qnt_cpu_name(feature: u64) -> *const c_char;

    pub fn qnt_tensor_check(context: *const qnt_context, tensor: *const qnt_tensor) -> qnt_status;
    pub fn qnt_tensor_bytes(
        context: *const qnt_context, tensor: *const qnt_tensor, bytes: *mut u64,
    ) -> qnt_status;

    pub fn qnt_quantizer_create(
        context: *const qnt_context, spec: *const qnt_spec, out: *mut *mut qnt_quantizer,
    ) -> qnt_status;
    pub fn qnt_quantizer_destroy(quantizer: *mut qnt_quantizer);
    pub fn qnt_quantizer_spec(
        context: *const qnt_context, quantizer: *const qnt_quantizer, spec: *mut qnt_spec,
    ) -> qnt_status;
    pub fn qnt_quantizer_observe(
        context: *const qnt_context, quantizer: *mut qnt_quantizer, x: *const qnt_tensor,
        importance: *const qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_quantizer_observe_inputs(
        context: *const qnt_context, quantizer: *mut qnt_quantizer, inputs: *const qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_quantizer_fit(
        context: *const qnt_context, quantizer: *mut qnt_quantizer,
    ) -> qnt_status;
    pub fn qnt_quantizer_fit_pair(
        context: *const qnt_context, a: *mut qnt_quantizer, b: *mut qnt_quantizer,
    ) -> qnt_status;
    pub fn qnt_quantizer_get(
        context: *const qnt_context, quantizer: *const qnt_quantizer, param: i32, values: *mut f64,
        capacity: usize, count: *mut usize,
    ) -> qnt_status;
    pub fn qnt_quantizer_set(
        context: *const qnt_context, quantizer: *mut qnt_quantizer, param: i32, values: *const f64,
        count: usize,
    ) -> qnt_status;
    pub fn qnt_quantizer_view(
        context: *const qnt_context, quantizer: *const qnt_quantizer, x: *const qnt_tensor,
        codes: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_quantizer_encode(
        context: *const qnt_context, quantizer: *const qnt_quantizer, x: *const qnt_tensor,
        codes: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_quantizer_decode(
        context: *const qnt_context, quantizer: *const qnt_quantizer, codes: *const qnt_tensor,
        y: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_quantizer_apply(
        context: *const qnt_context, quantizer: *const qnt_quantizer, x: *const qnt_tensor,
        y: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_quantizer_error(
        context: *const qnt_context, quantizer: *const qnt_quantizer, x: *const qnt_tensor,
        importance: *const qnt_tensor, out: *mut qnt_error,
    ) -> qnt_status;

    pub fn qnt_layer_create(
        context: *const qnt_context, spec: *const qnt_layer_spec, weight: *const qnt_tensor,
        weight_q: *const qnt_quantizer, bias: *const qnt_tensor, input_q: *const qnt_quantizer,
        output_q: *const qnt_quantizer, out: *mut *mut qnt_layer,
    ) -> qnt_status;
    pub fn qnt_layer_destroy(layer: *mut qnt_layer);
    pub fn qnt_layer_view(
        context: *const qnt_context, layer: *const qnt_layer, x: *const qnt_tensor,
        y: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_layer_workspace(
        context: *const qnt_context, layer: *const qnt_layer, x: *const qnt_tensor,
        bytes: *mut usize,
    ) -> qnt_status;
    pub fn qnt_layer_run(
        context: *const qnt_context, layer: *const qnt_layer, x: *const qnt_tensor,
        y: *mut qnt_tensor, workspace: *mut c_void, bytes: usize,
    ) -> qnt_status;

    pub fn qnt_gemm_s8(
        context: *const qnt_context, a: *const qnt_tensor, a_zero: i32, b: *const qnt_tensor,
        b_zero: *const qnt_tensor, c: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_pack_bits_view(
        context: *const qnt_context, codes: *const qnt_tensor, planes: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_pack_bits(
        context: *const qnt_context, codes: *const qnt_tensor, planes: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_gemm_bits(
        context: *const qnt_context, a: *const qnt_tensor, a_coef: *const qnt_tensor,
        b: *const qnt_tensor, b_coef: *const qnt_tensor, c: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_gemm_table(
        context: *const qnt_context, a: *const qnt_tensor, a_table: *const qnt_tensor,
        b: *const qnt_tensor, b_table: *const qnt_tensor, c: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_gemm_exp(
        context: *const qnt_context, a: *const qnt_tensor, a_exp: *const qnt_exp,
        b: *const qnt_tensor, b_exp: *const qnt_exp, c: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_dot_exp(
        context: *const qnt_context, exponent_bits: i32, a: *const qnt_tensor,
        b: *const qnt_tensor, counts: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_conv_s8(
        context: *const qnt_context, conv: *const qnt_conv, x: *const qnt_tensor, x_zero: i32,
        w: *const qnt_tensor, y: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_shuffle_cyclic(
        context: *const qnt_context, x: *const qnt_tensor, axis: i32, groups: i32, shift: i32,
        y: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_requantize(
        context: *const qnt_context, acc: *const qnt_tensor, bias: *const qnt_tensor,
        scale: *const qnt_tensor, zero: i32, low: i32, high: i32, y: *mut qnt_tensor,
    ) -> qnt_status;

    pub fn qnt_blob_probe(
        context: *const qnt_context, data: *const c_void, size: usize, kind: *mut i32,
        version: *mut u32, length: *mut usize,
    ) -> qnt_status;
    pub fn qnt_quantizer_save(
        context: *const qnt_context, quantizer: *const qnt_quantizer, data: *mut c_void,
        capacity: usize, length: *mut usize,
    ) -> qnt_status;
    pub fn qnt_quantizer_load(
        context: *const qnt_context, data: *const c_void, size: usize,
        out: *mut *mut qnt_quantizer,
    ) -> qnt_status;
    pub fn qnt_layer_save(
        context: *const qnt_context, layer: *const qnt_layer, data: *mut c_void, capacity: usize,
        length: *mut usize,
    ) -> qnt_status;
    pub fn qnt_layer_load(
        context: *const qnt_context, data: *const c_void, size: usize, flags: i32,
        out: *mut *mut qnt_layer,
    ) -> qnt_status;

    pub fn qnt_pack_pixels_view(
        context: *const qnt_context, codes: *const qnt_tensor, groups: i32, pad: *const i32,
        pixels: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_pack_pixels(
        context: *const qnt_context, codes: *const qnt_tensor, groups: i32, pad: *const i32,
        pixels: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_pack_taps_view(
        context: *const qnt_context, codes: *const qnt_tensor, groups: i32, taps: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_pack_taps(
        context: *const qnt_context, codes: *const qnt_tensor, groups: i32, taps: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_conv_lowbit(
        context: *const qnt_context, conv: *const qnt_conv, lowbit: *const qnt_lowbit,
        pixels: *const qnt_tensor, taps: *const qnt_tensor, thresholds: *const qnt_tensor,
        y: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_find_thresholds(
        context: *const qnt_context, digit: Option<qnt_digit_fn>, user: *mut c_void, low: i32,
        high: i32, thresholds: *mut qnt_tensor, falling: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_lowbit_layer_create(
        context: *const qnt_context, conv: *const qnt_conv, spec: *const qnt_lowbit_spec,
        weight: *const qnt_tensor, scale: *const qnt_tensor, shift: *const qnt_tensor,
        output_q: *const qnt_quantizer, out: *mut *mut qnt_lowbit_layer,
    ) -> qnt_status;
    pub fn qnt_lowbit_layer_of_thresholds(
        context: *const qnt_context, conv: *const qnt_conv, spec: *const qnt_lowbit_spec,
        weight: *const qnt_tensor, thresholds: *const qnt_tensor, falling: *const qnt_tensor,
        out: *mut *mut qnt_lowbit_layer,
    ) -> qnt_status;
    pub fn qnt_lowbit_layer_destroy(layer: *mut qnt_lowbit_layer);
    pub fn qnt_lowbit_layer_view(
        context: *const qnt_context, layer: *const qnt_lowbit_layer, pixels: *const qnt_tensor,
        y: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_lowbit_layer_workspace(
        context: *const qnt_context, layer: *const qnt_lowbit_layer, pixels: *const qnt_tensor,
        bytes: *mut usize,
    ) -> qnt_status;
    pub fn qnt_lowbit_layer_run(
        context: *const qnt_context, layer: *const qnt_lowbit_layer, pixels: *const qnt_tensor,
        identity: *const qnt_tensor, y: *mut qnt_tensor, packed: *mut qnt_tensor,
        workspace: *mut c_void, bytes: usize,
    ) -> qnt_status;
    pub fn qnt_lowbit_layer_save(
        context: *const qnt_context, layer: *const qnt_lowbit_layer, data: *mut c_void,
        capacity: usize, length: *mut usize,
    ) -> qnt_status;
    pub fn qnt_lowbit_layer_load(
        context: *const qnt_context, data: *const c_void, size: usize, flags: i32,
        out: *mut *mut qnt_lowbit_layer,
    ) -> qnt_status;

    pub fn qnt_qtable_standard(
        context: *const qnt_context, kind: i32, quality: i32, out: *mut qnt_qtable,
    ) -> qnt_status;
    pub fn qnt_qtable_text(
        context: *const qnt_context, tables: *const qnt_qtable, count: usize, text: *mut c_char,
        capacity: usize, length: *mut usize,
    ) -> qnt_status;
    pub fn qnt_ckn_create(
        context: *const qnt_context, spec: *const qnt_ckn_spec, out: *mut *mut qnt_ckn,
    ) -> qnt_status;
    pub fn qnt_ckn_destroy(ckn: *mut qnt_ckn);
    pub fn qnt_ckn_describe(
        context: *const qnt_context, ckn: *const qnt_ckn, spec: *mut qnt_ckn_spec,
    ) -> qnt_status;
    pub fn qnt_ckn_fit(
        context: *const qnt_context, ckn: *mut qnt_ckn, data: *const qnt_ckn_data,
    ) -> qnt_status;
    pub fn qnt_ckn_set(
        context: *const qnt_context, ckn: *mut qnt_ckn, anchors: *const qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_ckn_get(
        context: *const qnt_context, ckn: *const qnt_ckn, anchors: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_ckn_view(
        context: *const qnt_context, ckn: *const qnt_ckn, x: *const qnt_tensor, y: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_ckn_workspace(
        context: *const qnt_context, ckn: *const qnt_ckn, x: *const qnt_tensor, bytes: *mut usize,
    ) -> qnt_status;
    pub fn qnt_ckn_run(
        context: *const qnt_context, ckn: *const qnt_ckn, x: *const qnt_tensor, y: *mut qnt_tensor,
        workspace: *mut c_void, bytes: usize,
    ) -> qnt_status;
    pub fn qnt_ckn_backward(
        context: *const qnt_context, ckn: *const qnt_ckn, x: *const qnt_tensor,
        dy: *const qnt_tensor, dx: *mut qnt_tensor, danchors: *mut qnt_tensor, dsigma: *mut f64,
    ) -> qnt_status;
    pub fn qnt_ckn_kernel(
        context: *const qnt_context, ckn: *const qnt_ckn, a: *const qnt_tensor,
        b: *const qnt_tensor, value: *mut f64,
    ) -> qnt_status;
    pub fn qnt_ckn_save(
        context: *const qnt_context, ckn: *const qnt_ckn, data: *mut c_void, capacity: usize,
        length: *mut usize,
    ) -> qnt_status;
    pub fn qnt_ckn_load(
        context: *const qnt_context, data: *const c_void, size: usize, out: *mut *mut qnt_ckn,
    ) -> qnt_status;
    pub fn qnt_image_create(
        context: *const qnt_context, spec: *const qnt_image_spec, out: *mut *mut qnt_image,
    ) -> qnt_status;
    pub fn qnt_image_destroy(image: *mut qnt_image);
    pub fn qnt_image_read(
        context: *const qnt_context, image: *mut qnt_image, pixels: *const u8, stride: usize,
    ) -> qnt_status;
    pub fn qnt_image_quantize(
        context: *const qnt_context, image: *mut qnt_image, tables: *const qnt_qtable, count: usize,
    ) -> qnt_status;
    pub fn qnt_image_size(
        context: *const qnt_context, image: *const qnt_image, huffman: i32,
        bytes: *mut qnt_image_bytes,
    ) -> qnt_status;
    pub fn qnt_image_write(
        context: *const qnt_context, image: *const qnt_image, pixels: *mut u8, stride: usize,
    ) -> qnt_status;
    pub fn qnt_search_create(
        context: *const qnt_context, spec: *const qnt_search_spec, out: *mut *mut qnt_search,
    ) -> qnt_status;
    pub fn qnt_search_destroy(search: *mut qnt_search);
    pub fn qnt_search_ask(
        context: *const qnt_context, search: *mut qnt_search, tables: *mut qnt_qtable,
    ) -> qnt_status;
    pub fn qnt_search_tell(
        context: *const qnt_context, search: *mut qnt_search, rate: f64, utility: f64,
    ) -> qnt_status;
    pub fn qnt_search_trials(
        context: *const qnt_context, search: *const qnt_search, trials: *mut qnt_trial,
        capacity: usize, count: *mut usize,
    ) -> qnt_status;
    pub fn qnt_search_best(
        context: *const qnt_context, search: *const qnt_search, best: *mut qnt_trial,
    ) -> qnt_status;
    pub fn qnt_search_curve(
        context: *const qnt_context, trials: *const qnt_trial, n: usize, curve: *mut f64,
    ) -> qnt_status;
    pub fn qnt_search_box(
        context: *const qnt_context, trials: *const qnt_trial, n: usize, rate_low: f64,
        rate_high: f64, spread: f64, low: *mut qnt_qtable, high: *mut qnt_qtable,
    ) -> qnt_status;

    pub fn qnt_search_score(
        context: *const qnt_context, trials: *mut qnt_trial, n: usize, tables: usize,
        measure: Option<qnt_trial_fn>, user: *mut c_void,
    ) -> qnt_status;
    pub fn qnt_search_run(
        context: *const qnt_context, search: *mut qnt_search, budget: u64,
        measure: Option<qnt_trial_fn>, user: *mut c_void,
    ) -> qnt_status;
    pub fn qnt_search_front(
        context: *const qnt_context, trials: *const qnt_trial, n: usize, front: *mut usize,
        count: *mut usize,
    ) -> qnt_status;
    pub fn qnt_dct_forward(pixels: *const f32, coefficients: *mut f32);
    pub fn qnt_dct_inverse(coefficients: *const f32, pixels: *mut f32);
    pub fn qnt_image_levels(
        context: *const qnt_context, image: *mut qnt_image, component: i32, levels: *mut *mut i16,
        wide: *mut usize, high: *mut usize,
    ) -> qnt_status;
    pub fn qnt_psnr(
        context: *const qnt_context, a: *const u8, a_stride: usize, b: *const u8, b_stride: usize,
        width: usize, height: usize, psnr: *mut f64,
    ) -> qnt_status;

    pub fn qnt_teq_search(
        context: *const qnt_context, weights: *const *mut qnt_quantizer,
        inputs: *const *mut qnt_quantizer, layers: usize, spec: *mut qnt_teq_spec,
        loss: Option<qnt_teq_loss_fn>, user: *mut c_void,
    ) -> qnt_status;

    pub fn qnt_trainer_create(
        context: *const qnt_context, spec: *const qnt_spec, out: *mut *mut qnt_trainer,
    ) -> qnt_status;
    pub fn qnt_trainer_destroy(trainer: *mut qnt_trainer);
    pub fn qnt_trainer_start(
        context: *const qnt_context, trainer: *mut qnt_trainer, x: *const qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_trainer_get(
        context: *const qnt_context, trainer: *const qnt_trainer, param: i32, values: *mut f64,
        capacity: usize, count: *mut usize,
    ) -> qnt_status;
    pub fn qnt_trainer_set(
        context: *const qnt_context, trainer: *mut qnt_trainer, param: i32, values: *const f64,
        count: usize,
    ) -> qnt_status;
    pub fn qnt_trainer_forward(
        context: *const qnt_context, trainer: *const qnt_trainer, x: *const qnt_tensor,
        y: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_trainer_backward(
        context: *const qnt_context, trainer: *const qnt_trainer, x: *const qnt_tensor,
        dy: *const qnt_tensor, dx: *mut qnt_tensor, dtheta: *mut f64, count: usize,
    ) -> qnt_status;
    pub fn qnt_trainer_refit(
        context: *const qnt_context, trainer: *mut qnt_trainer, x: *const qnt_tensor, share: f64,
    ) -> qnt_status;
    pub fn qnt_trainer_export(
        context: *const qnt_context, trainer: *const qnt_trainer, x: *const qnt_tensor,
        out: *mut *mut qnt_quantizer,
    ) -> qnt_status;

    pub fn qnt_alq_create(
        context: *const qnt_context, spec: *const qnt_spec, w: *const qnt_tensor,
        out: *mut *mut qnt_alq,
    ) -> qnt_status;
    pub fn qnt_alq_destroy(alq: *mut qnt_alq);
    pub fn qnt_alq_weights(
        context: *const qnt_context, alq: *const qnt_alq, w: *mut qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_alq_step(
        context: *const qnt_context, alq: *mut qnt_alq, mode: i32, rate: f64, dw: *const qnt_tensor,
    ) -> qnt_status;
    pub fn qnt_alq_prune(
        context: *const qnt_context, alq: *const *mut qnt_alq, n: usize, most: u64, bits: f64,
    ) -> qnt_status;
    pub fn qnt_alq_bits(
        context: *const qnt_context, alq: *const *mut qnt_alq, n: usize, bits: *mut f64,
    ) -> qnt_status;
    pub fn qnt_alq_get_state(
        context: *const qnt_context, alq: *const qnt_alq, values: *mut f64, capacity: usize,
        count: *mut usize,
    ) -> qnt_status;
    pub fn qnt_alq_set_state(
        context: *const qnt_context, alq: *mut qnt_alq, values: *const f64, count: usize,
    ) -> qnt_status;
    pub fn qnt_alq_export(
        context: *const qnt_context, alq: *const qnt_alq, out: *mut *mut qnt_quantizer,
    ) -> qnt_status;

    pub fn qnt_pool_create(
        context: *const qnt_context, threads: usize, out: *mut *mut qnt_pool,
    ) -> qnt_status;
    pub fn qnt_pool_destroy(pool: *mut qnt_pool);
    pub fn qnt_pool_run(
        pool: *mut c_void, run: Option<qnt_task_fn>, task: *mut c_void, count: usize,
    ) -> i32;
}

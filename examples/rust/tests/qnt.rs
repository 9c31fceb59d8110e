//! The safe layer against plain arithmetic, and what it promises about threads and lifetimes.

use qnt::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

fn numbers(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn signed() -> Spec {
    Spec { method: Method::MinMax, signed: true, symmetric: true, ..Spec::default() }
}

fn fitted(context: &Context, spec: &Spec, x: &View) -> Quantizer {
    let mut q = Quantizer::new(context, spec).unwrap();
    q.observe(context, x, None).unwrap();
    q.fit(context).unwrap();
    q
}

#[test]
fn versions_and_cpu() {
    assert_eq!(version().split('.').map(|part| part.parse::<u32>().unwrap()).fold(0, |sum, part| sum << 8 | part),
               version_number());
    let mut context = Context::new().unwrap();
    assert_eq!(context.cpu(), cpu_detect());
    context.set_cpu(0).unwrap();
    assert_eq!(context.cpu(), 0);
    assert_eq!((cpu_name(0), cpu_name(cpu::AVX2)), ("c", "avx2"));
}

#[test]
fn errors_carry_the_reason() {
    let context = Context::new().unwrap();
    let error = Quantizer::new(&context, &Spec { bits: 99, ..Spec::default() }).err().unwrap();
    assert_eq!(error.name(), "QNT_E_INVALID");
    assert!(error.reason().contains("99"), "{}", error);
    assert!(error.to_string().starts_with("QNT_E_INVALID: "));
}

#[test]
fn views_stay_inside_their_slices() {
    let x = [0f32; 12];
    assert!(View::new(&x, &[3, 4]).is_ok());
    assert!(View::new(&x, &[3, 5]).is_err());
    assert!(View::new(&x, &[usize::MAX, usize::MAX]).is_err());
    assert!(View::strided(&x, &[3, 2], &[4, 1]).is_ok());
    assert!(View::strided(&x, &[3, 2], &[6, 1]).is_err());
    assert!(View::strided(&x, &[(1 << 61) + 1], &[1 << 62]).is_err()); // 2^128 bits and 32
    assert!(View::new(&x, &[1 << 40, 0]).is_ok());
    assert!(View::new(&x, &[1; 9]).is_err());
    assert!(View::codes(&[0; 3], 3, true, &[8]).is_ok());
    assert!(View::codes(&[0; 3], 3, true, &[9]).is_err());
    let context = Context::new().unwrap();
    assert_eq!(View::codes(&[0; 3], 3, true, &[8]).unwrap().bytes(&context).unwrap(), 3);
    assert!(View::new(&x, &[3, 4]).unwrap().check(&context).is_ok());
}

#[test]
fn encode_and_decode() {
    let context = Context::new().unwrap();
    let spec = Spec { bits: 3, signed: true, ..Spec::default() };
    let q = Quantizer::fixed(&context, &spec, &[0.5], &[0.0]).unwrap();
    let x = [-1.0f32, 0.0, 0.24, 0.26, 5.0];
    let view = View::new(&x, &[5]).unwrap();
    assert_eq!(q.code_bytes(&context, &view).unwrap(), 2);

    let mut codes = [0i8; 5];
    q.encode(&context, &view, &mut ViewMut::new(&mut codes, &[5]).unwrap()).unwrap();
    assert_eq!(codes, [-2, 0, 0, 1, 3]);

    let mut packed = [0u8; 2];
    q.encode(&context, &view, &mut ViewMut::codes(&mut packed, 3, true, &[5]).unwrap()).unwrap();
    let mut y = [9f32; 5];
    let packed = View::codes(&packed, 3, true, &[5]).unwrap();
    q.decode(&context, &packed, &mut ViewMut::new(&mut y, &[5]).unwrap()).unwrap();
    assert_eq!(y, [-1.0, 0.0, 0.0, 0.5, 1.5]);

    let mut z = x;
    q.apply_in_place(&context, &mut ViewMut::new(&mut z, &[5]).unwrap()).unwrap();
    assert_eq!(z, y);
    assert_eq!(q.get(&context, param::SCALE).unwrap(), [0.5]);
    assert_eq!(q.spec(&context).unwrap().bits, 3);
}

#[test]
fn half_precision() {
    let context = Context::new().unwrap();
    let q = Quantizer::fixed(&context, &Spec { signed: true, ..Spec::default() }, &[0.5], &[0.0]);
    let q = q.unwrap();
    let mut codes = [0i8; 2];
    let x = [F16(0x3c00), F16(0xc000)]; // 1, -2
    q.encode(&context, &View::new(&x, &[2]).unwrap(), &mut ViewMut::new(&mut codes, &[2]).unwrap())
        .unwrap();
    assert_eq!(codes, [2, -4]);
    let x = [Bf16(0x3f80), Bf16(0xc000)];
    q.encode(&context, &View::new(&x, &[2]).unwrap(), &mut ViewMut::new(&mut codes, &[2]).unwrap())
        .unwrap();
    assert_eq!(codes, [2, -4]);
}

#[test]
fn fits_and_measures() {
    let context = Context::with_threads(2).unwrap();
    let x = numbers(1, 4 * 100);
    let view = View::new(&x, &[4, 100]).unwrap();
    let q = fitted(&context, &Spec { bits: 4, grain: Grain::Axis(0), ..signed() }, &view);
    assert_eq!(q.get(&context, param::SCALE).unwrap().len(), 4);
    let minmax = q.measure(&context, &view, None).unwrap();
    let exact = Spec { bits: 4, grain: Grain::Axis(0), method: Method::Mse, ..signed() };
    let q = fitted(&context, &exact, &view);
    let mse = q.measure(&context, &view, None).unwrap();
    assert!(mse.mse <= minmax.mse && mse.count == 400);
    let (error, bound) = (q.get(&context, param::ERROR), q.get(&context, param::BOUND));
    for (error, bound) in error.unwrap().iter().zip(bound.unwrap()) {
        assert!(bound <= *error && bound >= error * (1.0 - 1e-6));
    }
}

#[test]
fn schemes_with_codebooks() {
    let context = Context::new().unwrap();
    let x = numbers(1, 4 * 100);
    let view = View::new(&x, &[4, 100]).unwrap();
    let table = Spec { scheme: Scheme::Table, method: Method::Kmeans, bits: 3, ..Spec::default() };
    let bases = Spec { scheme: Scheme::Points, method: Method::Bases, points: 3, ..Spec::default() };
    let exp = Spec { scheme: Scheme::Exp, method: Method::Teq, signed: true, ..Spec::default() };
    for spec in [table, bases, exp] {
        let q = fitted(&context, &spec, &view);
        assert!(q.measure(&context, &view, None).unwrap().sqnr_db > 10.0);
    }
    let mut a = Quantizer::new(&context, &exp).unwrap();
    let mut b = Quantizer::new(&context, &exp).unwrap();
    a.observe(&context, &view, None).unwrap();
    b.observe(&context, &view, None).unwrap();
    Quantizer::fit_pair(&context, &mut a, &mut b).unwrap();
    assert_eq!(a.get(&context, param::BASE).unwrap(), b.get(&context, param::BASE).unwrap());
}

#[test]
fn layers_run_on_many_threads() {
    let context = Context::with_threads(2).unwrap();
    let (w, b, x) = (numbers(2, 10 * 32), numbers(3, 10), numbers(4, 6 * 32));
    let (weight, bias) = (View::new(&w, &[10, 32]).unwrap(), View::new(&b, &[10]).unwrap());
    let input = View::new(&x, &[6, 32]).unwrap();
    let weight_q = fitted(&context, &Spec { grain: Grain::Axis(0), ..signed() }, &weight);
    let input_q = fitted(&context, &Spec { method: Method::MinMax, ..Spec::default() }, &input);
    let spec = LayerSpec { bias: Some(&bias), input_q: Some(&input_q), ..LayerSpec::default() };
    let layer = Layer::new(&context, &spec, &weight, &weight_q).unwrap();
    drop((weight_q, input_q));
    assert_eq!(layer.view(&context, &input).unwrap(), (vec![6, 10], 32));

    let run = |layer: &Layer| {
        let mut y = vec![0f32; 60];
        let mut workspace = vec![0u8; layer.workspace(&context, &input).unwrap()];
        let mut out = ViewMut::new(&mut y, &[6, 10]).unwrap();
        layer.run(&context, &input, &mut out, &mut workspace).unwrap();
        y
    };
    let y = run(&layer);
    for m in 0..6 {
        for n in 0..10 {
            let sum: f32 = (0..32).map(|k| x[m * 32 + k] * w[n * 32 + k]).sum();
            assert!((y[m * 10 + n] - sum - b[n]).abs() < 0.1);
        }
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(run(&layer), y)));
        }
    });

    let blob = layer.save(&context).unwrap();
    assert_eq!(blob_probe(&context, &blob).unwrap(), (Kind::Layer, 1, blob.len()));
    assert_eq!(run(&Layer::load(&context, &blob).unwrap()), y);
    assert_eq!(run(&Layer::borrow(&context, &blob).unwrap()), y);
    let error = Layer::load(&context, &blob[..blob.len() - 1]).err().unwrap();
    assert_eq!(error.name(), "QNT_E_FORMAT");
}

#[test]
fn bit_planes() {
    let context = Context::new().unwrap();
    let a: Vec<u8> = (0..3 * 70).map(|i| (i * 37 % 256) as u8).collect();
    let b: Vec<u8> = (0..5 * 70).map(|i| (i * i * 91 / 7 % 256) as u8).collect();
    let av = View::new(&a, &[3, 70]).unwrap();
    let planes = Planes::pack(&context, &View::new(&b, &[5, 70]).unwrap()).unwrap();
    assert_eq!(planes.bytes().len(), 8 * 3 * 128);
    let coef: Vec<f32> = (0..5 * 8).map(|i| (i % 7) as f32 - 3.0).collect();
    let coefs = View::new(&coef, &[5, 8]).unwrap();
    let mut c = [0f32; 15];
    gemm_bits(&context, &av, None, &planes, Some(&coefs),
              &mut ViewMut::new(&mut c, &[3, 5]).unwrap()).unwrap();
    for (i, &sum) in c.iter().enumerate() {
        let (m, n) = (i / 5, i % 5);
        let want: i64 = (0..8).map(|p| {
            let signs = |k: usize| if b[n * 70 + k] >> p & 1 == 1 { 1 } else { -1 };
            coef[n * 8 + p] as i64 * (0..70).map(|k| signs(k) * a[m * 70 + k] as i64).sum::<i64>()
        }).sum();
        assert_eq!(sum as i64, want); // small whole numbers: exact
    }
    let error = gemm_bits(&context, &av, None, &planes, None,
                          &mut ViewMut::new(&mut c, &[3, 5]).unwrap()).err().unwrap();
    assert_eq!(error.name(), "QNT_E_INVALID");
}

#[test]
fn points_by_output() {
    let context = Context::new().unwrap();
    let number = |i: usize| ((i * 7919 + i * i * 13) % 1009) as f32 / 1009.0 - 0.5;
    let weight: Vec<f32> = (0..12 * 20).map(number).collect();
    let inputs: Vec<f32> = (0..50 * 20).map(|i| number(i + 5000)).collect();
    let spec = Spec { scheme: Scheme::Points, method: Method::Multipoint, bits: 2, points: 2,
                      grain: Grain::Axis(0), ..Spec::default() };
    let mut q = Quantizer::new(&context, &spec).unwrap();
    q.set(&context, param::EXTRA, &[4.0]).unwrap();
    q.observe(&context, &View::new(&weight, &[12, 20]).unwrap(), None).unwrap();
    q.observe_inputs(&context, &View::new(&inputs, &[50, 20]).unwrap()).unwrap();
    q.fit(&context).unwrap();
    assert_eq!(q.get(&context, param::COUNT).unwrap().iter().sum::<f64>(), 16.0);
}

#[test]
fn codebooks() {
    let context = Context::new().unwrap();
    let a: Vec<u8> = (0..3 * 20).map(|i| (i * 37 % 256) as u8).collect();
    let b: Vec<u8> = (0..5 * 20).map(|i| (i * 91 % 256) as u8).collect();
    let levels: Vec<i8> = (0..256).map(|i| (i * 13 % 255 - 127) as i8).collect();
    let (av, bv) = (View::new(&a, &[3, 20]).unwrap(), View::new(&b, &[5, 20]).unwrap());
    let table = View::new(&levels, &[256]).unwrap();
    let mut c = [0i32; 15];
    gemm_table(&context, &av, &table, &bv, &table, &mut ViewMut::new(&mut c, &[3, 5]).unwrap()).unwrap();
    let level = |code: u8| levels[code as usize] as i32;
    for (i, &sum) in c.iter().enumerate() {
        let (m, n) = (i / 5, i % 5);
        assert_eq!(sum, (0..20).map(|k| level(a[m * 20 + k]) * level(b[n * 20 + k])).sum::<i32>());
    }

    let exp = Exponential { exponent_bits: 7, base: 1.02, alpha: 0.5, beta: 0.25 };
    let value = |code: u8| -> f64 {
        let field = (code & 127) as i32;
        let magnitude = if field > 0 { 0.5 * 1.02f64.powi(field - 1) + 0.25 } else { 0.0 };
        if code > 127 { -magnitude } else { magnitude }
    };
    let mut y = [0f32; 15];
    gemm_exp(&context, &av, &exp, &bv, &exp, &mut ViewMut::new(&mut y, &[3, 5]).unwrap()).unwrap();
    for (i, &got) in y.iter().enumerate() {
        let (m, n) = (i / 5, i % 5);
        let want: f64 = (0..20).map(|k| value(a[m * 20 + k]) * value(b[n * 20 + k])).sum();
        assert!((got as f64 - want).abs() < 1e-4);
    }
    let mut counts = [0i32; 508];
    dot_exp(&context, 7, &View::new(&a, &[60]).unwrap(), &View::new(&b[..60], &[60]).unwrap(),
            &mut ViewMut::new(&mut counts, &[508]).unwrap()).unwrap();
    assert_eq!(counts[..253].iter().sum::<i32>(), counts[507]);
}

#[test]
fn kernels() {
    let context = Context::new().unwrap();
    let a: Vec<i8> = (0..3 * 20).map(|i| (i * 37 % 255 - 127) as i8).collect();
    let b: Vec<i8> = (0..5 * 20).map(|i| (i * 91 % 255 - 127) as i8).collect();
    let mut c = [0i32; 15];
    gemm_s8(&context, &View::new(&a, &[3, 20]).unwrap(), 2, &View::new(&b, &[5, 20]).unwrap(), None,
            &mut ViewMut::new(&mut c, &[3, 5]).unwrap()).unwrap();
    let dot = |m: usize, n: usize| -> i32 {
        (0..20).map(|k| (a[m * 20 + k] as i32 - 2) * b[n * 20 + k] as i32).sum()
    };
    for (i, &sum) in c.iter().enumerate() {
        assert_eq!(sum, dot(i / 5, i % 5));
    }

    let mut conv = [0i32; 15]; // a 1x1 convolution is the same product
    conv_s8(&context, &Geometry::default(), &View::new(&a, &[1, 3, 1, 20]).unwrap(), 2,
            &View::new(&b, &[5, 1, 1, 20]).unwrap(),
            &mut ViewMut::new(&mut conv, &[1, 3, 1, 5]).unwrap()).unwrap();
    assert_eq!(conv, c);

    let mut codes = [0i8; 15];
    requantize(&context, &View::new(&c, &[3, 5]).unwrap(), None, &View::new(&[0.001f32], &[1]).unwrap(),
               1, -100..=100, &mut ViewMut::new(&mut codes, &[3, 5]).unwrap()).unwrap();
    assert_eq!(codes[0], ((c[0] as f32 * 0.001).round() as i32 + 1).clamp(-100, 100) as i8);

    let mut y = [0u8; 6];
    shuffle_cyclic(&context, &View::new(&[0u8, 1, 2, 3, 4, 5], &[6]).unwrap(), 0, 3, 1,
                   &mut ViewMut::new(&mut y, &[6]).unwrap()).unwrap();
    assert_eq!(y, [2, 3, 4, 5, 0, 1]);
}

#[test]
fn packed_digits() {
    let context = Context::new().unwrap();
    let digit = |i: usize| (i * 7919 >> 3 & 3) as u8;
    let x: Vec<u8> = (0..5 * 6 * 8).map(digit).collect();
    let w: Vec<u8> = (0..6 * 9 * 4).map(|i| digit(i + 77)).collect();
    let signed: Vec<i8> = w.iter().map(|&q| 2 * q as i8 - 3).collect();
    let padded = Geometry { groups: 2, group_shift: 1, pad: [1; 4], ..Geometry::default() };
    let geometry = Geometry { pad: [0; 4], ..padded };
    let mut sums = vec![0i32; 5 * 6 * 6];
    qnt::conv_s8(&context, &padded, &View::new(&x, &[1, 5, 6, 8]).unwrap(), 0,
                 &View::new(&signed, &[6, 3, 3, 4]).unwrap(),
                 &mut ViewMut::new(&mut sums, &[1, 5, 6, 6]).unwrap()).unwrap();

    let pixels = qnt::pack_pixels(&context, &View::new(&x, &[1, 5, 6, 8]).unwrap(), 2, [1; 4]).unwrap();
    let weight = View::new(&w, &[6, 3, 3, 4]).unwrap();
    let taps = qnt::pack_taps(&context, &weight, 2).unwrap();
    let (digits, mut again) = (Digits::default(), vec![0i32; 5 * 6 * 6]);
    qnt::conv_lowbit(&context, &geometry, &digits, 4, &pixels.view().unwrap(), &taps.view().unwrap(), None,
                     &mut ViewMut::new(&mut again, &[1, 5, 6, 6]).unwrap()).unwrap();
    assert_eq!(again, sums);

    let scale = [0.25f32, -0.25, 0.1, 0.0, 0.5, 1.0];
    let mut q = Quantizer::new(&context, &Spec { bits: 2, ..Spec::default() }).unwrap();
    q.set(&context, param::SCALE, &[1.0]).unwrap();
    let scales = View::new(&scale, &[6]).unwrap();
    let affine = Affine { scale: &scales, shift: None, relu_first: false, relu_last: true,
                          transpose: false, output_q: Some(&q) };
    let layer = LowbitLayer::new(&context, &geometry, &digits, &weight, &affine).unwrap();
    let input = pixels.view().unwrap();
    let run = |layer: &LowbitLayer, floats: &mut [f32]| {
        let mut packed = layer.result(&context, &input).unwrap();
        let mut space = vec![0u8; layer.workspace(&context, &input).unwrap()];
        let mut y = ViewMut::new(floats, &[1, 5, 6, 6]).unwrap();
        layer.run(&context, &input, None, Some(&mut y), Some(&mut packed.view_mut().unwrap()),
                  &mut space).unwrap();
        packed
    };
    let mut y = vec![0f32; 5 * 6 * 6];
    let packed = run(&layer, &mut y);
    let expected: Vec<f32> = (0..y.len()).map(|i| (sums[i] as f32 * scale[i % 6]).max(0.0)).collect();
    assert_eq!(y, expected);
    let codes: Vec<u8> = y.iter().map(|&v| (v > 0.5) as u8 + (v >= 1.5) as u8 + (v > 2.5) as u8).collect();
    assert_eq!(packed, qnt::pack_pixels(&context, &View::new(&codes, &[1, 5, 6, 6]).unwrap(), 2, [0; 4])
               .unwrap());

    let blob = layer.save(&context).unwrap();
    assert_eq!(qnt::blob_probe(&context, &blob).unwrap(), (Kind::LowbitLayer, 1, blob.len()));
    assert_eq!(run(&LowbitLayer::load(&context, &blob).unwrap(), &mut y), packed);
    assert_eq!(run(&LowbitLayer::borrow(&context, &blob).unwrap(), &mut y), packed);

    let (rows, falling) = qnt::find_thresholds(&context, 6, -400, 400, |channel, sum| {
        let v = sum as f32 * scale[channel as usize];
        (v > 0.5) as i32 + (v >= 1.5) as i32 + (v > 2.5) as i32
    }).unwrap();
    assert_eq!(falling, [0, 1, 0, 0, 0, 0]);
    let same = LowbitLayer::of_thresholds(&context, &geometry, &digits, &weight,
                                          &View::new(&rows, &[6, 3]).unwrap(),
                                          Some(&View::new(&falling, &[6]).unwrap())).unwrap();
    let mut space = vec![0u8; same.workspace(&context, &input).unwrap()];
    let mut third = same.result(&context, &input).unwrap();
    same.run(&context, &input, None, None, Some(&mut third.view_mut().unwrap()), &mut space).unwrap();
    assert_eq!(third, packed);
    let panics = std::panic::catch_unwind(|| {
        let context = Context::new().unwrap();
        qnt::find_thresholds(&context, 1, 0, 9, |_, _| panic!("of the caller"))
    });
    assert!(panics.is_err());
}

#[test]
fn hooks() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = heard.clone();
    let mut context = Context::new().unwrap();
    context.set_log(Level::Warn, move |level, text| {
        listener.lock().unwrap().push((level, text.to_string()));
    }).unwrap();
    assert!(Quantizer::new(&context, &Spec { bits: 99, ..Spec::default() }).is_err());
    assert_eq!(heard.lock().unwrap()[0].0, Level::Error);

    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    context.set_progress(move |_, _| counter.fetch_add(1, Ordering::Relaxed) + 1 > 0).unwrap();
    let x = numbers(5, 10000);
    let mut q = Quantizer::new(&context, &Spec { method: Method::Mse, bits: 4, ..signed() }).unwrap();
    let result = q.observe(&context, &View::new(&x, &[10000]).unwrap(), None)
        .and_then(|_| q.fit(&context));
    assert_eq!(result.unwrap_err().name(), "QNT_E_CANCELLED");
    assert!(asked.load(Ordering::Relaxed) > 0);

    context.set_progress(|_, _| panic!("must not cross C")).unwrap();
    let result = q.observe(&context, &View::new(&x, &[10000]).unwrap(), None)
        .and_then(|_| q.fit(&context));
    assert_eq!(result.unwrap_err().name(), "QNT_E_CANCELLED");
}

#[test]
fn quantizer_blob() {
    let context = Context::new().unwrap();
    let q = Quantizer::fixed(&context, &Spec::default(), &[0.25], &[7.0]).unwrap();
    let blob = q.save(&context).unwrap();
    assert_eq!(blob_probe(&context, &blob).unwrap().0, Kind::Quantizer);
    let again = Quantizer::load(&context, &blob).unwrap();
    assert_eq!(again.get(&context, param::ZERO).unwrap(), [7.0]);
    assert_eq!(&*Blob::from(&blob[..]), &*blob);
}

#[test]
fn bits_of_exponents() {
    let context = Context::new().unwrap();
    let w = [numbers(11, 500), numbers(12, 500)];
    let x: Vec<f32> = numbers(13, 500).iter().map(|v| v.abs()).collect();
    let teq = Spec { scheme: Scheme::Exp, method: Method::Teq, bits: 6, signed: true, ..Spec::default() };
    let observed = |x: &[f32], signed| {
        let mut q = Quantizer::new(&context, &Spec { signed, ..teq }).unwrap();
        q.observe(&context, &View::new(x, &[500]).unwrap(), None).unwrap();
        q
    };
    let search = |loss: &mut dyn FnMut(&[&Quantizer], &[Option<&Quantizer>]) -> Option<f64>| {
        let (mut a, mut b, mut input) = (observed(&w[0], true), observed(&w[1], true), observed(&x, false));
        let found = Quantizer::teq_search(&context, &mut [&mut a, &mut b], &mut [None, Some(&mut input)],
                                          &TeqSpec::default(), loss);
        (found, [a, b, input].map(|q| q.spec(&context).unwrap().bits))
    };
    let bits = |q: &Quantizer| q.spec(&context).unwrap().bits;
    let mut asked = Vec::new();
    let (found, last) = search(&mut |weights, inputs| {
        assert!(inputs[0].is_none() && bits(inputs[1].unwrap()) == bits(weights[1]));
        asked.push([bits(weights[0]), bits(weights[1])]);
        let mut y = vec![0f32; 500];
        let mut to = ViewMut::new(&mut y, &[500]).unwrap();
        weights[0].apply(&context, &View::new(&w[0], &[500]).unwrap(), &mut to).unwrap();
        Some(0.002 * (14 - asked.last().unwrap().iter().sum::<i32>()) as f64)
    });
    let found = found.unwrap();
    assert_eq!((found.calls, asked[0]), (asked.len() as u64, [7, 7]));
    let accepted = asked.iter().rev().find(|bits| bits.iter().sum::<i32>() >= 9).unwrap();
    assert_eq!(last, [accepted[0], accepted[1], accepted[1]]);
    assert!(found.loss <= 0.01 && found.bits == (accepted[0] + accepted[1]) as f64 / 2.0);

    let (found, last) = search(&mut |_, _| None);
    assert_eq!((found.unwrap_err().name(), last), ("QNT_E_CANCELLED", [6; 3]));
    let (found, last) = search(&mut |_, _| Some(f64::NAN));
    assert_eq!((found.unwrap_err().name(), last), ("QNT_E_INVALID", [6; 3]));
    let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        search(&mut |_, _| panic!("of the caller"))
    }));
    assert_eq!(*panics.unwrap_err().downcast_ref::<&str>().unwrap(), "of the caller");
    let (mut a, mut b) = (observed(&w[0], true), observed(&x, false));
    let short = Quantizer::teq_search(&context, &mut [&mut a], &mut [Some(&mut b), None], &TeqSpec::default(),
                                      |_, _| Some(0.0));
    assert_eq!(short.unwrap_err().name(), "QNT_E_SHAPE");
    let alone = Quantizer::teq_search(&context, &mut [&mut a], &mut [], &TeqSpec::default(), |_, inputs| {
        assert!(inputs.is_empty());
        Some(0.0)
    });
    assert_eq!(alone.unwrap().bits, 3.0);
}

#[test]
fn levels_and_blocks() {
    use qnt::qtable::*;
    let context = Context::new().unwrap();
    let mut block = [0f32; 64];
    block.copy_from_slice(&numbers(14, 64));
    let got = dct_forward(&block);
    for (place, &value) in got.iter().enumerate() {
        let wave = |i: usize, k: usize| {
            let scale = if k == 0 { 0.125f64.sqrt() } else { 0.5 };
            scale * ((2 * i + 1) as f64 * k as f64 * std::f64::consts::PI / 16.0).cos()
        };
        let want: f64 = (0..64)
            .map(|i| block[i] as f64 * wave(i / 8, place / 8) * wave(i % 8, place % 8))
            .sum();
        assert!((value as f64 - want).abs() < 1e-5);
    }
    assert!(dct_inverse(&got).iter().zip(&block).all(|(a, b)| (a - b).abs() < 1e-5));

    let pixels: Vec<u8> = (0..16 * 24).map(|i| (i * 7 % 256) as u8).collect();
    let mut picture = Picture::new(&context, &pixels, 24, 1, Sampling::Halved).unwrap();
    picture.quantize(&context, &[Table { step: [4; 64] }]).unwrap();
    let before = picture.size(&context, false).unwrap();
    let (blocks, wide) = picture.levels(&context, 0).unwrap();
    assert_eq!((blocks.len(), wide), (6, 3));
    assert!(blocks.iter().any(|block| block[1] != 0));
    blocks.iter_mut().for_each(|block| *block = [0; 64]);
    assert!(picture.size(&context, false).unwrap().entropy < before.entropy);
    let grey = picture.decode(&context).unwrap();
    assert_eq!(grey, [128; 16 * 24]);
    assert_eq!(picture.levels(&context, 1).unwrap_err().name(), "QNT_E_INVALID");

    let squares: f64 = pixels.iter().map(|&p| (p as f64 - 128.0).powi(2)).sum();
    let want = 10.0 * (255.0 * 255.0 * pixels.len() as f64 / squares).log10();
    assert!((psnr(&context, &pixels, &grey).unwrap() - want).abs() < 1e-9);
    assert_eq!(psnr(&context, &grey, &grey).unwrap(), f64::INFINITY);
    assert_eq!(psnr(&context, &grey, &grey[1..]).unwrap_err().name(), "QNT_E_SHAPE");
    assert_eq!(psnr(&context, &[], &[]).unwrap_err().name(), "QNT_E_SHAPE");
}

#[test]
fn searches_that_call_back() {
    use qnt::qtable::*;
    let context = Context::new().unwrap();
    let measure = |table: &Table| {
        let sum: f64 = table.step.iter().map(|&step| step as f64).sum();
        (sum, -(table.step[0] as f64) - table.step[63] as f64 * 0.5)
    };
    let spec = SearchSpec { seed: 5, ..Default::default() };
    let mut search = Search::new(&context, &spec).unwrap();
    search.run(&context, 50, |table| Some(measure(table))).unwrap();
    let mut trials = search.trials(&context).unwrap();
    let mut asked = Search::new(&context, &spec).unwrap();
    for trial in &trials {
        let table = asked.ask(&context).unwrap();
        assert_eq!(((trial.rate, trial.utility), trial.table[0].step), (measure(&table), table.step));
        asked.tell(&context, trial.rate, trial.utility).unwrap();
    }

    let beaten = |b: &Trial| {
        let beats = |a: &Trial| {
            a.rate >= b.rate && a.utility >= b.utility && (a.rate, a.utility) != (b.rate, b.utility)
        };
        trials.iter().any(beats)
    };
    let mut front: Vec<usize> = (0..50).filter(|&i| !beaten(&trials[i])).collect();
    front.sort_by(|&a, &b| trials[b].rate.partial_cmp(&trials[a].rate).unwrap());
    assert_eq!(search_front(&context, &trials).unwrap(), front);

    let mut left = 3;
    let stopped = search.run(&context, 9, |table| {
        left -= 1;
        Some(measure(table)).filter(|_| left > 0)
    });
    assert_eq!(stopped.unwrap_err().name(), "QNT_E_CANCELLED");
    assert_eq!(search.trials(&context).unwrap().len(), 52);
    let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        search.run(&context, 1, |_| panic!("of the caller"))
    }));
    assert!(panics.is_err());
    assert_eq!(search.run(&context, 1, |_| Some((0.0, 0.0))).unwrap_err().name(), "QNT_E_INVALID");

    let mut calls = 0.0;
    search_score(&context, &mut trials[..4], |table| {
        calls += 1.0;
        Some((calls, table.step[0] as f64))
    }).unwrap();
    for (i, trial) in trials[..4].iter().enumerate() {
        assert_eq!((trial.rate, trial.utility), ((i + 1) as f64, trial.table[0].step[0] as f64));
    }
    assert_eq!(search_score(&context, &mut trials, |_| None).unwrap_err().name(), "QNT_E_CANCELLED");
}

/// The picture and the sizes frozen in test/unit/qtable_image.c.
#[test]
fn picture_sizes() {
    use qnt::qtable::*;
    let context = Context::new().unwrap();
    let pixels: Vec<u8> = (0..37 * 21)
        .map(|i| (i % 37, i / 37))
        .map(|(x, y): (i32, i32)| (128 + (x * 5 - y * 3) % 90 + x * y * 7 % 23) as u8)
        .collect();
    let mut picture = Picture::new(&context, &pixels, 37, 1, Sampling::Halved).unwrap();
    assert_eq!(picture.size(&context, false).unwrap_err().name(), "QNT_E_STATE");
    let table = standard_table(&context, false, 50).unwrap();
    picture.quantize(&context, &[table]).unwrap();
    let size = picture.size(&context, false).unwrap();
    assert_eq!((size.file, size.header), (457, 330));
    assert_eq!(picture.size(&context, true).unwrap().file, 302);
    picture.quantize(&context, &[Table { step: [1; 64] }]).unwrap();
    let decoded = picture.decode(&context).unwrap();
    assert!(decoded.iter().zip(&pixels).all(|(a, b)| a.abs_diff(*b) <= 1));
    assert!(picture.quantize(&context, &[Table { step: [0; 64] }]).is_err());
    assert!(Picture::new(&context, &[], 8, 1, Sampling::Full).is_err());
    assert!(table_text(&context, &[table]).unwrap().starts_with(" 16  11  10"));
}

#[test]
fn table_search() {
    use qnt::qtable::*;
    let context = Context::new().unwrap();
    let measure = |table: &Table| {
        let sum: f64 = table.step.iter().map(|&step| step as f64).sum();
        let far: f64 = table.step.iter().map(|&step| (step as f64 - 30.0).powi(2)).sum();
        (sum / 640.0, -sum / 640.0 - far / 64000.0)
    };
    let mut search = Search::new(&context, &SearchSpec { seed: 3, ..Default::default() }).unwrap();
    for _ in 0..60 {
        let (rate, utility) = measure(&search.ask(&context).unwrap());
        search.tell(&context, rate, utility).unwrap();
    }
    let trials = search.trials(&context).unwrap();
    assert_eq!(trials.len(), 60);
    let (low, high) = search_box(&context, &trials, (2.0, 8.0), 0.5).unwrap();
    let spec = SearchSpec { strategy: Strategy::Bandit, start: 10, window: (1.0, 9.0),
                            curve: search_curve(&context, &trials).unwrap(),
                            corners: Some((&low, &high)), ..Default::default() };
    let mut bandit = Search::new(&context, &spec).unwrap();
    assert!(bandit.best(&context).is_err());
    for _ in 0..40 {
        let table = bandit.ask(&context).unwrap();
        assert!((0..64).all(|i| low.step[i] <= table.step[i] && table.step[i] <= high.step[i]));
        let (rate, utility) = measure(&table);
        bandit.tell(&context, rate, utility).unwrap();
    }
    let best = bandit.best(&context).unwrap();
    assert_eq!((best.rate, best.utility), measure(&best.table[0]));
}

#[test]
fn sent_and_shared() {
    fn both<T: Send + Sync>() {}
    both::<Context>();
    both::<Pool>();
    both::<Quantizer>();
    both::<Layer>();
    both::<Error>();
}

#[test]
fn kernel_maps() {
    let context = Context::new().unwrap();
    let pixels = numbers(9, 40 * 8 * 8);
    let spec = MapSpec { channels: 1, kernel: 3, pad: 1, filters: 6, subsample: 2, anchor_bits: 4,
                         patch_bits: 4, ..MapSpec::default() };
    let data = MapData { height: 8, width: 8, images: 40, patches: 400, rounds: 5 };
    let mut map = KernelMap::new(&context, &spec).unwrap();
    let x = View::new(&pixels[..2 * 64], &[2, 8, 8, 1]).unwrap();
    assert_eq!(map.run(&context, &x).err().unwrap().name(), "QNT_E_STATE");
    let failed = map.fit(&context, &data, |_, _| false).err().unwrap();
    assert_eq!(failed.name(), "QNT_E_CANCELLED");
    let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        map.fit(&context, &data, |_, _| panic!("of the caller"))
    }));
    assert!(panics.is_err());
    assert_eq!(map.run(&context, &x).err().unwrap().name(), "QNT_E_STATE"); // nothing was learned from it
    map.fit(&context, &data, |i, image| {
        image.copy_from_slice(&pixels[i as usize * 64..][..64]);
        true
    }).unwrap();
    assert!((map.describe(&context).unwrap().sigma - 0.6).abs() < 1e-6);
    let (y, shape) = map.run(&context, &x).unwrap();
    assert_eq!(shape, [2, 4, 4, 6]);
    let again = KernelMap::load(&context, &map.save(&context).unwrap()).unwrap();
    assert_eq!(again.run(&context, &x).unwrap().0, y);

    let mut anchors = vec![0f32; 6 * 9];
    map.get(&context, &mut ViewMut::new(&mut anchors, &[6, 9]).unwrap()).unwrap();
    let first = View::new(&anchors[..9], &[9]).unwrap();
    assert!((map.kernel(&context, &first, &first).unwrap() - 1.0).abs() < 1e-5);
    let (mut dx, mut danchors) = (vec![0f32; 128], vec![0f32; 54]);
    map.backward(&context, &x, &View::new(&y, &shape).unwrap(),
                 Some(&mut ViewMut::new(&mut dx, &[2, 8, 8, 1]).unwrap()),
                 Some(&mut ViewMut::new(&mut danchors, &[6, 9]).unwrap())).unwrap();
    assert!(dx.iter().chain(&danchors).any(|&d| d != 0.0));
    map.set(&context, &View::new(&anchors, &[6, 9]).unwrap()).unwrap();
    assert_eq!(map.run(&context, &x).unwrap().0, y);
}

#[test]
fn training() {
    let context = Context::new().unwrap();
    let x = numbers(5, 6 * 50);
    let view = View::new(&x, &[6, 50]).unwrap();
    let spec = TrainSpec { bits: 3, signed: true, grain: Grain::Axis(0), ..TrainSpec::default() };
    let mut trainer = Trainer::new(&context, &spec).unwrap();
    let (mut y, mut z, mut dx) = (vec![0f32; 300], vec![0f32; 300], vec![0f32; 300]);
    let error = trainer.forward(&context, &view, &mut ViewMut::new(&mut y, &[6, 50]).unwrap());
    assert_eq!(error.err().unwrap().name(), "QNT_E_STATE");
    trainer.start(&context, &view).unwrap();
    let mut theta = trainer.get(&context, param::THETA).unwrap();
    theta.iter_mut().for_each(|step| *step *= 1.7); // far from the best
    let loss = |y: &[f32]| y.iter().zip(&x).map(|(y, x)| (y - x) * (y - x)).sum::<f32>();
    let mut losses = Vec::new();
    for _ in 0..60 {
        trainer.set(&context, param::THETA, &theta).unwrap();
        trainer.forward(&context, &view, &mut ViewMut::new(&mut y, &[6, 50]).unwrap()).unwrap();
        losses.push(loss(&y));
        let dy: Vec<f32> = y.iter().zip(&x).map(|(y, x)| 2.0 * (y - x)).collect();
        let slope = trainer
            .backward(&context, &view, &View::new(&dy, &[6, 50]).unwrap(),
                      &mut ViewMut::new(&mut dx, &[6, 50]).unwrap())
            .unwrap();
        theta.iter_mut().zip(&slope).for_each(|(step, slope)| *step -= 0.02 * slope);
    }
    assert!(losses[59] < 0.8 * losses[0], "{:?}", losses);
    trainer.forward(&context, &view, &mut ViewMut::new(&mut y, &[6, 50]).unwrap()).unwrap();
    let q = trainer.export(&context, None).unwrap();
    q.apply(&context, &view, &mut ViewMut::new(&mut z, &[6, 50]).unwrap()).unwrap();
    assert_eq!(y, z);
}

#[test]
fn bases_that_learn() {
    let context = Context::new().unwrap();
    let w = numbers(6, 4 * 30);
    let view = View::new(&w, &[4, 30]).unwrap();
    let mut bases = Bases::new(&context, &view, 3, Grain::Axis(0)).unwrap();
    let mut now = vec![0f32; 120];
    for mode in [Mode::Bases, Mode::Coordinates, Mode::Gather] {
        bases.weights(&context, &mut ViewMut::new(&mut now, &[4, 30]).unwrap()).unwrap();
        let dw: Vec<f32> = now.iter().zip(&w).map(|(now, w)| 2.0 * (now - w)).collect();
        bases.step(&context, mode, 1e-3, &View::new(&dw, &[4, 30]).unwrap()).unwrap();
    }
    let state = bases.state(&context).unwrap();
    let mut copy = Bases::new(&context, &view, 3, Grain::Axis(0)).unwrap();
    copy.set_state(&context, &state).unwrap();
    assert_eq!(copy.state(&context).unwrap(), state);
    let mut layers = [bases];
    let before = Bases::bits(&context, &layers).unwrap();
    Bases::prune(&context, &mut layers, u64::MAX, 1.5).unwrap();
    let after = Bases::bits(&context, &layers).unwrap();
    assert!(before > 1.5 && after <= 1.5, "{} {}", before, after);
    let q = layers[0].export(&context).unwrap();
    let mut y = vec![0f32; 120];
    layers[0].weights(&context, &mut ViewMut::new(&mut now, &[4, 30]).unwrap()).unwrap();
    q.apply(&context, &View::new(&now, &[4, 30]).unwrap(),
            &mut ViewMut::new(&mut y, &[4, 30]).unwrap()).unwrap();
    assert!(now.iter().zip(&y).all(|(a, b)| (a - b).abs() < 2e-2));
}

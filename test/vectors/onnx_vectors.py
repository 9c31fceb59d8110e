#!/usr/bin/env python3
"""Writes test/vectors/onnx_vectors.h: the bytes that ONNX QuantizeLinear, DequantizeLinear and
DynamicQuantizeLinear give, computed with numpy from the text of the operators.

    onnx_vectors.py > onnx_vectors.h     new vectors (they are frozen; there should be no need)
    onnx_vectors.py --check              computes them again, compares them with the file, and, if
                                         onnxruntime is installed, with what it gives
"""
import os
import sys

import numpy as np

F32, F16, BF16 = "f32", "f16", "bf16"
TYPES = {"int2": (2, True), "uint2": (2, False), "int4": (4, True), "uint4": (4, False),
         "int8": (8, True), "uint8": (8, False), "int16": (16, True), "uint16": (16, False)}
ONNX_TYPES = {"int4": 22, "uint4": 21, "int8": 3, "uint8": 2, "int16": 5, "uint16": 4}
GRAINS = {"tensor": 0, "axis": 1, "block": 2}


def limits(name):
    bits, signed = TYPES[name]
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


def to_bf16(x):
    """Rounds float32 to bfloat16, half to even, and gives float32 back."""
    u = x.astype("f4").view("u4").astype("u8")
    rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16 << 16
    return np.where(np.isnan(x), x, rounded.astype("u4").view("f4"))


def rounded_to(x, kind):
    x = np.asarray(x, "f4")
    with np.errstate(over="ignore"):
        return x if kind == F32 else x.astype("f2").astype("f4") if kind == F16 else to_bf16(x)


def raw(x, kind):
    """The stored bits of each element."""
    if kind == F16:
        return x.astype("f2").view("u2").astype("u4")
    bits = x.astype("f4").view("u4")
    return bits if kind == F32 else bits >> 16


def spread(values, case):
    """Repeats one value per group over the tensor."""
    values = np.asarray(values)
    if case["grain"] == "tensor":
        return np.broadcast_to(values, case["shape"])
    if case["grain"] == "axis":
        form = [1] * len(case["shape"])
        form[case["axis"]] = -1
        return np.broadcast_to(values.reshape(form), case["shape"])
    repeated = np.repeat(values, case["block"], axis=case["axis"])
    return np.take(repeated, range(case["shape"][case["axis"]]), axis=case["axis"])


def quantize(case):
    low, high = limits(case["type"])
    scale, zero = spread(case["scale"], case), spread(case["zero"], case)
    x = np.where(np.isnan(case["x"]), np.float32(0), case["x"])
    with np.errstate(over="ignore"):
        ratio = (x / scale).astype("f4")
    return np.clip(np.rint(ratio.astype("f8")) + zero, low, high).astype("i8")


def dequantize(case, codes):
    y = (codes - spread(case["zero"], case)).astype("f4") * spread(case["scale"], case)
    return rounded_to(y, case["kind"])


def pack(codes, bits):
    """Element e in bits e*b.. of the byte string, least significant bit first."""
    number = 0
    for i, code in enumerate(codes.ravel().tolist()):
        number |= (code & (1 << bits) - 1) << i * bits
    return number.to_bytes((codes.size * bits + 7) // 8, "little")


def make_case(random, name, grain, kind):
    low, high = limits(name)
    shape, axis, block = (5, 11), 1, 4
    if grain == "axis":
        axis = int(random.integers(0, 2))
    groups = {"tensor": (), "axis": (shape[axis],), "block": (5, 3)}[grain]
    case = {"name": "%s per %s, %s" % (name, grain, kind), "type": name, "grain": grain, "kind": kind,
            "shape": shape, "axis": axis if grain != "tensor" else 0,
            "block": block if grain == "block" else 0}
    case["scale"] = rounded_to(2.0 ** random.integers(-4, 3, groups) *
                               random.choice([1, 1.375, 0.7], groups), kind)
    case["zero"] = random.integers(low, high, groups, endpoint=True)
    scale = spread(case["scale"], case)
    steps = random.integers(low - high - 3, high - low + 4, shape).astype("f4")
    x = (steps + random.choice([0, 0.5, 0.25, -0.5], shape)) * scale  # ties are exact if scale is
    loose = random.random(shape) < 0.3
    x = np.where(loose, random.normal(size=shape) * scale * (high - low), x).astype("f4")
    x.ravel()[[3, 9, 17, 26, 31]] = [np.inf, -np.inf, np.nan, -0.0, 1e-41]
    case["x"] = rounded_to(x, kind)
    return case


def dynamic(x):
    """DynamicQuantizeLinear."""
    low, high = np.minimum(x.min(), np.float32(0)), np.maximum(x.max(), np.float32(0))
    scale = np.float32((high - low) / np.float32(255)) if high > low else np.float32(1)
    zero = np.rint(np.clip(np.float32(0) - low / scale, 0, 255))
    codes = np.clip(np.rint((x / scale).astype("f8")) + zero, 0, 255).astype("u1")
    return scale, int(zero), codes


def all_cases():
    random = np.random.default_rng(20)
    cases = [make_case(random, name, grain, F32) for name in TYPES for grain in GRAINS]
    cases += [make_case(random, name, grain, kind) for kind in (F16, BF16)
              for name in ("int4", "uint8", "int8") for grain in GRAINS]
    inputs = [random.normal(size=37) * 3, random.normal(size=37) + 9, random.normal(size=37) - 9,
              np.zeros(5), np.full(4, -2.5), [0, 2, -3, -2.5, 1.34, 0.5],
              np.arange(0, 256) * 0.5, [1e-3, -1e3, 77, 5e2]]
    return cases, [np.asarray(x, "f4") for x in inputs]


def listing(values, form):
    words = [form % v for v in np.asarray(values).ravel().tolist()]
    lines = [", ".join(words[i:i + 8]) for i in range(0, len(words), 8)]
    return "{\n        " + ",\n        ".join(lines) + "}"


def header():
    cases, inputs = all_cases()
    out = ["/* Written by onnx_vectors.py; frozen. */", "static const struct onnx_case onnx_cases[] = {"]
    for case in cases:
        codes = quantize(case)
        bits, signed = TYPES[case["type"]]
        kind = {F32: ("QNT_FLOAT", 32), F16: ("QNT_FLOAT", 16), BF16: ("QNT_BFLOAT", 16)}[case["kind"]]
        out.append('    {"%s", %s, %d, %d, %d, %d, %d, %d, %d,' % (
            case["name"], *kind, bits, signed, GRAINS[case["grain"]], case["axis"], case["block"],
            np.size(case["scale"])))
        out.append("     %s," % listing(raw(case["x"], case["kind"]), "0x%x"))
        out.append("     %s," % listing(np.asarray(case["scale"], "f4").view("u4"), "0x%x"))
        out.append("     %s," % listing(case["zero"], "%d"))
        out.append("     %s," % listing(np.frombuffer(pack(codes, bits), "u1"), "%d"))
        out.append("     %s}," % listing(raw(dequantize(case, codes), case["kind"]), "0x%x"))
    out += ["};", "", "static const struct onnx_dynamic onnx_dynamic_cases[] = {"]
    for x in inputs:
        scale, zero, codes = dynamic(x)
        out.append("    {%d, 0x%x, %d," % (x.size, np.asarray(scale).view("u4"), zero))
        out.append("     %s," % listing(x.view("u4"), "0x%x"))
        out.append("     %s}," % listing(codes, "%d"))
    return "\n".join(out + ["};", ""])


# ---- comparison with ONNX Runtime; its models are protobufs written by hand ----

def field(number, value):
    def varint(n):
        n &= (1 << 64) - 1
        return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def node(op, inputs, outputs, **attributes):
    data = b"".join(field(1, i) for i in inputs) + b"".join(field(2, o) for o in outputs)
    data += field(4, op)
    for name, number in attributes.items():
        data += field(5, field(1, name) + field(3, number) + field(20, 2))
    return field(1, data)


def value(name, kind, rank):
    dims = b"".join(field(1, field(2, "%s%d" % (name, i))) for i in range(rank))
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, dims)))


def constant(name, kind, shape, data):
    dims = b"".join(field(1, d) for d in shape)
    return field(5, dims + field(2, kind) + field(8, name) + field(9, data))


def run(body, inputs, outputs, feed):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    graph = body + field(2, "g") + b"".join(field(11, value(*i)) for i in inputs)
    graph += b"".join(field(12, value(*o)) for o in outputs)
    model = field(1, 10) + field(7, graph) + field(8, field(2, 21))
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, feed)


def check_case(case):
    """Quantized and dequantized again; 4-bit codes have no numpy type, so only floats come out."""
    kind, dtype = (1, "f4") if case["kind"] == F32 else (10, "f2")
    number, bits = ONNX_TYPES[case["type"]], TYPES[case["type"]][0]
    zero = np.asarray(case["zero"])
    attributes = {"axis": case["axis"]} if case["grain"] != "tensor" else {}
    if case["grain"] == "block":
        attributes["block_size"] = case["block"]
    body = node("QuantizeLinear", ["x", "s", "z"], ["q"], **attributes)
    body += node("DequantizeLinear", ["q", "s", "z"], ["y"], **attributes)
    body += constant("s", kind, zero.shape, np.asarray(case["scale"]).astype(dtype).tobytes())
    body += constant("z", number, zero.shape, pack(zero, bits))
    y, = run(body, [("x", kind, 2)], [("y", kind, 2)], {"x": case["x"].astype(dtype)})
    known = ~np.isnan(case["x"])  # NaN is not defined by ONNX
    if case["kind"] == F16:
        known = np.isfinite(case["x"])  # the runtime wraps infinite halves instead of saturating
    mine = raw(dequantize(case, quantize(case)), case["kind"])
    return bool((raw(y.astype("f4"), case["kind"]) == mine)[known].all())


def check_runtime():
    try:
        import onnxruntime
    except ImportError:
        return "onnxruntime is not installed"
    agreed, refused = 0, []
    cases, inputs = all_cases()
    for case in cases:
        if case["type"] not in ONNX_TYPES or case["kind"] == BF16:
            continue
        try:
            same = check_case(case)
        except Exception as reason:  # an operator that this runtime lacks for the type
            refused.append("%s: %s" % (case["name"], str(reason).splitlines()[0][:120]))
            continue
        if not same:
            sys.exit("onnxruntime differs: " + case["name"])
        agreed += 1
    for x in inputs:
        outputs = [("y", 2, 1), ("s", 1, 0), ("z", 2, 0)]
        y, scale, zero = run(node("DynamicQuantizeLinear", ["x"], ["y", "s", "z"]), [("x", 1, 1)],
                             outputs, {"x": x})
        mine = dynamic(x)
        if scale != mine[0] or zero != mine[1] or (y != mine[2]).any():
            sys.exit("onnxruntime differs: dynamic %s" % x[:4])
        agreed += 1
    for line in refused:
        print("not served: " + line)
    return "onnxruntime %s agrees in %d cases" % (onnxruntime.__version__, agreed)


if __name__ == "__main__":
    if "--check" not in sys.argv:
        sys.stdout.write(header())
    else:
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "onnx_vectors.h")
        with open(path, encoding="ascii") as file:
            if file.read() != header():
                sys.exit("onnx_vectors.h differs from what numpy gives")
        print("numpy agrees; " + check_runtime())

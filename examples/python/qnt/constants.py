"""Constants: names as in the headers, without QNT_. What a class takes as a word is a dict of words."""


class Words(dict):
    """Words of an argument and their numbers; another word is refused with those that there are."""

    def __init__(self, argument, words):
        super().__init__(words)
        self.argument = argument

    def __missing__(self, word):
        raise ValueError("%s is %r, expected %s" % (self.argument, word, ", ".join(self)))


OK = 0
STATUSES = {
    -1: "E_INVALID", -2: "E_SHAPE", -3: "E_DTYPE", -4: "E_UNSUPPORTED", -5: "E_STATE",
    -6: "E_NOMEM", -7: "E_SPACE", -8: "E_FORMAT", -9: "E_VERSION", -10: "E_CANCELLED",
    -11: "E_DEVICE", -12: "E_PARALLEL",
}
globals().update({name: status for status, name in STATUSES.items()})

LOG_NONE, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG = range(5)
CPU_AVX2, CPU_AVX512VNNI, CPU_AVX512VBMI, CPU_AVXVNNI = 0x1, 0x2, 0x4, 0x8
CPU_NEON, CPU_NEONDOT = 0x10000, 0x20000
MAX_NDIM = 8
INT, UINT, FLOAT, BFLOAT = 0, 1, 2, 4

SCHEMES = Words("scheme", {"affine": 0, "points": 1, "exp": 2, "table": 3})
METHODS = Words("method", {
    "fixed": 0, "minmax": 1, "percentile": 2, "entropy": 3, "analytic": 4, "mse": 5, "balanced": 6, "bases": 7,
    "multipoint": 8, "teq": 9, "kmeans": 10, "lloyd": 11, "nf4": 12, "fp4": 13, "pot": 14, "apot": 15,
    "levels": 16, "lsq": 32, "lsqplus": 33, "pact": 34, "dorefa": 35, "ewgs": 36, "n2uq": 37,
    "staircase": 38, "interval": 39, "rq": 40, "srq": 41, "alq": 42, "lq": 43,
})
SIGNED, SYMMETRIC, NARROW, DYNAMIC, LITERAL, REAL_OFFSET, THRESHOLDS = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20, 0x40
PER_TENSOR, PER_AXIS, PER_BLOCK = range(3)

# QNT_P_ numbers: of quantizers, and of trainers.
PARAMETERS = {
    "scale": 1, "zero": 2, "offset": 3, "low": 4, "high": 5, "coef": 6, "count": 7, "base": 8, "alpha": 9,
    "beta": 10, "levels": 11, "thresholds": 12,
    "percentile": 16, "distribution": 17, "samples": 18, "bins": 19, "nodes": 20, "budget": 21,
    "tolerance": 22, "rounds": 23, "extra": 24,
    "error": 32, "bound": 33, "visited": 34, "observed": 35, "min": 36, "max": 37, "stored": 38,
    "overhead": 39,
}
TRAINING = {"levels": 11, "theta": 64, "step": 65, "epoch": 66, "temperature": 67, "hard": 68, "delta": 69,
            "keep": 70, "anneal": 71, "penalty": 72}
ALQ_MODES = Words("mode", {"gather": 0, "bases": 1, "coordinates": 2, "straight": 3})

KINDS = Words("kind", {"dense": 0, "conv": 1})
LAYOUTS = Words("layout", {"nhwc": 0, "nchw": 1})
ACTIVATIONS = Words("activation", {"linear": 0, "relu": 1, "clamp": 2})
ACCUMULATE, BORROW = 0x1, 0x2
RELU_FIRST, RELU_LAST, TRANSPOSE = 0x1, 0x2, 0x4
BLOBS = {1: "quantizer", 2: "layer", 3: "kernel map", 4: "lowbit layer"}
BLOB_QUANTIZER, BLOB_LAYER, BLOB_CKN, BLOB_LOWBIT = 1, 2, 3, 4

QTABLE_LUMA, QTABLE_CHROMA = 0, 1
SAMPLING_420, SAMPLING_444 = 0, 1
DCT_INTEGER, DCT_FLOAT = 0, 1
HUFFMAN_STANDARD, HUFFMAN_OPTIMAL = 0, 1
SEARCHES = Words("method", {"sorted": 0, "bounded": 1, "bayes": 2, "bandit": 3})

"""libqnt for Python: low-bit quantization on your own arrays, through ctypes, without copies.

    import numpy as np, qnt

    weight, x = (np.random.normal(size=n).astype("f4") for n in ((16, 64), (4, 64)))
    context = qnt.Context(threads=2)
    weight_q = qnt.Quantizer(context, "mse", bits=4, signed=True, axis=0).observe(weight).fit()
    codes = weight_q.encode(weight)                         # packed, 4 bits each
    print(weight_q.scale, weight_q.measure(weight).sqnr_db)

    input_q = qnt.Quantizer(context).observe(x).fit()       # observe() each batch of calibration data
    layer = qnt.Layer(context, weight, weight_q, input_q=input_q)
    y = layer(x)                                            # float32 [4, 16]

Wherever an array is expected, anything with the buffer protocol will do (numpy arrays, array.array,
memoryview, bytes), anything with __dlpack__ (torch, jax), or a Tensor that describes memory of other
types: packed codes, bfloat16. Strides are honoured and nothing is copied. numpy is optional: with it
results are numpy arrays wherever numpy has the type; without it, and for packed codes, they are Tensors.

Every failure raises Error with the status and the library's own sentence about what was wrong; what a callback
raises comes out of the call that it was given to. Numbers that do not fit, and objects of another kind, are refused.
Objects may be shared between threads: calls that change nothing run at once; one that changes an object
raises RuntimeError while another uses it. What is closed while in use is freed when the last call ends.

All of the library is here: one module for each header, and capi with the C side itself.

The library is $QNT_LIBRARY, or the first libqnt.so.1 on the loader's path, or that of the source tree.
"""
from .blob import aligned, blob_probe
from .ckn import KernelMap
from .constants import *  # noqa: F403
from .context import Cancelled, Context, Error, OutOfMemory, Pool, cpu_detect, cpu_names, version
from .kernel import conv_s8, dot_exp, gemm_bits, gemm_exp, gemm_s8, gemm_table, pack_bits, requantize
from .kernel import shuffle_cyclic
from .layer import Layer
from .lowbit import LowbitLayer, conv_lowbit, find_thresholds, pack_pixels, pack_taps
from .qtable import Picture, PictureSize, TableSearch, Trial, dct_forward, dct_inverse, psnr, search_box
from .qtable import search_curve, search_front, search_score, standard_table, table_text
from .quantizer import ErrorMeasures, Quantizer, TeqResult, teq_search
from .tensor import Tensor
from .train import Bases, Trainer, mean_bits, prune

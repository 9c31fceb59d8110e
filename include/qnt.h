/**
 * @file qnt.h
 * @brief All of libqnt in one include.
 *
 * libqnt quantizes tensors that live in the caller's buffers and runs prepared low-bit layers.
 * Read the headers in this order: base, context, tensor, quantizer, layer, kernel, lowbit, io, pool,
 * train; ckn and qtable are modules of their own.
 */
#ifndef QNT_H
#define QNT_H

#include "qnt/base.h"
#include "qnt/ckn.h"
#include "qnt/context.h"
#include "qnt/io.h"
#include "qnt/kernel.h"
#include "qnt/layer.h"
#include "qnt/lowbit.h"
#include "qnt/pool.h"
#include "qnt/qtable.h"
#include "qnt/quantizer.h"
#include "qnt/tensor.h"
#include "qnt/train.h"

#endif

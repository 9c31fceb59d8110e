/* Depthwise convolution with the VPDPBUSD of AVX-VNNI. Few channels are left to AVX2. */
#include "dot_avxvnni.h"

#include "depthwise_avx2.h"

void qnt__depthwise_s8_avxvnni(const struct qnt__depthwise *d)
{
    if (d->channels < CHANNELS) qnt__depthwise_s8_avx2(d);
    else multiply_channels(d);
}

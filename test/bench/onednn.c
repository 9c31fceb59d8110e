/* oneDNN (2.x C interface) as a peer; without it, functions that say so. */
#include "onednn.h"

#ifdef HAVE_DNNL

#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "dnnl.h"

enum { SOURCE, WEIGHTS, RESULT, MEMORIES };

struct peer {
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[MEMORIES];
};

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void must(dnnl_status_t status, const char *what)
{
    if (status == dnnl_success) return;
    fprintf(stderr, "oneDNN: %s gave status %d\n", what, (int)status);
    exit(1);
}

static void start_engine(void)
{
    if (engine) return;
    must(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
    must(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream");
}

const char *peer_version(void)
{
    static char text[64];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

static dnnl_data_type_t result_type(int result)
{
    return result == PEER_S32 ? dnnl_s32 : result == PEER_F32 ? dnnl_f32 : dnnl_u8;
}

/* A scale for each channel, unless the sums are wanted. */
static dnnl_primitive_attr_t scales(size_t channels, int result)
{
    dnnl_primitive_attr_t attr;
    must(dnnl_primitive_attr_create(&attr), "attributes");
    if (result == PEER_S32) return attr;
    float *scale = malloc(channels * sizeof *scale);
    for (size_t i = 0; i < channels; i++) scale[i] = 1e-4f * (float)(1 + i % 7);
    must(dnnl_primitive_attr_set_output_scales(attr, (dnnl_dim_t)channels, 1 << 1, scale),
         "scales");
    free(scale);
    return attr;
}

static void add_memory(struct peer *peer, const_dnnl_primitive_desc_t desc, int slot,
                       dnnl_query_t query)
{
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(desc, query, 0);
    must(dnnl_memory_create(&peer->memory[slot], md, engine, DNNL_MEMORY_ALLOCATE), "memory");
    void *data;
    must(dnnl_memory_get_data_handle(peer->memory[slot], &data), "data");
    bench_fill(data, dnnl_memory_desc_get_size(md));
}

/* Takes the attributes. */
static struct peer *prepare(const_dnnl_op_desc_t op, dnnl_primitive_attr_t attr)
{
    dnnl_primitive_desc_t desc;
    dnnl_status_t status = dnnl_primitive_desc_create(&desc, op, attr, engine, NULL);
    dnnl_primitive_attr_destroy(attr);
    if (status != dnnl_success) return NULL;

    struct peer *peer = calloc(1, sizeof *peer);
    must(dnnl_primitive_create(&peer->primitive, desc), "primitive");
    if (bench_option("--verbose")) {
        const char *name = "";
        dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name);
        printf("# oneDNN runs %s\n", name);
    }
    add_memory(peer, desc, SOURCE, dnnl_query_src_md);
    add_memory(peer, desc, WEIGHTS, dnnl_query_weights_md);
    add_memory(peer, desc, RESULT, dnnl_query_dst_md);
    dnnl_primitive_desc_destroy(desc);
    return peer;
}

struct peer *peer_gemm(size_t m, size_t n, size_t k, int is_signed, int result)
{
    start_engine();
    dnnl_dim_t rows = (dnnl_dim_t)m, columns = (dnnl_dim_t)n, depth = (dnnl_dim_t)k;
    dnnl_memory_desc_t src, weights, dst;
    dnnl_matmul_desc_t op;
    must(dnnl_memory_desc_init_by_tag(&src, 2, (dnnl_dims_t){rows, depth},
                                      is_signed ? dnnl_s8 : dnnl_u8, dnnl_ab), "source");
    must(dnnl_memory_desc_init_by_tag(&weights, 2, (dnnl_dims_t){depth, columns}, dnnl_s8,
                                      dnnl_format_tag_any), "weights");
    must(dnnl_memory_desc_init_by_tag(&dst, 2, (dnnl_dims_t){rows, columns}, result_type(result),
                                      dnnl_ab), "result");
    must(dnnl_matmul_desc_init(&op, &src, &weights, NULL, &dst), "matmul");
    return prepare(&op, scales(n, result));
}

struct peer *peer_conv(size_t size, size_t channels, size_t groups, size_t kernel, int is_signed,
                       int result)
{
    start_engine();
    dnnl_dim_t s = (dnnl_dim_t)size, c = (dnnl_dim_t)channels, k = (dnnl_dim_t)kernel;
    dnnl_dim_t g = (dnnl_dim_t)groups;
    dnnl_dims_t image = {1, c, s, s}, filter = {c, c, k, k}, grouped = {g, c / g, c / g, k, k};
    dnnl_dims_t pad = {(k - 1) / 2, (k - 1) / 2};
    dnnl_memory_desc_t src, weights, dst;
    dnnl_convolution_desc_t op;
    must(dnnl_memory_desc_init_by_tag(&src, 4, image, is_signed ? dnnl_s8 : dnnl_u8, dnnl_nhwc),
         "source");
    must(dnnl_memory_desc_init_by_tag(&weights, g > 1 ? 5 : 4, g > 1 ? grouped : filter, dnnl_s8,
                                      dnnl_format_tag_any),
         "weights");
    must(dnnl_memory_desc_init_by_tag(&dst, 4, image, result_type(result), dnnl_nhwc), "result");
    must(dnnl_convolution_forward_desc_init(&op, dnnl_forward_inference, dnnl_convolution_direct,
                                            &src, &weights, NULL, &dst, (dnnl_dims_t){1, 1}, pad,
                                            pad), "convolution");
    return prepare(&op, scales(channels, result));
}

void peer_run(void *state)
{
    struct peer *peer = state;
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, peer->memory[SOURCE]},
                                   {DNNL_ARG_WEIGHTS, peer->memory[WEIGHTS]},
                                   {DNNL_ARG_DST, peer->memory[RESULT]}};
    must(dnnl_primitive_execute(peer->primitive, stream, MEMORIES, arguments), "execute");
    must(dnnl_stream_wait(stream), "wait");
}

void peer_destroy(struct peer *peer)
{
    if (!peer) return;
    dnnl_primitive_destroy(peer->primitive);
    for (int i = 0; i < MEMORIES; i++) dnnl_memory_destroy(peer->memory[i]);
    free(peer);
}

#else

const char *peer_version(void)
{
    return NULL;
}

struct peer *peer_gemm(size_t m, size_t n, size_t k, int is_signed, int result)
{
    (void)m, (void)n, (void)k, (void)is_signed, (void)result;
    return NULL;
}

struct peer *peer_conv(size_t size, size_t channels, size_t groups, size_t kernel, int is_signed,
                       int result)
{
    (void)size, (void)channels, (void)groups, (void)kernel, (void)is_signed, (void)result;
    return NULL;
}

void peer_run(void *peer)
{
    (void)peer;
}

void peer_destroy(struct peer *peer)
{
    (void)peer;
}

#endif

/* A program outside the tree: only <qnt.h>, only the public API, any C standard from C99. */
#include <qnt.h>

#include <stdio.h>
#include <string.h>

static char reason[256];

static void listen(void *user, int32_t level, const char *message)
{
    (void)user;
    (void)level;
    snprintf(reason, sizeof reason, "%s", message);
}

static void add_one(void *task, size_t index, size_t worker)
{
    (void)worker;
    ((int *)task)[index] += 1;
}

int main(void)
{
    qnt_context *context = NULL;
    qnt_pool *pool = NULL;
    int64_t shape[2] = {2, -3};
    int done[64] = {0};
    float data[6] = {0};
    qnt_tensor tensor = {0};
    int i;

    if (qnt_version() != QNT_VERSION) return 1;
    if (qnt_context_create(NULL, NULL, NULL, &context) != QNT_OK) return 2;
    qnt_context_set_log(context, listen, NULL, QNT_LOG_ERROR);

    tensor.data = data;
    tensor.device_type = 1;
    tensor.ndim = 2;
    tensor.dtype_code = QNT_FLOAT;
    tensor.dtype_bits = 32;
    tensor.dtype_lanes = 1;
    tensor.shape = shape;
    if (qnt_tensor_check(context, &tensor) != QNT_E_SHAPE || !strstr(reason, "-3")) return 3;
    shape[1] = 3;
    if (qnt_tensor_check(context, &tensor) != QNT_OK) return 4;

    if (qnt_pool_create(context, 2, &pool) != QNT_OK) return 5;
    qnt_pool_run(pool, add_one, done, 64);
    for (i = 0; i < 64; i++) {
        if (done[i] != 1) return 6;
    }
    qnt_pool_destroy(pool);
    qnt_context_destroy(context);
    printf("libqnt %s\n", qnt_version_string());
    return 0;
}

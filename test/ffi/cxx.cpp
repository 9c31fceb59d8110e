// The API from C++11: includes without a warning, handles in unique_ptr, callbacks without captures.
#include <qnt.h>

#include <cstdio>
#include <memory>
#include <string>

namespace {

void listen(void *user, std::int32_t, const char *message)
{
    *static_cast<std::string *>(user) = message;
}

struct destroy {
    void operator()(qnt_context *context) const { qnt_context_destroy(context); }
    void operator()(qnt_pool *pool) const { qnt_pool_destroy(pool); }
};

} // namespace

int main()
{
    std::string reason;
    qnt_context *raw = nullptr;
    if (qnt_context_create(nullptr, nullptr, nullptr, &raw) != QNT_OK) return 1;
    std::unique_ptr<qnt_context, destroy> context(raw);
    qnt_context_set_log(raw, listen, &reason, QNT_LOG_ERROR);

    qnt_pool *threads = nullptr;
    if (qnt_pool_create(raw, 0, &threads) != QNT_E_INVALID) return 2;
    if (reason.find("threads is 0") == std::string::npos) return 3;
    if (qnt_pool_create(raw, 2, &threads) != QNT_OK) return 4;
    std::unique_ptr<qnt_pool, destroy> pool(threads);
    if (qnt_context_set_parallel(raw, qnt_pool_run, pool.get(), 2) != QNT_OK) return 5;

    std::printf("libqnt %s from C++\n", qnt_version_string());
    return 0;
}

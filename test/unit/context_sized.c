/* Structs that begin with their size: shorter, equal and longer than this release's. */
#include "check.h"
#include "context/context.h"

struct known { uint32_t size; int32_t a, b, c; };
struct longer { struct known known; int32_t d; };

enum { FIRST = offsetof(struct known, c) }; /* the first release knew a and b */

static void reading(void)
{
    qnt_context *c = check_context();
    struct longer from = {{0, 1, 2, 3}, 0};
    struct known to = {9, 9, 9, 9};

    FAILS(qnt__sized_read(c, "spec", NULL, FIRST, sizeof to, &to), QNT_E_INVALID, "spec is NULL");
    from.known.size = FIRST - 1;
    FAILS(qnt__sized_read(c, "spec", &from, FIRST, sizeof to, &to), QNT_E_INVALID,
          "spec: size is 11, expected at least 12");
    from.known.size = sizeof from;
    from.d = 0x400;
    FAILS(qnt__sized_read(c, "spec", &from, FIRST, sizeof to, &to), QNT_E_VERSION,
          "spec: byte 17 is 4, but this release knows 16 bytes only");
    CHECK(to.size == 9 && to.a == 9 && to.b == 9 && to.c == 9);

    from.d = 0;
    OK(qnt__sized_read(c, "spec", &from, FIRST, sizeof to, &to));
    CHECK(to.a == 1 && to.b == 2 && to.c == 3);
    from.known.size = FIRST;
    OK(qnt__sized_read(c, "spec", &from, FIRST, sizeof to, &to));
    CHECK(to.a == 1 && to.b == 2 && to.c == 0);
    qnt_context_destroy(c);
}

static void writing(void)
{
    struct known from = {0, 1, 2, 3};
    struct longer to = {{FIRST, 9, 9, 9}, 9};
    qnt__sized_write(&to, &from, sizeof from);
    CHECK(to.known.size == FIRST && to.known.a == 1 && to.known.b == 2 && to.known.c == 9);
    to.known.size = sizeof to;
    qnt__sized_write(&to, &from, sizeof from);
    CHECK(to.known.size == sizeof to && to.known.c == 3 && to.d == 9);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(reading);
    RUN(writing);
    return DONE;
}

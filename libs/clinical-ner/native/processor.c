/* What the processor can do beyond what the compiler was told of it. */
#include "model.h"

#ifdef CN_FOR_AVX2
#include <cpuid.h>

/* AVX2, and a system that keeps the wide registers when it changes tasks. */
static int has_avx2(void) {
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 6) == 6 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_AVX2;
}
#else
static int has_avx2(void) { return 0; }
#endif

static int uses_avx2;

int cn_use_avx2(int wanted) { return uses_avx2 = wanted && has_avx2(); }

int cn_uses_avx2(void) { return uses_avx2; }

/* Vectors of the widest registers that the processor has, and the elementary functions the network needs.

   The including file defines REAL as 32 or 64, the bits of the numbers that are computed with. */
#include <stdint.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif

#if REAL == 32
typedef float real;
typedef int32_t integer;
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#else
typedef double real;
typedef int64_t integer;
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#endif

#define LANES ((int)(BYTES / sizeof(real)))
#define INLINE static inline __attribute__((always_inline))

/* The type has the alignment of one number: features of any number of channels may be read from anywhere. */
typedef real vec __attribute__((vector_size(BYTES), aligned(sizeof(real))));
typedef integer vec_int __attribute__((vector_size(BYTES)));

INLINE vec load(const real *p) { return *(const vec *)p; }
INLINE void store(real *p, vec v) { *(vec *)p = v; }
INLINE vec splat(real s) { return s - (vec){0}; }
INLINE vec where(vec_int mask, vec a, vec b) { return (vec)(((vec_int)a & mask) | ((vec_int)b & ~mask)); }

/* exp(x) to rounding: 2^n times a polynomial of the rest, |rest| <= ln 2 / 2; flushed to the ends of the range. */
INLINE vec exponential(vec x) {
#if REAL == 32
    const real largest = 88.0f, smallest = -87.0f, magic = 0x1.8p23f;
    const real ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
    static const real c[] = {1.0f / 5040, 1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
#else
    const real largest = 709.0, smallest = -708.0, magic = 0x1.8p52;
    const real ln2_high = 0x1.62e42fefa3800p-1, ln2_low = 0x1.ef35793c76730p-45;
    static const real c[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880,
                             1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0};
#endif
    x = where((vec_int)(x > largest), splat(largest), x); /* not a number stays what it is */
    x = where((vec_int)(x < smallest), splat(smallest), x);
    vec n = (x * (real)1.44269504088896340736 + magic) - magic;
    vec rest = (x - n * ln2_high) - n * ln2_low;
    vec p = splat(c[0]);
#pragma unroll
    for (int k = 1; k < (int)(sizeof(c) / sizeof(c[0])); k++) p = p * rest + c[k];
    vec_int power = (__builtin_convertvector(n, vec_int) + EXPONENT_BIAS) << MANTISSA_BITS;
    return p * (vec)power;
}

INLINE vec sigmoid(vec x) { return 1 / (1 + exponential(-x)); }

INLINE vec silu(vec x) { return x * sigmoid(x); }

INLINE vec silu_slope(vec x) {
    vec s = sigmoid(x);
    return s + x * s * (1 - s);
}

INLINE vec hyperbolic_tangent(vec x) { return 2 * sigmoid(2 * x) - 1; }

INLINE vec hyperbolic_tangent_slope(vec x) {
    vec t = hyperbolic_tangent(x);
    return 1 - t * t;
}

/* C += A B for a block of at most 6 x 4 registers; ROWS and WIDTH are constants wherever this is inlined. */
INLINE void gemm_block(const int rows, const int width, int inner, const real *restrict a, int64_t lda,
                       const real *restrict b, int64_t ldb, real *restrict c, int64_t ldc, const int adds) {
    vec sum[6][4];
#pragma unroll
    for (int i = 0; i < rows; i++)
#pragma unroll
        for (int j = 0; j < width; j++) sum[i][j] = adds ? load(c + i * ldc + j * LANES) : splat(0);
    for (int k = 0; k < inner; k++) {
#pragma unroll
        for (int i = 0; i < rows; i++)
#pragma unroll
            for (int j = 0; j < width; j++) sum[i][j] += a[i * lda + k] * load(b + k * ldb + j * LANES);
    }
#pragma unroll
    for (int i = 0; i < rows; i++)
#pragma unroll
        for (int j = 0; j < width; j++) store(c + i * ldc + j * LANES, sum[i][j]);
}

INLINE void gemm_columns(const int width, int rows, int inner, const real *restrict a, int64_t lda,
                         const real *restrict b, int64_t ldb, real *restrict c, int64_t ldc, const int adds) {
    int i = 0;
    for (; i + 6 <= rows; i += 6) gemm_block(6, width, inner, a + i * lda, lda, b, ldb, c + i * ldc, ldc, adds);
    for (; i + 3 <= rows; i += 3) gemm_block(3, width, inner, a + i * lda, lda, b, ldb, c + i * ldc, ldc, adds);
    for (; i < rows; i++) gemm_block(1, width, inner, a + i * lda, lda, b, ldb, c + i * ldc, ldc, adds);
}

INLINE void gemm(int rows, int inner, int columns, const real *restrict a, int64_t lda, const real *restrict b,
                 real *restrict c, int64_t ldc, const int adds) {
    const int64_t ldb = columns;
    int j = 0;
    for (; j + 2 * LANES <= columns; j += 2 * LANES) gemm_columns(2, rows, inner, a, lda, b + j, ldb, c + j, ldc, adds);
    for (; j < columns; j += LANES) gemm_columns(1, rows, inner, a, lda, b + j, ldb, c + j, ldc, adds);
}

/* C (rows, columns) = A (rows, inner) B (inner, columns); columns is a multiple of the vector width. */
static __attribute__((noinline)) void multiply(int rows, int inner, int columns, const real *restrict a, int64_t lda,
                                               const real *restrict b, real *restrict c, int64_t ldc) {
    gemm(rows, inner, columns, a, lda, b, c, ldc, 0);
}

/* C += A B, likewise. */
static __attribute__((noinline)) void multiply_add(int rows, int inner, int columns, const real *restrict a,
                                                   int64_t lda, const real *restrict b, real *restrict c,
                                                   int64_t ldc) {
    gemm(rows, inner, columns, a, lda, b, c, ldc, 1);
}

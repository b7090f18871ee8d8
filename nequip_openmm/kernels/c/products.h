/* What the functions of coupled products are made of; see products.py. */
#define AT(T, array, shift) (*(T *)((array) + (shift) + u))
typedef void (*matrix_function)(const real *, real *);
typedef void (*covector_function)(int, const real *, int, real *);
typedef void (*forward_function)(int, const real *, const real *, int, const real *, real *, int);
typedef void (*tangent_function)(int, const real *, const real *, const real *, const real *, int, const real *,
                                 const real *, real *, int);
typedef void (*backward_function)(int, const real *, const real *, const real *, int, const real *, real *, real *,
                                  real *);
typedef void (*curvature_function)(int, const real *, const real *, const real *, const real *, const real *, int,
                                   const real *, const real *, real *, real *, real *);

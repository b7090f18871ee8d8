/* Sum of p q. */
static real dot(int64_t n, const real *restrict p, const real *restrict q) {
    vec sum = {0};
    int64_t k = 0;
    for (; k + LANES <= n; k += LANES) sum += load(p + k) * load(q + k);
    for (; k < n; k++) sum[0] += p[k] * q[k];
    real total = 0;
    for (int lane = 0; lane < LANES; lane++) total += sum[lane];
    return total;
}

/* y += c x */
static void add_multiple(int64_t n, real c, const real *restrict x, real *restrict y) {
    for (int64_t k = 0; k < n; k++) y[k] += c * x[k];
}

/* v[t, i] = scale sum_c a[t, c] w[i, c], rows of n_out numbers. */
void fold(int64_t types, int64_t n_in, int64_t width, int64_t n_out, double scale, const real *a, const real *w,
          real *v) {
    for (int64_t k = 0; k < types * n_in * n_out; k++) v[k] = 0;
    for (int64_t i = 0; i < n_in; i++)
        for (int64_t t = 0; t < types; t++)
            for (int64_t c = 0; c < width; c++)
                add_multiple(n_out, (real)scale * a[t * width + c], w + (i * width + c) * n_out,
                             v + (t * n_in + i) * n_out);
}

/* From gv, the derivative with respect to v: gw written, ga added. */
void fold_backward(int64_t types, int64_t n_in, int64_t width, int64_t n_out, double scale, const real *a,
                   const real *w, const real *gv, real *ga, real *gw) {
    for (int64_t k = 0; k < n_in * width * n_out; k++) gw[k] = 0;
    for (int64_t i = 0; i < n_in; i++)
        for (int64_t c = 0; c < width; c++)
            for (int64_t t = 0; t < types; t++) {
                const real *g = gv + (t * n_in + i) * n_out;
                const int64_t row = (i * width + c) * n_out;
                add_multiple(n_out, (real)scale * a[t * width + c], g, gw + row);
                ga[t * width + c] += (real)scale * dot(n_out, g, w + row);
            }
}

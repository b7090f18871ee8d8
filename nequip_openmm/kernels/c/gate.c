/* The gate, see nequip_openmm/model/gate.py, with derivatives of first and second order.

   Features lie block by block, (node, component, channel), scalars first. Scalars z become a = c silu(z) or, where odd,
   c tanh(z); the first of them leave, the other even ones are gates. A tensor t leaves as t times its gate. Names: d for the
   derivative along a direction, g for that of the energy with respect to what follows. Every function fills its last
   arguments. */

typedef struct {
    int32_t is_odd, first, channels, out_first, out_channels; /* numbers per node before the block; channels */
    double c;
} scalars;

typedef struct {
    int32_t first, components, channels, out_first;
    int32_t gate_block, gate_channels, gate; /* numbers before the block of its gates; channels in it, and before the gates */
} tensors;

typedef struct {
    int64_t nodes;
    int32_t n_scalars, n_tensors, size; /* blocks of either; numbers per node in all scalars */
    const scalars *scalar;
    const tensors *tensor;
} gate;

INLINE void activate(int is_odd, real c, vec z, vec *a, vec *slope, vec *bend) {
    if (is_odd) {
        const vec t = hyperbolic_tangent(z);
        *a = c * t, *slope = c * (1 - t * t), *bend = -2 * c * t * (1 - t * t);
    } else {
        const vec s = sigmoid(z), ds = s * (1 - s);
        *a = c * z * s, *slope = c * (s + z * ds), *bend = c * ds * (2 + z * (1 - 2 * s));
    }
}

/* As many of the n numbers at p as a register takes; nothing is read or written behind them. */
static vec load_some(const real *p, int64_t n) {
    if (n >= LANES) return load(p);
    vec v = {0};
    for (int lane = 0; lane < n; lane++) v[lane] = p[lane];
    return v;
}

static void store_some(real *p, int64_t n, vec v) {
    if (n >= LANES) store(p, v);
    else
        for (int lane = 0; lane < n; lane++) p[lane] = v[lane];
}

/* a(z), da/dz and d2a/dz2. */
static void activations(int64_t n, int is_odd, double c, const real *z, real *a, real *slope, real *bend) {
    for (int64_t k = 0; k < n; k += LANES) {
        vec out[3];
        activate(is_odd, (real)c, load_some(z + k, n - k), &out[0], &out[1], &out[2]);
        store_some(a + k, n - k, out[0]), store_some(slope + k, n - k, out[1]), store_some(bend + k, n - k, out[2]);
    }
}

/* From n values z and their slopes dz, one array behind the other: a = silu(z) and da, likewise. Keeps da/dz and its slope. */
void silu_and_slope(int64_t n, const real *z, real *out, real *derivatives) {
    for (int64_t k = 0; k < n; k += LANES) {
        vec a, slope, bend;
        const vec dz = load_some(z + n + k, n - k);
        activate(0, 1, load_some(z + k, n - k), &a, &slope, &bend);
        store_some(out + k, n - k, a), store_some(out + n + k, n - k, slope * dz);
        store_some(derivatives + k, n - k, slope), store_some(derivatives + n + k, n - k, bend * dz);
    }
}

/* Derivatives g with respect to a and da become those with respect to z and dz. */
void silu_and_slope_backward(int64_t n, const real *restrict derivatives, real *restrict g) {
    const real *slope = derivatives, *bend = derivatives + n;
    for (int64_t k = 0; k < n; k++) {
        g[k] = g[k] * slope[k] + g[n + k] * bend[k];
        g[n + k] *= slope[k];
    }
}

/* Copy those scalars that leave, from a to out or, where that is asked for, back. */
static void copy_scalars(const gate *f, real *a, real *out, int is_back) {
    for (const scalars *s = f->scalar; s < f->scalar + f->n_scalars; s++)
        for (int64_t n = 0; n < f->nodes; n++) {
            real *inside = a + s->first * f->nodes + n * s->channels;
            real *outside = out + s->out_first * f->nodes + n * s->out_channels;
            for (int u = 0; u < s->channels; u++)
                if (u < s->out_channels) *(is_back ? inside + u : outside + u) = is_back ? outside[u] : inside[u];
                else if (is_back) inside[u] = 0;
        }
}

/* Every tensor's component with its gate: t, out and a stand for places in arrays like z, out and a. */
#define FOR_GATED(BODY)                                                                                  \
    for (const tensors *b = f->tensor; b < f->tensor + f->n_tensors; b++)                                \
        for (int64_t n = 0; n < f->nodes; n++) {                                                         \
            const int64_t gates = b->gate_block * f->nodes + n * b->gate_channels + b->gate;             \
            for (int m = 0; m < b->components; m++) {                                                    \
                const int64_t row = (n * b->components + m) * b->channels;                               \
                const int64_t in = b->first * f->nodes + row, to = b->out_first * f->nodes + row;        \
                for (int u = 0; u < b->channels; u++) {                                                  \
                    const int64_t t = in + u, o = to + u, k = gates + u;                                 \
                    BODY                                                                                 \
                }                                                                                        \
            }                                                                                            \
        }

void gate_forward(const gate *f, const real *restrict z, real *restrict a, real *restrict slope, real *restrict bend,
                  real *restrict out) {
    for (const scalars *s = f->scalar; s < f->scalar + f->n_scalars; s++) {
        const int64_t first = s->first * f->nodes;
        activations(f->nodes * s->channels, s->is_odd, s->c, z + first, a + first, slope + first, bend + first);
    }
    copy_scalars(f, a, out, 0);
    FOR_GATED(out[o] = z[t] * a[k];)
}

void gate_tangent(const gate *f, const real *restrict z, const real *restrict a, const real *restrict slope,
                  const real *restrict dz, real *restrict da, real *restrict dout) {
    for (int64_t k = 0; k < f->nodes * f->size; k++) da[k] = slope[k] * dz[k];
    copy_scalars(f, da, dout, 0);
    FOR_GATED(dout[o] = dz[t] * a[k] + z[t] * da[k];)
}

void gate_backward(const gate *f, const real *restrict z, const real *restrict a, const real *restrict slope,
                   real *restrict gout, real *restrict ga, real *restrict gz) {
    copy_scalars(f, ga, gout, 1);
    FOR_GATED(ga[k] += gout[o] * z[t]; gz[t] = gout[o] * a[k];)
    for (int64_t k = 0; k < f->nodes * f->size; k++) gz[k] = slope[k] * ga[k];
}

void gate_curvature(const gate *f, const real *restrict z, const real *restrict a, const real *restrict slope,
                    const real *restrict bend, const real *restrict dz, const real *restrict da,
                    const real *restrict gout, const real *restrict ga, real *restrict dgout, real *restrict dga,
                    real *restrict dgz) {
    copy_scalars(f, dga, dgout, 1);
    FOR_GATED(dga[k] += dgout[o] * z[t] + gout[o] * dz[t]; dgz[t] = dgout[o] * a[k] + gout[o] * da[k];)
    for (int64_t k = 0; k < f->nodes * f->size; k++) dgz[k] = slope[k] * dga[k] + bend[k] * dz[k] * ga[k];
}

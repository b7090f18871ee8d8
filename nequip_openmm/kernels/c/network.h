/* What does not depend on the architecture: geometry of pairs, gates, forces from derivatives, and how threads share work.

   The including file defines HARMONICS, the number of spherical harmonics; TYPES, the number of species; ZBL, 0 or 1. */
extern double exp(double);
extern double sqrt(double);
extern double pow(double, double);
#if !defined(_WIN32)
extern int sched_yield(void);
#endif

/* Pairs within the cutoff, in rows of whole vectors: those of centre n are start[n] ... start[n] + count[n] - 1. */
typedef struct {
    int64_t *start;     /* (N + 1) multiples of LANES */
    int32_t *count;     /* (N) */
    int32_t *neighbour; /* of every pair, as all that follows */
    int32_t *type;      /* of the neighbour */
    int32_t *interval;  /* of the tables, that the distance lies in */
    real *t;            /* where in the interval, 0 to 1 */
    real *y;            /* harmonics, (rows of LANES pairs, HARMONICS, LANES) */
    real *gy;           /* dE/dY and, behind them, dE/dt, (rows of LANES pairs, HARMONICS + 1, LANES) */
    double *vector;     /* (pairs, 3) r_j - r_i in angstrom */
    double *slope;      /* dE/dr of the pair repulsion; only with ZBL */
} Pairs;

/* One evaluation: inputs, results, constants of the model, and memory to work in. All lengths in angstrom, energies in eV. */
typedef struct {
    int64_t atoms, graphs, slots, intervals, phases;
    const double *positions; /* (atoms, 3) */
    const double *cells;     /* (graphs, 3, 3), vectors as rows */
    const int32_t *types, *graph;
    const int32_t *first, *second, *shifts; /* pairs as PairList has them */
    double *energies;                       /* (atoms) */
    double *forces;                         /* (atoms, 3) */
    double *virial;                         /* (graphs, 3, 3) */

    const real *weights, *tables;
    const double *scales, *shifts_of_energy; /* (TYPES) */
    const double *cutoffs;                   /* (TYPES, TYPES) of centre and neighbour */
    const double *nuclear_charges;           /* (TYPES) */
    double cutoff_power;

    Pairs pairs;
    real *sent, *sums, *sent_slope_even, *sent_slope_odd, *scratch;
    double *slot_forces, *slot_virial;
    int32_t *claimed, *done; /* (phases, slots), (phases) */
} Call;

#define TILE 64 /* centres that are worked on together, so that what they share stays in the cache */

INLINE int64_t lower(const Call *call, int64_t slot) { return call->atoms * slot / call->slots; }

INLINE void fill(real *p, int64_t n, real value) {
    for (int64_t k = 0; k < n; k++) p[k] = value;
}

#if ZBL
/* Half the screened repulsion of two nuclei times the cutoff; adds the derivative to *slope. */
static double repulsion(double zi, double zj, double r, double cutoff, double p, double *slope) {
    static const double c[] = {0.02817, 0.28022, 0.50986, 0.18175}, d[] = {0.20162, 0.40290, 0.94229, 3.19980};
    const double scale = (pow(zi, 0.23) + pow(zj, 0.23)) / 0.46850, u = r / cutoff;
    double phi = 0, dphi = 0;
    for (int k = 0; k < 4; k++) {
        const double term = c[k] * exp(-d[k] * r * scale);
        phi += term;
        dphi -= d[k] * scale * term;
    }
    const double up = pow(u, p - 1);
    const double f = 1 - (p + 1) * (p + 2) / 2 * up * u + p * (p + 2) * up * u * u - p * (p + 1) / 2 * up * u * u * u;
    const double df = p * (p + 1) * (p + 2) / 2 * up * (-1 + 2 * u - u * u) / cutoff;
    const double prefactor = 0.5 * 14.399645 * zi * zj / r;
    *slope = prefactor * (dphi * f + phi * df - phi * f / r);
    return prefactor * phi * f;
}
#endif

/* Keep the pairs within the cutoff, with all that the network needs to know of them. */
static void find_pairs(const Call *call, int64_t begin, int64_t end) {
    const Pairs *pairs = &call->pairs;
    for (int64_t i = begin; i < end; i++) {
        const double *x = call->positions + 3 * i, *cell = call->cells + 9 * (int64_t)call->graph[i];
        const int64_t start = pairs->start[i];
        int64_t s = start;
        double energy = 0;
        for (int64_t e = call->first[i]; e < call->first[i + 1]; e++) {
            const int64_t j = call->second[e];
            const int32_t *shift = call->shifts + 3 * e;
            double d[3];
            for (int k = 0; k < 3; k++)
                d[k] = call->positions[3 * j + k] - x[k] +
                       (shift[0] * cell[k] + shift[1] * cell[3 + k] + shift[2] * cell[6 + k]);
            const double cutoff = call->cutoffs[call->types[i] * TYPES + call->types[j]];
            const double r = sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
            if (r >= cutoff && r - r == 0) continue; /* infinity is not far, it is wrong */
            if (!(r > 0 && r < cutoff)) { /* not finite, or atoms on top of each other */
                energy = __builtin_nan("");
                continue;
            }
            const double u = r / cutoff * call->intervals;
            int64_t k = (int64_t)u;
            k = k < call->intervals ? k : call->intervals - 1;
            pairs->neighbour[s] = (int32_t)j;
            pairs->type[s] = call->types[j];
            pairs->interval[s] = (int32_t)k;
            pairs->t[s] = (real)(u - k);
            for (int c = 0; c < 3; c++) pairs->vector[3 * s + c] = d[c];
#if ZBL
            const double *z = call->nuclear_charges;
            energy += repulsion(z[call->types[i]], z[call->types[j]], r, cutoff, call->cutoff_power, pairs->slope + s);
#endif
            s++;
        }
        pairs->count[i] = (int32_t)(s - start);
        for (int64_t b = start; b < s; b += LANES) {
            real direction[3][LANES];
            for (int e = 0; e < LANES; e++) {
                const double *d = pairs->vector + 3 * (b + e);
                const int is_pair = b + e < s;
                const double r = is_pair ? sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]) : 1;
                for (int c = 0; c < 3; c++) direction[c][e] = is_pair ? (real)(d[c] / r) : 0;
            }
            harmonics(load(direction[0]), load(direction[1]), load(direction[2]), pairs->y + b * HARMONICS);
            fill(pairs->gy + b * (HARMONICS + 1), (HARMONICS + 1) * LANES, 0);
        }
        call->energies[i] = energy;
    }
}

/* Turn derivatives with respect to harmonics and distance into forces on both atoms and into the virial. */
static void add_forces(const Call *call, int64_t slot, int64_t begin, int64_t end) {
    const Pairs *pairs = &call->pairs;
    double *forces = call->slot_forces + slot * 3 * call->atoms;
    for (int64_t i = begin; i < end; i++) {
        double *virial = call->slot_virial + (slot * call->graphs + call->graph[i]) * 9;
        for (int64_t b = 0; b < pairs->count[i]; b += LANES) {
            const int64_t first = pairs->start[i] + b;
            real gradient[3][LANES]; /* with respect to the direction */
            vec gn[3];
            harmonics_slope(pairs->y + first * HARMONICS, pairs->gy + first * (HARMONICS + 1), gn);
            for (int c = 0; c < 3; c++) store(gradient[c], gn[c]);
            const real *dt = pairs->gy + first * (HARMONICS + 1) + HARMONICS * LANES;
            const int64_t lanes = pairs->count[i] - b < LANES ? pairs->count[i] - b : LANES;
            for (int64_t e = 0; e < lanes; e++) {
                const int64_t s = first + e, j = pairs->neighbour[s];
                const double *d = pairs->vector + 3 * s;
                const double r = sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
                double slope = dt[e] * call->intervals / call->cutoffs[call->types[i] * TYPES + pairs->type[s]];
#if ZBL
                slope += pairs->slope[s];
#endif
                double along = 0, g[3];
                for (int c = 0; c < 3; c++) along += gradient[c][e] * d[c] / r;
                for (int c = 0; c < 3; c++) g[c] = (gradient[c][e] + (slope * r - along) * d[c] / r) / r;
                for (int c = 0; c < 3; c++) {
                    forces[3 * i + c] += g[c];
                    forces[3 * j + c] -= g[c];
                    for (int k = 0; k < 3; k++) virial[3 * c + k] -= 0.5 * (d[c] * g[k] + d[k] * g[c]);
                }
            }
        }
    }
}

/* Sum what the slots have found, for a share of the atoms and structures. */
static void sum_slots(const Call *call, int64_t slot) {
    for (int64_t k = 3 * lower(call, slot); k < 3 * lower(call, slot + 1); k++) {
        double sum = 0;
        for (int64_t s = 0; s < call->slots; s++) sum += call->slot_forces[s * 3 * call->atoms + k];
        call->forces[k] = sum;
    }
    const int64_t numbers = 9 * call->graphs;
    for (int64_t k = numbers * slot / call->slots; k < numbers * (slot + 1) / call->slots; k++) {
        double sum = 0;
        for (int64_t s = 0; s < call->slots; s++) sum += call->slot_virial[s * numbers + k];
        call->virial[k] = sum;
    }
}

#define C_SILU ((real)1.6791767923989418)
#define C_TANH ((real)1.5937334472592695)

INLINE void activate(int64_t n, const real *restrict in, real *restrict out) {
    for (int64_t k = 0; k < n; k += LANES) store(out + k, C_SILU * silu(load(in + k)));
}

INLINE void activate_slope(int64_t n, real *restrict in, const real *restrict gradient) {
    for (int64_t k = 0; k < n; k += LANES) store(in + k, C_SILU * silu_slope(load(in + k)) * load(gradient + k));
}

INLINE void activate_odd(int64_t n, const real *restrict in, real *restrict out) {
    for (int64_t k = 0; k < n; k += LANES) store(out + k, C_TANH * hyperbolic_tangent(load(in + k)));
}

INLINE void activate_odd_slope(int64_t n, real *restrict in, const real *restrict gradient) {
    for (int64_t k = 0; k < n; k += LANES)
        store(in + k, C_TANH * hyperbolic_tangent_slope(load(in + k)) * load(gradient + k));
}

/* out = in times activated gate, for every component. */
INLINE void open_gate(int components, int64_t channels, const real *restrict gate, const real *restrict in,
                      real *restrict out) {
    for (int64_t k = 0; k < channels; k += LANES) {
        const vec opened = C_SILU * silu(load(gate + k));
        for (int m = 0; m < components; m++) store(out + m * channels + k, opened * load(in + m * channels + k));
    }
}

/* Replace gate and features by the derivatives with respect to them. */
INLINE void open_gate_slope(int components, int64_t channels, real *restrict gate, real *restrict in,
                            const real *restrict gradient) {
    for (int64_t k = 0; k < channels; k += LANES) {
        const vec z = load(gate + k), opened = C_SILU * silu(z);
        vec product = splat(0);
        for (int m = 0; m < components; m++) {
            const vec g = load(gradient + m * channels + k);
            product += g * load(in + m * channels + k);
            store(in + m * channels + k, opened * g);
        }
        store(gate + k, C_SILU * silu_slope(z) * product);
    }
}

INLINE real dot(int64_t n, const real *restrict a, const real *restrict b) {
    vec sum = splat(0);
    for (int64_t k = 0; k < n; k += LANES) sum += load(a + k) * load(b + k);
    real total = 0;
    for (int k = 0; k < LANES; k++) total += sum[k];
    return total;
}

/* To be called once before any thread enters `evaluate`. */
void prepare(const Call *call) {
    int64_t start = 0;
    for (int64_t n = 0; n < call->atoms; n++) {
        call->pairs.start[n] = start;
        start += (call->first[n + 1] - call->first[n] + LANES - 1) / LANES * LANES;
    }
    call->pairs.start[call->atoms] = start;
    for (int64_t k = 0; k < call->slots * call->atoms * 3; k++) call->slot_forces[k] = 0;
    for (int64_t k = 0; k < call->slots * call->graphs * 9; k++) call->slot_virial[k] = 0;
    for (int64_t k = 0; k < call->phases * call->slots; k++) call->claimed[k] = 0;
    for (int64_t k = 0; k < call->phases; k++) call->done[k] = 0;
}

static void phase(const Call *call, int64_t number, int64_t slot);

/* Every phase is split into slots, whichever thread takes them; results depend on the slots alone. A thread that comes late,
   or never, delays nobody: the others do its work. */
void evaluate(const Call *call, int64_t rank) {
    for (int64_t p = 0; p < call->phases; p++) {
        for (int64_t k = 0; k < call->slots; k++) {
            const int64_t slot = (rank + k) % call->slots;
            if (__atomic_exchange_n(call->claimed + p * call->slots + slot, 1, __ATOMIC_ACQ_REL)) continue;
            phase(call, p, slot);
            __atomic_fetch_add(call->done + p, 1, __ATOMIC_ACQ_REL);
        }
        for (int64_t spins = 0; __atomic_load_n(call->done + p, __ATOMIC_ACQUIRE) < call->slots; spins++) {
#if defined(__x86_64__)
            __builtin_ia32_pause();
#endif
#if !defined(_WIN32)
            if (spins > 2000) sched_yield();
#endif
        }
    }
}

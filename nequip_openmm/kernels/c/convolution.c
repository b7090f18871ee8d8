/* The convolution over pairs sorted by centre, and its derivatives.

   Features lie block by block, one block for every irrep: (node, component, channel). Weights are (row, channels of all
   paths), harmonics (pair, (l_max + 1)^2). Paths write into channels of the output's blocks. A function treats the centres
   begin ... end - 1; what it adds to neighbours goes to an array that no other thread writes to.

   The including file defines HARMONICS, and MATRICES: the numbers in M of all triples. */

typedef struct {
    int32_t n_paths, n_triples, n_weights, workspace; /* workspace: numbers in all P of one centre */
    const int32_t *paths;                                          /* (n_paths, sizeof(path) / 4) */
    const int32_t *triples;                                        /* (n_triples, sizeof(triple) / 4) */
} form;

typedef struct {
    int32_t number, harmonic, matrix; /* which functions; first component of Y; first number of M */
} triple;

typedef struct {
    int32_t triple, harmonic, matrix, covector, channels, weight; /* triple's number; first of Y, M, P and w */
    int32_t x_block, x_size;                    /* numbers per node before the block, and in it */
    int32_t out_block, out_size, out_row, out_first; /* likewise; channels in a component; the path's first channel */
} path;

typedef struct {
    int64_t nodes;
    const int32_t *first;  /* (nodes + 1): pairs of every centre */
    const int32_t *second; /* (pairs): neighbours */
    const int32_t *row;    /* (pairs): rows of their weights; pairs of one row must belong to one thread */
} graph;

static inline int64_t x_at(const path *p, const graph *g, int64_t node) {
    return p->x_block * g->nodes + p->x_size * node;
}

static inline int64_t out_at(const path *p, const graph *g, int64_t node) {
    return p->out_block * g->nodes + p->out_size * node + p->out_first;
}

static void matrices(const form *f, const real *y, real *m) {
    const triple *t = (const triple *)f->triples;
    for (int k = 0; k < f->n_triples; k++) matrix_of[t[k].number](y + t[k].harmonic, m + t[k].matrix);
}

static void covectors(const form *f, const graph *g, int64_t centre, const real *gout, real *covector) {
    const path *p = (const path *)f->paths;
    for (int k = 0; k < f->n_paths; k++)
        covector_of[p[k].triple](p[k].channels, gout + out_at(&p[k], g, centre), p[k].out_row, covector + p[k].covector);
}

/* Sums over the lanes of a register for every harmonic. */
static void add_lanes(const real *lanes, real *gy) {
    for (int j = 0; j < HARMONICS; j++)
        for (int lane = 0; lane < LANES; lane++) gy[j] += lanes[j * LANES + lane];
}

/* out = T(x, y, w), added. */
void convolution_forward(const form *f, const graph *g, int64_t begin, int64_t end, const real *x, const real *y, const real *w,
             real *out) {
    const path *paths = (const path *)f->paths;
    real m[MATRICES];
    for (int64_t centre = begin; centre < end; centre++)
        for (int64_t e = g->first[centre]; e < g->first[centre + 1]; e++) {
            matrices(f, y + e * HARMONICS, m);
            for (const path *p = paths; p < paths + f->n_paths; p++)
                forward_of[p->triple](p->channels, m + p->matrix, x + x_at(p, g, g->second[e]), p->channels,
                                      w + g->row[e] * (int64_t)f->n_weights + p->weight, out + out_at(p, g, centre), p->out_row);
        }
}

/* gx, gy, gw = the derivatives of gout . T(x, y, w), added; gy may be NULL. */
void convolution_backward(const form *f, const graph *g, int64_t begin, int64_t end, const real *x, const real *y, const real *w,
              const real *gout, real *gy, real *gw, real *covector, real *gx) {
    const path *paths = (const path *)f->paths;
    for (int64_t centre = begin; centre < end; centre++) {
        covectors(f, g, centre, gout, covector);
        for (int64_t e = g->first[centre]; e < g->first[centre + 1]; e++) {
            const real *ye = y + e * HARMONICS;
            real lanes[HARMONICS * LANES] = {0};
            for (const path *p = paths; p < paths + f->n_paths; p++) {
                const int64_t at = x_at(p, g, g->second[e]), weight = g->row[e] * (int64_t)f->n_weights + p->weight;
                backward_of[p->triple](p->channels, covector + p->covector, ye + p->harmonic, x + at, p->channels,
                                       w + weight, gx + at, gw + weight, gy ? lanes + p->harmonic * LANES : 0);
            }
            if (gy) add_lanes(lanes, gy + e * HARMONICS);
        }
    }
}

/* The derivative of all this along (dx, dy, dw): of T to dout, of the others to gx, gy and gw, added; gy may be NULL. */
void convolution_double_backward(const form *f, const graph *g, int64_t begin, int64_t end, const real *x, const real *y,
                     const real *w, const real *gout, const real *dx, const real *dy, const real *dw, real *dout,
                     real *gy, real *gw, real *covector, real *gx) {
    const path *paths = (const path *)f->paths;
    real m[MATRICES], dm[MATRICES];
    for (int64_t centre = begin; centre < end; centre++) {
        covectors(f, g, centre, gout, covector);
        for (int64_t e = g->first[centre]; e < g->first[centre + 1]; e++) {
            const real *ye = y + e * HARMONICS, *dye = dy + e * HARMONICS;
            real lanes[HARMONICS * LANES] = {0};
            matrices(f, ye, m);
            matrices(f, dye, dm);
            for (const path *p = paths; p < paths + f->n_paths; p++) {
                const int64_t at = x_at(p, g, g->second[e]), weight = g->row[e] * (int64_t)f->n_weights + p->weight;
                tangent_of[p->triple](p->channels, m + p->matrix, dm + p->matrix, x + at, dx + at, p->channels,
                                      w + weight, dw + weight, dout + out_at(p, g, centre), p->out_row);
                curvature_of[p->triple](p->channels, covector + p->covector, ye + p->harmonic, dye + p->harmonic,
                                        x + at, dx + at, p->channels, w + weight, dw + weight, gx + at, gw + weight,
                                        gy ? lanes + p->harmonic * LANES : 0);
            }
            if (gy) add_lanes(lanes, gy + e * HARMONICS);
        }
    }
}

/* gr[row] += the sum of gw slope over all weights of a row. */
void along_slopes(int64_t rows, int64_t n_weights, const real *restrict gw, const real *restrict slope, real *gr) {
    for (int64_t k = 0; k < rows; k++) gr[k] += dot(n_weights, gw + k * n_weights, slope + k * n_weights);
}

/* Give a pair and its reverse one row if their centres lie in the same part and their vectors are exactly opposite. Rows are
   numbered by their first pairs, which go to first_pair; returns how many there are. Centres and neighbours ascend. */
int64_t share_rows(const graph *g, int64_t parts, const int64_t *bounds, const double *vectors, int32_t *row,
                   int32_t *first_pair) {
    int32_t rows = 0;
    for (int64_t e = 0; e < g->first[g->nodes]; e++) row[e] = -1;
    for (int64_t part = 0; part < parts; part++)
        for (int64_t i = bounds[part]; i < bounds[part + 1]; i++)
            for (int64_t e = g->first[i]; e < g->first[i + 1]; e++) {
                if (row[e] >= 0) continue;
                row[e] = rows, first_pair[rows++] = (int32_t)e;
                const int64_t j = g->second[e];
                if (j < i || j >= bounds[part + 1]) continue;
                const double *v = vectors + 3 * e;
                for (int64_t k = g->first[j]; k < g->first[j + 1] && g->second[k] <= i; k++) {
                    const double *r = vectors + 3 * k;
                    if (g->second[k] == i && row[k] < 0 && r[0] == -v[0] && r[1] == -v[1] && r[2] == -v[2]) {
                        row[k] = row[e];
                        break;
                    }
                }
            }
    return rows;
}

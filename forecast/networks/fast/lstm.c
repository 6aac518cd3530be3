/* The loop of an LSTM layer, forwards and backwards, for processors with AVX2 and no AVX-512.
 *
 * Source: S. Hochreiter, J. Schmidhuber (1997), Long Short-Term Memory, Neural Computation 9.
 * Gates in Keras's order: input, forget, candidate, output. docs/decisions/0310 says why it is here.
 *
 * A matrix is kept in panels: 16 columns each, row after row, so that whatever is read in turn lies
 * in turn. All widths are multiples of 16 but that of the inputs, whose last panel may be part
 * filled. A sequence is a matrix a step, its rows the samples. The weights have a panel for 16
 * outputs: gates after each other, and a row for each input.
 */
#include <stddef.h>
#include <string.h>

enum { PANEL = 16, LANES = 8, PARTS = PANEL / LANES, TILE = 4 };

typedef float lanes __attribute__((vector_size(32), aligned(4), may_alias));
typedef int bits __attribute__((vector_size(32)));

#define INLINE static inline __attribute__((always_inline))

INLINE lanes load(const float *from) { return *(const lanes *)from; }
INLINE void store(float *to, lanes values) { *(lanes *)to = values; }

/* to[row, 16] += from[row, depth] · panel[depth, 16] for so many rows. The element (row, column) of
 * `from` is at row · down + column · right, each next 16 columns `next` further. */
INLINE void tile(int rows, int depth, const float *from, size_t down, size_t right, size_t next,
                 const float *panel, float *to)
{
    lanes sum[TILE][PARTS];
    for (int row = 0; row < rows; row++)
        for (int part = 0; part < PARTS; part++)
            sum[row][part] = load(to + row * PANEL + part * LANES);
    for (; depth > 0; depth -= PANEL, from += next)
        for (int column = 0; column < PANEL && column < depth; column++, panel += PANEL)
            for (int row = 0; row < rows; row++) {
                float one = from[row * down + column * right];
                for (int part = 0; part < PARTS; part++)
                    sum[row][part] += one * load(panel + part * LANES);
            }
    for (int row = 0; row < rows; row++)
        for (int part = 0; part < PARTS; part++)
            store(to + row * PANEL + part * LANES, sum[row][part]);
}

/* to[rows, panels] += from[rows, depth] · weights[depth, panels] */
static void multiply(int rows, int depth, int panels, const float *from, const float *weights,
                     float *to)
{
    size_t next = (size_t)rows * PANEL;
    for (int panel = 0; panel < panels; panel++, weights += (size_t)depth * PANEL, to += next) {
        int row = 0;
        for (; row + TILE <= rows; row += TILE)
            tile(TILE, depth, from + row * PANEL, PANEL, 1, next, weights, to + row * PANEL);
        for (; row < rows; row++)
            tile(1, depth, from + row * PANEL, PANEL, 1, next, weights, to + row * PANEL);
    }
}

/* to[width, panels] += from[rows, width] turned · other[rows, panels] */
static void multiply_turned(int rows, int width, int panels, const float *from, const float *other,
                            float *to)
{
    size_t next = (size_t)rows * PANEL;
    for (int panel = 0; panel < panels; panel++, other += next, to += (size_t)width * PANEL) {
        int column = 0;
        for (; column + TILE <= width; column += TILE)
            tile(TILE, rows, from + column / PANEL * next + column % PANEL, 1, PANEL,
                 PANEL * PANEL, other, to + column * PANEL);
        for (; column < width; column++)
            tile(1, rows, from + column / PANEL * next + column % PANEL, 1, PANEL,
                 PANEL * PANEL, other, to + column * PANEL);
    }
}

/* to[16 · panels, inputs] = weights[inputs, panels] turned, where there are no inputs zero */
static void turn(int inputs, int panels, const float *weights, float *to)
{
    for (int first = 0; first < inputs; first += PANEL)
        for (int panel = 0; panel < panels; panel++)
            for (int row = 0; row < PANEL; row++)
                for (int column = first; column < first + PANEL; column++)
                    *to++ = column < inputs
                                ? weights[((size_t)panel * inputs + column) * PANEL + row]
                                : 0;
}

INLINE lanes at_most(lanes values, lanes most)
{
    bits above = values > most; /* false for what is no number, which stays */
    return (lanes)((above & (bits)most) | (~above & (bits)values));
}

/* The hyperbolic tangent to a few units of the last place, as a quotient of polynomials. */
INLINE lanes squashed(lanes x)
{
    const lanes zero = {0}, most = zero + 7.90531110763549805f;
    x = -at_most(-at_most(x, most), most);
    lanes s = x * x;
    lanes over = zero - 2.76076847742355e-16f;
    over = over * s + 2.00018790482477e-13f;
    over = over * s - 8.60467152213735e-11f;
    over = over * s + 5.12229709037114e-08f;
    over = over * s + 1.48572235717979e-05f;
    over = over * s + 6.37261928875436e-04f;
    over = over * s + 4.89352455891786e-03f;
    lanes under = zero + 1.19825839466702e-06f;
    under = under * s + 1.18534705686654e-04f;
    under = under * s + 2.26843463243900e-03f;
    under = under * s + 4.89352518554385e-03f;
    return x * over / under;
}

INLINE lanes gate(lanes x) { return 0.5f * squashed(0.5f * x) + 0.5f; }

/* Through all steps from a state of zero.
 *
 * inputs, units: widths. keep: all steps for the way back, else gates, cells and hidden have one.
 * x: [steps, rows, inputs]. kernel: [inputs, 4 · units]. recurrent: [units, 4 · units].
 * bias: [4 · units]. mask: [rows, units].
 * Fills gates: [steps, rows, 4 · units], cells, hidden and masked: [steps, rows, units]; the last is
 * what the layer above is given.
 */
void lstm_forward(int steps, int rows, int inputs, int units, int keep, const float *x,
                  const float *kernel, const float *recurrent, const float *bias,
                  const float *mask, float *gates, float *cells, float *hidden, float *masked)
{
    int panels = units / PANEL;
    size_t panel = (size_t)rows * PANEL, width = panels * panel;
    size_t entering = (size_t)((inputs + PANEL - 1) / PANEL) * panel, further = keep ? width : 0;
    for (int step = 0; step < steps; step++) {
        for (int j = 0; j < 4 * panels; j++)
            for (int row = 0; row < rows; row++)
                memcpy(gates + j * panel + row * PANEL, bias + j * PANEL, PANEL * sizeof(float));
        multiply(rows, inputs, 4 * panels, x, kernel, gates);
        if (step)
            multiply(rows, units, 4 * panels, hidden - further, recurrent, gates);
        for (size_t at = 0; at < width; at += LANES) {
            float *place = gates + at;
            lanes i = gate(load(place)), f = gate(load(place + width));
            lanes g = squashed(load(place + 2 * width)), o = gate(load(place + 3 * width));
            lanes cell = i * g;
            if (step)
                cell += f * load(cells - further + at);
            lanes out = o * squashed(cell);
            store(place, i);
            store(place + width, f);
            store(place + 2 * width, g);
            store(place + 3 * width, o);
            store(cells + at, cell);
            store(hidden + at, out);
            store(masked + at, out * load(mask + at));
        }
        x += entering;
        gates += 4 * further;
        cells += further;
        hidden += further;
        masked += width;
    }
}

/* The gradients, from that in what the layer gave at its last steps.
 *
 * As `lstm_forward`, whose results it is given; and above: [scored, rows, units].
 * Fills those of kernel, recurrent and bias, and that of x unless `below` is 0.
 * room: [4 · units, units + inputs up to a multiple of 16], then [rows, 6 · units].
 */
void lstm_backward(int steps, int rows, int inputs, int units, int scored, int below,
                   const float *x, const float *kernel, const float *recurrent, const float *mask,
                   const float *gates, const float *cells, const float *hidden,
                   const float *above, float *of_kernel, float *of_recurrent, float *of_bias,
                   float *of_x, float *room)
{
    int panels = units / PANEL, under = (inputs + PANEL - 1) / PANEL;
    size_t panel = (size_t)rows * PANEL, width = panels * panel, entering = under * panel;
    size_t outputs = 4 * (size_t)units;
    float *recurrent_turned = room;
    float *kernel_turned = recurrent_turned + outputs * units;
    float *of_hidden = kernel_turned + outputs * under * PANEL;
    float *of_cell = of_hidden + width, *of_gates = of_cell + width;
    turn(units, 4 * panels, recurrent, recurrent_turned);
    if (below) {
        turn(inputs, 4 * panels, kernel, kernel_turned);
        memset(of_x, 0, steps * entering * sizeof(float));
    }
    memset(of_kernel, 0, outputs * inputs * sizeof(float));
    memset(of_recurrent, 0, outputs * units * sizeof(float));
    memset(of_bias, 0, outputs * sizeof(float));
    memset(of_hidden, 0, 2 * width * sizeof(float));
    for (int step = steps - 1; step >= 0; step--) {
        const float *place = gates + step * 4 * width, *cell = cells + step * width;
        int last = step - (steps - scored);
        for (size_t at = 0; at < width; at += LANES) {
            lanes i = load(place + at), f = load(place + width + at);
            lanes g = load(place + 2 * width + at), o = load(place + 3 * width + at);
            lanes out = load(of_hidden + at), out_of = squashed(load(cell + at));
            lanes before = {0};
            if (last >= 0)
                out += load(above + last * width + at) * load(mask + at);
            if (step)
                before = load(cell - width + at);
            lanes change = load(of_cell + at) + out * o * (1 - out_of * out_of);
            store(of_gates + at, change * g * i * (1 - i));
            store(of_gates + width + at, change * before * f * (1 - f));
            store(of_gates + 2 * width + at, change * i * (1 - g * g));
            store(of_gates + 3 * width + at, out * out_of * o * (1 - o));
            store(of_cell + at, change * f);
        }
        for (int j = 0; j < 4 * panels; j++)
            for (int part = 0; part < PANEL; part += LANES) {
                lanes sum = load(of_bias + j * PANEL + part);
                for (int row = 0; row < rows; row++)
                    sum += load(of_gates + j * panel + row * PANEL + part);
                store(of_bias + j * PANEL + part, sum);
            }
        multiply_turned(rows, inputs, 4 * panels, x + step * entering, of_gates, of_kernel);
        if (below)
            multiply(rows, outputs, under, of_gates, kernel_turned, of_x + step * entering);
        if (step) {
            multiply_turned(rows, units, 4 * panels, hidden + (step - 1) * width, of_gates,
                            of_recurrent);
            memset(of_hidden, 0, width * sizeof(float));
            multiply(rows, outputs, panels, of_gates, recurrent_turned, of_hidden);
        }
    }
}

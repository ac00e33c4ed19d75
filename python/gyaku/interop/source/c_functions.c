/* Functions of exported models. A file gets those that it uses. */

/* Windows along an axis: window o covers o * stride - before + i * dilation, for i < taps. */
typedef struct {
  int size, taps, stride, dilation, before, windows;
} axis;

/* y[k] += sum of x[i] w[i][k] for two rows of x and y; four rows of w at a time, since compilers
   keep the factors in registers and vectorise along k. */
static void add_products_of_two(const float* restrict x0, const float* restrict x1, int inner,
                                const float* restrict w, int w_step, float* restrict y0,
                                float* restrict y1, int columns) {
  int i = 0;
  for (; i + 4 <= inner; i += 4, w += 4 * w_step)
    for (int k = 0; k < columns; k++) {
      const float a = w[k], b = w[w_step + k], c = w[2 * w_step + k], d = w[3 * w_step + k];
      y0[k] += x0[i] * a + x0[i + 1] * b + x0[i + 2] * c + x0[i + 3] * d;
      y1[k] += x1[i] * a + x1[i + 1] * b + x1[i + 2] * c + x1[i + 3] * d;
    }
  for (; i < inner; i++, w += w_step)
    for (int k = 0; k < columns; k++) {
      y0[k] += x0[i] * w[k];
      y1[k] += x1[i] * w[k];
    }
}

/* The same for a single row. */
static void add_products(const float* restrict x, int inner, const float* restrict w, int w_step,
                         float* restrict y, int columns) {
  int i = 0;
  for (; i + 4 <= inner; i += 4, w += 4 * w_step)
    for (int k = 0; k < columns; k++)
      y[k] += x[i] * w[k] + x[i + 1] * w[w_step + k] + x[i + 2] * w[2 * w_step + k] +
              x[i + 3] * w[3 * w_step + k];
  for (; i < inner; i++, w += w_step)
    for (int k = 0; k < columns; k++) y[k] += x[i] * w[k];
}

/* y[r][k] += sum of x[r][p][i] w[p][i][k] over parts p and i; steps in elements. */
static void multiply_add(int rows, int columns, const float* x, int x_step, int parts, int x_part,
                         int inner, const float* w, int w_step, int w_part, float* y, int y_step) {
  int r = 0;
  for (; r + 2 <= rows; r += 2, x += 2 * x_step, y += 2 * y_step)
    for (int p = 0; p < parts; p++)
      add_products_of_two(x + p * x_part, x + x_step + p * x_part, inner, w + p * w_part, w_step, y,
                          y + y_step, columns);
  for (int p = 0; r < rows && p < parts; p++)
    add_products(x + p * x_part, inner, w + p * w_part, w_step, y, columns);
}

/* Rows of biases, or of zeros without. */
static void fill(float* y, int rows, int columns, const float* bias) {
  for (int r = 0; r < rows; r++)
    for (int k = 0; k < columns; k++) y[r * columns + k] = bias ? bias[k] : 0.0f;
}

/* y = x w + b */
static void dense(const float* x, const float* w, const float* b, float* y, int rows, int inner,
                  int columns) {
  fill(y, rows, columns, b);
  multiply_add(rows, columns, x, inner, 1, 0, inner, w, columns, 0, y, columns);
}

/* The part of an image that windows cover, with zeros around it. */
static void pad(const float* x, axis rows, axis columns, int channels, float* y) {
  const int height = (rows.windows - 1) * rows.stride + rows.dilation * (rows.taps - 1) + 1;
  const int width =
      (columns.windows - 1) * columns.stride + columns.dilation * (columns.taps - 1) + 1;
  for (int h = 0; h < height; h++)
    for (int w = 0; w < width; w++, y += channels) {
      const int from = h - rows.before, column = w - columns.before;
      const int inside = from >= 0 && from < rows.size && column >= 0 && column < columns.size;
      for (int c = 0; c < channels; c++)
        y[c] = inside ? x[(from * columns.size + column) * channels + c] : 0.0f;
    }
}

/* Convolution of an image whose rows have `width` pixels, padding included. */
static void conv(const float* x, int width, const float* w, const float* b, float* y, axis rows,
                 axis columns, int channels, int filters, int groups) {
  const int depth = channels / groups, outputs = filters / groups;
  const int is_contiguous = groups == 1 && columns.dilation == 1;
  const int taps = is_contiguous ? 1 : columns.taps;
  const int inner = is_contiguous ? columns.taps * depth : depth;
  fill(y, rows.windows * columns.windows, filters, b);
  for (int o = 0; o < rows.windows; o++, y += columns.windows * filters)
    for (int g = 0; g < groups; g++)
      for (int j = 0; j < taps; j++)
        multiply_add(columns.windows, outputs,
                     x + (o * rows.stride * width + j * columns.dilation) * channels + g * depth,
                     columns.stride * channels, rows.taps, rows.dilation * width * channels, inner,
                     w + j * depth * filters + g * outputs, filters, columns.taps * depth * filters,
                     y + g * outputs, filters);
}

/* Convolution of each channel by itself, with `multiplier` filters for each. */
static void depthwise_conv(const float* restrict x, int width, const float* restrict w,
                           const float* b, float* restrict y, axis rows, axis columns, int channels,
                           int multiplier) {
  const int filters = channels * multiplier;
  fill(y, rows.windows * columns.windows, filters, b);
  for (int o = 0; o < rows.windows; o++)
    for (int p = 0; p < columns.windows; p++, y += filters)
      for (int i = 0; i < rows.taps; i++)
        for (int j = 0; j < columns.taps; j++) {
          const int row = o * rows.stride + i * rows.dilation;
          const int column = p * columns.stride + j * columns.dilation;
          const float* pixel = x + (row * width + column) * channels;
          const float* tap = w + (i * columns.taps + j) * filters;
          for (int c = 0; c < channels; c++)
            for (int m = 0; m < multiplier; m++)
              y[c * multiplier + m] += pixel[c] * tap[c * multiplier + m];
        }
}

/* Adjoint of a convolution: pixels add their kernels to an image that is cut to `y` then.
   Weights are (channels, kernel rows, kernel columns, filters / groups). */
static void conv_transpose(const float* x, const float* w, const float* b, float* y, axis rows,
                           axis columns, int channels, int filters, int groups, float* image) {
  const int depth = channels / groups, outputs = filters / groups;
  const int height = (rows.windows - 1) * rows.stride + rows.dilation * (rows.taps - 1) + 1;
  const int width =
      (columns.windows - 1) * columns.stride + columns.dilation * (columns.taps - 1) + 1;
  const int kernel = rows.taps * columns.taps * outputs;
  fill(image, height * width, filters, 0);
  for (int o = 0; o < rows.windows; o++)
    for (int p = 0; p < columns.windows; p++, x += channels)
      for (int i = 0; i < rows.taps; i++)
        for (int j = 0; j < columns.taps; j++)
          for (int g = 0; g < groups; g++) {
            const int row = o * rows.stride + i * rows.dilation;
            const int column = p * columns.stride + j * columns.dilation;
            multiply_add(1, outputs, x + g * depth, 0, 1, 0, depth,
                         w + g * depth * kernel + (i * columns.taps + j) * outputs, kernel, 0,
                         image + (row * width + column) * filters + g * outputs, 0);
          }
  for (int h = 0; h < rows.size; h++)
    for (int q = 0; q < columns.size; q++)
      for (int k = 0; k < filters; k++) {
        const int row = h + rows.before, column = q + columns.before;
        const int inside = row < height && column < width;
        *y++ = (inside ? image[(row * width + column) * filters + k] : 0.0f) + (b ? b[k] : 0.0f);
      }
}

/* Maximum of each window; padding never is. */
static void max_pool(const float* restrict x, float* restrict y, axis rows, axis columns,
                     int channels) {
  for (int o = 0; o < rows.windows; o++)
    for (int p = 0; p < columns.windows; p++, y += channels) {
      for (int c = 0; c < channels; c++) y[c] = -INFINITY;
      for (int i = 0; i < rows.taps; i++)
        for (int j = 0; j < columns.taps; j++) {
          const int h = o * rows.stride - rows.before + i * rows.dilation;
          const int w = p * columns.stride - columns.before + j * columns.dilation;
          const float* pixel = x + (h * columns.size + w) * channels;
          if (h < 0 || h >= rows.size || w < 0 || w >= columns.size) continue;
          for (int c = 0; c < channels; c++)
            y[c] = pixel[c] > y[c] || pixel[c] != pixel[c] ? pixel[c] : y[c];
        }
    }
}

/* Values at the places of the maxima of images, zero elsewhere. */
static void max_unpool(const float* x, const float* images, float* y, axis rows, axis columns,
                       int channels) {
  fill(y, rows.size * columns.size, channels, 0);
  for (int o = 0; o < rows.windows; o++)
    for (int p = 0; p < columns.windows; p++, x += channels)
      for (int c = 0; c < channels; c++) {
        float largest = -INFINITY;
        int place = -1;
        for (int i = 0; i < rows.taps; i++)
          for (int j = 0; j < columns.taps; j++) {
            const int h = o * rows.stride - rows.before + i * rows.dilation;
            const int w = p * columns.stride - columns.before + j * columns.dilation;
            if (h < 0 || h >= rows.size || w < 0 || w >= columns.size) continue;
            const int here = (h * columns.size + w) * channels + c;
            if (place >= 0 && !(images[here] > largest)) continue;
            place = here;
            largest = images[here];
          }
        if (place >= 0) y[place] = x[c];
      }
}

/* Mean of each window, over its pixels and as much padding as is counted on each side, or over a
   divisor other than 0. */
static void avg_pool(const float* restrict x, float* restrict y, axis rows, axis columns,
                     int channels, int divisor, int top, int bottom, int left, int right) {
  for (int o = 0; o < rows.windows; o++)
    for (int p = 0; p < columns.windows; p++, y += channels) {
      int counted = 0;
      for (int c = 0; c < channels; c++) y[c] = 0.0f;
      for (int i = 0; i < rows.taps; i++)
        for (int j = 0; j < columns.taps; j++) {
          const int h = o * rows.stride - rows.before + i * rows.dilation;
          const int w = p * columns.stride - columns.before + j * columns.dilation;
          const float* pixel = x + (h * columns.size + w) * channels;
          counted += h >= -top && h < rows.size + bottom && w >= -left && w < columns.size + right;
          if (h < 0 || h >= rows.size || w < 0 || w >= columns.size) continue;
          for (int c = 0; c < channels; c++) y[c] += pixel[c];
        }
      for (int c = 0; c < channels; c++) y[c] /= (float)(divisor ? divisor : counted);
    }
}

/* (sum |x|^p)^(1/p) of each window */
static void lp_pool(const float* restrict x, float* restrict y, axis rows, axis columns,
                    int channels, float norm_type) {
  for (int o = 0; o < rows.windows; o++)
    for (int p = 0; p < columns.windows; p++, y += channels) {
      for (int c = 0; c < channels; c++) y[c] = 0.0f;
      for (int i = 0; i < rows.taps; i++)
        for (int j = 0; j < columns.taps; j++) {
          const int h = o * rows.stride - rows.before + i * rows.dilation;
          const int w = p * columns.stride - columns.before + j * columns.dilation;
          const float* pixel = x + (h * columns.size + w) * channels;
          if (h < 0 || h >= rows.size || w < 0 || w >= columns.size) continue;
          for (int c = 0; c < channels; c++) y[c] += powf(fabsf(pixel[c]), norm_type);
        }
      for (int c = 0; c < channels; c++) y[c] = powf(y[c], 1.0f / norm_type);
    }
}

/* y = (x - centre) scale + shift, for each channel */
static void affine(const float* x, float* y, int rows, int channels, const float* centre,
                   const float* scale, const float* shift) {
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < channels; c++)
      y[r * channels + c] = (x[r * channels + c] - centre[c]) * scale[c] + shift[c];
}

/* y = scale x + offset */
static void rescale(const float* x, float* y, int n, float scale, float offset) {
  for (int i = 0; i < n; i++) y[i] = x[i] * scale + offset;
}

/* Each row less its mean, over its standard deviation. */
static void layer_norm(const float* x, float* y, int rows, int features, const float* gamma,
                       const float* beta, float epsilon) {
  for (int r = 0; r < rows; r++, x += features, y += features) {
    float mean = 0.0f, variance = 0.0f;
    for (int k = 0; k < features; k++) mean += x[k];
    mean /= (float)features;
    for (int k = 0; k < features; k++) variance += (x[k] - mean) * (x[k] - mean);
    variance /= (float)features;
    for (int k = 0; k < features; k++)
      y[k] = (x[k] - mean) / sqrtf(variance + epsilon) * gamma[k] + beta[k];
  }
}

/* The same without a mean and a shift. */
static void rms_norm(const float* x, float* y, int rows, int features, const float* gamma,
                     float epsilon) {
  for (int r = 0; r < rows; r++, x += features, y += features) {
    float mean = 0.0f;
    for (int k = 0; k < features; k++) mean += x[k] * x[k];
    mean /= (float)features;
    for (int k = 0; k < features; k++) y[k] = x[k] / sqrtf(mean + epsilon) * gamma[k];
  }
}

/* Each group of channels less its mean over all pixels, over its standard deviation. */
static void group_norm(const float* x, float* y, int pixels, int channels, const float* gamma,
                       const float* beta, int groups, float epsilon) {
  const int depth = channels / groups;
  for (int first = 0; first < channels; first += depth) {
    float mean = 0.0f, variance = 0.0f;
    for (int p = 0; p < pixels; p++)
      for (int c = first; c < first + depth; c++) mean += x[p * channels + c];
    mean /= (float)(pixels * depth);
    for (int p = 0; p < pixels; p++)
      for (int c = first; c < first + depth; c++) {
        const float apart = x[p * channels + c] - mean;
        variance += apart * apart;
      }
    variance /= (float)(pixels * depth);
    for (int p = 0; p < pixels; p++)
      for (int c = first; c < first + depth; c++)
        y[p * channels + c] =
            (x[p * channels + c] - mean) / sqrtf(variance + epsilon) * gamma[c] + beta[c];
  }
}

/* Each channel over a power of the mean square of its neighbours. */
static void local_response_norm(const float* x, float* y, int rows, int channels, int size,
                                float alpha, float beta, float k) {
  for (int r = 0; r < rows; r++, x += channels, y += channels)
    for (int c = 0; c < channels; c++) {
      const int before = c - size / 2, behind = c + (size - 1) / 2;
      float squares = 0.0f;
      for (int n = before < 0 ? 0 : before; n <= behind && n < channels; n++)
        squares += x[n] * x[n];
      y[c] = x[c] * powf(k + alpha / (float)size * squares, -beta);
    }
}

/* Largest of elements `stride` apart subtracted, so that exp cannot overflow. */
static float exp_shifted(const float* x, float* y, int features, int stride) {
  float largest = -INFINITY, total = 0.0f;
  for (int k = 0; k < features * stride; k += stride)
    largest = x[k] > largest || x[k] != x[k] ? x[k] : largest;
  for (int k = 0; k < features * stride; k += stride) {
    y[k] = x[k] - largest;
    total += expf(y[k]);
  }
  return total;
}

static void softmax(const float* x, float* y, int rows, int features, int stride) {
  for (int r = 0; r < rows; r++, x += features * stride, y += features * stride)
    for (int s = 0; s < stride; s++) {
      const float total = exp_shifted(x + s, y + s, features, stride);
      for (int k = s; k < features * stride; k += stride) y[k] = expf(y[k]) / total;
    }
}

static void log_softmax(const float* x, float* y, int rows, int features, int stride) {
  for (int r = 0; r < rows; r++, x += features * stride, y += features * stride)
    for (int s = 0; s < stride; s++) {
      const float total = exp_shifted(x + s, y + s, features, stride);
      for (int k = s; k < features * stride; k += stride) y[k] -= logf(total);
    }
}

/* y = x if x > 0, else alpha x, with slopes for each row */
static void prelu(const float* x, float* y, int rows, int columns, const float* alpha) {
  for (int r = 0; r < rows; r++, x += columns, y += columns)
    for (int k = 0; k < columns; k++) y[k] = x[k] > 0.0f ? x[k] : alpha[k] * x[k];
}

static void row_sum(const float* x, float* y, int rows, int columns) {
  for (int r = 0; r < rows; r++, x += columns) {
    y[r] = 0.0f;
    for (int k = 0; k < columns; k++) y[r] += x[k];
  }
}

static void row_prod(const float* x, float* y, int rows, int columns) {
  for (int r = 0; r < rows; r++, x += columns) {
    y[r] = 1.0f;
    for (int k = 0; k < columns; k++) y[r] *= x[k];
  }
}

static void row_max(const float* x, float* y, int rows, int columns) {
  for (int r = 0; r < rows; r++, x += columns) {
    y[r] = x[0];
    for (int k = 1; k < columns; k++) y[r] = x[k] > y[r] || x[k] != x[k] ? x[k] : y[r];
  }
}

static void row_min(const float* x, float* y, int rows, int columns) {
  for (int r = 0; r < rows; r++, x += columns) {
    y[r] = x[0];
    for (int k = 1; k < columns; k++) y[r] = x[k] < y[r] || x[k] != x[k] ? x[k] : y[r];
  }
}

static void row_log_sum_exp(const float* x, float* y, int rows, int columns) {
  for (int r = 0; r < rows; r++, x += columns) {
    float largest = x[0], total = 0.0f;
    for (int k = 1; k < columns; k++) largest = x[k] > largest ? x[k] : largest;
    for (int k = 0; k < columns; k++) total += expf(x[k] - largest);
    y[r] = logf(total) + largest;
  }
}

/* Products of matrices. */
static void matmul(const float* a, const float* b, float* y, int n, int rows, int inner,
                   int columns) {
  for (; n > 0; n--, a += rows * inner, b += inner * columns, y += rows * columns)
    dense(a, b, 0, y, rows, inner, columns);
}

/* Rows at places along an axis, a constant for places below zero. */
static void take(const float* x, float* y, int blocks, int size, int inner, const int* places,
                 int n, float constant) {
  for (int b = 0; b < blocks; b++, x += size * inner)
    for (int i = 0; i < n; i++, y += inner)
      for (int k = 0; k < inner; k++) y[k] = places[i] < 0 ? constant : x[places[i] * inner + k];
}

/* Sums of weighted rows along an axis; places and weights of (taps, n). */
static void interpolate(const float* x, float* y, int blocks, int size, int inner,
                        const int* places, int n, int taps, const float* weight) {
  for (int b = 0; b < blocks; b++, x += size * inner)
    for (int i = 0; i < n; i++, y += inner) {
      for (int k = 0; k < inner; k++) y[k] = 0.0f;
      for (int t = 0; t < taps; t++)
        for (int k = 0; k < inner; k++)
          y[k] += x[places[t * n + i] * inner + k] * weight[t * n + i];
    }
}

/* Elements in another order: lengths of the axes, and the steps between their elements in x. */
static float* permute(const float* x, float* y, int axes, const int* lengths, const int* steps) {
  for (int i = 0; i < *lengths; i++, x += *steps)
    if (axes > 1)
      y = permute(x, y, axes - 1, lengths + 1, steps + 1);
    else
      *y++ = *x;
  return y;
}

static void add(const float* x, float* y, int n) {
  for (int i = 0; i < n; i++) y[i] += x[i];
}

static void subtract(const float* x, float* y, int n) {
  for (int i = 0; i < n; i++) y[i] -= x[i];
}

static void divide(const float* x, float* y, int n) {
  for (int i = 0; i < n; i++) y[i] /= x[i];
}

static void multiply(const float* x, float* y, int n) {
  for (int i = 0; i < n; i++) y[i] *= x[i];
}

static void copy(const float* x, float* y, int n) {
  for (int i = 0; i < n; i++) y[i] = x[i];
}

/* Columns of rows, into those of longer rows. */
static void copy_columns(const float* x, float* y, int rows, int columns, int y_columns) {
  for (int r = 0; r < rows; r++) copy(x + r * columns, y + r * y_columns, columns);
}

/* Rows of a table by their ids. */
static void embedding(const int* ids, float* y, int n, const float* table, int units) {
  for (int i = 0; i < n; i++) copy(table + ids[i] * units, y + i * units, units);
}

/* 1 + the last step with an id other than 0 */
static int sequence_length(const int* ids, int time, int inner) {
  int n = time * inner;
  while (n > 0 && ids[n - 1] == 0) n--;
  return (n + inner - 1) / inner;
}

/* 1 + the last step with a feature other than the padding, or 1 */
static int masked_length(const float* x, int time, int features, float padding) {
  int n = time * features;
  while (n > 0 && x[n - 1] == padding) n--;
  return n > 0 ? (n + features - 1) / features : 1;
}

/* Steps of which each feature is the padding, zero. */
static void masking(const float* x, float* y, int time, int features, float padding) {
  for (int t = 0; t < time; t++, x += features, y += features) {
    int real = 0;
    for (int k = 0; k < features; k++) real |= x[k] != padding;
    for (int k = 0; k < features; k++) y[k] = real ? x[k] : 0.0f;
  }
}

static float clipped(float x, float limit) { return x > limit ? limit : x < -limit ? -limit : x; }

/* h_t = f(x_t w + b + h_{t-1} u) */
static void simple_rnn(const float* x, int time, int length, int features, int units,
                       const float* w, const float* u, const float* b, float (*f)(float),
                       float limit, int reverse, float* y, float* h, float* sums) {
  for (int n = 0; n < length; n++) {
    const int t = reverse ? length - 1 - n : n;
    dense(x + t * features, w, b, sums, 1, features, units);
    multiply_add(1, units, h, 0, 1, 0, units, u, units, 0, sums, 0);
    for (int k = 0; k < units; k++) h[k] = f(clipped(sums[k], limit));
    if (y) copy(h, y + t * units, units);
  }
  if (y) fill(y + length * units, time - length, units, 0);
}

/* c_t = f c_{t-1} + i g and h_t = o tanh(c_t), from the gates i, f, g, o; with peepholes they see
   the cell, and with a projection it makes h_t. */
static void lstm(const float* x, int time, int length, int features, int units, int outputs,
                 const float* w, const float* u, const float* b, const float* peepholes,
                 const float* projection, float (*gate)(float), float (*input)(float),
                 float (*cell)(float), float limit, int reverse, float* y, float* h, float* c,
                 float* sums) {
  const int columns = 4 * units;
  for (int n = 0; n < length; n++) {
    const int t = reverse ? length - 1 - n : n;
    dense(x + t * features, w, b, sums, 1, features, columns);
    multiply_add(1, columns, h, 0, 1, 0, outputs, u, columns, 0, sums, 0);
    for (int k = 0; k < units; k++) {
      const float seen[2] = {peepholes ? peepholes[k] * c[k] : 0.0f,
                             peepholes ? peepholes[units + k] * c[k] : 0.0f};
      const float i = gate(clipped(sums[k] + seen[0], limit));
      const float f = gate(clipped(sums[units + k] + seen[1], limit));
      const float g = input(clipped(sums[2 * units + k], limit));
      c[k] = f * c[k] + i * g;
      const float last = peepholes ? peepholes[2 * units + k] * c[k] : 0.0f;
      sums[k] = gate(clipped(sums[3 * units + k] + last, limit)) * cell(c[k]);
    }
    if (projection)
      dense(sums, projection, 0, h, 1, units, outputs);
    else
      copy(sums, h, units);
    if (y) copy(h, y + t * outputs, outputs);
  }
  if (y) fill(y + length * outputs, time - length, outputs, 0);
}

/* h_t = (1 - z) n + z h_{t-1}, from the gates r, z, n; r acts behind the product with u or before
   it. */
static void gru(const float* x, int time, int length, int features, int units, const float* w,
                const float* u, const float* b, const float* recurrent_b, int reset_after,
                float (*gate)(float), float (*state)(float), float limit, int reverse, float* y,
                float* h, float* sums) {
  const int columns = 3 * units;
  float* inner = sums + columns;
  for (int n = 0; n < length; n++) {
    const int t = reverse ? length - 1 - n : n;
    dense(x + t * features, w, b, sums, 1, features, columns);
    fill(inner, 1, columns, recurrent_b);
    multiply_add(1, reset_after ? columns : 2 * units, h, 0, 1, 0, units, u, columns, 0, inner, 0);
    for (int k = 0; k < 2 * units; k++) sums[k] = gate(clipped(sums[k] + inner[k], limit));
    if (reset_after)
      for (int k = 0; k < units; k++) sums[2 * units + k] += sums[k] * inner[2 * units + k];
    else {
      for (int k = 0; k < units; k++) inner[k] = sums[k] * h[k];
      multiply_add(1, units, inner, 0, 1, 0, units, u + 2 * units, columns, 0, sums + 2 * units, 0);
    }
    for (int k = 0; k < units; k++) {
      const float z = sums[units + k];
      h[k] = (1.0f - z) * state(clipped(sums[2 * units + k], limit)) + z * h[k];
    }
    if (y) copy(h, y + t * units, units);
  }
  if (y) fill(y + length * units, time - length, units, 0);
}

static float identity(float x) { return x; }

static float step(float x) { return x != x ? x : x > 0.0f ? 1.0f : 0.0f; }

static float sigmoid(float x) {
  const float e = expf(x > 0.0f ? -x : x);
  return (x > 0.0f ? 1.0f : e) / (1.0f + e);
}

static float relu(float x) { return x < 0.0f ? 0.0f : x; }

static float leaky_relu(float x, float alpha) { return x > 0.0f ? x : alpha * x; }

static float elu(float x, float alpha) { return x > 0.0f ? x : alpha * expm1f(x); }

static float celu(float x, float alpha) { return x > 0.0f ? x : alpha * expm1f(x / alpha); }

static float selu(float x, float alpha, float gamma) {
  return gamma * (x > 0.0f ? x : alpha * expm1f(x));
}

static float gelu(float x) {
  return x == -INFINITY ? 0.0f : 0.5f * x * erfcf(-0.7071067811865476f * x);
}

static float gelu_tanh(float x) {
  const float y = 1.5957691216057308f * (x + 0.044715f * x * x * x);
  const float e = expf(y > 0.0f ? -y : y);
  return x == -INFINITY ? 0.0f : x * (y > 0.0f ? 1.0f : e) / (1.0f + e);
}

static float silu(float x) {
  const float e = expf(x > 0.0f ? -x : x);
  return x == -INFINITY ? 0.0f : x * (x > 0.0f ? 1.0f : e) / (1.0f + e);
}

static float softplus(float x, float beta, float threshold) {
  const float y = beta * x;
  return y > threshold ? x : ((y > 0.0f ? y : 0.0f) + log1pf(expf(y > 0.0f ? -y : y))) / beta;
}

static float mish(float x) {
  const float positive = (x > 0.0f ? x : 0.0f) + log1pf(expf(x > 0.0f ? -x : x));
  return x == -INFINITY ? 0.0f : x * tanhf(positive);
}

static float hard_sigmoid(float x, float alpha, float beta) {
  const float y = alpha * x + beta;
  return y < 0.0f ? 0.0f : y > 1.0f ? 1.0f : y;
}

static float hard_swish(float x) {
  const float y = x + 3.0f;
  return x == -INFINITY ? 0.0f : x * ((y < 0.0f ? 0.0f : y > 6.0f ? 6.0f : y) / 6.0f);
}

static float softsign(float x) {
  return isinf(x) ? (x > 0.0f ? 1.0f : -1.0f) : x / (1.0f + fabsf(x));
}

/* Largest difference, relative to the largest element if that is above 1. */
static double largest_difference(const float* found, const float* expected, int n, double worst) {
  double scale = 1.0;
  for (int i = 0; i < n; i++)
    scale = fabs((double)expected[i]) > scale ? fabs((double)expected[i]) : scale;
  for (int i = 0; i < n; i++) {
    const double apart = fabs((double)found[i] - (double)expected[i]) / scale;
    if (!(apart <= worst)) worst = apart;
  }
  return worst;
}

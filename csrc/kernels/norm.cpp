// Normalisation over the batch, by column, and over the features, by row.
//
// Sums over the batch are taken over chunks of rows, which depend on the problem alone, and
// combined in float64.
#include "kernels/args/norm.h"
#include "kernels/activate.h"
#include "kernels/entry.h"
#include "kernels/range.h"
#include "kernels/rows.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

using Index = std::int64_t;

// The rows of a chunk.
struct Chunk {
  Index begin, end;
  GYAKU_INLINE Chunk(Index first, Index last) : begin(first), end(last) {}
  GYAKU_INLINE Chunk(const NormArgs& args, Index chunk)
      : begin(chunk * args.chunk), end(least(begin + args.chunk, args.rows)) {}
  GYAKU_INLINE double rows() const { return static_cast<double>(end - begin); }
};

// Number of independent sums, as an argument.
template <int count> struct Turns {};

// Calls f(column, elements in a vector, rows in a vector). Where columns are few, a vector holds
// the same columns of several consecutive rows.
template <class T, class F> GYAKU_INLINE void each_block(Index columns, F f) {
  constexpr Index width = vec<T>::width;
  const Index vector_rows = columns == 0 ? 1 : width / columns;
  if (vector_rows > 1)
    f(Index(0), static_cast<int>(vector_rows * columns), vector_rows);
  else
    for_each_vector<T>(0, columns, [&](Index j, int n) { f(j, n, Index(1)); });
}
// Calls f(row, elements) for the chunk's rows, `vector_rows` at a time.
template <class F>
GYAKU_INLINE void each_rows(Chunk chunk, Index columns, int n, Index vector_rows, F f) {
  Index row = chunk.begin;
  for (; row + vector_rows <= chunk.end; row += vector_rows) f(row, n);
  if (row < chunk.end) f(row, static_cast<int>((chunk.end - row) * columns));
}

// Sums of the vectors that f(row, elements, sums) adds for the chunk's rows. With several `turns`,
// consecutive rows have independent sums: no addition waits for the one before.
template <int turns, int count, class T, class F>
GYAKU_INLINE void sum_rows(Chunk chunk, Index columns, int n, Index vector_rows,
                           vec<T> (&sums)[count], F f) {
  vec<T> each[turns][count] = {};
  const Index together = (turns - 1) * vector_rows;
  Index row = chunk.begin;
  if constexpr (turns > 1)
    for (; row + together + vector_rows <= chunk.end; row += together + vector_rows)
#pragma GCC unroll 4
      for (int turn = 0; turn < turns; ++turn) f(row + turn * vector_rows, n, each[turn]);
  each_rows(Chunk(row, chunk.end), columns, n, vector_rows,
            [&](Index last, int numbers) { f(last, numbers, each[0]); });
  for (int i = 0; i < count; ++i) {
    sums[i] = each[0][i];
    if constexpr (turns == 4) sums[i] = (sums[i] + each[1][i]) + (each[2][i] + each[3][i]);
  }
}
// f(turns, chunk) for the chunks of a slice: those of samples are long.
template <class F> GYAKU_INLINE void each_chunk(const NormArgs& args, Slice slice, F f) {
  const Index chunks = args.chunks > 0 ? args.chunks : 1;
  for (Index c = slice.begin * chunks; c < slice.end * chunks; ++c)
    if (args.chunks > 0)
      f(Turns<4>(), c);
    else
      f(Turns<1>(), c);
}

// The `columns` elements at p, repeated for the rows of a vector.
template <class T>
GYAKU_INLINE vec<T> repeated(const T* p, int n, Index columns, Index vector_rows) {
  if (vector_rows == 1) return load(p, n);
  T each[vec<T>::width] = {};
  for (int i = 0; i < n; ++i) each[i] = p[i % columns];
  return load(each);
}
// sums[j] = the sum of the lanes of column j.
template <class T>
GYAKU_INLINE void fold(vec<T> lanes, int n, Index columns, Index vector_rows, double* sums) {
  T each[vec<T>::width];
  store(each, lanes);
  const int count = vector_rows == 1 ? n : static_cast<int>(columns);
  for (int j = 0; j < count; ++j) {
    double sum = each[j];
    for (Index k = 1; k < vector_rows; ++k) sum += each[j + k * columns];
    sums[j] = sum;
  }
}

// Mean, and sum of squared distances from it, of each column of a chunk. The distances are taken
// from the rounded mean, and corrected by their sum.
template <int turns, class T> GYAKU_INLINE void chunk_statistics(const NormArgs& args, Index c) {
  const T* x = static_cast<const T*>(args.x);
  const Index columns = args.columns;
  const Chunk chunk(args, c);
  double* means = args.partial + 2 * c * columns;
  double* squares = means + columns;
  each_block<T>(columns, [&](Index j, int n, Index vector_rows) {
    const int count = vector_rows == 1 ? n : static_cast<int>(columns);
    vec<T> sum[1], distances[2]; // sums of distances and of their squares
    sum_rows<turns>(chunk, columns, n, vector_rows, sum,
                    [=](Index row, int numbers, vec<T>* to)
                        GYAKU_INLINED { to[0] = to[0] + load(x + row * columns + j, numbers); });
    double first[vec<T>::width] = {}, second[vec<T>::width] = {};
    T rounded[vec<T>::width] = {};
    fold(sum[0], n, columns, vector_rows, first);
    for (int k = 0; k < count; ++k) rounded[k] = static_cast<T>(first[k] / chunk.rows());
    const vec<T> mean = repeated(rounded, n, columns, vector_rows);
    sum_rows<turns>(chunk, columns, n, vector_rows, distances,
                    [=](Index row, int numbers, vec<T>* to) GYAKU_INLINED {
                      const vec<T> distance = fill_behind(
                          load(x + row * columns + j, numbers) - mean, numbers, zero<T>());
                      to[0] = to[0] + distance;
                      to[1] = fma(distance, distance, to[1]);
                    });
    fold(distances[0], n, columns, vector_rows, first);
    fold(distances[1], n, columns, vector_rows, second);
    for (int k = 0; k < count; ++k) {
      // Not finite where the mean is not.
      const double left = first[k] - first[k] == 0 ? first[k] : 0;
      means[j + k] = static_cast<double>(rounded[k]) + left / chunk.rows();
      squares[j + k] = second[k] - left * left / chunk.rows();
    }
  });
}
template <class T> void batch_statistics(const NormArgs& args, Slice slice) noexcept {
  each_chunk(args, slice,
             [&]<int turns>(Turns<turns>, Index c) { chunk_statistics<turns, T>(args, c); });
}

// Stores in the scalar type of the kernel.
template <class T> GYAKU_INLINE void store_rounded(T* p, vec<double> x, int n) {
  double each[vec<double>::width];
  store(each, x);
  for (int k = 0; k < n; ++k) p[k] = static_cast<T>(each[k]);
}

template <class T> GYAKU_INLINE bool is_finite(T x) { return x - x == 0; }

// 1 / standard deviation where the squares of distances overflow, beside which epsilon is nothing.
template <class T> T inverse_of_large(const T* x, Index count, Index step, double mean) noexcept {
  constexpr double small = sizeof(T) == sizeof(float) ? 1.0 : 0x1p-600;
  double squares = 0;
  for (Index i = 0; i < count; ++i) {
    const double distance = static_cast<double>(x[i * step]) * small - mean * small;
    squares += distance * distance;
  }
  return static_cast<T>(small * __builtin_sqrt(static_cast<double>(count) / squares));
}

// The combined statistics of the chunks (Chan, Golub and LeVeque, "Updating formulae and a pairwise
// algorithm for computing sample variances", 1979); without chunks, the variance is given.
template <class T> void batch_finish(const NormArgs& args, Slice slice) noexcept {
  T* variances = static_cast<T*>(args.variance);
  const vec<double> rows(static_cast<double>(args.rows));
  for_each_vector<double>(slice.begin, slice.end, [&](Index j, int n) {
    if (args.partial != nullptr) {
      vec<double> sum = zero<double>(), squares = zero<double>();
      const double* at = args.partial + j;
      const Index step = 2 * args.columns, chunks = (args.rows + args.chunk - 1) / args.chunk;
      for (Index c = 0; c < chunks; ++c)
        sum = fma(load(at + c * step, n), vec<double>(Chunk(args, c).rows()), sum);
      const vec<double> mean = sum / rows;
      for (Index c = 0; c < chunks; ++c) {
        const vec<double> distance = load(at + c * step, n) - mean;
        squares = squares + fma(distance * distance, vec<double>(Chunk(args, c).rows()),
                                load(at + c * step + args.columns, n));
      }
      store_rounded(static_cast<T*>(args.mean) + j, mean, n);
      store_rounded(variances + j, squares / rows, n);
    }
    double variance[vec<double>::width] = {};
    for (int k = 0; k < n; ++k) variance[k] = static_cast<double>(variances[j + k]);
    const vec<double> one(1.0);
    T* const inverses = static_cast<T*>(args.inverse) + j;
    store_rounded(inverses, one / sqrt(load(variance) + vec<double>(args.epsilon)), n);
    if (args.partial == nullptr) return;
    const T* const means = static_cast<const T*>(args.mean) + j;
    for (int k = 0; k < n; ++k)
      if (is_finite(means[k]) && !is_finite(variance[k])) {
        variances[j + k] = number<T>::infinity;
        inverses[k] = inverse_of_large(static_cast<const T*>(args.x) + j + k, args.rows,
                                       args.columns, static_cast<double>(means[k]));
      }
  });
}

// Calls f(column, elements, rows in a vector, rows) for blocks of rows of the slice that stay in
// the first-level cache for all columns.
template <class T, class F> GYAKU_INLINE void each_tile(const NormArgs& args, Slice slice, F f) {
  constexpr Index tile_size = 4096; // elements
  const Index end = slice.end * args.unit, columns = args.columns;
  const Index rows = 2 * columns <= vec<T>::width ? end : tile_size / columns + 1;
  for (Index row = slice.begin * args.unit; row < end; row += rows)
    each_block<T>(columns, [&](Index j, int n, Index vector_rows) {
      f(j, n, vector_rows, Chunk(row, least(row + rows, end)));
    });
}

// y = gamma (x - mean) inverse + beta, then an addend and ReLU.
template <bool adds, bool rectifies, class T>
void normalise(const NormArgs& args, Slice slice) noexcept {
  const T* x = static_cast<const T*>(args.x);
  const T* addend = static_cast<const T*>(args.addend);
  T* y = static_cast<T*>(args.y);
  const Index columns = args.columns;
  each_tile<T>(args, slice, [&](Index j, int n, Index vector_rows, Chunk rows) {
    const auto parameter = [&](const void* p) {
      return repeated(static_cast<const T*>(p) + j, n, columns, vector_rows);
    };
    const vec<T> mean = parameter(args.mean), beta = parameter(args.beta);
    const vec<T> factor = parameter(args.gamma) * parameter(args.inverse);
    each_rows(rows, columns, n, vector_rows, [=](Index row, int numbers) {
      const Index at = row * columns + j;
      vec<T> value = fma(load(x + at, numbers) - mean, factor, beta);
      if constexpr (adds) value = value + load(addend + at, numbers);
      if constexpr (rectifies) value = activate<Activation::relu>(value, zero<T>());
      store(y + at, value, numbers);
    });
  });
}
template <class T> void batch_norm(const NormArgs& args, Slice slice) noexcept {
  const bool rectifies = args.activation == Activation::relu;
  if (args.addend == nullptr)
    (rectifies ? normalise<false, true, T> : normalise<false, false, T>)(args, slice);
  else
    (rectifies ? normalise<true, true, T> : normalise<true, false, T>)(args, slice);
}

// dx = gamma inverse (dy - dbeta / m - z dgamma / m), z = (x - mean) inverse; without dgamma, the
// statistics do not depend on x.
template <class T> void batch_norm_backward(const NormArgs& args, Slice slice) noexcept {
  const T* x = static_cast<const T*>(args.x);
  const T* dy = static_cast<const T*>(args.dy);
  T* dx = static_cast<T*>(args.y);
  const Index columns = args.columns;
  const vec<T> inverse_rows(static_cast<T>(1 / static_cast<double>(args.rows)));
  each_tile<T>(args, slice, [&](Index j, int n, Index vector_rows, Chunk rows) {
    const auto parameter = [&](const void* p) {
      return repeated(static_cast<const T*>(p) + j, n, columns, vector_rows);
    };
    const vec<T> inverse = parameter(args.inverse), factor = parameter(args.gamma) * inverse;
    if (args.dgamma == nullptr) {
      each_rows(rows, columns, n, vector_rows, [=](Index row, int numbers) {
        const Index at = row * columns + j;
        store(dx + at, factor * load(dy + at, numbers), numbers);
      });
      return;
    }
    const vec<T> mean = parameter(args.mean), shift = parameter(args.dbeta) * inverse_rows;
    const vec<T> slope = parameter(args.dgamma) * inverse_rows * inverse;
    each_rows(rows, columns, n, vector_rows, [=](Index row, int numbers) {
      const Index at = row * columns + j;
      const vec<T> centered = load(dy + at, numbers) - shift;
      store(dx + at, factor * fma(mean - load(x + at, numbers), slope, centered), numbers);
    });
  });
}

// Sums over a chunk of dy (x - mean), or dy (x - mean) inverse by row, and of dy.
template <bool by_row, int turns, class T>
GYAKU_INLINE void chunk_sums(const NormArgs& args, Index c) {
  const T* x = static_cast<const T*>(args.x);
  const T* dy = static_cast<const T*>(args.dy);
  const T* means = static_cast<const T*>(args.mean);
  const T* inverses = static_cast<const T*>(args.inverse);
  const Index columns = args.columns;
  const Chunk chunk(args, c);
  double* products = args.partial + 2 * c * columns;
  double* sums = products + columns;
  const auto block = [&](Index j, int n, Index vector_rows) {
    const vec<T> mean = by_row ? zero<T>() : repeated(means + j, n, columns, vector_rows);
    vec<T> totals[2]; // sums of products, and of dy
    sum_rows<turns>(chunk, columns, n, vector_rows, totals,
                    [=](Index row, int numbers, vec<T>* to) GYAKU_INLINED {
                      const Index at = row * columns + j;
                      const vec<T> g = load(dy + at, numbers), value = load(x + at, numbers);
                      const vec<T> z =
                          by_row ? (value - broadcast(means[row])) * broadcast(inverses[row])
                                 : value - mean;
                      to[0] = fma(g, fill_behind(z, numbers, zero<T>()), to[0]);
                      to[1] = to[1] + g;
                    });
    fold(totals[0], n, columns, vector_rows, products + j);
    fold(totals[1], n, columns, vector_rows, sums + j);
  };
  if constexpr (by_row)
    for_each_vector<T>(0, columns, [&](Index j, int n) { block(j, n, Index(1)); });
  else
    each_block<T>(columns, block);
}
template <class T> void norm_sums(const NormArgs& args, Slice slice) noexcept {
  each_chunk(args, slice, [&]<int turns>(Turns<turns>, Index c) {
    if (!args.by_row)
      chunk_sums<false, turns, T>(args, c);
    else if constexpr (turns == 1)
      chunk_sums<true, turns, T>(args, c);
  });
}

template <class T> void norm_sums_finish(const NormArgs& args, Slice slice) noexcept {
  const Index chunks = (args.rows + args.chunk - 1) / args.chunk;
  for_each_vector<double>(slice.begin, slice.end, [&](Index j, int n) {
    vec<double> product = zero<double>(), sum = zero<double>();
    for (Index c = 0; c < chunks; ++c) {
      const double* at = args.partial + 2 * c * args.columns + j;
      product = product + load(at, n);
      sum = sum + load(at + args.columns, n);
    }
    if (!args.by_row) {
      double inverse[vec<double>::width] = {};
      for (int k = 0; k < n; ++k)
        inverse[k] = static_cast<double>(static_cast<const T*>(args.inverse)[j + k]);
      product = product * load(inverse);
    }
    store_rounded(static_cast<T*>(args.dgamma) + j, product, n);
    store_rounded(static_cast<T*>(args.dbeta) + j, sum, n);
  });
}

template <class T> void layer_norm(const NormArgs& args, Slice slice) noexcept {
  const T* gamma = static_cast<const T*>(args.gamma);
  const T* beta = static_cast<const T*>(args.beta);
  const Index columns = args.columns;
  const vec<T> count(static_cast<T>(columns)), one(T(1)), epsilon(static_cast<T>(args.epsilon));
  for (Index row = slice.begin * args.unit; row < slice.end * args.unit; ++row) {
    const T* x = static_cast<const T*>(args.x) + row * columns;
    T* y = static_cast<T*>(args.y) + row * columns;
    vec<T> sum[1] = {}, squares[1] = {};
    sum_row<1>(columns, sum, [&](Index j, int n, vec<T>* to) { to[0] = to[0] + load(x + j, n); });
    const vec<T> mean = add_across(sum[0]) / count;
    sum_row<1>(columns, squares, [&](Index j, int n, vec<T>* to) {
      const vec<T> distance = fill_behind(load(x + j, n) - mean, n, zero<T>());
      to[0] = fma(distance, distance, to[0]);
    });
    vec<T> inverse = one / sqrt(add_across(squares[0]) / count + epsilon);
    if (first(inverse) == 0 && is_finite(first(mean)))
      inverse = broadcast(inverse_of_large(x, columns, 1, static_cast<double>(first(mean))));
    for_each_vector<T>(0, columns, [=](Index j, int n) {
      const vec<T> z = (load(x + j, n) - mean) * inverse;
      store(y + j, fma(load(gamma + j, n), z, load(beta + j, n)), n);
    });
    static_cast<T*>(args.mean)[row] = first(mean);
    static_cast<T*>(args.inverse)[row] = first(inverse);
  }
}

// dx = inverse (g - mean of g - z mean of g z), g = gamma dy
template <class T> void layer_norm_backward(const NormArgs& args, Slice slice) noexcept {
  const T* gamma = static_cast<const T*>(args.gamma);
  const Index columns = args.columns;
  const vec<T> count(static_cast<T>(columns));
  for (Index row = slice.begin * args.unit; row < slice.end * args.unit; ++row) {
    const T* x = static_cast<const T*>(args.x) + row * columns;
    const T* dy = static_cast<const T*>(args.dy) + row * columns;
    T* dx = static_cast<T*>(args.y) + row * columns;
    const vec<T> mean = broadcast(static_cast<const T*>(args.mean)[row]);
    const vec<T> inverse = broadcast(static_cast<const T*>(args.inverse)[row]);
    const auto distance = [=](Index j, int n) { return (load(x + j, n) - mean) * inverse; };
    vec<T> sums[2] = {};
    sum_row<2>(columns, sums, [&](Index j, int n, vec<T>* to) {
      const vec<T> g = load(gamma + j, n) * load(dy + j, n);
      to[0] = to[0] + g;
      to[1] = fma(g, fill_behind(distance(j, n), n, zero<T>()), to[1]);
    });
    const vec<T> shift = add_across(sums[0]) / count, slope = add_across(sums[1]) / count;
    for_each_vector<T>(0, columns, [=](Index j, int n) {
      const vec<T> g = load(gamma + j, n) * load(dy + j, n);
      store(dx + j, inverse * (g - shift - distance(j, n) * slope), n);
    });
  }
}

template <class T> void update_running(const RunningArgs& args, Slice slice) noexcept {
  const vec<T> kept(static_cast<T>(1 - args.momentum)), taken(static_cast<T>(args.momentum));
  const vec<T> unbiased(static_cast<T>(args.unbiased));
  const T* mean = static_cast<const T*>(args.mean);
  const T* variance = static_cast<const T*>(args.variance);
  T* running_mean = static_cast<T*>(args.running_mean);
  T* running_var = static_cast<T*>(args.running_var);
  for_each_vector<T>(slice.begin, slice.end, [=](Index j, int n) {
    store(running_mean + j, fma(taken, load(mean + j, n), kept * load(running_mean + j, n)), n);
    const vec<T> fresh = load(variance + j, n) * unbiased;
    store(running_var + j, fma(taken, fresh, kept * load(running_var + j, n)), n);
  });
}

} // namespace

// Slices of chunks or samples, see NormArgs::chunks.
Entry batch_statistics_kernel() noexcept {
  return entry<NormArgs, batch_statistics<float>, batch_statistics<double>>;
}
// Slices of columns.
Entry batch_finish_kernel() noexcept {
  return entry<NormArgs, batch_finish<float>, batch_finish<double>>;
}
// Slices of rows, in units of NormArgs::unit.
Entry batch_norm_kernel() noexcept {
  return entry<NormArgs, batch_norm<float>, batch_norm<double>>;
}
// Slices of rows, in units of NormArgs::unit.
Entry batch_norm_backward_kernel() noexcept {
  return entry<NormArgs, batch_norm_backward<float>, batch_norm_backward<double>>;
}
// Slices of chunks or samples, see NormArgs::chunks.
Entry norm_sums_kernel() noexcept { return entry<NormArgs, norm_sums<float>, norm_sums<double>>; }
// Slices of columns.
Entry norm_sums_finish_kernel() noexcept {
  return entry<NormArgs, norm_sums_finish<float>, norm_sums_finish<double>>;
}
// Slices of rows, in units of NormArgs::unit.
Entry layer_norm_kernel() noexcept {
  return entry<NormArgs, layer_norm<float>, layer_norm<double>>;
}
// Slices of rows, in units of NormArgs::unit.
Entry layer_norm_backward_kernel() noexcept {
  return entry<NormArgs, layer_norm_backward<float>, layer_norm_backward<double>>;
}
// Slices of columns.
Entry update_running_kernel() noexcept {
  return entry<RunningArgs, update_running<float>, update_running<double>>;
}

} // namespace gyaku::GYAKU_ISA_NAME

// Backward pass through a convolution followed by 2 x 2 max pooling.
//
// One pixel in four has a gradient, so there is a quarter of the work: dy is the gradient of the
// maxima, argmax the position of each among the four. Vectors run along contiguous elements of an
// image row, (kernel column, channel). The gradient with respect to the weights adds, filter by
// filter, the windows of its maxima; that with respect to the images adds the weights to the window
// of each maximum. Zero gradients, as behind a ReLU, are skipped: here the length of loops depends
// on the data. Where channels are few, vectors run along the filters. For stride and dilation 1 in
// float32; otherwise the gradient is scattered to all pixels first.
#include "kernels/activate.h"
#include "kernels/activation_rows.h"
#include "kernels/args/conv.h"
#include "kernels/conv_pooled_backward_tile.h"
#include "kernels/entry.h"
#include "simd/transpose.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Some kernel rows and some vectors of each.
struct Part {
  std::int64_t row, first;
  int rows, vectors;
};

template <class T> struct PooledWindows {
  static constexpr int width = vec<T>::width;
  static constexpr std::int64_t room = max_pooled_bytes / sizeof(T);
  const ConvShape& shape;
  std::int64_t taps, channels, filters;
  std::int64_t run, vectors;  // contiguous elements of a kernel row, and their vectors
  std::int64_t rows, columns; // of windows
  std::int64_t row;           // elements of a padded image row inside windows

  explicit PooledWindows(const ConvShape& s)
      : shape(s), taps(s.rows.taps), channels(s.channels), filters(s.filters),
        run(std::int64_t{s.columns.taps} * s.channels), vectors(ceil_div(run, width)),
        rows(s.rows.windows / 2), columns(s.columns.windows / 2),
        row((2 * columns + s.columns.taps - 1) * s.channels) {}

  std::int64_t weights() const { return taps * run; } // of a filter
  // Image rows covered by a number of window rows, padding included.
  std::int64_t seen(std::int64_t window_rows) const { return 2 * window_rows + taps - 1; }
  // Window rows at a time whose image rows fit into a number of elements.
  std::int64_t rows_within(std::int64_t numbers) const {
    return least(least(rows, max_pooled_windows / columns), (numbers / row - (taps - 1)) / 2);
  }
  // Elements of a padded row inside the image, and of an image row inside windows.
  Range inside() const {
    const std::int64_t before = shape.columns.padding * channels;
    return both({before, before + shape.columns.size * channels}, {0, row});
  }
  bool is_padded() const {
    return shape.rows.padding > 0 || shape.columns.padding > 0 || seen(rows) > shape.rows.size ||
           row > shape.columns.size * channels;
  }

  // f(part) for each part of the weights of a filter.
  template <class F> void each_part(F f) const {
    for_each_piece(vectors, most_tile_vectors, [&](Range some) {
      const int v = static_cast<int>(some.size());
      for (std::int64_t r = 0; r < taps;) {
        int height = static_cast<int>(least(most_tile_rows, taps - r));
        while (!has_tile(height, v)) --height;
        f(Part{r, some.begin, height, v});
        r += height;
      }
    });
  }
  // Whether the lanes of a vector are filters, see `pick_tile`.
  bool is_picked() const { return channels < few_channels; }
  int last(const Part& part) const {
    return static_cast<int>(least(width, run - (part.first + part.vectors - 1) * width));
  }
};

// A slice counts kernel rows: packed[part][filter][row of the part][vectors of the part].
template <class T> void conv_pooled_backward_pack(const ConvPackArgs& args, Slice slice) noexcept {
  constexpr int width = vec<T>::width;
  const PooledWindows<T> problem(args.shape);
  const std::int64_t filters = problem.filters;
  T* to = static_cast<T*>(args.packed);
  problem.each_part([&](const Part& part) {
    const std::int64_t size = part.rows * part.vectors * width;
    for (std::int64_t r = part.row; r < part.row + part.rows; ++r) {
      if (r < slice.begin || r >= slice.end) continue;
      for (int j = 0; j < part.vectors; ++j) {
        const std::int64_t first = (part.first + j) * width;
        const std::int64_t lanes = least(width, problem.run - first);
        const T* from = static_cast<const T*>(args.w) + (r * problem.run + first) * filters;
        T* at = to + ((r - part.row) * part.vectors + j) * width;
        for_each_vector<T>(0, filters, [&](std::int64_t k, int n) {
          vec<T> square[width];
#pragma GCC unroll 16
          for (int i = 0; i < width; ++i)
            square[i] = i < lanes ? load(from + i * filters + k, n) : zero<T>();
          transpose_square(square);
          for (int i = 0; i < n; ++i) store(at + (k + i) * size, square[i]);
        });
      }
    }
    to += filters * size;
  });
}

template <class T> void move_numbers(const T* from, std::int64_t count, T* to) noexcept {
  for_each_vector<T>(0, count, [&](std::int64_t i, int n) { store(to + i, load(from + i, n), n); });
}
template <class T> void clear(T* to, std::int64_t count) noexcept {
  for_each_vector<T>(0, count, [&](std::int64_t i, int n) { store(to + i, zero<T>(), n); });
}

// The nonzero elements of dy, filter by filter.
template <class T> class NonzeroLists {
public:
  // Windows of some images; positions are relative to the first row that they cover. Consecutive
  // windows share no pixel, so that no sum waits for the one before.
  void enter(const PooledWindows<T>& problem, Range images, Range rows) {
    const std::int64_t row = problem.row, channels = problem.channels, all = problem.columns;
    const std::int64_t image = problem.seen(rows.size()) * row;
    const std::int64_t apart = problem.shape.columns.taps / 2 + 1;
    windows_ = 0;
    for (std::int64_t n = images.begin; n < images.end; ++n)
      for (std::int64_t r = rows.begin; r < rows.end; ++r)
        for (std::int64_t first = 0; first < apart; ++first)
          for (std::int64_t c = first; c < all; c += apart, ++windows_) {
            const std::int64_t place =
                (n - images.begin) * image + 2 * (r - rows.begin) * row + 2 * c * channels;
            window_[windows_] =
                static_cast<std::int32_t>(((n - images.begin) * problem.rows + r) * all + c);
            place_[windows_] = static_cast<std::int32_t>(place);
          }
    const std::int64_t step[positions]{0, channels, row, row + channels};
    for (int p = 0; p < positions; ++p) step_[p] = static_cast<std::int32_t>(step[p]);
  }

  // Number of filters that fit at a time.
  std::int64_t room() const { return least(most_filters, capacity / most(1, windows_)); }

  // Finds those of some filters, in the images entered; if `is_strict`, values that are not finite
  // go to `other`(window, position, filter, value) instead.
  template <class F>
  void find(const T* dy, const std::uint8_t* argmax, std::int64_t all, Range filters,
            bool is_strict, F other) {
    // As integers, which are faster to compare; doubling drops the sign.
    using Bits = std::uint32_t;
    static_assert(sizeof(T) == sizeof(Bits));
    constexpr Bits twice_infinity = 0xff000000;
    const std::int64_t windows = windows_;
    for (std::int64_t k = filters.begin; k < filters.end; ++k) {
      T* values = values_ + (k - filters.begin) * windows;
      std::int32_t* places = places_ + (k - filters.begin) * windows;
      std::int64_t count = 0;
      for (std::int64_t i = 0; i < windows; ++i) {
        const std::int64_t at = window_[i] * all + k;
        const unsigned position = argmax[at];
        Bits bits;
        __builtin_memcpy(&bits, dy + at, sizeof bits);
        bits &= -Bits{position < positions};
        if (is_strict && 2 * bits >= twice_infinity) {
          T value;
          __builtin_memcpy(&value, &bits, sizeof bits);
          other(window_[i], static_cast<int>(position), k, value);
          bits = 0;
        }
        __builtin_memcpy(values + count, &bits, sizeof bits);
        places[count] = place_[i] + step_[position % positions];
        count += 2 * bits != 0;
      }
      counts_[k - filters.begin] = count;
    }
  }
  Nonzeros<T> of(std::int64_t filter) const {
    const std::int64_t at = filter * windows_;
    return {places_ + at, values_ + at, counts_[filter]};
  }

private:
  static constexpr std::int64_t capacity = 4 * max_pooled_windows, most_filters = 256;

  std::int64_t windows_ = 0;
  std::int32_t window_[max_pooled_windows], place_[max_pooled_windows], step_[positions];
  T values_[capacity];
  std::int32_t places_[capacity];
  std::int64_t counts_[most_filters];
};

// A slice counts images.
template <class T> void conv_pooled_backward(const ConvArgs& args, Slice slice) noexcept {
  const PooledWindows<T> problem(args.shape);
  alignas(64) T sums[PooledWindows<T>::room];
  NonzeroLists<T> lists;
  const std::int64_t filters = problem.filters;
  const std::int64_t strip = problem.rows_within(problem.room);
  const std::int64_t overlap = problem.taps - 1, row = problem.row;
  const ConvAxis &rows = args.shape.rows, &columns = args.shape.columns;
  const std::int64_t dx_row = columns.size * problem.channels;
  const Range inside = problem.inside();
  const std::int64_t covered = inside.size(), before = columns.padding * problem.channels;
  const T alpha = static_cast<T>(args.alpha);
  for (std::int64_t image = slice.begin; image < slice.end; ++image) {
    const auto finish = [&](std::int64_t i, const T* from) { // row i of dx
      const std::int64_t at = (image * rows.size + i) * dx_row;
      T* dx = static_cast<T*>(args.y) + at;
      const std::int64_t done = from == nullptr ? 0 : covered;
      if (done > 0) move_numbers(from + before, done, dx);
      clear(dx + done, dx_row - done);
      if (args.derivative != Activation::identity)
        differentiate_row(args.derivative, alpha, static_cast<const T*>(args.saved) + at, dx,
                          dx_row);
    };
    clear(sums, problem.seen(strip) * row);
    for (std::int64_t top = 0; top < problem.rows; top += strip) {
      const std::int64_t height = least(strip, problem.rows - top);
      lists.enter(problem, {0, 1}, {0, height});
      const std::int64_t at = (image * problem.rows + top) * problem.columns * filters;
      const T* dy = static_cast<const T*>(args.x) + at;
      const std::uint8_t* argmax = static_cast<const std::uint8_t*>(args.argmax) + at;
      for (std::int64_t first = 0; first < filters; first += lists.room()) {
        const Range some{first, least(first + lists.room(), filters)};
        lists.find(dy, argmax, filters, some, false, [](auto...) {});
        const T* w = static_cast<const T*>(args.packed);
        problem.each_part([&](const Part& part) {
          const std::int64_t weights = part.rows * part.vectors * problem.width;
          for (std::int64_t k = some.begin; k < some.end; ++k)
            tiles<T>.scatter[part.rows - 1][part.vectors - 1](
                lists.of(k - some.begin), w + k * weights,
                sums + part.row * row + part.first * problem.width, row, problem.last(part));
          w += filters * weights;
        });
      }
      const bool ends = top + height == problem.rows;
      const std::int64_t done = 2 * height + (ends ? overlap : 0);
      for (std::int64_t r = 0; r < done; ++r) {
        const std::int64_t i = 2 * top + r - rows.padding;
        if (0 <= i && i < rows.size) finish(i, sums + r * row);
      }
      if (ends) continue;
      for (std::int64_t i = 0; i < overlap * row; i += row)
        move_numbers(sums + done * row + i, row, sums + i);
      clear(sums + overlap * row, done * row);
    }
    for (std::int64_t i = most(0, problem.seen(problem.rows) - rows.padding); i < rows.size; ++i)
      finish(i, nullptr);
  }
}

// Gradient with respect to the weights of some filters; the layout of `dw` is (filter, tap,
// channel).
template <class T> class WeightGradient {
public:
  WeightGradient(const ConvWeightsArgs& args, Range filters, T* dw, T* db)
      : args_(args), problem_(args.shape), filters_(filters), dw_(dw), db_(db) {
    constexpr std::int64_t cached = 32 * 1024 / sizeof(T), windows = max_pooled_windows / 4;
    const std::int64_t copies = problem_.is_picked() ? 4 : 1;
    const std::int64_t whole = copies * problem_.seen(problem_.rows) * problem_.row;
    if (whole <= cached && problem_.rows * problem_.columns <= max_pooled_windows) {
      images_ = most(1, least(cached / whole, windows / (problem_.rows * problem_.columns)));
      pieces_ = 1;
    } else {
      images_ = 1;
      pieces_ =
          ceil_div(problem_.rows, problem_.rows_within((problem_.room - problem_.width) / copies));
    }
  }

  std::int64_t chunks() const { return ceil_div(args_.images, images_) * pieces_; }

  void begin() const {
    if (!problem_.is_picked())
      clear(dw_ + filters_.begin * problem_.weights(), filters_.size() * problem_.weights());
    else
      for (std::int64_t i = 0; i < problem_.weights(); ++i)
        clear(dw_ + i * problem_.filters + filters_.begin, filters_.size());
    clear(db_ + filters_.begin, filters_.size());
  }

  // Chunks, and with them the order of sums, depend on the problem alone.
  void add(std::int64_t chunk) {
    const std::int64_t piece = chunk % pieces_, first = chunk / pieces_ * images_;
    const Range images{first, least(first + images_, args_.images)};
    const Range rows{problem_.rows * piece / pieces_, problem_.rows * (piece + 1) / pieces_};
    if (problem_.is_picked()) {
      copy_fours(images, rows);
      return add_picked(images, rows);
    }
    add_biases(images, rows, filters_);
    copy_images(images, rows);
    lists_.enter(problem_, images, rows);
    const std::int64_t at = images.begin * problem_.rows * problem_.columns * problem_.filters;
    const T* dy = static_cast<const T*>(args_.dy) + at;
    const std::uint8_t* argmax = static_cast<const std::uint8_t*>(args_.argmax) + at;
    for (std::int64_t k = filters_.begin; k < filters_.end; k += lists_.room()) {
      const Range some{k, least(k + lists_.room(), filters_.end)};
      // Taps in the padding are skipped, not multiplied by zero.
      lists_.find(dy, argmax, problem_.filters, some, problem_.is_padded(),
                  [&](auto... nonzero) { add_alone(images.begin, nonzero...); });
      add_nonzeros(some);
    }
  }

private:
  // The image rows of the windows, with zeros for padding.
  void copy_images(Range images, Range rows) {
    const ConvAxis& axis = args_.shape.rows;
    const std::int64_t x_row = args_.shape.columns.size * problem_.channels, row = problem_.row;
    const Range inside = problem_.inside();
    T* to = x_;
    for (std::int64_t n = images.begin; n < images.end; ++n)
      for (std::int64_t r = 0; r < problem_.seen(rows.size()); ++r, to += row) {
        const std::int64_t i = 2 * rows.begin + r - axis.padding;
        if (i < 0 || i >= axis.size) {
          clear(to, row);
          continue;
        }
        clear(to, inside.begin);
        move_numbers(static_cast<const T*>(args_.x) + (n * axis.size + i) * x_row, inside.size(),
                     to + inside.begin);
        clear(to + inside.end, row - inside.end);
      }
    clear(to, problem_.width);
  }

  // Each element with those of the pixels to the right, below, and below right; there is no
  // padding.
  void copy_fours(Range images, Range rows) {
    const std::int64_t channels = problem_.channels, row = problem_.row;
    const std::int64_t x_row = args_.shape.columns.size * channels;
    T* to = x_;
    for (std::int64_t n = images.begin; n < images.end; ++n)
      for (std::int64_t r = 0; r < problem_.seen(rows.size()); ++r, to += 4 * row) {
        if (r + 1 == problem_.seen(rows.size())) continue;
        const T* upper = static_cast<const T*>(args_.x) +
                         (n * args_.shape.rows.size + 2 * rows.begin + r) * x_row;
        const T* lower = upper + x_row;
        for_each_vector<T>(0, row - channels, [&](std::int64_t i, int n) {
          const auto some = [&](const T* p) { return load(p + i, n); };
          vec<T> four[4]{some(upper), some(upper + channels), some(lower), some(lower + channels)};
          interleave_all(four);
#pragma GCC unroll 4
          for (int j = 0; j < 4; ++j) {
            const std::int64_t left = 4 * n - j * problem_.width;
            if (left > 0)
              store(to + 4 * i + j * problem_.width, four[j],
                    static_cast<int>(least(left, problem_.width)));
          }
        });
      }
  }

  // Gradient with respect to the biases of some filters.
  void add_biases(Range images, Range rows, Range filters) const {
    const std::int64_t windows = rows.size() * problem_.columns;
    for_each_vector<T>(filters.begin, filters.end, [&](std::int64_t k, int m) {
      vec<T> sum = load(db_ + k, m);
      for (std::int64_t n = images.begin; n < images.end; ++n) {
        const std::int64_t at =
            (n * problem_.rows + rows.begin) * problem_.columns * problem_.filters + k;
        const T* dy = static_cast<const T*>(args_.dy) + at;
        const std::uint8_t* argmax = static_cast<const std::uint8_t*>(args_.argmax) + at;
        for (std::int64_t i = 0; i < windows; ++i)
          sum = sum + of_maxima<T>(dy + i * problem_.filters, argmax + i * problem_.filters, m);
      }
      store(db_ + k, sum, m);
    });
  }

  void add_picked(Range images, Range rows) const {
    if constexpr (vec<T>::width >= picking_lanes) {
      constexpr int width = vec<T>::width;
      const std::int64_t row = problem_.row;
      for (std::int64_t n = images.begin; n < images.end; ++n)
        for_each_piece(filters_.size(), 2 * width, [&](Range some) {
          const std::int64_t k = filters_.begin + some.begin;
          const std::int64_t at =
              (n * problem_.rows + rows.begin) * problem_.columns * problem_.filters + k;
          Windows<T> windows{static_cast<const T*>(args_.dy) + at,
                             static_cast<const std::uint8_t*>(args_.argmax) + at,
                             rows.size(),
                             problem_.columns,
                             problem_.filters,
                             nullptr,
                             row,
                             problem_.channels,
                             nullptr};
          const bool two = some.size() > width;
          const int last = static_cast<int>(some.size() - (two ? width : 0));
          for (std::int64_t i = 0; i < problem_.taps; ++i)
            for_each_piece(problem_.run, most_picked, [&](Range terms) {
              using Counts = typename Count<most_picked>::type;
              windows.fours =
                  x_ +
                  4 * (((n - images.begin) * problem_.seen(rows.size()) + i) * row + terms.begin);
              const PickTile<T> tile = two ? pick_tile_of<T, 2>(terms.size(), Counts{})
                                           : pick_tile_of<T, 1>(terms.size(), Counts{});
              windows.db = i == 0 && terms.begin == 0 ? db_ + k : nullptr;
              tile(windows, dw_ + (i * problem_.run + terms.begin) * problem_.filters + k,
                   problem_.filters, last);
            });
        });
    }
  }

  void add_nonzeros(Range filters) const {
    const std::int64_t run = problem_.run, weights = problem_.weights();
    problem_.each_part([&](const Part& part) {
      const std::int64_t first = part.first * problem_.width;
      for (std::int64_t k = 0; k < filters.size(); ++k)
        tiles<T>.collect[part.rows - 1][part.vectors - 1](
            lists_.of(k), x_ + part.row * problem_.row + first, problem_.row,
            dw_ + (filters.begin + k) * weights + part.row * run + first, run, problem_.last(part));
    });
  }

  // One nonzero element: its contribution to a filter, tap by tap; windows count from `first`.
  void add_alone(std::int64_t first, std::int64_t window, int position, std::int64_t filter,
                 T value) const {
    const ConvAxis &rows = args_.shape.rows, &columns = args_.shape.columns;
    const std::int64_t channels = problem_.channels, row = window / problem_.columns;
    const std::int64_t image = first + row / problem_.rows;
    const std::int64_t r = 2 * (row % problem_.rows) + position / 2;
    const std::int64_t c = 2 * (window % problem_.columns) + position % 2;
    for (std::int64_t i = 0; i < rows.taps; ++i)
      for (std::int64_t j = 0; j < columns.taps; ++j) {
        const std::int64_t y = r + i - rows.padding, x = c + j - columns.padding;
        if (y < 0 || y >= rows.size || x < 0 || x >= columns.size) continue;
        const T* from = static_cast<const T*>(args_.x) +
                        ((image * rows.size + y) * columns.size + x) * channels;
        T* to = dw_ + filter * problem_.weights() + i * problem_.run + j * channels;
        for (std::int64_t k = 0; k < channels; ++k) to[k] += from[k] * value;
      }
  }

  const ConvWeightsArgs& args_;
  const PooledWindows<T> problem_;
  Range filters_;
  T* dw_;
  T* db_;
  std::int64_t images_, pieces_; // images of a chunk, or pieces of one
  alignas(64) T x_[PooledWindows<T>::room];
  NonzeroLists<T> lists_;
};

// A slice counts filters, part by part.
template <class T>
void conv_pooled_backward_weights(const ConvWeightsArgs& args, Slice slice) noexcept {
  const std::int64_t filters = args.shape.filters;
  for (std::int64_t part = slice.begin / filters; part * filters < slice.end; ++part) {
    const Range part_filters{most(0, slice.begin - part * filters),
                             least(filters, slice.end - part * filters)};
    const PartGradients<T> sums(args, part);
    WeightGradient<T> gradient(args, part_filters, sums.dw, sums.db);
    gradient.begin();
    const std::int64_t chunks = gradient.chunks();
    for (std::int64_t i = chunks * part / args.parts; i < chunks * (part + 1) / args.parts; ++i)
      gradient.add(i);
  }
}

// The sum of the parts, (filter, tap, channel), transposed to (tap, channel, filter). A slice
// counts (tap, channel).
template <class T> void transpose_parts(const TransposePartsArgs& args, Slice slice) noexcept {
  constexpr int width = vec<T>::width;
  const T* x = static_cast<const T*>(args.x);
  const std::int64_t filters = args.filters, stride = (args.weights + 1) * filters;
  for_each_vector<T>(slice.begin, slice.end, [&](std::int64_t i, int n) {
    for_each_vector<T>(0, filters, [&](std::int64_t k, int m) {
      vec<T> square[width];
      for (int j = 0; j < width; ++j) square[j] = zero<T>();
      const T* from = x + k * args.weights + i;
      for (std::int64_t p = 0; p < args.parts; ++p, from += stride)
        if (m == width)
#pragma GCC unroll 16
          for (int j = 0; j < width; ++j) square[j] = square[j] + load(from + j * args.weights, n);
        else
          for (int j = 0; j < m; ++j) square[j] = square[j] + load(from + j * args.weights, n);
      transpose_square(square);
      for (int j = 0; j < n; ++j)
        store(static_cast<T*>(args.dw) + (i + j) * filters + k, square[j], m);
    });
  });
  if (slice.begin == 0)
    for_each_vector<T>(0, filters, [&](std::int64_t k, int n) {
      vec<T> sum = zero<T>();
      for (std::int64_t p = 0; p < args.parts; ++p)
        sum = sum + load(x + p * stride + args.weights * filters + k, n);
      store(static_cast<T*>(args.db) + k, sum, n);
    });
}

} // namespace

// Slices of rows of the window.
Entry conv_pooled_backward_pack_kernel() noexcept {
  return float32_entry<ConvPackArgs, conv_pooled_backward_pack<float>>;
}
// Slices of images.
Entry conv_pooled_backward_kernel() noexcept {
  return float32_entry<ConvArgs, conv_pooled_backward<float>>;
}
// Slices of parts x filters.
Entry conv_pooled_backward_weights_kernel() noexcept {
  return float32_entry<ConvWeightsArgs, conv_pooled_backward_weights<float>>;
}
// Slices of rows of dw: (tap, channel).
Entry transpose_parts_kernel() noexcept {
  return float32_entry<TransposePartsArgs, transpose_parts<float>>;
}

} // namespace gyaku::GYAKU_ISA_NAME

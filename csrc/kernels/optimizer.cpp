// Updates of the flat parameters by optimizers, and their step counter.
#include "kernels/args/optimizer.h"
#include "kernels/entry.h"
#include "kernels/range.h"
#include "simd/bfloat16.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

enum Clock { step, learning_rate, beta1_power, beta2_power };

double power(double base, double exponent) noexcept { // a whole exponent
  double product = 1;
  for (auto left = static_cast<std::int64_t>(exponent); left > 0; left >>= 1, base *= base)
    if (left & 1) product *= base;
  return product;
}

// beta1 of step t, which rises from half of it (Dozat 2016); it is constant without a warm-up.
double warmed(double beta1, double warmup, double t) noexcept {
  return warmup == 0 ? beta1 : beta1 * (1 - 0.5 * power(warmup, t));
}

// rates = [first step, rate, rate, ...]; beyond the end the last rate holds.
void optimizer_tick(const TickArgs& args, Slice) noexcept {
  double* clock = args.clock;
  const double position = clock[step] - args.rates[0];
  const double last = static_cast<double>(args.rate_count - 2);
  const double inside = position < last ? position : last;
  clock[step] += 1;
  if (last >= 0)
    clock[learning_rate] = args.rates[1 + (inside > 0 ? static_cast<std::int64_t>(inside) : 0)];
  clock[beta1_power] *= warmed(args.beta1, args.warmup, clock[step]);
  clock[beta2_power] *= args.beta2;
}

template <class T> struct Buffers {
  T *parameters, *first, *second, *third;
  const T* gradients;
  vec<T> weight_decay;
  mask<T> no_decay;

  GYAKU_INLINE explicit Buffers(const UpdateArgs& args)
      : parameters(static_cast<T*>(args.parameters)), first(static_cast<T*>(args.first)),
        second(static_cast<T*>(args.second)), third(static_cast<T*>(args.third)),
        gradients(static_cast<const T*>(args.gradients)),
        weight_decay(static_cast<T>(args.weight_decay)), no_decay(weight_decay == zero<T>()) {}
  // All cores have read the parameters, so that ownership for writing takes long: they are
  // prefetched `ahead` cache lines before the store.
  GYAKU_INLINE vec<T> parameter(std::int64_t i, int n) const {
    constexpr std::int64_t ahead = 32;
    __builtin_prefetch(parameters + i + ahead * 64 / static_cast<int>(sizeof(T)), 1);
    return load(parameters + i, n);
  }
  GYAKU_INLINE void decay(double given) {
    weight_decay = vec<T>(static_cast<T>(given));
    no_decay = weight_decay == zero<T>();
  }
  GYAKU_INLINE vec<T> gradient(vec<T> p, std::int64_t i, int n) const {
    const vec<T> g = load(gradients + i, n);
    return select(no_decay, g, fma(weight_decay, p, g)); // zero times infinity is NaN
  }
};

// An update of the flat parameters: what it keeps between steps, in the order of UpdateArgs, and
// the work of an element. The build lists them in updates.inc, from the lines that begin with
// `template <> struct Rule`.
template <int states, int flops, int weight> struct Work {};
template <Update> struct Rule;

// p -= lr g
template <> struct Rule<Update::sgd> : Work<0, 2, 4> {
  template <class T> static void run(const UpdateArgs& args, Slice slice) noexcept {
    const Buffers<T> at(args);
    const vec<T> rate(static_cast<T>(-args.clock[learning_rate]));
    for_each_vector<T>(slice.begin * args.unit, slice.end * args.unit, [=](std::int64_t i, int n) {
      const vec<T> p = at.parameter(i, n);
      store(at.parameters + i, fma(rate, at.gradient(p, i, n), p), n);
    });
  }
};

// v = momentum v - lr g; p += v, or p += momentum v - lr g (Nesterov). As a variant, the rate is
// outside the velocity, and beta2 is the dampening: v = momentum v + (1 - dampening) g, which is g
// in the first step; p -= lr v, or p -= lr (momentum v + g).
template <> struct Rule<Update::momentum> : Work<1, 4, 8> {
  template <class T> static void run(const UpdateArgs& args, Slice slice) noexcept {
    if (args.nesterov)
      run<true, T>(args, slice);
    else
      run<false, T>(args, slice);
  }
  template <bool nesterov, class T>
  GYAKU_INLINE static void run(const UpdateArgs& args, Slice slice) {
    const Buffers<T> at(args);
    const double rate = -args.clock[learning_rate];
    const double undamped = args.clock[step] == 1 ? 1 : 1 - args.beta2;
    const vec<T> of_gradient(static_cast<T>(args.variant ? undamped : rate));
    const vec<T> of_velocity(static_cast<T>(args.variant ? rate : 1));
    const vec<T> momentum(static_cast<T>(args.beta1));
    for_each_vector<T>(slice.begin * args.unit, slice.end * args.unit, [=](std::int64_t i, int n) {
      const vec<T> p = at.parameter(i, n);
      const vec<T> change = of_gradient * at.gradient(p, i, n);
      const vec<T> v = fma(momentum, load(at.first + i, n), change);
      store(at.first + i, v, n);
      store(at.parameters + i, fma(of_velocity, nesterov ? fma(momentum, v, change) : v, p), n);
    });
  }
};

// Numbers in which the updates of Adam's family differ:
// p = kept p + rate (of_mean m + of_gradient g) / (sqrt(v) correction + epsilon)
struct Moments {
  double rate, of_mean, of_gradient, correction, epsilon, kept, decay;
};

// Kingma & Ba 2015, algorithm 1, with the bias corrections outside the loop:
// p -= (lr / (1 - beta1^t)) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
// Decoupled (Loshchilov & Hutter 2019): the decay is not part of g, and p is first scaled by
// 1 - lr decay.
Moments moments(const UpdateArgs& args) noexcept {
  const bool decoupled = args.rule == Update::adamw || args.variant;
  return {.rate = -args.clock[learning_rate] / (1 - args.clock[beta1_power]),
          .of_mean = 1,
          .of_gradient = 0,
          .correction = 1 / __builtin_sqrt(1 - args.clock[beta2_power]),
          .epsilon = args.epsilon,
          .kept = decoupled ? 1 - args.clock[learning_rate] * args.weight_decay : 1,
          .decay = decoupled ? 0 : args.weight_decay};
}

// Dozat 2016, with beta1 of step t and the product of all so far for its power; extra is the
// warm-up: of m, beta1(t + 1) / (1 - product(t + 1)), of g, (1 - beta1(t)) / (1 - product(t)).
Moments nesterov_moments(const UpdateArgs& args) noexcept {
  const double t = args.clock[step], product = args.clock[beta1_power];
  const double next = warmed(args.beta1, args.extra, t + 1);
  Moments numbers = moments(args);
  numbers.rate = -args.clock[learning_rate];
  numbers.of_mean = next / (1 - product * next);
  numbers.of_gradient = (1 - warmed(args.beta1, args.extra, t)) / (1 - product);
  return numbers;
}

// Liu and others 2020, algorithm 2: without the root while its variance is intractable, and with
// the epsilon of PyTorch, outside the correction.
Moments rectified_moments(const UpdateArgs& args) noexcept {
  const double most = 2 / (1 - args.beta2) - 1, kept = args.clock[beta2_power];
  const double length = most - 2 * args.clock[step] * kept / (1 - kept);
  Moments numbers = moments(args);
  if (length > 5) {
    numbers.rate *=
        __builtin_sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length));
    numbers.epsilon *= numbers.correction;
  } else {
    numbers.correction = 0;
    numbers.epsilon = 1;
  }
  return numbers;
}

// The two means in memory: as they are, or in bfloat16. Most steps change a mean by less than half
// the distance to the next bfloat16, and would be lost if they were rounded to nearest; so they are
// rounded up with the probability of what is cut off, by bits that depend on step and element.
template <class T, bool coarse> struct Means {
  T *first, *second;
  GYAKU_INLINE explicit Means(const UpdateArgs& args)
      : first(static_cast<T*>(args.first)), second(static_cast<T*>(args.second)) {}
  GYAKU_INLINE vec<T> mean(std::int64_t i, int n) const { return load(first + i, n); }
  GYAKU_INLINE vec<T> square(std::int64_t i, int n) const { return load(second + i, n); }
  GYAKU_INLINE void keep(std::int64_t i, vec<T> m, vec<T> v, int n) const {
    store(first + i, m, n);
    store(second + i, v, n);
  }
};
template <> struct Means<float, true> {
  std::uint16_t *first, *second;
  std::uint32_t begin, key;
  GYAKU_INLINE explicit Means(const UpdateArgs& args)
      : first(static_cast<std::uint16_t*>(args.first)),
        second(static_cast<std::uint16_t*>(args.second)),
        begin(static_cast<std::uint32_t>(args.begin)),
        key(hashed(static_cast<std::uint32_t>(static_cast<std::uint64_t>(args.clock[step])))) {}
  GYAKU_INLINE vec<float> mean(std::int64_t i, int n) const { return load_bfloat16(first + i, n); }
  GYAKU_INLINE vec<float> square(std::int64_t i, int n) const {
    return load_bfloat16(second + i, n);
  }
  GYAKU_INLINE void keep(std::int64_t i, vec<float> m, vec<float> v, int n) const {
    const vec<std::uint32_t> element =
        iota<std::uint32_t>() + vec<std::uint32_t>(begin + static_cast<std::uint32_t>(i));
    const vec<std::uint32_t> drawn = hashed(element ^ vec<std::uint32_t>(key));
    store_bfloat16(first + i, m, drawn & vec<std::uint32_t>(0xffff), n);
    store_bfloat16(second + i, v, drawn >> 16, n);
  }
};

// Which of these numbers differ from 1 and 0: those of Adam; `kept` too; all; or `kept`, with the
// largest v so far in place of v (Reddi, Kale & Kumar 2018).
enum class Form { coupled, decoupled, general, maximal };

template <Form form, class T, bool coarse = false>
void adaptive_moments(const UpdateArgs& args, Slice slice, const Moments& numbers) noexcept {
  Buffers<T> at(args);
  const Means<T, coarse> means(args);
  at.decay(numbers.decay);
  const vec<T> beta1(static_cast<T>(args.beta1)), rest1(static_cast<T>(1 - args.beta1));
  const vec<T> beta2(static_cast<T>(args.beta2)), rest2(static_cast<T>(1 - args.beta2));
  const vec<T> rate(static_cast<T>(numbers.rate));
  const vec<T> of_mean(static_cast<T>(numbers.of_mean));
  const vec<T> of_gradient(static_cast<T>(numbers.of_gradient));
  const vec<T> correction(static_cast<T>(numbers.correction));
  const vec<T> epsilon(static_cast<T>(numbers.epsilon));
  const vec<T> kept(static_cast<T>(numbers.kept));
  for_each_vector<T>(slice.begin * args.unit, slice.end * args.unit, [=](std::int64_t i, int n) {
    const vec<T> p = at.parameter(i, n);
    const vec<T> g = form == Form::decoupled ? load(at.gradients + i, n) : at.gradient(p, i, n);
    const vec<T> m = fma(beta1, means.mean(i, n), rest1 * g);
    vec<T> v = fma(beta2, means.square(i, n), rest2 * g * g);
    means.keep(i, m, v, n);
    if constexpr (form == Form::maximal) {
      v = max(load(at.third + i, n), v);
      store(at.third + i, v, n);
    }
    const vec<T> mean = form == Form::general ? fma(of_gradient, g, of_mean * m) : m;
    store(at.parameters + i,
          fma(rate, mean / fma(sqrt(v), correction, epsilon), form == Form::coupled ? p : kept * p),
          n);
  });
}
template <Form form, class T> void adam(const UpdateArgs& args, Slice slice) noexcept {
  if constexpr (sizeof(T) == sizeof(float))
    if (args.is_coarse) return adaptive_moments<form, T, true>(args, slice, moments(args));
  adaptive_moments<form, T>(args, slice, moments(args));
}
template <> struct Rule<Update::adam> : Work<2, 14, 14> {
  template <class T> static void run(const UpdateArgs& args, Slice slice) noexcept {
    adam<Form::coupled, T>(args, slice);
  }
};
template <> struct Rule<Update::adamw> : Work<2, 14, 14> {
  template <class T> static void run(const UpdateArgs& args, Slice slice) noexcept {
    adam<Form::decoupled, T>(args, slice);
  }
};
// The variants of these three have decoupled weight decay.
template <> struct Rule<Update::amsgrad> : Work<3, 15, 15> {
  template <class T> static void run(const UpdateArgs& args, Slice slice) noexcept {
    adaptive_moments<Form::maximal, T>(args, slice, moments(args));
  }
};
template <> struct Rule<Update::nadam> : Work<2, 17, 16> {
  template <class T> static void run(const UpdateArgs& args, Slice slice) noexcept {
    adaptive_moments<Form::general, T>(args, slice, nesterov_moments(args));
  }
};
template <> struct Rule<Update::radam> : Work<2, 14, 14> {
  template <class T> static void run(const UpdateArgs& args, Slice slice) noexcept {
    adaptive_moments<Form::general, T>(args, slice, rectified_moments(args));
  }
};

// Kingma & Ba 2015, algorithm 2: u = max(beta2 u, |g| + epsilon); p -= lr / (1 - beta1^t) m / u
template <> struct Rule<Update::adamax> : Work<2, 10, 10> {
  template <class T> static void run(const UpdateArgs& args, Slice slice) noexcept {
    const Buffers<T> at(args);
    const vec<T> beta1(static_cast<T>(args.beta1)), rest1(static_cast<T>(1 - args.beta1));
    const vec<T> beta2(static_cast<T>(args.beta2)), epsilon(static_cast<T>(args.epsilon));
    const vec<T> rate(static_cast<T>(-args.clock[learning_rate] / (1 - args.clock[beta1_power])));
    for_each_vector<T>(slice.begin * args.unit, slice.end * args.unit, [=](std::int64_t i, int n) {
      const vec<T> p = at.parameter(i, n), g = at.gradient(p, i, n);
      const vec<T> m = fma(beta1, load(at.first + i, n), rest1 * g);
      const vec<T> u = max(beta2 * load(at.second + i, n), abs(g) + epsilon);
      store(at.first + i, m, n);
      store(at.second + i, u, n);
      store(at.parameters + i, fma(rate, m / u, p), n);
    });
  }
};

// Riedmiller & Braun 1993, without weight backtracking: a step of its own for each parameter, times
// beta2 while its gradient keeps its sign, times beta1 where that changes, between epsilon and
// extra.
template <> struct Rule<Update::rprop> : Work<2, 8, 8> {
  template <class T> static void run(const UpdateArgs& args, Slice slice) noexcept {
    const Buffers<T> at(args);
    const vec<T> one(1), shrink(static_cast<T>(args.beta1)), grow(static_cast<T>(args.beta2));
    const vec<T> least(static_cast<T>(args.epsilon)), most(static_cast<T>(args.extra));
    const vec<T> rate(static_cast<T>(args.clock[learning_rate]));
    const vec<T> first(static_cast<T>(args.clock[step] == 1 ? 1 : 0));
    for_each_vector<T>(slice.begin * args.unit, slice.end * args.unit, [=](std::int64_t i, int n) {
      const vec<T> p = at.parameter(i, n), g = at.gradient(p, i, n);
      const vec<T> product = g * load(at.first + i, n);
      const mask<T> turned = product < zero<T>();
      const vec<T> otherwise = select(product == zero<T>(), one, select(turned, shrink, product));
      const vec<T> factor = select(product > zero<T>(), grow, otherwise); // NaN remains
      const vec<T> before = select(first == one, rate, load(at.second + i, n));
      const vec<T> size = max(least, min(most, before * factor));
      const vec<T> kept = select(turned, zero<T>(), g);
      const vec<T> sign = select(kept > zero<T>(), one, select(kept < zero<T>(), -one, kept));
      store(at.first + i, kept, n);
      store(at.second + i, size, n);
      store(at.parameters + i, p - sign * size, n);
    });
  }
};

// Duchi, Hazan & Singer 2011: h += g^2; p -= lr g / (sqrt(h) + epsilon)
template <> struct Rule<Update::adagrad> : Work<1, 7, 10> {
  template <class T> static void run(const UpdateArgs& args, Slice slice) noexcept {
    const Buffers<T> at(args);
    const vec<T> rate(static_cast<T>(-args.clock[learning_rate]));
    const vec<T> epsilon(static_cast<T>(args.epsilon));
    for_each_vector<T>(slice.begin * args.unit, slice.end * args.unit, [=](std::int64_t i, int n) {
      const vec<T> p = at.parameter(i, n), g = at.gradient(p, i, n);
      const vec<T> h = fma(g, g, load(at.first + i, n));
      store(at.first + i, h, n);
      store(at.parameters + i, fma(rate, g / (sqrt(h) + epsilon), p), n);
    });
  }
};

// Tieleman & Hinton 2012: h = rho h + (1 - rho) g^2; p -= lr g / (sqrt(h) + epsilon)
template <> struct Rule<Update::rmsprop> : Work<1, 9, 10> {
  template <class T> static void run(const UpdateArgs& args, Slice slice) noexcept {
    const Buffers<T> at(args);
    const vec<T> rate(static_cast<T>(-args.clock[learning_rate]));
    const vec<T> rho(static_cast<T>(args.beta1)), rest(static_cast<T>(1 - args.beta1));
    const vec<T> epsilon(static_cast<T>(args.epsilon));
    for_each_vector<T>(slice.begin * args.unit, slice.end * args.unit, [=](std::int64_t i, int n) {
      const vec<T> p = at.parameter(i, n), g = at.gradient(p, i, n);
      const vec<T> h = fma(rho, load(at.first + i, n), rest * g * g);
      store(at.first + i, h, n);
      store(at.parameters + i, fma(rate, g / (sqrt(h) + epsilon), p), n);
    });
  }
};

// Graves 2013, equations 38 to 41, with the decay rho of all means: h as in rmsprop;
// mean = rho mean + (1 - rho) g; s = sqrt(h - mean^2), or sqrt(h); v = momentum v + g / (s +
// epsilon); p -= lr v. The variant is the centred one, and extra the momentum.
template <> struct Rule<Update::rmsprop_momentum> : Work<3, 14, 14> {
  template <class T> static void run(const UpdateArgs& args, Slice slice) noexcept {
    const Buffers<T> at(args);
    const vec<T> rate(static_cast<T>(-args.clock[learning_rate]));
    const vec<T> rho(static_cast<T>(args.beta1)), rest(static_cast<T>(1 - args.beta1));
    const vec<T> epsilon(static_cast<T>(args.epsilon)), momentum(static_cast<T>(args.extra));
    const vec<T> centred(static_cast<T>(args.variant ? -1 : 0));
    for_each_vector<T>(slice.begin * args.unit, slice.end * args.unit, [=](std::int64_t i, int n) {
      const vec<T> p = at.parameter(i, n), g = at.gradient(p, i, n);
      const vec<T> h = fma(rho, load(at.first + i, n), rest * g * g);
      const vec<T> mean = fma(rho, load(at.second + i, n), rest * g);
      const vec<T> variance = max(zero<T>(), fma(centred * mean, mean, h));
      const vec<T> v = fma(momentum, load(at.third + i, n), g / (sqrt(variance) + epsilon));
      store(at.first + i, h, n);
      store(at.second + i, mean, n);
      store(at.third + i, v, n);
      store(at.parameters + i, fma(rate, v, p), n);
    });
  }
};

// Zeiler 2012: h = rho h + (1 - rho) g^2; d = sqrt(e + epsilon) / sqrt(h + epsilon) g;
// e = rho e + (1 - rho) d^2; p -= lr d
template <> struct Rule<Update::adadelta> : Work<2, 15, 20> {
  template <class T> static void run(const UpdateArgs& args, Slice slice) noexcept {
    const Buffers<T> at(args);
    const vec<T> rate(static_cast<T>(-args.clock[learning_rate]));
    const vec<T> rho(static_cast<T>(args.beta1)), rest(static_cast<T>(1 - args.beta1));
    const vec<T> epsilon(static_cast<T>(args.epsilon));
    for_each_vector<T>(slice.begin * args.unit, slice.end * args.unit, [=](std::int64_t i, int n) {
      const vec<T> p = at.parameter(i, n), g = at.gradient(p, i, n), e = load(at.second + i, n);
      const vec<T> h = fma(rho, load(at.first + i, n), rest * g * g);
      const vec<T> d = sqrt(e + epsilon) / sqrt(h + epsilon) * g;
      store(at.first + i, h, n);
      store(at.second + i, fma(rho, e, rest * d * d), n);
      store(at.parameters + i, fma(rate, d, p), n);
    });
  }
};

template <class T> void update(const UpdateArgs& args, Slice slice) noexcept {
  switch (args.rule) {
#define GYAKU_UPDATE(name, states, flops, weight)                                                  \
  case Update::name:                                                                               \
    return Rule<Update::name>::template run<T>(args, slice);
#include "updates.inc"
  }
}

template <class T> constexpr T one = 1;

template <class T>
GYAKU_INLINE void outer_row(const T* a, const T* b, std::int64_t i, std::int64_t columns, T* to) {
  const vec<T> x = broadcast(a[i]);
  for_each_vector<T>(0, columns, [=](std::int64_t j, int n) {
    store(to + j, fma(x, load(b + j, n), zero<T>()), n);
  });
}

template <class T> bool is_finite(const T* x, std::int64_t size) noexcept {
  vec<T> sum = zero<T>();
  for_each_vector<T>(0, size,
                     [&](std::int64_t i, int n) { sum = fma(load(x + i, n), zero<T>(), sum); });
  return reduce_add(sum) == 0;
}

// Gradient descent, where zeros of the sample leave their rows as they are.
template <class T> void descend_outer(const OuterUpdateArgs& args, Slice rows) noexcept {
  const T *const a = static_cast<const T*>(args.a), *const b = static_cast<const T*>(args.b);
  const std::int64_t columns = args.update.unit;
  const vec<T> rate(static_cast<T>(-args.update.clock[learning_rate]));
  T* row = static_cast<T*>(args.update.parameters) + rows.begin * columns;
  for (std::int64_t i = rows.begin; i < rows.end; ++i, row += columns) {
    if (a[i] == 0) continue;
    const vec<T> x = broadcast(a[i]);
    for_each_vector<T>(0, columns, [=](std::int64_t j, int n) {
      store(row + j, fma(rate, fma(x, load(b + j, n), zero<T>()), load(row + j, n)), n);
    });
  }
}

// The rows of the gradient are formed a few at a time, and stay in the first-level cache.
template <class T> void update_outer(const OuterUpdateArgs& args, Slice rows) noexcept {
  const T *const a = static_cast<const T*>(args.a), *const b = static_cast<const T*>(args.b);
  const std::int64_t columns = args.update.unit;
  if (rows.begin == 0 && args.column_sums != nullptr)
    outer_row(&one<T>, b, 0, columns, static_cast<T*>(args.column_sums));
  const bool is_plain = args.update.rule == Update::sgd && args.update.weight_decay == 0;
  if (is_plain && !*args.keeps && args.update.clock[learning_rate] < 1e30 && is_finite(b, columns))
    return descend_outer<T>(args, rows);
  T near[most_outer_columns];
  const std::int64_t most = most_outer_columns / columns;
  for (std::int64_t i = rows.begin, end; i < rows.end; i = end) {
    end = least(i + most, rows.end);
    const auto moved = [&](const void* from, std::int64_t bytes) -> void* {
      return from == nullptr ? nullptr
                             : static_cast<char*>(const_cast<void*>(from)) + i * columns * bytes;
    };
    constexpr std::int64_t item = sizeof(T);
    const std::int64_t of_state = args.update.state_bytes(item);
    T* const gradient = *args.keeps ? static_cast<T*>(moved(args.update.gradients, item)) : near;
    for (std::int64_t r = i; r < end; ++r)
      outer_row(a, b, r, columns, gradient + (r - i) * columns);
    UpdateArgs part = args.update;
    part.parameters = moved(part.parameters, item);
    part.gradients = gradient;
    part.first = moved(part.first, of_state);
    part.second = moved(part.second, of_state);
    part.third = moved(part.third, of_state);
    part.begin += i * columns;
    update<T>(part, {0, end - i});
  }
}

} // namespace

// One slice.
Entry optimizer_tick_kernel() noexcept { return entry<TickArgs, optimizer_tick, optimizer_tick>; }
// Slices of elements, in units of UpdateArgs::unit.
Entry update_kernel() noexcept { return entry<UpdateArgs, update<float>, update<double>>; }
// Slices of rows.
Entry update_outer_kernel() noexcept {
  return entry<OuterUpdateArgs, update_outer<float>, update_outer<double>>;
}

} // namespace gyaku::GYAKU_ISA_NAME

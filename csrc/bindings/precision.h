// The precision of the operands of products, and of the sums of gradients for biases.
#pragma once

#include <cstdint>

namespace gyaku::bindings {

enum class Precision : std::uint8_t { float32, bfloat16 };

// That of this thread: products of layers are in the precision of the call that runs their passes.
Precision precision();

// Lives while this thread has another one.
class WithPrecision {
public:
  explicit WithPrecision(Precision precision);
  ~WithPrecision();
  WithPrecision(const WithPrecision&) = delete;
  WithPrecision& operator=(const WithPrecision&) = delete;

private:
  Precision before_;
};

} // namespace gyaku::bindings

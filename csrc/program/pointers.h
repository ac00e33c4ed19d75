// The number of leading pointers of an argument struct.
#pragma once

#include <cstddef>
#include <type_traits>

namespace gyaku {

namespace initialisers {

template <class T>
concept IsNumber = std::is_arithmetic_v<T> || std::is_enum_v<T>;

// An initialiser of any pointer, and of any other member.
struct Pointer {
  template <class T> operator T*() const;
};
struct Number {
  template <IsNumber T> operator T() const;
};

// Whether no pointer follows the first members. Nested members count one by one.
template <class Args, class... Given> consteval bool end_in_numbers() {
  if constexpr (requires { Args{Given{}..., Number{}}; })
    return end_in_numbers<Args, Given..., Number>();
  else
    return !requires { Args{Given{}..., Pointer{}}; };
}

template <class Args, class... Given> consteval std::size_t leading_pointers() {
  if constexpr (requires { Args{Given{}..., Pointer{}}; }) {
    return leading_pointers<Args, Given..., Pointer>();
  } else {
    static_assert(end_in_numbers<Args, Given...>(), "an argument struct begins with its pointers");
    return sizeof...(Given);
  }
}

struct LatePointer {
  const void* first;
  struct {
    int size;
    void* second;
  } inner;
};
static_assert(!end_in_numbers<LatePointer, Pointer>());

} // namespace initialisers

// The addresses among the words of an argument struct: the first ones. A struct with a pointer
// behind another member does not compile.
template <class Args>
constexpr std::size_t leading_pointers = initialisers::leading_pointers<Args>();

} // namespace gyaku

// Memory that several processes of a machine have in common.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace gyaku {

// Blocks of memory that are, at their addresses, parts of a file which other processes have opened.
class SharedPages {
public:
  explicit SharedPages(int file); // throws std::system_error
  // Every block gets pages of its own again, with the same contents.
  ~SharedPages();
  SharedPages(const SharedPages&) = delete;
  SharedPages& operator=(const SharedPages&) = delete;

  // From now on a block of whole pages is the file from `offset` on, which takes the contents of
  // the block if this `keeps` them. Throws std::system_error.
  void place(std::span<std::byte> block, std::size_t offset, bool keeps);

private:
  int file_;
  std::vector<std::span<std::byte>> blocks_;
};

} // namespace gyaku

// What is wrong with an instruction, before its place in the file is known.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace stagewright::dockerfile {

struct Mistake {
  std::string message;
  std::string token;  ///< the word to point at, empty for the keyword
  std::string hint;
};

template <class T>
using Parsed = tl::expected<T, Mistake>;

inline tl::unexpected<Mistake> mistake(std::string message, std::string token = {},
                                       std::string hint = {}) {
  return tl::unexpected<Mistake>(Mistake{std::move(message), std::move(token), std::move(hint)});
}

}  // namespace stagewright::dockerfile

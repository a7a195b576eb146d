#include "common/auth/random.h"

#include <cstdlib>

#include <openssl/rand.h>

namespace koi::auth {

void random_bytes(std::span<std::byte> out) {
  const auto size = static_cast<int>(out.size());
  if (RAND_priv_bytes(reinterpret_cast<unsigned char*>(out.data()), size) != 1) std::abort();
}

}  // namespace koi::auth

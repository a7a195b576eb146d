#include "tools/ctl/keygen.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

#include "common/auth/random.h"
#include "config/key_file.h"

namespace koi::ctl {
namespace {

constexpr std::string_view kBase62 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view kHex = "0123456789abcdef";

std::uint8_t random_byte() {
  std::byte byte{};
  auth::random_bytes({&byte, 1});
  return std::to_integer<std::uint8_t>(byte);
}

std::string carp_key() {
  constexpr std::uint8_t kFair = 256 / 62 * 62;  // above, the first characters would be likelier
  std::string key;
  key.reserve(config::kMaxPassphrase + 1);
  while (key.size() < config::kMaxPassphrase) {
    const std::uint8_t byte = random_byte();
    if (byte < kFair) key += kBase62[byte % kBase62.size()];
  }
  return key;
}

std::string trailer_key() {
  std::string key;
  key.reserve(4 + 2 * config::kMinTrailerKey + 1);
  key = "hex:";
  for (std::size_t i = 0; i < config::kMinTrailerKey; ++i) {
    const std::uint8_t byte = random_byte();
    key += kHex[byte >> 4];
    key += kHex[byte & 15];
  }
  return key;
}

Printed failed(const std::string& file, const char* what) {
  const std::string why = std::generic_category().message(errno);
  return {ExitCode::usage, {}, fmt::format("koictl: {} cannot be {}: {}\n", file, what, why)};
}

}  // namespace

Printed keygen(const std::string& kind, const std::string& file) {
  std::string key = kind == "trailer" ? trailer_key() : carp_key();
  key += '\n';
  if (file.empty()) return {ExitCode::done, std::move(key), {}};
  // O_EXCL: a key that is in use is not overwritten, and no link is followed.
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return failed(file, "made");
  const bool written =
      ::write(fd, key.data(), key.size()) == static_cast<ssize_t>(key.size()) && ::fsync(fd) == 0;
  explicit_bzero(key.data(), key.size());
  Printed result = written ? Printed{} : failed(file, "written");
  ::close(fd);
  return result;
}

}  // namespace koi::ctl

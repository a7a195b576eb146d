#include "config/key_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <span>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

namespace koi::config {
namespace {

/// The lengths that a use allows, and how messages say so.
struct Form {
  std::size_t min_text;
  std::size_t max_text;
  std::size_t min_hex;  // bytes
  std::size_t max_hex;
  std::string_view too_long;
  std::string_view bad_hex;
  std::string_view allowed;
};
constexpr Form kCarpForm = {
    1,
    kMaxPassphrase,
    kHexKeyBytes,
    kHexKeyBytes,
    "holds more than 19 bytes, which the BSDs would cut",
    "begins with hex: but not with 40 hex digits after it; allowed: exactly 40",
    "allowed: 1 to 19 bytes, one newline at the end ignored, or hex: and 40 hex digits"};
constexpr Form kSiphashForm = {
    1,
    kMaxHashKey,
    1,
    kMaxHashKey,
    "holds more than 64 bytes",
    "begins with hex: but not with 2 to 128 hex digits after it; allowed: two for each byte",
    "allowed: 1 to 64 bytes, one newline at the end ignored, or hex: and 2 to 128 hex digits"};
constexpr Form kTrailerForm = {
    kMinTrailerKey,
    kMaxTrailerKey,
    kMinTrailerKey,
    kMaxTrailerKey,
    "holds more than 64 bytes",
    "begins with hex: but not with 64 to 128 hex digits after it; allowed: two for each byte",
    "allowed: 32 to 64 bytes, or hex: and 64 to 128 hex digits"};
constexpr std::string_view kHexPrefix = "hex:";

/// What people type when they mean to change it later. Compared without regard to case.
constexpr std::array<std::string_view, 14> kGuessed = {
    "password", "passw0rd",  "password1", "secret12",  "secret123", "changeme", "changeit",
    "carpcarp", "koikoikoi", "mysecret",  "topsecret", "letmein1",  "12345678", "testtest"};

std::string system_text(int error) { return std::generic_category().message(error); }

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

/// The file's bytes, on the stack and wiped at the end. One byte more than any key has, so that a
/// file that is too long is seen as such.
struct Buffer {
  std::array<char, kHexPrefix.size() + 2 * kMaxHashKey + 2> bytes{};
  std::size_t used = 0;

  ~Buffer() { explicit_bzero(bytes.data(), bytes.size()); }
  std::string_view text() const { return {bytes.data(), used}; }
};

/// The key on its way into a Secret, likewise.
class KeyBytes {
 public:
  KeyBytes() = default;
  KeyBytes(const KeyBytes&) = delete;
  KeyBytes& operator=(const KeyBytes&) = delete;
  ~KeyBytes() { explicit_bzero(bytes_.data(), bytes_.size()); }
  void add(std::byte byte) { bytes_[used_++] = byte; }
  std::span<const std::byte> bytes() const { return std::span(bytes_).first(used_); }

 private:
  std::array<std::byte, kMaxHashKey> bytes_{};
  std::size_t used_ = 0;
};

const Form& form_of(KeyUse use) {
  switch (use) {
    case KeyUse::siphash:
      return kSiphashForm;
    case KeyUse::trailer:
      return kTrailerForm;
    case KeyUse::carp:
      break;
  }
  return kCarpForm;
}

std::optional<Error> check_file(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return Error{"cannot be examined: " + system_text(errno)};
  if (!S_ISREG(info.st_mode)) return Error{"is not a regular file; allowed: a regular file"};
  if (info.st_uid != 0 && info.st_uid != ::geteuid()) {
    return Error{
        fmt::format("belongs to user {}; allowed: root or the user koi runs as", info.st_uid)};
  }
  const auto mode = static_cast<unsigned>(info.st_mode) & 07777U;
  if ((mode & 077U) != 0) {
    return Error{
        fmt::format("has mode {:04o}, which lets group or others at the key; "
                    "allowed: 0600 or 0400",
                    mode)};
  }
  return std::nullopt;
}

std::optional<Error> fill(int fd, Buffer& buffer) {
  while (buffer.used < buffer.bytes.size()) {
    const ssize_t n =
        ::read(fd, buffer.bytes.data() + buffer.used, buffer.bytes.size() - buffer.used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error{"cannot be read: " + system_text(errno)};
    if (n == 0) break;
    buffer.used += static_cast<std::size_t>(n);
  }
  return std::nullopt;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<Secret> decode(std::string_view text, const Form& form) {
  // Of bytes that may be any a newline is taken away only where enough are left.
  if (text.ends_with('\n') && text.size() > form.min_text) text.remove_suffix(1);
  if (text.empty() || text == "\n") return Error{fmt::format("holds no key; {}", form.allowed)};

  KeyBytes key;
  if (text.starts_with(kHexPrefix)) {
    text.remove_prefix(kHexPrefix.size());
    const bool digits =
        std::all_of(text.begin(), text.end(), [](char c) { return hex_digit(c) >= 0; });
    if (text.size() < 2 * form.min_hex || text.size() > 2 * form.max_hex || text.size() % 2 != 0 ||
        !digits) {
      return Error{std::string(form.bad_hex)};
    }
    for (std::size_t i = 0; i < text.size(); i += 2) {
      key.add(static_cast<std::byte>(hex_digit(text[i]) * 16 + hex_digit(text[i + 1])));
    }
    return Secret(key.bytes());
  }
  if (text.size() > form.max_text) {
    return Error{fmt::format("{}; {}", form.too_long, form.allowed)};
  }
  if (text.size() < form.min_text) {
    return Error{
        fmt::format("holds {} bytes, which is too short a key; {}", text.size(), form.allowed)};
  }
  const bool binary = form.min_text > 1;
  if (!binary && text.find('\0') != std::string_view::npos) {
    return Error{fmt::format("has a NUL byte in its passphrase, where the BSDs would end it; {}",
                             form.allowed)};
  }
  for (const char c : text) key.add(static_cast<std::byte>(c));
  return Secret(key.bytes());
}

bool guessed(std::span<const std::byte> key) {
  return std::any_of(kGuessed.begin(), kGuessed.end(), [&](std::string_view word) {
    return std::equal(key.begin(), key.end(), word.begin(), word.end(), [](std::byte b, char c) {
      const auto byte = std::to_integer<int>(b);
      return (byte >= 'A' && byte <= 'Z' ? byte + 'a' - 'A' : byte) == c;
    });
  });
}

std::optional<Error> check_strength(std::span<const std::byte> key) {
  constexpr std::string_view kAdvice = "allowed: a better key, or allow-weak-key: true";
  if (key.size() < kWeakBelow) {
    return Error{fmt::format("holds a weak key: shorter than 8 bytes; {}", kAdvice)};
  }
  if (std::all_of(key.begin(), key.end(), [&](std::byte b) { return b == key.front(); })) {
    return Error{fmt::format("holds a weak key: one byte repeated; {}", kAdvice)};
  }
  if (guessed(key)) {
    return Error{fmt::format("holds a weak key: one that everybody tries first; {}", kAdvice)};
  }
  return std::nullopt;
}

}  // namespace

Result<Secret> read_key_file(const std::string& path, bool allow_weak_key, KeyUse use) {
  // O_NOFOLLOW: the name must be the file. O_NONBLOCK: a FIFO must not hold us up.
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (fd.get() < 0) {
    if (errno == ELOOP) return Error{"is a symbolic link; allowed: the file itself"};
    return Error{"cannot be opened: " + system_text(errno)};
  }
  if (auto error = check_file(fd.get())) return *error;

  Buffer buffer;
  if (auto error = fill(fd.get(), buffer)) return *error;
  Result<Secret> key = decode(buffer.text(), form_of(use));
  if (!key || allow_weak_key) return key;
  if (auto error = check_strength(key.value().bytes())) return *error;
  return key;
}

}  // namespace koi::config

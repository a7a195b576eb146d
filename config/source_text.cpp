#include "config/source_text.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

namespace koi::config {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

/// Returns the length of the UTF-8 sequence at the start of text, 0 if there is none (RFC 3629:
/// no overlong forms, no surrogates, nothing above U+10FFFF), and its code point.
std::size_t decode_utf8(std::string_view text, std::uint32_t& code_point) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  std::size_t length = 0;
  std::uint32_t smallest = 0;
  if (lead < 0x80) {
    code_point = lead;
    return 1;
  }
  if ((lead & 0xe0) == 0xc0) {
    length = 2, smallest = 0x80, code_point = lead & 0x1fU;
  } else if ((lead & 0xf0) == 0xe0) {
    length = 3, smallest = 0x800, code_point = lead & 0x0fU;
  } else if ((lead & 0xf8) == 0xf0) {
    length = 4, smallest = 0x10000, code_point = lead & 0x07U;
  } else {
    return 0;
  }
  if (text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
    code_point = (code_point << 6) | (at(i) & 0x3fU);
  }
  const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  return code_point < smallest || code_point > 0x10ffff || surrogate ? 0 : length;
}

bool is_control(std::uint32_t c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  // U+2028 and U+2029 are line ends to some and text to others.
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff;
}

void report_file(Report& report, const std::string& text) { report.error_at({}, "", text); }

std::string system_text() { return std::generic_category().message(errno); }

std::optional<std::string> read_open(int fd, Report& report) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) {
    report_file(report, "cannot be examined: " + system_text());
    return std::nullopt;
  }
  if (!S_ISREG(info.st_mode)) {
    report_file(report, "is not a regular file; allowed: a regular file");
    return std::nullopt;
  }
  std::string text;
  std::array<char, 16384> chunk;
  for (;;) {
    const ssize_t n = ::read(fd, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      report_file(report, "cannot be read: " + system_text());
      return std::nullopt;
    }
    if (n == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(n));
    if (text.size() > kMaxFileBytes) {
      report_file(report, fmt::format("is too large; allowed: at most {} bytes", kMaxFileBytes));
      return std::nullopt;
    }
  }
}

}  // namespace

bool check_source(const std::string& text, Report& report) {
  const std::string_view all(text);
  if (all.starts_with(kByteOrderMark)) {
    report.error_at({1, 1}, "", "byte order mark; allowed: UTF-8 without one");
    return false;
  }
  Mark mark{1, 1};
  for (std::size_t i = 0; i < all.size();) {
    std::uint32_t code_point = 0;
    const std::size_t length = decode_utf8(all.substr(i), code_point);
    if (length == 0) {
      const unsigned byte = static_cast<unsigned char>(all[i]);
      report.error_at(mark, "", fmt::format("byte 0x{:02x} is not UTF-8; allowed: UTF-8", byte));
      return false;
    }
    if (is_control(code_point)) {
      report.error_at(mark, "",
                      fmt::format("control character U+{:04X}; allowed: printable text, tab and "
                                  "line ends",
                                  code_point));
      return false;
    }
    i += length;
    if (code_point == '\n') {
      mark = {mark.line + 1, 1};
    } else {
      mark.column += static_cast<int>(length);
    }
  }
  return true;
}

std::optional<std::string> read_source(const std::string& path, Report& report) {
  // A link to the configuration is fine, a FIFO is not: O_NONBLOCK keeps it from holding us up.
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    report_file(report, "cannot be opened: " + system_text());
    return std::nullopt;
  }
  auto text = read_open(fd, report);
  ::close(fd);
  if (text && !check_source(*text, report)) return std::nullopt;
  return text;
}

}  // namespace koi::config

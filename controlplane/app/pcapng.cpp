#include "controlplane/app/pcapng.h"

#include <cstddef>
#include <cstring>

namespace koi::app::pcapng {
namespace {

template <class Number>
void put(std::string& file, Number number) {
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  file.append(bytes, sizeof number);
}

void pad(std::string& file, std::size_t size) { file.append((4 - size % 4) % 4, '\0'); }

/// The upper word first, whatever the byte order (§4.3).
void put_time(std::string& file, Time time) {
  const auto ns = static_cast<std::uint64_t>(time.count());
  put(file, static_cast<std::uint32_t>(ns >> 32));
  put(file, static_cast<std::uint32_t>(ns));
}

/// §3.5
void put_option(std::string& file, std::uint16_t code, std::string_view value) {
  put(file, code);
  put(file, static_cast<std::uint16_t>(value.size()));
  file += value;
  pad(file, value.size());
}

std::string text_of(std::uint64_t number) {
  std::string bytes;
  put(bytes, number);
  return bytes;
}

std::string text_of(Time time) {
  std::string bytes;
  put_time(bytes, time);
  return bytes;
}

/// §3.1: type, length, body, length again.
class Block {
 public:
  Block(std::string& file, std::uint32_t type) : file_(file), start_(file.size()) {
    put(file, type);
    put(file, std::uint32_t{0});
  }
  ~Block() {
    const auto length = static_cast<std::uint32_t>(file_.size() - start_ + 4);
    std::memcpy(file_.data() + start_ + 4, &length, sizeof length);
    put(file_, length);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

 private:
  std::string& file_;
  std::size_t start_;
};

constexpr std::uint16_t kEnd = 0;  // of options

}  // namespace

std::string beginning(std::string_view program, std::string_view interface,
                      std::string_view description, std::uint16_t snaplen) {
  std::string file;
  {  // §4.1, Section Header Block
    const Block block(file, 0x0a0d0d0a);
    put(file, std::uint32_t{0x1a2b3c4d});
    put(file, std::uint16_t{1});  // version 1.0
    put(file, std::uint16_t{0});
    put(file, std::int64_t{-1});  // its length is not known
    put_option(file, 4, program);
    put_option(file, kEnd, {});
  }
  {  // §4.2, Interface Description Block
    const Block block(file, 1);
    put(file, std::uint16_t{1});  // LINKTYPE_ETHERNET
    put(file, std::uint16_t{0});
    put(file, std::uint32_t{snaplen});
    put_option(file, 2, interface);
    put_option(file, 3, description);
    put_option(file, 9, "\x09");  // times are in 10^-9 s
    put_option(file, kEnd, {});
  }
  return file;
}

/// §4.3, Enhanced Packet Block
void append_frame(std::string& file, Time at, const CapturedFrame& frame) {
  const Block block(file, 6);
  put(file, std::uint32_t{0});  // the interface
  put_time(file, at);
  put(file, static_cast<std::uint32_t>(frame.bytes.size()));
  put(file, frame.length);
  file.append(reinterpret_cast<const char*>(frame.bytes.data()), frame.bytes.size());
  pad(file, frame.bytes.size());
  constexpr std::uint16_t kFlags = 2;
  put(file, kFlags);
  put(file, std::uint16_t{4});
  put(file, static_cast<std::uint32_t>(frame.direction));  // §4.3.1: 1 inbound, 2 outbound
  put_option(file, kEnd, {});
}

/// §4.6, Interface Statistics Block
void append_statistics(std::string& file, Time began, Time ended, std::uint64_t matched,
                       std::uint64_t missed) {
  const Block block(file, 5);
  put(file, std::uint32_t{0});  // the interface
  put_time(file, ended);
  put_option(file, 2, text_of(began));
  put_option(file, 3, text_of(ended));
  put_option(file, 4, text_of(matched));
  put_option(file, 5, text_of(missed));
  put_option(file, kEnd, {});
}

}  // namespace koi::app::pcapng

#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/contract/capture.h"

/// Blocks of a pcapng file, as bytes (draft-ietf-opsawg-pcapng; sections in the .cpp). In this
/// machine's byte order, which the file says; times in ns.
///
/// Not DPDK's librte_pcapng: it writes to a descriptor itself, and its copies come from a mempool.
namespace koi::app::pcapng {

using Time = std::chrono::nanoseconds;  // since 1970, UTC

/// The beginning of a file with one interface, Ethernet.
std::string beginning(std::string_view program, std::string_view interface,
                      std::string_view description, std::uint16_t snaplen);

/// Appends a frame. Of `frame` all but the time, which is koi's own clock's.
void append_frame(std::string& file, Time at, const CapturedFrame& frame);

/// What there was from `began` to `ended`: frames that matched, and those that are not in the file.
void append_statistics(std::string& file, Time began, Time ended, std::uint64_t matched,
                       std::uint64_t missed);

}  // namespace koi::app::pcapng

#pragma once

#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "config/config.h"

/// The words of the configuration file for each choice, for loaders and for the canonical print.
namespace koi::config {

template <class E>
using Word = std::pair<std::string_view, E>;

inline constexpr std::array<Word<Idle>, 2> kIdleWords = {
    {{"poll", Idle::poll}, {"adaptive", Idle::adaptive}}};

/// But for vdev, which comes with its device: "vdev:net_memif0,role=client".
inline constexpr std::array<Word<HostPort>, 3> kHostWords = {
    {{"none", HostPort::none}, {"tap", HostPort::tap}, {"virtio-user", HostPort::virtio_user}}};
inline constexpr std::string_view kHostVdevPrefix = "vdev:";

inline constexpr std::array<Word<Assign>, 3> kAssignWords = {
    {{"never", Assign::never}, {"always", Assign::always}, {"master", Assign::master}}};

inline constexpr std::array<Word<Protocol>, 3> kProtocolWords = {
    {{"carp", Protocol::carp}, {"vrrp2", Protocol::vrrp2}, {"vrrp3", Protocol::vrrp3}}};

inline constexpr std::array<Word<Dialect>, 4> kDialectWords = {{{"koi", Dialect::koi},
                                                                {"openbsd", Dialect::openbsd},
                                                                {"freebsd", Dialect::freebsd},
                                                                {"ucarp", Dialect::ucarp}}};

inline constexpr std::array<Word<DemotionEncoding>, 3> kDemotionWords = {
    {{"count", DemotionEncoding::count},
     {"skew", DemotionEncoding::skew},
     {"both", DemotionEncoding::both}}};

inline constexpr std::array<Word<HmacLinkLocal>, 2> kHmacLinkLocalWords = {
    {{"exclude", HmacLinkLocal::exclude}, {"include", HmacLinkLocal::include}}};

inline constexpr std::array<Word<TrailerMode>, 4> kTrailerWords = {
    {{"off", TrailerMode::off},
     {"receive-only", TrailerMode::receive_only},
     {"permissive", TrailerMode::permissive},
     {"enforce", TrailerMode::enforce}}};

inline constexpr std::array<Word<BalanceMode>, 4> kBalanceModeWords = {
    {{"arp", BalanceMode::arp},
     {"ip", BalanceMode::ip},
     {"ip-stealth", BalanceMode::ip_stealth},
     {"ip-unicast", BalanceMode::ip_unicast}}};

inline constexpr std::array<Word<BalanceHash>, 3> kBalanceHashWords = {
    {{"openbsd", BalanceHash::openbsd},
     {"freebsd", BalanceHash::freebsd},
     {"siphash", BalanceHash::siphash}}};

inline constexpr std::array<Word<HashBy>, 2> kHashByWords = {
    {{"mac", HashBy::mac}, {"ip", HashBy::ip}}};

/// The word for a value; empty for one that has none.
template <class E, std::size_t n>
constexpr std::string_view word_of(const std::array<Word<E>, n>& words, E value) {
  for (const auto& [word, meaning] : words) {
    if (meaning == value) return word;
  }
  return {};
}

constexpr std::string_view word(Idle v) { return word_of(kIdleWords, v); }
constexpr std::string_view word(HostPort v) { return word_of(kHostWords, v); }
constexpr std::string_view word(Assign v) { return word_of(kAssignWords, v); }
constexpr std::string_view word(Protocol v) { return word_of(kProtocolWords, v); }
constexpr std::string_view word(Dialect v) { return word_of(kDialectWords, v); }
constexpr std::string_view word(DemotionEncoding v) { return word_of(kDemotionWords, v); }
constexpr std::string_view word(HmacLinkLocal v) { return word_of(kHmacLinkLocalWords, v); }
constexpr std::string_view word(TrailerMode v) { return word_of(kTrailerWords, v); }
constexpr std::string_view word(BalanceMode v) { return word_of(kBalanceModeWords, v); }
constexpr std::string_view word(BalanceHash v) { return word_of(kBalanceHashWords, v); }
constexpr std::string_view word(HashBy v) { return word_of(kHashByWords, v); }

}  // namespace koi::config

#include <fmt/format.h>

#include "config/derived.h"
#include "config/printer.h"
#include "config/values.h"
#include "config/words.h"

namespace koi::config {
namespace {

std::string target(const Track& track) {
  switch (track.kind) {
    case Track::Kind::port:
      return "port: " + scalar(track.port);
    case Track::Kind::ping:
      return "ping: " + item(track.address);
    case Track::Kind::tcp:
      return "tcp: " + scalar(format_endpoint({track.address, track.number}));
    case Track::Kind::script:
      return "script: " + scalar(track.program);
  }
  return "";
}

void print_track(Printer& out, const std::vector<Track>& tracks) {
  if (tracks.empty()) {
    out.line(4, "track: []");
    return;
  }
  out.line(4, "track:");
  for (const Track& track : tracks) {
    out.line(6, "- {}", target(track));
    // A derived name has a blank, which none in a file may have.
    if (track.name != default_name(track)) out.line(8, "name: {}", scalar(track.name));
    if (track.kind != Track::Kind::port) {
      out.line(8, "interval: {}", format_duration(track.interval));
      out.line(8, "timeout: {}", format_duration(track.timeout));
      out.line(8, "rise: {}", track.rise);
      out.line(8, "fall: {}", track.fall);
    }
    out.line(8, "weight: {}", track.weight);
  }
}

void print_balance(Printer& out, const Balance& balance) {
  out.line(4, "balance:");
  out.line(6, "mode: {}", word(balance.mode));
  if (!is_by_packet(balance)) out.line(6, "hash: {}", word(balance.hash));
  if (!is_by_packet(balance) && balance.hash == BalanceHash::siphash) {
    out.line(6, "by: {}", word(balance.by));
  }
  if (!balance.hash_key_file.empty()) {
    out.line(6, "hash-key-file: {}", scalar(balance.hash_key_file));
  }
  out.line(6, "members: {}", list(balance.members));
}

void print_trailer(Printer& out, const Trailer& trailer) {
  out.line(4, "trailer:");
  out.line(6, "mode: {}", word(trailer.mode));
  if (trailer.key) {
    out.line(6, "key-file: {}", scalar(trailer.key->file));
    out.line(6, "key-id: {}", trailer.key->id);
  }
  out.line(6, "accept: {}", list(trailer.accept));
  out.line(6, "hello-interval: {}", format_duration(trailer.hello_interval));
}

}  // namespace

void print_group(Printer& out, const Group& group) {
  out.line(2, "{}:", scalar(group.name));
  out.line(4, "port: {}", scalar(group.port));
  if (group.vlan != VlanId{}) out.line(4, "vlan: {}", group.vlan.value());
  out.line(4, "protocol: {}", word(group.protocol));
  if (!group.balance) out.line(4, "vhid: {}", group.vhid.value());
  out.line(4, "advbase: {}", group.advbase);
  if (!group.balance) out.line(4, "advskew: {}", group.advskew);
  if (group.lowest_advskew) out.line(4, "lowest-advskew: {}", *group.lowest_advskew);
  out.line(4, "dead-ratio: {}", group.dead_ratio);
  out.line(4, "dialect: {}", word(group.dialect));
  out.line(4, "hmac-v6ll: {}", word(group.hmac_v6ll));
  if (group.demotion_encoding) {
    out.line(4, "demotion-encoding: {}", word(*group.demotion_encoding));
  }
  out.line(4, "preempt: {}", word(group.preempt));
  out.line(4, "preempt-delay: {}", format_duration(group.preempt_delay));
  out.line(4, "takeover-when-deaf: {}", word(group.takeover_when_deaf));
  out.line(4, "key-file: {}", scalar(group.key_file));
  out.line(4, "allow-weak-key: {}", word(group.allow_weak_key));
  out.line(4, "addresses: {}", list(group.addresses));
  out.line(4, "accept-key-files: {}", list(group.accept_key_files));
  out.line(4, "previous-addresses: {}", list(group.previous_addresses));
  if (group.trailer) print_trailer(out, *group.trailer);
  out.line(4, "announce-refresh: {}", format_duration(group.announce_refresh));
  out.line(4, "peers: {}", list(group.peers));
  out.line(4, "multicast: {}", word(group.multicast));
  out.line(4, "tie: {}", list(group.tie));
  print_track(out, group.track);
  out.line(4, "assign: {}", word(group.assign));
  out.line(4, "sync-wait: {}", format_duration(group.sync_wait));
  out.line(4, "hooks: {}", list(group.hooks));
  if (group.balance) print_balance(out, *group.balance);
}

}  // namespace koi::config

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "tools/ctl/socket_client.h"

/// One command to koid and its parsed reply; and how to read a reply of a koid of any version:
/// nothing in here throws, a field that is missing or of another type reads as nothing.
namespace koi::ctl {

/// Keeps the order in which koid wrote the fields.
using Json = nlohmann::ordered_json;

enum class Outcome {
  done,       // {"ok":true,…}
  refused,    // {"ok":false,"error":"…"}
  no_daemon,  // no reply, or one that is not koid's
};

struct Reply {
  Outcome outcome = Outcome::no_daemon;
  Json body;          // an object unless no_daemon
  std::string error;  // one sentence unless done
};

/// Sends {"command":"…"} and waits at most `deadline`. Any thread.
Reply ask(const std::string& socket, std::string_view command, Duration deadline = kReplyDeadline);

/// The same with a request of more than a command.
Reply ask_for(const std::string& socket, const Json& request, Duration deadline = kReplyDeadline);

/// Reads a line that koid sent.
Reply parse_reply(const std::string& line);

/// Returns the member, or a null value iff `object` is no object or has no such member.
const Json& field(const Json& object, const char* key);

/// Returns the member of type array or object, else an empty array: safe to iterate with items().
const Json& list(const Json& object, const char* key);

/// Returns a string as it is, a number or boolean as JSON writes it, otherwise `otherwise`.
std::string text(const Json& object, const char* key, std::string_view otherwise = "?");

/// Returns the member iff it is a number.
std::optional<double> number(const Json& object, const char* key);
std::optional<double> number(const Json& value);

/// Returns true iff the member is the boolean true.
bool truth(const Json& object, const char* key);

}  // namespace koi::ctl

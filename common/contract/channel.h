#pragma once

#include <cstddef>

namespace koi {

/// The sending end of a ring: one thread. Full means false; nobody ever waits.
template <class T>
class Sender {
 public:
  virtual bool try_send(const T& message) = 0;
  /// How many are not received yet, at most; 0 where nobody needs to know.
  virtual std::size_t waiting() const { return 0; }

 protected:
  ~Sender() = default;
};

/// The receiving end of a ring: one thread.
template <class T>
class Receiver {
 public:
  /// Returns false iff the ring was empty; message is then unchanged.
  virtual bool try_receive(T& message) = 0;

 protected:
  ~Receiver() = default;
};

}  // namespace koi

#include "tests/sim/fiber.h"

#include <cstdint>

namespace koi::sim {

Fiber::Fiber(std::function<void()> work) : work_(std::move(work)), stack_(new std::byte[kStack]) {
  getcontext(&inside_);
  inside_.uc_stack.ss_sp = stack_.get();
  inside_.uc_stack.ss_size = kStack;
  inside_.uc_link = &outside_;
  const auto self = reinterpret_cast<std::uintptr_t>(this);  // makecontext() passes ints only
  makecontext(&inside_, reinterpret_cast<void (*)()>(&Fiber::begin), 2,
              static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
}

void Fiber::begin(unsigned high, unsigned low) {
  auto* self = reinterpret_cast<Fiber*>(std::uintptr_t{high} << 32 | low);
  self->work_();
  self->ended_ = true;
}

bool Fiber::resume() {
  swapcontext(&outside_, &inside_);
  return ended_;
}

void Fiber::suspend() { swapcontext(&inside_, &outside_); }

}  // namespace koi::sim

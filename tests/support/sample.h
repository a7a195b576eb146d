#pragma once

namespace koi::test {

/// Long sweeps take every kStride-th case: all of them in an ordinary build, a tenth under a
/// sanitizer, which is there for what each case does and not for how many there are.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr unsigned kStride = 10;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr unsigned kStride = 10;
#else
inline constexpr unsigned kStride = 1;
#endif
#else
inline constexpr unsigned kStride = 1;
#endif

}  // namespace koi::test

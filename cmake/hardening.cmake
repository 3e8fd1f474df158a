# Warnings that are errors everywhere, and the flags of the release build: what Debian's hardening=+all sets, plus LTO.
add_library(tollgate_flags INTERFACE)
target_compile_options(tollgate_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow -Werror)
if(TOLLGATE_SANITIZE)
  target_compile_options(tollgate_flags INTERFACE -fsanitize=${TOLLGATE_SANITIZE} -fno-omit-frame-pointer
                                                  -fno-sanitize-recover=all)
  target_link_options(tollgate_flags INTERFACE -fsanitize=${TOLLGATE_SANITIZE})
  if(TOLLGATE_SANITIZE MATCHES "undefined")
    # The vptr check opens a pipe to look at memory, and takes it for bad where tests have used up the descriptors.
    target_compile_options(tollgate_flags INTERFACE -fno-sanitize=vptr)
  endif()
endif()
if(TOLLGATE_FUZZ)
  # libFuzzer is guided by what the rooms' own code does, so it is all instrumented, not the targets alone.
  target_compile_options(tollgate_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(tollgate_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  target_compile_options(tollgate_flags INTERFACE -fstack-protector-strong -fstack-clash-protection -fcf-protection
                                                  -D_FORTIFY_SOURCE=2 -D_GLIBCXX_ASSERTIONS)
  target_link_options(tollgate_flags INTERFACE -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()

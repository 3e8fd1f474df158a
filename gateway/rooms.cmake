# The house: one line a room, lower rooms first. USES is the whole of what a room may include; tests/architecture reads
# these lines and every #include, and names the one that points the wrong way.
tollgate_room(base LIBS tl::expected spdlog::spdlog OpenSSL::Crypto)
include(${CMAKE_SOURCE_DIR}/proto/proto.cmake)
tollgate_room(config USES base)
tollgate_room(record USES base proto LIBS PkgConfig::rapidjson)
tollgate_room(certs FOLDER certs USES base LIBS OpenSSL::SSL OpenSSL::Crypto)
tollgate_room(net USES base LIBS PkgConfig::libevent PkgConfig::cares Threads::Threads)
tollgate_room(http USES base LIBS PkgConfig::nghttp2)
tollgate_room(tls USES base certs LIBS OpenSSL::SSL OpenSSL::Crypto)
tollgate_room(journal USES base proto record LIBS ZLIB::ZLIB)
tollgate_room(store USES base proto record journal LIBS PkgConfig::sqlite Threads::Threads)
tollgate_room(relay USES base proto certs config record net http tls)
tollgate_room(admin USES base net http)
tollgate_room(app USES base proto certs config record net http tls journal store relay admin)

add_executable(tollgate gateway/app/main.cc)
target_link_libraries(tollgate PRIVATE tollgate_app)

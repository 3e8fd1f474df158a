# The zoo of origin certificates (zoo.h), shared by certs_test and by certificate_zoo, which writes it to a folder for the
# end-to-end tests: `certificate_zoo DIR`.
if(TOLLGATE_TESTS)
  set(zoo_folder ${CMAKE_SOURCE_DIR}/tests/certs)
  add_library(tollgate_certificate_zoo STATIC
    ${zoo_folder}/certificate_builder.cc ${zoo_folder}/zoo.cc ${zoo_folder}/zoo_names.cc ${zoo_folder}/zoo_chains.cc
    ${zoo_folder}/zoo_use.cc ${zoo_folder}/zoo_ocsp.cc ${zoo_folder}/handshake.cc)
  target_link_libraries(tollgate_certificate_zoo PUBLIC tollgate_certs)
  target_link_libraries(certs_test PRIVATE tollgate_certificate_zoo)

  add_executable(certificate_zoo ${zoo_folder}/write_zoo.cc)
  target_link_libraries(certificate_zoo PRIVATE tollgate_certificate_zoo)
endif()

# The end-to-end tests: real clients and origins around the finished program. One ctest test a file; each runs on its own
# ports, in its own temporary folder, and ends every process that it starts.
set(e2e_folder ${CMAKE_CURRENT_LIST_DIR})
file(GLOB e2e_files CONFIGURE_DEPENDS ${e2e_folder}/test_*.py)
if(TOLLGATE_SANITIZE STREQUAL "thread")
  # What makes threads meet: load on several workers, reload, drain, and the log beside a running gateway.
  list(FILTER e2e_files INCLUDE REGEX "/test_(curl|nghttp|running)\\.py$")
endif()
foreach(file IN LISTS e2e_files)
  get_filename_component(name ${file} NAME_WE)
  string(REGEX REPLACE "^test_" "e2e." name ${name})
  add_test(NAME ${name} COMMAND /usr/bin/python3 -m pytest -q -p no:cacheprovider ${file} WORKING_DIRECTORY ${e2e_folder})
  set_tests_properties(${name} PROPERTIES
    TIMEOUT 900
    ENVIRONMENT "TOLLGATE=$<TARGET_FILE:tollgate>;PYTHONDONTWRITEBYTECODE=1")
endforeach()
if(TARGET certificate_zoo AND TEST e2e.certificates)
  set_property(TEST e2e.certificates APPEND PROPERTY ENVIRONMENT "CERTIFICATE_ZOO=$<TARGET_FILE:certificate_zoo>")
endif()

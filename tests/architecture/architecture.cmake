# The test that holds every #include against gateway/rooms.cmake.
add_executable(architecture_test ${CMAKE_CURRENT_LIST_DIR}/architecture_test.cc ${CMAKE_CURRENT_LIST_DIR}/rooms.cc)
target_compile_definitions(architecture_test PRIVATE TOLLGATE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
target_include_directories(architecture_test PRIVATE ${CMAKE_SOURCE_DIR})
target_link_libraries(architecture_test PRIVATE tollgate_test_main fmt::fmt)
catch_discover_tests(architecture_test TEST_PREFIX "architecture: ")

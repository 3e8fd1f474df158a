# The schemas, compiled. Generated code is not held to our warnings.
file(GLOB schemas CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/proto/*.proto)
if(schemas)
  add_library(tollgate_proto STATIC)
  protobuf_generate(TARGET tollgate_proto LANGUAGE cpp PROTOS ${schemas} IMPORT_DIRS ${CMAKE_SOURCE_DIR}
                    PROTOC_OUT_DIR ${CMAKE_BINARY_DIR}/generated)
  target_include_directories(tollgate_proto SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/generated)
  target_link_libraries(tollgate_proto PUBLIC protobuf::libprotobuf)
else()
  add_library(tollgate_proto INTERFACE)
endif()

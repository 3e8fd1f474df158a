#include "tests/certs/zoo.h"

namespace tollgate::certs::test {

World make_world() {
  World world;
  world.root = CertificateBuilder::authority("Zoo Root").self_signed();
  world.intermediate = CertificateBuilder::authority("Zoo Intermediate").signed_by(world.root);
  world.expired_root = CertificateBuilder::authority("Zoo Expired Root").valid_days(-400, -5).self_signed();
  world.stranger = CertificateBuilder::authority("Zoo Stranger").self_signed();
  return world;
}

Specimen usual(const World& world, const std::string& host, const CertificateBuilder& builder, std::string sentence) {
  return {host, builder.signed_by(world.intermediate), {world.intermediate.certificate}, {}, std::move(sentence)};
}

std::vector<Kind> all_kinds() {
  std::vector<Kind> all;
  for (const auto& kinds : {name_kinds(), chain_kinds(), use_kinds(), ocsp_kinds()}) {
    all.insert(all.end(), kinds.begin(), kinds.end());
  }
  return all;
}

}  // namespace tollgate::certs::test

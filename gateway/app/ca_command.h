// `tollgate ca`: makes, shows, exports and rotates the certificate authority.
#pragma once

#include <filesystem>

#include "certs/secret.h"
#include "gateway/app/command.h"

namespace tollgate::app {

Action declare_ca(CLI::App& command);

// Where the authority lies.
std::filesystem::path authority_dir(const config::Config& config);

// What encrypts the CA key: the first line of ca.passphrase_file, or nothing when that is not set.
// Errors: not_found, io
//         refused    others may read the file
//         malformed  its first line is empty
Result<certs::Passphrase> read_passphrase(const config::Config& config);

}  // namespace tollgate::app

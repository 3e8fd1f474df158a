#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "gateway/app/commands.h"

namespace {

using namespace tollgate;

app::Terminal standard_output() {
  app::Terminal terminal;
  terminal.interactive = isatty(STDOUT_FILENO) == 1;
  if (!terminal.interactive) return terminal;
  const char* no_colour = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe): there is one thread yet
  terminal.colour = no_colour == nullptr || *no_colour == '\0';
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) terminal.columns = size.ws_col;
  return terminal;
}

// A pipe or terminal whose reader is gone is an error condition, which poll(2) tells without being asked for any event.
bool pause_while_read(Millis time) {
  pollfd output{STDOUT_FILENO, 0, 0};
  poll(&output, 1, static_cast<int>(time.count()));
  return output.revents == 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  app::Console console{std::cout, std::cerr, standard_output(), pause_while_read};
  const app::Exit exit = app::run_program({argv + 1, argv + argc}, console);
  // A full disk or a closed pipe shows itself only now.
  if (!std::cout.flush() && exit == app::Exit::done) {
    std::cerr << "tollgate: the output could not be written\n";
    return static_cast<int>(app::Exit::refused);
  }
  return static_cast<int>(exit);
}

#include <iostream>

#include "weightfs/cli/command.h"

int main(int argument_count, char** arguments) {
  return weightfs::cli::run(argument_count, arguments, {std::cout, std::cerr});
}

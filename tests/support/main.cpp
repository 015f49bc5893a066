// The main function of every test program; compiled once, without the precompiled header, since Catch2 2 puts its
// implementation here.
#define CATCH_CONFIG_RUNNER
#include "support/catch.hpp"

int main(int argc, char** argv) { return Catch::Session().run(argc, argv); }

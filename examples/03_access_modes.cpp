// Every access mode in one small program: statistics of a series, computed by parts.
//
//                    fill                      samples.write
//         +------+----+---+------+
//       part   part     part   part            samples.read, sum.reduce, histogram.commute, buffer.scratch
//         +------+----+---+------+
//                   scale                      samples.readwrite, sum.read
//                     |
//              note -> note -> note            log.readwrite, where log is a token: order without data
//
// What two accesses to one datum mean for the order is the table at the top of include/mitra/access.hpp.
// Flow: this program -> Runtime::submit -> workers.
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include <mitra/mitra.hpp>

int main() {
  const std::size_t n = 40'000, parts = 16, bins = 10;
  std::vector<double> values(n);
  std::vector<long> counts(bins, 0);
  double total = 0.0;
  std::string text;  // shared by tasks, and never registered: the token orders those who touch it

  mitra::Runtime rt;
  auto samples = rt.data(values, "samples");
  auto histogram = rt.data(counts, "histogram");
  auto sum = rt.data(total, "sum");                    // one object: bodies receive double& or const double&
  auto buffer = rt.scratch<long>(bins, "buffer");      // a private buffer for each task that asks for one
  mitra::Token log = rt.token("log");

  // write: what was there before is of no interest.
  rt.submit("fill", [](mitra::View<double> v) {
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(i % 100);
  }, samples.write());

  for (std::size_t p = 0; p < parts; ++p) {
    rt.submit("part", [p](mitra::View<const double> v, double& partial, mitra::View<long> all, mitra::View<long> own) {
      // scratch: not initialised, gone when the task ends.
      for (long& count : own) count = 0;
      const std::size_t size = v.size() / parts;
      for (std::size_t i = p * size; i < (p + 1) * size; ++i) {
        partial += v[i];  // reduce: a private copy that began as zero; the copies are added up before the next reader
        ++own[static_cast<std::size_t>(v[i]) * bins / 100];
      }
      // commute: the datum itself, changed by one task at a time, whichever comes first.
      for (std::size_t b = 0; b < bins; ++b) all[b] += own[b];
    }, samples.read(), sum.reduce(mitra::Sum{}), histogram.commute(), buffer.scratch());
  }

  // readwrite: after everyone who reads the samples; `sum` is read, so all parts have been added to it.
  rt.submit("scale", [](mitra::View<double> v, const double& s) {
    for (double& value : v) value /= s;
  }, samples.readwrite(), sum.read());

  // A token gives the body no argument. These three run in this order, and their order is all that is known of them.
  for (const char* word : {"read ", "write ", "done"})
    rt.submit("note", [&text, word] { text += word; }, log.readwrite());

  rt.wait();

  double scaled = 0.0;
  for (const double value : values) scaled += value;
  bool even = true;
  for (const long count : counts) even = even && count == static_cast<long>(n / bins);
  std::printf("sum %.0f, scaled to %.9f, histogram %s, log '%s'\n", total, scaled, even ? "even" : "uneven",
              text.c_str());
  return total == 1'980'000.0 && std::fabs(scaled - 1.0) < 1e-9 && even && text == "read write done" ? 0 : 1;
}

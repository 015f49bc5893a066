// Sleeping and waking: who is counted, who is woken, and that no way out of a search leaves the counts wrong. What is
// counted shows in what a ready task does: it wakes a sleeper exactly if nobody searches.
#include "engine/parking.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>

#include "support/catch.hpp"

using namespace mitra;
using engine::Parker;
using engine::Parking;
using engine::Search;
using engine::Token;

namespace {

constexpr std::chrono::seconds kPatience{20};

/// A thread that announces itself and sleeps once.
class Sleeper {
 public:
  explicit Sleeper(Parking& parking) : parking_(parking), thread_([this] {
    Search search(parking_, parker_);
    search.announce();
    asleep_ = true;
    search.sleep();
    awake_ = true;
    while (!let_go_) std::this_thread::yield();
  }) {
    while (!asleep_) std::this_thread::yield();
  }
  ~Sleeper() {
    parking_.wake(parker_, Token::look);
    let_go_ = true;
    thread_.join();
  }
  Parker& parker() { return parker_; }
  /// @returns False if it still sleeps after a long while.
  bool wakes() const {
    const auto limit = std::chrono::steady_clock::now() + kPatience;
    while (!awake_ && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    return awake_;
  }
  /// After something that is not to wake it.
  bool sleeps_on() const {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return !awake_;
  }

 private:
  Parking& parking_;
  Parker parker_;
  std::atomic<bool> asleep_{false}, awake_{false}, let_go_{false};
  std::thread thread_;  // the last: it uses the others
};

/// @returns Is nobody counted as a searcher, and a new sleeper woken by a ready task?
bool is_balanced(Parking& parking) {
  Sleeper sleeper(parking);
  parking.wake_for_work();
  return sleeper.wakes();
}

}  // namespace

TEST_CASE("a token that comes before the sleep is not lost, and is one token") {
  Parker parker;
  parker.unpark(Token::search);
  CHECK(parker.park() == Token::search);
  CHECK(parker.park(Seconds(0.001)) == Token::none);
  parker.unpark(Token::look);
  CHECK(parker.park(Seconds(10.0)) == Token::look);
}

TEST_CASE("a ready task wakes a sleeper if nobody searches") {
  Parking parking(4, 4);
  Sleeper first(parking);
  {
    Parker own;
    const Search search(parking, own);
    parking.wake_for_work();
    CHECK(first.sleeps_on());
  }
  CHECK(first.wakes());  // by the end of the last search
}

TEST_CASE("a sleeper that is woken for work searches until it leaves, and one woken to look does not") {
  Parking parking(4, 4);
  Sleeper last(parking);
  Sleeper looks(parking);
  parking.wake(looks.parker(), Token::look);
  REQUIRE(looks.wakes());
  {
    Sleeper searches(parking);
    parking.wake_for_work();  // the last to sleep
    REQUIRE(searches.wakes());
    parking.wake_for_work();
    CHECK(last.sleeps_on());
  }
  CHECK(last.wakes());
}

TEST_CASE("a search that ends without a task hands its duty on") {
  Parking parking(4, 4);
  Sleeper sleeper(parking);
  { Parker own; const Search search(parking, own); }
  CHECK(sleeper.wakes());
}

TEST_CASE("every way out of a search leaves the counts right") {
  Parking parking(4, 4);
  Parker own;
  SECTION("searching") { const Search search(parking, own); }
  SECTION("announced") {
    Search search(parking, own);
    search.announce();
  }
  SECTION("by an exception, searching or announced") {
    for (const bool announced : {false, true}) try {
        Search search(parking, own);
        if (announced) search.announce();
        throw std::runtime_error("policy");
      } catch (const std::runtime_error&) {  // as the loop of a worker does
      }
  }
  SECTION("announced, while a token is on its way") {
    for (const Token token : {Token::search, Token::look}) {
      Search search(parking, own);
      search.announce();
      parking.wake(own, token);
    }
  }
  SECTION("after a sleep that nobody ended") {
    Search search(parking, own);
    search.announce();
    search.sleep(Seconds(0.001));
  }
  SECTION("after a sleep that somebody ended, and on") {
    for (const Token token : {Token::search, Token::look}) {
      Search search(parking, own);
      search.announce();
      parking.wake(own, token);
      search.sleep();
      search.go_on();
    }
  }
  SECTION("after it was woken in vain, before its announcement") {
    Search search(parking, own);
    parking.wake(own, Token::look);
    search.announce();
    search.sleep(Seconds(0.001));
  }
  CHECK(is_balanced(parking));
  CHECK(own.park(Seconds(0.001)) == Token::none);  // and no token behind
}

TEST_CASE("no more sleepers are woken for work than there are processors") {
  Parking parking(3, 1);
  Sleeper first(parking), second(parking);
  parking.wake_for_work();
  CHECK(second.sleeps_on());
  Sleeper third(parking);
  parking.wake_for_work();
  CHECK(third.wakes());
}

TEST_CASE("parking: who naps is not woken for work that is not for the waker, who sleeps soundly is") {
  Parking parking(4, 4);
  Parker parker;
  std::atomic<bool> asleep{false}, over{false};
  std::thread napper([&] {
    Search search(parking, parker);
    search.announce();
    asleep = true;
    search.sleep(Seconds(0.2));
    over = true;
  });
  while (!asleep) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  parking.wake_sound();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(!over);
  Sleeper sound(parking), other(parking);
  parking.wake_sound();
  parking.wake_sound();
  CHECK(sound.wakes());
  CHECK(other.wakes());
  napper.join();
}

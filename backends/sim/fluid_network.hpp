// Transfers as fluids: those that cross a link share its bandwidth fairly, and each goes as fast as its narrowest share.
// Flow: sim driver -> [fluid network] -> event queue. Thread-safety: serialised.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include <mitra/types.hpp>

#include "event_queue.hpp"

namespace mitra::sim {

/// A way over links, registered with FluidNetwork::add_route.
using RouteId = Identity<struct RouteTag, std::uint32_t>;

/// A transfer that was started. Ids are not used again.
struct FlowId {
  std::uint32_t slot = static_cast<std::uint32_t>(-1);
  std::uint32_t use = 0;
};

/// A transfer that has arrived.
struct FlowEnd {
  std::uint64_t token = 0;
  Seconds time;
};

/// A flow waits for its latency, then its bytes flow at the max-min fair rate: all flows grow evenly until a link is
/// full; those that cross it stay as they are, the others grow on.
///
/// Flows of one route have one rate, so a route is one unit of work, however many flows it carries. It counts its
/// service, the bytes that each of its flows has got since it was last empty; a flow ends when the service reaches
/// what it was at its start plus its size. Service is brought up to date only when the rate changes. A change of rates
/// concerns the routes that are joined with the changed one by links in use, and no others.
///
/// Times given to it never go back, and never beyond next_event(): what is due is taken with advance() and pop() first.
/// @cost    A change of what is alone on its links: O(its links). Else O(routes joined with it + the square of their
///          links). Measured by bench/micro/virtual_time.
/// @source  Progressive filling: Bertsekas, Gallager, Data Networks, 1992, section 6.5.2. Service as a clock: Parekh,
///          Gallager, IEEE/ACM Transactions on Networking 1 (3), 1993.
class FluidNetwork {
 public:
  /// @param capacities  Of each link, bytes/s.
  /// @throws ConfigError if one is not above zero and finite.
  explicit FluidNetwork(std::vector<double> capacities);

  /// Makes a way over these links known, each at most once, in any order; the same links give the same id. Without
  /// links, flows take their latency only.
  /// @throws MisuseError if a link does not exist or comes twice.
  RouteId add_route(std::span<const std::uint32_t> links);

  /// @param bytes  Not negative. @param latency  Before the first byte flows. @param token  Comes back in FlowEnd.
  /// @throws MisuseError if bytes or latency are negative or not finite, or `now` lies before the last time known or
  ///         after next_event().
  FlowId start(RouteId route, double bytes, Seconds latency, Seconds now, std::uint64_t token);
  /// Gives up a flow; what has flowed has flowed. @returns False when it has ended already.
  bool cancel(FlowId flow, Seconds now);

  /// @returns The time of the next change; no flow ends before. Infinity: nothing is under way.
  Seconds next_event();
  /// Goes on until a flow ends, or to `until`, whichever comes first.
  /// @returns The flow that ended, to be taken with pop(); null when none ends up to then. Flows that end at the same
  ///          time, up to a relative 1e-13 of it, come in the order of their start.
  const FlowEnd* advance(Seconds until);
  /// Takes what advance() returned. @pre It was not null.
  void pop() { ++ended_taken_; }

  /// @returns Bytes/s at present; 0 while its latency runs, or when it has ended.
  double rate(FlowId flow);
  /// @returns Flows that have not ended.
  std::size_t flows() const { return under_way_; }
  /// @returns By link, the bytes that have crossed it up to `now`, those of flows under way and of cancelled ones
  ///          included. @cost O(routes + flows)
  std::vector<double> carried(Seconds now);
  std::size_t links() const { return links_.size(); }

 private:
  enum class State : std::uint8_t { none, latency, flowing };
  struct Flow {
    std::uint64_t token = 0;
    std::uint64_t sequence = 0;  ///< Order of start.
    double bytes = 0.0;
    EventId event;               ///< While in latency: its end.
    std::uint32_t route = 0;
    std::uint32_t use = 0;
    State state = State::none;
  };
  struct Share {
    double finish;  ///< The route's service at which the flow ends.
    std::uint64_t sequence;
    std::uint32_t flow;
  };
  struct Hop {
    std::uint32_t link;
    std::uint32_t position;  ///< In Link::routes, while the route has flows.
  };
  struct Route {
    std::vector<Hop> hops;
    double narrowest = 0.0;      ///< Bytes/s
    std::vector<Share> flows;    ///< A heap, the first to end on top.
    double rate = 0.0;           ///< Bytes/s of each flow, since `since`.
    double service = 0.0;        ///< Bytes, at `since`.
    double since = 0.0;
    double carried = 0.0;        ///< Bytes of flows that are no longer in it.
    EventId event;               ///< The end of the first flow.
    std::uint64_t visited = 0;   ///< The settlement that last saw it.
    bool fixed = false;          ///< In this settlement, the rate is found.
    bool changed = false;        ///< Flows came or went since the last settlement.
  };
  struct Link {
    double capacity = 0.0;
    std::vector<std::uint32_t> routes;  ///< Those with flows.
    std::uint64_t visited = 0;          ///< The settlement that last saw it.
    std::uint32_t place = 0;            ///< In `open_`, during that settlement.
  };
  /// A link during a settlement, while rates of flows that cross it are not found.
  struct OpenLink {
    double left;     ///< Bytes/s not given away yet.
    double waiting;  ///< Flows without a rate, a whole number.
    std::uint32_t link;
  };

  static bool ends_later(const Share& a, const Share& b) {
    return a.finish > b.finish || (a.finish == b.finish && a.sequence > b.sequence);
  }
  Flow* find(FlowId id);
  void move_to(Seconds now);
  void begin(std::uint32_t flow);
  void end(std::uint32_t flow);
  void fire(double window);
  void finish_flows(std::uint32_t route, double window);
  void update(Route& route) const;
  void mark(std::uint32_t route);
  void enter_links(std::uint32_t route);
  void leave_links(Route& route);
  bool alone(const Route& route) const;
  void settle();
  void collect(const Route& route);
  void fill();
  OpenLink narrowest();
  void set_rate(std::uint32_t route, double rate);

  std::vector<Link> links_;
  std::vector<Route> routes_;
  std::map<std::vector<std::uint32_t>, std::uint32_t> known_;
  std::vector<Flow> flows_;
  std::vector<std::uint32_t> free_;
  EventQueue events_;  ///< Ends of latencies, and for each route in use, the end of its first flow.
  double now_ = 0.0;
  std::uint64_t started_ = 0;
  std::uint64_t settlement_ = 0;
  std::size_t under_way_ = 0;

  struct Ended {
    FlowEnd end;
    std::uint64_t sequence;
  };
  std::vector<FlowEnd> ended_;
  std::size_t ended_taken_ = 0;
  std::vector<Ended> batch_;
  std::vector<std::uint32_t> changed_;
  std::vector<std::uint32_t> seen_;  ///< Routes of the settlement.
  std::vector<OpenLink> open_;
};

}  // namespace mitra::sim

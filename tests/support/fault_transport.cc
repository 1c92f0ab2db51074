#include "tests/support/fault_transport.h"

#include <algorithm>

namespace stagewright::testing {

namespace {

/// Ends after some bytes, as the server sees a connection that breaks.
class CutSource final : public http::BodySource {
 public:
  CutSource(http::BodySource& source, std::size_t bytes) : source_(source), left_(bytes) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    TRY(std::size_t n, source_.read(buffer, std::min(size, left_)));
    left_ -= n;
    return n;
  }
  Status rewind() override { return internal("a cut body is sent once"); }

 private:
  http::BodySource& source_;
  std::size_t left_;
};

Error broken(const http::Request& request) {
  return unavailable(http::describe(request) + ": connection reset by peer");
}

/// As a real transport: a success goes to the sink.
Result<http::Response> answer(const Fault& fault, const http::Request& request) {
  http::Response response{fault.status, fault.headers, fault.body};
  if (fault.status < 200 || fault.status > 299 || !request.sink) {
    return response;
  }
  if (request.onHead) {
    CHECK_OK(request.onHead(response));
  }
  CHECK_OK(request.sink(fault.body));
  response.body.clear();
  return response;
}

bool matches(const Fault& fault, const http::Request& request) {
  return fault.times > 0 && fault.method == request.method &&
         request.url.find(fault.urlPart) != std::string::npos;
}

}  // namespace

std::optional<Fault> FaultTransport::takeFault(const http::Request& request) {
  auto state = state_.lock();
  state->sent.push_back({request.method, request.url, request.headers});
  for (Fault& fault : state->faults) {
    if (!matches(fault, request)) {
      continue;
    }
    if (fault.skip > 0) {
      --fault.skip;
      continue;
    }
    --fault.times;
    return fault;
  }
  return std::nullopt;
}

Result<http::Response> FaultTransport::send(const http::Request& request, std::stop_token stop) {
  if (stop.stop_requested()) {
    return cancelled(http::describe(request) + ": cancelled");
  }
  if (const std::optional<Fault> fault = takeFault(request)) {
    return strike(*fault, request, std::move(stop));
  }
  return inner_.send(request, std::move(stop));
}

Result<http::Response> FaultTransport::strike(const Fault& fault, const http::Request& request,
                                              std::stop_token stop) {
  if (fault.kind == Fault::Kind::kStatus) {
    return answer(fault, request);
  }
  http::Request cut = request;
  if (fault.kind == Fault::Kind::kCutBody && request.body != nullptr) {
    CutSource body(*request.body, fault.bytes);
    cut.body = &body;
    static_cast<void>(inner_.send(cut, std::move(stop)));
  }
  if (fault.kind == Fault::Kind::kCutAnswer && request.sink) {
    std::size_t left = fault.bytes;
    cut.sink = [&](std::string_view bytes) {
      bytes = bytes.substr(0, left);
      left -= bytes.size();
      return bytes.empty() ? ok() : request.sink(bytes);
    };
    TRY(http::Response response, inner_.send(cut, std::move(stop)));
  }
  return broken(request);
}

int FaultTransport::count(const std::string& method, const std::string& urlPart) {
  auto state = state_.lock();
  return static_cast<int>(
      std::count_if(state->sent.begin(), state->sent.end(), [&](const Sent& sent) {
        return sent.method == method && sent.url.find(urlPart) != std::string::npos;
      }));
}

}  // namespace stagewright::testing

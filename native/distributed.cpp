// Process groups of torch.distributed's own back ends: Gloo over TCP for the CPU, NCCL between GPUs. The store is where workers meet
// before they have a group, and where one says why it goes.
#include "internal.h"

#ifdef MVTORCH_C10D
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/utils/lambda_post_hook.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef MVTORCH_BACKEND_CLASS
#include <torch/csrc/distributed/c10d/Backend.hpp>
#endif
#ifdef USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#endif
#ifdef USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include <algorithm>
#include <fstream>
#include <mutex>

// Back ends had a common class with groups of them before libtorch 2.0.
#ifdef MVTORCH_BACKEND_CLASS
using Backend = c10d::Backend;
#else
using Backend = c10d::ProcessGroup;
#endif

struct mvt_store {
  c10::intrusive_ptr<c10d::Store> store;
  std::string value;   // of the last read
};

struct mvt_group {
  c10::intrusive_ptr<Backend> backend;
};

struct mvt_work {
  c10::intrusive_ptr<c10d::Work> work;
  std::vector<at::Tensor> kept;   // until the work is done
};

namespace {

// Gradients as a few flat buffers, each summed over the workers as soon as the backward pass has filled it.
struct Reducer {
  struct Bucket {
    std::vector<size_t> parameters;
    std::vector<int64_t> first;   // of each parameter in the buffer
    at::Tensor flat;
    size_t arrivals = 0;          // in a backward pass: what is computed again for its gradient brings it in parts
    size_t waiting = 0;
    c10::intrusive_ptr<c10d::Work> work;
  };

  Reducer(c10::intrusive_ptr<Backend> group, std::vector<at::Tensor> parameters, int64_t bucket_bytes)
      : group(std::move(group)), parameters(std::move(parameters)), bucket_bytes(bucket_bytes), bucket_of(this->parameters.size()) {}

  // Called by the backward pass, on its thread.
  void arrived(size_t parameter) {
    const std::lock_guard<std::mutex> lock(gate);
    if (!armed) return;
    order.push_back(static_cast<int64_t>(parameter));
    if (buckets.empty()) return;
    auto& bucket = buckets[bucket_of[parameter]];
    TORCH_CHECK(bucket.waiting > 0, "a gradient came after the sum that it belongs to was sent");
    bucket.waiting--;
    // In the same order on every worker, whatever the order of arrival.
    while (next < buckets.size() && buckets[next].waiting == 0) send(buckets[next++]);
  }

  void arm() {
    const std::lock_guard<std::mutex> lock(gate);
    armed = true;
    order.clear();
    next = 0;
    for (auto& bucket : buckets) bucket.waiting = bucket.arrivals;
  }

  void finish() {
    const std::lock_guard<std::mutex> lock(gate);
    if (!armed) next = 0;
    armed = false;
    if (buckets.empty()) make_buckets();
    while (next < buckets.size()) send(buckets[next++]);
    const at::NoGradGuard none;
    for (auto& bucket : buckets) {
      bucket.work->wait();
      bucket.work.reset();
      for (size_t i = 0; i < bucket.parameters.size(); i++) {
        auto& parameter = parameters[bucket.parameters[i]];
        if (parameter.grad().defined()) parameter.mutable_grad() = bucket.flat.narrow(0, bucket.first[i], parameter.numel()).view(parameter.sizes());
      }
    }
    next = 0;
  }

  int64_t bytes() const {
    int64_t sum = 0;
    for (const auto& bucket : buckets) sum += bucket.flat.numel() * 4;
    return sum;
  }

  c10::intrusive_ptr<Backend> group;
  std::vector<at::Tensor> parameters;
  std::mutex gate;

 private:
  // Buckets in the order in which the first worker's gradients were complete, in the first backward pass; later ones are alike.
  void make_buckets() {
    const auto count = static_cast<int64_t>(parameters.size());
    auto shared = at::zeros({2, count}, at::kLong);
    auto* sequence = shared.data_ptr<int64_t>();
    auto* arrivals = sequence + count;
    for (const auto i : order) arrivals[i]++;
    std::vector<bool> seen(parameters.size());
    auto place = count;
    for (auto i = order.rbegin(); i != order.rend(); ++i)
      if (!seen[static_cast<size_t>(*i)]) { seen[static_cast<size_t>(*i)] = true; sequence[--place] = *i; }
    // Those without one stand in front of none that has.
    std::rotate(sequence, sequence + place, sequence + count);
    place = count - place;
    for (int64_t i = 0; i < count; i++)
      if (!seen[static_cast<size_t>(i)]) sequence[place++] = i;
    std::vector<at::Tensor> list{shared.to(parameters[0].device())};
    group->broadcast(list)->wait();
    shared = list[0].to(at::kCPU);
    sequence = shared.data_ptr<int64_t>();
    arrivals = sequence + count;
    int64_t elements = 0;
    for (size_t k = 0; k < parameters.size(); k++) {
      const auto i = static_cast<size_t>(sequence[k]);
      if (buckets.empty() || (elements + parameters[i].numel()) * 4 > bucket_bytes) { buckets.emplace_back(); elements = 0; }
      auto& bucket = buckets.back();
      bucket_of[i] = buckets.size() - 1;
      bucket.parameters.push_back(i);
      bucket.first.push_back(elements);
      bucket.arrivals += static_cast<size_t>(arrivals[i]);
      elements += parameters[i].numel();
    }
    for (auto& bucket : buckets) {
      const auto last = bucket.first.back() + parameters[bucket.parameters.back()].numel();
      bucket.flat = at::zeros({last}, parameters[0].options().requires_grad(false));
    }
  }

  void send(Bucket& bucket) {
    const at::NoGradGuard none;
    std::vector<at::Tensor> parts;
    for (const auto i : bucket.parameters) {
      const auto& gradient = parameters[i].grad();
      parts.push_back(gradient.defined() ? gradient.reshape({-1}) : at::zeros({parameters[i].numel()}, bucket.flat.options()));
    }
    at::cat_out(bucket.flat, parts);
    std::vector<at::Tensor> list{bucket.flat};
    bucket.work = group->allreduce(list);
  }

  int64_t bucket_bytes;
  std::vector<size_t> bucket_of;
  std::vector<Bucket> buckets;
  std::vector<int64_t> order;
  size_t next = 0;
  bool armed = false;
};

}  // namespace

// The hooks may outlive the handle, as parameters do.
struct mvt_reducer {
  std::shared_ptr<Reducer> reducer;
  std::vector<std::shared_ptr<torch::autograd::Node>> accumulators;   // a parameter holds its own only weakly
};

int mvt_distributed_backends(int64_t* backends) {
  return mvt::guarded([&] {
    *backends = 0;
#ifdef USE_C10D_GLOO
    *backends |= 1;
#endif
#ifdef USE_C10D_NCCL
    *backends |= 2;
#endif
  });
}

int mvt_store_open_file(const char* path, mvt_store** out) {
  return mvt::guarded([&] {
    // A look at a store whose file is not there waits for somebody to write.
    TORCH_CHECK(std::ofstream(path, std::ios::app).good(), path, " cannot be written");
    // Of no known number of workers: whoever made the file deletes it.
    *out = new mvt_store{c10::make_intrusive<c10d::FileStore>(path, -1), {}};
  });
}

int mvt_store_open_tcp(const char* host, int64_t port, int is_server, int64_t timeout_ms, mvt_store** out) {
  return mvt::guarded([&] {
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(port);
    options.isServer = is_server != 0;
    options.waitWorkers = false;
    options.timeout = std::chrono::milliseconds(timeout_ms);
    *out = new mvt_store{c10::make_intrusive<c10d::TCPStore>(host, options), {}};
  });
}

int mvt_store_set(mvt_store* store, const char* key, const char* value, int64_t length) {
  return mvt::guarded([&] { store->store->set(key, std::vector<uint8_t>(value, value + length)); });
}

int mvt_store_get(mvt_store* store, const char* key, int64_t timeout_ms, const char** value, int64_t* length) {
  return mvt::guarded([&] {
    if (timeout_ms > 0) store->store->wait({key}, std::chrono::milliseconds(timeout_ms));
    else if (!store->store->check({key})) { *value = nullptr; *length = 0; return; }
    const auto bytes = store->store->get(key);
    store->value.assign(bytes.begin(), bytes.end());
    *value = store->value.data();
    *length = static_cast<int64_t>(store->value.size());
  });
}

int mvt_store_add(mvt_store* store, const char* key, int64_t amount, int64_t* sum) {
  return mvt::guarded([&] { *sum = store->store->add(key, amount); });
}

void mvt_store_free(mvt_store* store) { delete store; }

int mvt_group_open(mvt_store* store, const char* name, int64_t backend, [[maybe_unused]] int64_t rank, [[maybe_unused]] int64_t world,
                   [[maybe_unused]] const char* address, int64_t timeout_ms, [[maybe_unused]] mvt_group** out) {
  return mvt::guarded([&] {
    const auto prefixed = c10::make_intrusive<c10d::PrefixStore>(name, store->store);
    [[maybe_unused]] const std::chrono::milliseconds timeout(timeout_ms);
#ifdef USE_C10D_GLOO
    if (backend == 1) {
      const auto options = c10d::ProcessGroupGloo::Options::create();
      options->timeout = timeout;
      options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(address));
      *out = new mvt_group{c10::make_intrusive<c10d::ProcessGroupGloo>(prefixed, static_cast<int>(rank), static_cast<int>(world), options)};
      return;
    }
#endif
#ifdef USE_C10D_NCCL
    if (backend == 2) {
      const auto options = c10d::ProcessGroupNCCL::Options::create();
      options->timeout = timeout;
      *out = new mvt_group{c10::make_intrusive<c10d::ProcessGroupNCCL>(prefixed, static_cast<int>(rank), static_cast<int>(world), options)};
      return;
    }
#endif
    TORCH_CHECK(false, "this build of libmvtorch has no ", backend == 1 ? "Gloo" : "NCCL", ": the headers were missing when it was made (on Debian: libgloo-dev)");
  });
}

void mvt_group_free(mvt_group* group) { delete group; }

int mvt_group_all_reduce(mvt_group* group, mvt_tensor* tensor, mvt_work** out) {
  return mvt::guarded([&] {
    std::vector<at::Tensor> list{mvt::unwrap(tensor)};
    *out = new mvt_work{group->backend->allreduce(list), list};
  });
}

int mvt_group_broadcast(mvt_group* group, mvt_tensor* tensor, int64_t root, mvt_work** out) {
  return mvt::guarded([&] {
    std::vector<at::Tensor> list{mvt::unwrap(tensor)};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    *out = new mvt_work{group->backend->broadcast(list, options), list};
  });
}

int mvt_group_all_gather(mvt_group* group, const mvt_tensor* tensor, mvt_tensor* const* parts, int64_t count, mvt_work** out) {
  return mvt::guarded([&] {
    std::vector<at::Tensor> input{mvt::unwrap(tensor)};
    std::vector<std::vector<at::Tensor>> output(1);
    for (int64_t i = 0; i < count; i++) output[0].push_back(mvt::unwrap(parts[i]));
    auto kept = output[0];
    kept.push_back(input[0]);
    *out = new mvt_work{group->backend->allgather(output, input), std::move(kept)};
  });
}

int mvt_work_wait(mvt_work* work) {
  return mvt::guarded([&] { work->work->wait(); });
}

void mvt_work_free(mvt_work* work) { delete work; }

int mvt_reducer_create(mvt_group* group, mvt_tensor* const* parameters, int64_t count, int64_t bucket_bytes, mvt_reducer** out) {
  return mvt::guarded([&] {
    std::vector<at::Tensor> list;
    for (int64_t i = 0; i < count; i++) list.push_back(mvt::unwrap(parameters[i]));
    TORCH_CHECK(!list.empty(), "there is nothing to reduce");
    auto result = std::make_unique<mvt_reducer>();
    result->reducer = std::make_shared<Reducer>(group->backend, list, bucket_bytes);
    for (size_t i = 0; i < list.size(); i++) {
      TORCH_CHECK(list[i].is_leaf() && list[i].requires_grad() && list[i].scalar_type() == at::kFloat, "a parameter is a float32 leaf with a gradient");
      auto accumulator = torch::autograd::impl::grad_accumulator(list[i]);
      accumulator->add_post_hook(std::make_unique<torch::autograd::utils::LambdaPostHook>(
          [weak = std::weak_ptr<Reducer>(result->reducer), i](const auto& outputs, const auto&) {
            if (const auto reducer = weak.lock()) reducer->arrived(i);
            return outputs;
          }));
      result->accumulators.push_back(std::move(accumulator));
    }
    *out = result.release();
  });
}

int mvt_reducer_arm(mvt_reducer* reducer) {
  return mvt::guarded([&] { reducer->reducer->arm(); });
}

int mvt_reducer_finish(mvt_reducer* reducer, int64_t* bytes) {
  return mvt::guarded([&] {
    reducer->reducer->finish();
    *bytes = reducer->reducer->bytes();
  });
}

void mvt_reducer_free(mvt_reducer* reducer) { delete reducer; }

#else

namespace {
int missing() {
  return mvt::guarded([] { TORCH_CHECK(false, "this build of libmvtorch has no process groups: its libtorch has none, or Gloo's headers were missing (on Debian: libgloo-dev)"); });
}
}  // namespace

int mvt_distributed_backends(int64_t* backends) { *backends = 0; return 0; }
int mvt_store_open_file(const char*, mvt_store**) { return missing(); }
int mvt_store_open_tcp(const char*, int64_t, int, int64_t, mvt_store**) { return missing(); }
int mvt_store_set(mvt_store*, const char*, const char*, int64_t) { return missing(); }
int mvt_store_get(mvt_store*, const char*, int64_t, const char**, int64_t*) { return missing(); }
int mvt_store_add(mvt_store*, const char*, int64_t, int64_t*) { return missing(); }
void mvt_store_free(mvt_store*) {}
int mvt_group_open(mvt_store*, const char*, int64_t, int64_t, int64_t, const char*, int64_t, mvt_group**) { return missing(); }
void mvt_group_free(mvt_group*) {}
int mvt_group_all_reduce(mvt_group*, mvt_tensor*, mvt_work**) { return missing(); }
int mvt_group_broadcast(mvt_group*, mvt_tensor*, int64_t, mvt_work**) { return missing(); }
int mvt_group_all_gather(mvt_group*, const mvt_tensor*, mvt_tensor* const*, int64_t, mvt_work**) { return missing(); }
int mvt_work_wait(mvt_work*) { return missing(); }
void mvt_work_free(mvt_work*) {}
int mvt_reducer_create(mvt_group*, mvt_tensor* const*, int64_t, int64_t, mvt_reducer**) { return missing(); }
int mvt_reducer_arm(mvt_reducer*) { return missing(); }
int mvt_reducer_finish(mvt_reducer*, int64_t*) { return missing(); }
void mvt_reducer_free(mvt_reducer*) {}

#endif

#include "tiled.h"
#ifdef MVTORCH_ONEDNN
#include "held.h"
#include "share.h"

namespace mvt {
namespace {

constexpr int64_t block = 32;
constexpr int64_t product_rows = 256, mlp_rows = 128;  // of a task: with what becomes of them they stay in the second cache
constexpr int64_t summed_rows = 512;                    // of a part of a product over rows
constexpr int64_t tasks_a_thread = 4;                   // so that a thread that was interrupted does not hold up the others

int64_t whole(int64_t n) { return (n + block - 1) / block * block; }
int64_t divided(int64_t n, int64_t by) { return (n + by - 1) / by; }

// Rows in parts that are nearly equal and, but for the last, of whole blocks.
struct Rows {
  int64_t all, each, parts;

  Rows(int64_t rows, int64_t most) : all(rows), each(whole(divided(rows, divided(rows, most)))), parts(divided(rows, each)) {}
  int64_t first(int64_t part) const { return part * each; }
  int64_t count(int64_t part) const { return std::min(each, all - first(part)); }
};

// Rows of an MLP: fewer a part where there would be too few parts for all threads.
Rows rows_of_mlp(int64_t rows) {
  return Rows(rows, std::min(mlp_rows, whole(divided(rows, at::get_num_threads()))));
}

Matrix rows_from(const at::Tensor& x, int64_t first) { return {floats(x).at(first * x.size(1)), x.size(1), false}; }

// A bias in float32, with zeros up to a whole block.
at::Tensor padded(const Optional& bias, int64_t n) {
  if (!bias) return {};
  auto all = at::zeros({whole(n)}, bias->options().dtype(at::kFloat));
  all.narrow(0, 0, n).copy_(bias->view({-1}));
  return all;
}

constexpr Floats nothing{nullptr, false};

Floats rows_at(const at::Tensor& x, int64_t first) { return x.defined() ? floats(x).at(first * x.size(1)) : nothing; }

const float* start_of(const at::Tensor& floats) { return floats.defined() ? floats.data_ptr<float>() : nullptr; }

at::Tensor pack(const at::Tensor& w, Weight use) {
  const auto stored = w.contiguous();
  const bool transposed = use == Weight::transposed;
  const int64_t n = w.size(transposed ? 0 : 1), k = w.size(transposed ? 1 : 0);
  auto packed = at::empty({tiles()->packed_size(n, k)}, w.options().dtype(at::kBFloat16));
  auto* to = static_cast<uint16_t*>(packed.data_ptr());
  const Matrix from{floats(stored), w.size(1), transposed};
  at::parallel_for(0, divided(n, block), 4, [&](int64_t begin, int64_t end) { tiles()->pack(from, n, k, begin * block, end * block, to); });
  return packed;
}

Held<at::Tensor>& held() {
  static auto* weights = new Held<at::Tensor>;  // never destroyed: tensors may be freed after everything else
  return *weights;
}

at::Tensor packed(const at::Tensor& w, Weight use) {
  return may_be_held(w, use) ? held().find(w, [&] { return pack(w, use); }) : pack(w, use);
}

const uint16_t* halves(const at::Tensor& packed) { return static_cast<const uint16_t*>(packed.data_ptr()); }

}  // namespace

bool multiplies_in_tiles(const at::Tensor& x, const at::Tensor& w) {
  return tiles() && tiles()->outdoes_onednn && x.scalar_type() == at::kBFloat16 && w.scalar_type() == at::kBFloat16;
}

void multiply_packed(const at::Tensor& x, const at::Tensor& right, const at::Tensor& bias, Activation activation, const at::Tensor& plus,
                     const at::Tensor& before, const at::Tensor& y) {
  const int64_t k = x.size(1), n = y.size(1);
  const Rows rows(x.size(0), product_rows);
  // Few rows: their columns are divided as well.
  const int64_t wanted = tasks_a_thread * at::get_num_threads();
  const int64_t columns = rows.parts >= wanted ? n : whole(divided(n, std::min(divided(wanted, rows.parts), divided(n, 4 * block))));
  const int64_t column_parts = divided(n, columns);
  share(rows.parts * column_parts, 1, tiles()->product_scratch(rows.each, k), [&](int64_t task, void* memory) {
    const int64_t part = task / column_parts, first = rows.first(part), column = task % column_parts * columns;
    const Finish finish{start_of(bias), activation, false, rows_at(before, first), rows_at(plus, first), rows_at(y, first)};
    tiles()->product(rows_from(x, first), rows.count(part), k, halves(right), n, column, std::min(n, column + columns), finish, memory);
  });
}

void multiply_in_tiles(const at::Tensor& x, const at::Tensor& w, Weight use, const Optional& b, Activation activation, at::Tensor& y) {
  multiply_packed(x, packed(w, use), padded(b, y.size(1)), activation, {}, {}, y);
}

void trained_linear_in_tiles(const at::Tensor& x, const at::Tensor& w, const Optional& b, Activation activation, const at::Tensor& plus, at::Tensor before,
                             at::Tensor y) {
  multiply_packed(x, pack(w, Weight::transposed), padded(b, y.size(1)), activation, plus, before, y);
}

at::Tensor input_gradient_in_tiles(const at::Tensor& gradient, const at::Tensor& w) {
  auto result = at::empty({gradient.size(0), w.size(1)}, gradient.options());
  multiply_packed(gradient, pack(w, Weight::as_stored), {}, Activation::none, {}, {}, result);
  return result;
}

at::Tensor weight_gradient_in_tiles(const at::Tensor& gradient, const at::Tensor& x) {
  const int64_t n = gradient.size(1), k = x.size(1);
  const Rows rows(x.size(0), summed_rows);
  // Of each part, so that they are added in the same order whatever the threads.
  auto parts = at::empty({rows.parts, n, k}, x.options().dtype(at::kFloat));
  const int64_t packed_bytes = whole(tiles()->packed_size(k, rows.each) * 2);
  share(rows.parts, 1, packed_bytes + tiles()->product_scratch(n, rows.each), [&](int64_t part, void* memory) {
    auto* right = static_cast<uint16_t*>(memory);
    const int64_t first = rows.first(part), count = rows.count(part);
    tiles()->pack(rows_from(x, first), k, count, 0, whole(k), right);
    const Matrix left{rows_at(gradient, first), n, true};
    const Finish finish{nullptr, Activation::none, false, nothing, nothing, rows_at(parts.view({-1, k}), part * n)};
    tiles()->product(left, n, count, right, k, 0, k, finish, static_cast<char*>(memory) + packed_bytes);
  });
  return rows.parts == 1 ? parts[0] : parts.sum(0);
}

void mlp_in_tiles(const at::Tensor& x, const at::Tensor& expand, const Optional& expand_bias, const at::Tensor& contract, const Optional& contract_bias,
                  Activation activation, const at::Tensor& hidden, at::Tensor& y) {
  const int64_t width = x.size(1), between = expand.size(0), out = y.size(1);
  const auto a = packed(expand, Weight::transposed), b = packed(contract, Weight::transposed);
  const auto first_bias = padded(expand_bias, between), second_bias = padded(contract_bias, out);
  const auto rows = rows_of_mlp(x.size(0));
  if (rows.parts < at::get_num_threads()) {  // a query's few tokens: the threads divide the columns
    const auto inner = at::empty({x.size(0), between}, x.options());
    multiply_packed(x, a, first_bias, activation, {}, hidden, inner);
    multiply_packed(inner, b, second_bias, Activation::none, {}, {}, y);
    return;
  }
  share(rows.parts, 1, tiles()->mlp_scratch(rows.each, width, between, out), [&](int64_t part, void* memory) {
    const int64_t at = rows.first(part);
    const Finish first{start_of(first_bias), activation, false, rows_at(hidden, at), nothing, nothing};
    const Finish second{start_of(second_bias), Activation::none, false, nothing, nothing, rows_at(y, at)};
    tiles()->mlp(rows_from(x, at), rows.count(part), width, halves(a), between, first, halves(b), out, second, nullptr, memory);
  });
}

void mlp_in_tiles_backward(const at::Tensor& gradient, const at::Tensor& hidden, const at::Tensor& expand, const at::Tensor& contract, Activation activation,
                           at::Tensor& x, at::Tensor& bias) {
  const int64_t out = gradient.size(1), between = hidden.size(1), width = expand.size(1);
  const auto a = packed(contract, Weight::as_stored);
  const auto b = x.defined() ? packed(expand, Weight::as_stored) : at::Tensor();
  const auto rows = rows_of_mlp(gradient.size(0));
  // Of each part, so that they are added in the same order whatever the threads.
  const auto sums = bias.defined() ? at::zeros({rows.parts, between}, bias.options()) : at::Tensor();
  share(rows.parts, 1, tiles()->mlp_scratch(rows.each, out, between, width), [&](int64_t part, void* memory) {
    const int64_t at = rows.first(part);
    const Finish first{nullptr, activation, true, rows_at(hidden, at), nothing, nothing};
    const Finish second{nullptr, Activation::none, false, nothing, nothing, rows_at(x, at)};
    tiles()->mlp(rows_from(gradient, at), rows.count(part), out, halves(a), between, first, b.defined() ? halves(b) : nullptr, width, second,
                 sums.defined() ? sums.data_ptr<float>() + part * between : nullptr, memory);
  });
  if (bias.defined()) bias.copy_(sums.sum(0));
}

void drop_packed_weights() { held().drop(); }

}  // namespace mvt
#endif

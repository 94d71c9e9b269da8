// Products of bfloat16 by the kernels of tiles.h, divided among threads.
#pragma once
#include "product.h"
#include "tiles.h"

namespace mvt {

// Whether they multiply these: bfloat16, on a processor where they are faster than oneDNN.
bool multiplies_in_tiles(const at::Tensor& x, const at::Tensor& w);

// As multiply() of product.h.
void multiply_in_tiles(const at::Tensor& x, const at::Tensor& w, Weight use, const Optional& b, Activation activation, at::Tensor& y);

// y = second(activation(first(x))): x [M, D], y [M, N]. What stands before the activation is left in hidden, [M, H], where it is defined.
void mlp_in_tiles(const at::Tensor& x, const at::Tensor& expand, const Optional& expand_bias, const at::Tensor& contract, const Optional& contract_bias,
                  Activation activation, const at::Tensor& hidden, at::Tensor& y);

// The gradients of that by x (where it is defined) and by the bias of the expansion (float32 [H], where it is defined).
void mlp_in_tiles_backward(const at::Tensor& gradient, const at::Tensor& hidden, const at::Tensor& expand, const at::Tensor& contract, Activation activation,
                           at::Tensor& x, at::Tensor& bias);

// y = activation(x w^T + b) + plus, of a weight that trains and is float32: multiplied in bfloat16, its exact value stays where it is.
// x [M, K] and y, plus (or undefined) [M, N] bfloat16, w [N, K]. What stands before the activation is left in `before` where it is defined.
void trained_linear_in_tiles(const at::Tensor& x, const at::Tensor& w, const Optional& b, Activation activation, const at::Tensor& plus, at::Tensor before,
                             at::Tensor y);

// gradient w: [M, N] [N, K] -> bfloat16 [M, K].
at::Tensor input_gradient_in_tiles(const at::Tensor& gradient, const at::Tensor& w);

// gradient^T x: [M, N], [M, K] -> float32 [N, K], the gradient by a weight.
at::Tensor weight_gradient_in_tiles(const at::Tensor& gradient, const at::Tensor& x);

// Gives up the copies of weights; they are made again when they are wanted.
void drop_packed_weights();

}  // namespace mvt

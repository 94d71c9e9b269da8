// Products of bfloat16 by the kernels of tiles.h, divided among threads.
#pragma once
#include "product.h"
#include "tiles.h"

namespace mvt {

// Whether they multiply these: bfloat16, on a processor where they are faster than oneDNN.
bool multiplies_in_tiles(const at::Tensor& x, const at::Tensor& w);

// As multiply() of product.h.
void multiply_in_tiles(const at::Tensor& x, const at::Tensor& w, Weight use, const Optional& b, Activation activation, at::Tensor& y);

// y = second(activation(first(x))): x [M, D], y [M, N]. With hidden, [M, H], what stands before the activation is left there.
void mlp_in_tiles(const at::Tensor& x, const at::Tensor& expand, const Optional& expand_bias, const at::Tensor& contract, const Optional& contract_bias,
                  Activation activation, at::Tensor* hidden, at::Tensor& y);

// The gradients of that by x (where it is defined) and by the bias of the expansion (float32 [H], where it is defined).
void mlp_in_tiles_backward(const at::Tensor& gradient, const at::Tensor& hidden, const at::Tensor& expand, const at::Tensor& contract, Activation activation,
                           at::Tensor& x, at::Tensor& bias);

// Gives up the copies of weights; they are made again when they are wanted.
void drop_packed_weights();

}  // namespace mvt

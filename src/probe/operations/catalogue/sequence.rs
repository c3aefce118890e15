//! Recurrent nets, attention and the alignment loss.

use tch::{Reduction, Tensor};

use super::super::case::{Call, Case, call, one};
use super::{Operation, Switches, op};

pub const OPERATIONS: &[Operation] = &[
    op("ctc_loss", "ctc_loss _ctc_loss _ctc_loss_backward _cudnn_ctc_loss", |c| {
        let n = c.pick(4, 32);
        let targets = c.index(&[n, 12], 19) + 1;
        let (inputs, lengths) = (vec![50; n as usize], vec![12; n as usize]);
        call([c.float(&[50, n, 20])], move |x| {
            let likely = x[0].f_log_softmax(2, None)?;
            one(Tensor::f_ctc_loss(&likely, &targets, &inputs, &lengths, 0, Reduction::Sum, false))
        })
    }),
    op("attention", ATTENTION, |c| attention(c, false)).under(Switches::Attention),
    op("attention, causal", ATTENTION, |c| attention(c, true)).under(Switches::Attention),
    op("lstm", "lstm _cudnn_rnn _thnn_fused_lstm_cell", |c| {
        let (n, x, weights) = recurrent(c, 4);
        let state = Tensor::zeros([1, n, 32], c.options());
        call(join(x, weights), move |x| {
            let weights: Vec<&Tensor> = x[1..].iter().collect();
            let (out, h, cell) = x[0].f_lstm(&[&state, &state], &weights, true, 1, 0.0, true, false, false)?;
            Ok(vec![out, h, cell])
        })
    })
    .under(Switches::Cudnn),
    op("gru", "gru _cudnn_rnn _thnn_fused_gru_cell", |c| {
        let (n, x, weights) = recurrent(c, 3);
        let state = Tensor::zeros([1, n, 32], c.options());
        call(join(x, weights), move |x| {
            let (out, h) = x[0].f_gru(&state, &x[1..], true, 1, 0.0, true, false, false)?;
            Ok(vec![out, h])
        })
    })
    .under(Switches::Cudnn),
    op("rnn with tanh", "rnn_tanh _cudnn_rnn", |c| {
        let (n, x, weights) = recurrent(c, 1);
        let state = Tensor::zeros([1, n, 32], c.options());
        call(join(x, weights), move |x| {
            let (out, h) = x[0].f_rnn_tanh(&state, &x[1..], true, 1, 0.0, true, false, false)?;
            Ok(vec![out, h])
        })
    })
    .under(Switches::Cudnn),
];

/// Every kernel of attention, forward and backward.
const ATTENTION: &str = "scaled_dot_product_attention _scaled_dot_product_flash_attention \
_scaled_dot_product_flash_attention_backward _scaled_dot_product_efficient_attention \
_scaled_dot_product_efficient_attention_backward _scaled_dot_product_cudnn_attention \
_scaled_dot_product_cudnn_attention_backward _scaled_dot_product_flash_attention_for_cpu \
_scaled_dot_product_flash_attention_for_cpu_backward _flash_attention_backward _efficient_attention_backward";

/// From some 400 positions on the fused kernels share a gradient of the queries out among blocks, which add up by atomics.
fn attention(c: &mut Case, causal: bool) -> Call {
    let (n, length) = (c.pick(1, 4), c.pick(32, 512));
    let shape = [n, 4, length, 32];
    call([c.float(&shape), c.float(&shape), c.float(&shape)], move |x| {
        let none = None::<Tensor>;
        one(Tensor::f_scaled_dot_product_attention(&x[0], &x[1], &x[2], none, 0.0, causal, None, false))
    })
}

/// Inputs of a recurrent layer of 32 cells with so many gates: batch, sequence, weights and biases.
fn recurrent(c: &mut Case, gates: i64) -> (i64, Tensor, [Tensor; 4]) {
    let n = c.pick(4, 64);
    let rows = gates * 32;
    let x = c.float(&[16, n, 16]);
    let weights =
        [c.float(&[rows, 16]) * 0.2, c.float(&[rows, 32]) * 0.2, c.float(&[rows]) * 0.2, c.float(&[rows]) * 0.2];
    (n, x, weights)
}

fn join(x: Tensor, weights: [Tensor; 4]) -> [Tensor; 5] {
    let [a, b, c, d] = weights;
    [x, a, b, c, d]
}

//! Normalisations and soft maxima, whose gradients sum over batch and space.

use tch::Tensor;

use super::super::case::{call, one};
use super::{Operation, Switches, op};

pub const OPERATIONS: &[Operation] = &[
    op("softmax", "softmax _softmax _softmax_backward_data", |c| {
        call([c.float(&[c.pick(32, 2048), 256])], |x| one(x[0].f_softmax(1, None)))
    }),
    op("log_softmax over rows", "log_softmax _log_softmax _log_softmax_backward_data", |c| {
        call([c.float(&[c.pick(32, 2048), 256])], |x| one(x[0].f_log_softmax(0, None)))
    }),
    op("layer_norm", "layer_norm native_layer_norm native_layer_norm_backward", |c| {
        let n = c.pick(32, 4096);
        call([c.float(&[n, 128]), c.positive(&[128]), c.float(&[128])], |x| {
            one(x[0].f_layer_norm([128i64], Some(&x[1]), Some(&x[2]), 1e-5, true))
        })
    }),
    op("rms_norm", "rms_norm", |c| {
        let n = c.pick(32, 4096);
        call([c.float(&[n, 128]), c.positive(&[128])], |x| one(x[0].f_rms_norm([128i64], Some(&x[1]), 1e-5)))
    }),
    op("group_norm", "group_norm native_group_norm native_group_norm_backward", |c| {
        let n = c.pick(2, 32);
        call([c.float(&[n, 16, 16, 16]), c.positive(&[16]), c.float(&[16])], |x| {
            one(x[0].f_group_norm(4, Some(&x[1]), Some(&x[2]), 1e-5, true))
        })
    }),
    op("batch_norm in training", "batch_norm native_batch_norm native_batch_norm_backward cudnn_batch_norm", |c| {
        let n = c.pick(2, 32);
        call([c.float(&[n, 16, 16, 16]), c.positive(&[16]), c.float(&[16])], |x| {
            one(x[0].f_batch_norm(Some(&x[1]), Some(&x[2]), None::<&Tensor>, None, true, 0.1, 1e-5, true))
        })
    })
    .under(Switches::Cudnn),
    op("instance_norm", "instance_norm", |c| {
        let n = c.pick(2, 32);
        call([c.float(&[n, 16, 16, 16]), c.positive(&[16]), c.float(&[16])], |x| {
            one(x[0].f_instance_norm(Some(&x[1]), Some(&x[2]), None::<&Tensor>, None, true, 0.1, 1e-5, true))
        })
    }),
];

//! Products of matrices, in shapes that split the sum among threads or blocks, and a few decompositions.

use tch::Tensor;

use super::super::case::{call, one, two};
use super::{Operation, op};

pub const OPERATIONS: &[Operation] = &[
    op("mm", "mm", |c| {
        let n = c.pick(48, 256);
        call([c.float(&[n, n]), c.float(&[n, n])], |x| one(x[0].f_mm(&x[1])))
    }),
    op("mm with a long inner side (split-K)", "mm", |c| {
        let k = c.pick(4096, 1 << 17);
        call([c.float(&[8, k]), c.float(&[k, 8])], |x| one(x[0].f_mm(&x[1])))
    }),
    op("addmm", "addmm", |c| {
        let n = c.pick(48, 256);
        call([c.float(&[n]), c.float(&[n, n]), c.float(&[n, n])], |x| one(x[0].f_addmm(&x[1], &x[2])))
    }),
    op("linear", "linear addmm", |c| {
        let n = c.pick(32, 2048);
        call([c.float(&[n, 128]), c.float(&[64, 128]), c.float(&[64])], |x| one(x[0].f_linear(&x[1], Some(&x[2]))))
    }),
    op("bmm", "bmm", |c| {
        let n = c.pick(4, 64);
        call([c.float(&[n, 32, 64]), c.float(&[n, 64, 32])], |x| one(x[0].f_bmm(&x[1])))
    }),
    op("baddbmm", "baddbmm", |c| {
        let n = c.pick(4, 64);
        call([c.float(&[n, 32, 32]), c.float(&[n, 32, 64]), c.float(&[n, 64, 32])], |x| {
            one(x[0].f_baddbmm(&x[1], &x[2], 1.0, 1.0))
        })
    }),
    op("addbmm", "addbmm", |c| {
        let n = c.pick(4, 64);
        call([c.float(&[32, 32]), c.float(&[n, 32, 64]), c.float(&[n, 64, 32])], |x| one(x[0].f_addbmm(&x[1], &x[2])))
    }),
    op("mv", "mv addmv", |c| {
        let n = c.pick(64, 1024);
        call([c.float(&[n, n]), c.float(&[n])], |x| one(x[0].f_mv(&x[1])))
    }),
    op("dot", "dot", |c| {
        let n = c.pick(4096, 1 << 20);
        call([c.float(&[n]), c.float(&[n])], |x| one(x[0].f_dot(&x[1])))
    }),
    op("einsum", "einsum bmm", |c| {
        let n = c.pick(4, 64);
        call([c.float(&[n, 16, 32]), c.float(&[n, 32, 16])], |x| {
            one(Tensor::f_einsum("bij,bjk->ik", &[&x[0], &x[1]], None::<&[i64]>))
        })
    }),
    op("bilinear", "bilinear", |c| {
        let n = c.pick(8, 256);
        call([c.float(&[n, 16]), c.float(&[n, 16]), c.float(&[8, 16, 16])], |x| {
            one(Tensor::f_bilinear(&x[0], &x[1], &x[2], None::<Tensor>))
        })
    }),
    op("cov", "cov", |c| {
        let n = c.pick(256, 1 << 14);
        call([c.float(&[16, n])], |x| one(x[0].f_cov(1, None::<&Tensor>, None)))
    }),
    op("inverse of a matrix", "linalg_inv linalg_inv_ex", |c| {
        let n = c.pick(16, 128);
        let steady = Tensor::eye(n, c.options()) * 4.0;
        call([c.float(&[n, n])], move |x| one(Tensor::f_linalg_inv(&(&x[0] + &steady))))
    }),
    op("qr", "linalg_qr", |c| {
        let n = c.pick(16, 128);
        call([c.float(&[n, n])], |x| two(Tensor::f_linalg_qr(&x[0], "reduced")))
    }),
    op("cholesky", "linalg_cholesky linalg_cholesky_ex", |c| {
        let n = c.pick(16, 128);
        let steady = Tensor::eye(n, c.options()) * 4.0;
        call([c.float(&[n, n])], move |x| one((x[0].f_mm(&x[0].tr())? + &steady).f_linalg_cholesky(false)))
    }),
];

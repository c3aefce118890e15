//! Sums, products, norms and scans: many values into few, in an order that threads and blocks decide.

use tch::{Reduction, Tensor};

use super::super::case::{Case, call, one, two};
use super::{Operation, op};

fn many(c: &Case) -> i64 {
    c.pick(4096, 1 << 20)
}

pub const OPERATIONS: &[Operation] = &[
    op("sum", "sum", |c| call([c.float(&[many(c)])], |x| one(x[0].f_sum(None)))),
    op("sum over rows", "sum", |c| {
        call([c.float(&[many(c) / 64, 64])], |x| one(x[0].f_sum_dim_intlist(Some([0i64].as_slice()), false, None)))
    }),
    op("sum over columns", "sum", |c| {
        call([c.float(&[64, many(c) / 64])], |x| one(x[0].f_sum_dim_intlist(Some([1i64].as_slice()), false, None)))
    }),
    op("mean", "mean", |c| call([c.float(&[many(c)])], |x| one(x[0].f_mean(None)))),
    op("nansum", "nansum", |c| call([c.float(&[many(c)])], |x| one(x[0].f_nansum(None::<&[i64]>, false, None)))),
    op("prod", "prod", |c| call([c.positive(&[c.pick(256, 4096)])], |x| one(x[0].f_prod(None)))),
    op("prod over rows", "prod", |c| {
        call([c.positive(&[many(c) / 64, 64])], |x| one(x[0].f_prod_dim_int(1, false, None)))
    }),
    op("norm", "norm linalg_vector_norm", |c| call([c.float(&[many(c)])], |x| one(x[0].f_norm()))),
    op("norm over rows", "norm linalg_vector_norm", |c| {
        call([c.float(&[many(c) / 64, 64])], |x| one(x[0].f_norm_scalaropt_dim(2, [1i64], false)))
    }),
    op("logsumexp", "logsumexp", |c| call([c.float(&[many(c) / 64, 64])], |x| one(x[0].f_logsumexp([0i64], false)))),
    op("std", "std", |c| call([c.float(&[many(c)])], |x| one(x[0].f_std(true)))),
    op("var", "var", |c| call([c.float(&[many(c)])], |x| one(x[0].f_var(true)))),
    op("trace", "trace", |c| {
        let n = c.pick(64, 1024);
        call([c.float(&[n, n])], |x| one(x[0].f_trace()))
    }),
    op("cumsum", "cumsum", |c| call([c.float(&[many(c)])], |x| one(x[0].f_cumsum(0, None)))),
    op("cumsum over columns", "cumsum", |c| call([c.float(&[64, many(c) / 64])], |x| one(x[0].f_cumsum(1, None)))),
    op("cumprod", "cumprod", |c| call([c.positive(&[many(c) / 64, 64])], |x| one(x[0].f_cumprod(1, None)))),
    op("logcumsumexp", "logcumsumexp _logcumsumexp", |c| {
        call([c.float(&[many(c) / 64, 64])], |x| one(x[0].f_logcumsumexp(1)))
    }),
    op("bincount with weights", "bincount", |c| {
        let n = many(c);
        let i = c.index(&[n], 64);
        call([c.float(&[n])], move |x| one(i.f_bincount(Some(&x[0]), 0)))
    }),
    op("histc", "histc", |c| call([c.float(&[many(c)])], |x| one(x[0].f_histc(64)))),
    op("segment_reduce sum", "segment_reduce", |c| {
        let lengths = Tensor::full([c.pick(64, 1 << 14)], 64, (tch::Kind::Int64, c.options().1));
        let n = lengths.size()[0] * 64;
        call([c.float(&[n])], move |x| {
            one(Tensor::f_segment_reduce(&x[0], "sum", Some(&lengths), None, None, 0, true, 0.0))
        })
    }),
    op("mse_loss", "mse_loss", |c| {
        let target = c.float(&[many(c)]);
        call([c.float(&[many(c)])], move |x| one(x[0].f_mse_loss(&target, Reduction::Mean)))
    }),
    op("binary_cross_entropy_with_logits", "binary_cross_entropy_with_logits", |c| {
        let target = c.mask(&[many(c)]).to_kind(c.options().0);
        call([c.float(&[many(c)])], move |x| {
            let none = None::<&Tensor>;
            one(x[0].f_binary_cross_entropy_with_logits(&target, none, none, Reduction::Mean))
        })
    }),
    op("nll_loss", "nll_loss nll_loss_forward nll_loss_backward", |c| {
        let n = many(c) / 64;
        let target = c.index(&[n], 64);
        call([c.float(&[n, 64])], move |x| one(x[0].f_nll_loss(&target, None::<Tensor>, Reduction::Mean, -100)))
    }),
    op("nll_loss2d", "nll_loss2d nll_loss2d_forward nll_loss2d_backward", |c| {
        let n = c.pick(1, 16);
        let target = c.index(&[n, 32, 32], 8);
        call([c.float(&[n, 8, 32, 32])], move |x| {
            one(x[0].f_nll_loss2d(&target, None::<Tensor>, Reduction::Mean, -100))
        })
    }),
    op("cross_entropy with class weights", "cross_entropy_loss nll_loss_forward", |c| {
        let n = many(c) / 64;
        let target = c.index(&[n], 64);
        let weight = c.positive(&[64]);
        call([c.float(&[n, 64])], move |x| {
            one(x[0].f_cross_entropy_loss(&target, Some(&weight), Reduction::Mean, -100, 0.1))
        })
    }),
    op("kl_div", "kl_div", |c| {
        let target = c.positive(&[many(c)]);
        call([c.float(&[many(c)])], move |x| one(x[0].f_kl_div(&target, Reduction::Sum, false)))
    }),
    op("cosine_similarity", "cosine_similarity", |c| {
        let n = many(c) / 64;
        call([c.float(&[n, 64]), c.float(&[n, 64])], |x| one(Tensor::f_cosine_similarity(&x[0], &x[1], 1, 1e-8)))
    }),
    op("cdist", "cdist _cdist_forward _cdist_backward", |c| {
        let n = c.pick(32, 256);
        call([c.float(&[n, 16]), c.float(&[n, 16])], |x| one(Tensor::f_cdist(&x[0], &x[1], 2.0, 2)))
    }),
    op("cdist of p=1", "cdist _cdist_forward _cdist_backward", |c| {
        let n = c.pick(32, 256);
        call([c.float(&[n, 16]), c.float(&[n, 16])], |x| one(Tensor::f_cdist(&x[0], &x[1], 1.0, None)))
    }),
    op("pdist", "pdist _pdist_forward _pdist_backward", |c| {
        call([c.float(&[c.pick(32, 256), 16])], |x| one(x[0].f_pdist(2.0)))
    }),
    op("prelu", "prelu _prelu_kernel", |c| {
        let n = many(c) / 64;
        call([c.float(&[n, 64]), c.positive(&[64])], |x| one(x[0].f_prelu(&x[1])))
    }),
    op("maximum over rows with ties", "max amax", |c| {
        call([c.ties(&[many(c) / 64, 64])], |x| two(x[0].f_max_dim(1, false)))
    }),
];

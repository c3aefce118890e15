//! Operations that put values in order or pick one of several equal ones.

use super::super::case::{Case, call, one, three, two};
use super::{Operation, op};

fn many(c: &Case) -> i64 {
    c.pick(4096, 1 << 18)
}

pub const OPERATIONS: &[Operation] = &[
    op("sort with ties", "sort", |c| call([c.ties(&[many(c)])], |x| two(x[0].f_sort(0, false)))),
    op("sort of rows with ties", "sort", |c| call([c.ties(&[many(c) / 64, 64])], |x| two(x[0].f_sort(1, true)))),
    op("argsort with ties", "argsort", |c| call([c.ties(&[many(c)])], |x| one(x[0].f_argsort(0, false)))),
    op("topk with ties", "topk", |c| call([c.ties(&[many(c)])], |x| two(x[0].f_topk(64, 0, true, true)))),
    op("kthvalue with ties", "kthvalue", |c| {
        call([c.ties(&[many(c) / 64, 64])], |x| two(x[0].f_kthvalue(9, 1, false)))
    }),
    op("median", "median", |c| call([c.float(&[many(c)])], |x| one(x[0].f_median()))),
    op("median with indices and ties", "median", |c| {
        call([c.ties(&[many(c) / 64, 64])], |x| two(x[0].f_median_dim(1, false)))
    }),
    op("mode with ties", "mode", |c| call([c.ties(&[many(c) / 64, 64])], |x| two(x[0].f_mode(1, false)))),
    op("unique", "unique_dim", |c| call([c.ties(&[many(c)])], |x| three(x[0].f_unique_dim(0, true, true, true)))),
    op("unique_consecutive", "unique_consecutive", |c| {
        call([c.ties(&[many(c)])], |x| three(x[0].f_unique_consecutive(true, true, None)))
    }),
    op("argmax with ties", "argmax", |c| call([c.ties(&[many(c)])], |x| one(x[0].f_argmax(None, false)))),
    op("nonzero", "nonzero", |c| call([c.ties(&[many(c)])], |x| one(x[0].f_nonzero()))),
];

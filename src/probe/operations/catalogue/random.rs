//! Operations that draw random numbers; libtorch's generators are seeded with the same number before every call.

use tch::{Kind, Tensor};

use super::super::case::{Case, call, one};
use super::{Operation, op};

fn many(c: &Case) -> i64 {
    c.pick(4096, 1 << 19)
}

pub const OPERATIONS: &[Operation] = &[
    op("rand", "rand uniform", |c| {
        let (n, options) = (many(c), c.options());
        call([], move |_| one(Tensor::f_rand([n], options)))
    }),
    op("randn", "randn normal", |c| {
        let (n, options) = (many(c), c.options());
        call([], move |_| one(Tensor::f_randn([n], options)))
    }),
    op("randint", "randint random", |c| {
        let (n, device) = (many(c), c.options().1);
        call([], move |_| one(Tensor::f_randint(1000, [n], (Kind::Int64, device))))
    }),
    op("randperm", "randperm", |c| {
        let (n, device) = (many(c), c.options().1);
        call([], move |_| one(Tensor::f_randperm(n, (Kind::Int64, device))))
    }),
    op("exponential", "exponential", |c| {
        let (n, options) = (many(c), c.options());
        call([], move |_| one(Tensor::f_empty([n], options)?.f_exponential_(1.0)))
    }),
    op("bernoulli", "bernoulli", |c| {
        let half = c.positive(&[many(c)]) * 0.5;
        call([], move |_| one(half.f_bernoulli()))
    }),
    op("poisson", "poisson", |c| {
        let rate = c.positive(&[many(c)]);
        call([], move |_| one(rate.f_poisson()))
    }),
    op("multinomial", "multinomial", |c| {
        let weight = c.positive(&[c.pick(16, 512), 64]);
        call([], move |_| one(weight.f_multinomial(16, false)))
    }),
    op("multinomial with replacement", "multinomial", |c| {
        let weight = c.positive(&[c.pick(16, 512), 64]);
        call([], move |_| one(weight.f_multinomial(16, true)))
    }),
    op("dropout", "dropout native_dropout", |c| call([c.float(&[many(c)])], |x| one(x[0].f_dropout(0.5, true)))),
];

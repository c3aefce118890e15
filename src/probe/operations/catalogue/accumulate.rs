//! Operations that add many values into one place, and those whose gradients do.

use tch::Tensor;

use super::super::case::{Case, call, one};
use super::{Operation, op};

/// Places that are added into: few, so that every one gets many values.
const PLACES: i64 = 64;

/// How many values are added.
fn many(c: &Case) -> i64 {
    c.pick(4096, 1 << 20)
}

pub const OPERATIONS: &[Operation] = &[
    op("index_add", "index_add", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES]), c.float(&[n])], move |x| one(x[0].f_index_add(0, &i, &x[1])))
    }),
    op("index_add of rows", "index_add", |c| {
        let n = many(c) / 32;
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES, 32]), c.float(&[n, 32])], move |x| one(x[0].f_index_add(0, &i, &x[1])))
    }),
    op("index_copy with duplicates", "index_copy", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES]), c.float(&[n])], move |x| one(x[0].f_index_copy(0, &i, &x[1])))
    }),
    op("index_fill", "index_fill", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES, 8])], move |x| one(x[0].f_index_fill(0, &i, 0.5)))
    }),
    op("index_put accumulate", "index_put _index_put_impl", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES]), c.float(&[n])], move |x| one(x[0].f_index_put(&[Some(&i)], &x[1], true)))
    }),
    op("index_put with duplicates", "index_put _index_put_impl", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES]), c.float(&[n])], move |x| one(x[0].f_index_put(&[Some(&i)], &x[1], false)))
    }),
    op("index (x[i]) and its gradient", "index _index_put_impl index_put", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES])], move |x| one(x[0].f_index(&[Some(&i)])))
    }),
    op("index_select and its gradient", "index_select index_add", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES])], move |x| one(x[0].f_index_select(0, &i)))
    }),
    op("regions gathered from a map", "index _index_put_impl index_put", |c| {
        let n = c.pick(64, 4096);
        let (row, column) = (c.index(&[n, 7], 32), c.index(&[n, 7], 32));
        let rows = row.unsqueeze(2);
        let columns = column.unsqueeze(1);
        call([c.float(&[8, 32, 32])], move |x| one(x[0].f_index(&[None, Some(&rows), Some(&columns)])))
    }),
    op("put accumulate", "put", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES]), c.float(&[n])], move |x| one(x[0].f_put(&i, &x[1], true)))
    }),
    op("put with duplicates", "put", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES]), c.float(&[n])], move |x| one(x[0].f_put(&i, &x[1], false)))
    }),
    op("take and its gradient", "take put", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES])], move |x| one(x[0].f_take(&i)))
    }),
    op("take_along_dim and its gradient", "take_along_dim gather scatter_add", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES])], move |x| one(x[0].f_take_along_dim(&i, 0)))
    }),
    op("gather and its gradient", "gather scatter_add", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES])], move |x| one(x[0].f_gather(0, &i, false)))
    }),
    op("scatter with duplicates", "scatter", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES]), c.float(&[n])], move |x| one(x[0].f_scatter(0, &i, &x[1])))
    }),
    op("scatter_add", "scatter_add", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES]), c.float(&[n])], move |x| one(x[0].f_scatter_add(0, &i, &x[1])))
    }),
    op("scatter_add of rows", "scatter_add", |c| {
        let n = many(c) / 32;
        let i = c.index(&[n, 32], PLACES);
        call([c.float(&[PLACES, 32]), c.float(&[n, 32])], move |x| one(x[0].f_scatter_add(0, &i, &x[1])))
    }),
    op("scatter_reduce sum", "scatter_reduce", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES]), c.float(&[n])], move |x| scatter_reduce(x, &i, "sum"))
    }),
    op("scatter_reduce prod", "scatter_reduce", |c| {
        let n = many(c).min(1 << 16);
        let i = c.index(&[n], n / 8);
        call([c.positive(&[n / 8]), c.positive(&[n])], move |x| scatter_reduce(x, &i, "prod"))
    }),
    op("scatter_reduce mean", "scatter_reduce", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES]), c.float(&[n])], move |x| scatter_reduce(x, &i, "mean"))
    }),
    op("scatter_reduce amax", "scatter_reduce", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES]), c.ties(&[n])], move |x| scatter_reduce(x, &i, "amax"))
    }),
    op("scatter_reduce amin", "scatter_reduce", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES]), c.ties(&[n])], move |x| scatter_reduce(x, &i, "amin"))
    }),
    op("index_reduce prod", "index_reduce", |c| {
        let n = many(c).min(1 << 16);
        let i = c.index(&[n], n / 8);
        call([c.positive(&[n / 8]), c.positive(&[n])], move |x| one(x[0].f_index_reduce(0, &i, &x[1], "prod", true)))
    }),
    op("index_reduce mean", "index_reduce", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES]), c.float(&[n])], move |x| one(x[0].f_index_reduce(0, &i, &x[1], "mean", true)))
    }),
    op("index_reduce amax", "index_reduce", |c| {
        let n = many(c);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES]), c.ties(&[n])], move |x| one(x[0].f_index_reduce(0, &i, &x[1], "amax", true)))
    }),
    op("masked_scatter", "masked_scatter", |c| {
        let n = many(c);
        let m = c.mask(&[n]);
        call([c.float(&[n]), c.float(&[n])], move |x| one(x[0].f_masked_scatter(&m, &x[1])))
    }),
    op("masked_select and its gradient", "masked_select masked_scatter", |c| {
        let n = many(c);
        let m = c.mask(&[n]);
        call([c.float(&[n])], move |x| one(x[0].f_masked_select(&m)))
    }),
    op("repeat_interleave and its gradient", "repeat_interleave index_select index_add", |c| {
        let n = c.pick(1024, 1 << 17);
        let repeats = c.index(&[n], 8);
        call([c.float(&[n])], move |x| one(x[0].f_repeat_interleave_self_tensor(&repeats, 0, None)))
    }),
    op("overlapping windows (unfold) and their gradient", "unfold unfold_backward", |c| {
        let n = many(c) / 8;
        call([c.float(&[n])], |x| one(x[0].f_unfold(0, 16, 1)))
    }),
    op("col2im", "col2im", |c| {
        let n = c.pick(1, 32);
        call([c.float(&[n, 8 * 9, 14 * 14])], |x| one(x[0].f_col2im([16, 16], [3, 3], [1, 1], [0, 0], [1, 1])))
    }),
    op("embedding and its gradient", "embedding embedding_dense_backward", |c| {
        let n = c.pick(512, 1 << 15);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES, 32])], move |x| one(Tensor::f_embedding(&x[0], &i, -1, false, false)))
    }),
    op("embedding scaled by frequency", "embedding embedding_dense_backward", |c| {
        let n = c.pick(512, 1 << 15);
        let i = c.index(&[n], PLACES);
        call([c.float(&[PLACES, 32])], move |x| one(Tensor::f_embedding(&x[0], &i, -1, true, false)))
    }),
    op("embedding_bag sum", "_embedding_bag _embedding_bag_dense_backward", |c| bag(c, 0)),
    op("embedding_bag mean", "_embedding_bag _embedding_bag_dense_backward", |c| bag(c, 1)),
    op("embedding_bag max", "_embedding_bag _embedding_bag_dense_backward", |c| bag(c, 2)),
];

/// Bags of 8 words each; mode 0 sums, 1 averages, 2 takes the maximum.
fn bag(c: &mut Case, mode: i64) -> super::Call {
    let bags = c.pick(64, 1 << 12);
    let i = c.index(&[bags * 8], PLACES);
    let offsets = Tensor::arange_start_step(0, bags * 8, 8, (tch::Kind::Int64, c.options().1));
    call([c.float(&[PLACES, 32])], move |x| {
        let found = Tensor::f_embedding_bag(&x[0], &i, &offsets, false, mode, false, None::<Tensor>, false)?;
        Ok(vec![found.0])
    })
}

/// `scatter_reduce` as Python's tensors have it: tch calls it so, and gives its plain name to the older `scatter` with a
/// reduction, which knows neither of these.
fn scatter_reduce(x: &[Tensor], i: &Tensor, how: &str) -> Result<Vec<Tensor>, tch::TchError> {
    one(x[0].f_internal_scatter_reduce(0, i, &x[1], how, true))
}

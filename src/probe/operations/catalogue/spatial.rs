//! Convolution, pooling, padding, resizing and sampling in one to three dimensions.

use tch::Tensor;

use super::super::case::{call, one, two};
use super::{Operation, Switches, op};

const NO: Option<Tensor> = None;

pub const OPERATIONS: &[Operation] = &[
    op("conv1d", "conv1d convolution convolution_backward cudnn_convolution", |c| {
        let n = c.pick(2, 16);
        call([c.float(&[n, 8, 256]), c.float(&[16, 8, 5])], |x| one(x[0].f_conv1d(&x[1], NO, [1], [2], [1], 1)))
    })
    .under(Switches::Cudnn),
    op("conv2d", "conv2d convolution convolution_backward cudnn_convolution", |c| {
        let n = c.pick(2, 32);
        call([c.float(&[n, 8, 28, 28]), c.float(&[16, 8, 3, 3])], |x| {
            one(x[0].f_conv2d(&x[1], NO, [1, 1], [1, 1], [1, 1], 1))
        })
    })
    .under(Switches::Cudnn),
    op("conv2d with strides", "conv2d convolution convolution_backward cudnn_convolution", |c| {
        let n = c.pick(2, 32);
        call([c.float(&[n, 8, 28, 28]), c.float(&[16, 8, 5, 5])], |x| {
            one(x[0].f_conv2d(&x[1], NO, [2, 2], [2, 2], [1, 1], 1))
        })
    })
    .under(Switches::Cudnn),
    op("conv2d by channel", "conv2d convolution convolution_backward _conv_depthwise2d", |c| {
        let n = c.pick(2, 32);
        call([c.float(&[n, 16, 28, 28]), c.float(&[16, 1, 3, 3])], |x| {
            one(x[0].f_conv2d(&x[1], NO, [1, 1], [1, 1], [1, 1], 16))
        })
    })
    .under(Switches::Cudnn),
    op("conv3d", "conv3d convolution convolution_backward cudnn_convolution", |c| {
        let n = c.pick(1, 4);
        call([c.float(&[n, 4, 12, 12, 12]), c.float(&[8, 4, 3, 3, 3])], |x| {
            one(x[0].f_conv3d(&x[1], NO, [1, 1, 1], [1, 1, 1], [1, 1, 1], 1))
        })
    })
    .under(Switches::Cudnn),
    op("conv_transpose1d", "conv_transpose1d convolution convolution_backward", |c| {
        let n = c.pick(2, 16);
        call([c.float(&[n, 8, 128]), c.float(&[8, 16, 4])], |x| {
            one(x[0].f_conv_transpose1d(&x[1], NO, [2], [1], [0], 1, [1]))
        })
    })
    .under(Switches::Cudnn),
    op("conv_transpose2d", "conv_transpose2d convolution convolution_backward", |c| {
        let n = c.pick(2, 32);
        call([c.float(&[n, 8, 14, 14]), c.float(&[8, 16, 4, 4])], |x| {
            one(x[0].f_conv_transpose2d(&x[1], NO, [2, 2], [1, 1], [0, 0], 1, [1, 1]))
        })
    })
    .under(Switches::Cudnn),
    op("conv_transpose3d", "conv_transpose3d convolution convolution_backward", |c| {
        let n = c.pick(1, 4);
        call([c.float(&[n, 4, 6, 6, 6]), c.float(&[4, 8, 4, 4, 4])], |x| {
            one(x[0].f_conv_transpose3d(&x[1], NO, [2, 2, 2], [1, 1, 1], [0, 0, 0], 1, [1, 1, 1]))
        })
    })
    .under(Switches::Cudnn),
    op("max_pool1d", "max_pool1d max_pool1d_with_indices", |c| {
        call([c.float(&[c.pick(2, 64), 8, 256])], |x| one(x[0].f_max_pool1d([3], [2], [1], [1], false)))
    }),
    op("max_pool2d with ties", "max_pool2d max_pool2d_with_indices max_pool2d_with_indices_backward", |c| {
        call([c.ties(&[c.pick(2, 32), 8, 28, 28])], |x| one(x[0].f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)))
    }),
    op("max_pool3d", "max_pool3d max_pool3d_with_indices max_pool3d_with_indices_backward", |c| {
        call([c.float(&[c.pick(1, 8), 4, 12, 12, 12])], |x| {
            one(x[0].f_max_pool3d([3, 3, 3], [2, 2, 2], [1, 1, 1], [1, 1, 1], false))
        })
    }),
    op("avg_pool1d", "avg_pool1d", |c| {
        call([c.float(&[c.pick(2, 64), 8, 256])], |x| one(x[0].f_avg_pool1d([3], [2], [1], false, true)))
    }),
    op("avg_pool2d", "avg_pool2d avg_pool2d_backward", |c| {
        call([c.float(&[c.pick(2, 32), 8, 28, 28])], |x| {
            one(x[0].f_avg_pool2d([3, 3], [2, 2], [1, 1], false, true, None))
        })
    }),
    op("avg_pool3d", "avg_pool3d avg_pool3d_backward", |c| {
        call([c.float(&[c.pick(1, 8), 4, 12, 12, 12])], |x| {
            one(x[0].f_avg_pool3d([3, 3, 3], [2, 2, 2], [1, 1, 1], false, true, None))
        })
    }),
    op("adaptive_avg_pool2d", "adaptive_avg_pool2d _adaptive_avg_pool2d _adaptive_avg_pool2d_backward", |c| {
        call([c.float(&[c.pick(2, 32), 8, 28, 28])], |x| one(x[0].f_adaptive_avg_pool2d([5, 5])))
    }),
    op("adaptive_avg_pool3d", "adaptive_avg_pool3d _adaptive_avg_pool3d _adaptive_avg_pool3d_backward", |c| {
        call([c.float(&[c.pick(1, 8), 4, 12, 12, 12])], |x| one(x[0].f_adaptive_avg_pool3d([5, 5, 5])))
    }),
    op("adaptive_max_pool2d", "adaptive_max_pool2d adaptive_max_pool2d_backward", |c| {
        call([c.ties(&[c.pick(2, 32), 8, 28, 28])], |x| two(x[0].f_adaptive_max_pool2d([5, 5])))
    }),
    op("adaptive_max_pool3d", "adaptive_max_pool3d adaptive_max_pool3d_backward", |c| {
        call([c.ties(&[c.pick(1, 8), 4, 12, 12, 12])], |x| two(x[0].f_adaptive_max_pool3d([5, 5, 5])))
    }),
    op("fractional_max_pool2d", "fractional_max_pool2d fractional_max_pool2d_backward", |c| {
        let n = c.pick(2, 32);
        let samples = c.positive(&[n, 8, 2]) - 0.5;
        call([c.float(&[n, 8, 28, 28])], move |x| two(x[0].f_fractional_max_pool2d([3, 3], [12, 12], &samples)))
    }),
    op("fractional_max_pool3d", "fractional_max_pool3d fractional_max_pool3d_backward", |c| {
        let n = c.pick(1, 8);
        let samples = c.positive(&[n, 4, 3]) - 0.5;
        call([c.float(&[n, 4, 12, 12, 12])], move |x| two(x[0].f_fractional_max_pool3d([3, 3, 3], [5, 5, 5], &samples)))
    }),
    op("max_unpool2d with duplicates", "max_unpool2d", |c| {
        let n = c.pick(2, 32);
        let i = c.index(&[n, 8, 14, 14], 28 * 28);
        call([c.float(&[n, 8, 14, 14])], move |x| one(x[0].f_max_unpool2d(&i, [28, 28])))
    }),
    op("reflection_pad1d", "reflection_pad1d reflection_pad1d_backward", |c| {
        call([c.float(&[c.pick(2, 64), 8, 256])], |x| one(x[0].f_reflection_pad1d([9, 9])))
    }),
    op("reflection_pad2d", "reflection_pad2d reflection_pad2d_backward", |c| {
        call([c.float(&[c.pick(2, 32), 8, 28, 28])], |x| one(x[0].f_reflection_pad2d([9, 9, 9, 9])))
    }),
    op("reflection_pad3d", "reflection_pad3d reflection_pad3d_backward", |c| {
        call([c.float(&[c.pick(1, 8), 4, 12, 12, 12])], |x| one(x[0].f_reflection_pad3d([4, 4, 4, 4, 4, 4])))
    }),
    op("replication_pad1d", "replication_pad1d replication_pad1d_backward", |c| {
        call([c.float(&[c.pick(2, 64), 8, 256])], |x| one(x[0].f_replication_pad1d([9, 9])))
    }),
    op("replication_pad2d", "replication_pad2d replication_pad2d_backward", |c| {
        call([c.float(&[c.pick(2, 32), 8, 28, 28])], |x| one(x[0].f_replication_pad2d([9, 9, 9, 9])))
    }),
    op("replication_pad3d", "replication_pad3d replication_pad3d_backward", |c| {
        call([c.float(&[c.pick(1, 8), 4, 12, 12, 12])], |x| one(x[0].f_replication_pad3d([4, 4, 4, 4, 4, 4])))
    }),
    op("upsample_nearest1d", "upsample_nearest1d upsample_nearest1d_backward", |c| {
        call([c.float(&[c.pick(2, 64), 8, 128])], |x| one(x[0].f_upsample_nearest1d([331], None)))
    }),
    op("upsample_nearest2d", "upsample_nearest2d upsample_nearest2d_backward", |c| {
        call([c.float(&[c.pick(2, 32), 8, 14, 14])], |x| one(x[0].f_upsample_nearest2d([37, 37], None, None)))
    }),
    op("upsample_nearest3d", "upsample_nearest3d upsample_nearest3d_backward", |c| {
        call([c.float(&[c.pick(1, 8), 4, 8, 8, 8])], |x| one(x[0].f_upsample_nearest3d([19, 19, 19], None, None, None)))
    }),
    op("upsample_linear1d", "upsample_linear1d upsample_linear1d_backward", |c| {
        call([c.float(&[c.pick(2, 64), 8, 128])], |x| one(x[0].f_upsample_linear1d([331], false, None)))
    }),
    op("upsample_bilinear2d", "upsample_bilinear2d upsample_bilinear2d_backward", |c| {
        call([c.float(&[c.pick(2, 32), 8, 14, 14])], |x| one(x[0].f_upsample_bilinear2d([37, 37], false, None, None)))
    }),
    op("upsample_bicubic2d", "upsample_bicubic2d upsample_bicubic2d_backward", |c| {
        call([c.float(&[c.pick(2, 32), 8, 14, 14])], |x| one(x[0].f_upsample_bicubic2d([37, 37], false, None, None)))
    }),
    op("upsample_trilinear3d", "upsample_trilinear3d upsample_trilinear3d_backward", |c| {
        call([c.float(&[c.pick(1, 8), 4, 8, 8, 8])], |x| {
            one(x[0].f_upsample_trilinear3d([19, 19, 19], false, None, None, None))
        })
    }),
    op("grid_sample 2d", "grid_sampler grid_sampler_2d grid_sampler_2d_backward", |c| {
        let n = c.pick(2, 32);
        call([c.float(&[n, 8, 14, 14]), c.float(&[n, 28, 28, 2])], |x| one(x[0].f_grid_sampler(&x[1], 0, 0, false)))
    }),
    op("grid_sample 3d", "grid_sampler grid_sampler_3d grid_sampler_3d_backward", |c| {
        let n = c.pick(1, 4);
        call(
            [c.float(&[n, 4, 8, 8, 8]), c.float(&[n, 12, 12, 12, 3])],
            |x| one(x[0].f_grid_sampler(&x[1], 0, 0, false)),
        )
    }),
];

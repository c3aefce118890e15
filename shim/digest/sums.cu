// Weighted sums of many pieces of memory in one launch; what they mean is said in repro_audit_shim/card.py, whose
// `weights` are these.
//
// The shim carries what comes of this file as repro_audit_shim/sums.ptx, which the driver compiles for its card:
//
//     nvcc -ptx -arch=compute_75 sums.cu && sed -i 's/^\.version .*/.version 6.3/; s/^\.target .*/.target sm_60/' sums.ptx
//
// The older version and target keep older drivers and cards in; nothing newer is used.
typedef unsigned long long u64;
struct Piece { const unsigned char* data; u64 told; };  // told: the lanes, and from bit 56 on the bytes of one
struct Pieces { Piece at[240]; };

const u64 STEP = 0x9E3779B97F4A7C15ull;

// The weight of lane i, from (i + 1) * STEP.
__device__ __forceinline__ u64 weight(u64 x) {
    x = (x ^ (x >> 31)) * 0xBF58476D1CE4E5B9ull;
    return (x ^ (x >> 29)) | 1;
}

// Sixteen bytes at a time where they begin at a multiple of sixteen, as all that an allocator gives out does.
template <typename T> __device__ __forceinline__ u64 part(const unsigned char* data, u64 n) {
    const u64 me = blockIdx.x * (u64)blockDim.x + threadIdx.x, all = (u64)gridDim.x * blockDim.x;
    const T* lanes = reinterpret_cast<const T*>(data);
    const unsigned wide = 16 / sizeof(T);
    u64 sum = 0, done = 0;
    if (((u64)data & 15) == 0) {
        const uint4* words = reinterpret_cast<const uint4*>(data);
        const u64 count = n / wide, stride = all * wide * STEP;
        u64 x = (me * wide + 1) * STEP;
        for (u64 i = me; i < count; i += all, x += stride) {
            const uint4 word = __ldg(words + i);
            const T* some = reinterpret_cast<const T*>(&word);
#pragma unroll
            for (unsigned k = 0; k < wide; k++) sum += (u64)(long long)some[k] * weight(x + k * STEP);
        }
        done = count * wide;
    }
    for (u64 i = done + me; i < n; i += all) sum += (u64)(long long)lanes[i] * weight((i + 1) * STEP);
    return sum;
}

extern "C" __global__ void repro_audit_sums(u64* out, const Pieces pieces) {
    const Piece piece = pieces.at[blockIdx.y];
    const u64 n = piece.told & 0x00FFFFFFFFFFFFFFull;
    const unsigned kind = (unsigned)(piece.told >> 56);
    u64 sum = 0;
    if (kind == 4) sum = part<int>(piece.data, n);
    else if (kind == 2) sum = part<short>(piece.data, n);
    else sum = part<unsigned char>(piece.data, n);
    for (int away = 16; away; away >>= 1) sum += __shfl_down_sync(0xFFFFFFFFu, sum, away);
    if ((threadIdx.x & 31) == 0 && sum) atomicAdd(out + blockIdx.y, sum);
}

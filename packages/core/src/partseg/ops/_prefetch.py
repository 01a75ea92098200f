"""A hint to the processor, for kernels whose next rows are known before they are needed."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def prefetch(typing_context, array, row, column):
    """Start loading the cache line of `array[row, column]` (2-D array) without waiting for it; changes no value."""
    signature = types.void(array, types.intp, types.intp)

    def generate(context, builder, sig, args):
        struct = context.make_array(sig.args[0])(context, builder, args[0])
        pointer = cgutils.get_item_pointer(context, builder, sig.args[0], struct, list(args[1:]), wraparound=False)
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        hint = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag]), "llvm.prefetch.p0"
        )
        # for reading, into the second cache level (the first has too few places for lines on their way), data cache
        builder.call(hint, [builder.bitcast(pointer, byte), flag(0), flag(2), flag(1)])
        return context.get_dummy_value()

    return signature, generate

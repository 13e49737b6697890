# SPDX-License-Identifier: BSD-3-Clause
"""The expression language as NumPy evaluates it: the same text, by Python's eval.

Where NumPy 1.24 differs from NumPy 2, or NumPy has no such function, the rule is written out here by hand; what the
library documents as its own (float32 where NumPy has float16, the Philox stream) as well.
"""
import ast
import contextlib
import resource
import warnings

import numpy as np

DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "float32", "float64", "complex64", "complex128"]
HUGE = 300 << 20
SAME = ("add subtract multiply divide true_divide floor_divide remainder mod power negative absolute minimum maximum "
        "sum mean var std dot zeros_like ones_like argmin argmax any all transpose swapaxes flip broadcast_to "
        "expand_dims squeeze reshape ravel concatenate stack matmul zeros ones full arange float32 float64 int8 int16 "
        "int32 int64 uint8 uint16 uint32 uint64 complex64 complex128 newaxis equal not_equal less less_equal greater "
        "greater_equal bitwise_and bitwise_or bitwise_xor invert bitwise_not isnan amin amax nansum nanmean nanvar nanstd "
        "nanmin nanmax").split()


def is_python(value):
    """A number of Python's, not one of NumPy's (float64 is a subclass of float)."""
    return type(value) in (bool, int, float, complex)


def where(condition, x, y):
    """NumPy 2's: Python's numbers are weak (NEP 50). NumPy 1.24 lets them decide."""
    if is_python(x) and is_python(y):
        widest = max((bool, int, float, complex).index(type(v)) for v in (x, y))
        dtype = np.dtype(("bool", "int64", "float64", "complex128")[widest])
    elif is_python(x) or is_python(y):
        weak, array = (x, y) if is_python(x) else (y, x)
        kind = np.asarray(array).dtype
        order = "biufc".index
        needs = {bool: "b", int: "i", float: "f", complex: "c"}[type(weak)]
        if kind.kind in "iu" and needs == "i":
            info = np.iinfo(kind)
            if not info.min <= weak <= info.max:
                raise OverflowError(weak)
        if order(kind.kind) >= order(needs):
            dtype = kind
        elif needs == "c":
            dtype = np.dtype("complex64" if kind == np.float32 else "complex128")
        else:
            dtype = np.dtype("int64" if needs == "i" else "float64")
    else:
        dtype = np.result_type(np.asarray(x).dtype, np.asarray(y).dtype)
    return np.where(condition, np.asarray(x).astype(dtype), np.asarray(y).astype(dtype))


def real_function(name):
    """NumPy computes bool and 8-bit integers in float16; here they give float32."""
    function = getattr(np, name)

    def call(x):
        if isinstance(x, (np.ndarray, np.generic)) and x.dtype.itemsize == 1:
            return function(x.astype(np.float32))
        return function(x)
    return call


def philox(index, seed):
    """Words of Philox 4x32-10, counter {index, 0, 0}, key {seed} (Salmon et al., SC11), as four uint64 arrays."""
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    c = [index & low, index >> half, np.zeros_like(index), np.zeros_like(index)]
    key = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        p, q = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(q >> half) ^ c[1] ^ np.uint64(key[0]), q & low, (p >> half) ^ c[3] ^ np.uint64(key[1]), p & low]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def random_uniform(shape, seed=0, dtype=np.float64):
    """Element i, counted in C order, is made of block i of the seed's stream."""
    shape = shape if isinstance(shape, tuple) else (shape,)
    w = philox(np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.uint64), seed)
    if np.dtype(dtype) == np.float32:
        values = (w[0] >> np.uint64(8)).astype(np.float32) * np.float32(2.0 ** -24)
    else:
        values = ((w[1] << np.uint64(32) | w[0]) >> np.uint64(11)).astype(np.float64) * 2.0 ** -53
    return values.reshape(shape)


def clip(a, low=None, high=None):
    """As two steps; NumPy's takes the limits into the promotion one by one as well."""
    if low is not None:
        a = np.maximum(a, low)
    return a if high is None else np.minimum(a, high)


def place_of(extreme):
    """The first place of nanmin or nanmax. NumPy raises where there is only NaN, and finds one beside infinities."""
    def call(a, axis=None, keepdims=False):
        found = a == extreme(a, axis=axis, keepdims=True)
        there = np.any(found, axis=axis, keepdims=keepdims)
        return np.where(there, np.argmax(found, axis=axis, keepdims=keepdims), -1)
    return call


def rechunk(a, chunks):
    """The same array; chunks that do not fit its rank are an error."""
    if len(chunks) != a.ndim or any(c < 1 and c != -1 for c in chunks):
        raise ValueError(chunks)
    return a


NAMESPACE = {name: getattr(np, name) for name in SAME}
NAMESPACE.update({name: real_function(name) for name in "sqrt exp log sin cos".split()})
NAMESPACE.update(nanargmin=place_of(np.nanmin), nanargmax=place_of(np.nanmax))
NAMESPACE.update(max=np.max, min=np.min, abs=np.abs, bool=np.bool_, where=where, random_uniform=random_uniform, clip=clip,
                 rechunk=rechunk, concat=np.concatenate, astype=lambda x, dtype: x.astype(dtype),
                 __builtins__={"__import__": __import__})


def mapped():
    """Bytes of address space that this process has mapped."""
    with open("/proc/self/statm", encoding="ascii") as f:
        return int(f.read().split()[0]) * resource.getpagesize()


@contextlib.contextmanager
def little_memory():
    """Within it what is huge gives a MemoryError instead of a busy machine."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (mapped() + HUGE, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def evaluate(text, names):
    """NumPy's value of an expression, or the exception that it raises."""
    with little_memory(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        # NumPy 1.24 gives False where shapes do not fit a comparison, NumPy 2 raises.
        warnings.filterwarnings("error", "elementwise comparison failed", DeprecationWarning)
        try:
            return np.asarray(eval(text, NAMESPACE, names))  # pylint: disable=eval-used
        except Exception as error:  # pylint: disable=broad-except
            return error


OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
             ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.MatMult: "@", ast.USub: "unary -",
             ast.UAdd: "unary +", ast.Invert: "~", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==",
             ast.NotEq: "!="}


def number(node):
    """The value of an int literal with a sign, or None."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        return None
    return value if type(value) is int else None


def index_items(node):
    """What kinds of items an index has."""
    for item in node.elts if isinstance(node, ast.Tuple) else [node]:
        if isinstance(item, ast.Slice):
            step = 1 if item.step is None else number(item.step)
            yield "[::n]" if step > 1 else "[::-n]" if step < 0 else "[:]"
        elif isinstance(item, ast.Constant) and item.value is Ellipsis:
            yield "[...]"
        elif number(item) is not None:
            yield "[int]" if number(item) >= 0 else "[-int]"
        else:
            yield "[None]"


def keyword_items(keyword):
    """`axis` in each of its forms, other keywords by name."""
    if keyword.arg != "axis":
        yield f"{keyword.arg}="
    elif isinstance(keyword.value, ast.Tuple):
        yield "axis=tuple"
    elif number(keyword.value) is None:
        yield "axis=None"
    else:
        yield "axis=int" if number(keyword.value) >= 0 else "axis=-int"


def items_of(text):
    """The names of what a program uses: operators, functions, methods, kinds of indices, keywords."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.BinOp, ast.UnaryOp)) and type(node.op) in OPERATORS:
            if not (isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)):
                found.add(OPERATORS[type(node.op)])
        elif isinstance(node, ast.Compare):
            found.update(OPERATORS[type(op)] for op in node.ops)
        elif isinstance(node, ast.Call):
            method = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") != "linalg"
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            found.add(("." if method else "") + name)
            for keyword in node.keywords:
                found.update(keyword_items(keyword))
            if name == "where" and any(isinstance(a, (ast.Constant, ast.UnaryOp, ast.BinOp)) for a in node.args[1:]):
                found.add("where of a number")
        elif isinstance(node, ast.Attribute) and node.attr in ("T", "shape", "size", "ndim"):
            found.add("." + node.attr)
        elif isinstance(node, ast.Subscript):
            found.update(index_items(node.slice))
    return found

# SPDX-License-Identifier: BSD-3-Clause
"""Random programs in the expression language, with NumPy's value for each: the same text is evaluated by Python.

A program is a chain of statements `t0 = ...; t1 = ...`, of which some are outputs. Every step of the chain is *exact*:
its value is determined to the bit by IEEE arithmetic and NumPy's rules. Steps that are not (a transcendental function,
a sum, a product of matrices, a decomposition) only make outputs; their operands are then known exactly, so the error
that is allowed follows from them.

Every seed has a wish, one entry of the suite's list of what must be exercised: programs are drawn until one fulfils it,
so that one round over the list covers all of it.
"""
import math
import re

import numpy as np

from judges import Centred, ComplexFunction, Exact, Function, Moment, Product, Sum, Svd, part_of, KINDS
from language import DTYPES, evaluate, items_of
from sources import FORMS, INTEGERS, PACKING, Source, available, fitting_forms

FLOATS = ["float32", "float64", "complex64", "complex128"]


class Value:
    """An array of a program: its text name and NumPy's value."""

    def __init__(self, text, array):
        self.text, self.array = text, array


def random_shape(rng, rank=None):
    rank = int(rng.choice(5, p=[.06, .24, .35, .22, .13])) if rank is None else rank
    pool, odds = [0, 1, 2, 3, 5, 7, 8, 13, 31], [.03, .13, .12, .16, .16, .15, .1, .1, .05]
    shape = [int(rng.choice(pool, p=odds)) for _ in range(rank)]
    if rank and rng.random() < .15:
        shape[int(rng.integers(rank))] = int(rng.integers(40, 400))
    while math.prod(shape) > 40000:
        shape[int(np.argmax(shape))] //= 2
    return tuple(shape)


def large_shape(rng):
    """One that tight budgets cannot hold."""
    rows = int(rng.integers(50, 1500))
    return [(rows, 120000 // rows), (120000 // rows, rows), (7, rows, 120000 // rows // 7), (120000,)][int(rng.integers(4))]


def random_array(rng, dtype, shape):
    """Values that matter: small ones with ties, extremes, NaN, infinities, signed zeros."""
    dtype = np.dtype(dtype)
    style = rng.random()
    if dtype == bool:
        return rng.random(shape) < .5
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        if style < .15:
            corners = [info.min, info.min + 1, 0, 1, 2, info.max - 1, info.max] + ([-1, -2] if dtype.kind == "i" else [])
            return rng.choice(np.array(corners, dtype), shape)
        if style < .6:
            low = 0 if dtype.kind == "u" else -9
            return rng.integers(low, 10, shape).astype(dtype)
        return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    if dtype.kind == "c":
        real = np.float32 if dtype == np.complex64 else np.float64
        x = np.empty(shape, dtype)
        x.real, x.imag = random_array(rng, real, shape), random_array(rng, real, shape)
        return x
    if style < .08:
        info = np.finfo(dtype)
        corners = [0, -0.0, 1, -1, .5, 1.5, 2.5, 1 / 3, info.eps, info.tiny, info.smallest_subnormal, info.max, -info.max,
                   2.0 ** 31, 2.0 ** 63, np.inf, -np.inf, np.nan, 88.7, 709.7, 1e5, np.pi]
        x = rng.choice(np.array(corners, dtype), shape)
    elif style < .3:
        x = rng.integers(-4, 5, shape).astype(dtype)
    elif style < .85:
        x = (rng.standard_normal(shape) * 10.0 ** rng.integers(-2, 4)).astype(dtype)
    else:
        x = np.asarray((1e4 + rng.random(shape)).astype(dtype))
    x = np.array(x)
    if style > .7 and x.size:
        where = rng.random(x.shape) < rng.choice([.1, .1, .7])
        x[where] = rng.choice(np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], dtype), int(where.sum()))
    if x.ndim and rng.random() < .2:  # what is missing, and lines of nothing else
        x[rng.random(x.shape) < .3] = np.nan
        x[rng.random(len(x)) < .2] = np.nan
    return x


def scalar_text(rng, array):
    kind = array.dtype.kind
    if kind in "iub" or rng.random() < .3:
        return str(int(rng.integers(0 if kind in "ub" else -5, 6)))
    if kind == "c" and rng.random() < .4:
        return f"({rng.integers(-3, 4)}+{rng.integers(1, 4)}j)"
    return repr(float(np.round(rng.standard_normal() * 3, 2)))


def random_slice(rng, n):
    """One item of a basic index for an axis of length n."""
    def bound():
        return "" if rng.random() < .4 else str(int(rng.integers(-n - 2, n + 3)))
    style = rng.random()
    if style < .2 and n:
        return str(int(rng.integers(-n, n)))
    if style < .35:
        return ":"
    step = int(rng.choice([1, 1, 1, 2, 3, -1, -1, -2, -5]))
    return f"{bound()}:{bound()}" + (f":{step}" if step != 1 else "")


def index_text(rng, shape):
    items = [random_slice(rng, n) for n in shape]
    if items and rng.random() < .3:
        items = items[:int(rng.integers(len(items) + 1))]
        if rng.random() < .5:
            items.append("...")
    while rng.random() < .2:
        items.insert(int(rng.integers(len(items) + 1)), str(rng.choice(["None", "newaxis"])))
    return ", ".join(items) or "..."


def axis_text(rng, ndim):
    style = rng.random()
    if style < .25 or ndim == 0:
        return "axis=None"
    if style < .7:
        return f"axis={int(rng.integers(-ndim, ndim))}"
    some = rng.permutation(ndim)[:int(rng.integers(1, ndim + 1))]
    return "axis=(" + "".join(f"{int(a)}," for a in some) + ")"


def factors(rng, count, parts):
    """A random shape of `parts` axes with that many elements."""
    shape, left = [], count
    for _ in range(parts - 1):
        divisors = [d for d in range(1, min(left, 40) + 1) if left % d == 0] if left else [0, 1, 3]
        d = int(rng.choice(divisors))
        shape.append(d)
        left = left // d if d else 0
    return tuple(shape + [left])


def pick(rng, options, wish):
    """One of the options (their names are the suite's), the wished for rather than another."""
    return wish if wish in options and rng.random() < .8 else str(rng.choice(list(options)))


# ---- exact steps: each returns the text of an expression over values -------------------------------------------

BINARY = ["+", "-", "*", "/", "//", "%", "&", "|", "^", "<", "<=", ">", ">=", "==", "!="]
NAMED = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "true_divide": "/", "floor_divide": "//",
         "remainder": "%", "mod": "%", "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^", "less": "<",
         "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!="}


def binary(rng, a, b, wish):
    if wish in NAMED or rng.random() < .1:
        return f"{pick(rng, NAMED, wish)}({a.text}, {b.text})"
    op = pick(rng, BINARY, wish)
    if rng.random() < .35:
        other = scalar_text(rng, a.array)
        return f"{a.text} {op} {other}" if rng.random() < .6 else f"({other}) {op} {a.text}"
    return f"{a.text} {op} {b.text}"


UNARY = {"unary -": "-{}", "abs": "abs({})", "~": "~{}", "sqrt": "sqrt({})", ".astype": "{}.astype({d})", ".T": "{}.T",
         "**": "{} ** 2", "*": "{} * {}", "negative": "negative({})", "absolute": "absolute({})", "invert": "invert({})",
         "unary +": "+{}", "bitwise_not": "bitwise_not({})", "isnan": "isnan({})", "astype": "astype({}, {d})",
         "clip": "clip({}, {s}, {t})"}


def unary(rng, a, _, wish):
    name = pick(rng, UNARY, wish)
    if name in ("**", "unary +") and a.array.dtype == bool:
        name = "~"  # NumPy 1.24 squares bools into int8, NumPy 2 into int64; it only warns of +bool
    return UNARY[name].format(a.text, a.text, d=pick(rng, DTYPES, wish), s=scalar_text(rng, a.array),
                              t=scalar_text(rng, a.array))


CHOOSE = {"minimum": "minimum({a}, {b})", "maximum": "maximum({a}, {b})", "where": "where({a} > {b}, {a}, {b})",
          "where of bool": "where({a}, {b}, {a})", "where of a number": "where({a} > {s}, {a}, {t})",
          "where of numbers": "where({a}, {s}, {t})", "number first": "where({a}, {s}, {b})"}


def choose(rng, a, b, wish):
    return CHOOSE[pick(rng, CHOOSE, wish)].format(a=a.text, b=b.text, s=scalar_text(rng, a.array), t=scalar_text(rng, b.array))


SHAPES = ["transpose", "swapaxes", "flip", "reshape", ".reshape", "expand_dims", "squeeze", "broadcast_to", "concatenate",
          "concat", "stack", "rechunk", "ravel", ".ravel", ".flatten", ".transpose", ".swapaxes", ".squeeze"]
INDICES = ["[int]", "[-int]", "[:]", "[::n]", "[::-n]", "[None]", "[...]"]


def view(rng, a, b, wish):
    n, shape = a.array.ndim, tuple(a.array.shape)
    if wish in INDICES or (wish not in SHAPES and rng.random() < .4):
        return f"{a.text}[{index_text(rng, shape)}]"
    name, axis = pick(rng, SHAPES, wish), int(rng.integers(-n, n)) if n else 0
    if "transpose" in name:
        axes = tuple(int(i) for i in rng.permutation(n))
        return f"transpose({a.text}, {axes})" if name[0] != "." else f"{a.text}.transpose({axes})"
    if "swapaxes" in name:
        axes = f"{axis}, {int(rng.integers(-n, n)) if n else 0}"
        return f"swapaxes({a.text}, {axes})" if name[0] != "." else f"{a.text}.swapaxes({axes})"
    if name == "flip":
        return f"flip({a.text}" + (f", axis={axis})" if n and rng.random() < .7 else ")")
    if "reshape" in name:
        new = factors(rng, a.array.size, int(rng.integers(1, 4)))
        return f"reshape({a.text}, {new})" if name[0] != "." else f"{a.text}.reshape({new})"
    if name == "expand_dims":
        return f"expand_dims({a.text}, {int(rng.integers(-n - 1, n + 1))})"
    if name == "broadcast_to":
        return f"broadcast_to({a.text}, {(2,) + shape})"
    if name == "concatenate" and rng.random() < .5:
        return f"concatenate([{a.text}, {b.text}], axis={axis})"
    if name.startswith("conc"):
        return f"{name}(({a.text}, {a.text}), axis={axis})"
    if name == "stack":
        return f"stack([{a.text}, {a.text}], {axis})"
    if name == "rechunk":
        return f"rechunk({a.text}, {tuple(int(rng.choice([-1, 1 + s // 2, max(1, s // 3)])) for s in shape)})"
    return f"{a.text}{name}()" if name[0] == "." else f"{name}({a.text})"


def source(rng, a, _, wish):
    """Arrays from nothing, of a value's shape."""
    shape, dtype = tuple(a.array.shape), pick(rng, DTYPES, wish)
    numbers = [int(rng.integers(-20, 20)), int(rng.integers(-50, 300)), int(rng.choice([1, 2, 7, -1, -3]))]
    start, stop, step = numbers
    forms = {"zeros": f"zeros({shape}, dtype={dtype})", "ones": f"ones({shape}, {dtype})",
             "ones_like": f"ones_like({a.text})", "zeros_like": f"zeros_like({a.text})",
             "full": f"full({shape}, {int(rng.integers(0, 100))}, dtype={dtype})",
             "arange": str(rng.choice([f"arange({start}, {stop}, {step})", f"arange({a.array.size}).reshape({shape})",
                                       f"arange({start}, {stop}, {step}, dtype={str(rng.choice(DTYPES[4:-2]))})",
                                       f"arange({start}.5, {stop}, {step}.25)"])),
             "random_uniform": f"random_uniform({shape}, seed={int(rng.integers(1 << 40))}"
                               f"{str(rng.choice([', dtype=float32', '']))})"}
    return forms[pick(rng, forms, wish)]


def pieces(rng, a, _, wish):
    """Many pieces of one array along an axis, some without elements, some reversed."""
    n = a.array.ndim
    if n == 0:
        return f"stack([{a.text}, {a.text}, {a.text}])"
    axis, parts = int(rng.integers(n)), []
    lead = ":, " * axis
    for _ in range(int(rng.integers(3, 30))):
        lo = int(rng.integers(0, a.array.shape[axis] + 1))
        length = int(rng.choice([0, 1, 1, 2, 5]))
        parts.append(f"{a.text}[{lead}{lo}:{lo + length}" + ("][" + lead + "::-1]" if rng.random() < .2 else "]"))
    return f"concatenate([{', '.join(parts)}], axis={axis})"


def rounds(rng, a, _, wish):
    """Views of views: shifts, reshapes and transposes, one after the other."""
    text = a.text
    for _ in range(int(rng.integers(2, 5))):
        style = int(rng.integers(4))
        if style == 0:
            text = f"{text}.reshape({factors(rng, a.array.size, int(rng.integers(1, 4)))})"
        else:
            text = [f"{text}.T", f"{text}[::-1]", f"{text}[..., ::-1]"][style - 1]
    return text


def powers(rng, a, b, wish):
    """Powers of integers, chains of conversions."""
    style, kinds = int(rng.integers(3)), [str(d) for d in rng.choice(DTYPES, 3)]
    if a.array.dtype.kind in "iu" and style == 0:
        return f"{a.text} ** {int(rng.integers(0, 5))}"
    if a.array.dtype.kind in "iu" and b.array.dtype.kind in "iu" and style == 1:
        # NumPy 1.24 takes ** of a 0-d exponent for one of a number of Python's.
        named = wish == "power" or b.array.ndim == 0 or rng.random() < .3
        return f"power({a.text}, {b.text} & 3)" if named else f"{a.text} ** ({b.text} & 3)"
    if a.array.dtype.kind in "fc":  # what NaN and infinity are as integers depends on the compiler
        kinds = [k for k in kinds if k[0] in "fc"] or ["float64"]
    else:
        kinds = [k for k in kinds if k[0] in "ui"] or ["int64"]
    return a.text + "".join(f".astype({k})" for k in kinds)


def exact_matmul(rng, a, b, wish):
    """Integers and bool: wrap-around makes every order the same."""
    forms = {"@": f"{a.text} @ {b.text}", "@T": f"{a.text} @ {a.text}.T", "@0": f"{a.text}[0] @ {b.text}",
             "dot": f"dot({a.text}.T, {a.text})", ".dot": f"{a.text}.dot({a.text}.T)", "matmul": f"matmul({a.text}.T, {a.text})"}
    return forms[pick(rng, forms, wish)]


EXTREMES = ["min", "max", "any", "all", "argmin", "argmax", "amin", "amax", "nanmin", "nanmax", "nanargmin", "nanargmax"]
METHODS = ["." + name for name in EXTREMES[:6]]


def exact_reduction(rng, a, _, wish):
    name = pick(rng, EXTREMES + METHODS, wish)
    axis = axis_text(rng, a.array.ndim)
    if "arg" in name:
        axis = axis if "(" not in axis else str(rng.choice(["axis=0", "axis=None", "axis=-1"]))
    keep = ", keepdims=True" if rng.random() < .3 or wish == "keepdims=" else ""
    return f"{a.text}{name}({axis}{keep})" if name[0] == "." else f"{name}({a.text}, {axis}{keep})"


def integer_sum(rng, a, _, wish):
    keep = ", keepdims=True" if rng.random() < .3 else ""
    if rng.random() < .5 or wish == ".sum":
        return f"{a.text}.sum({axis_text(rng, a.array.ndim)}{keep})"
    return f"{str(rng.choice(['sum', 'nansum']))}({a.text}, {axis_text(rng, a.array.ndim)}{keep})"


def attributes(rng, a, _, wish):
    """Python's numbers, from what an array knows of itself and from sums of literals."""
    number = {".shape": f"{a.text}.shape[{int(rng.integers(-1, max(1, a.array.ndim)))}]", ".size": f"{a.text}.size",
              ".ndim": f"{a.text}.ndim", "literals": str(rng.choice(["2 ** 5", "-7 // 2", "7 % -3", "(1 + 2)", "9 // 4 * 2"]))}
    text = number[pick(rng, number, wish)]
    text = f"{text} % 50" if rng.random() < .8 else text
    return f"{a.text} {str(rng.choice(['+', '-', '*', '<', '/', '//', '|']))} ({text})"


def against(rng, a, _, wish):
    """An array and one of its own extremes: what is reduced is wanted again."""
    keep = f"{pick(rng, ['min', 'max'], wish)}({a.text}, {axis_text(rng, a.array.ndim)}, keepdims=True)"
    return f"{a.text} {pick(rng, BINARY, wish)} {keep}"


def crossed(rng, a, _, wish):
    """An array and a view of itself, so that tiles meet others."""
    views = ["{}.T", "{}[::-1]", "{}[..., ::-1]", "flip({})", "rechunk({}.T, (-1, 1)).T"]
    return f"{a.text} {pick(rng, BINARY, wish)} {str(rng.choice(views)).format(a.text)}"


STEPS = [(binary, .3, {*BINARY, *NAMED}), (unary, .1, set(UNARY)), (choose, .1, {*CHOOSE}),
         (view, .23, {*SHAPES, *INDICES}), (exact_reduction, .07, {*EXTREMES, *METHODS, "axis=int", "axis=-int", "axis=None",
                                                                   "axis=tuple", "keepdims="}),
         (integer_sum, .03, set()), (pieces, .03, set()), (against, .03, set()), (crossed, .04, set()),
         (attributes, .03, {".shape", ".size", ".ndim"}), (rounds, .04, set()), (powers, .03, {"power"}),
         (source, .04, {"zeros", "ones", "ones_like", "zeros_like", "full", "arange", "random_uniform"}),
         (exact_matmul, .03, {"matmul", "dot", ".dot", "@"})]


def is_exact_step(text, step, a, value):
    """Whether NumPy's and Clast's results must agree to the bit."""
    if step is integer_sum:
        return a.array.dtype.kind in "biu"
    if step is exact_matmul:
        return value.dtype.kind in "biu" and value.ndim <= 2 and a.array.ndim <= 2
    if step in (binary, unary, attributes, against, crossed):
        if "isnan" in text:
            return True
        if value.dtype.kind == "c" and re.search(r"[/*]|abs|sqrt|multiply|divide", text):
            return False
        if "abs" in text and a.array.dtype.kind == "c":
            return False
    return True


def converts_freely(text, a, value):
    """Whether floats go where an integer dtype has no place for them: C leaves open what comes out. Or the real part
    is taken of a complex NaN, which may be one of several."""
    if "astype" not in text or a.array.dtype.kind not in "fc":
        return False
    if a.array.dtype.kind == "c" and value.dtype.kind != "c" and np.isnan(a.array).any():
        return True
    if value.dtype.kind not in "iu":
        return False
    x, info = a.array.real, np.iinfo(value.dtype)
    return not bool(np.all(np.isfinite(x) & (x > float(info.min) - 1) & (x < float(info.max))))


# ---- the last steps, which have bounds -------------------------------------------------------------------------

FUNCTIONS = {"sqrt": "sqrt({})", "exp": "exp({})", "log": "log({})", "sin": "sin({})", "cos": "cos({})",
             "half": "abs({}) ** 0.5", "**": "abs({}) ** 1.5", "less": "abs({}) ** -1.25", "cube": "{} ** 3.0",
             "inverse": "{} ** -2.0", "power": "power(abs({}), 0.75)"}
COMPLEX = {"multiply": "{a} * {b}", "divide": "{a} / {b}", "abs": "abs({a})", "sqrt": "sqrt({a})", "exp": "exp({a})",
           "log": "log({a})", "sin": "sin({a})", "cos": "cos({a})", "power": "{a} ** 1.5", "square": "{a} ** 2"}


def function(rng, draft, a, b, wish):
    is_complex = a.array.dtype.kind == "c"
    if not is_complex and rng.random() < .2:
        text = f"power({a.text}, {b.text})"
    elif is_complex:
        name = pick(rng, COMPLEX, wish)
        text = COMPLEX[name].format(a=a.text, b=b.text)
    else:
        text = FUNCTIONS[pick(rng, FUNCTIONS, wish)].format(a.text)
    value = evaluate(text, draft.names)
    if isinstance(value, Exception) or value.dtype.name not in FLOATS:
        return None
    operands = [v for v in (a, b) if re.search(rf"\b{v.text}\b", text)]
    if "abs" in text and any(v.array.dtype.kind == "i" for v in operands):
        return None  # abs of the least integer is negative
    names = {v.text: v.array for v in operands}
    if value.dtype.kind == "c" and not is_complex:
        return None
    if is_complex and text.startswith("abs"):
        return text, value, lambda name: Function(name, value, text, names)
    if value.dtype.kind == "c":
        power = (a.text, text.split("**")[1]) if "**" in text else None
        return text, value, lambda name: ComplexFunction(name, value, text, names, power)
    return text, value, lambda name: Function(name, value, text, names)


def call_of(axis, keep):
    """How a reduction is written: call(name, operand, more)."""
    return lambda name, operand, more: f"{name}({operand}, {axis}{keep}{more})"


SUMS = ["sum", "mean", "var", "std"]
NANSUMS = ["nan" + name for name in SUMS]


def reduction(rng, draft, a, _, wish):
    kind = pick(rng, SUMS + NANSUMS, (wish or "").replace("judge: ", "").lstrip("."))
    call = call_of(axis_text(rng, a.array.ndim), ", keepdims=True" if rng.random() < .3 else "")
    is_moment = kind.endswith(("var", "std"))
    more = f", ddof={int(rng.integers(0, 3))}" if is_moment and (rng.random() < .4 or wish == "ddof=") else ""
    into = ""
    if a.array.dtype.kind != "c" and rng.random() < (1 if wish == "dtype=" else .15):
        into = ", dtype=float32" if not is_moment and rng.random() < .5 else ", dtype=float64"
    text = call(kind, a.text, more + into)
    if kind in SUMS and (rng.random() < .2 or (wish or "").startswith(".")):
        text = f"{a.text}.{text.replace(f'({a.text}, ', '(')}"
    value = evaluate(text, draft.names)
    if isinstance(value, Exception) or value.dtype.name not in FLOATS:
        return None
    operand, names = a.text, {a.text: a.array}
    if a.array.dtype.kind in "biu":  # judged as floats, where NaN is left out of what has none
        kind = kind.replace("nan", "")
    if is_moment:
        return text, value, lambda name: Moment(kind, name, value, call, operand, names, more)
    return text, value, lambda name: Sum(kind, name, value, lambda x, _: call(kind, x, ""), operand, names)


def centred(rng, draft, a, _, wish):
    """An array without its mean: a reduction whose operand is wanted again."""
    mean = f"mean({a.text}, {axis_text(rng, a.array.ndim)}, keepdims=True)"
    text = f"{a.text} - {mean}" if rng.random() < .7 else f"{a.text} + {mean}"
    value = evaluate(text, draft.names)
    if isinstance(value, Exception) or value.dtype.name not in FLOATS:
        return None
    length = a.array.size // max(1, evaluate(mean, draft.names).size)
    return text, value, lambda name: Centred(name, value, text, {a.text: a.array}, length)


def product(rng, draft, a, b, wish):
    text = f"{a.text} @ {b.text}" if rng.random() < .5 else f"{a.text} @ {a.text}.T"
    value = evaluate(text, draft.names)
    if isinstance(value, Exception) or value.dtype.name not in FLOATS or max(a.array.ndim, b.array.ndim) > 2:
        return None
    if value.size * a.array.shape[-1] > 8000000:
        return None
    names = {v.text: v.array for v in (a, b) if re.search(rf"\b{v.text}\b", text)}
    return text, value, lambda name: Product(name, value, text, names, a.array.shape[-1])


INEXACT = [(function, .4), (reduction, .35), (product, .15), (centred, .1)]


class Draft:
    """One draw of a program; it may miss the wish."""

    def __init__(self, rng, wish):
        self.rng, self.wish, self.inputs, self.statements = rng, wish, {}, []
        self.judges, self.outputs, self.names, self.error, self.extra = [], [], {}, None, set()
        self.raw = bool(wish and wish.startswith("raw")) or rng.random() < .08
        self.values = []
        self.is_svd = bool(wish and "svd" in wish) or rng.random() < .04
        self.is_large = not self.is_svd and (wish == "large" or (wish is None and rng.random() < .1))
        self.make_inputs()
        self.make_steps()
        if self.error is None:
            self.make_outputs()
        self.drop_dead()

    # ---- inputs

    def make_inputs(self):
        rng, wish = self.rng, self.wish or ""
        base = large_shape(rng) if self.is_large else random_shape(rng, self.wished_rank())
        form = wish[8:] if wish.startswith("source: ") else None
        if form == "zero-length":
            base = tuple(base[1:]) + (0,)
        for i in range(int(rng.integers(1, 4))):
            shape = base if rng.random() < .6 or i == 0 else self.related(base)
            dtype = str(rng.choice(DTYPES))
            if i == 0 and wish.startswith("input of "):
                dtype = wish[9:]
            if i == 0 and (form in ("scaleoffset", "odd integer") or wish.replace("raw ", "") in PACKING):
                dtype = str(rng.choice(INTEGERS))
            if i == 0 and form in ("float16", "odd float"):
                dtype = "float32"
            if i == 0 and self.is_svd:
                shape, dtype = self.matrix_shape(), str(rng.choice(FLOATS)) if rng.random() < .8 else dtype
            array = random_array(rng, dtype, shape)
            forms = fitting_forms(array)
            if i == 0 and form in forms:
                chosen = form
            else:
                weights = np.array([6.0 if f in ("chunked", "gzip") else 1.0 for f in forms])
                chosen = str(rng.choice(forms, p=weights / weights.sum()))
            name = wish.replace("raw ", "") if i == 0 else ""
            self.inputs[f"x{i}"] = Source(rng, array, chosen, name)
        for name, made in self.inputs.items():
            made.raw = self.raw
            self.values.append(Value(name, made.seen))
            self.names[name] = self.values[-1].array

    def wished_rank(self):
        wish = self.wish or ""
        if wish.startswith("output of rank"):
            return int(wish[-1])
        if wish == "source: scalar":
            return 0
        if wish in PACKING or wish.startswith(("source", "raw", "unary", "[")) or wish in ("@", "svd"):
            return int(self.rng.integers(1, 4))
        return None

    def matrix_shape(self):
        rng = self.rng
        tall = (int(rng.integers(1, 900 if rng.random() < .5 else 60)), int(rng.integers(1, 22)))
        return tall if rng.random() < .6 else tall[::-1]

    def related(self, base):
        """A shape that broadcasts or multiplies with base, or none of it."""
        rng, style = self.rng, self.rng.random()
        if style < .5 and base:
            return tuple(1 if rng.random() < .4 else n for n in base[int(rng.integers(len(base))):])
        if style < .8 and len(base) == 2:
            return (base[1], int(rng.integers(1, 9)))
        return random_shape(rng)

    # ---- statements

    def make_steps(self):
        rng, wish = self.rng, self.wish
        makers = [maker for maker, _, gives in STEPS if wish in gives]
        odds = np.array([p for _, p, _ in STEPS])
        for step in range(int(rng.integers(1, 8 if wish else 14))):
            a, b = self.operands()
            make = makers[0] if makers and rng.random() < .5 else STEPS[int(rng.choice(len(STEPS), p=odds / odds.sum()))][0]
            text = make(rng, a, b, wish)
            value = evaluate(text, self.names)
            if isinstance(value, MemoryError):
                continue
            if isinstance(value, Exception):
                if rng.random() < (.5 if wish == "refused" else .01) and make is not source:
                    self.error, self.extra = text, {"refused"}
                    return
                continue
            if value.dtype.name not in DTYPES or value.size > (400000 if self.is_large else 200000):
                continue
            if not is_exact_step(text, make, a, value) or converts_freely(text, a, value):
                continue
            self.add(f"t{step}", text, value)

    def operands(self):
        """Two values: often a late one, and one that has its shape."""
        rng, values = self.rng, self.values
        a = values[-1 - int(rng.integers(min(3, len(values))))] if rng.random() < .5 else values[int(rng.integers(len(values)))]
        alike = [v for v in values if v.array.shape == a.array.shape]
        return a, alike[int(rng.integers(len(alike)))] if rng.random() < .4 else values[int(rng.integers(len(values)))]

    def add(self, name, text, value):
        self.statements.append(([name], text))
        self.names[name] = value
        self.values.append(Value(name, value))

    # ---- outputs

    def make_outputs(self):
        rng, wish = self.rng, self.wish or ""
        if wish.startswith("output of ") and wish[10:] in DTYPES:
            last = self.values[-1]
            text = f"{last.text}.astype({wish[10:]})"
            value = evaluate(text, self.names)
            if not converts_freely(text, last, value):
                self.add("cast", text, value)
        wanted = int(rng.choice([1, 2, 3, 4], p=[.45, .3, .15, .1]))
        if self.is_svd:
            self.add_svd()
        inexact = [n for n in ("function", "reduction", "product", "centred") if n in self.favoured()]
        for i in range(wanted):
            if (inexact or rng.random() < .5) and self.add_inexact(f"y{i}", inexact):
                continue
            value = self.values[-1] if i == 0 else self.values[int(rng.integers(len(self.values)))]
            if value.text in self.outputs or (i and value.text in self.inputs):
                continue
            if value.text in self.inputs:
                self.add("copy", f"{value.text}[...]", value.array)
                value = self.values[-1]
            self.judges.append(Exact(value.text, value.array, False))
            self.outputs.append(value.text)

    def favoured(self):
        wish = self.wish or ""
        if wish in ("ddof=", "dtype=") or wish.lstrip(".").replace("judge: ", "") in SUMS + NANSUMS:
            return ["reduction"]
        if wish in ("exp", "log", "sin", "cos", "sqrt", "**") or "function" in wish:
            return ["function"]
        return {"judge: matmul": ["product"], "judge: centred": ["centred"]}.get(wish, [])

    def add_inexact(self, name, kinds):
        rng = self.rng
        for _ in range(5):
            a, b = self.operands()
            odds = np.array([p if not kinds or f.__name__ in kinds else 0 for f, p in INEXACT])
            make = INEXACT[int(rng.choice(len(INEXACT), p=odds / odds.sum()))][0]
            made = make(rng, self, a, b, self.wish)
            if made is None:
                continue
            text, _, judge = made
            self.statements.append(([name], text))
            self.judges.append(judge(name))
            self.outputs.append(name)
            return True
        return False

    def add_svd(self):
        """u, s, vt of a matrix of the program, all or some of them, or their product."""
        def fits(value):
            x = value.array
            return x.ndim == 2 and 0 < x.size <= 20000 and min(x.shape) <= 40 and bool(np.all(np.isfinite(x)))
        matrices = [v for v in self.values if fits(v)]
        if not matrices:
            return
        rng, a = self.rng, matrices[int(self.rng.integers(len(matrices)))]
        dtype = a.array.dtype if a.array.dtype.kind in "fc" else np.dtype("float64")
        m, n, k = *a.array.shape, min(a.array.shape)
        want = {"u_": np.empty((m, k), dtype), "s_": np.empty(k, part_of(dtype)), "vt_": np.empty((k, n), dtype)}
        style = int(rng.integers(7))
        call = str(rng.choice([f"svd({a.text})", f"linalg.svd({a.text}, full_matrices=False)", f"svd({a.text}, False, True)"]))
        if self.wish and self.wish.startswith("svd: "):
            style = {"svd: values": 0, "svd: left": 3, "svd: right": 2, "svd: product": 1, "svd: all": 5}[self.wish]
        if style == 0:
            self.statements.append((["s_"], f"svd({a.text}, compute_uv=False)"))
            names = ["s_"]
        else:
            self.statements.append((["u_", "s_", "vt_"], call))
            names = {1: ["whole_"], 2: ["s_", "vt_"], 3: ["u_", "s_"]}.get(style, ["u_", "s_", "vt_"])
        if style == 1:
            want["whole_"] = np.empty((m, n), dtype)
            self.statements.append((["whole_"], "(u_ * s_) @ vt_"))
        self.extra.add("svd: " + {0: "values", 1: "product", 2: "right", 3: "left"}.get(style, "all"))
        self.extra.add("svd of " + dtype.name)
        self.extra.add("svd, tall" if m > n else "svd, wide" if m < n else "svd, square")
        self.judges.append(Svd(a.array, names, {name: want[name] for name in names}))
        self.outputs += names

    # ---- the whole

    def drop_dead(self):
        """Statements that no output needs go; inputs likewise."""
        wanted = {self.error} if self.error else set(self.outputs)
        kept = []
        needed = set(re.findall(r"\b[a-z]+\d*_?\b", " ".join(wanted)))
        for targets, text in reversed(self.statements):
            if needed & set(targets):
                kept.append((targets, text))
                needed |= set(re.findall(r"\b[a-z]+\d*_?\b", text))
        self.statements = kept[::-1]
        self.inputs = {n: s for n, s in self.inputs.items() if n in needed}
        if re.search(r"(?<!arg)(min|max)|clip", self.text):
            for judge in self.judges:
                judge.has_extremes = True

    @property
    def text(self):
        lines = [f"{', '.join(targets)} = {text}" for targets, text in self.statements]
        return "; ".join(lines + ([self.error] if self.error else []))

    def items(self):
        """What of the suite's list the program exercises."""
        if self.error:
            return {"refused"}
        found = items_of(self.text) | self.extra
        for made in self.inputs.values():
            found.update(made.items())
        for judge in self.judges:
            found.update(judge.items())
        if self.is_large:
            found.add("large")
        found.add("several outputs" if len(self.outputs) > 1 else "one output")
        return found


def program(seed, wish):
    """The program of a seed: the first draw that fulfils the wish."""
    for draw in range(3000):
        draft = Draft(np.random.default_rng([seed, draw]), wish)
        if (draft.error or draft.outputs) and (wish is None or wish in draft.items()):
            return draft
    raise LookupError(f"seed {seed}: nothing fulfils '{wish}'")


def wishes():
    """Everything that a run must exercise at least once, in a fixed order."""
    wanted = []
    for _, _, gives in STEPS:
        wanted += sorted(g for g in gives if g not in ("where of bool", "where of numbers", "number first"))
    wanted += SUMS + ["." + name for name in SUMS] + NANSUMS + ["exp", "log", "sin", "cos", "ddof=", "dtype="]
    wanted += [f"judge: {kind}" for kind in KINDS]
    wanted += ["svd: all", "svd: values", "svd: left", "svd: right", "svd: product", "svd, tall", "svd, wide", "svd, square"]
    wanted += [f"svd of {dtype}" for dtype in FLOATS]
    wanted += [f"input of {dtype}" for dtype in DTYPES] + [f"output of {dtype}" for dtype in DTYPES]
    wanted += [f"output of rank {rank}" for rank in range(5)] + ["output without elements"]
    wanted += [f"source: {form}" for form in FORMS if available(form)]
    wanted += PACKING + [f"raw {name}" for name in PACKING]
    wanted += ["one output", "several outputs", "refused", "large"]
    seen = dict.fromkeys(wanted)
    return list(seen)

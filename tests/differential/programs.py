# SPDX-License-Identifier: BSD-3-Clause
"""Random programs in the expression language, with NumPy's value for each: the same text is evaluated by Python.

A program is a chain of statements `t0 = ...; t1 = ...; RESULT`. Every step but the last is *exact*: its value is
determined to the bit by IEEE arithmetic and NumPy's rules. The last step may be inexact (a transcendental function,
a sum, a product of matrices); its operands are then known exactly, so the error that is allowed follows from them.
"""
import math
import re
import warnings

import numpy as np

DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "float32", "float64", "complex64", "complex128"]
NAMESPACE = {name: getattr(np, name) for name in (
    "add subtract multiply divide floor_divide remainder power negative absolute sqrt exp log sin cos minimum maximum "
    "where sum mean var std dot zeros_like ones_like argmin argmax any all transpose swapaxes flip broadcast_to expand_dims squeeze reshape "
    "concatenate stack matmul zeros ones full arange float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 "
    "uint64 complex64 complex128 newaxis equal less bitwise_and invert").split()}
NAMESPACE.update(max=np.max, min=np.min, abs=np.abs, bool=np.bool_, __builtins__={"__import__": __import__})


class Value:
    """An array of a program: its text name and NumPy's value."""

    def __init__(self, text, array):
        self.text, self.array = text, array


def evaluate(text, names):
    """NumPy's value of an expression, or the exception that it raises."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        # NumPy 1.24 gives False where shapes do not fit a comparison, NumPy 2 raises.
        warnings.filterwarnings("error", "elementwise comparison failed", DeprecationWarning)
        try:
            return np.asarray(eval(text, NAMESPACE, names))  # pylint: disable=eval-used
        except Exception as error:  # pylint: disable=broad-except
            return error


def random_shape(rng, rank=None):
    rank = int(rng.choice(5, p=[.06, .24, .35, .22, .13])) if rank is None else rank
    pool, odds = [0, 1, 2, 3, 5, 7, 8, 13, 31], [.03, .13, .12, .16, .16, .15, .1, .1, .05]
    shape = [int(rng.choice(pool, p=odds)) for _ in range(rank)]
    if rank and rng.random() < .15:
        shape[int(rng.integers(rank))] = int(rng.integers(40, 400))
    while math.prod(shape) > 60000:
        shape[int(np.argmax(shape))] //= 2
    return tuple(shape)


def random_array(rng, dtype, shape):
    """Values that matter: small ones with ties, extremes, NaN, infinities, signed zeros."""
    dtype = np.dtype(dtype)
    style = rng.random()
    if dtype == bool:
        return rng.random(shape) < .5
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        if style < .6:
            low = 0 if dtype.kind == "u" else -9
            return rng.integers(low, 10, shape).astype(dtype)
        return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    if dtype.kind == "c":
        real = np.float32 if dtype == np.complex64 else np.float64
        x = np.empty(shape, dtype)
        x.real, x.imag = random_array(rng, real, shape), random_array(rng, real, shape)
        return x
    if style < .3:
        x = rng.integers(-4, 5, shape).astype(dtype)
    elif style < .85:
        x = (rng.standard_normal(shape) * 10.0 ** rng.integers(-2, 4)).astype(dtype)
    else:
        x = np.asarray((1e4 + rng.random(shape)).astype(dtype))
    x = np.array(x)
    if style > .7 and x.size:
        where = rng.random(x.shape) < .1
        x[where] = rng.choice(np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], dtype), int(where.sum()))
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


# ---- steps: each returns the text of an expression over values -------------------------------------------------


def binary(rng, a, b):
    op = str(rng.choice(["+", "-", "*", "/", "//", "%", "&", "|", "^", "<", "<=", ">", ">=", "==", "!="]))
    if rng.random() < .35:
        other = scalar_text(rng, a.array)
        return f"{a.text} {op} {other}" if rng.random() < .6 else f"({other}) {op} {a.text}"
    return f"{a.text} {op} {b.text}"


def unary(rng, a, _):
    form = str(rng.choice(["-{}", "abs({})", "~{}", "sqrt({})", "{}.astype({d})", "{}.T", "{} ** 2", "{} * {}"]))
    if "**" in form and a.array.dtype == bool:
        form = "~{}"  # NumPy 1.24 squares bools into int8, NumPy 2 into int64
    return form.format(a.text, a.text, d=str(rng.choice(DTYPES)))


def choose(rng, a, b):
    return str(rng.choice([f"minimum({a.text}, {b.text})", f"maximum({a.text}, {b.text})",
                           f"where({a.text} > {b.text}, {a.text}, {b.text})", f"where({a.text}, {b.text}, {b.text})"]))


def view(rng, a, b):
    n, shape, style = a.array.ndim, a.array.shape, int(rng.integers(10))
    if style < 4:
        return f"{a.text}[{index_text(rng, shape)}]"
    if style == 4 and n:
        return f"transpose({a.text}, {tuple(int(i) for i in rng.permutation(n))})"
    if style == 5 and n:
        return f"swapaxes({a.text}, {int(rng.integers(-n, n))}, {int(rng.integers(-n, n))})"
    if style == 6:
        return f"flip({a.text}" + (f", axis={int(rng.integers(-n, n))})" if n and rng.random() < .7 else ")")
    if style == 7:
        new = factors(rng, a.array.size, int(rng.integers(1, 4)))
        return f"{a.text}.reshape({new})" if rng.random() < .5 else f"reshape({a.text}, {new})"
    if style == 8:
        return str(rng.choice([f"expand_dims({a.text}, {int(rng.integers(-n - 1, n + 1))})", f"squeeze({a.text})",
                               f"broadcast_to({a.text}, {(2,) + tuple(shape)})"]))
    axis = int(rng.integers(-n, n)) if n else 0
    return str(rng.choice([f"concatenate([{a.text}, {b.text}], axis={axis})", f"stack([{a.text}, {a.text}], {axis})",
                           f"concatenate(({a.text}, {a.text}), axis={axis})"]))


def source(rng, a, _):
    """Arrays from nothing, of a value's shape."""
    shape, dtype = tuple(a.array.shape), str(rng.choice(DTYPES))
    if rng.random() < .4:
        start, stop, step = int(rng.integers(-20, 20)), int(rng.integers(-50, 300)), int(rng.choice([1, 2, 7, -1, -3]))
        return str(rng.choice([f"arange({start}, {stop}, {step})", f"arange({a.array.size}).reshape({shape})",
                               f"arange({start}, {stop}, {step}, dtype={str(rng.choice(DTYPES[4:-2]))})"]))
    return str(rng.choice([f"zeros({shape}, dtype={dtype})", f"ones({shape}, {dtype})", f"ones_like({a.text})",
                           f"full({shape}, {int(rng.integers(0, 100))}, dtype={dtype})", f"zeros_like({a.text})"]))


def pieces(rng, a, _):
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


def rounds(rng, a, _):
    """Views of views: shifts, reshapes and transposes, one after the other."""
    text = a.text
    for _ in range(int(rng.integers(2, 5))):
        style = int(rng.integers(4))
        if style == 0:
            text = f"{text}.reshape({factors(rng, a.array.size, int(rng.integers(1, 4)))})"
        else:
            text = [f"{text}.T", f"{text}[::-1]", f"{text}[..., ::-1]"][style - 1]
    return text


def scalars(rng, a, b):
    """where, integer powers, chains of conversions. where(c, x, 1) is left out: in NumPy 1.24 its scalar is not weak."""
    style, kinds = int(rng.integers(4)), [str(d) for d in rng.choice(DTYPES, 3)]
    if style == 0:
        return f"where({a.text} > {scalar_text(rng, a.array)}, {a.text}, {rng.choice(['zeros_like', 'ones_like'])}({a.text}))"
    if style == 1 and a.array.dtype.kind in "iu":
        return f"{a.text} ** {int(rng.integers(0, 5))}"
    if style == 2 and a.array.dtype.kind in "iu" and b.array.dtype.kind in "iu":
        return f"{a.text} ** ({b.text} & 3)"
    if a.array.dtype.kind in "fc":  # what NaN and infinity are as integers depends on the compiler
        kinds = [k for k in kinds if k[0] in "fc"] or ["float64"]
    else:
        kinds = [k for k in kinds if k[0] in "ui"] or ["int64"]
    return a.text + "".join(f".astype({k})" for k in kinds)


def exact_matmul(rng, a, b):
    """Integers and bool: wrap-around makes every order the same."""
    return str(rng.choice([f"{a.text} @ {b.text}", f"{a.text} @ {a.text}.T", f"{a.text}[0] @ {b.text}", f"dot({a.text}.T, {a.text})"]))


def exact_reduction(rng, a, _):
    name = str(rng.choice(["min", "max", "any", "all", "argmin", "argmax"]))
    axis = axis_text(rng, a.array.ndim)
    if name.startswith("arg"):
        axis = axis if "(" not in axis else str(rng.choice(["axis=0", "axis=None", "axis=-1"]))
    keep = ", keepdims=True" if rng.random() < .3 else ""
    return f"{name}({a.text}, {axis}{keep})" if rng.random() < .5 else f"{a.text}.{name}({axis}{keep})"


def integer_sum(rng, a, _):
    keep = ", keepdims=True" if rng.random() < .3 else ""
    return f"sum({a.text}, {axis_text(rng, a.array.ndim)}{keep})"


EXACT = [(binary, .32), (unary, .1), (choose, .08), (view, .24), (exact_reduction, .08), (integer_sum, .03),
         (source, .03), (pieces, .03), (rounds, .04), (scalars, .03), (exact_matmul, .02)]


def is_exact_step(text, step, a, value):
    """Whether NumPy's and Clast's results must agree to the bit."""
    if step is integer_sum:
        return a.array.dtype.kind in "biu"
    if step is exact_matmul:
        return value.dtype.kind in "biu" and value.ndim <= 2 and a.array.ndim <= 2
    if step is binary or step is unary:
        if value.dtype.kind == "c" and ("/" in text or "abs" in text or "sqrt" in text or "*" in text):
            return False
        if "abs" in text and a.array.dtype.kind == "c":
            return False
    return True


class Inexact:
    """A last step whose result is compared with a bound: its kind, its text and the text of its parts."""

    def __init__(self, rng, a, b):
        self.operand = a
        self.kind = str(rng.choice(["function", "function", "sum", "mean", "var", "std", "matmul"]))
        if self.kind == "function":
            form = str(rng.choice(["exp({})", "log({})", "sin({})", "cos({})", "abs({}) ** 0.5", "abs({}) ** 1.5",
                                   "abs({}) ** -1.25"]))
            self.text = form.format(a.text)
        elif self.kind == "matmul":
            self.text = f"{a.text} @ {b.text}" if rng.random() < .5 else f"{a.text} @ {a.text}.T"
        else:
            self.axis = axis_text(rng, a.array.ndim)
            self.keep = ", keepdims=True" if rng.random() < .3 else ""
            ddof = self.kind in ("var", "std") and rng.random() < .4
            self.ddof = f", ddof={int(rng.integers(0, 3))}" if ddof else ""
            self.text = self.call(self.kind) if not ddof else self.call(self.kind, self.ddof)

    def call(self, name, more=""):
        return f"{name}({self.operand.text}, {self.axis}{self.keep}{more})"


# ---- comparison -------------------------------------------------------------------------------------------------


def same_bits(got, want):
    """Equal to the bit, but that any NaN equals any NaN and a zero may have either sign after min and max."""
    if got.dtype.kind in "fc":
        real = got.real.dtype
        g, w = (np.ascontiguousarray(x).view(real).ravel() for x in (np.atleast_1d(got), np.atleast_1d(want)))
        bits = np.uint32 if real == np.float32 else np.uint64
        return bool(np.all((g.view(bits) == w.view(bits)) | (np.isnan(g) & np.isnan(w)) | ((g == 0) & (w == 0))))
    return bool(np.array_equal(got, want))


def ulp_error(got, exact, dtype):
    """|got - exact| in units of the last place of dtype; exact is long double."""
    info = np.finfo(dtype)
    with np.errstate(all="ignore"):
        rounded = exact.astype(dtype)
        scale = np.maximum(np.abs(exact), np.longdouble(info.tiny))
        ulp = np.ldexp(np.longdouble(1), np.frexp(scale)[1] - 1 - info.nmant)
        error = np.abs(got.astype(np.longdouble) - exact) / ulp
        same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    return np.where(same, 0, np.where(np.isfinite(rounded) & np.isfinite(got), error, np.inf))


def wide(array):
    return array.astype(np.clongdouble if array.dtype.kind == "c" else np.longdouble)


def bound_of(step, names, value):
    """(reference, allowed error), both long double, from the exact operands of the last step; None: count ulps."""
    x = step.operand.array
    result = np.float32 if value.dtype in (np.float32, np.complex64) else np.float64
    eps = np.longdouble(np.finfo(result).eps)
    wider = {k: wide(v) for k, v in names.items()}
    with np.errstate(all="ignore"):
        magnitude = {k: np.abs(v) for k, v in wider.items()}
        reference = evaluate(step.text, wider)
        if step.kind == "function":
            return reference, None
        if step.kind == "matmul":
            return reference, (x.shape[-1] + 8) * 2 * eps * evaluate(step.text, magnitude)
        n = max(1, x.size // max(1, value.size))
        logs = 8 * eps * max(1, math.log2(n))
        if step.kind in ("sum", "mean"):
            return reference, logs * evaluate(step.text, magnitude) + eps * np.abs(reference)
        # Moments merged in pairs lose eps log2(n) times the condition number sqrt(1 + mean^2 / var) of the variance
        # (Chan, Golub, LeVeque 1983, table 1: pairwise updating), and the square of what the mean loses.
        variance = np.abs(evaluate(step.call("var", step.ddof), wider))
        mean = evaluate(step.call("mean"), magnitude)
        slack = 2 * logs * (variance + mean * np.sqrt(variance)) + 4 * (logs * mean) ** 2
        if step.kind == "var":
            return reference, slack
        return reference, np.sqrt(variance + slack) - np.sqrt(np.maximum(variance - slack, 0)) \
            + 2 * eps * np.abs(reference)


def close(got, reference, allowed, dtype):
    if allowed is None:
        if got.dtype.kind != "c":
            return bool(np.all(ulp_error(got, np.asarray(reference), dtype) <= 2))
        allowed = 16 * np.finfo(dtype).eps * np.abs(reference) + np.finfo(dtype).tiny
    with np.errstate(all="ignore"):
        fits = np.abs(wide(got) - reference) <= allowed
        narrow = np.asarray(reference).astype(got.dtype)
        odd = ~np.isfinite(narrow) | ~np.isfinite(wide(got)) | ~np.isfinite(allowed)
    if got.dtype.kind != "c":
        same = (got == narrow) | (np.isnan(got) & np.isnan(narrow))
    else:
        same = ~np.isfinite(got) == ~np.isfinite(narrow)
    # Where magnitudes overflow the bound says nothing: there only the class of the value counts.
    return bool(np.all(fits | (odd & (same | ~np.isfinite(allowed)))))


class Program:
    """A random program, its inputs, NumPy's answer and how to judge another one."""

    def __init__(self, seed):
        rng = self.rng = np.random.default_rng(seed)
        self.inputs, self.statements, self.kind, self.step = {}, [], "exact", None
        values, base = [], random_shape(rng)
        for i in range(int(rng.integers(1, 4))):
            shape = base if rng.random() < .6 else self.related(base)
            array = random_array(rng, str(rng.choice(DTYPES)), shape)
            self.inputs[f"x{i}"] = array
            values.append(Value(f"x{i}", array))
        names = dict(self.inputs)
        self.error = None
        for step in range(int(rng.integers(1, 7))):
            a, b = (values[int(rng.integers(len(values)))] for _ in range(2))
            make = EXACT[int(rng.choice(len(EXACT), p=[p for _, p in EXACT]))][0]
            text = make(rng, a, b)
            value = evaluate(text, names)
            if isinstance(value, Exception):
                if self.error is None and rng.random() < .03:
                    self.error = text
                    break
                continue
            if value.dtype.name not in DTYPES or value.size > 200000 or not is_exact_step(text, make, a, value):
                continue
            name = f"t{step}"
            self.statements.append(f"{name} = {text}")
            names[name] = value
            values.append(Value(name, value))
        self.names = names
        self.finish(rng, values)

    def related(self, base):
        """A shape that broadcasts or multiplies with base, or none of it."""
        rng, style = self.rng, self.rng.random()
        if style < .5 and base:
            return tuple(1 if rng.random() < .4 else n for n in base[int(rng.integers(len(base))):])
        if style < .8 and len(base) == 2:
            return (base[1], int(rng.integers(1, 9)))
        return random_shape(rng)

    def finish(self, rng, values):
        if self.error:
            self.result, self.want = self.error, None
            return
        last = values[-1]
        self.result, self.want = last.text, last.array
        if rng.random() < .5:
            for _ in range(5):
                a, b = (values[int(rng.integers(len(values)))] for _ in range(2))
                step = Inexact(rng, a, b)
                value = evaluate(step.text, self.names)
                if isinstance(value, Exception) or value.dtype.name not in DTYPES or value.dtype.kind not in "fc":
                    continue
                if "abs" in step.text and a.array.dtype.kind in "ic":
                    continue  # complex: not real; integers: abs of the least one is negative
                if step.kind == "matmul" and max(a.array.ndim, b.array.ndim) > 2:
                    continue  # stacks of matrices are not supported
                # Integer operands are exact in float64 up to 2^53 only; larger ones have no exact reference here.
                if a.array.dtype.kind in "iu" and a.array.size and np.abs(a.array.astype(np.longdouble)).max() > 2 ** 52:
                    continue
                self.kind, self.step, self.result, self.want = step.kind, step, step.text, value
                return

    @property
    def text(self):
        return "; ".join(self.statements + [self.result])

    def used(self):
        """The inputs that the program mentions; an unused one would be an error."""
        text = self.text
        return [name for name in self.inputs if re.search(rf"\b{name}\b", text)]

    def judge(self, got):
        """None, or what is wrong with an answer."""
        want = self.want
        if got.shape != want.shape:
            return f"shape {got.shape}, not {want.shape}"
        if got.dtype != want.dtype:
            return f"dtype {got.dtype}, not {want.dtype}"
        if self.kind == "exact":
            return None if same_bits(got, want) else "bits differ"
        real = np.float32 if want.dtype in (np.float32, np.complex64) else np.float64
        reference, allowed = bound_of(self.step, self.names, want)
        if isinstance(reference, Exception):
            return None if same_bits(got, want) else f"no reference: {reference}"
        return None if close(got, reference, allowed, real) else f"{self.kind}: outside its bound"

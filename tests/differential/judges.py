# SPDX-License-Identifier: BSD-3-Clause
"""Judges of answers, and errors planted to prove that each of them can fail.

A judge knows the operands exactly, so the reference is computed in long double and the error that is allowed follows
from analysis; no bound is fitted to what comes out. Each has plants(): answers that are wrong by a small multiple of
what the requirement allows, computed without the judge's own bound. Every plant must be refused.
"""
import math

import numpy as np

from language import evaluate

KINDS = ["exact", "function", "complex function", "sum", "mean", "var", "std", "centred", "matmul", "svd"]


def part_of(dtype):
    """The real dtype whose precision a result has."""
    return np.float32 if dtype in (np.float32, np.complex64) else np.float64


def wide(array):
    return array.astype(np.clongdouble if array.dtype.kind == "c" else np.longdouble)


def same_bits(got, want, has_extremes):
    """Equal to the bit, but that any NaN equals any NaN. After minimum and maximum a zero may have either sign; of
    several complex NaNs NumPy takes another one for another layout in memory."""
    if got.dtype.kind not in "fc":
        return bool(np.array_equal(got, want))
    bits = np.uint32 if part_of(got.dtype) == np.float32 else np.uint64
    same = np.ones(got.shape, bool)
    for g, w in ((got.real, want.real), (got.imag, want.imag)) if got.dtype.kind == "c" else ((got, want),):
        g, w = np.array(g, order="C"), np.array(w, order="C")
        same &= (g.view(bits) == w.view(bits)) | (np.isnan(g) & np.isnan(w)) | ((g == 0) & (w == 0) & has_extremes)
    return bool(np.all(same | (np.isnan(got) & np.isnan(want) & has_extremes)))


def ulp_error(got, exact, dtype):
    """|got - exact| in units of the last place of dtype; exact is long double. Infinite where one is not finite and
    the other is not the same."""
    info = np.finfo(dtype)
    rounded = exact.astype(dtype)
    scale = np.maximum(np.abs(exact), np.longdouble(info.tiny))
    ulp = np.ldexp(np.longdouble(1), np.frexp(scale)[1] - 1 - info.nmant)
    error = np.abs(got.astype(np.longdouble) - exact) / ulp
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    return np.where(same, 0, np.where(np.isfinite(rounded) & np.isfinite(got), error, np.inf))


def is_class(got, reference):
    """Where the reference is not finite: NaN for NaN, the same infinity for an infinity; for a complex number anything
    that is not finite, since its parts depend on the formula."""
    if got.dtype.kind == "c":
        return ~np.isfinite(reference) & ~np.isfinite(got)
    return (np.isnan(reference) & np.isnan(got)) | (np.isinf(reference) & (got == reference))


def outside(got, reference, allowed, magnitude, most):
    """Elements further from the reference than allowed; `magnitude` bounds what intermediate results may reach, and
    beyond `most`, the largest number of the dtype that computes, an answer may overflow."""
    fits = np.isfinite(reference) & (np.abs(wide(got) - reference) <= allowed)
    overflows = np.isfinite(reference) & (magnitude > most) & ~np.isfinite(got)
    return ~(fits | is_class(got, reference) | overflows)


class Judge:
    """Of one output: its name, NumPy's value (for shape and dtype) and a kind."""
    kind = ""

    def __init__(self, name, want):
        self.names, self.want = [name], {name: want}

    def judge(self, answers):
        """None, or what is wrong with the answers, arrays by name."""
        for name in self.names:
            got, want = answers[name], self.want[name]
            if got.shape != want.shape:
                return f"{name}: shape {got.shape}, not {want.shape}"
            if got.dtype != want.dtype:
                return f"{name}: dtype {got.dtype}, not {want.dtype}"
        with np.errstate(all="ignore"):
            return self.compare(*(answers[name] for name in self.names))

    def plants(self, answers, rng):
        """Wrong answers, as pairs of what is wrong and the arrays."""
        with np.errstate(all="ignore"):
            for what, wrong in self.errors(rng, *(answers[name] for name in self.names)):
                yield what, {**answers, **dict(zip(self.names, wrong))}

    def items(self):
        yield f"judge: {self.kind}"
        for want in self.want.values():
            yield f"output of {want.dtype.name}"
            yield f"output of rank {want.ndim}"
            if want.size == 0:
                yield "output without elements"


def changed(array, at, value):
    """A copy with another value in one place."""
    copy = np.array(array)
    copy.reshape(-1)[at] = value
    return copy


class Exact(Judge):
    """Every bit, as same_bits() says."""
    kind = "exact"

    def __init__(self, name, want, has_extremes):
        super().__init__(name, want)
        self.has_extremes = has_extremes

    def compare(self, got):
        return None if same_bits(got, self.want[self.names[0]], self.has_extremes) else "bits differ"

    def errors(self, rng, got):
        if got.size:
            at = int(rng.integers(got.size))
            old = got.reshape(-1)[at]
            if got.dtype.kind == "b":
                new = ~old
            elif got.dtype.kind in "iu":
                new = old ^ old.dtype.type(1)
            elif got.dtype.kind == "f":
                new = np.nextafter(old, old.dtype.type(0 if old else 1)) if np.isfinite(old) else old.dtype.type(1)
            else:
                new = old + 1 if np.isfinite(old) and old + 1 != old else old.dtype.type(1)
                new = old.dtype.type(2) if new == old else new
            yield "one element", [changed(got, at, new)]
        yield "one more axis", [got[None]]
        yield "another dtype", [np.zeros(got.shape, np.float64 if got.dtype == np.float32 else np.float32)]


class Inexact(Judge):
    """`text` over names; the operands are first converted to the dtype that computes."""

    def __init__(self, name, want, text, names):
        super().__init__(name, want)
        self.text, self.operands = text, names
        self.eps = np.longdouble(np.finfo(part_of(want.dtype)).eps)
        self.most = np.longdouble(np.finfo(part_of(want.dtype)).max)
        self.least = np.longdouble(np.finfo(part_of(want.dtype)).smallest_subnormal)

    def converted(self):
        """Operands as the computation sees them: integers in the result's precision, bool for themselves."""
        with np.errstate(all="ignore"):
            real = np.dtype(part_of(next(iter(self.want.values())).dtype))
            imaginary = np.result_type(real, np.complex64)
            return {n: v.astype(imaginary if v.dtype.kind == "c" else real) for n, v in self.operands.items()}

    def widened(self):
        return {n: wide(v) for n, v in self.converted().items()}

    def magnitudes(self):
        return {n: np.abs(v) for n, v in self.widened().items()}

    def reference(self):
        value = evaluate(self.text, self.widened())
        if isinstance(value, Exception):
            raise value
        return value

    def one(self, rng, got, delta):
        """One element pushed away by delta, or of another class."""
        if not got.size:
            return
        at = int(rng.integers(got.size))
        old, step = got.reshape(-1)[at], np.broadcast_to(delta, got.shape).reshape(-1)[at]
        if np.isfinite(old) and np.isfinite(step):
            step = float(step) + 8 * float(np.spacing(np.abs(old)))
            sign = 1 if old.real <= 0 or np.abs(old) > np.finfo(old.dtype).max / 4 else -1
            yield "one element", [changed(got, at, old.dtype.type(old + (-sign if np.abs(old) > 1 else sign) * step))]
        elif not np.isfinite(old):
            yield "a finite element", [changed(got, at, 1)]


class Function(Inexact):
    """Real elementwise functions: 2 ulp of a long double reference."""
    kind = "function"

    def compare(self, got):
        error = ulp_error(got, self.reference(), part_of(got.dtype))
        return None if np.all(error <= 2) else f"function: {np.max(error):.3g} ulp"

    def errors(self, rng, got):
        if got.size:
            at = int(rng.integers(got.size))
            new = got.reshape(-1)[at]
            if np.isfinite(new):
                towards = new.dtype.type(-np.inf if new > 0 else np.inf)
                for _ in range(5):
                    new = np.nextafter(new, towards)
                yield "5 ulp", [changed(got, at, new)]
            else:
                yield "a finite element", [changed(got, at, 1)]


class ComplexFunction(Inexact):
    """Complex elementwise functions, by modulus: 16 eps, for powers times what exp(y log x) magnifies.

    A product is good for sqrt(5) eps / 2 (Brent, Percival and Zimmermann 2007), a quotient after Smith for about
    5 eps where nothing over- or underflows; the C library's functions for a few units in each part.
    """
    kind = "complex function"

    def __init__(self, name, want, text, names, power=None):
        super().__init__(name, want, text, names)
        self.power = power

    def compare(self, got):
        reference = self.reference()
        units = np.longdouble(16)
        if self.power:
            base, exponent = (evaluate(t, self.widened()) for t in self.power)
            units = units + 8 * np.abs(exponent * np.log(np.where(base == 0, 1, base)))
        tiny = np.longdouble(np.finfo(part_of(got.dtype)).tiny)
        parts = self.magnitudes().values()
        # Squares of moduli may over- or underflow on the way.
        largest = max((np.max(np.nan_to_num(p, posinf=0), initial=0) for p in parts), default=0)
        smallest = min((np.min(p, initial=1, where=p > 0) for p in parts), default=1)
        if largest > np.sqrt(self.most) / 4 or smallest < np.sqrt(tiny) * 4:
            return None if got.shape == reference.shape else "shape"
        bad = outside(got, reference, units * self.eps * np.abs(reference) + 4 * tiny, np.abs(reference) * 2, self.most)
        return None if not np.any(bad) else f"complex function: {int(np.sum(bad))} elements outside their bound"

    def errors(self, rng, got):
        parts = [p[np.isfinite(p) & (p > 0)] for p in self.magnitudes().values()]
        if self.power or any(p.size and (p.max() > 1e15 or p.min() < 1e-15) for p in parts):
            return
        yield from self.one(rng, got, 64 * float(self.eps) * np.abs(got) + 1e-30)


class Sum(Inexact):
    """|error| <= 8 eps log2(n) sum|x|, of a mean divided by n and with its division. A NaN that is left out adds
    nothing to either side."""

    def __init__(self, kind, name, want, call, operand, names):
        self.kind = kind.replace("nan", "")
        super().__init__(name, want, call(operand, ""), names)
        self.x = evaluate(operand, names)
        self.n = max(1, self.x.size // max(1, want.size))

    def compare(self, got):
        reference = self.reference()
        magnitude = evaluate(self.text, self.magnitudes())
        allowed = 8 * self.eps * max(1, math.log2(self.n)) * magnitude
        if self.kind == "mean":
            allowed = allowed + self.eps * np.abs(reference) + self.least
        total = magnitude * (self.n if self.kind == "mean" else 1)
        bad = outside(got, reference, allowed, total, self.most)
        return None if not np.any(bad) else f"{self.kind}: {int(np.sum(bad))} elements outside their bound"

    def errors(self, rng, got):
        magnitude = evaluate(self.text, {n: np.abs(v.astype(np.complex128)) for n, v in self.operands.items()})
        magnitude = np.asarray(magnitude).real
        yield from self.one(rng, got, 4 * 8 * float(self.eps) * max(1, math.log2(self.n)) * magnitude + 1e-30)


class Centred(Inexact):
    """x - mean(x): what a mean loses, and two roundings."""
    kind = "centred"

    def __init__(self, name, want, text, names, n):
        super().__init__(name, want, text, names)
        self.n = max(1, n)

    def compare(self, got):
        reference, sizes = self.reference(), self.magnitudes()
        magnitude = evaluate(self.text.replace(" - ", " + "), sizes)  # |x| + mean |x|
        allowed = (8 * max(1, math.log2(self.n)) + 2) * self.eps * magnitude + self.least
        bad = outside(got, reference, allowed, magnitude * self.n, self.most)
        return None if not np.any(bad) else f"centred: {int(np.sum(bad))} elements outside their bound"

    def errors(self, rng, got):
        sizes = {n: np.abs(v.astype(np.complex128)).real for n, v in self.operands.items()}
        magnitude = evaluate(self.text.replace(" - ", " + "), sizes)
        yield from self.one(rng, got, 4 * (8 * max(1, math.log2(self.n)) + 2) * float(self.eps) * magnitude + 1e-30)


class Moment(Inexact):
    """Variance and deviation. Moments merged in pairs lose eps log2(n) times the condition number
    sqrt(1 + mean^2 / var) of the variance (Chan, Golub and LeVeque 1983, table 1: pairwise updating), and the square
    of what the mean loses."""

    def __init__(self, kind, name, want, call, operand, names, ddof):
        self.kind, self.operand, self.ddof = kind.replace("nan", ""), operand, ddof
        self.call = lambda name, *more: call(kind.replace(self.kind, "") + name, *more)
        super().__init__(name, want, call(kind, operand, ddof), names)
        x = evaluate(operand, names)
        self.n = max(1, x.size // max(1, want.size))

    def compare(self, got):
        names, sizes = self.widened(), self.magnitudes()
        reference = self.reference()
        variance = np.abs(evaluate(self.call("var", self.operand, self.ddof), names))
        mean = evaluate(self.call("mean", self.operand, ""), sizes)
        squares = evaluate(self.call("sum", f"({self.operand}) * ({self.operand})", ""), sizes)
        logs = 8 * self.eps * max(1, math.log2(self.n))
        # Squares may underflow.
        slack = 2 * logs * (variance + mean * np.sqrt(variance)) + 4 * (logs * mean) ** 2 + np.finfo(np.float64).tiny
        if self.kind == "var":
            allowed = slack + self.least
        else:
            allowed = np.sqrt(variance + slack) - np.sqrt(np.maximum(variance - slack, 0)) \
                + 2 * self.eps * np.abs(reference)
        bad = outside(got, reference, allowed, squares * self.n, self.most)
        return None if not np.any(bad) else f"{self.kind}: {int(np.sum(bad))} elements outside their bound"

    def errors(self, rng, got):
        x = {n: np.abs(v.astype(np.complex128)) for n, v in self.operands.items()}
        mean = np.asarray(evaluate(self.call("mean", self.operand, ""), x)).real
        variance = np.asarray(got.astype(np.float64))
        variance = variance if self.kind == "var" else variance ** 2
        unit = 64 * float(self.eps) * max(1, math.log2(self.n))
        delta = unit * (variance + mean * np.sqrt(variance)) + (unit * mean) ** 2
        if self.kind == "std":
            delta = np.sqrt(variance + 4 * delta) - np.sqrt(variance) + unit * np.sqrt(variance) + unit * mean
        yield from self.one(rng, got, delta + 1e-30)


class Product(Inexact):
    """|error| <= K eps |A| |B|, which holds for sums in any order (Higham 2002, section 3.5; 3.6 for complex)."""
    kind = "matmul"

    def __init__(self, name, want, text, names, length):
        super().__init__(name, want, text, names)
        self.length = length

    def compare(self, got):
        reference = self.reference()
        magnitude = evaluate(self.text, self.magnitudes())
        tiny = np.longdouble(np.finfo(part_of(got.dtype)).tiny)
        allowed = (self.length + 2) * self.eps * magnitude + self.length * tiny
        bad = outside(got, reference, allowed, 2 * magnitude, self.most)
        return None if not np.any(bad) else f"matmul: {int(np.sum(bad))} elements outside their bound"

    def errors(self, rng, got):
        magnitude = evaluate(self.text, {n: np.abs(v.astype(np.complex128)) for n, v in self.operands.items()})
        yield from self.one(rng, got, 4 * (self.length + 2) * float(self.eps) * np.abs(magnitude) + 1e-30)


class Svd(Judge):
    """Residual, orthogonality, singular values, order and signs of reduced factors, as far as they are outputs.

    With p = max(m, n) and the norm of LAPACK's own tests (?drvbd: residual / (|A| p eps), |I - U^H U| / (p eps)),
    which pass below 50; here below UNITS. Singular values then follow from Weyl's theorem: |s - s'| <= |A - A'|.
    """
    kind, UNITS = "svd", 8

    def __init__(self, matrix, names, want):
        super().__init__(names[0], None)
        self.names, self.want, self.matrix = list(names), want, wide(matrix)
        self.parts = {n.split("_")[0]: n for n in names}
        any_want = next(iter(want.values()))
        self.eps = float(np.finfo(part_of(any_want.dtype)).eps)
        self.units = self.UNITS * max(matrix.shape) * self.eps
        self.norm = float(np.sqrt(np.sum(np.abs(self.matrix) ** 2)))
        kind = np.complex128 if matrix.dtype.kind == "c" else np.float64
        self.values = np.linalg.svd(matrix.astype(kind), compute_uv=False)

    def compare(self, *arrays):
        part = {key: wide(a) for key, a in zip(self.parts, arrays)}
        if not all(np.all(np.isfinite(a)) for a in part.values()):
            return "svd: not finite"
        checks = (self.check_values, self.check_orthogonal, self.check_residual, self.check_signs)
        return next((wrong for wrong in (check(part) for check in checks) if wrong), None)

    def check_values(self, part):
        s = part.get("s")
        if s is None:
            return None
        if np.any(s < 0) or np.any(np.diff(s) > 0):
            return "svd: singular values are not descending, or negative"
        # NumPy's own are as good as its precision.
        slack = (self.units + 8 * max(self.matrix.shape) * np.finfo(np.float64).eps) * self.norm
        worst = float(np.max(np.abs(s - self.values)))
        return None if worst <= slack else f"svd: a singular value is off by {worst / max(slack, 1e-300):.3g} bounds"

    def check_orthogonal(self, part):
        for key in ("u", "vt"):
            if key in part:
                q = part[key] if key == "u" else part[key].conj().T
                loss = q.conj().T @ q - np.eye(q.shape[1])
                worst = float(np.sqrt(np.sum(np.abs(loss) ** 2)))
                if worst > self.units:
                    return f"svd: {key} is not orthogonal by {worst / self.units:.3g} bounds"
        return None

    def check_residual(self, part):
        if "whole" in part:
            residual = self.matrix - part["whole"]
        elif {"u", "s", "vt"} <= set(part):
            residual = self.matrix - (part["u"] * part["s"]) @ part["vt"]
        elif {"u", "s"} <= set(part):  # columns of A^H u are those of v, stretched: of norm s, at right angles
            image = self.matrix.conj().T @ part["u"]
            residual = image.conj().T @ image - np.diag(part["s"] ** 2)
            return None if np.sqrt(np.sum(np.abs(residual) ** 2)) <= 3 * self.units * self.norm ** 2 else \
                "svd: u and s do not belong to the matrix"
        elif {"s", "vt"} <= set(part):
            image = self.matrix @ part["vt"].conj().T
            residual = image.conj().T @ image - np.diag(part["s"] ** 2)
            return None if np.sqrt(np.sum(np.abs(residual) ** 2)) <= 3 * self.units * self.norm ** 2 else \
                "svd: s and vt do not belong to the matrix"
        else:
            return None
        worst = float(np.sqrt(np.sum(np.abs(residual) ** 2)))
        return None if worst <= self.units * self.norm else \
            f"svd: the residual is {worst / max(self.units * self.norm, 1e-300):.3g} bounds"

    def check_signs(self, part):
        """In each row of vt (each column of u of a wide matrix) a component of largest modulus is real and positive."""
        m, n = self.matrix.shape
        rows = part.get("vt") if m >= n else part["u"].T if "u" in part else None
        for row in [] if rows is None else rows:
            size = np.abs(row)
            largest = row[size >= np.max(size) * (1 - 8 * self.eps)]
            if not np.any((largest.real > 0) & (np.abs(largest.imag) <= 4 * self.eps * np.abs(largest))):
                return "svd: the signs are not those that are promised"
        return None

    def errors(self, rng, *arrays):
        part, step = dict(zip(self.parts, arrays)), 8 * self.units
        def instead(key, value):
            return [value if k == key else a for k, a in part.items()]
        if self.norm > 0:
            if "s" in part:
                yield "a singular value", instead("s", changed(part["s"], 0, part["s"][0] + step * self.norm))
            if "whole" in part:
                at = int(rng.integers(part["whole"].size))
                wrong = part["whole"].reshape(-1)[at] + step * self.norm
                yield "the product", instead("whole", changed(part["whole"], at, wrong))
            if {"u", "s", "vt"} <= set(part):
                yield "two columns", instead("u", np.concatenate([-part["u"][:, :1], part["u"][:, 1:]], axis=1))
        for key in ("u", "vt"):
            if key in part:
                yield f"the length of {key}", instead(key, part[key] * part[key].dtype.type(1 + step))
                turned = part[key].copy()
                turned[...] = -turned
                if (key == "vt") == (self.matrix.shape[0] >= self.matrix.shape[1]):
                    yield f"the signs of {key}", instead(key, turned)
        if "s" in part and part["s"].size > 1 and part["s"][0] > part["s"][-1]:
            yield "the order", instead("s", part["s"][::-1].copy())

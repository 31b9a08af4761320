// What a legal design is, with the sentences that mbo_hub.InvalidDesign has in Python.

export class Refused extends Error {
  constructor(detail) {
    super(`design 0 ${detail}`);
  }
}

export const LONGEST = 200_000; // letters of a design; the largest takes a third of that

function refuseAWholeFile(text) {
  if (text.length > LONGEST)
    throw new Refused(
      `has more than ${LONGEST.toLocaleString("en")} letters; score a file with  mbo score TASK FILE`,
    );
}

/** Write a string as Python's repr does. */
export function quoted(text, longest = 60) {
  const points = Array.from(text);
  const cut = points.length <= longest ? text : `${points.slice(0, longest - 1).join("")}…`;
  const quote = cut.includes("'") && !cut.includes('"') ? '"' : "'";
  const written = Array.from(cut, (letter) => {
    if (letter === "\\" || letter === quote) return `\\${letter}`;
    if (letter === "\n") return "\\n";
    if (letter === "\t") return "\\t";
    if (letter === "\r") return "\\r";
    if (letter === " " || !/[\p{C}\p{Z}]/u.test(letter)) return letter;
    const code = letter.codePointAt(0);
    const [sign, digits] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
    return `\\${sign}${code.toString(16).padStart(digits, "0")}`;
  });
  return quote + written.join("") + quote;
}

/** Write a number as Python's repr of a float does. */
export function written(value) {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [digits, power] = value.toExponential().split("e");
    return `${digits}e${power[0]}${power.slice(1).padStart(2, "0")}`;
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

function general(value) {
  return String(Number(value.toPrecision(9)));
}

/** Letters, or names of several letters each, from an alphabet. */
export class Sequence {
  constructor({ length, alphabet, padding }) {
    Object.assign(this, { length, alphabet, padding: padding ?? null, dim: length });
    this.pad = alphabet.indexOf(padding);
    this.letters = alphabet.filter((token) => token !== padding);
    this.longest = Math.max(...alphabet.map((token) => token.length));
    this.inOrder = [...this.letters].sort((a, b) => b.length - a.length);
    this.type = "int64";
    this.metric = "Hamming distance";
  }

  read(text) {
    refuseAWholeFile(text);
    const points = Array.from(text);
    if (points.length > this.length * this.longest && this.longest > 1)
      throw new Refused(
        `(${quoted(text)}) has ${points.length} letters; designs are at most ${this.length} tokens` +
          ` of at most ${this.longest} letters`,
      );
    if (points.length > this.length && this.longest === 1)
      throw this.wrongLength(text, points.length);
    const found = [];
    for (let at = 0; at < points.length; ) {
      const rest = points.slice(at, at + this.longest).join("");
      const token = this.inOrder.find((one) => rest.startsWith(one));
      if (token === undefined) throw new Refused(this.explain(points, at));
      found.push(this.alphabet.indexOf(token));
      at += Array.from(token).length;
    }
    if (found.length !== this.length && (this.padding === null || !found.length || found.length > this.length))
      throw this.wrongLength(text, found.length);
    while (found.length < this.length) found.push(this.pad);
    return Int8Array.from(found);
  }

  wrongLength(text, found) {
    const wanted = this.padding === null ? this.length : `1 to ${this.length}`;
    const unit = this.longest === 1 ? "letter" : "token";
    return new Refused(
      `(${quoted(text)}) has ${found} ${unit}${found === 1 ? "" : "s"}; this task's designs have ${wanted}`,
    );
  }

  explain(points, at) {
    const letter = points[at];
    if (this.padding !== null && letter === this.padding)
      return (
        `has the padding ${quoted(this.padding)} at position ${at}; leave it out: what is shorter ` +
        "is filled up by itself"
      );
    const single = this.letters.every((token) => token.length === 1);
    let detail = `has letter ${quoted(letter)} at position ${at}; this task uses ${this.letters.join(single ? "" : " ")}`;
    const other = [letter.toUpperCase(), letter.toLowerCase()].find(
      (token) => token !== letter && this.letters.includes(token),
    );
    if (other) detail += ` (case matters: write ${quoted(other)})`;
    return detail;
  }

  legal() {
    return true; // what `read`, `sample` and `mutate` give is made of the alphabet
  }

  write(design) {
    return Array.from(design, (token) => (token === this.pad ? "" : this.alphabet[token])).join("");
  }

  sample(random) {
    const tokens = new Int8Array(this.length);
    const length = this.padding === null ? this.length : 1 + Math.floor(random() * this.length);
    for (let i = 0; i < this.length; i++) {
      const letter = this.letters[Math.floor(random() * this.letters.length)];
      tokens[i] = i < length ? this.alphabet.indexOf(letter) : this.pad;
    }
    return tokens;
  }

  mutate(design, random) {
    const changed = Int8Array.from(design);
    const used = this.pad < 0 ? this.length : this.size(design);
    const other = () => this.alphabet.indexOf(this.letters[Math.floor(random() * this.letters.length)]);
    const kind = this.pad < 0 ? 0 : Math.floor(random() * 3);
    if (kind === 1 && used < this.length) {
      const at = Math.floor(random() * (used + 1));
      changed.copyWithin(at + 1, at, this.length - 1);
      changed[at] = other();
    } else if (kind === 2 && used > 1) {
      const at = Math.floor(random() * used);
      changed.copyWithin(at, at + 1);
      changed[this.length - 1] = this.pad;
    } else {
      const at = Math.floor(random() * used);
      do changed[at] = other();
      while (changed[at] === design[at]);
    }
    return changed;
  }

  /** How many tokens stand before the padding. */
  size(design) {
    const end = this.pad < 0 ? -1 : design.indexOf(this.pad);
    return end < 0 ? this.length : end;
  }

  distance(design, known, row) {
    let apart = 0;
    for (let i = 0, at = row * this.length; i < this.length; i++, at++) apart += design[i] !== known[at];
    return apart;
  }

  tensor(designs) {
    const all = new BigInt64Array(designs.length * this.length);
    designs.forEach((design, row) => design.forEach((token, i) => (all[row * this.length + i] = BigInt(token))));
    return all;
  }
}

const ELEMENTS = (
  "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb " +
  "Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf " +
  "Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh " +
  "Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
).split(" ");
const CLOSES = { "(": ")", "[": "]", "{": "}" };
const PART = /(?:([A-Z][a-z]?)|([([{])|([)\]}]))((?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)?)/y;

/** Read a plain formula, as mbo_hub.spaces.formulas does. */
export function amounts(formula) {
  const text = formula.trim();
  if (!text) throw new Refused("is an empty formula");
  const refuse = (what) => new Refused(`(${quoted(text)}) ${what}`);
  if (text.length > 1000) throw refuse(`has ${text.length.toLocaleString("en")} letters, more than 1,000`);
  const levels = [new Map()];
  const expected = [];
  for (let at = 0; at < text.length; ) {
    PART.lastIndex = at;
    const part = PART.exec(text);
    if (part === null) throw refuse(whyNot(text, at));
    const [whole, symbol, opening, closing, much] = part;
    const amount = much === "" ? 1 : Number(much);
    const top = levels.at(-1);
    if (symbol) {
      if (!ELEMENTS.includes(symbol)) throw refuse(`names ${symbol}, which is no element`);
      top.set(symbol, (top.get(symbol) ?? 0) + amount);
    } else if (opening) {
      if (much) throw refuse(whyNot(text, at + 1));
      levels.push(new Map());
      expected.push(CLOSES[opening]);
    } else {
      if (expected.pop() !== closing) throw refuse(`closes a bracket that is not open: ${closing}`);
      const inside = levels.pop();
      const below = levels.at(-1);
      for (const [element, one] of inside) below.set(element, (below.get(element) ?? 0) + one * amount);
    }
    at += whole.length;
  }
  if (expected.length) throw refuse(`leaves a bracket open; ${expected.at(-1)} is missing`);
  return levels[0];
}

function whyNot(text, at) {
  const found = String.fromCodePoint(text.codePointAt(at));
  if ("-+xyzXYZ".includes(found) || found.codePointAt(0) > 127)
    return (
      `has ${quoted(found)} at position ${at}; amounts are plain numbers, so write the value (O6.9, ` +
      "not O7-x)"
    );
  return (
    `has ${quoted(found)} at position ${at}; a formula is elements, brackets and the amounts behind ` +
    "them, such as YBa2Cu3O7"
  );
}

/** Real numbers between bounds. */
export class Box {
  constructor({ size, low, high, names, nonzero }, { mean, std }) {
    const each = (side, none) =>
      Float32Array.from({ length: size }, (_, i) => (Array.isArray(side) ? side[i] : side) ?? none);
    Object.assign(this, { size, dim: size, nonzero: Boolean(nonzero), mean, std });
    this.low = each(low, -Infinity);
    this.high = each(high, Infinity);
    this.names = names?.length ? names : Array.from({ length: size }, (_, i) => `x${i}`);
    this.formulas = Boolean(names?.length) && names.every((name) => ELEMENTS.includes(name));
    this.type = "float32";
    this.metric = "distance in units of the visible std";
  }

  read(text) {
    refuseAWholeFile(text);
    const cells = text.trim().replace(/^\[(.*)\]$/s, "$1").trim().split(/\s*,\s*|\s+/);
    const numbers = cells.map(number); // an empty cell is no number
    const listed = numbers.length > (this.formulas ? 1 : 0) && numbers.every((value) => value !== null);
    if (!listed) {
      if (this.formulas) return this.ofFormula(text);
      throw new Refused(`is the text ${quoted(text)}, not ${this.size} numbers`);
    }
    return this.check(numbers);
  }

  ofFormula(text) {
    const found = amounts(text);
    for (const element of found.keys())
      if (!this.names.includes(element))
        throw new Refused(
          `(${quoted(text)}) names ${element}; this task has ${this.names[0]} to ${this.names.at(-1)}`,
        );
    return this.check(this.names.map((name) => Number((found.get(name) ?? 0).toPrecision(12))));
  }

  check(numbers) {
    if (numbers.length !== this.size) {
      const error = new Refused("");
      error.message = `designs have shape (n, ${this.size}) here, got (1, ${numbers.length})`;
      throw error;
    }
    const design = Float32Array.from(numbers);
    if (this.nonzero && design.every((value) => value === 0))
      throw new Refused("has nothing but zeros; at least one value differs from 0");
    design.forEach((value, i) => {
      const [low, high] = [this.low[i], this.high[i]];
      const start = `has ${written(numbers[i])} for ${this.names[i]}; `;
      if (!Number.isFinite(value)) throw new Refused(`${start}values are finite float32 numbers`);
      if (value >= low && value <= high) return;
      if (high === Infinity) throw new Refused(`${start}it is at least ${general(low)}`);
      if (low === -Infinity) throw new Refused(`${start}it is at most ${general(high)}`);
      throw new Refused(`${start}it lies between ${written(low)} and ${written(high)}`);
    });
    return design;
  }

  legal(design) {
    try {
      this.check(Array.from(design));
      return true;
    } catch (error) {
      if (error instanceof Refused) return false;
      throw error;
    }
  }

  write(design) {
    if (this.formulas)
      return this.names
        .map((name, i) => (design[i] ? name + (design[i] === 1 ? "" : short(design[i])) : ""))
        .join("");
    return Array.from(design, short).join(",");
  }

  sample(random) {
    if (this.formulas) return this.material(random);
    return Float32Array.from({ length: this.size }, (_, i) => {
      const [low, high] = [this.low[i], this.high[i]];
      if (low > -Infinity && high < Infinity) return clip(low + random() * (high - low), low, high);
      return normal(random);
    });
  }

  /** Two to five elements; most of the data are that small. */
  material(random) {
    const design = new Float32Array(this.size);
    for (let count = 2 + Math.floor(random() * 4); count; count--)
      design[Math.floor(random() * this.size)] = Math.ceil(random() * 40) / 10;
    return design;
  }

  mutate(design, random) {
    const changed = Float32Array.from(design);
    if (this.formulas) {
      const there = [...design.keys()].filter((i) => design[i] > 0);
      const at = random() < 0.7 ? there[Math.floor(random() * there.length)] : Math.floor(random() * this.size);
      const much = changed[at] > 0 && random() < 0.25 && there.length > 1 ? 0 : Math.ceil(random() * 80) / 10;
      changed[at] = much;
      return changed;
    }
    const many = Math.max(1, Math.round(this.size / 20));
    for (let k = 0; k < many; k++) {
      const at = Math.floor(random() * this.size);
      changed[at] = clip(design[at] + this.std[at] * normal(random) * 0.5, this.low[at], this.high[at]);
    }
    return changed;
  }

  distance(design, known, row) {
    let square = 0;
    for (let i = 0, at = row * this.size; i < this.size; i++, at++)
      square += ((design[i] - known[at]) / this.std[i]) ** 2;
    return Math.sqrt(square);
  }

  tensor(designs) {
    const all = new Float32Array(designs.length * this.size);
    designs.forEach((design, row) => all.set(design, row * this.size));
    return all;
  }
}

function number(text) {
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  if (/^[+-]?nan$/i.test(text)) return NaN;
  if (/^\+?inf(inity)?$/i.test(text)) return Infinity;
  if (/^-inf(inity)?$/i.test(text)) return -Infinity;
  return null;
}

/** The shortest text that is this float32 again. */
export function short(value) {
  for (let digits = 1; digits < 10; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(value);
}

/** A number for people to read. */
export function three(value) {
  return String(Number(value.toPrecision(3)));
}

function clip(value, low, high) {
  return Math.min(high, Math.max(low, Math.fround(value)));
}

function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

export function spaceOf(task) {
  return task.space.kind === "sequence" ? new Sequence(task.space) : new Box(task.space, task.scale);
}

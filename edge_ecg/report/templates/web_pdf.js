/* PDF pages that the Health app shares, in the worker: rows of ECG paper, drawn as straight pieces.

   The rules, and the words by which a page states its scale, rate and time, are those of edge_ecg/readers/pdf.py. */
const POINTS_PER_MM = 72 / 25.4, ROW_S = 10, ROW_TOLERANCE = 0.02, LEAST_ROW_S = 2, LEAST_POINTS_PER_S = 20;
const JOINT_POINTS = 1, MOST_PAGES = 10, MOST_OPERATIONS = 1_000_000, MOST_FORMS_DEEP = 5, OPERATIONS_OF_A_FORM = 10_000;
const EVEN_STEPS = 0.5, SAME_RATE = 0.01, MOST_OBJECTS = 100_000;

/** Samples in microvolts, rate and time of the page. */
async function readPdf(bytes, words) {
  const file = await PdfFile.open(bytes), found = [];
  const pages = file.pages();
  if (pages.length > MOST_PAGES) throw new Error(`is a PDF file of ${pages.length} pages; expected the one of the Health app`);
  for (const page of pages) {
    const drawn = await drawing(file, page), rows = rowsOf(drawn.polylines);
    if (rows.length) found.push({ rows, lines: drawn.lines });
  }
  if (found.length > 1) throw new Error(`has traces on ${found.length} pages; expected one recording on one page`);
  if (!found.length) throw new Error("has no trace of an ECG that is drawn in lines; a picture of one is not read");
  const [{ rows, lines }] = found, stated = statedBy(lines, words);
  return { ...signalOf(stated, rows), recorded_at: stated.recordedAt };
}

/* ---- objects of a file */
class PdfName { constructor(name) { this.name = name; } }
class PdfReference { constructor(number) { this.number = number; } }
class PdfOperator { constructor(name) { this.name = name; } }
const END = new PdfOperator("");

/** Reads values and operators of PDF's syntax, byte by byte. */
class PdfReader {
  constructor(bytes, at = 0) { [this.bytes, this.at] = [bytes, at]; }

  static isSpace(byte) { return byte === 32 || (byte >= 9 && byte <= 13) || byte === 0; }
  static isDelimiter(byte) { return "()<>[]{}/%".includes(String.fromCharCode(byte)); }

  skip() {
    for (;;) {
      while (PdfReader.isSpace(this.bytes[this.at])) this.at++;
      if (this.bytes[this.at] !== 37) return;
      while (this.at < this.bytes.length && this.bytes[this.at] !== 10 && this.bytes[this.at] !== 13) this.at++;
    }
  }

  word() {
    const start = this.at;
    while (this.at < this.bytes.length && !PdfReader.isSpace(this.bytes[this.at]) && !PdfReader.isDelimiter(this.bytes[this.at])) this.at++;
    return String.fromCharCode(...this.bytes.subarray(start, Math.min(this.at, start + 200)));
  }

  value(depth = 0) {
    this.skip();
    if (this.at >= this.bytes.length) return END;
    if (depth > 50) throw new Error("is not a readable PDF file");
    switch (this.bytes[this.at]) {
      case 47: this.at++; return new PdfName(this.word().replace(/#([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16))));
      case 40: return this.text();
      case 91: return this.until("]", depth);
      case 60:
        if (this.bytes[this.at + 1] !== 60) return this.hexadecimal();
        this.at++;
        return this.entries(depth);
      case 93: case 41: case 123: case 125: this.at++; return new PdfOperator(String.fromCharCode(this.bytes[this.at - 1]));
      case 62: this.at += this.bytes[this.at + 1] === 62 ? 2 : 1; return new PdfOperator(">>");
    }
    const word = this.word();
    if (/^[+-]?(\d+\.?\d*|\.\d+)$/.test(word)) return this.reference(word) ?? Number(word);
    if (word === "true" || word === "false" || word === "null") return word === "null" ? null : word === "true";
    return new PdfOperator(word);
  }

  reference(word) {
    if (!/^\d+$/.test(word)) return null;
    const rest = String.fromCharCode(...this.bytes.subarray(this.at, this.at + 16)), found = /^\s+\d+\s+R(?![A-Za-z0-9])/.exec(rest);
    if (!found) return null;
    this.at += found[0].length;
    return new PdfReference(Number(word));
  }

  until(end, depth) {
    const items = [];
    for (this.at++; ; ) {
      const item = this.value(depth + 1);
      if (item === END || (item instanceof PdfOperator && item.name === end)) return items;
      items.push(item);
    }
  }

  entries(depth) {
    const items = this.until(">>", depth), entries = new Map();
    for (let i = 0; i + 1 < items.length; i += 2) if (items[i] instanceof PdfName) entries.set(items[i].name, items[i + 1]);
    return entries;
  }

  text() {
    const found = [], escapes = { n: 10, r: 13, t: 9, b: 8, f: 12 };
    let depth = 1;
    for (this.at++; this.at < this.bytes.length; ) {
      let byte = this.bytes[this.at++];
      if (byte === 40) depth++;
      if (byte === 41 && --depth === 0) break;
      if (byte === 92) {
        byte = this.bytes[this.at++];
        const letter = String.fromCharCode(byte);
        if (letter in escapes) byte = escapes[letter];
        else if (/[0-7]/.test(letter)) {
          let digits = letter;
          while (digits.length < 3 && /[0-7]/.test(String.fromCharCode(this.bytes[this.at]))) digits += String.fromCharCode(this.bytes[this.at++]);
          byte = parseInt(digits, 8) & 255;
        } else if (byte === 13 || byte === 10) {
          if (byte === 13 && this.bytes[this.at] === 10) this.at++;
          continue;
        }
      }
      found.push(byte);
    }
    return Uint8Array.from(found);
  }

  hexadecimal() {
    const start = ++this.at;
    while (this.at < this.bytes.length && this.bytes[this.at] !== 62) this.at++;
    const digits = String.fromCharCode(...this.bytes.subarray(start, Math.min(this.at, start + 60_000))).replace(/[^0-9a-f]/gi, "");
    this.at++;
    return Uint8Array.from((digits.length % 2 ? `${digits}0` : digits).match(/../g) ?? [], (pair) => parseInt(pair, 16));
  }
}

class PdfFile {
  #bytes;
  #places = new Map(); // of objects in the file, the last of each number
  #objects = new Map();

  static async open(bytes) {
    const file = new PdfFile();
    file.#bytes = bytes;
    const text = new TextDecoder("latin1").decode(bytes);
    if (/\/Encrypt\s/.test(text)) throw new Error("is an encrypted PDF file; save it without a password");
    for (const found of text.matchAll(/(?:^|[\s>])(\d{1,9})\s+\d{1,5}\s+obj\b/g)) {
      file.#places.set(Number(found[1]), found.index + found[0].length);
      if (file.#places.size > MOST_OBJECTS) throw new Error("is not a readable PDF file");
    }
    for (const number of [...file.#places.keys()]) {
      const { entries, data } = file.#whole(number);
      if (data && entries.get("Type")?.name === "ObjStm") await file.#unpack(entries, data);
    }
    if (!file.#catalog()) throw new Error("is not a readable PDF file");
    return file;
  }

  resolved(value) {
    for (let depth = 0; value instanceof PdfReference && depth < 20; depth++) value = this.#whole(value.number).entries;
    return value instanceof PdfReference ? null : value;
  }

  entry(entries, key) { return entries instanceof Map ? this.resolved(entries.get(key)) : undefined; }

  /** The decoded bytes of a stream, or of several one after the other. */
  async stream(value) {
    const parts = [];
    for (const each of Array.isArray(value) ? value : value instanceof PdfReference ? this.#streams(value) : []) {
      const { entries, data } = each instanceof PdfReference ? this.#whole(each.number) : {};
      if (data) parts.push(await this.#decoded(entries, data), Uint8Array.of(10));
    }
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  }

  #streams(reference) {
    const value = this.#whole(reference.number).entries;
    return Array.isArray(value) ? value : [reference];
  }

  /** The pages in order, with what they inherit. */
  pages() {
    const found = [], seen = new Set(), inherited = ["Resources", "Rotate", "MediaBox"];
    const walk = (reference, above) => {
      const node = this.resolved(reference);
      if (!(node instanceof Map) || seen.has(node) || found.length > MOST_PAGES) return;
      seen.add(node);
      const here = new Map([...above, ...[...node].filter(([key]) => inherited.includes(key))]);
      const kids = this.entry(node, "Kids");
      if (Array.isArray(kids)) kids.forEach((kid) => walk(kid, here)); else found.push(new Map([...here, ...node]));
    };
    walk(this.#catalog().get("Pages"), new Map());
    return found;
  }

  #catalog() {
    for (const number of [...this.#places.keys(), ...this.#objects.keys()].reverse()) {
      const { entries } = this.#whole(number);
      if (entries instanceof Map && entries.get("Type")?.name === "Catalog") return entries;
    }
    return null;
  }

  #whole(number) {
    if (!this.#objects.has(number)) {
      this.#objects.set(number, {});
      if (this.#places.has(number)) this.#objects.set(number, this.#parsed(this.#places.get(number)));
    }
    return this.#objects.get(number);
  }

  #parsed(at) {
    const reader = new PdfReader(this.#bytes, at), entries = reader.value();
    if (!(entries instanceof Map)) return { entries };
    reader.skip();
    if (reader.word() !== "stream") return { entries };
    if (this.#bytes[reader.at] === 13) reader.at++;
    if (this.#bytes[reader.at] === 10) reader.at++;
    const start = reader.at, length = this.resolved(entries.get("Length"));
    let end = Number.isInteger(length) && length >= 0 ? start + length : Infinity;
    const after = String.fromCharCode(...this.#bytes.subarray(end, end + 16));
    if (!/^\s*endstream/.test(after)) {
      const mark = new TextEncoder().encode("endstream");
      for (end = start; end < this.#bytes.length && mark.some((byte, i) => this.#bytes[end + i] !== byte); ) end++;
    }
    return { entries, data: this.#bytes.subarray(start, end) };
  }

  async #decoded(entries, data) {
    const filters = [this.entry(entries, "Filter") ?? []].flat().map((filter) => this.resolved(filter)?.name);
    for (const filter of filters) {
      if (filter === "FlateDecode" || filter === "Fl") data = await inflated(new Blob([data]), "deflate", MOST_FILE_BYTES);
      else if (filter === "ASCII85Decode" || filter === "A85") data = ascii85(data);
      else throw new Error("is not a readable PDF file");
    }
    return data;
  }

  async #unpack(entries, data) {
    const content = await this.#decoded(entries, data), first = this.resolved(entries.get("First")), reader = new PdfReader(content);
    const pairs = Array.from({ length: Math.min(this.resolved(entries.get("N")), MOST_OBJECTS) }, () => [reader.value(), reader.value()]);
    for (const [number, offset] of pairs) {
      if (!this.#places.has(number)) this.#objects.set(number, { entries: new PdfReader(content, first + offset).value() });
    }
  }
}

function ascii85(data) {
  const found = [];
  let group = [];
  for (const byte of data) {
    if (byte === 126) break;
    if (byte === 122 && !group.length) found.push(0, 0, 0, 0);
    if (byte < 33 || byte > 117) continue;
    group.push(byte - 33);
    if (group.length === 5) { found.push(...fourOf(group)); group = []; }
  }
  if (group.length > 1) found.push(...fourOf([...group, 84, 84, 84, 84].slice(0, 5)).slice(0, group.length - 1));
  return Uint8Array.from(found);
}

function fourOf(group) {
  const value = group.reduce((sum, digit) => 85 * sum + digit, 0);
  return [value / 2 ** 24, value / 2 ** 16, value / 2 ** 8, value].map((part) => Math.floor(part) & 255);
}

/* ---- what a page draws: stroked paths of straight pieces, and lines of words */
const times = (m, n) => [m[0] * n[0] + m[1] * n[2], m[0] * n[1] + m[1] * n[3], m[2] * n[0] + m[3] * n[2], m[2] * n[1] + m[3] * n[3],
  m[4] * n[0] + m[5] * n[2] + n[4], m[4] * n[1] + m[5] * n[3] + n[5]]; // first m, then n
const through = ([a, b, c, d, e, f], [x, y]) => [a * x + c * y + e, b * x + d * y + f];
const NO_MATRIX = [1, 0, 0, 1, 0, 0];
const numbers = (values) => values?.length === 6 && values.every((value) => typeof value === "number") ? values : NO_MATRIX;

async function drawing(file, page) {
  const turned = { 0: NO_MATRIX, 90: [0, -1, 1, 0, 0, 0], 180: [-1, 0, 0, -1, 0, 0], 270: [0, 1, -1, 0, 0, 0] };
  const scale = file.entry(page, "UserUnit") ?? 1, rotation = (((file.entry(page, "Rotate") ?? 0) % 360) + 360) % 360;
  const matrix = (turned[rotation] ?? NO_MATRIX).map((value) => scale * value);
  const drawn = { polylines: [], shown: [], operations: 0 };
  await draw(file, await file.stream(page.get("Contents")), file.entry(page, "Resources"), matrix, drawn, 0);
  return { polylines: drawn.polylines, lines: linesOf(drawn.shown) };
}

async function draw(file, content, resources, matrix, drawn, depth) {
  if (depth > MOST_FORMS_DEEP) throw new Error(`has forms within each other, more than ${MOST_FORMS_DEEP} deep`);
  drawn.operations += OPERATIONS_OF_A_FORM;
  const reader = new PdfReader(content), stack = [], fonts = new Map();
  let operands = [], path = [], font = null, textMatrix = NO_MATRIX, lineMatrix = NO_MATRIX, leading = 0, isMoved = true;
  const moveText = (x, y) => { textMatrix = lineMatrix = times([1, 0, 0, 1, x, y], lineMatrix); isMoved = true; };
  const showText = (bytes) => {
    const [x, y] = through(times(textMatrix, matrix), [0, 0]);
    drawn.shown.push({ x, y, text: font ? font(bytes) : "", isMoved });
    isMoved = false;
  };
  for (let value; (value = reader.value()) !== END; ) {
    if (!(value instanceof PdfOperator)) { operands.push(value); continue; }
    if (++drawn.operations > MOST_OPERATIONS) throw new Error(`has a page of more than ${MOST_OPERATIONS} operations; expected one ECG`);
    const o = operands, last = path.at(-1);
    operands = [];
    switch (value.name) {
      case "m": path.push([[o[0], o[1]]]); break;
      case "l": last?.push([o[0], o[1]]); break;
      case "h": last?.push(last[0]); break;
      case "c": case "v": case "y": path.push([[o.at(-2), o.at(-1)]]); break; // a curve is no piece of a trace
      case "S": case "s": case "B": case "B*": case "b": case "b*":
        for (const points of path) if (points.length > 1) drawn.polylines.push(points.map((point) => through(matrix, point)));
        path = [];
        break;
      case "f": case "F": case "f*": case "n": path = []; break;
      case "q": stack.push(matrix); break;
      case "Q": matrix = stack.pop() ?? matrix; break;
      case "cm": matrix = times(numbers(o), matrix); break;
      case "Do": {
        const reference = file.entry(resources, "XObject")?.get(o[0]?.name), form = file.resolved(reference);
        if (file.entry(form, "Subtype")?.name !== "Form") break;
        const inner = times(numbers(file.entry(form, "Matrix")), matrix);
        await draw(file, await file.stream([reference]), file.entry(form, "Resources") ?? resources, inner, drawn, depth + 1);
        break;
      }
      case "BI": while (!(value instanceof PdfOperator && (value.name === "EI" || value === END))) value = reader.value(); break;
      case "BT": textMatrix = lineMatrix = NO_MATRIX; isMoved = true; break;
      case "Tf": {
        const name = o[0]?.name;
        if (!fonts.has(name)) fonts.set(name, await letters(file, file.entry(file.entry(resources, "Font"), name)));
        font = fonts.get(name);
        break;
      }
      case "TL": leading = o[0]; break;
      case "Td": moveText(o[0], o[1]); break;
      case "TD": leading = -o[1]; moveText(o[0], o[1]); break;
      case "Tm": textMatrix = lineMatrix = numbers(o); isMoved = true; break;
      case "T*": moveText(0, -leading); break;
      case "Tj": showText(o[0]); break;
      case "'": case "\"": moveText(0, -leading); showText(o.at(-1)); break;
      case "TJ":
        for (const item of o[0] ?? []) if (typeof item === "number") { if (item < -200) showText(null); } else showText(item);
        break;
    }
  }
}

/** What turns the bytes of a font into letters: its own table, or Latin letters where it has none. */
async function letters(file, font) {
  const table = font?.get("ToUnicode"), isTwo = file.entry(font, "Subtype")?.name === "Type0";
  const codes = new Map();
  if (table) {
    const reader = new PdfReader(await file.stream([table])), utf16 = (bytes) => new TextDecoder("utf-16be").decode(bytes);
    const code = (bytes) => bytes.reduce((sum, byte) => 256 * sum + byte, 0);
    let items = [];
    for (let value; (value = reader.value()) !== END && codes.size < 70_000; ) {
      if (!(value instanceof PdfOperator)) { items.push(value); continue; }
      if (value.name === "endbfchar") for (let i = 0; i + 1 < items.length; i += 2) codes.set(code(items[i]), utf16(items[i + 1]));
      if (value.name === "endbfrange") {
        for (let i = 0; i + 2 < items.length; i += 3) {
          const [from, to, target] = [code(items[i]), code(items[i + 1]), items[i + 2]];
          for (let at = from; at <= Math.min(to, from + 65_535); at++) {
            if (Array.isArray(target)) { if (target[at - from]) codes.set(at, utf16(target[at - from])); } else {
              const bytes = Uint8Array.from(target), end = bytes.length - 2;
              const letter = 256 * bytes[end] + bytes[end + 1] + at - from;
              [bytes[end], bytes[end + 1]] = [letter >> 8, letter & 255];
              codes.set(at, utf16(bytes));
            }
          }
        }
      }
      items = [];
    }
  }
  return (bytes) => {
    if (bytes === null) return " ";
    if (!(bytes instanceof Uint8Array)) return "";
    if (!codes.size && !isTwo) return new TextDecoder("windows-1252").decode(bytes);
    let text = "";
    for (let i = 0; i + (isTwo ? 1 : 0) < bytes.length; i += isTwo ? 2 : 1) text += codes.get(isTwo ? 256 * bytes[i] + bytes[i + 1] : bytes[i]) ?? "";
    return text;
  };
}

function linesOf(shown) {
  const lines = [];
  for (const { y, text, isMoved } of shown) {
    const last = lines.at(-1);
    if (last && Math.abs(last.y - y) < 1) last.text += (isMoved ? " " : "") + text; else lines.push({ y, text });
  }
  return lines.map(({ text }) => text.normalize("NFKC").split(/\s+/).filter(Boolean).join(" ")).filter(Boolean);
}

/* ---- rows of a trace */
const steps = (values) => values.slice(1).map((value, i) => value - values[i]);
const span = (values) => values.reduce((most, value) => Math.max(most, value), -Infinity) - values.reduce((least, value) => Math.min(least, value), Infinity);

function middle(values) {
  const sorted = Float64Array.from(values).sort(), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The traces from top to bottom: long paths, in one or many pieces, that never turn back. */
function rowsOf(polylines) {
  const chains = [];
  for (const line of polylines) {
    if (steps(line.map(([x]) => x)).some((step) => !(step >= 0))) continue;
    const gap = line[0][0] - (chains.at(-1)?.at(-1)[0] ?? Infinity);
    if (0 <= gap && gap <= JOINT_POINTS) for (const point of line) chains.at(-1).push(point); else chains.push([...line]);
  }
  const least = LEAST_ROW_S * 25 * POINTS_PER_MM;
  return chains.map(traceOf)
    .filter((row) => row.length > LEAST_ROW_S * LEAST_POINTS_PER_S && span(row.map(([x]) => x)) > least && span(row.map(([, y]) => y)) > 1)
    .map((row) => [row, middle(row.map(([, y]) => y))]).sort((a, b) => b[1] - a[1]).map(([row]) => row);
}

/** A row without points that come twice where pieces meet, and without a calibration mark before it. */
function traceOf(points) {
  const ahead = steps(points.map(([x]) => x)), positive = ahead.filter((step) => step > 0), usual = positive.length ? middle(positive) : 0;
  const kept = points.filter((_, i) => !i || ahead[i - 1] > usual / 10);
  const long = steps(kept.map(([x]) => x)).findLastIndex((step) => step > 20 * usual);
  return kept.slice(long >= 0 && long < kept.length / 10 ? long + 1 : 0);
}

/* ---- words */
function statedBy(lines, words) {
  const number = (found) => (found ? Number(found[1].replace(",", ".")) : null), text = lines.join("\n");
  const about = lines.filter((line) => words.speed.test(line) || words.gain.test(line)).join("\n");
  const rates = [...about.matchAll(words.rate)].map((found) => number(found) * (found[2] || found[3] ? 1000 : 1));
  if (rates.some((rate) => Math.abs(rate - rates[0]) > SAME_RATE * rates[0])) throw new Error(`states two sample rates, ${rates[0]} and ${rates.at(-1)} Hz`);
  const dated = lines.filter((line) => words.clock.test(line)).map((line) => timeIn(line, words)); // a birth date has no time
  return { mmPerS: number(words.speed.exec(text)), mmPerMv: number(words.gain.exec(text)), rateHz: rates[0] ?? null,
    recordedAt: dated.find((time) => time && words.clock.test(time)) ?? null };
}

/** `YYYY-MM-DD HH:MM:SS` of the first date in a line; the core makes other calendars Gregorian. */
function timeIn(line, words) {
  const text = line.replace(/\p{Nd}/gu, (digit) => decimal(digit)).replace(/\b(\d\d?)\.(\d\d?)\.(\d{4})\b/g, "$3-$2-$1")
    .replace(words.east_asian, (_, year, month, day) => `${year.padStart(4, "0")}-${month}-${day} `);
  const found = words.recorded_at.exec(text), inWords = words.in_words.exec(text);
  const day = (year, month, of) => (month >= 1 && month <= 12 && of >= 1 && of <= 31 ? `${year}-${String(month).padStart(2, "0")}-${String(of).padStart(2, "0")}` : null);
  const clock = (time) => {
    if (time?.hour === undefined) return null;
    const half = `${time.before ?? ""}${time.after ?? ""}`.replace(/[^\p{L}\p{N}_]/gu, "").toLowerCase();
    const isAfternoon = words.after_noon.includes(half);
    if (half && !isAfternoon && !words.before_noon.includes(half)) return null;
    const hour = half ? Number(time.hour) % 12 + (isAfternoon ? 12 : 0) : Number(time.hour);
    return hour < 24 ? `${String(hour).padStart(2, "0")}:${time.minute}:${time.second ?? "00"}` : null;
  };
  if (found) return join(day(found.groups.y, Number(found.groups.m), Number(found.groups.d)), clock(found.groups));
  const month = inWords ? words.months.indexOf(inWords.groups.month.toLowerCase()) + 1 : 0;
  if (!month) return null;
  const rest = text.slice(inWords.index + inWords[0].length).replace(" at ", " ");
  return join(day(inWords.groups.y, month, Number(inWords.groups.d)), clock(words.time.exec(rest)?.groups));
}

const join = (day, clock) => day && [day, clock].filter(Boolean).join(" ");

function decimal(digit) {
  let zero = digit.codePointAt(0);
  while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1)) && digit.codePointAt(0) - zero < 9) zero--;
  return String((digit.codePointAt(0) - zero) % 10);
}

/* ---- samples */
function signalOf({ mmPerS, mmPerMv, rateHz }, rows) {
  if (!mmPerS || !mmPerMv) throw new Error("names no scale; expected a line such as 25 mm/s, 10 mm/mV, Lead I, 512Hz");
  if (!rateHz) throw new Error("names no sample rate; expected a line such as 25 mm/s, 10 mm/mV, Lead I, 512Hz");
  const seconds = rows.map((row) => row.map(([x]) => x / (mmPerS * POINTS_PER_MM))), lengths = seconds.map((row) => row.at(-1) - row[0]);
  const isUneven = lengths.slice(1, -1).some((length) => Math.abs(length - ROW_S) > ROW_TOLERANCE * ROW_S);
  if (isUneven || Math.max(...lengths) > ROW_S * (1 + ROW_TOLERANCE)) {
    throw new Error(`has rows of ${lengths.map((length) => length.toFixed(2)).join(", ")} s at ${mmPerS} mm/s; expected ${ROW_S} s each`);
  }
  const [parts, rate] = samplesOf(seconds, rows.map((row) => row.map(([, y]) => y)), rateHz), heights = [...parts[0]];
  for (const row of parts.slice(1)) { // each has a height of its own: it begins where the one above it ended
    const [before, end] = heights.slice(-2), slope = (end - before + row[1] - row[0]) / 2, first = row[0];
    for (const value of row) heights.push(value - first + end + slope);
  }
  const level = middle(heights);
  return { rate_hz: rate, samples: Float64Array.from(heights, (height) => 1000 * (height - level) / (mmPerMv * POINTS_PER_MM)) };
}

function samplesOf(seconds, heights, stated) {
  const even = seconds.map(evenStep), known = even.filter(Boolean);
  if (known.length < seconds.length) {
    const grids = seconds.map((row) => Array.from({ length: Math.ceil((row.at(-1) + 0.01 / stated - row[0]) * stated) }, (_, i) => row[0] + i / stated));
    return [grids.map((grid, i) => between(grid, seconds[i], heights[i])), stated];
  }
  const measured = known.length / known.reduce((sum, step) => sum + step, 0), isSame = (a, b) => Math.abs(a - b) <= SAME_RATE * b;
  if (known.some((step) => !isSame(1 / step, measured))) throw new Error("has rows whose points come at different rates");
  const whole = Math.max(Math.round(stated / measured), 1); // every second point may be left out
  if (!isSame(stated, whole * measured)) throw new Error(`names ${stated} Hz, but by its scale its rows have ${measured.toPrecision(4)} points a second`);
  return [heights, Math.abs(whole * measured - stated) < 2e-4 * stated ? stated / whole : measured];
}

/** The step of even times, null for others. */
function evenStep(row) {
  const places = row.map((_, i) => i - (row.length - 1) / 2), mean = row.reduce((sum, time) => sum + time, 0) / row.length;
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const step = sum(places.map((place, i) => place * row[i])) / sum(places.map((place) => place * place));
  return Math.max(...row.map((time, i) => Math.abs(time - mean - step * places[i]))) < EVEN_STEPS * step ? step : null;
}

function between(grid, xs, ys) {
  let at = 0;
  return grid.map((x) => {
    while (at + 2 < xs.length && xs[at + 1] < x) at++;
    if (x <= xs[0]) return ys[0];
    return x >= xs.at(-1) ? ys.at(-1) : ys[at] + (ys[at + 1] - ys[at]) * (x - xs[at]) / (xs[at + 1] - xs[at]);
  });
}

/* The worker of the page: files in, recordings and decisions out. It runs after edge-ecg.js and knows no page.

   A recording is kept as where it lies, not as samples: it is read again when it is asked for, so that thousands of them
   need no more memory than one. */
const MOST_FILE_BYTES = 64_000_000, MOST_MEMBERS = 50_000, MOST_DIRECTORY_BYTES = 10_000_000, MOST_RATIO = 100;
const ECG_FOLDER = "electrocardiograms"; // Apple's own folder keeps its English name in every language
const SHOWN_S = [3, 9], SHOWN_COLUMNS = 200; // of the small trace
const sources = []; // of each recording by its number: its name, and what reads its bytes
const urgent = [], waiting = []; // jobs; what a person asks for goes before what is read in passing
let wasm, packed, ecg, bundle, words, isBusy = false, done = 0, total = 0;
const baselines = new Map(); // by the numbers of its recordings: the day's baseline, or why there is none

onmessage = ({ data: job }) => {
  (job.kind === "files" || job.kind === "judge" ? waiting : urgent).push(job);
  pump();
};

async function pump() {
  if (isBusy) return;
  isBusy = true;
  for (let job; (job = urgent.shift() ?? waiting.shift());) {
    try {
      await JOBS[job.kind](job);
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) await restart(); // its memory can't be trusted any more
      postMessage({ kind: "failed", of: job.kind, name: job.name ?? "", why: error.message, number: job.number ?? null });
    }
    if (job.counts) postMessage({ kind: "progress", done: ++done, total });
  }
  isBusy = false;
}

const JOBS = {
  async start(job) {
    wasm = await inflated(new Blob([job.wasm]), "gzip", MOST_FILE_BYTES);
    ecg = await EdgeECG.load(wasm);
    words = Object.fromEntries(Object.entries(job.words).map(([name, value]) => [name, Array.isArray(value) ? value : new RegExp(value, "giu".slice(name === "rate" ? 0 : 1))]));
    postMessage({ kind: "ready" });
    if (job.bundle) open(job.bundle, job.name);
  },

  files({ files }) {
    total += files.length;
    waiting.unshift(...files.map((file) => ({ kind: "file", file, name: file.name, counts: true })));
  },

  async file({ file, name }) {
    const start = new Uint8Array(await file.slice(0, 16).arrayBuffer());
    const text = String.fromCharCode(...start);
    if (text.startsWith("PK\x03\x04") || text.startsWith("PK\x05\x06")) return archive(file, name);
    if (file.size > MOST_FILE_BYTES) throw new Error("is larger than any recording");
    if (start[8] === 123 && start.subarray(3, 8).every((byte) => !byte)) return open(await whole(file), name);
    await add({ name, bytes: () => whole(file) });
  },

  member({ name, source }) { return add({ name, bytes: source }); },

  judge({ numbers, baseline }) {
    total += numbers.length;
    waiting.unshift(...numbers.map((number) => ({ kind: "one", number, baseline, counts: true, name: sources[number].name })));
  },

  async one({ number, baseline }) { await judged(number, baseline, (result) => summary(result)); },

  async detail({ number, baseline }) {
    await judged(number, baseline, (replayed, recording) => ({
      ...summary(replayed), detail: { beats: replayed.beats, samples: Float32Array.from(recording.samples), rate_hz: recording.rate_hz },
    }));
  },

  async enroll({ numbers }) {
    const opened = [];
    try {
      for (const number of numbers) opened.push(await load(sources[number]));
      postMessage({ kind: "enrolled", ...ecg.enroll(bundle, opened) });
    } finally {
      opened.forEach((recording) => ecg.close(recording));
    }
  },

  open({ bytes, name }) { open(bytes, name); },
};

async function restart() {
  ecg = await EdgeECG.load(wasm);
  bundle = packed && ecg.open(packed);
  baselines.clear();
}

const whole = async (file) => new Uint8Array(await file.arrayBuffer());

function open(bytes, name) {
  const opened = ecg.open(bytes);
  if (bundle) ecg.close(bundle);
  [bundle, packed] = [opened, bytes];
  forgetBaselines();
  const { handle, ...facts } = bundle;
  postMessage({ kind: "bundle", name, ...facts });
}

function forgetBaselines() {
  for (const day of baselines.values()) if (!(day instanceof Error)) ecg.close(day);
  baselines.clear();
}

/** A file that should be a recording: read once for the list, and judged if there is a bundle. */
async function add(source) {
  const recording = await load(source), number = sources.length;
  try {
    sources.push(source);
    const result = bundle ? summary(timed(recording, null)) : null;
    postMessage({
      kind: "recording", number, name: source.name, recorded_at: recording.recorded_at, day: recording.day,
      rate_hz: recording.rate_hz, duration_s: recording.samples.length / recording.rate_hz, trace: small(recording), result,
    });
  } finally {
    ecg.close(recording);
  }
}

async function load({ bytes, name }) {
  const content = await bytes();
  if (!String.fromCharCode(...content.subarray(0, 1024)).includes("%PDF-")) return ecg.read(content, name);
  const { samples, rate_hz, recorded_at } = await readPdf(content, words);
  return ecg.recording(samples, rate_hz, recorded_at, name);
}

async function judged(number, baseline, shown) {
  const recording = await load(sources[number]);
  try {
    const day = baseline.length ? await dayBaseline(baseline) : null;
    if (day instanceof Error) throw day;
    const result = shown(timed(recording, day), recording);
    postMessage({ kind: "judged", number, baseline, result }, result.detail ? [result.detail.samples.buffer] : []);
  } finally {
    ecg.close(recording);
  }
}

function timed(recording, day) {
  const began = performance.now();
  const result = ecg.replay(bundle, recording, day);
  return { ...result, took_ms: performance.now() - began, recordings: day?.recordings ?? 0, is_dated: day?.day > 0 };
}

async function dayBaseline(numbers) {
  const key = numbers.join();
  if (!baselines.has(key)) {
    const opened = [];
    try {
      for (const number of numbers) opened.push(await load(sources[number]));
      baselines.set(key, ecg.dayBaseline(bundle, opened));
    } catch (error) {
      baselines.set(key, error);
    } finally {
      opened.forEach((recording) => ecg.close(recording));
    }
  }
  return baselines.get(key);
}

/** What the list shows of a replay. */
function summary({ beats, decision, took_ms, recordings, is_dated }) {
  const reasons = {};
  for (const beat of beats) for (const reason of beat.reasons) reasons[reason] = (reasons[reason] ?? 0) + 1;
  const rr = beats.filter((beat) => !beat.reasons.length).map((beat) => beat.rr_s);
  rr.sort((a, b) => a - b);
  return {
    decision, unusable: reasons, found: beats.length, inverted: beats.filter((beat) => beat.is_turned).length,
    heart_rate: rr.length ? 60 / rr[rr.length >> 1] : null, took_ms, recordings, is_dated,
  };
}

/** Lowest and highest sample of each column of the small trace in microvolts, the earlier first. */
function small({ samples, rate_hz }) {
  const [from, to] = SHOWN_S.map((second) => Math.min(samples.length, Math.round(second * rate_hz)));
  const trace = new Float32Array(2 * SHOWN_COLUMNS);
  for (let column = 0; column < SHOWN_COLUMNS; column++) {
    const start = from + Math.floor((to - from) * column / SHOWN_COLUMNS);
    const end = Math.max(start + 1, from + Math.floor((to - from) * (column + 1) / SHOWN_COLUMNS));
    let [low, high] = [-1, -1]; // where they are: the line goes to the earlier first
    for (let i = start; i < end; i++) {
      if (Number.isNaN(samples[i])) continue;
      if (low < 0 || samples[i] < samples[low]) low = i;
      if (high < 0 || samples[i] > samples[high]) high = i;
    }
    trace[2 * column] = low < 0 ? NaN : samples[Math.min(low, high)];
    trace[2 * column + 1] = low < 0 ? NaN : samples[Math.max(low, high)];
  }
  return trace;
}

/* Zip archives: the directory is checked before anything is unpacked, and only ECGs are. */
async function archive(file, name) {
  const members = await directory(file), names = new Set(), places = new Set(), jobs = [];
  const plain = members.filter((member) => !/(^|\/)(\.[^/]*|__MACOSX\/.*|)$/.test(member.name));
  const isOfApple = (member) => new RegExp(`(^|/)${ECG_FOLDER}/[^/]*\\.csv$`, "i").test(member.name);
  const isExport = plain.some(isOfApple);
  const wanted = plain.filter(isExport ? isOfApple : (member) => /\.(csv|txt|pdf)$/i.test(member.name));
  for (const member of wanted.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const label = member.name.split("/").slice(-2).join("/");
    if (names.has(member.name) || places.has(member.offset) || member.isLink || member.name.split("/").includes("..")) {
      postMessage({ kind: "skipped", name: `${name}/${label}`, why: "shares its name or place in the archive, or leads out of it" });
      continue;
    }
    names.add(member.name);
    places.add(member.offset);
    jobs.push({ kind: "member", name: label, source: () => unpacked(file, member), counts: true });
  }
  total += jobs.length;
  waiting.unshift(...jobs);
  if (!jobs.length) throw new Error("contains no ECG; expected the Health app's export.zip, or a zip with recordings");
  const others = plain.length - wanted.length;
  if (others) postMessage({ kind: "others", name, count: others });
}

async function directory(file) {
  const damaged = () => new Error("is no whole zip archive; export it again");
  const slice = async (start, end) => new DataView(await file.slice(start, end).arrayBuffer());
  const start = Math.max(0, file.size - 65_557), tail = await slice(start, file.size);
  let at = tail.byteLength - 22;
  while (at >= 0 && tail.getUint32(at, true) !== 0x06054b50) at--;
  if (at < 0) throw damaged();
  let count = tail.getUint16(at + 10, true), size = tail.getUint32(at + 12, true), offset = tail.getUint32(at + 16, true);
  if ((count === 0xffff || size === 0xffffffff || offset === 0xffffffff) && at >= 20 && tail.getUint32(at - 20, true) === 0x07064b50) {
    const large = await slice(Number(tail.getBigUint64(at - 12, true)), Number(tail.getBigUint64(at - 12, true)) + 56);
    if (large.byteLength < 56 || large.getUint32(0, true) !== 0x06064b50) throw damaged();
    [count, size, offset] = [32, 40, 48].map((place) => Number(large.getBigUint64(place, true)));
  }
  if (count > MOST_MEMBERS || size > MOST_DIRECTORY_BYTES) throw new Error(`has a directory of ${count} files, which is too large to be true`);
  const view = await slice(offset, offset + size), members = [];
  for (let place = 0; members.length < count; ) {
    if (place + 46 > view.byteLength || view.getUint32(place, true) !== 0x02014b50) throw damaged();
    const [names, extras, comments] = [28, 30, 32].map((field) => view.getUint16(place + field, true));
    const end = place + 46 + names + extras;
    if (end + comments > view.byteLength) throw damaged();
    const member = {
      isEncrypted: (view.getUint16(place + 8, true) & 1) === 1, method: view.getUint16(place + 10, true),
      crc: view.getUint32(place + 16, true), packed: view.getUint32(place + 20, true), size: view.getUint32(place + 24, true),
      isLink: (view.getUint32(place + 38, true) >>> 16 & 0xf000) === 0xa000, offset: view.getUint32(place + 42, true),
      name: new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + place + 46, names)).replaceAll("\\", "/"),
    };
    for (let extra = place + 46 + names; extra + 4 <= end; extra += 4 + view.getUint16(extra + 2, true)) {
      if (view.getUint16(extra, true) !== 1) continue; // sizes of 64 bits
      let field = extra + 4;
      for (const key of ["size", "packed", "offset"]) {
        if (member[key] !== 0xffffffff || field + 8 > end) continue;
        member[key] = Number(view.getBigUint64(field, true));
        field += 8;
      }
    }
    members.push(member);
    place = end + comments;
  }
  return members;
}

async function unpacked(file, member) {
  const damaged = () => new Error("is damaged; export it from the Health app again");
  if (member.isEncrypted) throw new Error("is encrypted; expected the zip as Apple wrote it");
  if (member.size > MOST_FILE_BYTES || member.size > MOST_RATIO * Math.max(member.packed, 1)) {
    throw new Error(`unpacks from ${member.packed} to ${member.size} bytes; no recording does`);
  }
  const head = new DataView(await file.slice(member.offset, member.offset + 30).arrayBuffer());
  if (head.byteLength < 30 || head.getUint32(0, true) !== 0x04034b50) throw damaged();
  const start = member.offset + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const content = file.slice(start, start + member.packed);
  let bytes;
  try {
    if (member.method === 8) bytes = await inflated(content, "deflate-raw", member.size);
    else if (member.method === 0) bytes = await whole(content);
  } catch { /* told below */ }
  if (!bytes || bytes.length !== member.size || crc32(bytes) !== member.crc) throw damaged();
  return bytes;
}

/** The content of a compressed blob, at most so many bytes of it. */
async function inflated(blob, format, most) {
  const parts = [], reader = blob.stream().pipeThrough(new DecompressionStream(format)).getReader();
  let size = 0;
  for (let step; !(step = await reader.read()).done;) {
    size += step.value.length;
    if (size > most) {
      reader.cancel();
      throw new Error("unpacks to more than it declares");
    }
    parts.push(step.value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

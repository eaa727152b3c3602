"use strict";
/* Edge ECG's core over WebAssembly, in a page, a worker or Node: what edge_ecg.h declares, with names instead of numbers.

   const ecg = await EdgeECG.load(wasm);
   const bundle = ecg.open(packed), recording = ecg.read(bytes, "ecg_2024-03-09.csv");
   const { beats, decision } = ecg.replay(bundle, recording, ecg.dayBaseline(bundle, [morning]));
   ecg.close(recording);

   What can't be opened or read is an Error with one sentence. Structs keep the names of the header; a decision is its
   label, reasons are their names, a missing number is null. */
class EdgeECG {
  static VERSION = 1;
  static #RULE = { lower: "f64", upper: "f64", most_confident_baseline: "f64", most_confident_target: "f64",
    baseline_dates: "i32", target_dates: "i32", first_day: "i32", last_day: "i32", sample_rate_hz: "i32",
    beat_length: "i32", is_enrolled: "i32", fewest_beats: "i32" };
  static #BEAT = { r_index: "i64", known_at_s: "f64", rr_s: "f64", evidence: "f64", log_odds: "f64", confidence: "f64",
    decision: "i32", reasons: "u32", same_as_baseline: "i32", same_as_target: "i32", hard_target: "i32",
    is_turned: "i32" };
  static #DECISION = { confidence: "f64", log_odds: "f64", level: "f64", provisional_s: "f64", covered_s: "f64",
    decision: "i32", provisional: "i32", provisional_beats: "i32", votes_for_baseline: "i32", votes_for_target: "i32", unusable: "i32",
    is_enough: "i32", reasons: "u32" };
  static #LEVEL = { level: "f64", recordings: "i32", beats: "i32", day: "i32" };
  static #ENROLLMENT = { distance: "f64", recordings: "i32", dates: "i32", rejected: "i32" };
  static #ROOM = 512; // bytes of a sentence, a text or a struct
  static #CHUNK = 64; // samples in a push

  #c; // what the WebAssembly module exports
  #error;
  #text;
  #struct;
  #samples;
  #beatReasons;
  #recordingReasons;

  /** The core in the bytes of edge_ecg.wasm. */
  static async load(wasm) {
    const refused = () => 8; // EBADF: the C library could only ask for files, and there are none
    const files = { fd_close: refused, fd_seek: refused, fd_write: refused };
    const { instance } = await WebAssembly.instantiate(wasm, { wasi_snapshot_preview1: files });
    return new EdgeECG(instance.exports);
  }

  constructor(exports) {
    this.#c = exports;
    if (exports.ecg_version() !== EdgeECG.VERSION) throw new Error("the core has another version of its interface");
    [this.#error, this.#text, this.#struct] = [0, 0, 0].map(() => exports.malloc(EdgeECG.#ROOM));
    this.#samples = exports.malloc(8 * EdgeECG.#CHUNK);
    this.#beatReasons = this.#names(exports.ecg_beat_reason);
    this.#recordingReasons = this.#names(exports.ecg_recording_reason);
  }

  /** A packed bundle, verified: its labels, its intended use and how it decides. */
  open(bytes) {
    const handle = this.#with(bytes, (at) => this.#made(this.#c.ecg_bundle_open(at, bytes.length, this.#error, EdgeECG.#ROOM)));
    this.#c.ecg_bundle_rule(handle, this.#struct);
    return {
      handle,
      ...this.#read(EdgeECG.#RULE),
      labels: [0, 1, 2].map((decision) => this.#written((at, most) => this.#c.ecg_bundle_label(handle, decision, at, most))),
      intended_use: this.#written((at, most) => this.#c.ecg_bundle_intended_use(handle, at, most)),
    };
  }

  /** The recording in the bytes of a file. */
  read(bytes, name) {
    return this.#recording(name, this.#named(name, (path) => this.#with(bytes, (at) =>
      this.#made(this.#c.ecg_recording_read(at, bytes.length, path, this.#error, EdgeECG.#ROOM)))));
  }

  /** A recording from samples in microvolts, NaN where one is missing. */
  recording(samples, rateHz, recordedAt, name) {
    const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    return this.#recording(name, this.#named(name, (path) => this.#named(recordedAt, (when) => this.#with(bytes, (at) =>
      this.#made(this.#c.ecg_recording_new(at, samples.length, rateHz, when, path, this.#error, EdgeECG.#ROOM))))));
  }

  /** Ends the life of a bundle, a recording or a day's baseline. */
  close(opened) {
    const close = "samples" in opened ? this.#c.ecg_recording_close : "level" in opened ? this.#c.ecg_day_baseline_close : this.#c.ecg_bundle_close;
    close(opened.handle);
    opened.handle = 0;
  }

  /** The day's baseline from recordings of the baseline, made on the day that is judged. */
  dayBaseline(bundle, recordings) {
    const handle = this.#given(recordings, (at, count) =>
      this.#made(this.#c.ecg_day_baseline_of(bundle.handle, at, count, this.#error, EdgeECG.#ROOM)));
    this.#c.ecg_day_baseline_level(handle, this.#struct);
    return { handle, ...this.#read(EdgeECG.#LEVEL) };
  }

  /** The bytes of the packed bundle, its references moved to fresh recordings of three dates, and how far that is. */
  enroll(bundle, recordings) {
    const handle = this.#given(recordings, (at, count) =>
      this.#made(this.#c.ecg_bundle_enroll(bundle.handle, at, count, this.#struct, this.#error, EdgeECG.#ROOM)));
    const found = this.#read(EdgeECG.#ENROLLMENT), count = this.#c.ecg_bundle_packed(handle, this.#struct);
    const at = new DataView(this.#c.memory.buffer).getUint32(this.#struct, true);
    const bytes = new Uint8Array(this.#c.memory.buffer, at, count).slice();
    this.#c.ecg_bundle_close(handle);
    return { ...found, bytes };
  }

  /** A recording through a watch: its beats, and the decision at its end. */
  replay(bundle, recording, baseline = null) {
    const { rate_hz, day } = recording, day_baseline = baseline?.handle ?? 0;
    const watch = this.#made(this.#c.ecg_watch_new(bundle.handle, rate_hz, day, day_baseline, this.#error, EdgeECG.#ROOM));
    try {
      const beats = [];
      for (let start = 0; start < recording.samples.length; start += EdgeECG.#CHUNK) {
        const chunk = recording.samples.subarray(start, start + EdgeECG.#CHUNK);
        new Float64Array(this.#c.memory.buffer, this.#samples, chunk.length).set(chunk);
        const found = this.#c.ecg_watch_push(watch, this.#samples, chunk.length, this.#error, EdgeECG.#ROOM);
        if (found < 0) throw new Error(this.#string(this.#error));
        for (let i = 0; i < found; i++) beats.push(this.#beat(bundle, watch));
      }
      this.#c.ecg_watch_decision(watch, this.#struct);
      const d = this.#read(EdgeECG.#DECISION);
      const provisional = d.provisional < 0 ? null : bundle.labels[d.provisional];
      const reasons = this.#recordingReasons.filter((_, bit) => d.reasons >> bit & 1);
      return { beats, decision: { ...d, decision: bundle.labels[d.decision], provisional, reasons } };
    } finally {
      this.#c.ecg_watch_close(watch);
    }
  }

  #beat(bundle, watch) {
    this.#c.ecg_watch_next(watch, this.#struct, 0);
    const beat = this.#read(EdgeECG.#BEAT);
    const reasons = this.#beatReasons.filter((_, bit) => beat.reasons >> bit & 1);
    return { ...beat, decision: bundle.labels[beat.decision], reasons };
  }

  #recording(name, handle) {
    const count = this.#c.ecg_recording_samples(handle, this.#struct);
    const at = new DataView(this.#c.memory.buffer).getUint32(this.#struct, true);
    return {
      handle, name,
      samples: new Float64Array(this.#c.memory.buffer, at, count).slice(),
      rate_hz: this.#c.ecg_recording_rate_hz(handle),
      day: this.#c.ecg_recording_day(handle),
      recorded_at: this.#written((text, most) => this.#c.ecg_recording_recorded_at(handle, text, most)) || null,
    };
  }

  /** Bytes in the core's memory while `use` runs. */
  #with(bytes, use) {
    const at = this.#c.malloc(bytes.length + 1);
    if (!at) throw new Error("there is not enough memory");
    try {
      const memory = new Uint8Array(this.#c.memory.buffer);
      memory.set(bytes, at);
      memory[at + bytes.length] = 0;
      return use(at);
    } finally {
      this.#c.free(at);
    }
  }

  #given(recordings, use) {
    const handles = new Uint32Array(recordings.map((recording) => recording.handle));
    return this.#with(new Uint8Array(handles.buffer), (at) => use(at, handles.length));
  }

  #named(text, use) { return text ? this.#with(new TextEncoder().encode(text), use) : use(0); }

  #made(handle) {
    if (!handle) throw new Error(this.#string(this.#error));
    return handle;
  }

  #string(at) {
    const bytes = new Uint8Array(this.#c.memory.buffer, at);
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  }

  #written(write) {
    write(this.#text, EdgeECG.#ROOM);
    return this.#string(this.#text);
  }

  #names(name) {
    const bits = Array.from({ length: 32 }, (_, bit) => this.#written((at, most) => name(bit, at, most)));
    return bits.filter((text) => text);
  }

  #read(layout) {
    const view = new DataView(this.#c.memory.buffer, this.#struct), values = {};
    let at = 0;
    for (const [name, type] of Object.entries(layout)) {
      const value = { f64: () => view.getFloat64(at, true), i64: () => Number(view.getBigInt64(at, true)),
        i32: () => view.getInt32(at, true), u32: () => view.getUint32(at, true) }[type]();
      values[name] = Number.isNaN(value) ? null : value;
      at += type.endsWith("64") ? 8 : 4;
    }
    return values;
  }
}
if (typeof module !== "undefined") module.exports = { EdgeECG };

"use strict";
/* The page: what a person sees and does. Files are read and judged in the worker, which the page holds as text. */
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const worker = new Worker(URL.createObjectURL(new Blob([data.worker], { type: "text/javascript" })));
const recordings = []; // by the worker's numbers
const skipped = [];
const sections = new Map(); // the elements of the list by day
let bundle = null, name = "", shown = null, listed = [], isListDue = false;

/* ---- words and numbers */
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const dayText = (day) => (day ? `${day}`.replace(/(\d{4})(\d\d)(\d\d)/, "$1-$2-$3") : "day unknown");
const timeText = (recording) => (recording.recorded_at ?? "").match(/\d{1,2}:\d\d(:\d\d)?/)?.[0] ?? "";
const isDecided = (decision) => decision.decision !== bundle.labels[2];
const side = (decision) => ["baseline", "target", "open"][bundle.labels.indexOf(decision.decision)];
const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") element.className = value; else if (value !== null) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

function ruleText(result) {
  if (!bundle.baseline_dates) return "no levels: too few dates";
  const undated = result.is_dated ? "" : ", undated"; // what no recording says, nothing can check
  return result.recordings ? `day's baseline, ${plural(result.recordings, "recording")}${undated}` : "no baseline of the day";
}

/** Why the confidence is no higher, where it is capped. */
function capText({ decision }) {
  const isTarget = decision.log_odds > 0, cap = isTarget ? bundle.most_confident_target : bundle.most_confident_baseline;
  if (!isDecided(decision) || Math.abs(decision.confidence - cap) > 1e-9) return "";
  const [known, other] = isTarget ? [bundle.baseline_dates, bundle.labels[0]] : [bundle.target_dates, bundle.labels[1]];
  return `capped: ${known} dates with ${other}`;
}

/** Why nothing was decided, in words. */
function whyText(result) {
  const { decision, unusable } = result, notes = [];
  const worst = Object.entries(unusable).sort((a, b) => b[1] - a[1]);
  const listed = worst.map(([reason, count]) => `${count} ${reason}`).join(", ");
  if (decision.reasons.length) notes.push(decision.reasons.join(", "));
  if (!isDecided(decision)) {
    const voted = decision.votes_for_baseline + decision.votes_for_target;
    if (unusable["out of date"]) notes.push(`recorded too long after the known days (${knownDays()}): enroll fresh recordings of ${bundle.labels[0]}`);
    else if (!bundle.baseline_dates) notes.push("the bundle decides nothing: training had too few dates");
    else if (!decision.is_enough) notes.push(`only ${voted} of ${result.found} beats can be judged`);
    else if (decision.provisional) notes.push(`first ${decision.provisional} after ${decision.provisional_s.toFixed(1)} s, but later beats did not agree`);
    else if (!decision.reasons.length) notes.push(`the evidence lies between the two states${result.recordings ? "" : "; a baseline of the day would help"}`);
  }
  if (listed && !unusable["out of date"]) notes.push(`skipped beats: ${listed}`);
  if (2 * result.inverted > result.found) notes.push("lead inverted: worn on the other wrist, or the watch turned?");
  return notes.join("; ");
}

function knownDays() { return bundle.first_day ? `${dayText(bundle.first_day)} to ${dayText(bundle.last_day)}` : "unknown"; }

/* ---- what the worker sends */
const HEARD = {
  ready() { $("use").textContent = "The core is ready. Drop a packed bundle first, and recordings with it or after it."; },

  bundle(message) {
    [bundle, name] = [message, message.name];
    document.title = `${bundle.labels[0]} or ${bundle.labels[1]}? Edge ECG`;
    $("title").replaceChildren(make("span", { class: "baseline" }, bundle.labels[0]), " or ", make("span", { class: "target" }, bundle.labels[1]), "?");
    $("use").textContent = bundle.intended_use;
    for (const element of document.querySelectorAll(".label0")) element.textContent = bundle.labels[0];
    $("only").replaceChildren(...["all recordings", ...bundle.labels, "the day's baselines"].map((text, i) => make("option", { value: i ? text : "" }, text)));
    $("rule").textContent = ruleOfBundle();
    $("enroll").disabled = Boolean(bundle.is_enrolled);
    say(`${name}: verified`);
    if (recordings.length) judgeAll();
  },

  recording(message) {
    recordings[message.number] = { ...message, isChosen: false, heart_rate: message.result?.heart_rate, version: 0 };
    due();
  },

  judged({ number, baseline, result: { detail, ...result } }) {
    const recording = recordings[number];
    if (!recording || String(baseline) !== String(baselineOf(recording))) return; // chosen otherwise meanwhile
    change(recording, { result, problem: "", heart_rate: result.heart_rate });
    if (detail && shown === recording) showDetail({ ...result, ...detail });
    due();
  },

  enrolled({ bytes, recordings: used, dates, distance }) {
    const file = name.replace(/\.[^.]*$/, "") + ".enrolled.ecgbundle";
    save(file, bytes, "application/octet-stream");
    $("enrolled").textContent = `${plural(used, "recording")} of ${dates} dates moved the references by ${percent(distance)} of the way to ${bundle.labels[1]}: ${file} was saved and is used from now on.`;
    worker.postMessage({ kind: "open", bytes, name: file });
  },

  skipped({ name: file, why }) { skipped.push([file, why]); due(); },

  others({ name: file, count }) { skipped.push([file, `${plural(count, "other file")} in it are no ECGs`]); due(); },

  failed({ of, name: file, why, number }) {
    if (number !== null && recordings[number]) {
      change(recordings[number], { result: null, problem: why });
      if (shown === recordings[number]) $("why").textContent = why;
    } else if (of === "enroll") $("enrolled").textContent = why;
    else if (of === "open" || of === "start") say(`${file}: ${why}`, true);
    else skipped.push([file, why]);
    due();
  },

  progress({ done, total }) {
    $("busy").hidden = done >= total;
    $("totals").setAttribute("aria-busy", String(done < total)); // is read aloud when all are judged, not after each
    $("progress").max = total;
    $("progress").value = done;
    $("busy-text").textContent = `${done} of ${total}`;
    document.body.dataset.idle = done >= total;
    if (done >= total) { list(); say(bundle || !recordings.length ? "" : "Now drop the packed bundle of this person."); }
  },
};
worker.onmessage = ({ data: message }) => HEARD[message.kind](message);
worker.onerror = (event) => say(`The worker stopped: ${event.message}`, true);

function say(text, isWrong = false) {
  $("status").textContent = text;
  $("status").className = isWrong ? "fault" : "soft";
}

function ruleOfBundle() {
  if (!bundle.baseline_dates) return "Nothing is decided, because training had too few dates to measure how much days differ.";
  const odds = Math.exp(Math.min(bundle.upper, -bundle.lower)), [baseline, target] = bundle.labels;
  return `Decided at odds of ${Number(odds.toPrecision(3))}:1 by the rule's own model, ${percent(odds / (1 + odds))}; that is no measured error rate. `
    + `Confidence is capped at ${percent(bundle.most_confident_baseline)} for ${baseline} and ${percent(bundle.most_confident_target)} for ${target}, `
    + `because training had ${bundle.baseline_dates} dates with ${baseline} and ${bundle.target_dates} with ${target}. `
    + `Known days: ${knownDays()}${bundle.is_enrolled ? ", enrolled" : ""}.`;
}

function change(recording, facts) {
  Object.assign(recording, facts);
  recording.version++;
}

/* ---- baselines */
function baselineOf(recording) {
  return recordings.filter((other) => other.isChosen && other.day === recording.day && other !== recording).map((other) => other.number);
}

function judgeAll(day) {
  const groups = new Map();
  for (const recording of recordings) {
    if (!bundle || recording.isChosen || (day !== undefined && recording.day !== day)) continue;
    const baseline = baselineOf(recording), key = String(baseline);
    groups.set(key, { baseline, numbers: [...(groups.get(key)?.numbers ?? []), recording.number] });
    change(recording, { result: null });
  }
  for (const { baseline, numbers } of groups.values()) worker.postMessage({ kind: "judge", numbers, baseline });
  if (groups.size) document.body.dataset.idle = "false";
  due();
}

function choose(recording, isChosen) {
  change(recording, { isChosen, result: null });
  judgeAll(recording.day);
}

/** The first recordings of each day that can be a baseline and lie nearer to it. */
function propose() {
  const most = Number($("first").value), taken = new Map();
  for (const recording of [...recordings].sort(byTime)) {
    const decision = recording.result?.decision, count = taken.get(recording.day) ?? 0;
    if (recording.isChosen || !recording.day || !decision?.is_enough || decision.log_odds >= 0 || count >= most) continue;
    change(recording, { isChosen: true, result: null });
    taken.set(recording.day, count + 1);
  }
  judgeAll();
}

/* ---- the list */
const byTime = (a, b) => a.day - b.day || (a.recorded_at ?? "").localeCompare(b.recorded_at ?? "")
  || a.name.localeCompare(b.name, undefined, { numeric: true });

function due() {
  if (isListDue) return;
  isListDue = true;
  setTimeout(() => { isListDue = false; list(); }, recordings.length > 200 ? 700 : 120);
}

function wanted(recording) {
  const date = dayText(recording.day), only = $("only").value;
  if ($("from").value && date < $("from").value || $("to").value && date > $("to").value) return false;
  if (!only) return true;
  return only === "the day's baselines" ? recording.isChosen : !recording.isChosen && recording.result?.decision.decision === only;
}

function list() {
  $("main").hidden = !recordings.length && !skipped.length;
  document.body.classList.toggle("small", recordings.length > 0);
  const focused = document.activeElement?.closest?.(".row")?.dataset.number;
  const isButton = document.activeElement?.classList.contains("choose");
  listed = recordings.filter(Boolean).filter(wanted).sort(byTime);
  const days = new Map();
  for (const recording of listed) (days.get(recording.day) ?? days.set(recording.day, []).get(recording.day)).push(recording);
  const wantedSections = [...days].map(([day, rows]) => dayElement(day, rows)), there = [...$("list").children];
  if (there.length !== wantedSections.length || there.some((section, i) => section !== wantedSections[i])) {
    $("list").replaceChildren(...wantedSections);
  }
  if (focused !== undefined) document.querySelector(`.row[data-number="${focused}"] ${isButton ? ".choose" : ".open-row"}`)?.focus();
  totals();
  $("skipped").hidden = !skipped.length;
  $("skipped").firstElementChild.textContent = `${plural(skipped.length, "file")} not read`;
  $("skipped").lastElementChild.replaceChildren(...skipped.map(([file, why]) => make("li", { "data-skipped": file }, make("b", {}, file), `: ${why}`)));
}

/** A day of the list; it and its rows are made again only where something has changed, so that thousands stay responsive. */
function dayElement(day, rows) {
  const state = rows.map(({ number, version }) => `${number}.${version}`).join(), known = sections.get(day);
  if (known?.state === state) return known.element;
  const element = newDayElement(day, rows);
  sections.set(day, { state, element });
  return element;
}

function newDayElement(day, rows) {
  const chosen = rows.filter((recording) => recording.isChosen).length;
  const note = chosen ? `compared with ${plural(chosen, "recording")} of this day` : "no baseline of the day chosen";
  return make("section", { class: "day", "aria-label": dayText(day) },
    make("h2", {}, dayText(day), make("span", { class: "soft" }, `${plural(rows.length, "recording")}, ${note}`)), make("ol", {}, ...rows.map(row)));
}

function row(recording) {
  if (recording.row?.version !== recording.version) recording.row = { version: recording.version, element: newRow(recording) };
  return recording.row.element;
}

function newRow(recording) {
  const { result, isChosen, problem } = recording, decision = result?.decision;
  const kind = isChosen ? "chosen" : decision ? side(decision) : "";
  const word = isChosen ? "baseline" : decision?.decision ?? (problem ? "not read" : "…");
  const sure = isChosen ? "of the day" : decision ? [isDecided(decision) ? percent(decision.confidence) : "", capText(result)].filter(Boolean).join(", ") : "";
  const open = make("button", { type: "button", class: "open-row", "aria-label": `${recording.name}: ${word} ${sure}. Open` },
    make("span", { class: "what" }, make("b", {}, timeText(recording) || recording.name), ...(timeText(recording) ? [recording.name, make("br")] : []),
      [recording.heart_rate && `${Math.round(recording.heart_rate)} bpm`, `${Math.round(recording.duration_s)} s`].filter(Boolean).join(", ")));
  const button = make("button", { type: "button", class: "choose", "aria-pressed": String(isChosen), "aria-label": `day's baseline: ${recording.name}` }, isChosen ? "day's baseline ✓" : "day's baseline");
  const meter = decision && !isChosen ? make("span", { class: "meter", role: "img", "aria-label": `log odds ${decision.log_odds.toFixed(2)}` }, make("i")) : "";
  if (meter) meter.firstElementChild.style.left = `${12 + 76 * Math.min(1.12, Math.max(-0.12, (decision.log_odds - bundle.lower) / (bundle.upper - bundle.lower)))}%`;
  const verdict = make("div", { class: "verdict-cell" },
    make("span", { class: `word ${isChosen ? "baseline" : decision ? side(decision) : "unknown"}` }, word), make("span", { class: "sure" }, sure), meter);
  const note = isChosen ? "" : problem || (result ? whyText(result) : "");
  const item = make("li", {
    class: `row ${kind}`, "data-number": recording.number, "data-name": recording.name,
    "data-decision": isChosen ? "day's baseline" : decision?.decision ?? "", "data-confidence": isChosen ? null : decision?.confidence ?? null,
    "data-log-odds": isChosen ? null : decision?.log_odds ?? null,
  }, open, make("div", { class: "trace" }, trace(recording)), verdict, make("div", { class: "choose-cell" }, button), note ? make("div", { class: "note" }, note) : "");
  item.onclick = (event) => (event.target === button ? choose(recording, !isChosen) : show(recording));
  return item;
}

/** The small trace as a picture; it is made once. */
function trace(recording) {
  if (recording.picture) return recording.picture;
  const values = recording.trace, known = Array.from(values).filter(Number.isFinite);
  const low = Math.min(...known), span = Math.max(...known) - low || 1, columns = values.length / 2;
  let path = "", isOn = false;
  for (let column = 0; column < columns; column++) {
    for (const value of [values[2 * column], values[2 * column + 1]]) {
      if (!Number.isFinite(value)) { isOn = false; continue; }
      path += `${isOn ? "L" : "M"}${column},${(38 - 36 * (value - low) / span).toFixed(1)}`;
      isOn = true;
    }
  }
  const space = "http://www.w3.org/2000/svg", svg = document.createElementNS(space, "svg"), line = document.createElementNS(space, "path");
  svg.setAttribute("viewBox", `0 0 ${columns} 40`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("d", path);
  svg.append(line);
  recording.picture = svg;
  return svg;
}

function totals() {
  if (!bundle) return $("totals").replaceChildren();
  const judged = listed.filter((recording) => !recording.isChosen && recording.result), chosen = listed.filter((recording) => recording.isChosen);
  const boxes = bundle.labels.map((label, i) => [["baseline", "target", "open"][i], judged.filter((r) => r.result.decision.decision === label).length, label]);
  if (chosen.length) boxes.push(["soft", chosen.length, "day's baseline"]);
  $("totals").replaceChildren(...boxes.map(([kind, count, label]) => make("div", { class: kind, "data-total": label }, make("b", {}, String(count)), make("span", {}, label))));
}

/* ---- saving: the fields of `edge-ecg replay --json` */
function record(recording) {
  const { result } = recording, { decision } = result, [baseline, target] = bundle.labels;
  const rounded = (value, digits) => Number(value.toFixed(digits));
  return {
    file: recording.name, decision: decision.decision, confidence: rounded(decision.confidence, 4),
    beats: decision.votes_for_baseline + decision.votes_for_target, log_odds: rounded(decision.log_odds, 4),
    provisional: decision.provisional, provisional_after_beats: decision.provisional ? decision.provisional_beats : null,
    provisional_after_s: decision.provisional_s, rule: ruleText(result),
    reasons: decision.reasons, covered_s: rounded(decision.covered_s, 2), duration_s: rounded(recording.duration_s, 2),
    dates: bundle.baseline_dates ? { [baseline]: bundle.baseline_dates, [target]: bundle.target_dates } : null,
    votes: { [baseline]: decision.votes_for_baseline, [target]: decision.votes_for_target },
    latency_us: { p50: null, p95: null, p99: null }, realtime_factor: rounded(1000 * recording.duration_s / result.took_ms, 1),
    unusable_beats: decision.unusable, unusable: result.unusable, inverted_beats: result.inverted,
    lead_is_inverted: 2 * result.inverted > result.found, late_chunks: 0,
  };
}

const judgedRows = () => listed.filter((recording) => !recording.isChosen && recording.result);

function saveJson() { save("decisions.jsonl", judgedRows().map((r) => `${JSON.stringify(record(r))}\n`).join(""), "application/jsonl"); }

function saveCsv() {
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text; // no spreadsheet computes it
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const rows = judgedRows().map((recording) => {
    const r = record(recording);
    return [r.file, recording.recorded_at ?? dayText(recording.day), r.decision, r.confidence, r.log_odds, r.beats, r.unusable_beats, r.provisional,
      r.provisional_after_s, recording.heart_rate?.toFixed(1), r.rule, whyText(recording.result)];
  });
  const head = ["file", "recorded_at", "decision", "confidence", "log_odds", "beats", "unusable_beats", "provisional", "provisional_after_s", "heart_rate_bpm", "rule", "notes"];
  save("decisions.csv", [head, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join(""), "text/csv");
}

function save(file, content, type) {
  const link = make("a", { download: file, href: URL.createObjectURL(new Blob([content], { type })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/* ---- one recording */
const player = { at: 0, last: null, result: null, beat: null };
const color = (token) => getComputedStyle(document.documentElement).getPropertyValue(`--${token}`).trim();
const voteOf = (beat) => (beat.reasons.length ? "open" : beat.evidence > 0 ? "target" : "baseline");

function show(recording) {
  shown = recording;
  play(false);
  player.result = null;
  $("name").textContent = [dayText(recording.day), timeText(recording), recording.name].filter(Boolean).join(" · ");
  for (const id of ["word", "sure", "why", "clock"]) $(id).textContent = "";
  $("beats").replaceChildren();
  if (!$("detail").open) $("detail").showModal();
  if (bundle) worker.postMessage({ kind: "detail", number: recording.number, baseline: baselineOf(recording), name: recording.name });
}

function showDetail(result) {
  const present = result.samples.filter(Number.isFinite).sort(), most = present.length - 1;
  result.range = most > 0 ? [present[Math.floor(0.001 * most)], present[Math.ceil(0.999 * most)]] : [-500, 500];
  result.duration = result.samples.length / result.rate_hz;
  Object.assign(player, { result, at: result.duration, beat: null });
  $("moment").max = result.duration;
  $("beat").textContent = "Touch a beat to see its vote and evidence.";
  $("beats").replaceChildren(...result.beats.map((beat) => {
    const cells = [`${beat.known_at_s.toFixed(2)} s`, `${Math.round(1000 * beat.rr_s)} ms`, beat.reasons.join(", ") || bundle.labels[+(beat.evidence > 0)],
      beat.evidence === null ? "–" : beat.evidence.toFixed(2), beat.log_odds.toFixed(2), beat.decision, percent(beat.confidence)];
    return make("tr", {}, ...cells.map((text, i) => make(i ? "td" : "th", {}, text)));
  }));
  draw();
}

function draw() {
  const { result, at } = player;
  if (!result || !$("detail").open) return;
  const known = result.beats.filter((beat) => beat.known_at_s <= at), last = known.at(-1), isOver = at >= result.duration;
  const decision = isOver ? result.decision : { decision: last?.decision ?? bundle.labels[2], confidence: last?.confidence ?? 0.5, log_odds: last?.log_odds ?? 0 };
  $("word").textContent = decision.decision;
  $("word").className = side(decision);
  $("sure").textContent = isOver
    ? [isDecided(decision) ? percent(decision.confidence) : "", capText(result)].filter(Boolean).join(", ")
    : `so far, after ${plural(known.length, "beat")}: provisional until the recording ends`;
  $("why").textContent = [isOver ? whyText(result) : "", ruleText(result), result.heart_rate ? `${Math.round(result.heart_rate)} bpm` : "",
    isOver && result.decision.provisional && isDecided(result.decision) ? `decided first after ${result.decision.provisional_s.toFixed(1)} s` : ""].filter(Boolean).join(" · ");
  $("clock").textContent = `${Math.min(at, result.duration).toFixed(1)} of ${result.duration.toFixed(1)} s`;
  $("moment").value = at;
  [...$("beats").children].forEach((item, i) => item.classList.toggle("now", result.beats[i] === (player.beat ?? last)));
  drawPaper(result, at);
  drawEvidence(result, known, at);
  drawVotes(known, isOver ? Infinity : at);
}

/** The canvas in device pixels, cleared, and its size in CSS pixels. */
function cleared(canvas, height) {
  const scale = window.devicePixelRatio || 1, width = canvas.clientWidth;
  if (height) canvas.style.height = `${height}px`;
  const tall = height ?? canvas.clientHeight;
  [canvas.width, canvas.height] = [width * scale, tall * scale];
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  return [pen, width, tall];
}

const STRIP = 100; // height of a strip of paper in CSS pixels
/** Of a strip: some 10, or 5 on a phone, so that the last one is as full as the others. */
const stripSeconds = ({ duration }) => duration / Math.max(1, Math.round(duration / ($("paper").clientWidth < 600 ? 5 : 10)));
const rSeconds = (beat) => beat.r_index / bundle.sample_rate_hz;

function drawPaper(result, at) {
  const seconds = stripSeconds(result), strips = Math.round(result.duration / seconds);
  const [pen, width] = cleared($("paper"), strips * STRIP), [low, high] = result.range;
  const unit = width / seconds, top = 20, span = Math.max(high - low, 400);
  for (const [step, name] of [[0.04, "fine"], [0.2, "coarse"]]) {
    pen.strokeStyle = color(name);
    pen.lineWidth = name === "fine" ? 0.5 : 1;
    pen.beginPath();
    for (let s = 0; s <= seconds + 1e-9; s += step) { pen.moveTo(s * unit, 0); pen.lineTo(s * unit, strips * STRIP); }
    for (let y = 0; y <= strips * STRIP; y += step * unit) { pen.moveTo(0, y); pen.lineTo(width, y); }
    pen.stroke();
  }
  pen.font = "11px system-ui, sans-serif";
  for (let strip = 0; strip < strips; strip++) {
    const y = (value) => STRIP * (strip + 1) - 8 - (STRIP - top - 10) * (value - low) / span;
    for (const [from, to, name, thick] of [[at, Infinity, "line", 1], [0, at, "ink", 1.3]]) {
      const start = Math.floor(Math.max(strip * seconds, from) * result.rate_hz), end = Math.min(result.samples.length, Math.ceil(Math.min((strip + 1) * seconds, to) * result.rate_hz));
      pen.strokeStyle = color(name);
      pen.lineWidth = thick;
      pen.beginPath();
      let isOn = false;
      for (let i = start; i < end; i++) {
        const value = result.samples[i], x = (i / result.rate_hz - strip * seconds) * unit;
        if (Number.isNaN(value)) { isOn = false; continue; }
        if (isOn) pen.lineTo(x, y(value)); else pen.moveTo(x, y(value));
        isOn = true;
      }
      pen.stroke();
    }
    pen.fillStyle = color("soft");
    pen.fillText(`${Math.round(strip * seconds)} s`, 4, STRIP * (strip + 1) - 4);
  }
  for (const beat of result.beats) {
    if (beat.known_at_s > at) continue;
    const strip = Math.floor(rSeconds(beat) / seconds), x = (rSeconds(beat) - strip * seconds) * unit, y = strip * STRIP + 6;
    pen.fillStyle = pen.strokeStyle = color(voteOf(beat));
    pen.lineWidth = 2;
    pen.beginPath();
    if (beat.reasons.length) { pen.moveTo(x - 4, y); pen.lineTo(x + 4, y + 8); pen.moveTo(x + 4, y); pen.lineTo(x - 4, y + 8); pen.stroke(); }
    else { pen.moveTo(x - 5, y); pen.lineTo(x + 5, y); pen.lineTo(x, y + 9); pen.fill(); }
    if (beat === player.beat) { pen.beginPath(); pen.arc(x, y + 4, 9, 0, 7); pen.strokeStyle = color("ink"); pen.stroke(); }
  }
  $("paper").setAttribute("aria-label", `ECG of ${result.duration.toFixed(0)} s with ${plural(result.beats.length, "beat")} marked, ${result.decision.unusable} of them skipped`);
}

function drawEvidence(result, known, at) {
  const [pen, width, height] = cleared($("evidence")), { lower, upper } = bundle;
  const reach = 1.15 * Math.max(upper, -lower, ...result.beats.map((beat) => Math.abs(beat.log_odds)).map((odds) => Math.min(odds, 3 * upper)));
  const x = (second) => 6 + (width - 12) * second / result.duration, y = (odds) => height / 2 - (height / 2 - 4) * Math.min(1, Math.max(-1, odds / reach));
  pen.fillStyle = color("tint1");
  pen.fillRect(0, 0, width, y(upper));
  pen.fillStyle = color("tint0");
  pen.fillRect(0, y(lower), width, height);
  pen.lineWidth = 1;
  for (const [odds, name] of [[upper, "target"], [lower, "baseline"], [0, "line"]]) {
    pen.strokeStyle = color(name);
    pen.beginPath(); pen.moveTo(0, y(odds)); pen.lineTo(width, y(odds)); pen.stroke();
  }
  pen.font = "600 13px system-ui, sans-serif";
  pen.fillStyle = color("target"); pen.fillText(bundle.labels[1], 8, 16);
  pen.fillStyle = color("baseline"); pen.fillText(bundle.labels[0], 8, height - 8);
  pen.strokeStyle = color("ink");
  pen.lineWidth = 2;
  pen.beginPath();
  for (const beat of known) pen.lineTo(x(beat.known_at_s), y(beat.log_odds));
  pen.stroke();
  for (const beat of known) {
    pen.fillStyle = color(voteOf(beat));
    pen.beginPath(); pen.arc(x(beat.known_at_s), y(beat.log_odds), beat === player.beat ? 6 : 3.5, 0, 7); pen.fill();
  }
  if (at < result.duration) { pen.strokeStyle = color("soft"); pen.lineWidth = 1; pen.beginPath(); pen.moveTo(x(at), 0); pen.lineTo(x(at), height); pen.stroke(); }
  $("evidence").setAttribute("aria-label", `Log odds after each beat, ${(known.at(-1)?.log_odds ?? 0).toFixed(2)} now; decided below ${lower.toFixed(2)} or above ${upper.toFixed(2)}`);
}

function drawVotes(known, at) {
  const [pen, width, height] = cleared($("votes")), votes = known.filter((beat) => !beat.reasons.length), size = Math.min(9, width / 30);
  const across = Math.max(1, Math.floor((width / 2 - 16) / (2.3 * size)));
  const counts = { baseline: 0, target: 0 };
  pen.strokeStyle = color("line");
  pen.beginPath(); pen.moveTo(width / 2, 8); pen.lineTo(width / 2, height - 24); pen.stroke();
  for (const beat of votes) {
    const kind = voteOf(beat), place = counts[kind]++, column = place % across, level = Math.floor(place / across);
    const left = kind === "target" ? width / 2 + 10 : 10;
    const [x, rest] = [left + size + column * 2.3 * size, height - 28 - size - level * 2.3 * size];
    const fall = Math.min(1, (at - beat.known_at_s) / 0.5);
    pen.fillStyle = color(kind);
    pen.beginPath(); pen.arc(fall < 1 ? width / 2 + (x - width / 2) * fall : x, fall < 1 ? size + (rest - size) * fall * fall : rest, size, 0, 7); pen.fill();
  }
  pen.font = "600 13px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.fillStyle = color("baseline"); pen.fillText(`${counts.baseline} ${bundle.labels[0]}`, width / 4, height - 8);
  pen.fillStyle = color("target"); pen.fillText(`${counts.target} ${bundle.labels[1]}`, 3 * width / 4, height - 8);
  $("votes").setAttribute("aria-label", `${counts.baseline} beats vote for ${bundle.labels[0]}, ${counts.target} for ${bundle.labels[1]}`);
}

function tell(beat) {
  player.beat = beat;
  const [baseline, target] = bundle.labels, when = `Beat at ${rSeconds(beat).toFixed(2)} s, RR ${Math.round(1000 * beat.rr_s)} ms`;
  $("beat").textContent = beat.reasons.length ? `${when}: skipped (${beat.reasons.join(", ")}).`
    : `${when}: votes for ${beat.evidence > 0 ? target : baseline}, evidence ${beat.evidence.toFixed(2)}. `
      + `References that call it the same: ${beat.same_as_baseline} of ${baseline}, ${beat.same_as_target} of ${target}. `
      + `Known by then: ${beat.decision}, log odds ${beat.log_odds.toFixed(2)}.`;
  draw();
}

function nearest(seconds, key) {
  return player.result?.beats.reduce((best, beat) => (!best || Math.abs(key(beat) - seconds) < Math.abs(key(best) - seconds) ? beat : best), null);
}

function play(isPlaying) {
  player.last = isPlaying ? performance.now() : null;
  $("play").textContent = isPlaying ? "Pause" : "Play";
  if (isPlaying) requestAnimationFrame(frame);
}

function frame(now) {
  if (player.last === null || !player.result) return;
  player.at = Math.min(player.result.duration, player.at + Math.max(0, now - player.last) / 1000 * Number($("speed").value));
  player.last = now;
  draw();
  if (player.at >= player.result.duration) play(false); else requestAnimationFrame(frame);
}

function step(by) {
  const index = listed.indexOf(shown) + by;
  if (listed[index]) show(listed[index]);
}

/* ---- what a person does */
$("files").onchange = (event) => take(event.target.files);
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  window.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") take(event.dataTransfer.files);
  });
}

function take(files) {
  if (!files.length) return;
  document.body.dataset.idle = "false";
  const isBundle = (file) => /bundle$/i.test(file.name);
  const sorted = [...files].sort((a, b) => isBundle(b) - isBundle(a) || a.name.localeCompare(b.name, undefined, { numeric: true }));
  worker.postMessage({ kind: "files", files: sorted });
  $("files").value = "";
}

$("propose").onclick = propose;
$("clear").onclick = () => {
  recordings.filter((recording) => recording.isChosen).forEach((recording) => change(recording, { isChosen: false }));
  judgeAll();
};
$("enroll").onclick = () => {
  $("enrolled").textContent = "Enrolling …";
  worker.postMessage({ kind: "enroll", numbers: recordings.filter((recording) => recording.isChosen).map((recording) => recording.number) });
};
$("save-csv").onclick = saveCsv;
$("save-json").onclick = saveJson;
$("print").onclick = () => window.print();
for (const id of ["from", "to", "only"]) $(id).addEventListener("input", list);
$("filters").onsubmit = (event) => event.preventDefault();
$("close").onclick = () => $("detail").close();
$("previous").onclick = () => step(-1);
$("next").onclick = () => step(1);
$("detail").onclose = () => {
  play(false);
  document.querySelector(`.row[data-number="${shown?.number}"] .open-row`)?.focus();
};
$("play").onclick = () => {
  if (player.last === null && player.result && player.at >= player.result.duration) player.at = 0;
  play(player.last === null);
};
$("moment").oninput = () => { player.at = Number($("moment").value); draw(); };
$("paper").onclick = (event) => {
  const seconds = player.result ? stripSeconds(player.result) : 1;
  const beat = nearest(Math.floor(event.offsetY / STRIP) * seconds + seconds * event.offsetX / $("paper").clientWidth, rSeconds);
  if (beat) tell(beat);
};
$("evidence").onclick = (event) => {
  const beat = player.result && nearest(player.result.duration * (event.offsetX - 6) / ($("evidence").clientWidth - 12), (each) => each.known_at_s);
  if (beat) tell(beat);
};
window.addEventListener("keydown", (event) => {
  const rows = [...document.querySelectorAll(".open-row")], at = rows.indexOf(document.activeElement);
  const isTyping = /^(INPUT|SELECT)$/.test(document.activeElement?.tagName);
  if ($("detail").open) {
    if (event.key === "ArrowLeft" && !isTyping) step(-1);
    if (event.key === "ArrowRight" && !isTyping) step(1);
    if (event.key === " " && !isTyping && document.activeElement?.tagName !== "BUTTON") { event.preventDefault(); $("play").click(); }
  } else if (at >= 0 && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    rows[at + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
  }
});
window.addEventListener("resize", draw);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

const wasm = bytesOf(data.wasm);
worker.postMessage({ kind: "start", wasm, words: data.words, bundle: data.bundle && bytesOf(data.bundle), name: data.name });

"use strict";
/* Plays the samples and events that the page contains. Nothing is computed again. */
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const SHOWN_S = 6, MISSING = -32768;
let recording, samples, at = 0, last = null, running = false;

function samplesOf(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => {
    const value = view.getInt16(2 * i, true);
    return value === MISSING ? NaN : value / 1000;
  });
}

function color(name) { return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim(); }

function percent(share) { return (100 * share).toFixed(1) + " %"; }

/* The canvas in device pixels, cleared; its size in CSS pixels is returned. */
function cleared(canvas) {
  const scale = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  return [pen, width, height];
}

function rangeOf(values) {
  const finite = Array.from(values).filter(Number.isFinite).sort((a, b) => a - b);
  if (!finite.length) return [-1, 1];
  const low = finite[Math.floor(0.001 * finite.length)], high = finite[Math.floor(0.999 * (finite.length - 1))];
  return [low - 0.25, high + 0.35];
}

function line(pen, from, to, x, y) {
  pen.beginPath();
  let drawing = false;
  for (let i = from; i < to; i++) {
    const value = samples[i];
    if (Number.isNaN(value)) { drawing = false; continue; }
    if (drawing) pen.lineTo(x(i), y(value)); else pen.moveTo(x(i), y(value));
    drawing = true;
  }
  pen.stroke();
}

function mark(pen, x, event) {
  pen.fillStyle = pen.strokeStyle = color(event.unusable.length ? "fault" : "fit");
  pen.lineWidth = 1.5;
  pen.beginPath();
  if (event.unusable.length) {
    pen.moveTo(x - 3, 4); pen.lineTo(x + 3, 10); pen.moveTo(x + 3, 4); pen.lineTo(x - 3, 10); pen.stroke();
  } else {
    pen.moveTo(x - 4, 4); pen.lineTo(x + 4, 4); pen.lineTo(x, 11); pen.fill();
  }
}

function drawTrace() {
  const [pen, width, height] = cleared($("trace"));
  const start = Math.max(0, at - SHOWN_S), [low, high] = recording.range;
  const x = (second) => (second - start) / SHOWN_S * width, y = (mv) => height - (mv - low) / (high - low) * height;
  for (const [step, name] of [[1, "fine"], [5, "coarse"]]) {
    pen.strokeStyle = color(name);
    pen.lineWidth = name === "fine" ? 0.5 : 1;
    pen.beginPath();
    for (let s = Math.ceil(start / (0.04 * step)) * 0.04 * step; s < start + SHOWN_S; s += 0.04 * step) {
      pen.moveTo(x(s), 0); pen.lineTo(x(s), height);
    }
    for (let mv = Math.ceil(low / (0.1 * step)) * 0.1 * step; mv < high; mv += 0.1 * step) {
      pen.moveTo(0, y(mv)); pen.lineTo(width, y(mv));
    }
    pen.stroke();
  }
  const index = (second) => Math.min(samples.length, Math.floor(second * recording.rate_hz));
  for (const [from, to, name, thick] of [[at, start + SHOWN_S, "line", 1], [start, at, "ink", 1.4]]) {
    pen.strokeStyle = color(name);
    pen.lineWidth = thick;
    line(pen, index(from), index(to), (i) => x(i / recording.rate_hz), y);
  }
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "center";
  for (const event of recording.events) {
    if (event.known_s > at || event.r_s < start) continue;
    mark(pen, x(event.r_s), event);
    event.unusable.forEach((reason, row) => pen.fillText(reason, x(event.r_s), 22 + 12 * row));
  }
}

function drawOverview() {
  const [pen, width, height] = cleared($("overview"));
  const [low, high] = recording.range;
  const x = (second) => second / recording.duration_s * width, y = (mv) => height - (mv - low) / (high - low) * height;
  pen.fillStyle = color("mark");
  pen.fillRect(0, 0, x(at), height);
  pen.strokeStyle = color("ink");
  pen.lineWidth = 0.7;
  line(pen, 0, samples.length, (i) => x(i / recording.rate_hz), y);
  recording.events.forEach((event) => mark(pen, x(event.r_s), event));
  pen.lineWidth = 2;
  const provisional = recording.decision.provisional;
  if (provisional) {
    pen.strokeStyle = color(provisional.label === data.labels[1] ? "target" : "baseline");
    pen.setLineDash([4, 3]);
    pen.beginPath();
    pen.moveTo(x(provisional.seconds), 0); pen.lineTo(x(provisional.seconds), height);
    pen.stroke();
    pen.setLineDash([]);
  }
  pen.strokeStyle = color("fault");
  pen.beginPath();
  pen.moveTo(x(at), 0); pen.lineTo(x(at), height);
  pen.stroke();
}

function put(id, text) { if ($(id).textContent !== text) $(id).textContent = text; }

/** Confidence of the decision after a beat; `inconclusive` has none. */
function sure(event) { return data.labels.includes(event.decision) ? [percent(event.confidence)] : []; }

/** The decision as a large word in its color, and how sure it is; at the end, whether it agrees with a known label. */
function showChip(event) {
  const end = recording.decision, isFinal = at >= recording.duration_s, isDecided = event && data.labels.includes(event.decision);
  const word = isFinal ? end.label : isDecided ? event.decision : "no decision yet";
  put("chip", word);
  $("chip").className = `chip ${["baseline", "target"][data.labels.indexOf(word)] ?? "open"}`;
  const sureness = isFinal ? (end.why || percent(end.confidence)) : event ? sure(event)[0] : null;
  const agrees = end.label === recording.label ? "correct" : data.labels.includes(end.label) ? "wrong" : "";
  const truth = recording.label ? `labeled ${recording.label}${isFinal && agrees ? `: ${agrees}` : ""}` : "";
  put("sure", [isFinal ? "final" : isDecided ? "provisional" : "", sureness, truth].filter(Boolean).join(", "));
}

function show() {
  const known = recording.events.filter((event) => event.known_s <= at), event = known[known.length - 1];
  const end = recording.decision, first = end.provisional;
  put("clock", `${at.toFixed(1)} of ${recording.duration_s.toFixed(1)} s`);
  put("votes", data.labels.map((label) => `${label} ${event ? event.votes[label] : 0}`).join(", "));
  put("provisional", !event ? "no beat yet" : [event.decision, ...sure(event)].join(", ")
    + (first && first.seconds <= at ? `; first decided: ${first.label}, after ${first.beats} beats, ` +
      `${first.seconds.toFixed(1)} s` : ""));
  put("final", at >= recording.duration_s ? (end.why ? `${end.label}: ${end.why}` : `${end.label}, ${percent(end.confidence)}`) : "when the recording ends");
  put("beat", !event ? "none yet" : event.unusable.length ? `not used: ${event.unusable.join(", ")}`
    : `votes ${event.vote}, evidence ${event.evidence.toFixed(2)}`);
  showChip(event);
  const odds = event ? event.log_odds : 0, [low, high] = data.boundaries;
  put("odds", `${odds.toFixed(2)}, decided below ${low.toFixed(2)} or above ${high.toFixed(2)}`);
  $("tally").setAttribute("aria-label", `The evidence so far: log odds ${odds.toFixed(2)}`);
  $("needle").style.left = `${100 * Math.min(1, Math.max(0, (odds - low) / (high - low)))}%`;
  $("moment").value = at;
  $("moment").setAttribute("aria-valuetext", $("clock").textContent);
  [...$("beats").children].forEach((row, i) => row.classList.toggle("now", i === known.length - 1));
  drawTrace();
  drawOverview();
}

function go(seconds) { at = Math.min(recording.duration_s, Math.max(0, seconds)); show(); }

function play(isPlaying) {
  last = isPlaying ? performance.now() : null;
  $("play").textContent = isPlaying ? "Pause" : "Play";
  if (isPlaying && !running) { running = true; requestAnimationFrame(frame); }
}

function frame(now) {
  running = last !== null;
  if (!running) return;
  const passed = Math.max(0, now - last) / 1000 * Number($("speed").value);
  last = now;
  go(at + passed);
  running = at < recording.duration_s;
  if (running) requestAnimationFrame(frame); else play(false);
}

function choose(number) {
  recording = data.recordings[number];
  samples = samplesOf(recording.samples_uv);
  recording.range = recording.range || rangeOf(samples);
  $("name").textContent = recording.name;
  $("rule").textContent = recording.decision.rule;
  $("moment").max = recording.duration_s;
  const heads = [...$("beats").closest("table").querySelectorAll("thead th")].map((head) => head.textContent);
  $("beats").replaceChildren(...recording.events.map((event) => {
    const row = document.createElement("tr");
    const cells = [`${event.known_s.toFixed(2)} s`, event.unusable.length ? event.unusable.join(", ") : event.vote,
      event.evidence === null ? "–" : event.evidence.toFixed(2), event.log_odds.toFixed(2), event.decision,
      sure(event)[0] ?? "–"];
    row.append(...cells.map((text, i) => {
      const cell = document.createElement(i ? "td" : "th");
      cell.textContent = text;
      cell.dataset.name = heads[i];
      return cell;
    }));
    return row;
  }));
  [...$("index").children].forEach((row, i) => row.classList.toggle("now", i === number));
  go(0);
}

$("play").addEventListener("click", () => {
  if (last === null && at >= recording.duration_s) go(0);
  play(last === null);
});
$("moment").addEventListener("input", () => { play(false); go(Number($("moment").value)); });
$("index").addEventListener("click", (click) => {
  const number = click.target.dataset.number;
  if (number === undefined) return;
  choose(Number(number));
  play(true);
  $("name").scrollIntoView();
});
const scrub = (event) => {
  if (!event.buttons) return;
  play(false);
  go(event.offsetX / $("overview").clientWidth * recording.duration_s);
};
$("overview").addEventListener("pointerdown", (event) => {
  $("overview").setPointerCapture(event.pointerId);
  scrub(event);
});
$("overview").addEventListener("pointermove", scrub);
window.addEventListener("resize", show);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
choose(0);
play(!window.matchMedia("(prefers-reduced-motion: reduce)").matches);

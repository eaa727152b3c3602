"use strict";
/* Marks recordings and saves the marks as a table. Nothing is sent anywhere. */
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const MISSING = -32768, LABEL = /^[\p{L}\p{N}][\p{L}\p{N}_.+-]{0,39}$/u;
const marks = data.recordings.map((recording) => recording.state);
const selected = new Set();
const tiles = [], curves = [];
let anchor = 0, focused = 0, isDragging = false, isSaved = true;

function color(name) { return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim(); }

function stateName(state) { return $("state" + state).value.trim(); }

function samplesOf(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 2 }, (_, i) => view.getInt16(2 * i, true));
}

function draw(canvas, samples) {
  const scale = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (!width) return;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d"), known = samples.filter((value) => value !== MISSING);
  pen.scale(scale, scale);
  const low = Math.min(...known), high = Math.max(...known, low + 100);
  pen.strokeStyle = color("ink");
  pen.lineWidth = 1;
  pen.beginPath();
  let drawing = false;
  samples.forEach((value, i) => {
    if (value === MISSING) { drawing = false; return; }
    const x = i / (samples.length - 1) * width, y = 2 + (high - value) / (high - low) * (height - 4);
    if (drawing) pen.lineTo(x, y); else pen.moveTo(x, y);
    drawing = true;
  });
  pen.stroke();
}

/* What was measured on a day, and its recordings on it: hours from the first recording's to the last one's, and one
   more on either side. */
function drawCurve({ canvas, date }) {
  const scale = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  const { minutes, values } = data.measured.days[date], { below, above, unit } = data.measured;
  const marked = data.recordings.map((recording, number) => ({ ...recording, number, at: minuteOf(recording.time) }))
    .filter((recording) => recording.date === date && recording.at !== null && recording.value !== null);
  const times = data.recordings.filter((recording) => recording.date === date).map((one) => minuteOf(one.time))
    .filter((minute) => minute !== null);
  if (!width || !times.length) return;
  const first = Math.max(0, Math.floor(Math.min(...times) / 60) - 1) * 60;
  const last = Math.min(24, Math.ceil(Math.max(...times) / 60 + 1)) * 60;
  const shown = values.filter((_, i) => minutes[i] >= first && minutes[i] <= last);
  const low = Math.min(...shown, below) * 0.9, high = Math.max(...shown, above) * 1.05;
  const left = 44, right = 8, bottom = 20, x = (minute) => left + (minute - first) / (last - first) * (width - left - right);
  const y = (value) => 4 + (high - value) / (high - low) * (height - bottom - 4);
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.font = "12px system-ui, sans-serif";
  pen.fillStyle = color("soft");
  pen.textAlign = "center";
  for (let hour = Math.ceil(first / 60); hour * 60 <= last; hour += 1) {
    pen.fillText(`${hour}:00`, Math.min(x(hour * 60), width - 18), height - 5);
  }
  pen.textAlign = "right";
  for (const [value, name] of [[below, "baseline"], [above, "target"]]) {
    pen.fillStyle = pen.strokeStyle = color(name);
    pen.fillText(String(Number(value.toPrecision(3))), left - 5, y(value) + 4);
    pen.setLineDash([4, 4]);
    pen.beginPath();
    pen.moveTo(left, y(value));
    pen.lineTo(width - right, y(value));
    pen.stroke();
  }
  pen.setLineDash([]);
  pen.strokeStyle = color("ink");
  pen.beginPath();
  let before = null;
  minutes.forEach((minute, i) => {
    if (minute < first || minute > last) return;
    if (before !== null && minute - before <= 30) pen.lineTo(x(minute), y(values[i])); else pen.moveTo(x(minute), y(values[i]));
    before = minute;
  });
  pen.stroke();
  for (const { at, value, number } of marked) {
    const state = marks[number];
    pen.fillStyle = state === null ? color("paper") : color(state ? "target" : "baseline");
    pen.strokeStyle = state === null ? color("ink") : pen.fillStyle;
    pen.beginPath();
    pen.arc(x(at), y(value), 4.5, 0, 2 * Math.PI);
    pen.fill();
    pen.stroke();
  }
  const range = shown.length ? `${Math.min(...shown)} to ${Math.max(...shown)} ${unit}` : "nothing measured";
  canvas.setAttribute("aria-label", `${data.measured.name} on ${date}: ${range}, ${marked.length} recordings on it`);
}

function minuteOf(time) { return time ? 60 * Number(time.slice(0, 2)) + Number(time.slice(3, 5)) + Number(time.slice(6, 8)) / 60 : null; }

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function tile(recording, number) {
  const canvas = element("canvas"), label = element("span", { className: "label" });
  const rate = recording.heart_rate === null ? "no heart rate" : `${recording.heart_rate}/min`;
  const value = data.measured ? element("span", {}, recording.value === null ? "no reading" : `${recording.value} ${data.measured.unit}`) : "";
  const quality = element("span", { className: recording.usable * 2 < recording.beats ? "poor" : "" },
    `${recording.usable} of ${recording.beats} beats`);
  quality.title = recording.reasons.join(", ");
  const made = element("li", { id: "r" + number, tabIndex: number ? -1 : 0 }, canvas,
    element("p", {}, element("span", {}, recording.time.slice(0, 5) || "no time"), value, label),
    element("p", { className: "soft" }, element("span", {}, `${rate}, ${recording.duration_s} s`), quality));
  made.setAttribute("role", "option");
  made.dataset.number = number;
  tiles.push({ made, canvas, label, samples: samplesOf(recording.samples_uv) });
  return made;
}

function build() {
  const groups = new Map();
  data.recordings.forEach((recording, number) => {
    if (!groups.has(recording.date)) {
      const list = element("ul", { className: "grid" }), heading = element("h3", {}, recording.date);
      const group = element("div", {}, heading, list);
      list.setAttribute("role", "none");
      heading.setAttribute("role", "presentation");
      group.setAttribute("role", "group");
      group.setAttribute("aria-label", recording.date);
      if (data.measured && recording.date in data.measured.days) {
        const canvas = element("canvas", { className: "curve" });
        canvas.setAttribute("role", "img");
        curves.push({ canvas, date: recording.date });
        list.before(canvas);
      }
      groups.set(recording.date, list);
      $("sheet").append(group);
    }
    groups.get(recording.date).append(tile(recording, number));
  });
}

function isShown(number) {
  const recording = data.recordings[number], time = recording.time.slice(0, 5);
  const after = $("after").value, before = $("before").value;
  if ($("from").value && recording.date < $("from").value) return false;
  if ($("to").value && recording.date > $("to").value) return false;
  if ((after || before) && !time) return false;
  const isLate = !after || time >= after, isEarly = !before || time < before;
  if (after && before && after > before ? !isLate && !isEarly : !isLate || !isEarly) return false; // past midnight
  return !($("open").checked && marks[number] !== null);
}

function shown() { return tiles.map((_, number) => number).filter((number) => !tiles[number].made.hidden); }

function filter() {
  tiles.forEach(({ made }, number) => {
    made.hidden = !isShown(number);
    made.classList.toggle("hidden", made.hidden);
    if (made.hidden) selected.delete(number);
  });
  for (const group of $("sheet").children) {
    group.classList.toggle("hidden", ![...group.querySelectorAll("li")].some((made) => !made.hidden));
  }
  const left = shown();
  if (left.length && !left.includes(focused)) focusOn(left[0], false);
  show();
  redraw();
}

function show() {
  data.recordings.forEach((recording, number) => {
    const { made, label } = tiles[number], state = marks[number], name = state === null ? "" : stateName(state);
    const isSelected = String(selected.has(number));
    if (made.getAttribute("aria-selected") !== isSelected) made.setAttribute("aria-selected", isSelected);
    if (state === null) delete made.dataset.state; else made.dataset.state = state;
    label.textContent = name;
    made.setAttribute("aria-label", [recording.date, recording.time.slice(0, 5) || "no time",
      recording.heart_rate === null ? "no heart rate" : `${recording.heart_rate} beats a minute`,
      `${recording.duration_s} seconds`, `${recording.usable} of ${recording.beats} beats usable`,
      name || "no label"].join(", "));
  });
  const count = (state) => marks.filter((mark) => mark === state).length;
  $("mark0").lastChild.textContent = ` mark as ${stateName(0)}`;
  $("mark1").lastChild.textContent = ` mark as ${stateName(1)}`;
  $("status").textContent = `${shown().length} of ${tiles.length} recordings shown, ${selected.size} selected. ` +
    `${stateName(0)}: ${count(0)}, ${stateName(1)}: ${count(1)}, no label: ${count(null)}.`;
}

function redraw() {
  for (const { made, canvas, samples } of tiles) if (!made.hidden) draw(canvas, samples);
  curves.forEach(drawCurve);
}

function focusOn(number, withFocus = true) {
  tiles[focused].made.tabIndex = -1;
  focused = number;
  tiles[focused].made.tabIndex = 0;
  if (withFocus) tiles[focused].made.focus();
}

function selectTo(number) {
  const [first, last] = [Math.min(anchor, number), Math.max(anchor, number)];
  selected.clear();
  shown().filter((each) => each >= first && each <= last).forEach((each) => selected.add(each));
}

function mark(state) {
  const wanted = selected.size ? [...selected] : [focused];
  wanted.forEach((number) => { marks[number] = state; });
  isSaved = false;
  filter();
}

function save() {
  const names = [stateName(0), stateName(1)];
  const wrong = names.find((name) => !LABEL.test(name) || name.toLowerCase() === "inconclusive");
  if (wrong !== undefined || names[0].toLowerCase() === names[1].toLowerCase()) {
    $("status").textContent = wrong !== undefined
      ? `"${wrong}" can't be a label: use letters and digits, with - or _ but no space.`
      : "Baseline and target need different names.";
    return;
  }
  const quoted = (text) => /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
  const rows = [0, 1].flatMap((state) => data.recordings.filter((_, number) => marks[number] === state)
    .map((recording) => `${quoted(recording.file)},${quoted(names[state])}`));
  const table = new Blob([["file,label", ...rows].join("\r\n") + "\r\n"], { type: "text/csv" });
  const link = element("a", { href: URL.createObjectURL(table), download: "labels.csv" });
  link.click();
  URL.revokeObjectURL(link.href);
  isSaved = true;
  $("status").textContent = `labels.csv: ${rows.length} recordings with a label.`;
}

/* How far one row down is: as many tiles as stand beside the focused one. */
function columns() {
  const top = tiles[focused].made.offsetTop;
  return shown().filter((number) => tiles[number].made.offsetTop === top).length;
}

function onKey(event) {
  if (event.target.matches("input[type=text]")) return;
  const order = shown(), place = order.indexOf(focused), isTile = event.target.getAttribute("role") === "option";
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns(),
    Home: -order.length, End: order.length };
  if (isTile && event.key in steps) {
    focusOn(order[Math.min(order.length - 1, Math.max(0, place + steps[event.key]))]);
    if (event.shiftKey) selectTo(focused); else anchor = focused;
    show();
  } else if (isTile && event.key === " ") {
    if (!selected.delete(focused)) selected.add(focused);
    anchor = focused;
    show();
  } else if (isTile && event.key === "a" && (event.ctrlKey || event.metaKey)) {
    order.forEach((number) => selected.add(number));
    show();
  } else if (event.key === "Escape") {
    selected.clear();
    show();
  } else if (isTile && (event.key === "1" || event.key === "2")) {
    mark(Number(event.key) - 1);
  } else if (isTile && (event.key === "0" || event.key === "Delete")) {
    mark(null);
  } else {
    return;
  }
  event.preventDefault();
}

function tileAt(event) {
  const made = document.elementFromPoint(event.clientX, event.clientY)?.closest("li");
  return made ? Number(made.dataset.number) : null;
}

build();
filter();
document.addEventListener("keydown", onKey);
$("sheet").addEventListener("pointerdown", (event) => {
  const number = tileAt(event);
  if (number === null || event.button) return;
  event.preventDefault();
  focusOn(number);
  if (event.shiftKey) {
    selectTo(number);
  } else {
    if (!selected.delete(number)) selected.add(number);
    anchor = number;
    isDragging = event.pointerType === "mouse";
  }
  show();
});
$("sheet").addEventListener("pointermove", (event) => {
  const number = isDragging && event.buttons ? tileAt(event) : null;
  if (number === null || number === focused) return;
  focusOn(number);
  selectTo(number);
  show();
});
window.addEventListener("pointerup", () => { isDragging = false; });
$("mark0").addEventListener("click", () => mark(0));
$("mark1").addEventListener("click", () => mark(1));
$("unmark").addEventListener("click", () => mark(null));
$("save").addEventListener("click", save);
$("all").addEventListener("click", () => { shown().forEach((number) => selected.add(number)); show(); });
for (const id of ["from", "to", "after", "before", "open"]) $(id).addEventListener("input", filter);
for (const id of ["state0", "state1"]) $(id).addEventListener("input", show);
window.addEventListener("resize", redraw);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
window.addEventListener("beforeunload", (event) => { if (!isSaved) event.preventDefault(); });

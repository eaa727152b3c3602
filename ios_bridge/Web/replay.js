/* node replay.js WASM BUNDLE < JOBS: replays through the core's WebAssembly, as the page of `edge-ecg web` does.
   A job is a line: a recording, and after tabs the recordings of the day's baseline. A line of JSON for each. */
const fs = require("fs");
const path = require("path");
const zlib = require("zlib");
const { EdgeECG } = require(path.join(__dirname, "../../edge_ecg/report/templates/edge-ecg.js"));

async function main([wasm, packed]) {
  const content = fs.readFileSync(wasm);
  const ecg = await EdgeECG.load(wasm.endsWith(".gz") ? zlib.gunzipSync(content) : content);
  const bundle = ecg.open(new Uint8Array(fs.readFileSync(packed)));
  const read = (name) => ecg.read(new Uint8Array(fs.readFileSync(name)), name);
  for (const job of fs.readFileSync(0, "utf8").split("\n").filter(Boolean)) {
    const opened = job.split("\t").map(read), [recording, ...day] = opened;
    if (day.length) opened.push(ecg.dayBaseline(bundle, day));
    console.log(JSON.stringify(ecg.replay(bundle, recording, day.length ? opened.at(-1) : null)));
    opened.forEach((each) => ecg.close(each));
  }
}

main(process.argv.slice(2)).catch((error) => { console.error(`error: ${error.message}`); process.exitCode = 2; });

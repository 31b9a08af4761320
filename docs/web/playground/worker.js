// Loads an oracle and scores designs, beside the page, so that nothing on it waits.
import * as ort from "../vendor/onnxruntime-web/ort.wasm.min.mjs";

ort.env.wasm.wasmPaths = new URL("../vendor/onnxruntime-web/", import.meta.url).href;
ort.env.wasm.numThreads = 1; // more need headers that static hosts do not send

let session = null;
let failure = "no oracle is open"; // why there is no session

async function fetched(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  const whole = Number(answer.headers.get("x-size") ?? 0);
  const reader = answer.body.getReader();
  const parts = [];
  let got = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    got += value.length;
    postMessage({ progress: got, whole });
  }
  const bytes = new Uint8Array(got);
  parts.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
  return bytes;
}

async function open(url) {
  const begun = performance.now();
  const bytes = await fetched(url);
  const here = performance.now();
  postMessage({ progress: bytes.length, whole: bytes.length });
  session = await ort.InferenceSession.create(bytes, {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "disabled", // it takes longer than it saves
  });
  return { download: here - begun, open: performance.now() - here };
}

async function score({ data, type, rows, dim }) {
  if (!session) throw new Error(failure);
  const answer = await session.run({ x: new ort.Tensor(type, data, [rows, dim]) });
  const { y, spread } = answer;
  return { y: Float64Array.from(y.data), spread: spread ? Float64Array.from(spread.data) : null };
}

let queue = Promise.resolve();
onmessage = ({ data: { id, url, ...asked } }) => {
  queue = queue.then(async () => {
    try {
      postMessage({ id, found: url ? await open(url) : await score(asked) });
    } catch (error) {
      const told = String(error?.message ?? error);
      if (url) failure = told;
      postMessage({ id, error: told });
    }
  });
};

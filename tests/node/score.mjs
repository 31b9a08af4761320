// Run a model in onnxruntime-web:  node score.mjs MODEL.onnx < request.json > answer.json
//
// The request is {"NAME": {"type": "float32", "dims": [2, 3], "data": BASE64}}, a tensor for each
// input, and so are the answer's "outputs". BASE64 is the tensor's bytes, little-endian: JSON has
// neither NaN nor int64.
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";

const ARRAYS = { float32: Float32Array, float64: Float64Array, int64: BigInt64Array };

function arrayOf(type) {
  if (!(type in ARRAYS)) throw new Error(`no array for ${type}, only ${Object.keys(ARRAYS)}`);
  return ARRAYS[type];
}

function read({ type, dims, data }) {
  const bytes = Uint8Array.from(Buffer.from(data, "base64"));
  return new ort.Tensor(type, new (arrayOf(type))(bytes.buffer), dims);
}

function write({ type, dims, data }) {
  arrayOf(type);
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return { type, dims, data: bytes.toString("base64") };
}

function mapped(tensors, change) {
  return Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, change(t)]));
}

ort.env.wasm.numThreads = 1; // the tests run two models at a time
const inputs = mapped(JSON.parse(readFileSync(0, "utf8")), read);
const begun = performance.now();
const session = await ort.InferenceSession.create(readFileSync(process.argv[2]), {
  executionProviders: ["wasm"],
});
const loaded = performance.now();
const outputs = mapped(await session.run(inputs), write);
const seconds = { load: (loaded - begun) / 1000, run: (performance.now() - loaded) / 1000 };
console.log(JSON.stringify({ version: ort.env.versions.web, seconds, outputs }));

import { InferenceSession, Tensor } from "onnxruntime-web";

const designs = process.argv.slice(2);
const tokens = designs.flatMap((design) => [...design].map((letter) => "ACGT".indexOf(letter)));
const x = new Tensor("int64", BigInt64Array.from(tokens, BigInt), [designs.length, 8]);

const session = await InferenceSession.create("mbo/tfbind8-oracle/model.onnx");
const { y } = await session.run({ x });
designs.forEach((design, row) => console.log(design, y.data[row]));

// An oracle in a worker: `open` it once, then `score` designs.

export class Scorer {
  constructor(space, progress) {
    this.space = space;
    this.waiting = new Map();
    this.count = 0;
    this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => {
      if (data.progress !== undefined) return this.opening && progress(data.progress);
      const { resolve, reject } = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if (data.error) reject(new Error(data.error));
      else resolve(data.found);
    };
    this.worker.onerror = (event) => {
      for (const { reject } of this.waiting.values()) reject(new Error(event.message || "the worker failed"));
      this.waiting.clear();
    };
  }

  ask(message, transfer = []) {
    const id = this.count++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, ...message }, transfer);
    });
  }

  open(url) {
    this.opening = true;
    return this.ask({ url }).finally(() => (this.opening = false));
  }

  /** Score designs: y, raw values, and the spread of the trees where the oracle tells it. */
  score(designs) {
    const data = this.space.tensor(designs);
    const { type, dim } = this.space;
    return this.ask({ data, type, dim, rows: designs.length }, [data.buffer]);
  }

  close() {
    this.worker.terminate();
    for (const { reject } of this.waiting.values()) reject(new Error("closed"));
    this.waiting.clear();
  }
}

// Random changes that are kept where they score higher.

const BATCH = 32; // designs of one step
const STEPS = 200; // … after which it ends by itself

/**
 * Climb from a design, a batch a step; whoever iterates may stop at any step.
 *
 * `score(designs)` gives their raw values. Each step gives the best design so far, its value, how
 * many were scored, and whether it is better than that of the step before.
 */
export async function* climb(space, score, design, y) {
  let tried = 1;
  for (let step = 0; step < STEPS; step++) {
    const tries = Array.from({ length: BATCH }, () => space.mutate(design, Math.random)).filter((one) => space.legal(one));
    if (!tries.length) continue;
    const found = await score(tries);
    tried += tries.length;
    const first = found.reduce((best, value, i) => (value > found[best] ? i : best), 0);
    const better = found[first] > y;
    if (better) [design, y] = [tries[first], found[first]];
    yield { design, y, tried, better };
  }
}

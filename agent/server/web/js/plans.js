// Changes by hand in words: what the page asks of the tools, as a reader would say it.

const STEPS = [
  [/^starts (\S+) (\S+)s$/, "$1 starts at $2 s"], [/^lasts (\S+) (\S+)s$/, "$1 lasts $2 s"], [/^strength (\S+) (\S+)%$/, "$1 at $2 %"],
  [/^remove (\S+)$/, "without $1"], [/^side (\S+) both$/, "$1 on both sides"], [/^side (\S+) other$/, "$1 on the other side"],
  [/^side (\S+) (left|right)$/, "$1 on the $2"], [/^more (\S+)$/, "$1 once more"], [/^fewer (\S+)$/, "$1 once less"], [/^add-after (\S+): .*$/, "$1 doubled"],
];

function stepWords(step) {
  const [pattern, words] = STEPS.find(([p]) => p.test(step)) ?? [/^.*$/, "$&"];
  return step.replace(pattern, words).replace(/#(\d+)/, " $1").replaceAll("_", " ");
}

/** A tool called by hand, in words. */
export function callWords(tool, given = {}) {
  if (tool === "edit" && given.plan) return `By hand: ${given.plan.split("; ").map(stepWords).join(", ")}`;
  if (tool === "again" && given.takes > 1) return `${given.takes} takes`;
  return { again: "Another take", undo: "Undo", redo: "Redo", go_to: "Another version" }[tool] ?? tool.replaceAll("_", " ");
}
